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
pub use operation::{Applied, ReadyOperation, xmlid_for};
pub use resolve::{Resolved, Resolver};

#[cfg(test)]
pub(crate) mod tests;
