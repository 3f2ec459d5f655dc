//! The read API: leads and orders from the mirror. Odoo is not asked.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
};
use serde_json::{Map, Value, json};

use super::{ApiError, AppState};
use crate::{
    domain::{Model, relation_of},
    store::{Filter, MirrorQuery, MirrorRow},
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

type Parameters = Query<BTreeMap<String, String>>;

/// Makes a filter from a parameter's value.
type MakeFilter = fn(&str) -> Result<Filter, String>;

/// The parameters that both lists take.
const COMMON: &[(&str, MakeFilter)] = &[
    ("q", |text| Ok(Filter::Text(text.to_owned()))),
    ("updated_since", updated_since),
    ("user", |name| Ok(Filter::Named("user_id", "res.users", name.to_owned()))),
    ("user_id", |id| whole("user_id", id)),
    ("team", |name| Ok(Filter::Named("team_id", "crm.team", name.to_owned()))),
    ("team_id", |id| whole("team_id", id)),
    ("partner_id", |id| whole("partner_id", id)),
    ("source", |name| Ok(Filter::Named("source_id", "utm.source", name.to_owned()))),
    ("campaign", |name| Ok(Filter::Named("campaign_id", "utm.campaign", name.to_owned()))),
];

const OF_LEADS: &[(&str, MakeFilter)] = &[
    ("stage", |name| Ok(Filter::Named("stage_id", "crm.stage", name.to_owned()))),
    ("stage_id", |id| whole("stage_id", id)),
    ("email", |email| Ok(Filter::Email(email.to_owned()))),
    ("phone", phone),
    ("active", |flag| truth("active", flag)),
    ("type", |kind| Ok(Filter::Equals("type", kind.into()))),
];

const OF_ORDERS: &[(&str, MakeFilter)] = &[
    ("state", |state| Ok(Filter::Equals("state", state.into()))),
    ("client_order_ref", |text| Ok(Filter::Equals("client_order_ref", text.into()))),
    ("name", |name| Ok(Filter::Equals("name", name.into()))),
];

/// `GET /api/odoo/leads`
pub(super) async fn leads(
    State(state): State<AppState>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    list(&state, &headers, Model::Lead, "leads", OF_LEADS, parameters).await
}

/// `GET /api/odoo/orders`
pub(super) async fn orders(
    State(state): State<AppState>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    list(&state, &headers, Model::Order, "orders", OF_ORDERS, parameters).await
}

/// `GET /api/odoo/leads/{id}`
pub(super) async fn lead(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    one(&state, &headers, Model::Lead, &id).await
}

/// `GET /api/odoo/orders/{id}`
pub(super) async fn order(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    one(&state, &headers, Model::Order, &id).await
}

async fn list(
    state: &AppState,
    headers: &HeaderMap,
    model: Model,
    name: &str,
    own: &[(&str, MakeFilter)],
    Query(parameters): Parameters,
) -> Result<Json<Value>, ApiError> {
    state.tokens.check(headers)?;
    let mut query = MirrorQuery { model, after_id: 0, limit: DEFAULT_LIMIT, filters: Vec::new() };
    for (parameter, value) in &parameters {
        let bad = |message: String| {
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameter", format!("{parameter}: {message}"))
        };
        match parameter.as_str() {
            "after" => query.after_id = value.parse().map_err(|_| bad("expected an id".to_owned()))?,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                query.limit = limit.ok_or_else(|| bad(format!("expected a number from 1 to {MAX_LIMIT}")))?;
            }
            other => {
                let known = COMMON.iter().chain(own);
                let make = known.clone().find(|(name, _)| *name == other).map(|(_, make)| make).ok_or_else(|| {
                    let names: Vec<&str> = ["after", "limit"].into_iter().chain(known.map(|(name, _)| *name)).collect();
                    ApiError::new(
                        StatusCode::BAD_REQUEST,
                        "unknown_parameter",
                        format!("there is no parameter `{other}`"),
                    )
                    .hint(format!("there are: {}", names.join(", ")))
                })?;
                query.filters.push(make(value).map_err(bad)?);
            }
        }
    }
    let page = state.store.mirror_page(query).await?;
    let records: Vec<Value> = page.rows.into_iter().map(show).collect();
    Ok(Json(json!({ name: records, "next": page.next })))
}

async fn one(state: &AppState, headers: &HeaderMap, model: Model, id: &str) -> Result<Json<Value>, ApiError> {
    state.tokens.check(headers)?;
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {model} {id}"));
    let id: i64 = id.parse().map_err(|_| missing())?;
    let row = state.store.mirror_row(model, id).await?.filter(|row| !row.deleted).ok_or_else(missing)?;
    Ok(Json(show(row)))
}

/// A record with the names of what it points to beside the ids: `stage_id` and `stage_name`.
fn show(row: MirrorRow) -> Value {
    let mut shown = Map::new();
    for (field, value) in row.data.0 {
        let names = relation_of(&field).and_then(|model| row.names.get(model));
        let name_of = |id: &Value| names.and_then(|names| names.get(&id.as_i64()?)).cloned();
        let named = match &value {
            Value::Array(ids) if field.ends_with("_ids") => {
                Some((field.replace("_ids", "_names"), json!(ids.iter().filter_map(name_of).collect::<Vec<_>>())))
            }
            id if field.ends_with("_id") => name_of(id).map(|name| (field.replace("_id", "_name"), name.into())),
            _ => None,
        };
        shown.insert(field, value);
        shown.extend(named);
    }
    Value::Object(shown)
}

fn whole(field: &'static str, text: &str) -> Result<Filter, String> {
    let number: i64 = text.parse().map_err(|_| "expected an id".to_owned())?;
    Ok(Filter::Equals(field, number.into()))
}

fn truth(field: &'static str, text: &str) -> Result<Filter, String> {
    let flag: bool = text.parse().map_err(|_| "expected true or false".to_owned())?;
    Ok(Filter::Equals(field, flag.into()))
}

fn phone(text: &str) -> Result<Filter, String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 4 { Err("expected at least four digits".to_owned()) } else { Ok(Filter::Phone(digits)) }
}

fn updated_since(text: &str) -> Result<Filter, String> {
    let moment =
        chrono::DateTime::parse_from_rfc3339(text).map_err(|_| "expected a moment such as 2026-11-21T10:00:00Z")?;
    Ok(Filter::UpdatedSince(moment.to_utc().format("%Y-%m-%d %H:%M:%S").to_string()))
}
