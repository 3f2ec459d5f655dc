//! Kind `meta`: Lead Ads of Facebook and Instagram.
//!
//! A webhook holds ids only (`webhook`); the lead, its form and what is missing are asked for by the Graph API (`graph`,
//! `tokens`, `account`). What was fetched comes back here to be parsed like any other body (`lead`).

mod account;
pub(super) mod graph;
mod lead;
pub(super) mod tokens;
pub(super) mod webhook;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::{
    account::Pages,
    graph::{Graph, Purpose},
    tokens::Tokens,
};
use super::{
    Content, Ended, Inbound, ParseError, Parsed, Platform, Refusal, Setup, Source, Verified,
    defaults::Defaults,
    hex_key::HexKey,
    hub::{self, Hub},
    json,
    remote::KeptToken,
};
use crate::{
    config::{
        DAY, HOUR, MINUTE, Reader, SECOND,
        expect::{Expect, duration, list, secret, string, url},
    },
    domain::Draft,
    secret::{SecretError, SecretRef},
};

/// The version of the Graph API that this was written for.
const VERSION: &str = "v26.0";
const GRAPH: &str = "https://graph.facebook.com";
const LEADS: Purpose = Purpose {
    permissions: "a permission is missing: the token needs leads_retrieval, pages_manage_metadata, pages_show_list, \
                  pages_read_engagement and, for ad accounts, ads_read; and the app the page in Business Suite → \
                  Integrations → Leads Access Manager",
    is_missing: |code, subcode| (code, subcode) == (100, 33),
};

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let app_id = section.required("app_id", id().example("\"1234567890\""));
    let hub = hub::Spec::read(section);
    let token = section.required("token", secret());
    let pages = section.required("pages", list(id()).example("[\"102030405060708\"]"));
    let ad_accounts = section.or("ad_accounts", list(ad_account()), Vec::new());
    let spend_interval = section.or("spend_interval", duration(SECOND..=DAY), 3 * HOUR);
    let api = Api::read(section);
    let poll_interval = section.or("poll_interval", duration(SECOND..=DAY), 15 * MINUTE);
    if poll_interval < 5 * MINUTE {
        let hint = "use at least 5m: a page with few leads has a small budget of requests, and webhooks come at once";
        section.warning("poll_interval", "may use up the budget of requests", Some(hint.to_owned()));
    }
    let backfill = section.or("backfill", duration(DAY..=90 * DAY), 7 * DAY);
    let defaults = Defaults::read(section.table("defaults"));
    Some(Box::new(Spec {
        app_id: app_id?,
        hub: hub?,
        token: token?,
        pages: pages?,
        ad_accounts,
        spend_interval,
        api: api?,
        poll_interval,
        backfill,
        defaults,
    }))
}

/// An id of Meta.
fn id() -> Expect<String> {
    string()
        .example("\"102030405060708\"")
        .try_map(|id| webhook::is_id(&id).then_some(id).ok_or("is not an id of digits"))
}

/// The number of an ad account, with or without the `act_` that Meta shows before it.
fn ad_account() -> Expect<String> {
    string().example("\"1234567890\"").try_map(|id| {
        let number = id.strip_prefix("act_").unwrap_or(&id);
        webhook::is_id(number).then(|| number.to_owned()).ok_or("is not an ad account's number")
    })
}

/// Which Graph API, and where: the keys `version` and `graph` of a source.
#[derive(Debug)]
pub(super) struct Api {
    version: String,
    graph: Url,
}

impl Api {
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let version = section.or("version", version(), VERSION.to_owned());
        let graph = Url::parse(GRAPH).ok().map(|graph| section.or("graph", url(), graph));
        Some(Self { version, graph: graph? })
    }

    /// A client with a token of this app.
    pub(super) fn open(
        &self,
        app_secret: &SecretString,
        token: &SecretRef,
        purpose: Purpose,
    ) -> Result<Tokens, SecretError> {
        let graph = Graph::new(&self.graph, &self.version, HexKey::new(app_secret)?, purpose);
        Ok(Tokens::new(graph, KeptToken::new(token.clone(), token.read()?)))
    }
}

fn version() -> Expect<String> {
    string().example("\"v26.0\"").try_map(|version: String| {
        let number = version.strip_prefix('v').and_then(|number| number.split_once('.'));
        let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let good = number.is_some_and(|(major, minor)| digits(major) && digits(minor));
        good.then_some(version).ok_or("is not a version such as `v26.0`")
    })
}

#[derive(Debug)]
struct Spec {
    app_id: String,
    hub: hub::Spec,
    token: SecretRef,
    pages: Vec<String>,
    ad_accounts: Vec<String>,
    spend_interval: Duration,
    api: Api,
    poll_interval: Duration,
    backfill: Duration,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.hub.secrets().chain([("token", &self.token)]).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        // The first is the app's own; the others are those of before, or of its Instagram login.
        let current = self.hub.app_secrets[0].read()?;
        let app_token = format!("{}|{}", self.app_id, current.expose_secret());
        let pages = Pages::new(account::Options {
            tokens: self.api.open(&current, &self.token, LEADS)?,
            app_id: self.app_id.clone(),
            app_token: app_token.into(),
            pages: self.pages.clone(),
            ad_accounts: self.ad_accounts.clone(),
            spend_interval: self.spend_interval,
            poll_interval: self.poll_interval,
            backfill: self.backfill,
        });
        Ok(Box::new(Meta { hub: self.hub.open()?, pages: Arc::new(pages), defaults: self.defaults.clone() }))
    }
}

struct Meta {
    hub: Hub,
    pages: Arc<Pages>,
    defaults: Defaults,
}

impl Source for Meta {
    fn verify(&self, request: &Inbound, _: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.hub.verify(request)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| match root.below("/lead") {
            Some(answer) => Ok(self.defaults.content(vec![Draft::Lead(lead::read(root, &answer)?)])),
            None => Ok(Content::References(webhook::read(root)?)),
        })
    }

    fn handshake(&self, request: &Inbound) -> Option<Result<Response<String>, Refusal>> {
        Some(self.hub.challenge(request))
    }

    fn answer(&self, _: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        Hub::answer(ended)
    }

    fn platform(&self) -> Option<Arc<dyn Platform>> {
        Some(Arc::clone(&self.pages) as Arc<dyn Platform>)
    }
}

#[cfg(test)]
mod tests;
