//! Kind `tiktok`: the lead webhooks of TikTok API for Business.
//!
//! Deliveries are reported to be unsigned, so that the URL holds a key; where `TikTok-Signature` is there, it must be right.
//! Where the ids of a lead stand in the body is not documented: they are looked for everywhere. What has ids and no answers is
//! asked for, if there is a token (`business`).

mod business;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use self::business::{Business, is_id};
use super::{
    Content, Ended, Inbound, ParseError, Parsed, Platform, Reference, Refusal, Setup, Source, Verified,
    body::MAX_ITEMS,
    defaults::Defaults,
    digest::{Signers, by_content},
    fields::Fields,
    json::{self, Node},
    remote::KeptToken,
    reply,
    url_key::{self, UrlKey},
};
use crate::{
    config::{
        MINUTE, Reader,
        expect::{boolean, one_or_more, secret, url},
    },
    domain::{Draft, LeadDraft},
    secret::{SecretError, SecretRef},
};

const SIGNATURE: &str = "tiktok-signature";
const TOLERANCE: Duration = MINUTE.saturating_mul(5);
const API: &str = "https://business-api.tiktok.com/open_api/v1.3";
/// What is not about the lead.
const ASIDE: [&str; 8] =
    ["object", "event", "field", "client_key", "user_openid", "request_id", "code", "subscribe_entity"];
/// Members that hold a part of the lead.
const PARTS: [&str; 7] = ["changes", "value", "content", "data", "lead_data", "meta_data", "lead"];

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let url_key = url_key::Spec::required(section);
    let secrets = section.optional("secret", one_or_more(secret())).unwrap_or_default();
    let require_signature = section.or("require_signature", boolean(), false);
    if require_signature && secrets.is_empty() {
        let hint = "add `secret`: the secret of your app at TikTok".to_owned();
        section.problem("require_signature", "needs a secret to verify signatures with", Some(hint));
    }
    let token = section.optional("token", secret());
    let api = Url::parse(API).ok().map(|api| section.or("api", url(), api));
    let defaults = Defaults::read(section.table("defaults")).or("TikTok", "Paid social");
    Some(Box::new(Spec { url_key: url_key?, secrets, require_signature, token, api: api?, defaults }))
}

#[derive(Debug)]
struct Spec {
    url_key: url_key::Spec,
    secrets: Vec<SecretRef>,
    require_signature: bool,
    token: Option<SecretRef>,
    api: Url,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let secrets = self.secrets.iter().map(|secret| ("secret", secret));
        self.url_key.secrets().chain(secrets).chain(self.token.iter().map(|token| ("token", token))).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let token = self.token.as_ref().map(|place| Ok(KeptToken::new(place.clone(), place.read()?))).transpose()?;
        Ok(Box::new(TikTok {
            business: token.map(|token| Arc::new(Business::new(&self.api, token))),
            url_key: self.url_key.open()?,
            signers: Signers::open(&self.secrets)?,
            require_signature: self.require_signature,
            defaults: self.defaults.clone(),
        }))
    }
}

struct TikTok {
    url_key: UrlKey,
    signers: Signers,
    require_signature: bool,
    defaults: Defaults,
    /// Whom to ask; `None` without a token.
    business: Option<Arc<Business>>,
}

/// What an entry holds.
enum Entry {
    Lead(Box<LeadDraft>),
    /// Only where the lead is.
    Reference(Reference),
}

impl Source for TikTok {
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.url_key.check(request)?;
        match request.headers.get(SIGNATURE) {
            Some(header) if !self.signers.is_empty() => self.verify_signature(header.as_bytes(), &request.body, now)?,
            None if self.require_signature => return Err(Refusal::MissingHeader(SIGNATURE)),
            _ => {}
        }
        Ok(by_content(&request.body))
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let entries = match (root.below("/entry"), root.value.is_array()) {
                (Some(entries), _) if entries.value.is_array() => entries.items(MAX_ITEMS)?,
                (_, true) => root.items(MAX_ITEMS)?,
                _ => vec![root.clone()],
            };
            let (mut drafts, mut references) = (Vec::new(), Vec::new());
            for entry in &entries {
                match self.entry(root, entry)? {
                    Entry::Lead(lead) => drafts.push(Draft::Lead(*lead)),
                    Entry::Reference(reference) => references.push(reference),
                }
            }
            match (drafts.is_empty(), references.is_empty()) {
                (true, true) => Err(root.invalid("there is no lead in it")),
                (false, true) => Ok(self.defaults.content(drafts)),
                (true, false) => Ok(Content::References(references)),
                (false, false) => Err(root.invalid("some of its leads have answers and some only ids")),
            }
        })
    }

    fn platform(&self) -> Option<Arc<dyn Platform>> {
        self.business.clone().map(|business| business as Arc<dyn Platform>)
    }

    fn answer(&self, _request: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        // What is kept need not come again for three days.
        (!matches!(ended, Ended::Refused(_))).then(|| reply(StatusCode::OK, &json!({})))
    }
}

impl TikTok {
    /// `t=<seconds>,s=<hex>` in any order; signed is `<seconds>.<body>`.
    fn verify_signature(&self, header: &[u8], body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        let bad = |detail: &str| Refusal::BadHeader { header: SIGNATURE, detail: detail.to_owned() };
        let header = std::str::from_utf8(header).map_err(|_| bad("it holds more than visible ASCII"))?;
        let part = |key: &str| {
            let mut parts = header.split(',').filter_map(|part| part.trim().split_once('='));
            parts.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
        };
        let (Some(time), Some(signature)) = (part("t"), part("s")) else { return Err(bad("expected `t=…,s=…`")) };
        let sent: i64 = time.parse().map_err(|_| bad("`t` is not in seconds since 1970"))?;
        let signature = hex::decode(signature).map_err(|_| bad("`s` is not hexadecimal"))?;
        if !self.signers.fit(&[time.as_bytes(), b".", body], &signature) {
            return Err(Refusal::BadSignature);
        }
        let skew_seconds = now.timestamp().saturating_sub(sent);
        if skew_seconds.unsigned_abs() > TOLERANCE.as_secs() {
            return Err(Refusal::Stale { skew_seconds, tolerance_seconds: 300, now });
        }
        Ok(())
    }

    /// A lead from an entry, and from what the body says around its entries.
    fn entry(&self, root: &Node<'_>, entry: &Node<'_>) -> Result<Entry, ParseError> {
        let mut lead = Fields::of("tiktok");
        gather(&mut lead, entry);
        if root.pointer != entry.pointer && root.value.is_object() {
            gather(&mut lead, root);
        }
        if lead.origin("lead_id").is_none()
            && let Some(id) = entry.below("/id").and_then(|id| id.flat())
        {
            lead.put("lead_id", &id);
        }
        if !lead.names_somebody() && lead.origin("lead_id").is_some() {
            // What was fetched is not fetched again.
            let fetched = root.value.get("lead").is_some() && root.value.get("account").is_some();
            let id = |key: &str| lead.origin(key).filter(|id| is_id(id)).map(str::to_owned);
            return match id("lead_id").filter(|_| self.business.is_some() && !fetched) {
                Some(lead_id) => {
                    let (account, form_id) = (id("account_id"), id("page_id"));
                    Ok(Entry::Reference(Reference { lead_id, account, form_id }))
                }
                None => Err(entry.invalid("it has the lead's ids and no answers: they are at TikTok")),
            };
        }
        lead.identify();
        lead.read(&entry.pointer, root.notes).map(Box::new).map(Entry::Lead)
    }
}

/// Takes what an object says. Depth is bounded by that of the parsed JSON.
fn gather(lead: &mut Fields, node: &Node<'_>) {
    if let Some(items) = node.value.as_array() {
        return items.iter().for_each(|value| gather(lead, &Node { value, ..node.clone() }));
    }
    let Some(object) = node.value.as_object() else { return };
    let text = |value: &Value| Node { pointer: node.pointer.clone(), value, notes: node.notes }.flat();
    // One pair for each answer.
    let pair = ["field", "name", "key"].iter().find_map(|key| object.get(*key)?.as_str()).zip(object.get("value"));
    if let Some((name, value)) = pair
        && !value.is_object()
    {
        if let Some(value) = text(value) {
            lead.put(name, &value);
        }
        for (key, value) in object.iter().filter(|(key, _)| !["field", "name", "key", "value"].contains(&key.as_str()))
        {
            if let Some(value) = text(value) {
                lead.put_known(key, &value);
            }
        }
        return;
    }
    for (key, value) in object {
        let inner = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
        match inner.filter(|_| key == "content").and_then(|text| json::parse(text.as_bytes(), node.notes).ok()) {
            Some(parsed) => gather(lead, &Node { value: &parsed, pointer: node.pointer.clone(), notes: node.notes }),
            None if PARTS.contains(&key.as_str()) && (value.is_object() || value.is_array()) => {
                gather(lead, &Node { value, pointer: format!("{}/{key}", node.pointer), notes: node.notes });
            }
            None if key == "entry" || key == "id" || ASIDE.contains(&key.as_str()) => {}
            None if key == "time" => {
                if let Some(time) = text(value) {
                    lead.put_known("create_time", &time);
                }
            }
            None => {
                if let Some(value) = text(value) {
                    lead.put(key, &value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sources::testing::{lead, leads, open};

    const KEY: &str = "9c1e7a60b1d84f4c";
    // The vector of the facts.
    const SECRET: &str = "tt_client_secret";
    const SIGNED: &str = r#"{"client_key":"aw_invented_key","event":"lead.generate","create_time":1763690000,"user_openid":"","content":"{\"lead_id\":\"7400000000000000001\"}"}"#;
    const HEADER: &str = "t=1763690001,s=7743f2967763bc63128b1788c22fa1c7d69d6e375c453adbf525f67840677da8";

    fn tiktok() -> Box<dyn Source> {
        open("kind = \"tiktok\"\nurl_key = { file = \"SECRET\" }", KEY)
    }

    fn entry(id: &str, name: &str) -> Value {
        json!({"id": "7340000000000000000", "time": 1_763_690_000, "changes": [
            {"field": "lead_id", "value": id}, {"field": "page_id", "value": 7_320_000_000_000_000_000u64},
            {"field": "advertiser_id", "value": "7310000000000000000"}, {"field": "campaign_id", "value": "1780000000000001"},
            {"field": "ad_id", "value": "1780000000000003"}, {"field": "name", "value": name},
            {"field": "email", "value": "sara@example.com"}, {"field": "phone_number", "value": "+966501234567"},
            {"field": "ما هي الميزانية؟", "value": "500 ألف"}
        ]})
    }

    #[test]
    fn a_batch_of_entries_is_a_lead_each() {
        let body = json!({"object": "LEAD", "entry": [entry("7400000000000000001", "سارة علي"), entry("7400000000000000002", "Omar")]});
        let leads = leads(tiktok().as_ref(), &body);
        assert_eq!(leads.len(), 2);
        let lead = &leads[0];
        assert_eq!(
            (lead.external_id.as_deref(), lead.contact_name.as_deref()),
            (Some("7400000000000000001"), Some("سارة علي"))
        );
        assert_eq!((lead.email.as_deref(), lead.phone.as_deref()), (Some("sara@example.com"), Some("+966501234567")));
        assert_eq!(lead.answers, [("ما هي الميزانية؟".to_owned(), "500 ألف".to_owned())]);
        assert_eq!(lead.origin.page_id.as_deref(), Some("7320000000000000000"));
        assert_eq!(
            (lead.origin.account_id.as_deref(), lead.origin.ad_id.as_deref()),
            (Some("7310000000000000000"), Some("1780000000000003"))
        );
        assert_eq!(lead.submitted_at.map(|time| time.timestamp()), Some(1_763_690_000));
        assert_eq!((lead.source.as_deref(), lead.origin.platform.as_deref()), (Some("TikTok"), Some("tiktok")));
        assert_eq!(leads[1].external_id.as_deref(), Some("7400000000000000002"));
    }

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let tiktok = tiktok();
        for body in [
            json!({"lead_id": "74", "page_id": "7", "name": "Sara"}),
            json!({"leadId": 74, "page_id": "7", "name": "Sara"}),
            json!({"event": "lead.generate", "content": "{\"lead_id\": \"74\", \"page_id\": \"7\", \"name\": \"Sara\"}"}),
            json!({"entry": [{"lead_id": "74", "page_id": "7", "changes": [{"field": "name", "value": "Sara"}]}]}),
            json!({"page_id": "7", "entry": [{"id": "74", "changes": [{"field": "name", "value": "Sara"}]}]}),
            json!({"entry": [{"changes": [{"field": "leadgen", "value": {"lead_id": "74", "page_id": "7", "name": "Sara"}}]}]}),
            json!({"code": 0, "data": {"lead_data": {"Name": "Sara"}, "meta_data": {"lead_id": "74", "page_id": "7", "campaign_name": "Q4"}}}),
            json!([{"lead_id": "74", "page_id": "7", "name": "Sara"}]),
        ] {
            let lead = lead(tiktok.as_ref(), &body);
            let found = (lead.external_id.as_deref(), lead.origin.page_id.as_deref(), lead.contact_name.as_deref());
            assert_eq!(found, (Some("74"), Some("7"), Some("Sara")), "{body}");
        }
    }

    #[test]
    fn what_is_not_a_lead_says_why() {
        for (bad, expected) in [
            (json!({"entry": []}), "body: there is no lead in it"),
            (json!([]), "body: there is no lead in it"),
            (json!({"entry": [{"id": "74"}]}), "/entry/0: it has the lead's ids and no answers"),
            (json!({"entry": [7]}), "/entry/0: a lead needs at least one of"),
            (json!({}), "body: a lead needs at least one of"),
            (json!("text"), "body: a lead needs at least one of"),
            (serde_json::from_str(SIGNED).expect("JSON"), "body: it has the lead's ids and no answers"),
        ] {
            let error = tiktok().parse(bad.to_string().as_bytes()).expect_err("no lead").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn with_a_token_what_has_only_ids_is_asked_for() {
        let token = "token = { file = \"SECRET\" }";
        let tiktok = open(&format!("kind = \"tiktok\"\nurl_key = {{ file = \"SECRET\" }}\n{token}"), KEY);
        let parse = |body: &Value| tiktok.parse(body.to_string().as_bytes()).map(|parsed| parsed.content);
        let reference = |account: Option<&str>, form_id: Option<&str>| {
            let (account, form_id) = (account.map(str::to_owned), form_id.map(str::to_owned));
            Ok(Content::References(vec![Reference { lead_id: "74".to_owned(), account, form_id }]))
        };
        let flat = json!({"lead_id": 74, "page_id": "7", "advertiser_id": "73"});
        assert_eq!(parse(&flat), reference(Some("73"), Some("7")));
        assert_eq!(parse(&json!({"entry": [{"id": "74"}]})), reference(None, None));
        let signed: Value = serde_json::from_str(SIGNED).expect("JSON");
        assert!(matches!(parse(&signed), Ok(Content::References(_))));
        assert!(matches!(parse(&json!({"entry": [entry("1", "Sara")]})), Ok(Content::Drafts(_))));
        for (bad, expected) in [
            (json!({"entry": [entry("1", "Sara"), {"id": "74"}]}), "some of its leads have answers"),
            (json!({"lead_id": "../x"}), "they are at TikTok"),
            (
                json!({"lead": {"lead_data": {}, "meta_data": {"lead_id": "74"}}, "form": null, "account": null}),
                "they are at TikTok",
            ),
        ] {
            let error = parse(&bad).expect_err("no lead").to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
        let fetched = json!({"lead": {"lead_data": {"Name": "Sara", "ما هي الميزانية؟": "500"},
            "meta_data": {"lead_id": "74", "page_id": "7", "create_time": "2026-11-20 10:00:00"}}, "form": null, "account": null});
        let lead = lead(tiktok.as_ref(), &fetched);
        assert_eq!((lead.external_id.as_deref(), lead.contact_name.as_deref()), (Some("74"), Some("Sara")));
        assert_eq!(lead.answers, [("ما هي الميزانية؟".to_owned(), "500".to_owned())]);
        assert_eq!(lead.submitted_at.map(|time| time.timestamp()), Some(1_795_168_800));
    }

    #[test]
    fn the_url_holds_the_key() {
        let tiktok = tiktok();
        let verify = |rest: Option<&str>, query: Option<&str>| {
            let (rest, query) = (rest.map(str::to_owned), query.map(str::to_owned));
            tiktok.verify(&Inbound { rest, query, body: Bytes::from_static(b"{}"), ..Inbound::default() }, Utc::now())
        };
        assert!(verify(Some(KEY), None).is_ok() && verify(None, Some("a=b&key=9c1e7a60b1d84f4c")).is_ok());
        for (rest, query) in
            [(None, None), (Some(""), None), (Some("9c1e"), Some("key=")), (None, Some("KEY=9c1e7a60b1d84f4c"))]
        {
            assert_eq!(verify(rest, query).map(|_| ()), Err(Refusal::BadKey { place: "URL" }));
        }
    }

    #[test]
    fn a_signature_that_is_there_must_be_right() {
        let text = "kind = \"tiktok\"\nurl_key = { file = \"SECRET\" }\nsecret = { file = \"SECRET\" }";
        let (optional, required) = (open(text, SECRET), open(&format!("{text}\nrequire_signature = true"), SECRET));
        let verify = |source: &dyn Source, header: Option<&str>, body: &'static str, time: i64| {
            let headers =
                header.map(|value| (http::HeaderName::from_static(SIGNATURE), value.parse().expect("a header")));
            let request = Inbound {
                headers: headers.into_iter().collect(),
                rest: Some(SECRET.to_owned()),
                body: Bytes::from_static(body.as_bytes()),
                ..Inbound::default()
            };
            source.verify(&request, DateTime::from_timestamp(time, 0).expect("a time")).map(|_| ())
        };
        assert_eq!(verify(optional.as_ref(), Some(HEADER), SIGNED, 1_763_690_001), Ok(()));
        assert_eq!(verify(optional.as_ref(), None, SIGNED, 1_763_690_001), Ok(()));
        assert_eq!(verify(required.as_ref(), None, SIGNED, 1_763_690_001), Err(Refusal::MissingHeader(SIGNATURE)));
        let turned = HEADER.split(',').rev().collect::<Vec<_>>().join(" , x=1, ");
        assert_eq!(verify(required.as_ref(), Some(&turned), SIGNED, 1_763_690_001), Ok(()));
        assert_eq!(verify(optional.as_ref(), Some(HEADER), "{}", 1_763_690_001), Err(Refusal::BadSignature));
        let late = verify(optional.as_ref(), Some(HEADER), SIGNED, 1_763_690_302);
        assert!(matches!(late, Err(Refusal::Stale { skew_seconds: 301, .. })), "{late:?}");
        for bad in ["", "t=1", "s=00", "t=x,s=00", "t=1763690001,s=zz"] {
            let refused = verify(optional.as_ref(), Some(bad), SIGNED, 1_763_690_001);
            assert!(matches!(refused, Err(Refusal::BadHeader { header: SIGNATURE, .. })), "{bad}: {refused:?}");
        }
    }
}
