//! `GET /metrics`, for Prometheus. Open on a loopback address, behind a token elsewhere.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{ApiError, AppState};

pub(super) async fn open(State(state): State<AppState>) -> Result<Response, ApiError> {
    let stats = state.store.stats().await?;
    let jobs = stats.queues.iter().flat_map(|(kind, queue)| {
        [("ready", queue.ready), ("leased", queue.leased), ("parked", queue.parked)]
            .map(|(name, count)| (kind.as_str(), name, count))
    });
    state.metrics.set_jobs(jobs);
    let depth = stats.queues.values().map(|queue| queue.ready + queue.leased).sum();
    let oldest = stats.queues.values().filter_map(|queue| queue.oldest_ready_age_ms).max().unwrap_or(0);
    state.metrics.set_queue(depth, Duration::from_millis(u64::try_from(oldest).unwrap_or(0)));
    state.metrics.set_odoo_up(state.odoo.borrow().reachable == Some(true));
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, form)], state.metrics.render()).into_response())
}

pub(super) async fn with_token(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    state.tokens.check(&headers)?;
    open(State(state)).await
}
