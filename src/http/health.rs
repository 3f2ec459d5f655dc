//! Is the daemon well, and is Odoo?

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::AppState;

/// `GET /api/health`: 200 while deliveries can be kept, whether or not Odoo can be reached.
pub(super) async fn daemon(State(state): State<AppState>) -> Response {
    let odoo = state.odoo.borrow().clone();
    let version = env!("CARGO_PKG_VERSION");
    match state.store.stats().await {
        Ok(stats) => {
            let well = odoo.reachable == Some(true) && odoo.blocked.is_none();
            let parked: u64 = stats.queues.values().map(|queue| queue.parked).sum();
            let oldest_ms = stats.queues.values().filter_map(|queue| queue.oldest_ready_age_ms).max();
            Json(json!({
                "status": if well { "ok" } else { "degraded" },
                "version": version,
                "odoo": odoo,
                "queues": stats.queues,
                "parked": parked,
                "oldest_age_s": oldest_ms.unwrap_or(0) / 1000,
                "mirror": stats.mirror,
                "store_bytes": stats.file_bytes,
            }))
            .into_response()
        }
        Err(error) => {
            let body = json!({"status": "down", "version": version, "odoo": odoo, "store": error.to_string()});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// `GET /api/odoo/health`: 200 if Odoo can be reached and written to, else 503; with the reason.
pub(super) async fn odoo(State(state): State<AppState>) -> Response {
    let odoo = state.odoo.borrow().clone();
    let well = odoo.reachable == Some(true) && odoo.blocked.is_none();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(odoo)).into_response()
}
