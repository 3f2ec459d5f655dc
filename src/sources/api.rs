//! The source behind `POST /api/odoo/leads`: documented bodies with leads, proven by a bearer token.

use chrono::{DateTime, Utc};

use super::{API, Content, Inbound, ParseError, Parsed, Refusal, Source, Tokens, Verified, generic::parse_documented};
use crate::domain::Draft;

/// The header whose value makes a request the same request again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_KEY: usize = 255;

/// The API as a source.
pub(super) struct Api {
    tokens: Tokens,
}

impl Api {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self { tokens }
    }
}

impl Source for Api {
    fn id(&self) -> &str {
        API
    }

    fn verify(&self, request: Inbound, _now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.tokens.check(&request.headers)?;
        let header = request.headers.get(IDEMPOTENCY_KEY).ok_or(Refusal::MissingHeader(IDEMPOTENCY_KEY))?;
        let key = header.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| Refusal::BadHeader {
            header: IDEMPOTENCY_KEY,
            detail: format!("expected 1 to {MAX_KEY} characters of visible ASCII"),
        })?;
        Ok(Verified { key: key.to_owned(), body: request.body })
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        let parsed = parse_documented(body)?;
        match &parsed.content {
            Content::Drafts(drafts) if drafts.iter().all(|draft| matches!(draft, Draft::Lead(_))) => Ok(parsed),
            _ => Err(ParseError::Invalid {
                pointer: String::new(),
                message: "only leads are taken here; send orders to a webhook source".to_owned(),
            }),
        }
    }
}
