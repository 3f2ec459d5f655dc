//! Reading pages of records, in the normal form that the addon has too.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{LINE_FIELDS, LINES, PlainBridge};
use crate::{
    domain::{Model, Names, Page, Record, RecordText},
    odoo::{FieldKind, FieldMap, OdooError, Search, client::unexpected},
};

/// What the mirror has of a line.
const MIRRORED_LINE_FIELDS: [&str; 7] =
    ["id", "product_id", "name", "product_uom_qty", "price_unit", "discount", "price_subtotal"];

impl PlainBridge {
    pub(in crate::odoo::bridge) async fn pull(
        &self,
        model: Model,
        after_id: i64,
        limit: u32,
    ) -> Result<Page, OdooError> {
        let mut page = self.page(model, json!([["id", ">", after_id]]), Some(limit)).await?;
        if after_id == 0 && self.fields.contains_key(&model) {
            page.total = Some(self.client.search_count(model.as_str(), json!([])).await?);
        }
        Ok(page)
    }

    /// One page of records written at or after `since`, ascending by id. Deletions are not seen, and neither is what
    /// commits later than a page was read with an earlier `write_date`: that is the start of a transaction.
    pub async fn changed_since(
        &self,
        model: Model,
        since: DateTime<Utc>,
        after_id: i64,
        limit: u32,
    ) -> Result<Page, OdooError> {
        let since = since.format("%Y-%m-%d %H:%M:%S").to_string();
        self.page(model, json!([["write_date", ">=", since], ["id", ">", after_id]]), Some(limit)).await
    }

    /// A page takes one call for the records, one for their lines and one for the names of their tags.
    async fn page(&self, model: Model, domain: Value, limit: Option<u32>) -> Result<Page, OdooError> {
        // An Odoo without the application has no records of it.
        let Some(fields) = self.fields.get(&model) else { return Ok(Page::default()) };
        let (with_lines, plain): (Vec<_>, Vec<_>) = fields.readable.iter().cloned().partition(|field| field == LINES);
        let mut search = Search::new(model.as_str(), domain).fields(plain);
        // One more than asked for tells whether there is a next page.
        search.limit = limit.map(|limit| limit.saturating_add(1));
        let mut raw = self.client.search_read(search).await?;
        let mut page = Page::default();
        if let Some(limit) = limit
            && raw.len() > limit as usize
        {
            raw.truncate(limit as usize);
            page.next = raw.last().and_then(|record| record["id"].as_i64());
        }
        for record in &raw {
            collect_names(&mut page.names, fields, record);
        }
        let mut records: Vec<Record> = raw.into_iter().map(|record| Record(normal(fields, record))).collect();
        if !with_lines.is_empty() {
            let ids = records.iter().filter_map(Record::id).collect();
            let mut lines = self.lines(ids, &MIRRORED_LINE_FIELDS, Some(&mut page.names)).await?;
            for record in &mut records {
                let lines = record.id().and_then(|id| lines.remove(&id)).unwrap_or_default();
                record.0.insert(LINES.to_owned(), Value::Array(lines));
            }
        }
        self.name_links(fields, &records, &mut page.names).await?;
        let texts = records.iter().map(RecordText::try_from).collect::<Result<_, _>>();
        page.records = texts.map_err(|_| unexpected("search_read"))?;
        Ok(page)
    }

    /// The lines of orders, in order.
    pub(super) async fn lines(
        &self,
        orders: Vec<i64>,
        parts: &[&str],
        names: Option<&mut Names>,
    ) -> Result<HashMap<i64, Vec<Value>>, OdooError> {
        let mut lines: HashMap<i64, Vec<Value>> = HashMap::new();
        if orders.is_empty() {
            return Ok(lines);
        }
        let mut search = Search::new("sale.order.line", json!([["order_id", "in", orders]]))
            .fields(parts.iter().chain(&["order_id"]).copied());
        search.order = "order_id, sequence, id".to_owned();
        let mut products = HashMap::new();
        for mut line in self.client.search_read(search).await? {
            let Some(order) = line.get("order_id").and_then(|pair| pair[0].as_i64()) else { continue };
            if let Some((id, name)) = line.get("product_id").and_then(id_and_name) {
                products.insert(id, name.to_owned());
            }
            let line = parts.iter().map(|&part| {
                let value = match line.remove(part).unwrap_or_default() {
                    Value::Array(pair) => pair.into_iter().next().unwrap_or_default(),
                    Value::Bool(false) => Value::Null,
                    value => value,
                };
                (part.to_owned(), value)
            });
            lines.entry(order).or_default().push(Value::Object(line.collect()));
        }
        if let Some(names) = names
            && !products.is_empty()
        {
            names.entry("product.product".to_owned()).or_default().extend(products);
        }
        Ok(lines)
    }

    /// Names of what many2many fields link to: those do not come with the record.
    async fn name_links(&self, fields: &FieldMap, records: &[Record], names: &mut Names) -> Result<(), OdooError> {
        let mut linked: HashMap<&str, BTreeSet<i64>> = HashMap::new();
        for (field, relation) in links(fields) {
            for record in records {
                let ids = record.0.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64);
                linked.entry(relation).or_default().extend(ids);
            }
        }
        for (relation, ids) in linked {
            if ids.is_empty() {
                continue;
            }
            let ids = ids.into_iter().collect();
            let found = self.client.read(relation, ids, &["display_name".to_owned()]).await?;
            let named = found
                .iter()
                .filter_map(|record| Some((record["id"].as_i64()?, record["display_name"].as_str()?.to_owned())));
            names.entry(relation.to_owned()).or_default().extend(named);
        }
        Ok(())
    }

    /// What records hold now in these fields, by id; the deleted are absent.
    pub(super) async fn held(
        &self,
        model: Model,
        ids: Vec<i64>,
        wanted: &BTreeSet<&str>,
    ) -> Result<HashMap<i64, Map<String, Value>>, OdooError> {
        let fields = self.fields(model)?;
        let plain: Vec<String> =
            wanted.iter().filter(|&&field| field != LINES).map(|&field| field.to_owned()).collect();
        let raw = self.client.read(model.as_str(), ids, &plain).await?;
        let mut held: HashMap<i64, Map<String, Value>> =
            raw.into_iter().filter_map(|record| Some((record.get("id")?.as_i64()?, normal(fields, record)))).collect();
        if wanted.contains(LINES) {
            let mut lines = self.lines(held.keys().copied().collect(), &LINE_FIELDS, None).await?;
            for (id, record) in &mut held {
                record.insert(LINES.to_owned(), Value::Array(lines.remove(id).unwrap_or_default()));
            }
        }
        Ok(held)
    }
}

fn normal(fields: &FieldMap, record: Map<String, Value>) -> Map<String, Value> {
    record
        .into_iter()
        .map(|(field, value)| {
            let value = fields.normal(&field, value);
            (field, value)
        })
        .collect()
}

fn collect_names(names: &mut Names, fields: &FieldMap, record: &Map<String, Value>) {
    for (field, value) in record {
        let relation = fields.types.get(field).and_then(|field| field.relation.as_ref());
        if let (Some(relation), Some((id, name))) = (relation, id_and_name(value)) {
            // Not `entry`: the relation is the same for most, and a copy of its name is not needed then.
            match names.get_mut(relation) {
                Some(known) => drop(known.insert(id, name.to_owned())),
                None => drop(names.insert(relation.clone(), HashMap::from([(id, name.to_owned())]))),
            }
        }
    }
}

fn id_and_name(value: &Value) -> Option<(i64, &str)> {
    Some((value.get(0)?.as_i64()?, value.get(1)?.as_str()?))
}

fn links(fields: &FieldMap) -> impl Iterator<Item = (&str, &str)> {
    fields.readable.iter().filter_map(|name| {
        let field = fields.types.get(name)?;
        (field.kind == FieldKind::Many2many).then_some((name.as_str(), field.relation.as_deref()?))
    })
}
