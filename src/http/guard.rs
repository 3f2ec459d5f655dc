//! Guards around every handler: a limit on its time, and a net under its panics.

use std::{any::Any, time::Duration};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::ApiError;

/// Ends a request that takes too long, such as one whose body never comes.
pub(super) async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("the request took more than {} s", limit.as_secs());
            let hint = "send it again: what was kept already is recognised";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message, hint).into_response()
        }
    }
}

/// Answers for a handler that panicked. The panic itself is logged by the process's hook.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    let message = "the request failed inside";
    let hint = "this is a bug: please report it with the log of this moment";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, hint).into_response()
}
