//! What sync needs from Odoo, through the addon or without it. `docs/BRIDGE.md` is the protocol.
//!
//! With the addon, effect and idempotency key commit in one transaction, and events are handed out by
//! acknowledgement. Without it the same is done as well as Odoo's own methods allow: see [`PlainBridge`].

mod addon;
mod merge;
mod plain;

use std::collections::HashMap;

use serde::Deserialize;

use self::addon::Found;
use super::{Applied, Client, FieldMap, OdooError, ReadyOperation, Rehearsed};
use crate::{
    config::AddonChoice,
    domain::{Attached, Attachment, Change, Model, Page},
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
    /// What the mirror wants and this database does not have; only models that lack something.
    pub missing: HashMap<Model, Vec<String>>,
}

/// Undelivered events.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Events {
    /// The oldest ones.
    pub events: Vec<Change>,
    /// How many are undelivered, these included.
    pub pending: u64,
    /// Whether people have decided something that the daemon is to carry out.
    #[serde(default)]
    pub wishes: bool,
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
        if choice == AddonChoice::Off {
            return PlainBridge::open(client).await.map(Self::Plain);
        }
        match AddonBridge::find(client).await? {
            Found::Addon(bridge) => Ok(Self::Addon(*bridge)),
            Found::Nothing(client) if choice == AddonChoice::Auto => PlainBridge::open(client).await.map(Self::Plain),
            Found::Nothing(_) => Err(OdooError::Refused {
                kind: "Addon".to_owned(),
                message: "the addon g_assistant_connector is not installed; install it or set odoo.addon = \"auto\""
                    .to_owned(),
            }),
        }
    }

    /// What it can do here.
    pub fn info(&self) -> &BridgeInfo {
        match self {
            Self::Addon(bridge) => &bridge.info,
            Self::Plain(bridge) => &bridge.info,
        }
    }

    /// Whether the model has a field here.
    pub fn has_field(&self, model: Model, field: &str) -> bool {
        let fields = match self {
            Self::Addon(bridge) => bridge.fields.get(&model),
            Self::Plain(bridge) => bridge.fields.get(&model),
        };
        fields.is_some_and(|fields| fields.types.contains_key(field))
    }

    /// Carries out operations; one answer each, in order. Safe to repeat as a whole after any error: what was done is
    /// recognised. Plain text in fields that are HTML here is made fit.
    pub async fn apply(&self, operations: &[ReadyOperation]) -> Result<Vec<Applied>, OdooError> {
        match self {
            Self::Addon(bridge) => bridge.apply(operations).await,
            Self::Plain(bridge) => bridge.apply(operations).await,
        }
    }

    /// What would become of one operation; `None` without the addon.
    pub async fn rehearse(&self, operation: &ReadyOperation) -> Result<Option<Rehearsed>, OdooError> {
        match self {
            Self::Addon(bridge) => bridge.rehearse(operation).await.map(Some),
            Self::Plain(_) => Ok(None),
        }
    }

    /// Whether files of messages have a place in this Odoo.
    pub fn takes_files(&self) -> bool {
        match self {
            Self::Addon(bridge) => bridge.takes_files(),
            Self::Plain(_) => true,
        }
    }

    /// Attaches a file to the message that an operation has posted, once however often it is told.
    pub async fn attach(&self, operation: &str, file: &Attachment, bytes: Vec<u8>) -> Result<Attached, OdooError> {
        match self {
            Self::Addon(bridge) => bridge.attach(file, bytes).await,
            Self::Plain(bridge) => bridge.attach(operation, file, bytes).await,
        }
    }

    /// One page of records, ascending by id, archived ones included.
    pub async fn pull(&self, model: Model, after_id: i64, limit: u32) -> Result<Page, OdooError> {
        match self {
            Self::Addon(bridge) => bridge.pull(model, after_id, limit).await,
            Self::Plain(bridge) => bridge.pull(model, after_id, limit).await,
        }
    }

    /// Which database this is now.
    pub async fn guard(&self) -> Result<DatabaseState, OdooError> {
        match self {
            Self::Addon(bridge) => bridge.guard().await,
            Self::Plain(bridge) => bridge.guard().await,
        }
    }
}

/// What the mirror wants and the database does not have.
fn missing_of(fields: &HashMap<Model, FieldMap>) -> HashMap<Model, Vec<String>> {
    let lacking = fields.iter().filter(|(_, fields)| !fields.missing.is_empty());
    lacking.map(|(model, fields)| (*model, fields.missing.clone())).collect()
}

/// The fields of every model that exists here.
async fn fields_of_all(client: &Client) -> Result<HashMap<Model, FieldMap>, OdooError> {
    let mut all = HashMap::new();
    for model in [Model::Lead, Model::Order, Model::Partner] {
        match FieldMap::load(client, model).await {
            Ok(fields) => {
                all.insert(model, fields);
            }
            // The application that brings the model is not installed.
            Err(OdooError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}
