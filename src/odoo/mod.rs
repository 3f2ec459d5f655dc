//! Everything that talks to Odoo. `xmlrpc` (the crate and the protocol) stays inside this module.
//!
//! - [`Call`]: one method call, the same for every transport
//! - [`OdooError`]: every way in which a call can fail, with its [`Class`]
//! - [`Client`]: a logged-in connection over one of the transports
//! - [`FieldMap`]: which fields this series and database have
//! - [`Resolver`]: names, codes and addresses → ids
//! - [`Bridge`]: what sync needs, through the addon or without it

mod bridge;
mod call;
mod client;
mod fault;
mod fields;
mod json2;
mod operation;
mod resolve;
mod transport;
mod xmlrpc;

pub use bridge::{AddonBridge, Bridge, BridgeInfo, DatabaseState, Events, PlainBridge};
pub use call::Call;
pub use client::{Client, LoadMessage, Loaded, Search, Series, ServerInfo};
pub use fault::{Class, OdooError};
pub use fields::{FieldKind, FieldMap, FieldType};
pub use operation::{Applied, Matching, ReadyOperation, ReadyOwner, ReadySeller, Rehearsed, RehearsedLead, xmlid_for};
pub use resolve::{Resolved, Resolver};

/// How the transports read answers, for the fuzz targets.
#[doc(hidden)]
pub mod answers {
    use http::StatusCode;
    use serde_json::Value;

    use super::{OdooError, json2, xmlrpc};

    pub fn xmlrpc(body: &[u8]) -> Result<Value, OdooError> {
        xmlrpc::read(body)
    }

    pub fn json2(status: StatusCode, body: &[u8]) -> Result<Value, OdooError> {
        if status == StatusCode::OK {
            json2::read(body)
        } else {
            json2::failure(status, body).map_or(Ok(Value::Null), Err)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
