//! Proof by a key in the URL, for platforms that sign nothing: `/api/webhooks/<source>/<key>` or `…/<source>?key=<key>`.

use super::{Inbound, Refusal, Tokens};
use crate::{
    config::{
        Reader,
        expect::{one_or_more, secret},
    },
    secret::{SecretError, SecretRef},
};

const KEY: &str = "url_key";

/// The key `url_key` of a source.
#[derive(Debug, Clone)]
pub(super) struct Spec(Vec<SecretRef>);

impl Spec {
    pub(super) fn required(section: &mut Reader<'_>) -> Option<Self> {
        section.required(KEY, one_or_more(secret())).map(Self)
    }

    /// For sources that are proven by something else too: without the key, any URL will do.
    pub(super) fn optional(section: &mut Reader<'_>) -> Self {
        Self(section.optional(KEY, one_or_more(secret())).unwrap_or_default())
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretRef)> {
        self.0.iter().map(|secret| (KEY, secret))
    }

    pub(super) fn open(&self) -> Result<UrlKey, SecretError> {
        Ok(UrlKey((!self.0.is_empty()).then(|| Tokens::open(&self.0)).transpose()?))
    }
}

/// The keys that a URL may have; `None` if it needs none.
#[derive(Debug, Clone)]
pub(super) struct UrlKey(Option<Tokens>);

impl UrlKey {
    pub(super) fn check(&self, request: &Inbound) -> Result<(), Refusal> {
        let Some(keys) = &self.0 else { return Ok(()) };
        let in_path = request.rest.as_deref().is_some_and(|key| keys.knows(key));
        let known = in_path || request.parameter("key").is_some_and(|key| keys.knows(&key));
        known.then_some(()).ok_or(Refusal::BadKey { place: "URL" })
    }
}
