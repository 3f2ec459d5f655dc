//! Kind `linkedin`: lead forms of LinkedIn, by Lead Sync.
//!
//! A notification holds URNs only (`notification`); the lead, its form and what is missing are asked for (`rest`,
//! `owners`). What was fetched comes back here to be parsed like any other body (`lead`).

mod lead;
mod notification;
mod owners;
mod rest;
mod token;
mod urn;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;
use url::Url;

use self::{
    owners::Owners,
    rest::Rest,
    token::{Renewal, Token},
    urn::Owner,
};
use super::{
    Content, Ended, Inbound, ParseError, Parsed, Platform, Refusal, Setup, Source, Verified,
    defaults::Defaults,
    digest::{Signers, by_content},
    hex_key::HexKey,
    json,
    remote::KeptToken,
    reply,
};
use crate::{
    config::{
        DAY, MINUTE, Reader, SECOND,
        expect::{Expect, duration, list, one_or_more, secret, string, url},
    },
    domain::Draft,
    secret::{SecretError, SecretRef},
};

const SIGNATURE: &str = "x-li-signature";
/// What is signed begins with this.
const SIGNED: &str = "hmacsha256=";
/// Longest challenge that is answered.
const MAX_CHALLENGE: usize = 128;
/// The version of the API that this was written for.
const VERSION: &str = "202609";
const API: &str = "https://api.linkedin.com/rest";
const OAUTH: &str = "https://www.linkedin.com/oauth/v2";

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let client_id = section.required("client_id", string().example("\"77abcdefghijkl\""));
    let client_secrets = section.required("client_secret", one_or_more(secret()));
    let token = Place::read(section);
    let owners = section.required("owners", list(owner()).example("[\"urn:li:sponsoredAccount:512345678\"]"));
    let lead_types = section.or("lead_types", list(lead_type()), vec!["SPONSORED".to_owned()]);
    let version = section.or("version", version(), VERSION.to_owned());
    let api = Url::parse(API).ok().map(|api| section.or("api", url(), api));
    let oauth = Url::parse(OAUTH).ok().map(|oauth| section.or("oauth", url(), oauth));
    let poll_interval = section.or("poll_interval", duration(SECOND..=DAY), 15 * MINUTE);
    if poll_interval < 5 * MINUTE {
        let hint = "use at least 5m: LinkedIn counts requests per day, and notifications come at once";
        section.warning("poll_interval", "may use up the requests of the day", Some(hint.to_owned()));
    }
    let backfill = section.or("backfill", duration(DAY..=90 * DAY), 7 * DAY);
    let defaults = Defaults::read(section.table("defaults")).or("LinkedIn", "Paid social");
    Some(Box::new(Spec {
        client_id: client_id?,
        client_secrets: client_secrets?,
        token: token?,
        owners: owners?,
        lead_types,
        version,
        api: api?,
        oauth: oauth?,
        poll_interval,
        backfill,
        defaults,
    }))
}

/// Where the token is, or what makes tokens.
#[derive(Debug)]
enum Place {
    Token(SecretRef),
    RefreshToken(SecretRef),
}

impl Place {
    fn read(section: &mut Reader<'_>) -> Option<Self> {
        if !section.has("refresh_token") {
            return section.required("token", secret()).map(Self::Token);
        }
        if section.has("token") {
            let hint = "leave one of them out".to_owned();
            section.problem("token", "tokens are made by `refresh_token`", Some(hint));
        }
        // Known all the same, so that nobody is told that there is no such key.
        section.optional("token", secret());
        section.optional("refresh_token", secret()).map(Self::RefreshToken)
    }

    fn secret(&self) -> (&'static str, &SecretRef) {
        match self {
            Self::Token(secret) => ("token", secret),
            Self::RefreshToken(secret) => ("refresh_token", secret),
        }
    }
}

fn owner() -> Expect<Owner> {
    string()
        .example("\"urn:li:sponsoredAccount:512345678\"")
        .try_map(|text| Owner::parse(&text).ok_or("is not the URN of an ad account or an organization"))
}

fn lead_type() -> Expect<String> {
    string().example("\"SPONSORED\"").try_map(|text: String| {
        let good = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        good.then_some(text).ok_or("is not a type such as `SPONSORED`, `EVENT` or `COMPANY`")
    })
}

fn version() -> Expect<String> {
    string().example("\"202609\"").try_map(|version: String| {
        let good = version.len() == 6 && version.bytes().all(|byte| byte.is_ascii_digit());
        good.then_some(version).ok_or("is not a version such as `202609`")
    })
}

#[derive(Debug)]
struct Spec {
    client_id: String,
    client_secrets: Vec<SecretRef>,
    token: Place,
    owners: Vec<Owner>,
    lead_types: Vec<String>,
    version: String,
    api: Url,
    oauth: Url,
    poll_interval: Duration,
    backfill: Duration,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let secrets = self.client_secrets.iter().map(|secret| ("client_secret", secret));
        secrets.chain([self.token.secret()]).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        // The first is the app's own; others are those of before.
        let current = self.client_secrets[0].read()?;
        let challenge = HexKey::new(&current)?;
        let (_, place) = self.token.secret();
        let kept = KeptToken::new(place.clone(), place.read()?);
        let app = |secret| rest::App::new(&self.oauth, self.client_id.clone(), secret);
        let token = match self.token {
            Place::Token(_) => Token::Kept(kept),
            Place::RefreshToken(_) => Token::Made(Box::new(Renewal::new(app(current.clone()), kept))),
        };
        let owners = Owners::new(owners::Options {
            rest: Rest::new(&self.api, &self.version),
            introspection: rest::Introspection::new(app(current)),
            token,
            owners: self.owners.clone(),
            lead_types: self.lead_types.clone(),
            poll_interval: self.poll_interval,
            backfill: self.backfill,
        });
        Ok(Box::new(LinkedIn {
            signers: Signers::open(&self.client_secrets)?,
            challenge,
            owners: Arc::new(owners),
            defaults: self.defaults.clone(),
        }))
    }
}

struct LinkedIn {
    signers: Signers,
    challenge: HexKey,
    owners: Arc<Owners>,
    defaults: Defaults,
}

impl Source for LinkedIn {
    fn verify(&self, request: &Inbound, _: DateTime<Utc>) -> Result<Verified, Refusal> {
        let bad = |detail: &str| Refusal::BadHeader { header: SIGNATURE, detail: detail.to_owned() };
        let mut headers = request.headers.get_all(SIGNATURE).iter();
        let (header, None) = (headers.next().ok_or(Refusal::MissingHeader(SIGNATURE))?, headers.next()) else {
            return Err(bad("it is there twice"));
        };
        let code = header.to_str().map_err(|_| bad("it holds more than visible ASCII"))?;
        let code = hex::decode(code.strip_prefix(SIGNED).unwrap_or(code)).map_err(|_| bad("expected hexadecimal"))?;
        if !self.signers.fit(&[SIGNED.as_bytes(), &request.body], &code) {
            return Err(Refusal::BadSignature);
        }
        // A notification has no id. Repeated byte by byte it is the same one; else its lead is recognised.
        Ok(by_content(&request.body))
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| match root.below("/lead") {
            Some(answer) => Ok(self.defaults.content(vec![Draft::Lead(lead::read(root, &answer)?)])),
            None => Ok(Content::References(notification::read(root)?.into_iter().collect())),
        })
    }

    /// `challengeCode=<uuid>`, which is answered with its code under the app's secret.
    ///
    /// Whoever asks gets such a code, and the signature of a notification is one too: a challenge that is not an id must
    /// not be answered, since it could be the text of a forged notification.
    fn handshake(&self, request: &Inbound) -> Option<Result<Response<String>, Refusal>> {
        let challenge = request.parameter("challengeCode").unwrap_or_default();
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=MAX_CHALLENGE).contains(&challenge.len()) || !challenge.bytes().all(is_id) {
            return Some(Err(Refusal::BadKey { place: "URL" }));
        }
        let answer =
            json!({"challengeCode": challenge, "challengeResponse": self.challenge.code(challenge.as_bytes())});
        Some(Ok(reply(StatusCode::OK, &answer)))
    }

    fn answer(&self, _: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        (!matches!(ended, Ended::Refused(_))).then(|| reply(StatusCode::OK, &json!({})))
    }

    fn platform(&self) -> Option<Arc<dyn Platform>> {
        Some(Arc::clone(&self.owners) as Arc<dyn Platform>)
    }
}

#[cfg(test)]
mod tests;
