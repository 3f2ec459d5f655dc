//! `GET /metrics`

use std::time::Duration;

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{Shared, access::Local, error::ApiError};
use crate::telemetry::Metrics;

/// Renders the metrics. What is a state rather than an event is taken from the store at this moment.
pub(super) async fn metrics(_: Local, State(context): State<Shared>) -> Result<Response, ApiError> {
    let (app, stats) = (&context.app, context.app.store.stats().await?);
    let kinds: Vec<_> = stats.queues.iter().map(|(kind, jobs)| (kind.as_str(), jobs)).collect();
    app.metrics.set_jobs(kinds.iter().flat_map(|(kind, jobs)| {
        [("ready", jobs.ready), ("leased", jobs.leased), ("parked", jobs.parked)]
            .map(|(state, count)| (*kind, state, count))
    }));
    let oldest = kinds.iter().filter_map(|(_, jobs)| jobs.oldest_ready_age_ms).max().unwrap_or(0);
    let depth = kinds.iter().map(|(_, jobs)| jobs.ready + jobs.leased).sum();
    app.metrics.set_queue(depth, Duration::from_millis(oldest.unsigned_abs()));
    app.metrics.set_odoo_up(app.odoo_status.borrow().reachable == Some(true));
    app.metrics.set_platforms(&app.platforms.borrow());
    let forms = app.forms().await?;
    app.metrics
        .set_forms(forms.iter().map(|form| (form.source.as_str(), form.form_id.as_str(), form.platform, form.odoo)));
    Ok(([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], app.metrics.render()).into_response())
}
