//! Health: of the daemon, for anybody, and of its connection to Odoo, with a token.
//!
//! `ok` and `degraded` answer 200, because the daemon takes deliveries in both; `down` answers 503, because it cannot
//! keep them. Parked jobs are shown and change nothing: they wait for a person, not for a restart.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Shared, access::Authorized, error::ApiError};
use crate::{
    domain::{OdooStatus, PlatformState, PlatformStatus},
    store::{JobKind, QueueStats, Stats, Store, StoreError},
};

/// How long the answer to "can the store write?" holds, so that asking often costs nothing.
const PROBE_HOLDS: Duration = Duration::from_secs(5);
const PROBE_KEY: &str = "health.probed_at";

/// Tries now and then whether the store can write.
#[derive(Default)]
pub(super) struct Probe(Mutex<Option<(Instant, Result<(), StoreError>)>>);

impl Probe {
    async fn check(&self, store: &Store, now_ms: i64) -> Result<(), StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < PROBE_HOLDS
        {
            return result.clone();
        }
        let result = store.meta_set(PROBE_KEY, &now_ms.to_string()).await;
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

/// `GET /api/health`
pub(super) async fn health(State(context): State<Shared>) -> Response {
    let app = &context.app;
    let writable = context.probe.check(&app.store, app.clock.now_ms()).await;
    let stats = match writable {
        Ok(()) => app.store.stats().await,
        Err(error) => Err(error),
    };
    // Names of forms are for those on this machine, and for those with a token.
    let forms = if context.loopback { app.forms().await } else { Ok(Vec::new()) };
    let stats = stats.and_then(|stats| Ok((stats, forms?)));
    let odoo = app.odoo_status.borrow().clone();
    let version = env!("CARGO_PKG_VERSION");
    match stats {
        Ok((stats, forms)) => {
            let platforms = app.platforms.borrow().clone();
            let all_well = is_well(&odoo) && platforms.iter().all(|one| one.state == PlatformState::Ok);
            let status = if all_well { "ok" } else { "degraded" };
            let oldest = stats.queues.values().filter_map(oldest_age_s).max();
            let mut body = json!({
                "status": status,
                "version": version,
                "odoo": shown(&odoo, context.loopback),
                "platforms": platforms.iter().map(|one| shown_platform(one, context.loopback)).collect::<Vec<_>>(),
                "queues": queues(&stats),
                "oldest_age_s": oldest.unwrap_or(0),
                "store": {"writable": true, "bytes": stats.file_bytes},
            });
            if context.loopback {
                body["forms"] = json!(forms);
            }
            Json(body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "health: the store failed");
            let body = json!({
                "status": "down",
                "version": version,
                "odoo": shown(&odoo, context.loopback),
                "store": {"writable": false},
            });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// `GET /api/odoo/health`: 503 while nothing can be sent to Odoo.
pub(super) async fn odoo(_: Authorized, State(context): State<Shared>) -> Result<Response, ApiError> {
    let stats = context.app.store.stats().await?;
    let odoo = context.app.odoo_status.borrow().clone();
    let status = if is_well(&odoo) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!(odoo);
    body["mirror"] = json!(stats.mirror);
    body["changes"] = stats.changes.into();
    body["queues"] = json!(queues(&stats));
    body["forms"] = json!(context.app.forms().await?);
    Ok((status, Json(body)).into_response())
}

/// Whether nothing is known to be wrong; before the first answer nothing is.
fn is_well(odoo: &OdooStatus) -> bool {
    odoo.reachable != Some(false) && odoo.blocked.is_none()
}

/// What went wrong may name machines: that is for those on this one, and for those with a token.
fn shown(odoo: &OdooStatus, local: bool) -> Value {
    if local { json!(odoo) } else { json!({"reachable": odoo.reachable, "since": odoo.since, "blocked": odoo.blocked}) }
}

fn shown_platform(one: &PlatformStatus, local: bool) -> Value {
    if local { json!(one) } else { json!({"source": one.source, "state": one.state, "since": one.since}) }
}

fn queues(stats: &Stats) -> BTreeMap<JobKind, Value> {
    let shown = |queue: &QueueStats| json!({"ready": queue.ready, "leased": queue.leased, "parked": queue.parked, "oldest_age_s": oldest_age_s(queue)});
    stats.queues.iter().map(|(kind, queue)| (*kind, shown(queue))).collect()
}

fn oldest_age_s(queue: &QueueStats) -> Option<i64> {
    queue.oldest_ready_age_ms.map(|age| age / 1000)
}
