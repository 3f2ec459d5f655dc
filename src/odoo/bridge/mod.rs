//! What sync needs from Odoo, through the addon or without it. `docs/BRIDGE.md` is the protocol.
//!
//! With the addon, effect and idempotency key commit in one transaction, and events are handed out by
//! acknowledgement. Without it the same is done as well as Odoo's own methods allow: see [`PlainBridge`].

mod addon;
mod plain;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Applied, Client, OdooError, ReadyOperation};
use crate::{
    config::AddonChoice,
    domain::{Change, Model, Page},
};

pub use addon::AddonBridge;
pub use plain::PlainBridge;

/// Which database this is, as far as the user may know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseState {
    /// `database.uuid`. Without the addon only administrators may read it.
    pub uuid: Option<String>,
    /// Whether it is a neutralised copy.
    pub neutralized: Option<bool>,
}

/// What the bridge can do here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BridgeInfo {
    /// The addon's version; `None` without it.
    pub addon: Option<String>,
    /// Undelivered events, with the addon.
    pub pending_events: Option<u64>,
    /// Whether Odoo has the Python package `phonenumbers`, if known.
    pub phonenumbers: Option<bool>,
    /// What `pull` carries.
    pub fields: HashMap<Model, Vec<String>>,
    /// What the mirror wants and this database does not have.
    pub missing: HashMap<Model, Vec<String>>,
}

/// Undelivered events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// The oldest ones.
    pub events: Vec<Change>,
    /// How many are undelivered, these included.
    pub pending: u64,
}

/// The way to Odoo.
#[derive(Debug)]
pub enum Bridge {
    /// Through the addon.
    Addon(AddonBridge),
    /// Through Odoo's own methods.
    Plain(PlainBridge),
}

impl Bridge {
    /// Looks for the addon, and opens the way that `choice` allows.
    pub async fn open(client: Client, choice: AddonChoice) -> Result<Self, OdooError> {
        let _ = (client, choice);
        todo!()
    }

    /// What it can do here.
    pub fn info(&self) -> &BridgeInfo {
        todo!()
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        todo!()
    }

    /// Carries out operations; one answer each, in order. Safe to repeat as a whole after any error: what was done is
    /// recognised. An error is never the fault of one operation.
    pub async fn apply(&self, operations: &[ReadyOperation]) -> Result<Vec<Applied>, OdooError> {
        let _ = operations;
        todo!()
    }

    /// One page of records, ascending by id, archived ones included.
    pub async fn pull(&self, model: Model, after_id: i64, limit: u32) -> Result<Page, OdooError> {
        let _ = (model, after_id, limit);
        todo!()
    }

    /// Exactly these records, as far as they exist.
    pub async fn fetch(&self, model: Model, ids: &[i64]) -> Result<Page, OdooError> {
        let _ = (model, ids);
        todo!()
    }

    /// Which database this is now.
    pub async fn guard(&self) -> Result<DatabaseState, OdooError> {
        todo!()
    }
}

impl AddonBridge {
    /// The oldest undelivered events.
    pub async fn events(&self, limit: u32) -> Result<Events, OdooError> {
        let _ = limit;
        todo!()
    }

    /// Marks events as delivered; returns how many were.
    pub async fn ack(&self, ids: &[String]) -> Result<u64, OdooError> {
        let _ = ids;
        todo!()
    }
}

impl PlainBridge {
    /// One page of records written at or after `since`, ascending by id. Deletions are not seen.
    pub async fn changed_since(
        &self,
        model: Model,
        since: DateTime<Utc>,
        after_id: i64,
        limit: u32,
    ) -> Result<Page, OdooError> {
        let _ = (model, since, after_id, limit);
        todo!()
    }
}
