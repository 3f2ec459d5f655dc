//! Query parameters of the read API, one line each. A misspelt one is refused: a filter that is not applied shows more
//! than was asked for.

use axum::http::StatusCode;
use chrono::DateTime;

use super::error::ApiError;
use crate::{
    domain::Model,
    store::{Filter, MirrorQuery},
};

/// Records on a page that does not say how many.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
/// Fewer digits are in nearly every number.
const LEAST_DIGITS: usize = 3;

/// Applies a value to the query, or says what was expected.
type Param = fn(&mut MirrorQuery, &str) -> Result<(), &'static str>;

const COMMON: [(&str, Param); 11] = [
    ("limit", |query, value| set(&mut query.limit, limit(value))),
    ("after", |query, value| set(&mut query.after_id, id(value))),
    ("updated_since", |query, value| add(query, time(value).map(Filter::UpdatedSince))),
    ("q", |query, value| add(query, Ok(Filter::Text(value.to_owned())))),
    ("user", |query, value| add(query, named("user_id", "res.users", value))),
    ("user_id", |query, value| add(query, equal_id("user_id", value))),
    ("team", |query, value| add(query, named("team_id", "crm.team", value))),
    ("team_id", |query, value| add(query, equal_id("team_id", value))),
    ("partner_id", |query, value| add(query, equal_id("partner_id", value))),
    ("source", |query, value| add(query, named("source_id", "utm.source", value))),
    ("campaign", |query, value| add(query, named("campaign_id", "utm.campaign", value))),
];

const LEAD: [(&str, Param); 6] = [
    ("stage", |query, value| add(query, named("stage_id", "crm.stage", value))),
    ("stage_id", |query, value| add(query, equal_id("stage_id", value))),
    ("email", |query, value| add(query, Ok(Filter::Email(value.to_owned())))),
    ("phone", |query, value| add(query, phone(value).map(Filter::Phone))),
    ("active", |query, value| add(query, flag(value).map(|flag| Filter::Equals("active", flag.into())))),
    ("type", |query, value| add(query, equal("type", value))),
];

const ORDER: [(&str, Param); 3] = [
    ("name", |query, value| add(query, equal("name", value))),
    ("state", |query, value| add(query, equal("state", value))),
    ("client_order_ref", |query, value| add(query, equal("client_order_ref", value))),
];

/// Reads the parameters of a list.
pub(super) fn read(model: Model, parameters: &[(String, String)]) -> Result<MirrorQuery, ApiError> {
    let own: &[(&str, Param)] = if model == Model::Lead { &LEAD } else { &ORDER };
    let known: Vec<_> = own.iter().chain(&COMMON).collect();
    let mut query = MirrorQuery { model, after_id: 0, limit: LIMIT, filters: Vec::new() };
    for (name, value) in parameters {
        let Some((_, apply)) = known.iter().find(|(known, _)| known == name) else {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            let shown: String = name.chars().take(100).collect();
            let message = format!("unknown parameter `{shown}`; known here: {}", names.join(", "));
            return Err(bad("unknown_parameter", message));
        };
        apply(&mut query, value).map_err(|expected| bad("bad_parameter", format!("{name}: expected {expected}")))?;
    }
    Ok(query)
}

fn bad(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message, "docs/API.md describes the parameters")
}

fn set<T>(place: &mut T, value: Result<T, &'static str>) -> Result<(), &'static str> {
    *place = value?;
    Ok(())
}

fn add(query: &mut MirrorQuery, filter: Result<Filter, &'static str>) -> Result<(), &'static str> {
    query.filters.push(filter?);
    Ok(())
}

fn equal(field: &'static str, value: &str) -> Result<Filter, &'static str> {
    Ok(Filter::Equals(field, value.into()))
}

fn equal_id(field: &'static str, value: &str) -> Result<Filter, &'static str> {
    Ok(Filter::Equals(field, id(value)?.into()))
}

fn named(field: &'static str, model: &'static str, name: &str) -> Result<Filter, &'static str> {
    Ok(Filter::Named(field, model, name.to_owned()))
}

fn limit(value: &str) -> Result<usize, &'static str> {
    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or("a whole number from 1 to 500")
}

fn id(value: &str) -> Result<i64, &'static str> {
    value.parse().ok().filter(|id| *id >= 0).ok_or("the number of a record")
}

fn flag(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| "`true` or `false`")
}

fn phone(value: &str) -> Result<String, &'static str> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if digits.len() >= LEAST_DIGITS { Ok(digits) } else { Err("at least 3 digits") }
}

/// As Odoo writes its times.
fn time(value: &str) -> Result<String, &'static str> {
    let time = DateTime::parse_from_rfc3339(value).map_err(|_| "a time such as `2026-11-20T10:00:00Z`")?;
    Ok(time.to_utc().format("%Y-%m-%d %H:%M:%S").to_string())
}
