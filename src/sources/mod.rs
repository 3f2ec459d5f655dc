//! Where leads, orders and changes come from: one file per kind of source.
//!
//! A kind reads its own section of the configuration into a [`SourceSpec`]; the spec opens its secrets and becomes a
//! [`Source`], which proves that a request is authentic and turns its body into plain values. Both steps are pure:
//! no I/O, the time is passed in. To add a kind: one file here and one line in [`KINDS`].
//!
//! - `standard_webhooks`, `bearer`: the two proofs of authenticity
//! - `generic`, `odoo`, `api`, `file`: the sources
//! - `body`: the JSON that describes leads and orders (`docs/lead-schema.md`); `map`: how other JSON becomes that one

mod api;
mod bearer;
mod body;
mod file;
mod generic;
mod json;
mod map;
mod odoo;
mod registry;
pub mod standard_webhooks;
mod strict;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;

pub use self::{
    bearer::Tokens,
    registry::{API, FILE, OpenError, Registry, open_all},
};
use crate::{
    config::Reader,
    domain::{ChangeBatch, Draft},
    secret::{SecretError, SecretRef},
};

/// Every kind of source.
pub const KINDS: &[&dyn SourceKind] = &[&generic::Kind, &odoo::Kind];

/// A kind of source, such as `generic`.
pub trait SourceKind: Sync {
    /// The value of `kind = "…"`.
    fn name(&self) -> &'static str;
    /// Reads `[sources.<id>]`; problems go to the reader. `None` if the section cannot be used.
    fn read(&self, id: &str, section: Reader<'_>) -> Option<Box<dyn SourceSpec>>;
    /// Whether leads and orders come from it, so that it has the keys that say how they are read.
    fn takes_leads(&self) -> bool {
        true
    }
}

/// A source as configured; its secrets are still references.
pub trait SourceSpec: fmt::Debug + Send + Sync {
    /// The `<id>` of `[sources.<id>]`.
    fn id(&self) -> &str;
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// The secrets that `open` will read, for `check`.
    fn secrets(&self) -> Vec<&SecretRef>;
    /// Reads the secrets.
    fn open(&self) -> Result<Box<dyn Source>, SecretError>;
}

/// A source ready to receive.
pub trait Source: Send + Sync {
    /// The `<id>` of `[sources.<id>]`.
    fn id(&self) -> &str;
    /// Proves that the request is authentic and fresh, on its raw bytes.
    fn verify(&self, request: Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal>;
    /// Turns an authentic body into values. Called when it arrives and again by the intake job.
    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError>;
    /// Whether the sender itself keeps and repeats what was not understood. Else it is kept here.
    fn sender_keeps(&self) -> bool {
        false
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Bytes,
}

/// A request that a source found authentic. Only [`Source::verify`] implementations in this module make one.
#[derive(Debug, Clone)]
pub struct Verified {
    key: String,
    body: Bytes,
}

impl Verified {
    /// The delivery's id at its sender: equal for replays.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The raw body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Why a request is not authentic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that the proof needs is missing.
    #[error("header `{0}` is missing")]
    MissingHeader(&'static str),
    /// A header cannot be read.
    #[error("header `{header}` is not valid: {detail}")]
    BadHeader {
        /// Its name.
        header: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// No signature fits any configured secret.
    #[error("the signature does not match")]
    BadSignature,
    /// No token is configured.
    #[error("the API is closed: no token is configured")]
    Closed,
    /// The bearer token is none of the configured ones.
    #[error("the bearer token is not known")]
    BadToken,
    /// The timestamp is too far from now.
    #[error(
        "the timestamp is {} s {} this server's clock, which says {}; {tolerance_seconds} s are allowed",
        skew_seconds.unsigned_abs(),
        if *skew_seconds > 0 { "behind" } else { "ahead of" },
        now.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Stale {
        /// Now minus timestamp.
        skew_seconds: i64,
        /// The configured tolerance.
        tolerance_seconds: i64,
        /// This server's time.
        now: DateTime<Utc>,
    },
}

/// What an authentic body holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Its content.
    pub content: Content,
    /// What the sender should know although it was accepted, such as unknown fields.
    pub warnings: Vec<String>,
}

/// The two kinds of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Leads and orders for Odoo.
    Drafts(Vec<Draft>),
    /// Changes from Odoo.
    Changes(ChangeBatch),
}

/// Why an authentic body cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is not JSON (or nested too deeply).
    #[error("the body is not valid JSON: {0}")]
    NotJson(String),
    /// A value is missing or of the wrong type.
    #[error("{}: {message}", if .pointer.is_empty() { "body" } else { .pointer })]
    Invalid {
        /// JSON pointer to the value.
        pointer: String,
        /// What was expected.
        message: String,
    },
}
