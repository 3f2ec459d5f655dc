//! Answers. Every error has one shape: `{"error": {"code": "…", "message": "…", "hint": "…"}}`.

use std::any::Any;

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    sources::{ParseError, Refusal},
    store::StoreError,
};

/// An error as its client sees it. The codes are part of the interface: `docs/API.md` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<u32>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None, retry_after: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn body(&self) -> serde_json::Value {
        json!({"error": {"code": self.code, "message": self.message, "hint": self.hint}})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED && self.code.ends_with("token") {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (code, hint) = match &refusal {
            Refusal::MissingHeader("authorization") => ("missing_token", "send `Authorization: Bearer <token>`"),
            Refusal::MissingHeader(_) => ("missing_header", "sign by https://www.standardwebhooks.com"),
            Refusal::BadHeader { .. } => ("invalid_header", "sign by https://www.standardwebhooks.com"),
            Refusal::BadSignature => {
                ("signature_mismatch", "sign the raw body with the secret of this source; do not re-encode the body")
            }
            Refusal::BadToken => ("invalid_token", "use one of the tokens in [server] tokens"),
            Refusal::Stale { .. } => ("timestamp_out_of_tolerance", "check the clocks of both machines"),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, refusal.to_string()).hint(hint)
    }
}

impl From<&ParseError> for ApiError {
    fn from(error: &ParseError) -> Self {
        let (status, code) = match error {
            ParseError::NotJson(_) => (StatusCode::BAD_REQUEST, "not_json"),
            ParseError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
        };
        Self::new(status, code, error.to_string()).hint("docs/lead-schema.md describes the body")
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store refused a request");
        let code = match error {
            StoreError::QueueFull { .. } => "queue_full",
            _ => "store_unavailable",
        };
        let mut answer =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "this cannot be kept right now; send it again");
        answer.retry_after = Some(30);
        answer
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is larger than [server] body_limit",
            )
            .hint("send fewer leads per request"),
            status => Self::new(status, "unreadable_body", rejection.body_text()),
        }
    }
}

pub(super) async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {}", uri.path()))
        .hint("docs/API.md lists the paths")
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}

pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error; see the daemon's log").into_response()
}
