//! Guards around every handler: limits on its number and time, and a net under its panics.

use std::{any::Any, sync::Arc};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Context, Shared, client::Client, error::ApiError, server::Connection};

/// Lets a client make as many requests as it may.
pub(super) async fn in_number(State(context): State<Shared>, request: Request, next: Next) -> Response {
    let Some(client) = client_of(&context, &request) else { return in_time(&context, request, next).await };
    if let Err(wait) = context.limits.request(client) {
        context.app.metrics.turned_away("rate_limited");
        return ApiError::too_many("rate_limited", "too many requests from this address", wait).into_response();
    }
    let response = in_time(&context, request, next).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        context.limits.forgery(client);
    }
    response
}

/// Who makes a request; `None` if a trusted server does not say.
pub(super) fn client_of(context: &Context, request: &Request) -> Option<Client> {
    let connection = request.extensions().get::<Arc<Connection>>()?;
    context.proxies.client(connection.peer, request.headers())
}

/// Ends a request that takes too long.
async fn in_time(context: &Context, request: Request, next: Next) -> Response {
    let limit = context.request_timeout;
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
