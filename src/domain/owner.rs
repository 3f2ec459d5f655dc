//! Among whom the salesperson of a new lead is chosen. Who it is depends on what Odoo knows at that moment, so it is
//! decided where the lead is created.

use serde::{Deserialize, Serialize};

/// What intake knows of a new lead's salesperson.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The rule that says so: its people take turns.
    pub rule: String,
    /// Whoever has had the person's lead gets this one too.
    #[serde(default)]
    pub sticky: bool,
    /// Those of the rule. With none, its team owns the lead.
    #[serde(default)]
    pub among: Vec<Seller>,
    /// Those of the default, for when nobody of the rule can.
    #[serde(default)]
    pub otherwise: Vec<Seller>,
    /// Logins of those who are away by the configuration.
    #[serde(default)]
    pub away: Vec<String>,
}

/// Somebody who gets leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// Their login.
    pub login: String,
    /// No further lead while so many of theirs are open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// So many turns where others have one.
    pub weight: u8,
}

impl Owner {
    /// Everybody that it names.
    pub fn logins(&self) -> impl Iterator<Item = &String> {
        self.among.iter().chain(&self.otherwise).map(|seller| &seller.login).chain(&self.away)
    }
}
