//! Meta's Graph API as documented: pages, forms, leads, paging, errors and rate headers, and what can go wrong with it.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::form_urlencoded;

use super::platform::{Platform, Shared};

pub const APP_ID: &str = "1234567890";
pub const APP_SECRET: &str = "test_app_secret";
pub const VERIFY_TOKEN: &str = "my-verify-token";
pub const TOKEN: &str = "EAAG-system-user";
pub const PAGE: &str = "102030405060708";
pub const FORM: &str = "998877665544332";
pub const AD_ACCOUNT: &str = "1029384756";

/// What is wrong with the platform now.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// HTTP 503 without a word.
    Down,
    /// An error with this code and subcode.
    Error(i64, i64),
    /// The right answers, this late.
    Slow(Duration),
    /// Half an answer, then nothing.
    Cut,
}

/// What the platform knows, and what it was asked.
pub struct Facts {
    pub leads: BTreeMap<String, Value>,
    /// Who has written to the page, or to the account of Instagram; those who let nobody ask have an error.
    pub people: BTreeMap<String, Result<Value, (i64, i64)>>,
    pub form: Value,
    pub trouble: Option<Trouble>,
    /// Percent of the budget, as the headers tell it.
    pub usage: u32,
    /// How often a lead is still not there when it is asked for.
    pub not_yet: HashMap<String, u32>,
    pub subscribed: bool,
    pub expires_at: i64,
    /// The token that is good; the others are expired.
    pub token: String,
    /// Rows of insights of the ad account.
    pub insights: Vec<Value>,
    /// Leads per page of a list.
    pub page_size: usize,
    /// When each path was asked for.
    pub asked: Vec<(Instant, String)>,
}

/// The running platform.
pub type Graph = Platform<Facts>;

impl Graph {
    pub async fn start() -> Graph {
        let facts = Facts {
            leads: BTreeMap::new(),
            people: BTreeMap::new(),
            form: form(),
            trouble: None,
            usage: 3,
            not_yet: HashMap::new(),
            subscribed: true,
            expires_at: 0,
            token: TOKEN.to_owned(),
            insights: Vec::new(),
            page_size: 3,
            asked: Vec::new(),
        };
        Platform::serve(facts, Router::new().fallback(serve)).await
    }

    /// Somebody fills in the form.
    pub fn add(&self, id: &str, name: &str) {
        self.add_at(id, name, Utc::now());
    }

    /// The same at some time.
    pub fn add_at(&self, id: &str, name: &str, at: DateTime<Utc>) {
        let lead = json!({
            "id": id, "created_time": at.format("%Y-%m-%dT%H:%M:%S+0000").to_string(), "form_id": FORM,
            "ad_id": "120210000000000001", "ad_name": "Riyadh villas - video A", "adset_id": "120210000000000010",
            "adset_name": "KSA 28-45", "campaign_id": "120210000000000100", "campaign_name": "Q4 leads",
            "is_organic": false, "platform": "ig", "partner_name": null,
            "field_data": [
                {"name": "full_name", "values": [name]},
                {"name": "email", "values": [format!("lead-{id}@example.com")]},
                {"name": "phone_number", "values": [format!("+96650{:07}", id.parse::<u64>().expect("digits") % 10_000_000)]},
                {"name": "preferred_contact_time", "values": ["morning", "evening"]},
            ],
            "custom_disclaimer_responses": [{"checkbox_key": "marketing_optin", "is_checked": "1"}],
        });
        self.facts().leads.insert(id.to_owned(), lead);
    }

    /// Somebody whom the Graph API knows so.
    pub fn person(&self, id: &str, profile: Result<Value, (i64, i64)>) {
        let with_id = |mut profile: Value| {
            profile["id"] = json!(id);
            profile
        };
        self.facts().people.insert(id.to_owned(), profile.map(with_id));
    }

    pub fn trouble(&self, trouble: impl Into<Option<Trouble>>) {
        self.facts().trouble = trouble.into();
    }

    /// A campaign ran so many days ago, and cost this.
    pub fn spent(&self, campaign: &str, days_ago: i64, spend: &str) {
        let day = (Utc::now() - chrono::TimeDelta::days(days_ago)).date_naive();
        let row = json!({"campaign_id": campaign, "campaign_name": format!("campaign {campaign}"), "spend": spend,
            "impressions": "80211", "clicks": "912", "date_start": day, "date_stop": day});
        let mut facts = self.facts();
        facts.insights.retain(|known| known["campaign_id"] != campaign || known["date_start"] != json!(day));
        facts.insights.push(row);
    }

    /// How often paths that end so were asked for.
    pub fn count(&self, end: &str) -> usize {
        self.facts().asked.iter().filter(|(_, path)| path.ends_with(end)).count()
    }

    /// The configuration of a source that asks this platform; the secrets are files beside it.
    pub fn section(&self, more: &str) -> String {
        format!(
            "[sources.meta]\nkind = \"meta\"\napp_id = \"{APP_ID}\"\napp_secret = {{ file = \"meta-app\" }}\n\
             verify_token = {{ file = \"meta-verify\" }}\ntoken = {{ file = \"meta-token\" }}\npages = [\"{PAGE}\"]\n\
             graph = \"{}\"\n{more}\n",
            self.url
        )
    }
}

/// `X-Hub-Signature-256`.
pub fn signature(body: &str) -> String {
    format!("sha256={}", hex(APP_SECRET, body))
}

pub fn hex(key: &str, message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key").chain_update(message);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A webhook about these leads, an entry for each.
pub fn webhook(ids: &[&str]) -> String {
    let entry = |id: &&str| {
        let value = json!({"leadgen_id": id, "page_id": PAGE, "form_id": FORM, "created_time": Utc::now().timestamp()});
        json!({"id": PAGE, "time": Utc::now().timestamp(), "changes": [{"field": "leadgen", "value": value}]})
    };
    json!({"object": "page", "entry": ids.iter().map(entry).collect::<Vec<_>>()}).to_string()
}

fn form() -> Value {
    json!({"id": FORM, "name": "فلل الرياض", "status": "ACTIVE", "locale": "ar_AR", "leads_count": 1, "questions": [
        {"key": "full_name", "label": "الاسم", "type": "FULL_NAME", "id": "1"},
        {"key": "email", "label": "البريد", "type": "EMAIL", "id": "2"},
        {"key": "phone_number", "label": "الجوال", "type": "PHONE", "id": "3"},
        {"key": "preferred_contact_time", "label": "متى نتصل بك؟", "type": "CUSTOM", "id": "4", "options": [
            {"key": "morning", "value": "صباحاً"}, {"key": "evening", "value": "مساءً"}]},
    ]})
}

async fn serve(State(facts): State<Shared<Facts>>, request: Request) -> Response {
    let query: HashMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let path = request.uri().path().to_owned();
    let (trouble, usage) = {
        let mut facts = facts.lock().expect("not poisoned");
        facts.asked.push((Instant::now(), path.clone()));
        (facts.trouble.clone(), facts.usage)
    };
    let (status, body) = match &trouble {
        Some(Trouble::Down) => (503, Value::Null),
        Some(Trouble::Error(code, subcode)) => error(*code, *subcode),
        _ => answer(&mut facts.lock().expect("not poisoned"), &path, &query, request.headers()),
    };
    if let Some(Trouble::Slow(time)) = trouble {
        tokio::time::sleep(time).await;
    }
    let response = Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", "application/json; charset=UTF-8")
        .header("x-app-usage", json!({"call_count": usage, "total_time": 1, "total_cputime": 1}).to_string());
    let text = body.to_string();
    let body = match trouble {
        Some(Trouble::Cut) => {
            let half = text.as_bytes()[..text.len() / 2].to_vec();
            let cut = [Ok(half), Err(std::io::Error::other("cut"))];
            return response.body(Body::from_stream(futures_util::stream::iter(cut))).expect("a response");
        }
        _ => text,
    };
    response.body(Body::from(body)).expect("a response")
}

fn error(code: i64, subcode: i64) -> (u16, Value) {
    let message = format!("(#{code}) Something is wrong");
    let error = json!({"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode,
        "is_transient": false, "fbtrace_id": "AbCdEfGhIjK"});
    (400, json!({ "error": error }))
}

fn answer(facts: &mut Facts, path: &str, query: &HashMap<String, String>, headers: &HeaderMap) -> (u16, Value) {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else { return error(104, 0) };
    if query.get("appsecret_proof") != Some(&hex(APP_SECRET, token)) {
        return error(100, 0);
    }
    let Some(path) = path.strip_prefix("/v26.0/") else { return error(2_500, 0) };
    if path == "debug_token" {
        if token != format!("{APP_ID}|{APP_SECRET}") {
            return error(190, 0);
        }
        let valid = query.get("input_token") == Some(&facts.token);
        let scopes = ["leads_retrieval", "pages_manage_metadata", "pages_show_list", "pages_read_engagement"];
        let data = json!({"app_id": APP_ID, "is_valid": valid, "expires_at": facts.expires_at, "scopes": scopes});
        return (200, json!({ "data": data }));
    }
    let page_token = format!("page-of-{}", facts.token);
    if path == PAGE && token == facts.token {
        return (200, json!({"id": PAGE, "name": "Acme Homes", "access_token": page_token}));
    }
    let ad_account = format!("act_{AD_ACCOUNT}");
    if path.starts_with(&ad_account) && token == facts.token {
        return match path.strip_prefix(&ad_account) {
            Some("/insights") => insights(facts, query),
            _ => (200, fields(&json!({"id": ad_account, "currency": "SAR", "timezone_name": "Asia/Riyadh"}), query)),
        };
    }
    if let Some(person) = facts.people.get(path) {
        // Of Instagram, with the configured token; of Messenger, with the page's.
        let asked = &query["fields"];
        let good = if asked == "name,username" { &facts.token } else { &page_token };
        return match person {
            _ if token != good => error(190, 463),
            Ok(person) if asked == "name" || person.get("name").is_none() || person.get("username").is_some() => {
                (200, fields(person, query))
            }
            // Those of another version of the API.
            Ok(_) => error(100, 0),
            Err((code, subcode)) => error(*code, *subcode),
        };
    }
    if token != page_token {
        // The page's things want the page's token.
        return error(190, if token == facts.token { 2_069_032 } else { 463 });
    }
    let page = format!("{PAGE}/leadgen_forms");
    match path.split_once('/') {
        Some(_) if path == page => list(vec![fields(&facts.form, query)], facts.page_size, query),
        Some((PAGE, "subscribed_apps")) => {
            let app = json!({"id": APP_ID, "name": "CRM", "subscribed_fields": ["leadgen"]});
            list(if facts.subscribed { vec![app] } else { Vec::new() }, facts.page_size, query)
        }
        Some((FORM, "leads")) => {
            let filter: Value = serde_json::from_str(&query["filtering"]).expect("a filter");
            assert_eq!(filter[0]["field"], "time_created");
            assert_eq!(filter[0]["operator"], "GREATER_THAN");
            let since = filter[0]["value"].as_i64().expect("seconds");
            let leads = facts.leads.values().rev().filter(|lead| time_of(lead) > since);
            list(leads.map(|lead| fields(lead, query)).collect(), facts.page_size, query)
        }
        Some(_) => error(100, 33),
        None if path == FORM => (200, fields(&facts.form, query)),
        None => {
            if let Some(left) = facts.not_yet.get_mut(path).filter(|left| **left > 0) {
                *left -= 1;
                return error(100, 33);
            }
            facts.leads.get(path).map_or_else(|| error(100, 33), |lead| (200, fields(lead, query)))
        }
    }
}

/// What campaigns cost in the days asked for. Each row says its day whether it was asked for or not.
fn insights(facts: &Facts, query: &HashMap<String, String>) -> (u16, Value) {
    assert_eq!((query["level"].as_str(), query["time_increment"].as_str()), ("campaign", "1"));
    let range: Value = serde_json::from_str(&query["time_range"]).expect("a range");
    let day = |value: &Value| value.as_str().expect("a day").to_owned();
    let (since, until) = (day(&range["since"]), day(&range["until"]));
    let rows = facts.insights.iter().filter(|row| (since.clone()..=until.clone()).contains(&day(&row["date_start"])));
    let row = |row: &Value| {
        let mut shown = fields(row, query);
        shown["date_start"] = row["date_start"].clone();
        shown
    };
    list(rows.map(row).collect(), facts.page_size, query)
}

fn time_of(lead: &Value) -> i64 {
    let time = lead["created_time"].as_str().expect("a time");
    DateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%z").expect("a time").timestamp()
}

/// Only what was asked for, and the id.
fn fields(object: &Value, query: &HashMap<String, String>) -> Value {
    let asked: Vec<_> = query.get("fields").expect("fields").split(',').collect();
    let known = object.as_object().expect("an object").iter();
    known
        .filter(|(key, value)| asked.contains(&key.as_str()) && !value.is_null())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

fn list(items: Vec<Value>, size: usize, query: &HashMap<String, String>) -> (u16, Value) {
    let start: usize = query.get("after").map_or(0, |after| after.parse().expect("our cursor"));
    let end = (start + size).min(items.len());
    let mut answer = json!({"data": items[start..end]});
    if end > start {
        answer["paging"] = json!({"cursors": {"before": start.to_string(), "after": end.to_string()}});
    }
    if end < items.len() {
        answer["paging"]["next"] = json!("https://graph.example.com/with-the-token-in-it");
    }
    (200, answer)
}
