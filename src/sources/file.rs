//! The source behind `g-assistant push FILE`: documented bodies made from a file. It is never reached over HTTP.

use chrono::{DateTime, Utc};

use super::{Inbound, ParseError, Parsed, Refusal, Source, Verified, generic::parse_documented};

/// Files as a source.
pub(super) struct File;

impl Source for File {
    fn verify(&self, _request: &Inbound, _now: DateTime<Utc>) -> Result<Verified, Refusal> {
        Err(Refusal::BadSignature)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        parse_documented(body)
    }
}
