//! G-Assistant: a companion daemon beside an Odoo server.
//!
//! It takes leads and orders in from signed webhooks, writes them to Odoo exactly once, hears every change in Odoo,
//! and keeps a local mirror of both. `docs/ARCHITECTURE.md` is the map; `docs/BRIDGE.md` is the protocol with the
//! addon. Modules, from the inside out:
//!
//! - [`domain`], [`clock`], [`secret`], [`telemetry`]: plain types that everything may use
//! - [`intake`]: pure: what a source sent → operations on Odoo
//! - [`sources`], [`odoo`], [`net`]: the outside world, one file per counterpart
//! - [`store`]: the only owner of SQLite
//! - [`fetch`]: asks platforms that send only ids
//! - [`sync`], [`worker`]: push, pull, sweep, and the loop that runs jobs
//! - [`http`], [`cli`], [`app`]: the edges, and the place where everything is put together

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod fetch;
pub mod http;
pub mod intake;
pub mod net;
pub mod odoo;
pub mod secret;
pub mod sources;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod worker;
