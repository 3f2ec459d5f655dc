//! LinkedIn's Lead Sync as documented: introspection of tokens, forms, leads, finders with paging, subscriptions, and what
//! can go wrong with it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    graph::hex,
    platform::{Platform, Shared},
};

pub const CLIENT_ID: &str = "77abcdefghijkl";
pub const CLIENT_SECRET: &str = "li_client_secret";
pub const TOKEN: &str = "AQX-first";
pub const REFRESH_TOKEN: &str = "AQR-first";
pub const OWNER: &str = "urn:li:sponsoredAccount:512345678";
pub const FORM: &str = "3162";
const VERSION: &str = "202609";

/// What is wrong with the platform now.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// This status with LinkedIn's own words; 429 with `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// Half an answer, then nothing.
    Cut,
}

/// What the platform knows, and what it was asked.
pub struct Facts {
    pub leads: BTreeMap<String, Value>,
    pub trouble: Option<Trouble>,
    /// How often a lead is still not there when it is asked for.
    pub not_yet: HashMap<String, u32>,
    pub subscribed: bool,
    pub expires_at: i64,
    /// The token that is good.
    pub token: String,
    /// The refresh token that is good, what of the app's tokens is wrong now, how long those live that are made by it
    /// (seconds), and how many were made.
    pub refresh_token: String,
    pub oauth_trouble: Option<u16>,
    pub lives: u64,
    pub made: usize,
    /// The most that a page of a list has, whatever is asked for.
    pub page_size: usize,
    /// When each path was asked for, with its query.
    pub asked: Vec<(Instant, String)>,
}

/// The running platform.
pub type LinkedIn = Platform<Facts>;

impl LinkedIn {
    pub async fn start() -> LinkedIn {
        let facts = Facts {
            leads: BTreeMap::new(),
            trouble: None,
            not_yet: HashMap::new(),
            subscribed: true,
            expires_at: (Utc::now() + chrono::TimeDelta::days(59)).timestamp(),
            token: TOKEN.to_owned(),
            refresh_token: REFRESH_TOKEN.to_owned(),
            oauth_trouble: None,
            lives: 5_184_000,
            made: 0,
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
        let text = |id: u32, answer: &str| json!({"questionId": id, "answerDetails": {"textQuestionAnswer": {"answer": answer}}});
        let lead = json!({
            "id": id, "owner": {"sponsoredAccount": OWNER}, "leadType": "SPONSORED", "submittedAt": at.timestamp_millis(),
            "testLead": false, "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
            "leadMetadata": {"sponsoredLeadMetadata": {"campaign": "urn:li:sponsoredCampaign:601234567"}},
            "formResponse": {
                "answers": [
                    text(1, name), text(2, &format!("lead-{id}@example.com")),
                    {"questionId": 3, "answerDetails": {"multipleChoiceAnswer": {"options": [2]}}},
                ],
                "consentResponses": [{"consentId": 1, "accepted": true}],
            },
        });
        self.facts().leads.insert(id.to_owned(), lead);
    }

    pub fn trouble(&self, trouble: impl Into<Option<Trouble>>) {
        self.facts().trouble = trouble.into();
    }

    /// How often paths that hold this were asked for.
    pub fn count(&self, part: &str) -> usize {
        self.facts().asked.iter().filter(|(_, path)| path.contains(part)).count()
    }

    /// The configuration of a source that asks this platform; the secrets are files beside it.
    pub fn section(&self, more: &str) -> String {
        format!(
            "[sources.linkedin]\nkind = \"linkedin\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret = {{ file = \"li-app\" }}\n\
             token = {{ file = \"li-token\" }}\nowners = [\"{OWNER}\"]\napi = \"{0}/rest\"\noauth = \"{0}/oauth/v2\"\n{more}\n",
            self.url
        )
    }
}

/// `X-LI-Signature`.
pub fn signature(body: &str) -> String {
    hex(CLIENT_SECRET, &format!("hmacsha256={body}"))
}

/// A notification about a lead.
pub fn notification(id: &str, action: &str) -> String {
    json!({
        "type": "LEAD_ACTION", "leadGenFormResponse": format!("urn:li:leadGenFormResponse:{id}"),
        "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)", "owner": {"sponsoredAccount": OWNER},
        "associatedEntity": {"sponsoredCreative": "urn:li:sponsoredCreative:701234567"}, "leadType": "SPONSORED",
        "leadAction": action, "occurredAt": Utc::now().timestamp_millis(),
    })
    .to_string()
}

fn form() -> Value {
    let question = |id: u32, field: Option<&str>, words: &str, details: Value| {
        json!({"questionId": id, "name": words, "question": {"localized": {"ar_AE": words}}, "predefinedField": field,
               "questionDetails": details})
    };
    let text = json!({"textQuestionDetails": {"maxResponseLength": 300}});
    let options =
        json!([{"id": 1, "text": {"localized": {"ar_AE": "شقة"}}}, {"id": 2, "text": {"localized": {"ar_AE": "فيلا"}}}]);
    json!({"id": 3162, "name": "فلل جدة", "creationLocale": {"language": "ar", "country": "AE"},
    "hiddenFields": [{"name": "utm_campaign", "value": "q4-linkedin"}],
    "content": {"questions": [
        question(1, Some("FIRST_NAME"), "الاسم", text.clone()),
        question(2, Some("EMAIL"), "البريد", text),
        question(3, None, "ماذا تريد؟", json!({"multipleChoiceQuestionDetails": {"options": options}})),
    ]}})
}

async fn serve(State(facts): State<Shared<Facts>>, request: Request) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    let headers = request.headers().clone();
    let form = to_bytes(request.into_body(), 10_000).await.expect("a body");
    let trouble = {
        let mut facts = facts.lock().expect("not poisoned");
        facts.asked.push((Instant::now(), format!("{path}?{query}")));
        facts.trouble.clone()
    };
    let (status, body) = match &trouble {
        Some(Trouble::Status(status, _)) => error(*status),
        _ => answer(&mut facts.lock().expect("not poisoned"), &path, &query, &headers, &form),
    };
    let mut response = Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    if let Some(Trouble::Status(_, Some(seconds))) = trouble {
        response = response.header("retry-after", seconds);
    }
    let text = body.to_string();
    let body = match trouble {
        Some(Trouble::Cut) => {
            let half = text.as_bytes()[..text.len() / 2].to_vec();
            Body::from_stream(futures_util::stream::iter([Ok(half), Err(std::io::Error::other("cut"))]))
        }
        _ => Body::from(text),
    };
    response.header("content-type", "application/json").body(body).expect("a response")
}

fn error(status: u16) -> (u16, Value) {
    let code = match status {
        401 => "INVALID_ACCESS_TOKEN",
        403 => "ACCESS_DENIED",
        404 => "NOT_FOUND",
        426 => "NONEXISTENT_VERSION",
        429 => "TOO_MANY_REQUESTS",
        _ => "INTERNAL",
    };
    (status, json!({"status": status, "serviceErrorCode": 65_600, "code": code, "message": "Something is wrong"}))
}

fn answer(facts: &mut Facts, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
    if path == "/oauth/v2/introspectToken" {
        let form: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        if (form["client_id"].as_str(), form["client_secret"].as_str()) != (CLIENT_ID, CLIENT_SECRET) {
            return error(401);
        }
        if facts.oauth_trouble.is_some() {
            return error(503);
        }
        let active = form["token"] == facts.token;
        return (
            200,
            json!({"active": active, "status": if active { "active" } else { "expired" },
            "expires_at": facts.expires_at, "scope": "r_ads,r_marketing_leadgen_automation", "auth_type": "3L"}),
        );
    }
    if path == "/oauth/v2/accessToken" {
        if let Some(status) = facts.oauth_trouble {
            return error(status);
        }
        let form: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        assert_eq!(form["grant_type"], "refresh_token");
        assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), (CLIENT_ID, CLIENT_SECRET));
        if form["refresh_token"] != facts.refresh_token {
            let words = "The provided authorization grant or refresh token is invalid, expired or revoked.";
            return (400, json!({"error": "invalid_grant", "error_description": words}));
        }
        facts.made += 1;
        facts.token = format!("AQX-made-{}", facts.made);
        return (
            200,
            json!({"access_token": facts.token, "expires_in": facts.lives, "refresh_token": facts.refresh_token,
                "refresh_token_expires_in": 10 * 86_400, "scope": "r_ads,r_marketing_leadgen_automation"}),
        );
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("linkedin-version") != VERSION {
        return error(426);
    }
    if header("x-restli-protocol-version") != "2.0.0" {
        return error(400);
    }
    if header("authorization") != format!("Bearer {}", facts.token) {
        return error(401);
    }
    // The structure of a query is literal; what is inside is encoded.
    let owner = "(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A512345678)";
    match path.strip_prefix("/rest/").and_then(|path| path.split_once('/').or(Some((path, "")))) {
        Some(("leadForms", FORM)) => (200, form()),
        Some(("leadFormResponses", ""))
            if query.contains(&format!("q=owner&owner={owner}&leadType=(leadType:SPONSORED)")) =>
        {
            find(facts, query)
        }
        Some(("leadFormResponses", id)) if !id.is_empty() => {
            if let Some(left) = facts.not_yet.get_mut(id).filter(|left| **left > 0) {
                *left -= 1;
                return error(404);
            }
            facts.leads.get(id).map_or_else(|| error(404), |lead| (200, lead.clone()))
        }
        Some(("leadNotifications", ""))
            if query.contains(&format!("q=criteria&owner=(value:{owner})&leadType=(leadType:SPONSORED)")) =>
        {
            let one = json!({"id": 7012, "owner": {"sponsoredAccount": OWNER}, "leadType": "SPONSORED",
                "webhook": "https://hooks.example.sa/api/webhooks/linkedin"});
            (200, json!({"elements": if facts.subscribed { vec![one] } else { Vec::new() }}))
        }
        _ => error(404),
    }
}

fn find(facts: &Facts, query: &str) -> (u16, Value) {
    let number = |key: &str| -> i64 {
        let (_, rest) = query.split_once(key).unwrap_or_else(|| panic!("{key} in {query}"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
    };
    assert!(query.contains("limitedToTestLeads=false") && query.contains("form:(hiddenFields,"), "{query}");
    let (since, until) = (number("submittedAtTimeRange=(start:"), number(",end:"));
    let (start, count) = (usize::try_from(number("&start=")).expect("a start"), number("&count="));
    let size = usize::try_from(count).expect("a size").min(facts.page_size);
    let time = |lead: &Value| lead["submittedAt"].as_i64().expect("a time");
    let mut found: Vec<_> = facts.leads.values().filter(|lead| (since..=until).contains(&time(lead))).collect();
    found.sort_by_key(|lead| std::cmp::Reverse(time(lead)));
    let end = (start + size).min(found.len());
    let with_form = |lead: &&Value| {
        let mut lead = (*lead).clone();
        lead["form"] = form();
        lead["leadMetadataInfo"] = json!({"sponsoredLeadMetadataInfo": {"campaign": {"name": "Q4 leads",
            "type": "SPONSORED_UPDATES", "id": "urn:li:sponsoredCampaign:601234567"}}});
        lead
    };
    let elements: Vec<_> = found[start.min(end)..end].iter().map(with_form).collect();
    (200, json!({"paging": {"start": start, "count": size, "links": [], "total": found.len()}, "elements": elements}))
}
