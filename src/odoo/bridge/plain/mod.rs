//! The bridge without the addon: Odoo 14 and later, Odoo Online included, by methods that every Odoo has.
//!
//! - Creating is `load` with an external id per reference, which is idempotent: a repeated batch finds its records
//!   again instead of making second ones, lines of orders included.
//! - Updating reads, merges here and writes. Between the reading and the writing a person may save: that is the price
//!   of doing it from outside, and the addon does not pay it.
//! - A batch runs in rounds, as operations may build on one another. Each round takes a fixed number of calls, plus
//!   some for each operation that Odoo refuses.
//! - What Odoo refuses is a result; an error is never the fault of one operation.

mod create;
mod files;
mod known;
mod owner;
mod read;
mod state;
mod talk;
mod update;

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Map, Value, json};

use super::{BridgeInfo, DatabaseState, fields_of_all, missing_of};
use crate::{
    domain::{Action, Model, OpError, OpResult, OpStatus},
    odoo::{Applied, Call, Class, Client, FieldMap, OdooError, ReadyOperation, Search, client::unexpected},
};

/// The parts of an order line that an operation may set.
const LINE_FIELDS: [&str; 5] = ["product_id", "name", "product_uom_qty", "price_unit", "discount"];

/// The field that is merged as a whole, line by line.
const LINES: &str = "order_line";

/// Calls Odoo's own methods.
#[derive(Debug)]
pub struct PlainBridge {
    pub(super) client: Client,
    pub(super) info: BridgeInfo,
    pub(super) fields: HashMap<Model, FieldMap>,
    /// The company that leads without salesperson and team belong to.
    company: Option<i64>,
    /// Whether the user may look up external ids. Found out by trying.
    sees_external_ids: AtomicBool,
    /// How many leads salespeople with a limit have open.
    open: tokio::sync::Mutex<HashMap<i64, owner::Open>>,
}

/// A batch on its way through the rounds.
struct Batch<'a> {
    operations: &'a [ReadyOperation],
    /// One slot per operation, filled when it has ended.
    applied: Vec<Option<Applied>>,
    /// The records that references stand for, as far as known.
    ids: HashMap<(Model, String), i64>,
}

/// A record that operations come one after another for.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Lane {
    Reference(Model, String),
    Record(Model, i64),
}

impl PlainBridge {
    pub(super) async fn open(client: Client) -> Result<Self, OdooError> {
        let fields = fields_of_all(&client).await?;
        let company = match client.company() {
            Some(company) => Some(company),
            None => default_company(&client).await?,
        };
        let mut info = BridgeInfo { missing: missing_of(&fields), ..BridgeInfo::default() };
        for model in Model::MIRRORED {
            if let Some(fields) = fields.get(&model) {
                // Asked now, so that a user without rights is found out before there is work to lose.
                client.search_count(model.as_str(), json!([["id", "=", 0]])).await?;
                info.fields.insert(model, fields.readable.clone());
            }
        }
        let (sees_external_ids, open) = (AtomicBool::new(true), tokio::sync::Mutex::default());
        Ok(Self { client, info, fields, company, sees_external_ids, open })
    }

    pub(super) async fn guard(&self) -> Result<DatabaseState, OdooError> {
        let parameter = async |name: &str| {
            let call = Call::new("ir.config_parameter", "get_param").arg("key", name);
            match self.client.call(call).await {
                // `False` where there is no such parameter.
                Ok(value) => Ok(Some(value.as_str().map(str::to_owned))),
                Err(OdooError::Access { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let Some(uuid) = parameter("database.uuid").await? else { return Ok(DatabaseState::default()) };
        let neutralized = parameter("database.is_neutralized").await?;
        Ok(DatabaseState { uuid, neutralized: neutralized.map(|value| value.is_some()) })
    }

    pub(super) async fn apply(&self, operations: &[ReadyOperation]) -> Result<Vec<Applied>, OdooError> {
        let mut batch = Batch::new(operations);
        for (position, operation) in operations.iter().enumerate() {
            if let Some(reason) = self.unfit(operation) {
                batch.refuse(position, "ValidationError", reason);
            }
        }
        self.find_references(&mut batch).await?;
        batch.pass_over();
        // Each round ends at least one operation.
        for _ in operations {
            let ready = batch.ready();
            if ready.is_empty() {
                break;
            }
            let messages: Vec<_> =
                ready.iter().copied().filter(|&position| operations[position].message.is_some()).collect();
            let (creates, existing): (Vec<_>, Vec<_>) = ready
                .into_iter()
                .partition(|&position| operations[position].action == Action::Upsert && batch.id(position).is_none());
            let (updates, states): (Vec<_>, Vec<_>) = existing
                .into_iter()
                .partition(|&position| matches!(operations[position].action, Action::Upsert | Action::Update));
            let sorted = self.sort(&mut batch, creates).await?;
            let updates: Vec<_> = updates.into_iter().chain(sorted.attach.iter().copied()).collect();
            self.create(&mut batch, &sorted.create).await?;
            self.update(&mut batch, &updates).await?;
            self.tell_known(&batch, &sorted).await?;
            self.change_state(&mut batch, &states).await?;
            self.post(&mut batch, &messages).await?;
        }
        batch.applied.into_iter().map(|applied| applied.ok_or_else(|| unexpected("apply"))).collect()
    }

    /// Why the operation cannot be sent at all.
    fn unfit(&self, operation: &ReadyOperation) -> Option<String> {
        let model = operation.model;
        if operation.action == Action::Mark {
            return None;
        }
        let Some(fields) = self.fields.get(&model) else { return Some(format!("this Odoo has no model {model}")) };
        if matches!(operation.action, Action::Confirm | Action::Cancel) && model != Model::Order {
            return Some("only an order can be confirmed or cancelled".to_owned());
        }
        let unknown = operation.values.keys().find(|field| !fields.writable(field));
        unknown.map(|field| format!("{model} has no field {field:?} to write"))
    }

    /// Finds the records of references that the daemon's store does not know: after an answer was lost, or the store.
    /// Where the user may not see external ids, `load` finds them all the same, but overwrites what it finds.
    async fn find_references(&self, batch: &mut Batch<'_>) -> Result<(), OdooError> {
        let wanted = batch.unknown_references();
        if wanted.is_empty() || !self.sees_external_ids.load(Ordering::Relaxed) {
            return Ok(());
        }
        let names: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let search = Search::new("ir.model.data", json!([["module", "=", XMLID_MODULE], ["name", "in", names]]))
            .fields(["name", "model", "res_id"]);
        let found = match self.client.search_read(search).await {
            Ok(found) => found,
            Err(OdooError::Access { .. }) => {
                self.sees_external_ids.store(false, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for data in found {
            let lane = data["name"].as_str().and_then(|name| wanted.get(name));
            if let (Some((model, reference)), Some(id)) = (lane, data["res_id"].as_i64())
                && data["model"] == model.as_str()
            {
                batch.ids.insert((*model, reference.clone()), id);
            }
        }
        Ok(())
    }

    fn fields(&self, model: Model) -> Result<&FieldMap, OdooError> {
        self.fields.get(&model).ok_or_else(|| unexpected(model.as_str()))
    }
}

/// The module part of the daemon's external ids. No module has this name, so no upgrade touches them.
const XMLID_MODULE: &str = "__gassist__";

impl<'a> Batch<'a> {
    fn new(operations: &'a [ReadyOperation]) -> Self {
        let ids = operations
            .iter()
            .filter_map(|operation| Some(((operation.model, operation.reference.clone()), operation.bound_id?)))
            .collect();
        Self { operations, applied: vec![None; operations.len()], ids }
    }

    /// The record that an operation is about, as far as known.
    fn id(&self, position: usize) -> Option<i64> {
        let operation = &self.operations[position];
        self.ids.get(&(operation.model, operation.reference.clone())).copied().or(operation.id)
    }

    fn lane(&self, position: usize) -> Lane {
        let operation = &self.operations[position];
        match self.id(position) {
            Some(id) => Lane::Record(operation.model, id),
            None => Lane::Reference(operation.model, operation.reference.clone()),
        }
    }

    /// Name of the external id → reference, for all references whose record is not known.
    fn unknown_references(&self) -> HashMap<String, (Model, String)> {
        let own = self.operations.iter().map(|operation| (operation.model, operation.reference.as_str()));
        let customers = self.operations.iter().filter_map(customer_reference).map(|name| (Model::Partner, name));
        own.chain(customers)
            .filter(|(_, reference)| !reference.is_empty())
            .map(|(model, reference)| (model, reference.to_owned()))
            .filter(|lane| !self.ids.contains_key(lane))
            .filter_map(|(model, reference)| {
                let xmlid = crate::odoo::xmlid_for(model, &reference);
                let (_, name) = xmlid.split_once('.')?;
                Some((name.to_owned(), (model, reference)))
            })
            .collect()
    }

    /// The operations that can run now: the first on each record, unless it refers to a customer that an earlier
    /// operation is still to create.
    fn ready(&self) -> Vec<usize> {
        let mut busy = HashSet::new();
        let mut ready = Vec::new();
        for position in (0..self.operations.len()).filter(|&position| self.applied[position].is_none()) {
            let waits = customer_reference(&self.operations[position])
                .is_some_and(|name| busy.contains(&Lane::Reference(Model::Partner, name.to_owned())));
            // The lane is taken in either case: later operations on the record must not overtake.
            let free = busy.insert(self.lane(position));
            if free && !waits {
                ready.push(position);
            }
        }
        ready
    }

    fn finish(&mut self, position: usize, status: OpStatus, id: i64) -> &mut Applied {
        let operation = &self.operations[position];
        if !operation.reference.is_empty() {
            self.ids.insert((operation.model, operation.reference.clone()), id);
        }
        let result = OpResult {
            key: operation.key.clone(),
            status,
            id: Some(id),
            kept: Vec::new(),
            error: None,
            replayed: false,
            candidates: Vec::new(),
            held: Vec::new(),
        };
        self.applied[position].insert(Applied { result, written: Some(Map::new()) })
    }

    fn refuse(&mut self, position: usize, kind: impl Into<String>, message: impl Into<String>) {
        let result = OpResult {
            key: self.operations[position].key.clone(),
            status: OpStatus::Refused,
            id: self.id(position),
            kept: Vec::new(),
            error: Some(OpError { kind: kind.into(), message: message.into() }),
            replayed: false,
            candidates: Vec::new(),
            held: Vec::new(),
        };
        self.applied[position] = Some(Applied { result, written: None });
    }

    fn refuse_with(&mut self, position: usize, error: OdooError) {
        match error {
            OdooError::Refused { kind, message } => self.refuse(position, kind, message),
            OdooError::Access { message } => self.refuse(position, "AccessError", message),
            other => self.refuse(position, "UserError", other.to_string()),
        }
    }

    /// For an operation on a record that nobody knows.
    fn refuse_unknown(&mut self, position: usize) {
        let message = format!("nothing is known under the reference {:?}", self.operations[position].reference);
        self.refuse(position, "ValidationError", message);
    }
}

/// The reference of the customer that an operation's `partner_id` stands for.
fn customer_reference(operation: &ReadyOperation) -> Option<&str> {
    operation.values.get("partner_id")?.get("ref")?.as_str()
}

/// Context for writing. A machine's records need no follower and no "created" line; a back-fill needs no trace at all.
fn context(silent: bool) -> Map<String, Value> {
    const LIVE: [&str; 2] = ["mail_create_nosubscribe", "mail_create_nolog"];
    const SILENT: [&str; 3] = ["tracking_disable", "mail_notrack", "mail_auto_subscribe_no_notify"];
    let silent: &[&str] = if silent { &SILENT } else { &[] };
    LIVE.iter().chain(silent).map(|key| ((*key).to_owned(), Value::Bool(true))).collect()
}

/// Makes a call on many records and, if Odoo refuses, on halves of them, until what it refuses stands alone. Returns
/// the refused ones.
async fn on_records(client: &Client, call: Call, ids: Vec<i64>) -> Result<Vec<(i64, OdooError)>, OdooError> {
    let mut refused = Vec::new();
    let mut waiting = vec![ids];
    while let Some(mut ids) = waiting.pop() {
        match client.call(call.clone().on(ids.iter().copied())).await {
            Ok(_) => {}
            Err(error) if error.class() != Class::Permanent => return Err(error),
            Err(error) if ids.len() == 1 => refused.push((ids[0], error)),
            Err(_) => {
                let second = ids.split_off(ids.len() / 2);
                waiting.extend([second, ids]);
            }
        }
    }
    Ok(refused)
}

async fn default_company(client: &Client) -> Result<Option<i64>, OdooError> {
    let users = client.read("res.users", vec![client.info().uid], &["company_id".to_owned()]).await?;
    Ok(users.first().and_then(|user| user["company_id"][0].as_i64()))
}

#[cfg(test)]
mod tests;
