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
        DAY, MINUTE, Reader, SECOND,
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
const TOLERANCE: Duration = MINUTE.saturating_mul(5);
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
            let hint =
                "it is `whsec_` and the base64 of 24 to 64 random bytes: `echo whsec_$(openssl rand -base64 32)`";
            SecretError::new(format!("the signing secret {detail}"), hint)
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
    secrets: Vec<SecretRef>,
    tolerance: Duration,
}

impl Spec {
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let secrets = section.required("secret", one_or_more(secret()));
        let tolerance = section.or("tolerance", duration(SECOND..=DAY), TOLERANCE);
        Some(Self { secrets: secrets?, tolerance })
    }

    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.secrets.iter().map(|secret| ("secret", secret)).collect()
    }

    pub(super) fn open(&self) -> Result<Verifier, SecretError> {
        let keys = self.secrets.iter().map(|place| Key::parse(place.read()?.expose_secret()).map_err(|e| e.at(place)));
        Ok(Verifier::new(keys.collect::<Result<_, _>>()?, self.tolerance))
    }
}

/// Verifies signed requests.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    keys: Vec<Key>,
    tolerance: Duration,
}

impl Verifier {
    pub(super) fn new(keys: Vec<Key>, tolerance: Duration) -> Self {
        Self { keys, tolerance }
    }

    pub(super) fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        let Inbound { headers, body, .. } = request;
        let id = header(headers, ID)?;
        let timestamp = header(headers, TIMESTAMP)?;
        let signatures = signatures(header(headers, SIGNATURE)?)?;
        if id.is_empty() || id.len() > MAX_ID || id.contains('.') {
            return Err(bad(ID, format!("expected 1 to {MAX_ID} characters without a full stop")));
        }
        let sent: i64 =
            timestamp.parse().map_err(|_| bad(TIMESTAMP, "expected whole seconds since 1970".to_owned()))?;
        let fits = self.keys.iter().any(|key| {
            let mac = key.mac(id, timestamp, body);
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
        Ok(Verified { key: id.to_owned(), body: body.clone() })
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    // The vector of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const VECTOR: [(&str, &str); 3] = [
        (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (TIMESTAMP, "1614265330"),
        (SIGNATURE, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    const OTHER: &str = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn verifier(secrets: &[&str]) -> Verifier {
        let keys = secrets.iter().map(|secret| Key::parse(secret).expect("a secret")).collect();
        Verifier::new(keys, TOLERANCE)
    }

    fn request(headers: &[(&str, &str)], body: &[u8]) -> Inbound {
        let header = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
            (name.parse().expect("a name"), value.parse().expect("a value"))
        };
        Inbound {
            headers: headers.iter().map(header).collect(),
            body: Bytes::copy_from_slice(body),
            ..Inbound::default()
        }
    }

    /// The vector with one header replaced.
    fn with(name: &str, value: &str) -> Inbound {
        request(&VECTOR.map(|(own, vector)| (own, if own == name { value } else { vector })), BODY)
    }

    fn verify(request: Inbound) -> Result<Verified, Refusal> {
        verifier(&[SECRET]).verify(&request, at(1_614_265_330))
    }

    #[test]
    fn the_reference_vector_is_authentic() {
        let verified = verify(request(&VECTOR, BODY)).expect("authentic");
        assert_eq!(verified.key(), "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert_eq!(verified.body(), BODY);
        assert_eq!(Key::parse(SECRET).expect("a secret").sign(VECTOR[0].1, at(1_614_265_330), BODY), VECTOR[2].1);
    }

    #[test]
    fn svix_names_are_accepted() {
        let svix = [("svix-id", VECTOR[0].1), ("svix-timestamp", VECTOR[1].1), ("svix-signature", VECTOR[2].1)];
        assert!(verify(request(&svix, BODY)).is_ok());
    }

    #[test]
    fn any_signature_may_fit_any_secret() {
        let good = VECTOR[2].1;
        let rotated = verifier(&[OTHER, SECRET]);
        assert!(rotated.verify(&request(&VECTOR, BODY), at(1_614_265_330)).is_ok());
        for list in [format!("v1a,xxxx {good}"), format!("v1,AAAA {good} v1,!"), format!("v2,{} {good}", &good[3..])] {
            assert!(verify(with(SIGNATURE, &list)).is_ok(), "{list}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = VECTOR[2].1;
        let other = Key::parse(OTHER).expect("a secret").sign(VECTOR[0].1, at(1_614_265_330), BODY);
        let truncated = format!("v1,{}", STANDARD.encode(&STANDARD.decode(&good[3..]).expect("base64")[..16]));
        for bad in
            ["", "v1", "v1,", &good[3..], &good.replace("v1,", "v1a,"), &good.replace("v1,", "V1,"), &other, &truncated]
        {
            assert_eq!(verify(with(SIGNATURE, bad)).map(|_| ()), Err(Refusal::BadSignature), "{bad}");
        }
        let changed =
            [with(ID, "msg_other"), with(TIMESTAMP, "1614265331"), request(&VECTOR, b"{}"), request(&VECTOR, b"")];
        for request in changed {
            assert_eq!(verify(request).map(|_| ()), Err(Refusal::BadSignature));
        }
        // A signature of "a.b" and "c" must not be one of "a" and "b.c".
        let key = Key::parse(SECRET).expect("a secret");
        let signature = key.sign("a", at(1_614_265_330), b"5.x");
        let shifted = [(ID, "a.1614265330"), (TIMESTAMP, "5"), (SIGNATURE, signature.as_str())];
        assert!(matches!(verify(request(&shifted, b"x")), Err(Refusal::BadHeader { header: ID, .. })));
    }

    #[test]
    fn every_header_is_needed_once_and_in_form() {
        for missing in [ID, TIMESTAMP, SIGNATURE] {
            let rest: Vec<_> = VECTOR.into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(verify(request(&rest, BODY)).map(|_| ()), Err(Refusal::MissingHeader(missing)));
            let twice: Vec<_> = VECTOR.into_iter().chain([(missing, "2")]).collect();
            let refusal = verify(request(&twice, BODY)).expect_err("twice");
            assert!(matches!(refusal, Refusal::BadHeader { header, .. } if header == missing), "{refusal}");
        }
        let many = vec!["v1,AAAA"; MAX_SIGNATURES + 1].join(" ");
        let bad = [
            (ID, ""),
            (ID, "a.b"),
            (ID, &"a".repeat(256)),
            (ID, "é"),
            (TIMESTAMP, ""),
            (TIMESTAMP, "now"),
            (TIMESTAMP, "1614265330.5"),
            (TIMESTAMP, "99999999999999999999"),
            (SIGNATURE, &many),
        ];
        for (name, value) in bad {
            let refusal = verify(with(name, value)).expect_err("bad");
            assert!(matches!(refusal, Refusal::BadHeader { header, .. } if header == name), "{name}: {refusal}");
        }
    }

    #[test]
    fn the_timestamp_must_be_near() {
        let sent = 1_614_265_330;
        for (now, fresh) in [(sent + 300, true), (sent - 300, true), (sent + 301, false), (sent - 301, false)] {
            let result = verifier(&[SECRET]).verify(&request(&VECTOR, BODY), at(now));
            match result {
                Ok(_) => assert!(fresh, "{now}"),
                Err(refusal) => {
                    let expected = Refusal::Stale { skew_seconds: now - sent, tolerance_seconds: 300, now: at(now) };
                    assert_eq!((refusal, fresh), (expected, false));
                }
            }
        }
        let refusal = verifier(&[SECRET]).verify(&request(&VECTOR, BODY), at(sent + 400)).expect_err("old");
        let expected =
            "the timestamp is 400 s behind this server's clock, which says 2021-02-25T15:08:50Z; 300 s are allowed";
        assert_eq!(refusal.to_string(), expected);
        // Wrong signatures learn nothing about the clock.
        let refusal = verifier(&[OTHER]).verify(&request(&VECTOR, BODY), at(0));
        assert_eq!(refusal.map(|_| ()), Err(Refusal::BadSignature));
    }

    #[test]
    fn a_bad_secret_says_what_is_wrong_and_not_what_it_is() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for (secret, problem) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not start"),
            ("whsec_M*KQ", "is not base64"),
            ("whsec_", "has 0 bytes"),
            (&*short, "has 23 bytes"),
            (&*long, "has 65 bytes"),
        ] {
            let error = Key::parse(secret).expect_err("bad").to_string();
            assert!(error.contains(problem), "{error}");
            assert!(secret == PREFIX || !error.contains(secret.trim_start_matches(PREFIX)), "{error}");
        }
        assert_eq!(format!("{:?}", Key::parse(SECRET).expect("a secret")), "Key");
    }

    proptest! {
        #[test]
        fn what_is_signed_is_authentic(id in "[a-zA-Z0-9_-]{1,255}", time in 0..4_000_000_000i64, body: Vec<u8>) {
            let signature = Key::parse(SECRET).expect("a secret").sign(&id, at(time), &body);
            let timestamp = time.to_string();
            let headers = [(ID, id.as_str()), (TIMESTAMP, &timestamp), (SIGNATURE, &signature)];
            let verified = verifier(&[OTHER, SECRET]).verify(&request(&headers, &body), at(time));
            prop_assert_eq!(verified.expect("authentic").key, id);
        }

        #[test]
        fn no_header_panics(id in "\\PC*", timestamp in "\\PC*", signature in "\\PC*") {
            let header = |name, value: &String| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?));
            let headers = [header(ID, &id), header(TIMESTAMP, &timestamp), header(SIGNATURE, &signature)];
            let request = Inbound { headers: headers.into_iter().flatten().collect(), ..Inbound::default() };
            prop_assert!(verify(request).is_err());
        }
    }
}
