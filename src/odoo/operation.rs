//! An operation that is ready to be sent: every name has become an id.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Action, Mark, Message, Model, OpResult, Person, Profile, ReadyFlags},
    intake::duplicates::{Decision, Keys},
};

/// An operation of `docs/BRIDGE.md`; serialises to its wire form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadyOperation {
    /// Idempotency key.
    pub key: String,
    /// The record's model.
    pub model: Model,
    /// What to do.
    pub action: Action,
    /// The record's identity outside Odoo.
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// The record's id, for operations on a record that has no reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The external id of this reference: [`xmlid_for`].
    pub xmlid: String,
    /// Field → value. Only `partner_id` may be `{"ref": …}`.
    pub values: Map<String, Value>,
    /// What the daemon wrote last, as far as it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Map<String, Value>>,
    /// Fields that are written whatever a person did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<String>,
    /// Fields of `values` that are left alone if the record exists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub create_only: Vec<String>,
    /// No subscriptions, log lines or notifications.
    pub silent: bool,
    /// By what the person of a new lead is recognised, and what was decided.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Matching>,
    /// What the lead's person wrote on a messenger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// What became of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// Who the lead's person on a messenger is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Among whom the salesperson of a new lead is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<ReadyOwner>,
    /// Flags that only Odoo can raise, and what follows from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<ReadyFlags>,
    /// The id that the daemon's own store has for this reference. Used without the addon only: the addon has its own
    /// bindings, which follow merges.
    #[serde(skip)]
    pub bound_id: Option<i64>,
}

/// The keys of a lead's person, and once Odoo has told who else has them, what becomes of the lead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matching {
    /// Who it is, for the comparison.
    #[serde(skip)]
    pub person: Person,
    /// What to look for.
    #[serde(flatten)]
    pub keys: Keys,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// An [`Owner`](crate::domain::Owner) by ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadyOwner {
    /// The rule: its people take turns.
    pub rule: String,
    /// Whoever has had the person's lead gets this one too.
    pub sticky: bool,
    /// Those of the rule.
    pub among: Vec<ReadySeller>,
    /// For when none of them can.
    pub otherwise: Vec<ReadySeller>,
    /// Who is away.
    pub away: Vec<i64>,
    /// Logins that no active user has.
    pub unknown: Vec<String>,
}

/// Somebody who gets leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadySeller {
    /// The user.
    pub id: i64,
    /// No further lead while so many of theirs are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// So many turns where others have one.
    pub weight: u8,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Odoo's answer.
    pub result: OpResult,
    /// Without the addon: what Odoo holds now in the fields where it holds what the daemon wanted. To be merged into
    /// the stored base; the fields in `result.kept` are not in it. `None` with the addon, which keeps its own base.
    pub written: Option<Map<String, Value>>,
}

/// What would become of an operation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rehearsed {
    /// What Odoo would answer; the id of what would be created means nothing.
    #[serde(flatten)]
    pub result: OpResult,
    /// The lead that there would be.
    pub lead: Option<RehearsedLead>,
}

/// A lead that there would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsedLead {
    /// Its name.
    pub name: String,
    /// The login of whoever would own it.
    pub salesperson: Option<String>,
    /// Their team.
    pub team: Option<String>,
    /// Why it would be theirs, in the daemon's user's language.
    pub owner_reason: Option<String>,
    /// Its flags.
    pub flags: Vec<String>,
}

/// The external id of a reference: `__gassist__.<model>_<first 32 hex digits of its SHA-256>`.
pub fn xmlid_for(model: Model, reference: &str) -> String {
    let digest = Sha256::digest(reference.as_bytes());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("__gassist__.{}_{hex}", model.as_str().replace('.', "_"))
}
