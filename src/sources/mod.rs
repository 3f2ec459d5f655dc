//! Where leads, orders and changes come from: one file per kind of source.
//!
//! A kind reads its own section of the configuration into a [`Setup`], which opens its secrets and becomes a
//! [`Source`]; that proves that a request is authentic and turns its body into plain values. Both steps are pure:
//! no I/O, the time is passed in. To add a kind: one file here and one line in [`KINDS`].
//!
//! - `standard_webhooks`, `bearer`, `url_key`, `digest`, `hub`: the proofs of authenticity
//! - `generic`, `form`, `google`, `linkedin`, `meta`, `tiktok`, `snapchat`, `odoo`, `api`, `file`: the sources
//! - `whatsapp`, `messenger`, `instagram`, `telegram`: those of messages; `talk` is what they have in common
//! - `platform`: what is asked of those that send only ids; `media`: where pictures and files of messages are; `remote`: how
//! - `body`: the JSON that describes leads and orders (`docs/lead-schema.md`); `map`: how other JSON becomes that one;
//!   `fields`: what the names of fields mean that nobody has mapped; `export`: rows of files

mod api;
mod bearer;
mod body;
mod defaults;
mod digest;
mod export;
mod fields;
mod file;
mod form;
mod generic;
mod google;
mod hex_key;
mod hub;
mod instagram;
mod json;
mod linkedin;
mod map;
mod media;
mod messenger;
mod meta;
mod odoo;
mod platform;
mod registry;
mod remote;
mod snapchat;
pub mod standard_webhooks;
mod strict;
mod talk;
mod telegram;
#[cfg(test)]
mod testing;
mod tiktok;
mod url_key;
mod whatsapp;

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

pub use self::{
    bearer::Tokens,
    export::Export,
    media::{Got, MediaFile, MediaPlatform},
    platform::{Account, Days, FetchError, Found, FoundPage, List, Platform, Reference, Setting, Window},
    registry::{API, FILE, OpenError, Registry, file_of, identity_of, open_all},
};
use crate::{
    config::{Rate, Reader},
    domain::{ChangeBatch, Draft},
    secret::{SecretError, SecretRef},
};

/// Every kind of source.
pub const KINDS: &[Kind] = &[
    Kind { name: "form", read: form::read, takes_leads: true },
    Kind { name: "generic", read: generic::read, takes_leads: true },
    Kind { name: "google", read: google::read, takes_leads: true },
    Kind { name: "instagram", read: instagram::read, takes_leads: true },
    Kind { name: "linkedin", read: linkedin::read, takes_leads: true },
    Kind { name: "messenger", read: messenger::read, takes_leads: true },
    Kind { name: "meta", read: meta::read, takes_leads: true },
    Kind { name: "odoo", read: odoo::read, takes_leads: false },
    Kind { name: "snapchat", read: snapchat::read, takes_leads: true },
    Kind { name: "telegram", read: telegram::read, takes_leads: true },
    Kind { name: "tiktok", read: tiktok::read, takes_leads: true },
    Kind { name: "whatsapp", read: whatsapp::read, takes_leads: true },
];

/// A kind of source, such as `generic`.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The value of `kind = "…"`.
    pub name: &'static str,
    /// Reads its keys of `[sources.<id>]`; problems go to the reader. `None` if the section cannot be used.
    pub read: fn(&mut Reader<'_>) -> Option<Box<dyn Setup>>,
    /// Whether leads and orders come from it, so that it has the keys that say how they are read.
    pub takes_leads: bool,
}

impl Kind {
    /// Reads `[sources.<id>]`.
    pub fn configure(&self, id: &str, mut section: Reader<'_>) -> Option<SourceSpec> {
        registry::check_id(id, &section);
        let setup = (self.read)(&mut section);
        section.finish();
        Some(SourceSpec { id: id.to_owned(), kind: self.name, setup: setup? })
    }
}

/// A source as configured.
#[derive(Debug)]
pub struct SourceSpec {
    /// The `<id>` of `[sources.<id>]`.
    pub id: String,
    /// The kind's name.
    pub kind: &'static str,
    /// What its kind made of its section.
    pub setup: Box<dyn Setup>,
}

/// What a kind has read; its secrets are still references.
pub trait Setup: fmt::Debug + Send + Sync {
    /// The secrets that `open` will read, each with its key in the section, for `check`.
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)>;
    /// Reads the secrets.
    fn open(&self) -> Result<Box<dyn Source>, SecretError>;
}

/// A source ready to receive.
pub trait Source: Send + Sync {
    /// Proves that the request is authentic and fresh, on its raw bytes.
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal>;
    /// Turns an authentic body into values. Called when it arrives and again by the intake job.
    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError>;
    /// Whether the sender itself keeps and repeats what was not understood. Else it is kept here.
    fn sender_keeps(&self) -> bool {
        false
    }
    /// The answer, where the platform wants another one than ours. It goes out after the commit, like ours, and is the
    /// same for a repeated delivery. What is too much, too large or cannot be stored is always answered in our way.
    fn answer(&self, request: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        let _ = (request, ended);
        None
    }
    /// The answer to a GET, by which some platforms prove whose address this is. `None` if this one does not.
    fn handshake(&self, request: &Inbound) -> Option<Result<Response<String>, Refusal>> {
        let _ = request;
        None
    }
    /// The platform to ask, if deliveries hold only ids.
    fn platform(&self) -> Option<Arc<dyn Platform>> {
        None
    }
    /// Where the files of its messages are, if they are to be fetched.
    fn media(&self) -> Option<&dyn MediaPlatform> {
        None
    }
    /// How many authentic deliveries one client may make, if visitors send them and not a program.
    fn client_rate(&self) -> Option<Rate> {
        None
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub enum Ended<'a> {
    /// It is kept and will be worked on.
    Accepted,
    /// It is kept, and waits for a person.
    NotUnderstood(&'a ParseError),
    /// It is not authentic; nothing was kept.
    Refused(&'a Refusal),
}

/// An answer with JSON, for [`Source::answer`].
fn reply(status: StatusCode, body: &Value) -> Response<String> {
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request as it arrived. What its URL says may be a secret: it is never shown.
#[derive(Clone, Default)]
pub struct Inbound {
    /// The headers.
    pub headers: HeaderMap,
    /// What follows the source's id in the path.
    pub rest: Option<String>,
    /// What follows `?`, as it came.
    pub query: Option<String>,
    /// The raw body.
    pub body: Bytes,
}

impl Inbound {
    /// The first value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let parameters = url::form_urlencoded::parse(self.query.as_deref()?.as_bytes());
        parameters.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({} bytes)", self.body.len())
    }
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
    /// A key that the request must carry is missing, or none of the configured ones.
    #[error("the key in the {place} is missing or wrong")]
    BadKey {
        /// Where it belongs: `URL`, `body`.
        place: &'static str,
    },
    /// The page that posts belongs to a site that may not.
    #[error("forms of this site are not taken here")]
    BadOrigin,
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

/// The kinds of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Leads and orders for Odoo.
    Drafts(Vec<Draft>),
    /// Leads that the platform has to be asked for.
    References(Vec<Reference>),
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
