//! Everything that talks to Odoo. `xmlrpc` (the crate and the protocol) stays inside this module. (skeleton)
//!
//! - [`Call`]: one method call, the same for every transport
//! - [`OdooError`]: every way in which a call can fail, with its [`Class`]
//! - [`Client`]: a logged-in connection over one of the transports
//! - [`Bridge`]: what sync needs, through the addon or without it

mod call;
mod fault;

pub use call::Call;
pub use fault::{Class, OdooError};
