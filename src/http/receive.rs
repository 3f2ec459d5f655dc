//! A delivery, from its first byte to its answer:
//!
//! 1. the body is read up to the limit and kept as it is
//! 2. the source verifies it; what is authentic counts against the source's limit and is parsed
//! 3. one transaction keeps it together with its intake job and its answer
//! 4. only then it is answered; the same delivery again gets the same answer and makes no work
//!
//! What is authentic but not understood is kept too, with a parked job: once the map is corrected, it can be retried.

use axum::{
    Json,
    body::{Body, Bytes, HttpBody},
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    AppState, Context, Shared,
    access::Authorized,
    error::{ApiError, no_such_method},
    guard,
};
use crate::{
    domain::ChangeBatch,
    sources::{API, Content, Ended, Inbound, ParseError, Source},
    store::{Accepted, Lane, NewDelivery, Reply},
    sync::backend::DATABASE_KEY,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("x-replayed");

/// `POST /api/webhooks/{source}` and `POST /api/webhooks/{source}/{rest}`
pub(super) async fn webhook(
    State(context): State<Shared>,
    path: Result<Path<WebhookPath>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let known = path.ok().and_then(|Path(path)| {
        let source = context.app.registry.webhook(&path.source)?;
        Some((Sender { id: path.source, source }, path.rest))
    });
    let Some((sender, rest)) = known else {
        let hint = "behind `/api/webhooks/` comes the name behind `sources.` in the configuration";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "unknown_source", "there is no such source", hint));
    };
    receive(&context, &sender, rest, request).await
}

/// `GET /api/webhooks/{source}`: a platform asks whether this address belongs to who gave it.
pub(super) async fn handshake(
    State(context): State<Shared>,
    path: Result<Path<WebhookPath>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let app = &context.app;
    let asked = path.ok().and_then(|Path(path)| {
        let source = app.registry.webhook(&path.source)?;
        let query = request.uri().query().map(str::to_owned);
        let inbound = Inbound { headers: request.headers().clone(), rest: path.rest, query, body: Bytes::new() };
        Some((path.source, source.handshake(&inbound)?))
    });
    let Some((id, answer)) = asked else {
        let mut response = no_such_method(request.method().clone()).await.into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    };
    let result = if answer.is_ok() { "handshake" } else { "handshake_refused" };
    app.metrics.delivery(&id, result);
    tracing::info!(source = id, result, "handshake");
    Ok(answer?.map(Body::from))
}

/// The parts of a webhook's path. The rest may be a secret: it goes to the source and nowhere else.
#[derive(Deserialize)]
pub(super) struct WebhookPath {
    source: String,
    rest: Option<String>,
}

/// Who a delivery comes from.
struct Sender<'a> {
    id: String,
    source: &'a dyn Source,
}

/// `POST /api/odoo/leads`
pub(super) async fn leads(
    _: Authorized,
    State(context): State<Shared>,
    mut request: Request,
) -> Result<Response, ApiError> {
    if let Ok(unique) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        request.headers_mut().entry(IDEMPOTENCY_KEY).or_insert(unique);
    }
    let sender = Sender { id: API.to_owned(), source: context.app.registry.api() };
    receive(&context, &sender, None, request).await
}

/// What was done with a delivery, as the metrics count it, and its answer.
type Answer = (&'static str, Response);

async fn receive(
    context: &Context,
    sender: &Sender<'_>,
    rest: Option<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let answer = answer(context, sender, rest, request).await;
    let result = match &answer {
        Ok((result, _)) => result,
        Err(error) => error.code,
    };
    context.app.metrics.delivery(&sender.id, result);
    tracing::info!(source = sender.id, result, "delivery");
    answer.map(|(_, response)| response)
}

async fn answer(
    context: &Context,
    sender: &Sender<'_>,
    rest: Option<String>,
    request: Request,
) -> Result<Answer, ApiError> {
    let (app, source) = (&context.app, sender.source);
    let client = guard::client_of(context, &request);
    let inbound = read(request, rest, context.body_limit);
    let inbound = tokio::time::timeout(context.body_timeout, inbound).await.map_err(|_| {
        let message = format!("the body took more than {} s", context.body_timeout.as_secs());
        let hint = "nothing was kept: send it again, faster; `server.body_timeout` is the limit";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message, hint)
    })??;
    let own = |answer: Answer, ended: Ended<'_>| match source.answer(&inbound.headers, ended) {
        Some(response) => (answer.0, response.map(Body::from)),
        None => answer,
    };
    let verified = match source.verify(&inbound, app.clock.now()) {
        Ok(verified) => verified,
        Err(refusal) => {
            let ended = Ended::Refused(&refusal);
            let error = ApiError::from(&refusal);
            return Ok(own((error.code, error.into_response()), ended));
        }
    };
    context
        .limits
        .delivery(&sender.id)
        .map_err(|wait| ApiError::too_many("source_rate_limited", "too many deliveries of this source", wait))?;
    context
        .limits
        .visit(&sender.id, client)
        .map_err(|wait| ApiError::too_many("visitor_rate_limited", "too many deliveries from this address", wait))?;
    let delivery = || NewDelivery {
        source: sender.id.clone(),
        key: verified.key().to_owned(),
        received_at: app.clock.now_ms(),
        content_type: text_of(&inbound.headers, header::CONTENT_TYPE),
        body: verified.body().to_vec(),
    };
    match source.parse(verified.body()) {
        Ok(parsed) => match parsed.content {
            Content::Drafts(drafts) => {
                let answer = accept(app, delivery(), drafts.len(), &parsed.warnings).await?;
                Ok(own(answer, Ended::Accepted))
            }
            Content::References(references) => {
                let answer = accept(app, delivery(), references.len(), &parsed.warnings).await?;
                Ok(own(answer, Ended::Accepted))
            }
            Content::Changes(batch) => accept_changes(app, batch).await,
        },
        Err(error) if source.sender_keeps() => Err(ApiError::from(&error)),
        Err(error) => Ok(own(reject(app, delivery(), &error).await?, Ended::NotUnderstood(&error))),
    }
}

/// Keeps leads and orders with the job that works on them.
async fn accept(app: &AppState, delivery: NewDelivery, items: usize, warnings: &[String]) -> Result<Answer, ApiError> {
    let warnings = json!(warnings);
    let body = format!("{{\"status\":\"accepted\",\"items\":{items},\"warnings\":{warnings}}}");
    let reply = Reply { status: StatusCode::ACCEPTED.as_u16(), body };
    let accepted = app.store.accept(delivery, Lane::Live, reply.clone()).await?;
    Ok(reply_to("accepted", accepted, reply))
}

/// Keeps what was not understood.
async fn reject(app: &AppState, delivery: NewDelivery, error: &ParseError) -> Result<Answer, ApiError> {
    let told = ApiError {
        hint: "the delivery is kept: once the source's configuration is corrected, its job can be retried; \
               what must change at the sender is to be sent under a new id",
        ..ApiError::from(error)
    };
    let reply = Reply { status: told.status.as_u16(), body: told.body().to_string() };
    let accepted = app.store.reject(delivery, error.to_string(), reply.clone()).await?;
    Ok(reply_to("rejected", accepted, reply))
}

/// Keeps Odoo's changes and applies them to the mirror. A repeated batch is recognised change by change.
async fn accept_changes(app: &AppState, batch: ChangeBatch) -> Result<Answer, ApiError> {
    if let Some(known) = app.store.meta_get(DATABASE_KEY).await?
        && batch.database.as_ref() != Some(&known)
    {
        let message = "these changes come from another database than the one that this daemon belongs to";
        let hint = "a copy of a database must not feed the daemon of the original: clear the address in its settings";
        return Err(ApiError::new(StatusCode::CONFLICT, "wrong_database", message, hint));
    }
    if batch.wishes {
        app.bell.wishes();
    }
    let stored = app.store.accept_changes(batch.events).await?;
    app.metrics.changes("webhook", u64::try_from(stored.new).unwrap_or(u64::MAX));
    let body = json!({"status": "stored", "new": stored.new, "known": stored.known});
    Ok(("stored", Json(body).into_response()))
}

/// The answer to a delivery that is in the store: its own or, if it was there before, the one it got then.
fn reply_to(result: &'static str, accepted: Accepted, own: Reply) -> Answer {
    let (reply, replayed) = accepted.duplicate.map_or((own, false), |first| (first, true));
    // Its number is known only after the commit. The body is an object that we made.
    let open = reply.body.strip_suffix('}').unwrap_or(&reply.body);
    let body = format!("{open},\"delivery\":{}}}", accepted.id);
    let status = match StatusCode::from_u16(reply.status) {
        Ok(StatusCode::ACCEPTED) if replayed => StatusCode::OK,
        status => status.unwrap_or(StatusCode::OK),
    };
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    (if replayed { "duplicate" } else { result }, response)
}

/// Reads the whole body, as long as it is within the limit: whatever its headers claim, no more is kept in memory.
async fn read(request: Request, rest: Option<String>, limit: usize) -> Result<Inbound, ApiError> {
    let (parts, body) = request.into_parts();
    let mut encodings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let hint = "send the body as it is, without `Content-Encoding`";
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoded_body",
            "compressed bodies are not read",
            hint,
        ));
    }
    let too_large = || {
        let message = format!("the body has more than {limit} bytes");
        let hint = "send fewer leads or orders at a time; `server.body_limit` is the limit";
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message, hint)
    };
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut chunks = Body::into_data_stream(body);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            let hint = "the connection broke: send it again";
            ApiError::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body ended early", hint)
        })?;
        if chunk.len() > limit - bytes.len() {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    let query = parts.uri.query().map(str::to_owned);
    Ok(Inbound { headers: parts.headers, rest, query, body: Bytes::from(bytes) })
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
