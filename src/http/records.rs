//! The read API: leads and orders as the mirror has them. Odoo is not asked.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::PathRejection, rejection::QueryRejection},
    http::StatusCode,
};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::{Shared, access::Authorized, error::ApiError, names, query};
use crate::{domain::Model, store::MirrorRow};

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;
type Id = Result<Path<i64>, PathRejection>;

/// `GET /api/odoo/leads`
pub(super) async fn leads(_: Authorized, context: State<Shared>, query: Parameters) -> Result<Json<Value>, ApiError> {
    list(context, Model::Lead, "leads", query).await
}

/// `GET /api/odoo/leads/{id}`
pub(super) async fn lead(_: Authorized, context: State<Shared>, id: Id) -> Result<Json<Value>, ApiError> {
    one(context, Model::Lead, "lead", id).await
}

/// `GET /api/odoo/orders`
pub(super) async fn orders(_: Authorized, context: State<Shared>, query: Parameters) -> Result<Json<Value>, ApiError> {
    list(context, Model::Order, "orders", query).await
}

/// `GET /api/odoo/orders/{id}`
pub(super) async fn order(_: Authorized, context: State<Shared>, id: Id) -> Result<Json<Value>, ApiError> {
    one(context, Model::Order, "order", id).await
}

async fn list(
    State(context): State<Shared>,
    model: Model,
    key: &str,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let parameters = parameters.map(|Query(parameters)| parameters).map_err(|error| {
        let hint = "docs/API.md describes the parameters";
        ApiError::new(StatusCode::BAD_REQUEST, "bad_parameter", error.body_text(), hint)
    })?;
    let page = context.app.store.mirror_page(query::read(model, &parameters)?).await?;
    let rows: Vec<_> = page.rows.into_iter().map(shown).collect();
    Ok(Json(json!({ key: rows, "next": page.next })))
}

async fn one(State(context): State<Shared>, model: Model, key: &str, id: Id) -> Result<Json<Value>, ApiError> {
    let not_found = || {
        let message = format!("the mirror has no such {key}");
        let hint = "the last part of the path is the id in Odoo; records that were deleted there are not shown";
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message, hint)
    };
    let Path(id) = id.map_err(|_| not_found())?;
    let row = context.app.store.mirror_row(model, id).await?.filter(|row| !row.deleted).ok_or_else(not_found)?;
    Ok(Json(shown(row)))
}

/// A record with its names, and as of when this is known.
fn shown(row: MirrorRow) -> Value {
    let as_of = DateTime::from_timestamp_millis(row.updated_at);
    let as_of = as_of.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
    let mut shown = names::named(row.data.0, &row.names);
    shown.insert("as_of".to_owned(), as_of.into());
    Value::Object(shown)
}
