//! The source behind `POST /api/odoo/leads`: documented bodies with leads, or one lead alone, proven by a bearer token.

use chrono::{DateTime, Utc};

use super::{Content, Inbound, ParseError, Parsed, Refusal, Source, Tokens, Verified, body, json};
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

    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

impl Source for Api {
    fn verify(&self, request: &Inbound, _now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.tokens.check(&request.headers)?;
        let header = request.headers.get(IDEMPOTENCY_KEY).ok_or(Refusal::MissingHeader(IDEMPOTENCY_KEY))?;
        let key = header.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| Refusal::BadHeader {
            header: IDEMPOTENCY_KEY,
            detail: format!("expected 1 to {MAX_KEY} characters of visible ASCII"),
        })?;
        Ok(Verified { key: key.to_owned(), body: request.body.clone() })
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let drafts = body::read_or_lead(root)?;
            if drafts.iter().any(|draft| !matches!(draft, Draft::Lead(_))) {
                return Err(root.invalid("only leads are taken here; send orders to a webhook source"));
            }
            Ok(Content::Drafts(drafts))
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn api() -> Api {
        Api::new(Tokens::default().with("0123456789abcdef").expect("a token"))
    }

    fn verify(headers: &[(&'static str, &str)]) -> Result<String, Refusal> {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        api().verify(&Inbound { headers, ..Inbound::default() }, Utc::now()).map(|verified| verified.key)
    }

    #[test]
    fn a_token_and_a_key_are_needed() {
        let token = ("authorization", "Bearer 0123456789abcdef");
        assert_eq!(verify(&[token, ("idempotency-key", "k.1")]), Ok("k.1".to_owned()));
        assert_eq!(verify(&[("idempotency-key", "k")]), Err(Refusal::MissingHeader("authorization")));
        let wrong = ("authorization", "Bearer 0123456789abcdeX");
        assert_eq!(verify(&[wrong, ("idempotency-key", "k")]), Err(Refusal::BadToken));
        assert_eq!(verify(&[token]), Err(Refusal::MissingHeader("idempotency-key")));
        for bad in ["", "é", &"k".repeat(256)] {
            let refusal = verify(&[token, ("idempotency-key", bad)]);
            assert!(matches!(refusal, Err(Refusal::BadHeader { header: "idempotency-key", .. })), "{bad}");
        }
    }

    #[test]
    fn a_lead_may_stand_alone() {
        let wrapped = api().parse(br#"{"lead": {"external_id": 7, "email": "sara@example.com"}}"#);
        assert_eq!(api().parse(br#"{"external_id": 7, "email": "sara@example.com"}"#), wrapped);
        let error = api().parse(br#"{"email": 3}"#).expect_err("refused");
        assert_eq!(error.to_string(), "/email: expected a string, got a number");
        let error = api().parse(b"[]").expect_err("refused");
        assert_eq!(error.to_string(), "body: expected an object, got a list");
    }

    #[test]
    fn only_leads_are_taken() {
        assert!(api().parse(br#"{"leads": [{"name": "x"}]}"#).is_ok());
        let error = api().parse(br#"{"lead": {"name": "x"}, "order": {"external_id": 1}}"#).expect_err("refused");
        assert_eq!(error.to_string(), "body: only leads are taken here; send orders to a webhook source");
    }
}
