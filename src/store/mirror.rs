//! The last known state of each record of Odoo, for the read API and to see what changed.
//!
//! Two writers: pages (pull and sweep) and changes (events). A page was read at a moment, so whatever an event has
//! changed since then is left alone. A page covers a range of ids: what the mirror has there and the page has not is
//! gone from Odoo.

use std::{
    collections::{HashMap, HashSet},
    ops::AddAssign,
};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use serde_json::Value;

use super::{Store, StoreError, queries};
use crate::domain::{Model, Names, Page, Record, RecordText, relation_of};

/// What a page brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageStored {
    /// Records that the mirror did not have.
    pub new: u64,
    /// Records with another content.
    pub changed: u64,
    /// Records that are gone.
    pub deleted: u64,
}

/// Which records to show.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorQuery {
    /// The model.
    pub model: Model,
    /// Ids above this one.
    pub after_id: i64,
    /// How many at most.
    pub limit: usize,
    /// All of these must hold.
    pub filters: Vec<Filter>,
}

/// A condition on a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// The field has this text, number or truth value.
    Equals(&'static str, Value),
    /// The related record of this field and model has this name.
    Named(&'static str, &'static str, String),
    /// The e-mail address, whatever its case.
    Email(String),
    /// The phone number holds these digits.
    Phone(String),
    /// The text stands in the name, the contact, the company or the e-mail address.
    Text(String),
    /// Written in Odoo at or after this moment (`YYYY-MM-DD HH:MM:SS` UTC).
    UpdatedSince(String),
}

/// Records and where the next ones start.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorPage {
    /// Ascending by id.
    pub rows: Vec<MirrorRow>,
    /// `after_id` of the next page; `None` after the last.
    pub next: Option<i64>,
}

/// One mirrored record.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorRow {
    /// Its id in Odoo.
    pub id: i64,
    /// Its fields.
    pub data: Record,
    /// Gone from Odoo.
    pub deleted: bool,
    /// When the mirror changed last (ms).
    pub updated_at: i64,
    /// Names of the records that it points to.
    pub names: Names,
}

/// What the mirror knows about a record beside its content.
pub(super) struct State {
    pub(super) seq: i64,
    pub(super) deleted: bool,
    pub(super) updated_at: i64,
    /// Odoo's, of the content.
    pub(super) write_date: Option<String>,
}

/// A time that is farther ahead than this (ms) was written before the clock was set back, and proves nothing.
const AHEAD: i64 = 60_000;

impl AddAssign for PageStored {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.deleted += other.deleted;
    }
}

/// Records of a page per write.
const RECORDS_PER_WRITE: usize = 250;

impl Store {
    /// Stores a page that was asked for at `requested_at`. `covers`: the page holds every record with these ids.
    ///
    /// In several writes, so that webhooks need not wait for all of it; stored in part, it is stored again with the next
    /// sweep.
    pub async fn store_page(
        &self,
        model: Model,
        page: Page,
        requested_at: i64,
        covers: Option<(i64, i64)>,
    ) -> Result<PageStored, StoreError> {
        let now = self.now();
        let there: HashSet<i64> = page.records.iter().map(|record| record.id).collect();
        let mut stored = PageStored::default();
        let mut records = page.records;
        while !records.is_empty() {
            let rest = records.split_off(records.len().min(RECORDS_PER_WRITE));
            let part = std::mem::replace(&mut records, rest);
            stored += self
                .write(move |connection| {
                    let mut stored = PageStored::default();
                    for record in &part {
                        store_record(connection, model, record, requested_at, now, &mut stored)?;
                    }
                    Ok(stored)
                })
                .await?;
        }
        stored.deleted = self
            .write(move |connection| {
                put_names(connection, &page.names)?;
                match covers {
                    Some(range) => delete_missing(connection, model, &there, range, requested_at, now),
                    None => Ok(0),
                }
            })
            .await?;
        Ok(stored)
    }

    /// One record, deleted ones included.
    pub async fn mirror_row(&self, model: Model, id: i64) -> Result<Option<MirrorRow>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::MIRROR_GET)?;
            let row = query.query_row(params![model.as_str(), id], raw_row).optional()?;
            row.map(|row| finish_row(connection, row, &mut HashMap::new())).transpose()
        })
        .await
    }

    /// Records that match, a page at a time.
    pub async fn mirror_page(&self, query: MirrorQuery) -> Result<MirrorPage, StoreError> {
        self.read(move |connection| {
            let (sql, values) = select(&query);
            let mut statement = connection.prepare(&sql)?;
            let rows: Vec<RawRow> =
                statement.query_map(params_from_iter(values), raw_row)?.collect::<Result<_, _>>()?;
            let mut names = HashMap::new();
            let rows = rows
                .into_iter()
                .map(|row| finish_row(connection, row, &mut names))
                .collect::<Result<Vec<_>, StoreError>>()?;
            let next = rows.last().filter(|_| rows.len() == query.limit).map(|row| row.id);
            Ok(MirrorPage { rows, next })
        })
        .await
    }

    /// The newest `write_date` of a model.
    pub async fn newest_write_date(&self, model: Model) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::MIRROR_NEWEST_WRITE_DATE)?;
            Ok(query.query_row([model.as_str()], |row| row.get(0))?)
        })
        .await
    }
}

fn store_record(
    connection: &Connection,
    model: Model,
    record: &RecordText,
    requested_at: i64,
    now: i64,
    stored: &mut PageStored,
) -> rusqlite::Result<()> {
    let id = record.id;
    let mut query = connection.prepare_cached(queries::MIRROR_STATE)?;
    let known = query
        .query_row(params![model.as_str(), id], |row| Ok((row.get::<_, Vec<u8>>("hash")?, state_of(row)?)))
        .optional()?;
    let seq = match known {
        // An event overtook this page.
        Some((_, state)) if state.updated_at > requested_at && state.updated_at < now + AHEAD => return Ok(()),
        Some((hash, state)) if !state.deleted && hash == record.hash => return Ok(()),
        Some((_, state)) => {
            stored.changed += 1;
            state.seq
        }
        None => {
            stored.new += 1;
            0
        }
    };
    put(connection, model, record, seq, false, now)
}

fn delete_missing(
    connection: &Connection,
    model: Model,
    there: &HashSet<i64>,
    (first, last): (i64, i64),
    requested_at: i64,
    now: i64,
) -> Result<u64, StoreError> {
    let mut query = connection.prepare_cached(queries::MIRROR_IN_RANGE)?;
    let known: Vec<i64> = query
        .query_map(params![model.as_str(), first, last, requested_at, now + AHEAD], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut deleted = 0;
    for id in known.into_iter().filter(|id| !there.contains(id)) {
        connection.prepare_cached(queries::MIRROR_DELETE)?.execute(params![model.as_str(), id, now])?;
        deleted += 1;
    }
    Ok(deleted)
}

pub(super) fn state(connection: &Connection, model: Model, id: i64) -> rusqlite::Result<Option<State>> {
    let mut query = connection.prepare_cached(queries::MIRROR_STATE)?;
    query.query_row(params![model.as_str(), id], state_of).optional()
}

fn state_of(row: &Row<'_>) -> rusqlite::Result<State> {
    Ok(State { deleted: row.get(0)?, updated_at: row.get(1)?, seq: row.get(2)?, write_date: row.get(3)? })
}

pub(super) fn put(
    connection: &Connection,
    model: Model,
    record: &RecordText,
    seq: i64,
    deleted: bool,
    now: i64,
) -> rusqlite::Result<()> {
    connection.prepare_cached(queries::MIRROR_PUT)?.execute(params![
        model.as_str(),
        record.id,
        record.json,
        record.hash,
        record.write_date,
        seq,
        deleted,
        now,
    ])?;
    Ok(())
}

pub(super) fn put_names(connection: &Connection, names: &Names) -> rusqlite::Result<()> {
    let mut query = connection.prepare_cached(queries::MIRROR_PUT_NAME)?;
    for (model, names) in names {
        for (id, name) in names {
            query.execute(params![model, id, name])?;
        }
    }
    Ok(())
}

/// The query for these filters. Values are bound; field names are the program's own.
fn select(query: &MirrorQuery) -> (String, Vec<Box<dyn ToSql>>) {
    let mut sql =
        "SELECT id, data, deleted, updated_at FROM mirror WHERE model = ? AND id > ? AND deleted = 0".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(query.model.as_str()), Box::new(query.after_id)];
    for filter in &query.filters {
        match filter {
            Filter::Equals(field, value) => {
                sql.push_str(" AND json_extract(data, '$.' || ?) = ?");
                values.push(Box::new(*field));
                values.push(scalar(value));
            }
            Filter::Named(field, model, name) => {
                sql.push_str(
                    " AND json_extract(data, '$.' || ?) IN (SELECT id FROM name WHERE model = ? AND lower(name) = lower(?))",
                );
                values.extend([Box::new(*field) as Box<dyn ToSql>, Box::new(*model), Box::new(name.clone())]);
            }
            Filter::Email(email) => {
                sql.push_str(" AND lower(json_extract(data, '$.email_from')) = lower(?)");
                values.push(Box::new(email.clone()));
            }
            Filter::Phone(digits) => {
                sql.push_str(
                    " AND replace(replace(replace(replace(json_extract(data, '$.phone'), ' ', ''), '-', ''), '(', ''), ')', '') \
                     LIKE '%' || ? || '%'",
                );
                values.push(Box::new(digits.clone()));
            }
            Filter::Text(text) => {
                sql.push_str(
                    " AND instr(lower(concat_ws(char(10), json_extract(data, '$.name'), json_extract(data, '$.contact_name'), \
                     json_extract(data, '$.partner_name'), json_extract(data, '$.email_from'), \
                     json_extract(data, '$.client_order_ref'))), lower(?)) > 0",
                );
                values.push(Box::new(text.clone()));
            }
            Filter::UpdatedSince(moment) => {
                sql.push_str(" AND write_date >= ?");
                values.push(Box::new(moment.clone()));
            }
        }
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    values.push(Box::new(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    (sql, values)
}

/// As `json_extract` gives it: truth values are numbers.
fn scalar(value: &Value) -> Box<dyn ToSql> {
    match value {
        Value::Bool(flag) => Box::new(i64::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(whole),
            None => Box::new(number.as_f64()),
        },
        Value::String(text) => Box::new(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => Box::new(rusqlite::types::Null),
    }
}

struct RawRow {
    id: i64,
    data: String,
    deleted: bool,
    updated_at: i64,
}

fn raw_row(row: &Row<'_>) -> rusqlite::Result<RawRow> {
    Ok(RawRow { id: row.get(0)?, data: row.get(1)?, deleted: row.get(2)?, updated_at: row.get(3)? })
}

/// Names that were looked up already, and those that are not known.
type NameCache = HashMap<(&'static str, i64), Option<String>>;

fn finish_row(connection: &Connection, row: RawRow, cache: &mut NameCache) -> Result<MirrorRow, StoreError> {
    let data: Record = serde_json::from_str(&row.data)?;
    let mut names = Names::new();
    let lines = data.0.values().filter_map(Value::as_array).flatten().filter_map(Value::as_object);
    for (field, value) in lines.flatten().chain(&data.0) {
        let Some(model) = relation_of(field) else {
            continue;
        };
        let ids = value.as_i64().into_iter().chain(value.as_array().into_iter().flatten().filter_map(|id| id.as_i64()));
        for id in ids {
            if let std::collections::hash_map::Entry::Vacant(entry) = cache.entry((model, id)) {
                let mut query = connection.prepare_cached(queries::MIRROR_GET_NAME)?;
                entry.insert(query.query_row(params![model, id], |row| row.get(0)).optional()?);
            }
            if let Some(Some(name)) = cache.get(&(model, id)) {
                names.entry(model.to_owned()).or_default().insert(id, name.clone());
            }
        }
    }
    Ok(MirrorRow { id: row.id, data, deleted: row.deleted, updated_at: row.updated_at, names })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::*;
    use super::*;

    fn page(records: Value) -> Page {
        serde_json::from_value(json!({"records": records, "names": {"crm.stage": {"1": "New", "2": "Won"}}}))
            .expect("a page")
    }

    async fn ids(store: &Store, filters: Vec<Filter>) -> Vec<i64> {
        let query = MirrorQuery { model: Model::Lead, after_id: 0, limit: 10, filters };
        store.mirror_page(query).await.expect("read").rows.iter().map(|row| row.id).collect()
    }

    #[tokio::test]
    async fn a_page_brings_what_differs_and_ends_what_is_missing() {
        let (_folder, store) = store().await;
        let first = page(json!([{"id": 1, "city": "Riyadh"}, {"id": 2, "city": "Abha"}, {"id": 9, "city": "Taif"}]));
        let all = Some((1, i64::MAX));
        let stored = store.store_page(Model::Lead, first, NOW + 1, all).await.expect("kept");
        assert_eq!(stored, PageStored { new: 3, changed: 0, deleted: 0 });
        let second = page(
            json!([{"id": 1, "city": "Riyadh", "write_date": "2026-01-01 00:00:00"}, {"id": 2, "city": "Jeddah"}]),
        );
        let stored = store.store_page(Model::Lead, second.clone(), NOW + 1, Some((1, 8))).await.expect("kept");
        assert_eq!(stored, PageStored { new: 0, changed: 1, deleted: 0 }, "9 is not on this page");
        let stored = store.store_page(Model::Lead, second, NOW + 1, all).await.expect("kept");
        assert_eq!(stored.deleted, 1);
        assert_eq!(ids(&store, vec![]).await, [1, 2]);
        // Asked for before the last change: what the mirror has is newer.
        let old = page(json!([{"id": 2, "city": "Old"}]));
        assert_eq!(store.store_page(Model::Lead, old, NOW - 1, all).await, Ok(PageStored::default()));
        assert_eq!(store.mirror_row(Model::Lead, 2).await.expect("read").expect("there").data.0["city"], "Jeddah");
    }

    #[tokio::test]
    async fn filters_find_what_they_should() {
        let (_folder, store) = store().await;
        let records = page(json!([
            {"id": 1, "name": "Villa", "email_from": "Sara@Example.com", "phone": "+966 50-123", "stage_id": 1, "active": true,
             "write_date": "2026-01-01 00:00:00"},
            {"id": 2, "name": "Office", "contact_name": "محمد", "stage_id": 2, "active": false, "write_date": "2026-02-01 00:00:00"},
        ]));
        store.store_page(Model::Lead, records, NOW + 1, None).await.expect("kept");
        for (filter, expected) in [
            (Filter::Email("sara@example.COM".to_owned()), 1),
            (Filter::Phone("96650123".to_owned()), 1),
            (Filter::Named("stage_id", "crm.stage", "won".to_owned()), 2),
            (Filter::Equals("active", json!(false)), 2),
            (Filter::Equals("stage_id", json!(1)), 1),
            (Filter::Text("محمد".to_owned()), 2),
            (Filter::Text("vill".to_owned()), 1),
            (Filter::UpdatedSince("2026-01-15 00:00:00".to_owned()), 2),
        ] {
            assert_eq!(ids(&store, vec![filter.clone()]).await, [expected], "{filter:?}");
        }
    }

    #[tokio::test]
    async fn an_order_names_its_products() {
        let (_folder, store) = store().await;
        let names = json!({"product.product": {"11": "Desk"}, "crm.tag": {"3": "Web"}});
        let records = json!([{"id": 1, "tag_ids": [3], "order_line": [{"product_id": 11}, {"product_id": null}]}]);
        let page: Page = serde_json::from_value(json!({"records": records, "names": names})).expect("a page");
        let expected = page.names.clone();
        store.store_page(Model::Order, page, NOW, None).await.expect("kept");
        assert_eq!(store.mirror_row(Model::Order, 1).await.expect("read").expect("there").names, expected);
    }

    #[tokio::test]
    async fn pages_follow_each_other() {
        let (_folder, store) = store().await;
        let records: Vec<_> = (1..=5).map(|id| json!({"id": id})).collect();
        store.store_page(Model::Lead, page(json!(records)), NOW + 1, None).await.expect("kept");
        let mut after_id = 0;
        let mut seen = Vec::new();
        loop {
            let query = MirrorQuery { model: Model::Lead, after_id, limit: 2, filters: vec![] };
            let page = store.mirror_page(query).await.expect("read");
            seen.extend(page.rows.iter().map(|row| row.id));
            match page.next {
                Some(next) => after_id = next,
                None => break,
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }
}
