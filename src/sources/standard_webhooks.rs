//! Proof by signature: [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0, version `v1` (HMAC-SHA256).
//!
//! 1. The signed content is `<webhook-id>.<webhook-timestamp>.<raw body>`. An id holds no full stop, so that the three
//!    parts cannot be shifted against each other.
//! 2. Any `v1` signature of the header may fit any secret: both sides can change secrets without a gap.
//! 3. Signatures are compared in constant time, and before the timestamp: only a sender that knows the secret learns
//!    how the clocks differ.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::{Inbound, Refusal, Verified};
use crate::{
    config::{
        Reader,
        expect::{duration, one_or_more, secret},
    },
    secret::{SecretError, SecretRef},
};

/// The header with the delivery's id.
pub const ID: &str = "webhook-id";
/// The header with the time of this attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The same headers by the name that Svix gives them.
const SVIX: [(&str, &str); 3] = [(ID, "svix-id"), (TIMESTAMP, "svix-timestamp"), (SIGNATURE, "svix-signature")];

const PREFIX: &str = "whsec_";
/// What the reference libraries allow.
const TOLERANCE: Duration = Duration::from_secs(300);
const LEAST_TOLERANCE: Duration = Duration::from_secs(1);
const MOST_TOLERANCE: Duration = Duration::from_secs(86_400);
const MAX_ID: usize = 255;
/// More signatures than any rotation needs; each costs work.
const MAX_SIGNATURES: usize = 16;

/// A secret that is ready to sign and to verify.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// Reads a secret: `whsec_` and the base64 of 24 to 64 random bytes.
    pub fn parse(secret: &str) -> Result<Self, SecretError> {
        let fault = |detail: &str| {
            let hint = format!(
                "it is `{PREFIX}` and the base64 of 24 to 64 random bytes, such as made by \
                 `echo {PREFIX}$(openssl rand -base64 32)`"
            );
            SecretError::new(detail, hint)
        };
        let encoded = secret.strip_prefix(PREFIX).ok_or_else(|| fault("does not start with `whsec_`"))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| fault("is not base64 after `whsec_`"))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(fault(&format!("has {} bytes", bytes.len())));
        }
        let hmac = Hmac::new_from_slice(&bytes).map_err(|_| fault("has the wrong length"))?;
        Ok(Self(hmac))
    }

    /// One signature for `webhook-signature`, such as `v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=`.
    pub fn sign(&self, id: &str, timestamp: DateTime<Utc>, body: &[u8]) -> String {
        let timestamp = timestamp.timestamp().to_string();
        format!("v1,{}", STANDARD.encode(self.mac(id, &timestamp, body).finalize().into_bytes()))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        parts.into_iter().fold(self.0.clone(), Mac::chain_update)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// The keys `secret` and `tolerance` of a source.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub secrets: Vec<SecretRef>,
    tolerance: Duration,
}

impl Spec {
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let secrets = section.required("secret", one_or_more(secret()));
        let tolerance = section.or("tolerance", duration(LEAST_TOLERANCE..=MOST_TOLERANCE), TOLERANCE);
        Some(Self { secrets: secrets?, tolerance })
    }

    pub(super) fn open(&self) -> Result<Verifier, SecretError> {
        let keys = self
            .secrets
            .iter()
            .map(|secret| Key::parse(secret.read()?.expose_secret()).map_err(|error| error.at(secret)));
        Ok(Verifier { keys: keys.collect::<Result<_, _>>()?, tolerance: self.tolerance })
    }
}

/// Verifies signed requests.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    keys: Vec<Key>,
    tolerance: Duration,
}

impl Verifier {
    pub(super) fn verify(&self, request: Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        let Inbound { headers, body } = request;
        let id = header(&headers, ID)?;
        let timestamp = header(&headers, TIMESTAMP)?;
        let signatures = signatures(header(&headers, SIGNATURE)?)?;
        if id.is_empty() || id.len() > MAX_ID || id.contains('.') {
            return Err(bad(ID, format!("expected 1 to {MAX_ID} characters without a full stop")));
        }
        let sent: i64 =
            timestamp.parse().map_err(|_| bad(TIMESTAMP, "expected whole seconds since 1970".to_owned()))?;
        let fits = self.keys.iter().any(|key| {
            let mac = key.mac(id, timestamp, &body);
            signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        });
        if !fits {
            return Err(Refusal::BadSignature);
        }
        let skew_seconds = now.timestamp().saturating_sub(sent);
        if skew_seconds.unsigned_abs() > self.tolerance.as_secs() {
            let tolerance_seconds = i64::try_from(self.tolerance.as_secs()).unwrap_or(i64::MAX);
            return Err(Refusal::Stale { skew_seconds, tolerance_seconds, now });
        }
        Ok(Verified { key: id.to_owned(), body })
    }
}

/// The `v1` signatures of the header. Other versions, and what is not base64, fit nothing.
fn signatures(header: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    if header.split(' ').count() > MAX_SIGNATURES {
        return Err(bad(SIGNATURE, format!("more than {MAX_SIGNATURES} signatures")));
    }
    let listed = header.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    Ok(listed.filter_map(|encoded| STANDARD.decode(encoded).ok()).collect())
}

/// The one value of a header, under its own name or Svix's.
fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    let alias = SVIX.iter().find(|(own, _)| *own == name).map_or(name, |(_, alias)| alias);
    let used = if headers.contains_key(name) { name } else { alias };
    let mut values = headers.get_all(used).iter();
    let value = values.next().ok_or(Refusal::MissingHeader(name))?;
    if values.next().is_some() {
        return Err(bad(name, "it is there more than once".to_owned()));
    }
    value.to_str().map_err(|_| bad(name, "it holds more than visible ASCII".to_owned()))
}

fn bad(header: &'static str, detail: String) -> Refusal {
    Refusal::BadHeader { header, detail }
}
