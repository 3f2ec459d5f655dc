//! The bridge through the addon: each method carries JSON text both ways, whatever the transport.

use std::collections::HashMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{BridgeInfo, DatabaseState, Events, fields_of_all};
use crate::{
    domain::{Model, OpResult, Page},
    odoo::{Applied, Call, Client, FieldMap, OdooError, ReadyOperation, client::unexpected, transport},
};

/// The only version of the protocol so far.
const PROTOCOL: u32 = 1;

/// Most operations that one call may carry.
const MAX_OPERATIONS: usize = 500;

/// Calls `g_assistant.bridge`.
#[derive(Debug)]
pub struct AddonBridge {
    pub(super) client: Client,
    pub(super) info: BridgeInfo,
    fields: HashMap<Model, FieldMap>,
}

/// Whether the addon answers.
pub(super) enum Found {
    /// It does.
    Addon(Box<AddonBridge>),
    /// The database has no such model.
    Nothing(Client),
}

#[derive(Deserialize)]
struct Hello {
    protocol: u32,
    addon: String,
    database: Option<String>,
    neutralized: bool,
    pending_events: u64,
    phonenumbers: bool,
    fields: HashMap<Model, Vec<String>>,
}

impl AddonBridge {
    /// Looks for the addon.
    pub(super) async fn find(client: Client) -> Result<Found, OdooError> {
        let hello = match hello(&client).await {
            Ok(hello) => hello,
            // An unknown model is a `UserError` to XML-RPC. The addon itself raises none here.
            Err(OdooError::Refused { kind, .. }) if kind == "Fault 2" || kind == "NotFound" => {
                return Ok(Found::Nothing(client));
            }
            Err(OdooError::Access { message }) => {
                let hint = "add the user to the group G-Assistant daemon, or set odoo.addon = \"off\"";
                return Err(OdooError::Access { message: format!("{message} ({hint})") });
            }
            Err(error) => return Err(error),
        };
        if hello.protocol != PROTOCOL {
            let message = format!(
                "the addon speaks protocol {}, this daemon speaks {PROTOCOL}; update the older of the two",
                hello.protocol
            );
            return Err(OdooError::Refused { kind: "Protocol".to_owned(), message });
        }
        let fields = fields_of_all(&client).await?;
        let missing = fields.iter().map(|(model, fields)| (*model, fields.missing.clone())).collect();
        let info = BridgeInfo {
            addon: Some(hello.addon),
            pending_events: Some(hello.pending_events),
            phonenumbers: Some(hello.phonenumbers),
            fields: hello.fields,
            missing,
        };
        Ok(Found::Addon(Box::new(Self { client, info, fields })))
    }

    pub(super) async fn apply(&self, operations: &[ReadyOperation]) -> Result<Vec<Applied>, OdooError> {
        let mut applied = Vec::with_capacity(operations.len());
        for batch in operations.chunks(MAX_OPERATIONS) {
            let fitted: Vec<ReadyOperation> = batch.iter().map(|operation| self.fit(operation)).collect();
            let call = bridge_call("apply").arg("ops", json!(fitted).to_string());
            let results: Vec<OpResult> = answer(&self.client, call).await?;
            if results.len() != batch.len() {
                return Err(unexpected("apply"));
            }
            applied.extend(results.into_iter().map(|result| Applied { result, written: None }));
        }
        Ok(applied)
    }

    fn fit(&self, operation: &ReadyOperation) -> ReadyOperation {
        let mut operation = operation.clone();
        if let Some(fields) = self.fields.get(&operation.model) {
            fields.fit(&mut operation.values);
        }
        operation
    }

    pub(super) async fn pull(&self, model: Model, after_id: i64, limit: u32) -> Result<Page, OdooError> {
        let call = bridge_call("pull").arg("model", model.as_str()).arg("after_id", after_id).arg("limit", limit);
        answer(&self.client, call).await
    }

    pub(super) async fn fetch(&self, model: Model, ids: &[i64]) -> Result<Page, OdooError> {
        answer(&self.client, bridge_call("pull").arg("model", model.as_str()).arg("only", ids)).await
    }

    pub(super) async fn guard(&self) -> Result<DatabaseState, OdooError> {
        let hello = hello(&self.client).await?;
        Ok(DatabaseState { uuid: hello.database, neutralized: Some(hello.neutralized) })
    }

    /// The oldest undelivered events.
    pub async fn events(&self, limit: u32) -> Result<Events, OdooError> {
        answer(&self.client, bridge_call("events").arg("limit", limit)).await
    }

    /// Marks events as delivered; returns how many were.
    pub async fn ack(&self, ids: &[String]) -> Result<u64, OdooError> {
        #[derive(Deserialize)]
        struct Acked {
            acked: u64,
        }
        let acked: Acked = answer(&self.client, bridge_call("ack").arg("uuids", ids)).await?;
        Ok(acked.acked)
    }
}

async fn hello(client: &Client) -> Result<Hello, OdooError> {
    answer(client, bridge_call("hello")).await
}

fn bridge_call(method: &str) -> Call {
    Call::new("g_assistant.bridge", method)
}

async fn answer<T: DeserializeOwned + Send + 'static>(client: &Client, call: Call) -> Result<T, OdooError> {
    let method = call.method.clone();
    let Value::String(text) = client.call(call).await? else { return Err(unexpected(&method)) };
    transport::read(text.into(), parse).await
}

/// The error says where, and not what: answers hold personal data.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, OdooError> {
    serde_json::from_slice(text).map_err(|error| OdooError::Garbled {
        detail: format!("the addon's JSON is not as expected (line {}, column {})", error.line(), error.column()),
    })
}
