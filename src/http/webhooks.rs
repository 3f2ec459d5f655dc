//! Deliveries: verify, parse for the answer's sake, keep, answer.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ApiError, AppState};
use crate::{
    domain::ChangeBatch,
    sources::{API, Content, Inbound, Source, Verified},
    store::{Lane, NewDelivery, Reply},
    sync::backend::DATABASE_KEY,
};

type Body = Result<Bytes, BytesRejection>;

/// `POST /api/webhooks/{source}`
pub(super) async fn receive(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let source = state.sources.webhook(&id).ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "unknown_source", format!("there is no source `{id}`"))
            .hint("its id is the name in [sources.<id>] of the daemon's configuration")
    })?;
    deliver(&state, source, headers, body).await
}

/// `POST /api/odoo/leads`: the same way in, with a token instead of a signature.
pub(super) async fn receive_lead(
    State(state): State<AppState>,
    mut headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let source = state.sources.get(API).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "not_found", "no API"))?;
    if !headers.contains_key("idempotency-key")
        && let Ok(random) = HeaderValue::from_str(&Uuid::new_v4().to_string())
    {
        headers.insert("idempotency-key", random);
    }
    deliver(&state, source, headers, body).await
}

async fn deliver(state: &AppState, source: &dyn Source, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let result = deliver_to(state, source, headers, body).await;
    let outcome = match &result {
        Ok(response) if response.headers().contains_key("x-replayed") => "replayed",
        Ok(response) if response.status().is_success() => "accepted",
        Ok(_) => "kept",
        Err(error) => error.code(),
    };
    state.metrics.delivery(source.id(), outcome);
    result
}

async fn deliver_to(
    state: &AppState,
    source: &dyn Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        let message = "a body with a Content-Encoding is not taken";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded_body", message)
            .hint("signatures are made over the plain body: send it as it is"));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let verified = source.verify(Inbound { headers, body: body? }, state.clock.now())?;
    let parsed = match source.parse(verified.body()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let refused = ApiError::from(&error);
            if source.sender_keeps() {
                return Err(refused);
            }
            return keep_for_a_person(state, source, verified, content_type, refused).await;
        }
    };
    match parsed.content {
        Content::Changes(batch) => accept_changes(state, batch).await,
        Content::Drafts(drafts) => {
            let answer = json!({"status": "accepted", "items": drafts.len(), "warnings": parsed.warnings});
            let reply = Reply { status: StatusCode::ACCEPTED.as_u16(), body: answer.to_string() };
            let delivery = new_delivery(state, source, verified, content_type);
            let accepted = state.store.accept(delivery, Lane::Live, reply.clone()).await?;
            Ok(answer_with(accepted.id, accepted.duplicate.is_some(), accepted.duplicate.unwrap_or(reply)))
        }
    }
}

/// What is authentic but not understood: kept, so that nothing is lost while somebody mends the sender or the mapping.
async fn keep_for_a_person(
    state: &AppState,
    source: &dyn Source,
    verified: Verified,
    content_type: Option<String>,
    refused: ApiError,
) -> Result<Response, ApiError> {
    let mut body = refused.body();
    body["kept"] = true.into();
    let message = body["error"]["message"].as_str().unwrap_or_default().to_owned();
    let reply = Reply { status: refused.status().as_u16(), body: body.to_string() };
    let delivery = new_delivery(state, source, verified, content_type);
    let kept = state.store.reject(delivery, message, reply.clone()).await?;
    tracing::warn!(source = source.id(), delivery = kept.id, "a delivery was not understood; it is kept and parked");
    Ok(answer_with(kept.id, kept.duplicate.is_some(), kept.duplicate.unwrap_or(reply)))
}

async fn accept_changes(state: &AppState, batch: ChangeBatch) -> Result<Response, ApiError> {
    let known = state.store.meta_get(DATABASE_KEY).await?;
    if let (Some(known), Some(found)) = (&known, &batch.database)
        && known != found
    {
        let message = format!("these changes come from database {found}, but this daemon belongs to {known}");
        return Err(ApiError::new(StatusCode::CONFLICT, "wrong_database", message)
            .hint("a copy of a database must not feed the daemon: switch G-Assistant off in its settings"));
    }
    let received = batch.events.len();
    // An empty batch is the addon's connection test.
    let new = if received == 0 { 0 } else { state.store.accept_changes(batch.events).await?.new };
    state.metrics.changes("webhook", new as u64);
    Ok(Json(json!({"status": "accepted", "items": received, "new": new})).into_response())
}

fn new_delivery(
    state: &AppState,
    source: &dyn Source,
    verified: Verified,
    content_type: Option<String>,
) -> NewDelivery {
    NewDelivery {
        source: source.id().to_owned(),
        key: verified.key().to_owned(),
        received_at: state.clock.now_ms(),
        content_type,
        body: verified.body().to_vec(),
    }
}

/// The kept answer with the delivery's number. A replay of what was accepted is told 200.
fn answer_with(id: i64, replayed: bool, reply: Reply) -> Response {
    let mut status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    body["delivery"] = id.into();
    if replayed && status.is_success() {
        status = StatusCode::OK;
    }
    let mut response = (status, Json(body)).into_response();
    if replayed {
        response.headers_mut().insert("x-replayed", HeaderValue::from_static("true"));
    }
    response
}
