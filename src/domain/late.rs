//! Flags that only Odoo can raise: it has the blacklists, and knows whose person is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the reason begins for which an operation is parked until a person has looked at it.
pub const HELD: &str = "held for review: ";

/// What to look for where the operation is carried out, and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LateFlags {
    /// Every address of the lead.
    pub emails: Vec<String>,
    /// Every number of the lead, as E.164.
    pub phones: Vec<String>,
    /// Codes of flags that give the lead a tag.
    pub tag: Vec<String>,
    /// Codes of flags that archive a new lead.
    pub archive: Vec<String>,
    /// Codes of flags that hold the operation for review.
    pub hold: Vec<String>,
}

/// The same with ids, as it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadyFlags {
    /// Every address of the lead.
    pub emails: Vec<String>,
    /// Every number of the lead.
    pub phones: Vec<String>,
    /// Code → tag.
    pub tag: BTreeMap<String, i64>,
    /// Codes of flags that archive a new lead.
    pub archive: Vec<String>,
    /// Codes of flags that hold the operation for review.
    pub hold: Vec<String>,
    /// A person has looked at it, and let it go on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reviewed: bool,
}
