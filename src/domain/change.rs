//! A change in Odoo, as the addon tells it. `docs/BRIDGE.md` describes the wire form.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Model, Names, Record};

/// A record with its display name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The id in Odoo.
    pub id: i64,
    /// The display name.
    pub name: String,
}

/// One watched field's old and new value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Before the transaction.
    pub old: Value,
    /// After it.
    pub new: Value,
}

/// The net change of one record in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Unique id (a UUID).
    pub id: String,
    /// Grows with each change of one record.
    pub seq: i64,
    /// What happened, such as `lead.won`.
    pub event: String,
    /// When, by Odoo's clock.
    pub timestamp: DateTime<Utc>,
    /// The record's model.
    pub model: Model,
    /// The record's id.
    pub record_id: i64,
    /// The daemon's own operation that caused it.
    #[serde(default)]
    pub operation: Option<String>,
    /// The record after the change (before it, if deleted or merged away).
    pub data: Record,
    /// Names of related records.
    #[serde(default)]
    pub names: Names,
    /// Watched fields that changed.
    #[serde(default)]
    pub changes: BTreeMap<String, FieldChange>,
    /// Who did it.
    #[serde(default)]
    pub user: Option<Named>,
    /// The record's company.
    #[serde(default)]
    pub company: Option<Named>,
}

impl Change {
    /// Whether the record no longer exists after this change.
    pub fn removes_record(&self) -> bool {
        self.event.ends_with(".deleted") || self.event.ends_with(".merged")
    }
}

/// What the addon posts, and what `events()` returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeBatch {
    /// `database.uuid` of the sender. Absent from `events()`.
    #[serde(default)]
    pub database: Option<String>,
    /// The changes, oldest first.
    pub events: Vec<Change>,
    /// Whether people have decided something that the daemon is to carry out.
    #[serde(default)]
    pub wishes: bool,
}
