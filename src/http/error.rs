//! The one shape of every error: `{"error": {"code": "…", "message": "…", "hint": "…"}}`. `docs/API.md` lists the codes.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    sources::{ParseError, Refusal},
    store::StoreError,
};

/// When a sender should try again if the store is full or down.
const LATER: Duration = Duration::from_secs(30);

/// An error as a client sees it.
#[derive(Debug)]
pub(super) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub hint: &'static str,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(LATER);
        Self { status, code, message: message.into(), hint, retry_after }
    }

    /// Too many requests; the next one passes after `wait`.
    pub(super) fn too_many(code: &'static str, message: &str, wait: Duration) -> Self {
        let hint = "slow down: the header `Retry-After` has the seconds; nothing was kept, send it again then";
        Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, message, hint) }
    }

    pub(super) fn body(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message, "hint": self.hint}})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // A whole second at least: less would be no wait at all.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1_000).max(1) as u64));
        }
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body is not read, so nothing more can come on this connection: a sender that is not told
            // may send its next request into its end.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.code == "unauthorized" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<&Refusal> for ApiError {
    fn from(refusal: &Refusal) -> Self {
        const SIGNING: &str = "requests are signed by Standard Webhooks: see docs/lead-schema.md";
        const TOKEN: &str = "send the header `Authorization: Bearer <token>` with a token of `server.tokens`";
        const PLATFORM: &str = "the platform sends this header once it has the secret: see the README";
        let (status, code, hint) = match refusal {
            Refusal::Closed => (StatusCode::FORBIDDEN, "api_closed", "set `server.tokens` in the configuration"),
            Refusal::BadToken
            | Refusal::MissingHeader("authorization")
            | Refusal::BadHeader { header: "authorization", .. } => (StatusCode::UNAUTHORIZED, "unauthorized", TOKEN),
            Refusal::MissingHeader(header) => {
                (StatusCode::UNAUTHORIZED, "missing_header", if header.starts_with("x-") { PLATFORM } else { SIGNING })
            }
            Refusal::BadHeader { header, .. } => {
                (StatusCode::UNAUTHORIZED, "bad_header", if header.starts_with("x-") { PLATFORM } else { SIGNING })
            }
            Refusal::BadSignature => (
                StatusCode::UNAUTHORIZED,
                "signature_mismatch",
                "sign the raw body as it is sent, with the secret of this source",
            ),
            Refusal::BadKey { .. } => {
                (StatusCode::UNAUTHORIZED, "bad_key", "give the platform the key that is configured for this source")
            }
            Refusal::BadOrigin => (StatusCode::FORBIDDEN, "bad_origin", "add the site to `origins` of this source"),
            Refusal::Stale { .. } => (
                StatusCode::UNAUTHORIZED,
                "timestamp_out_of_tolerance",
                "set both clocks by NTP, and sign each attempt anew; `tolerance` of the source is the limit",
            ),
        };
        Self::new(status, code, refusal.to_string(), hint)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

impl From<&ParseError> for ApiError {
    fn from(error: &ParseError) -> Self {
        let (status, code) = match error {
            ParseError::NotJson(_) => (StatusCode::BAD_REQUEST, "not_json"),
            ParseError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
        };
        Self::new(status, code, error.to_string(), "docs/lead-schema.md describes the body")
    }
}

impl From<StoreError> for ApiError {
    /// Clients are told what to do, the log is told what happened.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store refused a request");
        const LATER: &str = "nothing was kept: send it again later";
        match error {
            StoreError::QueueFull { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "queue_full", "too much is waiting for Odoo", LATER)
            }
            error if error.is_temporary() => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store cannot take it now", LATER)
            }
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_failed", "the store failed", LATER),
        }
    }
}

/// Whatever is not in the router.
pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    let message = format!("there is nothing at `{path}`");
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message, "docs/API.md lists every path")
}

/// A path that is there, with another method. The router adds the header `Allow`.
pub(super) async fn no_such_method(method: Method) -> ApiError {
    let message = format!("`{method}` is not possible here");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, "see the header `Allow`")
}
