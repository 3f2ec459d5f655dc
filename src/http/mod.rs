//! The daemon's own web server: webhooks in, health and metrics, and the read API on the mirror (`docs/API.md`).
//!
//! A request passes, from the outside in: the caps on connections, the limit on the time for headers (`server`), the
//! limit on the requests of its client (`client`, `limits`), the limit on its time, the catcher of panics, and only then
//! a handler. Every error has one shape (`error`).
//!
//! A 2xx to a webhook is sent only after the commit that makes the delivery survive a power cut.

mod access;
mod client;
mod error;
mod guard;
mod health;
mod limits;
mod metrics;
mod names;
mod query;
mod receive;
mod records;
mod server;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

pub use self::server::{ServeError, serve};
use self::{client::Proxies, health::Probe, limits::Limits};
use crate::{
    clock::Clock,
    config::Server,
    domain::{OdooStatus, PlatformStatus},
    sources::Registry,
    store::{FormCount, Store, StoreError},
    sync::Bell,
    telemetry::Metrics,
};

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
    /// The platforms that are asked for leads.
    pub platforms: watch::Receiver<Vec<PlatformStatus>>,
    /// How far back they are compared with Odoo.
    pub compared: Duration,
    /// Rung when people in Odoo have decided something.
    pub bell: Bell,
}

impl AppState {
    /// Per form and day, what the platforms list and what Odoo has of it.
    async fn forms(&self) -> Result<Vec<FormCount>, StoreError> {
        self.store.form_counts(self.compared).await
    }
}

/// The state of one server.
struct Context {
    app: AppState,
    body_limit: usize,
    body_timeout: Duration,
    request_timeout: Duration,
    proxies: Proxies,
    limits: Limits,
    /// Whether only this machine can reach the server.
    loopback: bool,
    probe: Probe,
}

type Shared = Arc<Context>;

fn context(config: &Server, app: AppState) -> Shared {
    Arc::new(Context {
        limits: Limits::new(config, &app.registry),
        app,
        body_limit: config.body_limit,
        body_timeout: config.body_timeout,
        request_timeout: config.request_timeout,
        proxies: Proxies::new(config.trusted_proxies.clone()),
        loopback: config.listen.ip().is_loopback(),
        probe: Probe::default(),
    })
}

fn router(context: Shared) -> Router {
    Router::new()
        .route("/api/webhooks/{source}", post(receive::webhook).get(receive::handshake))
        .route("/api/webhooks/{source}/{rest}", post(receive::webhook).get(receive::handshake))
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
        .layer(middleware::from_fn_with_state(Arc::clone(&context), guard::in_number))
        .with_state(context)
}
