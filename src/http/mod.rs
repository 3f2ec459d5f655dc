//! The daemon's own web server: webhooks in, health and metrics, and the read API on the mirror (`docs/API.md`).
//!
//! A request passes, from the outside in: the cap on connections, the limit on the time for headers (`server`), the
//! limit on the whole request, the catcher of panics, and only then a handler. Every error has one shape (`error`).
//!
//! A 2xx to a webhook is sent only after the commit that makes the delivery survive a power cut.

mod access;
mod error;
mod guard;
mod health;
mod metrics;
mod names;
mod query;
mod receive;
mod records;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use self::health::Probe;
pub use self::server::{ServeError, serve};
use crate::{clock::Clock, config::Server, domain::OdooStatus, sources::Registry, store::Store, telemetry::Metrics};

/// What the handlers work with.
#[derive(Clone)]
pub struct AppState {
    /// Inbox, outbox and mirror.
    pub store: Store,
    /// The sources, and the tokens that open the API.
    pub registry: Arc<Registry>,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// Tells the time.
    pub clock: Clock,
    /// The connection to Odoo as its owner last saw it.
    pub odoo_status: watch::Receiver<OdooStatus>,
}

/// The state of one server.
struct Context {
    app: AppState,
    body_limit: usize,
    /// Whether only this machine can reach the server.
    loopback: bool,
    probe: Probe,
}

type Shared = Arc<Context>;

fn router(config: &Server, app: AppState) -> Router {
    let context = Context {
        app,
        body_limit: config.body_limit,
        loopback: config.listen.ip().is_loopback(),
        probe: Probe::default(),
    };
    Router::new()
        .route("/api/webhooks/{source}", post(receive::webhook))
        .route("/api/health", get(health::health))
        .route("/api/odoo/health", get(health::odoo))
        .route("/api/odoo/leads", get(records::leads).post(receive::leads))
        .route("/api/odoo/leads/{id}", get(records::lead))
        .route("/api/odoo/orders", get(records::orders))
        .route("/api/odoo/orders/{id}", get(records::order))
        .route("/metrics", get(metrics::metrics))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(middleware::from_fn_with_state(config.request_timeout, guard::in_time))
        .with_state(Arc::new(context))
}
