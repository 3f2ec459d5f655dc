//! Proof of Meta's webhooks, the same for all of its products: a handshake by GET, and `X-Hub-Signature-256` over the raw
//! body.

use http::{Response, StatusCode};

use super::{Ended, Inbound, Refusal, Verified, digest, hex_key::HexKey};
use crate::{
    config::{
        Reader,
        expect::{one_or_more, secret},
    },
    secret::{SecretError, SecretRef},
};

pub(super) const SIGNATURE: &str = "x-hub-signature-256";
/// Longest challenge that is sent back.
pub(super) const MAX_CHALLENGE: usize = 256;

/// The keys `app_secret` and `verify_token` of a source.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub app_secrets: Vec<SecretRef>,
    pub verify_token: SecretRef,
}

impl Spec {
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let app_secrets = section.required("app_secret", one_or_more(secret()));
        let verify_token = section.required("verify_token", secret());
        Some(Self { app_secrets: app_secrets?, verify_token: verify_token? })
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretRef)> {
        let app_secrets = self.app_secrets.iter().map(|secret| ("app_secret", secret));
        app_secrets.chain([("verify_token", &self.verify_token)])
    }

    pub(super) fn open(&self) -> Result<Hub, SecretError> {
        Ok(Hub { keys: HexKey::open(&self.app_secrets)?, verify_token: HexKey::new(&self.verify_token.read()?)? })
    }
}

/// The secrets of an app; several during a rotation, or of its Instagram login.
pub(super) struct Hub {
    pub keys: Vec<HexKey>,
    pub verify_token: HexKey,
}

impl Hub {
    pub(super) fn verify(&self, request: &Inbound) -> Result<Verified, Refusal> {
        let mut headers = request.headers.get_all(SIGNATURE).iter();
        let (header, None) = (headers.next().ok_or(Refusal::MissingHeader(SIGNATURE))?, headers.next()) else {
            return Err(Refusal::BadHeader { header: SIGNATURE, detail: "it is there twice".to_owned() });
        };
        let Some(code) = header.to_str().ok().and_then(|value| value.strip_prefix("sha256=")) else {
            return Err(Refusal::BadHeader { header: SIGNATURE, detail: "expected `sha256=` and a code".to_owned() });
        };
        if !self.keys.iter().any(|key| key.fits(&request.body, code)) {
            return Err(Refusal::BadSignature);
        }
        // Meta sends no id. What it sends again is equal; what it puts together anew is recognised item by item.
        Ok(digest::by_content(&request.body))
    }

    /// `hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`
    pub(super) fn challenge(&self, request: &Inbound) -> Result<Response<String>, Refusal> {
        let parameter = |name| request.parameter(name).unwrap_or_default();
        let refused = Refusal::BadKey { place: "URL" };
        // Codes of the same message are equal if their keys are; comparing them takes the same time for all.
        let given = HexKey::new(&parameter("hub.verify_token").into_owned().into()).map_err(|_| refused.clone())?;
        if !self.verify_token.fits(b"", &given.code(b"")) || parameter("hub.mode") != "subscribe" {
            return Err(refused);
        }
        let challenge: String = parameter("hub.challenge").chars().take(MAX_CHALLENGE).collect();
        let response = Response::builder()
            .status(StatusCode::OK)
            .header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(http::header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(challenge);
        response.map_err(|_| refused)
    }

    /// Meta takes anything but 200 for a failure, and ends the subscription after an hour of them.
    pub(super) fn answer(ended: Ended<'_>) -> Option<Response<String>> {
        match ended {
            Ended::Accepted | Ended::NotUnderstood(_) => Some(Response::new("{}".to_owned())),
            Ended::Refused(_) => None,
        }
    }
}
