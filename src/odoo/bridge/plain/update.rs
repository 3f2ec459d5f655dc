//! Updating records by a three-way merge: read what Odoo holds, decide per field, write what is left.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{Batch, LINE_FIELDS, LINES, PlainBridge, context, on_records};
use crate::{
    domain::{Model, OpResult, OpStatus},
    odoo::{
        Applied, Call, FieldKind, FieldMap, OdooError, ReadyOperation, Search,
        bridge::merge::{self, Decision},
        fields::escape_html,
    },
};

/// What is to be done with one record.
struct Plan {
    position: usize,
    id: i64,
    /// Incoming values, references resolved.
    new: Map<String, Value>,
    /// What Odoo held before.
    now: Map<String, Value>,
    write: Vec<String>,
    kept: Vec<String>,
}

/// Records that get the same values in one call: model, silent, values as text.
type WriteKey = (Model, bool, String);

impl PlainBridge {
    pub(super) async fn update(&self, batch: &mut Batch<'_>, positions: &[usize]) -> Result<(), OdooError> {
        let mut plans = Vec::new();
        for model in [Model::Partner, Model::Lead, Model::Order] {
            let positions: Vec<usize> =
                positions.iter().copied().filter(|&position| batch.operations[position].model == model).collect();
            plans.extend(self.plan(batch, model, &positions).await?);
        }
        self.carry_out(batch, plans).await
    }

    /// Adds the lines of orders that were just created without them. If a person, or an earlier attempt, was faster,
    /// what is there stays.
    pub(super) async fn add_lines(&self, batch: &mut Batch<'_>, positions: &[usize]) -> Result<(), OdooError> {
        let operations: Vec<ReadyOperation> = positions
            .iter()
            .map(|&position| {
                let operation = &batch.operations[position];
                let lines = operation.values.iter().filter(|(field, _)| *field == LINES);
                let values = lines.map(|(field, lines)| (field.clone(), lines.clone())).collect();
                ReadyOperation { values, base: None, bound_id: batch.id(position), ..operation.clone() }
            })
            .collect();
        let mut added = Batch::new(&operations);
        self.update(&mut added, &Vec::from_iter(0..operations.len())).await?;
        for (&position, added) in positions.iter().zip(added.applied) {
            match (added, batch.applied[position].as_mut()) {
                (Some(Applied { result: OpResult { error: Some(error), .. }, .. }), _) => {
                    batch.refuse(position, error.kind, error.message);
                }
                (Some(Applied { written: Some(lines), .. }), Some(Applied { written: Some(written), .. })) => {
                    written.extend(lines);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the records of one model and decides.
    async fn plan(&self, batch: &mut Batch<'_>, model: Model, positions: &[usize]) -> Result<Vec<Plan>, OdooError> {
        let Some(fields) = self.fields.get(&model) else { return Ok(Vec::new()) };
        let mut known = Vec::new();
        for &position in positions {
            match (batch.id(position), incoming(fields, batch, &batch.operations[position])) {
                (Some(id), Ok(new)) => known.push((position, id, new)),
                (None, _) => batch.refuse_unknown(position),
                (_, Err(reason)) => batch.refuse(position, "ValidationError", reason),
            }
        }
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut fields: BTreeSet<&str> = known.iter().flat_map(|(_, _, new)| new.keys()).map(String::as_str).collect();
        if model == Model::Order {
            fields.insert("state");
        }
        let mut held = self.held(model, known.iter().map(|(_, id, _)| *id).collect(), &fields).await?;
        let mut plans = Vec::new();
        for (position, id, new) in known {
            let Some(now) = held.remove(&id) else {
                batch.finish(position, OpStatus::Gone, id);
                continue;
            };
            let plan = Plan::new(&batch.operations[position], position, id, new, now);
            if model == Model::Order && !plan.write.is_empty() && !is_quotation(&plan.now) {
                batch.refuse(position, "UserError", "The order is not a quotation any more.");
            } else {
                plans.push(plan);
            }
        }
        Ok(plans)
    }

    async fn carry_out(&self, batch: &mut Batch<'_>, plans: Vec<Plan>) -> Result<(), OdooError> {
        let mut refused = self.write(batch.operations, &plans).await?;
        let (refused_plans, plans): (Vec<_>, Vec<_>) =
            plans.into_iter().partition(|plan| refused.contains_key(&plan.position));
        for plan in refused_plans {
            if let Some(error) = refused.remove(&plan.position) {
                batch.refuse_with(plan.position, error);
            }
        }
        self.note_kept(batch.operations, &plans).await?;
        self.conclude(batch, plans).await
    }

    /// Writes, with one call for all records that get the same. Returns what Odoo refused, by position.
    async fn write(
        &self,
        operations: &[ReadyOperation],
        plans: &[Plan],
    ) -> Result<HashMap<usize, OdooError>, OdooError> {
        let orders: Vec<i64> =
            plans.iter().filter(|plan| plan.write.iter().any(|field| field == LINES)).map(|plan| plan.id).collect();
        let line_ids = self.lines(orders, &["id", "product_id"], None).await?;
        let mut writes: BTreeMap<WriteKey, (Map<String, Value>, Vec<&Plan>)> = BTreeMap::new();
        for plan in plans.iter().filter(|plan| !plan.write.is_empty()) {
            let operation = &operations[plan.position];
            let fields = self.fields(operation.model)?;
            let lines = line_ids.get(&plan.id).map_or(&[][..], Vec::as_slice);
            let values: Map<String, Value> = plan
                .write
                .iter()
                .map(|field| (field.clone(), written_form(fields, field, &plan.new[field.as_str()], lines)))
                .collect();
            let key = (operation.model, operation.silent, json!(values).to_string());
            writes.entry(key).or_insert_with(|| (values, Vec::new())).1.push(plan);
        }
        let mut refused = HashMap::new();
        for ((model, silent, _), (values, plans)) in writes {
            let mut call = Call::new(model.as_str(), "write").arg("vals", values);
            call.context = context(silent);
            let ids = plans.iter().map(|plan| plan.id).collect();
            let mut failed: HashMap<i64, OdooError> = on_records(&self.client, call, ids).await?.into_iter().collect();
            refused.extend(plans.iter().filter_map(|plan| Some((plan.position, failed.remove(&plan.id)?))));
        }
        Ok(refused)
    }

    /// The subtype of internal notes: without it a message would look like one to the customer.
    pub(super) async fn note_subtype(&self) -> Result<Value, OdooError> {
        let subtype = Search {
            limit: Some(1),
            ..Search::new(
                "mail.message.subtype",
                json!([["internal", "=", true], ["default", "=", false], ["res_model", "=", false]]),
            )
        };
        let subtype = self.client.search_read(subtype.fields(["id"])).await?;
        Ok(subtype.first().map(|subtype| subtype["id"].clone()).unwrap_or(Value::Bool(false)))
    }

    /// Notes on the records what was not taken over, in one call. A note is a courtesy: if Odoo refuses it, the
    /// operations stand.
    async fn note_kept(&self, operations: &[ReadyOperation], plans: &[Plan]) -> Result<(), OdooError> {
        let mut notes = Vec::new();
        for plan in plans.iter().filter(|plan| !plan.kept.is_empty()) {
            let operation = &operations[plan.position];
            // Whoever writes on does not describe the lead anew, whom a person named is called so, and of a known person
            // all that came is told.
            let is_known = operation.matching.as_ref().is_some_and(|matching| matching.decision.is_some());
            if operation.silent || operation.message.is_some() || operation.profile.is_some() || is_known {
                continue;
            }
            let model = operations[plan.position].model;
            let body = note(self.fields(model)?, plan);
            notes.push(json!({
                "model": model.as_str(), "res_id": plan.id, "body": body,
                "message_type": "comment", "is_internal": true,
            }));
        }
        if notes.is_empty() {
            return Ok(());
        }
        let created = async {
            let subtype = self.note_subtype().await?;
            notes.iter_mut().for_each(|note| note["subtype_id"] = subtype.clone());
            self.client.call(Call::new("mail.message", "create").arg("vals_list", notes)).await
        };
        match created.await {
            Ok(_) => Ok(()),
            Err(OdooError::Access { .. } | OdooError::Refused { .. }) => {
                tracing::debug!("Odoo refuses notes on records");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads back what was written, so that a sanitised text or a rounded number becomes *ours*.
    async fn conclude(&self, batch: &mut Batch<'_>, plans: Vec<Plan>) -> Result<(), OdooError> {
        for model in [Model::Partner, Model::Lead, Model::Order] {
            let written: Vec<&Plan> = plans
                .iter()
                .filter(|plan| batch.operations[plan.position].model == model && !plan.write.is_empty())
                .collect();
            let mut held = HashMap::new();
            if !written.is_empty() {
                let fields = written.iter().flat_map(|plan| &plan.write).map(String::as_str).collect();
                held = self.held(model, written.iter().map(|plan| plan.id).collect(), &fields).await?;
            }
            for plan in plans.iter().filter(|plan| batch.operations[plan.position].model == model) {
                let mut ours = plan.agreed();
                if let Some(record) = held.remove(&plan.id) {
                    ours.extend(record.into_iter().filter(|(field, _)| plan.write.contains(field)));
                }
                let status = if plan.write.is_empty() { OpStatus::Unchanged } else { OpStatus::Updated };
                let applied = batch.finish(plan.position, status, plan.id);
                applied.result.kept = plan.kept.clone();
                applied.written = Some(ours);
            }
        }
        Ok(())
    }
}

impl Plan {
    fn new(
        operation: &ReadyOperation,
        position: usize,
        id: i64,
        new: Map<String, Value>,
        now: Map<String, Value>,
    ) -> Self {
        let (mut write, mut kept) = (Vec::new(), Vec::new());
        for (field, value) in &new {
            let ours = operation.base.as_ref().and_then(|base| base.get(field));
            match merge::decide(ours, now.get(field).unwrap_or(&Value::Null), value, operation.owned.contains(field)) {
                Decision::Nothing => {}
                Decision::Write => write.push(field.clone()),
                Decision::Keep => kept.push(field.clone()),
            }
        }
        // In one order for all records, so that equal writes are recognised.
        write.sort();
        kept.sort();
        Self { position, id, new, now, write, kept }
    }

    /// The fields in which Odoo held the incoming value already.
    fn agreed(&self) -> Map<String, Value> {
        let held = |field: &String| self.now.get(field).cloned().unwrap_or_default();
        self.new
            .iter()
            .map(|(field, new)| (field.clone(), held(field), new))
            .filter(|(_, now, new)| merge::same(now, new))
            .map(|(field, now, _)| (field, now))
            .collect()
    }
}

/// The operation's values, fit for the fields, references resolved. The error says what is wrong with them.
fn incoming(fields: &FieldMap, batch: &Batch<'_>, operation: &ReadyOperation) -> Result<Map<String, Value>, String> {
    let mut values = operation.values.clone();
    operation.create_only.iter().for_each(|field| {
        values.remove(field);
    });
    fields.fit(&mut values);
    if let Some(partner) = values.get_mut("partner_id")
        && partner.is_object()
    {
        let unknown = || format!("nothing is known under the reference {}", partner["ref"]);
        *partner = batch.customer(operation).ok_or_else(unknown)?.into();
    }
    Ok(values)
}

fn is_quotation(order: &Map<String, Value>) -> bool {
    order.get("state").and_then(Value::as_str).is_some_and(|state| matches!(state, "draft" | "sent"))
}

/// A value as `write` takes it.
fn written_form(fields: &FieldMap, field: &str, new: &Value, lines: &[Value]) -> Value {
    if field == LINES {
        return Value::Array(line_commands(new.as_array().map_or(&[], Vec::as_slice), lines));
    }
    match (fields.kind(field), new) {
        (Some(FieldKind::Many2many), Value::Array(ids)) => json!([[6, 0, ids]]),
        (Some(FieldKind::Many2many), Value::Null) => json!([[6, 0, []]]),
        (_, Value::Null) => Value::Bool(false),
        (_, value) => value.clone(),
    }
}

/// Turns an order's lines into the incoming ones: in place where the product stays, else anew.
fn line_commands(new: &[Value], held: &[Value]) -> Vec<Value> {
    let mut commands = Vec::new();
    for index in 0..new.len().max(held.len()) {
        let values = new.get(index).map(|line| line_values(line, index));
        match (new.get(index).zip(held.get(index)), values) {
            (Some((new, held)), Some(values)) if new["product_id"] == held["product_id"] => {
                commands.push(json!([1, held["id"], values]));
            }
            (_, values) => {
                commands.extend(held.get(index).map(|held| json!([2, held["id"], false])));
                commands.extend(values.map(|values| json!([0, 0, values])));
            }
        }
    }
    commands
}

/// A line's values, and its place: new lines would come after those that stay.
fn line_values(line: &Value, index: usize) -> Map<String, Value> {
    LINE_FIELDS
        .into_iter()
        .filter(|&part| !line[part].is_null())
        .map(|part| (part.to_owned(), line[part].clone()))
        .chain([("sequence".to_owned(), json!(index + 1))])
        .collect()
}

/// What a person reads on the record.
fn note(fields: &FieldMap, plan: &Plan) -> String {
    let items: String = plan
        .kept
        .iter()
        .map(|field| {
            let label = fields.types.get(field).map_or(field.as_str(), |field| field.label.as_str());
            let values = match (fields.kind(field), plan.now.get(field), plan.new.get(field)) {
                (Some(FieldKind::Many2one | FieldKind::Many2many | FieldKind::One2many), ..) => String::new(),
                (_, Some(now), Some(new)) => format!(": yours {}, incoming {}", shown(now), shown(new)),
                _ => String::new(),
            };
            format!("<li>{}{}</li>", escape_html(label), escape_html(&values))
        })
        .collect();
    format!("<p>G-Assistant kept your values:</p><ul>{items}</ul>")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_in_place_where_the_product_does() {
        let held =
            [json!({"id": 7, "product_id": 1}), json!({"id": 8, "product_id": 2}), json!({"id": 9, "product_id": 3})];
        let new = [json!({"product_id": 1, "product_uom_qty": 5}), json!({"product_id": 4, "name": null})];
        assert_eq!(
            line_commands(&new, &held),
            [
                json!([1, 7, {"product_id": 1, "product_uom_qty": 5, "sequence": 1}]),
                json!([2, 8, false]),
                json!([0, 0, {"product_id": 4, "sequence": 2}]),
                json!([2, 9, false]),
            ]
        );
    }
}
