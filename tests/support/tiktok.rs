//! TikTok API for Business as documented: one lead by its id, with errors in answers of HTTP 200.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::HeaderMap,
    routing::get,
};
use serde_json::{Value, json};

use super::platform::{Platform, Shared};

pub const TOKEN: &str = "tt-first";
pub const ADVERTISER: &str = "7310000000000000000";

/// What the platform knows.
pub struct Facts {
    /// Names by the ids of leads.
    pub leads: BTreeMap<String, String>,
    pub token: String,
    /// How many requests are still answered with this code.
    pub trouble: Option<(u32, i64)>,
    /// The leads that were asked for.
    pub asked: Vec<String>,
}

/// The running platform.
pub type TikTok = Platform<Facts>;

impl TikTok {
    pub async fn start() -> TikTok {
        let facts = Facts { leads: BTreeMap::new(), token: TOKEN.to_owned(), trouble: None, asked: Vec::new() };
        Platform::serve(facts, Router::new().route("/open_api/v1.3/lead/get/", get(lead))).await
    }
}

async fn lead(
    State(facts): State<Shared<Facts>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Json<Value> {
    let mut facts = facts.lock().expect("not poisoned");
    let id = &query["lead_id"];
    facts.asked.push(id.clone());
    let answer = |code: i64, message: &str, data: Value| {
        Json(json!({"code": code, "message": message, "request_id": "202611210000", "data": data}))
    };
    if let Some((left, code)) = facts.trouble.as_mut().filter(|(left, _)| *left > 0) {
        *left -= 1;
        return answer(*code, "Something is wrong", json!({}));
    }
    if headers.get("access-token").and_then(|token| token.to_str().ok()) != Some(&facts.token) {
        return answer(40_105, "Access token is incorrect or has been revoked.", json!({}));
    }
    assert_eq!((query["advertiser_id"].as_str(), query["lead_source"].as_str()), (ADVERTISER, "INSTANT_FORM"));
    match facts.leads.get(id) {
        None => answer(40_002, "lead_id is not valid", json!({})),
        Some(name) => {
            let email = format!("lead-{id}@example.com");
            let meta = json!({"lead_id": id, "page_id": query.get("page_id"), "campaign_id": "1780000000000001",
                "campaign_name": "Q4", "ad_id": "1780000000000003", "create_time": "2026-11-20 10:00:00"});
            let data = json!({"Name": name, "Email": email, "ما هي الميزانية؟": "500 ألف"});
            answer(0, "OK", json!({"lead_data": data, "meta_data": meta}))
        }
    }
}
