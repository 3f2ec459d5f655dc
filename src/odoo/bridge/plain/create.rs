//! Creating records by `load`, Odoo's own import: idempotent by external id.
//!
//! `load` takes rows of text, all with the same columns, and keeps all of them or none. So operations are grouped by
//! their columns; rows that Odoo complains about are tried alone, as it also blames the first row for any other's
//! error, and the rest again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Batch, LINE_FIELDS, LINES, PlainBridge, context};
use crate::{
    domain::{Model, OpStatus},
    odoo::{Class, FieldKind, FieldMap, LoadMessage, Loaded, OdooError, ReadyOperation},
};

/// One operation as `load` wants it.
struct Import {
    position: usize,
    /// Column → cell. Some columns of the first line of an order are in it.
    cells: BTreeMap<String, String>,
    /// The further lines.
    more_lines: Vec<BTreeMap<String, String>>,
}

/// Rows that go into one call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape {
    model: Model,
    silent: bool,
    columns: Vec<String>,
}

impl PlainBridge {
    /// Creates records, or finds them if an earlier call did already.
    pub(super) async fn create(&self, batch: &mut Batch<'_>, positions: &[usize]) -> Result<(), OdooError> {
        if positions.is_empty() {
            return Ok(());
        }
        let salespeople = self.salespeople(batch, positions).await?;
        let owners = self.owners(batch, positions).await?;
        let mut groups: HashMap<Shape, Vec<Import>> = HashMap::new();
        for &position in positions {
            let import = self.import(batch, position, &salespeople, owners.get(&position).copied())?;
            let operation = &batch.operations[position];
            let columns = import.cells.keys().cloned().collect();
            let shape = Shape { model: operation.model, silent: operation.silent, columns };
            groups.entry(shape).or_default().push(import);
        }
        let mut created = Vec::new();
        for (shape, imports) in groups {
            created.extend(self.load(batch, &shape, imports).await?);
        }
        self.read_back(batch, &created).await?;
        // Lines that differ in their columns could not go along.
        let late: Vec<usize> = created
            .into_iter()
            .map(|(position, _)| position)
            .filter(|&position| !import_lines(&batch.operations[position]) && has_lines(&batch.operations[position]))
            .collect();
        self.add_lines(batch, &late).await
    }

    /// Loads rows and returns the records, by position.
    async fn load(
        &self,
        batch: &mut Batch<'_>,
        shape: &Shape,
        imports: Vec<Import>,
    ) -> Result<Vec<(usize, i64)>, OdooError> {
        let mut created = Vec::new();
        let mut waiting = vec![imports];
        while let Some(part) = waiting.pop() {
            let mut rows = Vec::new();
            let mut owners = Vec::new();
            for (index, import) in part.iter().enumerate() {
                for cells in std::iter::once(&import.cells).chain(&import.more_lines) {
                    rows.push(shape.columns.iter().map(|name| cells.get(name).cloned().unwrap_or_default()).collect());
                    owners.push(index);
                }
            }
            let model = shape.model.as_str();
            let outcome = match self.client.load(model, &shape.columns, &rows, context(shape.silent)).await {
                Ok(Loaded { ids, .. }) if ids.len() == part.len() => {
                    created.extend(part.iter().map(|import| import.position).zip(ids));
                    continue;
                }
                Ok(Loaded { messages, .. }) => Ok(messages),
                Err(error) if error.class() == Class::Permanent => Err(error),
                Err(error) => return Err(error),
            };
            if let [import] = part.as_slice() {
                match outcome {
                    Ok(messages) => batch.refuse(import.position, "ValidationError", words(&messages)),
                    Err(error) => batch.refuse_with(import.position, error),
                }
                continue;
            }
            let blamed: BTreeSet<usize> =
                outcome.unwrap_or_default().iter().flat_map(|message| blamed(message, &owners)).collect();
            waiting.extend(split(part, &blamed));
        }
        Ok(created)
    }

    /// The salesperson of each order's customer: Odoo would take the daemon's user instead.
    async fn salespeople(&self, batch: &Batch<'_>, positions: &[usize]) -> Result<HashMap<i64, i64>, OdooError> {
        let customers: BTreeSet<i64> = positions
            .iter()
            .map(|&position| &batch.operations[position])
            .filter(|operation| operation.model == Model::Order && !operation.values.contains_key("user_id"))
            .filter_map(|operation| batch.customer(operation))
            .collect();
        if customers.is_empty() {
            return Ok(HashMap::new());
        }
        let customers =
            self.client.read(Model::Partner.as_str(), customers.into_iter().collect(), &["user_id".to_owned()]).await?;
        Ok(customers
            .iter()
            .filter_map(|customer| Some((customer["id"].as_i64()?, customer["user_id"][0].as_i64()?)))
            .collect())
    }

    fn import(
        &self,
        batch: &Batch<'_>,
        position: usize,
        salespeople: &HashMap<i64, i64>,
        owner: Option<i64>,
    ) -> Result<Import, OdooError> {
        let operation = &batch.operations[position];
        let fields = self.fields(operation.model)?;
        let mut values = operation.values.clone();
        fields.fit(&mut values);
        if let Some(owner) = owner {
            values.insert("user_id".to_owned(), owner.into());
        }
        if let Some(customer) = batch.customer(operation) {
            values.insert("partner_id".to_owned(), customer.into());
        }
        let mut cells = BTreeMap::from([("id".to_owned(), operation.xmlid.clone())]);
        for (field, value) in values.iter().filter(|(field, _)| *field != LINES) {
            if let Some((column, text)) = cell(fields, field, value) {
                cells.insert(column, text);
            }
        }
        let salesperson = batch.customer(operation).and_then(|customer| salespeople.get(&customer));
        match operation.model {
            Model::Lead => {
                if values.get("user_id").is_none_or(Value::is_null) {
                    cells.insert("user_id/.id".to_owned(), String::new());
                    // Else Odoo takes the company from the team.
                    if !cells.contains_key("team_id/.id")
                        && let Some(company) = self.company
                    {
                        cells.entry("company_id/.id".to_owned()).or_insert_with(|| company.to_string());
                    }
                }
            }
            Model::Order => {
                let text = salesperson.map(i64::to_string).unwrap_or_default();
                cells.entry("user_id/.id".to_owned()).or_insert(text);
            }
            Model::Partner | Model::Message => {}
        }
        let mut lines = if import_lines(operation) { line_cells(operation) } else { Vec::new() }.into_iter();
        cells.extend(lines.next().into_iter().flatten());
        Ok(Import { position, cells, more_lines: lines.collect() })
    }

    /// What Odoo holds in every field, so that a default does not look like a person's change later.
    async fn read_back(&self, batch: &mut Batch<'_>, created: &[(usize, i64)]) -> Result<(), OdooError> {
        for model in [Model::Partner, Model::Lead, Model::Order] {
            let created: Vec<_> =
                created.iter().filter(|(position, _)| batch.operations[*position].model == model).collect();
            if created.is_empty() {
                continue;
            }
            let operations = batch.operations;
            let values = created.iter().flat_map(|(position, _)| operations[*position].values.keys());
            let readable = self.fields(model)?.readable.iter().filter(|field| *field != LINES);
            let fields = values.chain(readable).map(String::as_str).collect();
            let mut held = self.held(model, created.iter().map(|(_, id)| *id).collect(), &fields).await?;
            for &&(position, id) in &created {
                let mut record = held.remove(&id).unwrap_or_default();
                record
                    .retain(|field, _| is_comparable(field) && (field != LINES || import_lines(&operations[position])));
                batch.finish(position, OpStatus::Created, id).written = Some(record);
            }
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// The id of an operation's customer, as far as known.
    pub(super) fn customer(&self, operation: &ReadyOperation) -> Option<i64> {
        let partner = operation.values.get("partner_id")?;
        match partner.get("ref").and_then(Value::as_str) {
            Some(reference) => self.ids.get(&(Model::Partner, reference.to_owned())).copied(),
            None => partner.as_i64(),
        }
    }
}

/// Odoo's own fields change with every write, and are nobody's opinion.
fn is_comparable(field: &str) -> bool {
    !matches!(field, "id" | "create_date" | "write_date" | "date_last_stage_update")
}

fn has_lines(operation: &ReadyOperation) -> bool {
    operation.values.get(LINES).and_then(Value::as_array).is_some_and(|lines| !lines.is_empty())
}

/// Whether the order's lines can go along with it. In an import an empty cell means zero or nothing, and not "what
/// Odoo thinks best", so all lines must have the same parts.
fn import_lines(operation: &ReadyOperation) -> bool {
    let mut parts = operation.values.get(LINES).and_then(Value::as_array).into_iter().flatten().map(line_parts);
    let first = parts.next();
    parts.all(|parts| Some(parts) == first)
}

fn line_parts(line: &Value) -> Vec<&str> {
    LINE_FIELDS.into_iter().filter(|&part| !line[part].is_null()).collect()
}

/// The cells of each line. Each has its own external id, so that a repeated import finds it.
fn line_cells(operation: &ReadyOperation) -> Vec<BTreeMap<String, String>> {
    let lines = operation.values.get(LINES).and_then(Value::as_array).into_iter().flatten();
    lines
        .enumerate()
        .map(|(index, line)| {
            let parts = line_parts(line).into_iter().map(|part| {
                let column = if part == "product_id" { "product_id/.id" } else { part };
                (format!("{LINES}/{column}"), plain_text(&line[part]))
            });
            let id = (format!("{LINES}/id"), format!("{}_line_{index}", operation.xmlid));
            parts.chain([id]).collect()
        })
        .collect()
}

/// Column and cell of a value. Empty values are left out: an empty cell would override Odoo's default.
fn cell(fields: &FieldMap, field: &str, value: &Value) -> Option<(String, String)> {
    let column = |suffix: &str| format!("{field}{suffix}");
    match (fields.kind(field)?, value) {
        (_, Value::Null) => None,
        (FieldKind::Many2one, Value::Object(reference)) => {
            let reference = reference.get("ref").and_then(Value::as_str)?;
            Some((column("/id"), crate::odoo::xmlid_for(Model::Partner, reference)))
        }
        (FieldKind::Many2one, value) => Some((column("/.id"), plain_text(value))),
        (FieldKind::Many2many, Value::Array(ids)) if ids.is_empty() => None,
        (FieldKind::Many2many, Value::Array(ids)) => {
            Some((column("/.id"), ids.iter().map(plain_text).collect::<Vec<_>>().join(",")))
        }
        (_, value) => Some((field.to_owned(), plain_text(value))),
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        value => value.to_string(),
    }
}

/// The imports whose rows an error speaks of.
fn blamed(message: &LoadMessage, owners: &[usize]) -> Vec<usize> {
    match message.rows {
        Some((first, last)) if message.is_error => {
            owners.get(first..=last.min(owners.len().saturating_sub(1))).unwrap_or_default().to_vec()
        }
        _ => Vec::new(),
    }
}

/// What to load next: the blamed alone and the others together, or halves where all or none is blamed.
fn split(mut part: Vec<Import>, blamed: &BTreeSet<usize>) -> Vec<Vec<Import>> {
    if blamed.is_empty() || blamed.len() == part.len() {
        let second = part.split_off(part.len() / 2);
        return vec![second, part];
    }
    let (alone, together): (Vec<_>, Vec<_>) =
        part.into_iter().enumerate().partition(|(index, _)| blamed.contains(index));
    let together = together.into_iter().map(|(_, import)| import).collect();
    alone.into_iter().map(|(_, import)| vec![import]).chain([together]).collect()
}

/// What Odoo said about one operation, each thing once.
fn words(messages: &[LoadMessage]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for message in messages.iter().filter(|message| message.is_error) {
        if !words.contains(&message.message.as_str()) {
            words.push(&message.message);
        }
    }
    if words.is_empty() { "Odoo gave no reason".to_owned() } else { words.join("; ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_go_along_only_if_they_have_the_same_parts() {
        for (lines, expected) in [
            (json!([]), true),
            (json!([{"product_id": 1}, {"product_id": 2, "price_unit": null}]), true),
            (json!([{"product_id": 1, "price_unit": 5}, {"product_id": 2}]), false),
        ] {
            let operation = ReadyOperation {
                key: String::new(),
                model: Model::Order,
                action: crate::domain::Action::Upsert,
                reference: "o".to_owned(),
                id: None,
                xmlid: "x.o".to_owned(),
                values: [(LINES.to_owned(), lines.clone())].into_iter().collect(),
                base: None,
                owned: Vec::new(),
                create_only: Vec::new(),
                silent: false,
                matching: None,
                message: None,
                mark: None,
                profile: None,
                owner: None,
                flags: None,
                bound_id: None,
            };
            assert_eq!(import_lines(&operation), expected, "{lines}");
        }
    }

    #[test]
    fn blames_the_order_whose_line_is_wrong() {
        let owners = [0, 1, 1, 2];
        let message = |rows, is_error| LoadMessage { is_error, rows, message: String::new() };
        assert_eq!(blamed(&message(Some((2, 2)), true), &owners), [1]);
        assert_eq!(blamed(&message(Some((1, 9)), true), &owners), [1, 1, 2]);
        assert!(blamed(&message(Some((9, 9)), true), &owners).is_empty());
        assert!(blamed(&message(Some((0, 0)), false), &owners).is_empty());
        assert!(blamed(&message(None, true), &owners).is_empty());
    }
}
