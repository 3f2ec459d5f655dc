//! The HTTP edge: limits, authenticity, durable acceptance, and the read API. `docs/API.md` describes it.
//!
//! Order of defence: connection cap, header timeout, request timeout, body limit, then authenticity on the raw bytes,
//! then JSON. A 2xx is sent only after the store has committed.

mod answer;
mod health;
mod metrics;
mod records;
mod webhooks;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post},
};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

pub use answer::ApiError;

use crate::{
    clock::Clock,
    config,
    domain::OdooStatus,
    sources::{Registry, Tokens},
    store::Store,
    telemetry::Metrics,
};

/// How long requests under way may take after the listener has closed.
const GRACE: Duration = Duration::from_secs(10);

/// What the handlers work with.
#[derive(Clone)]
pub struct AppState {
    /// Inbox and mirror.
    pub store: Store,
    /// Who may send.
    pub sources: Arc<Registry>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// The connection to Odoo.
    pub odoo: watch::Receiver<OdooStatus>,
    /// Who may read.
    pub tokens: Tokens,
}

/// Binds, and serves until `stop`. Returns the address and the task, which ends when the last request has.
pub async fn serve(
    config: &config::Server,
    state: AppState,
    stop: CancellationToken,
) -> io::Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
    let listener = std::net::TcpListener::bind(config.listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {}: {error}", config.listen)))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?.handle(handle.clone());
    // Without its own timer hyper would wait for slow headers for ever.
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(config.header_timeout);
    let router = router(config, state, address);
    let task = tokio::spawn(async move { server.serve(router.into_make_service()).await });
    tokio::spawn(async move {
        stop.cancelled().await;
        handle.graceful_shutdown(Some(GRACE));
    });
    Ok((address, task))
}

fn router(config: &config::Server, state: AppState, address: SocketAddr) -> Router {
    let webhooks = Router::new()
        .route("/api/webhooks/{source}", post(webhooks::receive).fallback(answer::method_not_allowed))
        .route("/api/odoo/leads", get(records::leads).post(webhooks::receive_lead).fallback(answer::method_not_allowed))
        .layer(DefaultBodyLimit::max(config.body_limit));
    let metrics = if address.ip().is_loopback() { get(metrics::open) } else { get(metrics::with_token) };
    Router::new()
        .merge(webhooks)
        .route("/api/odoo/leads/{id}", get(records::lead).fallback(answer::method_not_allowed))
        .route("/api/odoo/orders", get(records::orders).fallback(answer::method_not_allowed))
        .route("/api/odoo/orders/{id}", get(records::order).fallback(answer::method_not_allowed))
        .route("/api/odoo/health", get(health::odoo).fallback(answer::method_not_allowed))
        .route("/api/health", get(health::daemon).fallback(answer::method_not_allowed))
        .route("/metrics", metrics.fallback(answer::method_not_allowed))
        .fallback(answer::not_found)
        .layer(GlobalConcurrencyLimitLayer::new(config.max_connections))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, config.request_timeout))
        .layer(CatchPanicLayer::custom(answer::panicked))
        .with_state(state)
}
