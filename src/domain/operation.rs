//! One change that the daemon wants in Odoo, and Odoo's answer. `docs/BRIDGE.md` describes the wire form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Candidate, LateFlags, Mark, Message, Model, Owner, PartnerDraft, Person, Profile};

/// What to do with the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create the record, or update it if its reference is bound already.
    Upsert,
    /// Three-way merge into an existing record.
    Update,
    /// Confirm a quotation.
    Confirm,
    /// Cancel a quotation or order.
    Cancel,
    /// Note what became of a message.
    Mark,
}

/// How the names of the addon's own fields begin. They belong to the daemon: nobody else's value stays.
pub const OWN_FIELDS: &str = "g_assistant_";

/// A record that is known by name, code or address and must be resolved to an id before the call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "key", rename_all = "snake_case")]
pub enum Lookup {
    /// `utm.source` by name; created when missing.
    Source(String),
    /// `utm.medium` by name; created when missing.
    Medium(String),
    /// `utm.campaign` by name; created when missing.
    Campaign(String),
    /// `crm.tag` by name; created when missing.
    Tag(String),
    /// `res.country` by ISO code.
    Country(String),
    /// `res.lang` by Odoo or ISO code.
    Language(String),
    /// `crm.team` by name.
    Team(String),
    /// `res.users` by login.
    Salesperson(String),
    /// `product.product` by internal reference or barcode.
    Product(String),
    /// `product.pricelist` by name.
    Pricelist(String),
    /// `product.pricelist` by its currency's code.
    Currency(String),
    /// `g_assistant.flag` by its code.
    Flag(String),
}

/// A field's value before references are resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// A plain value in the normal form of `docs/BRIDGE.md`.
    Plain(Value),
    /// A many2one to be looked up.
    Lookup(Lookup),
    /// A many2many to be looked up.
    Lookups(Vec<Lookup>),
    /// A customer to be found, or created with the operation.
    Partner(PartnerDraft),
    /// Lists of sub-records, such as `order_line`.
    Lines(Vec<BTreeMap<String, FieldValue>>),
}

/// An operation as it waits in the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Idempotency key: the same key is never applied twice.
    pub key: String,
    /// The record's model.
    pub model: Model,
    /// What to do.
    pub action: Action,
    /// The record's identity outside Odoo, `<source>:<external id>`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Field → value.
    #[serde(default)]
    pub values: BTreeMap<String, FieldValue>,
    /// Fields of `values` that only a new record gets, such as a title that was made for want of one.
    #[serde(default)]
    pub create_only: Vec<String>,
    /// A back-fill: no notifications.
    #[serde(default)]
    pub silent: bool,
    /// Who a lead is about: somebody with a lead in Odoo already gets no second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// What the lead's person wrote on a messenger. `values` then only fill in what is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// Of [`Action::Mark`]: what became of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// Of a lead by a messenger's message: who its person is. `values` have the name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Among whom a new lead's salesperson is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Flags that only Odoo can raise, and what follows from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<LateFlags>,
    /// What the lead is like, to be learned from once it is won or lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traits: Vec<String>,
}

/// How an operation ended in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpStatus {
    /// The record is new.
    Created,
    /// At least one field was written, or the order changed state.
    Updated,
    /// There was nothing to write.
    Unchanged,
    /// A person deleted the record; it is not re-created.
    Gone,
    /// Odoo refuses this operation for good.
    Refused,
    /// Odoo has leads that may be about the same person: they are to be compared first.
    Undecided,
    /// A flag that only Odoo could raise wants a person to look first.
    Held,
}

/// Why Odoo refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpError {
    /// Odoo's exception class, such as `ValidationError`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Odoo's own words.
    pub message: String,
}

/// Odoo's answer to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpResult {
    /// The operation's key.
    pub key: String,
    /// How it ended.
    pub status: OpStatus,
    /// The record's id, where there is one.
    #[serde(default)]
    pub id: Option<i64>,
    /// Fields where a person's value stayed.
    #[serde(default)]
    pub kept: Vec<String>,
    /// Set when refused.
    #[serde(default)]
    pub error: Option<OpError>,
    /// The ledger knew this key already.
    #[serde(default)]
    pub replayed: bool,
    /// With [`OpStatus::Undecided`]: whom to compare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// With [`OpStatus::Held`]: the flags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
}
