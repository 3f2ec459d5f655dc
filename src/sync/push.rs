//! Push: a batch of operations from the outbox into Odoo, in as few calls as there can be.

use std::{borrow::Cow, collections::HashMap};

use crate::{
    config::Duplicates,
    domain::{Candidate, Model, OWN_FIELDS, OpResult, OpStatus, Operation},
    intake::duplicates,
    odoo::{Applied, Class, OdooError, ReadyOperation},
    store::{Binding, Store, StoreError},
    sync::{
        Session, own,
        prepare::{self, Known, Prepared, Preparer},
    },
};

/// How one operation ended.
#[derive(Debug)]
pub enum Pushed {
    /// In Odoo. The binding is for the store.
    Done(Box<OpResult>, Option<Binding>),
    /// Refused for good, in Odoo's words or ours.
    Refused(String),
    /// The call failed; its class says what now.
    Failed(OdooError),
    /// Leads of the same person keep coming: it is its turn with the next batch.
    Later,
    /// These flags want a person to look first.
    Held(Vec<String>),
}

/// Which fields the daemon owns, per model.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    /// Of `crm.lead`.
    pub lead: Vec<String>,
    /// Of `sale.order`.
    pub order: Vec<String>,
}

impl Owned {
    /// Those of the configuration, and the addon's own.
    fn of(&self, operation: &Operation) -> Vec<String> {
        let configured = match operation.model {
            Model::Lead => self.lead.as_slice(),
            Model::Order => self.order.as_slice(),
            Model::Partner | Model::Message => &[],
        };
        let own = operation.values.keys().filter(|field| field.starts_with(OWN_FIELDS));
        configured.iter().chain(own).cloned().collect()
    }
}

/// The field of leads by which an addon is known that takes messages: an older one would leave them out.
const CONVERSATIONS: &str = "g_assistant_conversation_ids";
const OLD_ADDON: &str = "the addon in Odoo knows no messages yet: update it to 1.2 or newer, then retry";

/// Most calls for one batch: each decides about the people of whom Odoo has others. Of several leads of one person in a
/// batch, each needs those before it to be there.
const ROUNDS: usize = 8;

/// Sends `operations` and says how each ended, in order. With each, whether a person has looked at it.
pub async fn push(
    session: &Session,
    store: &Store,
    owned: &Owned,
    policy: &Duplicates,
    operations: &[(Operation, bool)],
) -> Result<Vec<Pushed>, StoreError> {
    let reviewed: Vec<bool> = operations.iter().map(|(_, reviewed)| *reviewed).collect();
    let has = |field: &str| session.bridge.has_field(Model::Lead, field);
    let operations: Vec<Cow<'_, Operation>> =
        operations.iter().map(|(operation, _)| own::fit(operation, has)).collect();
    let operations: Vec<&Operation> = operations.iter().map(Cow::as_ref).collect();
    let questions = prepare::questions(operations.iter().copied());
    let _customers = match questions.partners.is_empty() {
        true => None,
        false => Some(session.customers.lock().await),
    };
    let answers = match session.answer(questions, true).await {
        Ok(answers) => answers,
        Err(error) => return Ok(operations.iter().map(|_| Pushed::Failed(error.clone())).collect()),
    };
    let bindings = known_bindings(store, &operations).await?;
    let mut preparer = Preparer::new(&answers);
    let mut outcomes: Vec<Option<Pushed>> = Vec::with_capacity(operations.len());
    let mut units = Vec::with_capacity(operations.len());
    let takes_messages = session.bridge.info().addon.is_none() || has(CONVERSATIONS);
    for (position, operation) in operations.iter().enumerate() {
        let of_messages = operation.message.is_some() || operation.mark.is_some() || operation.profile.is_some();
        if of_messages && !takes_messages {
            outcomes.push(Some(Pushed::Refused(OLD_ADDON.to_owned())));
            continue;
        }
        let binding = bindings.get(&(operation.model, operation.reference.clone()));
        let known = Known {
            bound_id: binding.map(|binding| binding.record_id),
            base: binding.map(|binding| binding.written.clone()),
            owned: owned.of(operation),
            reviewed: reviewed[position],
        };
        match preparer.prepare(operation, known) {
            Ok(prepared) => {
                outcomes.push(None);
                units.push((position, prepared));
            }
            Err(reason) => outcomes.push(Some(Pushed::Refused(reason))),
        }
    }
    for _ in 0..ROUNDS {
        let mut undecided = Vec::new();
        for (position, answer) in apply(session, &units).await {
            match answer {
                Answer::Pushed(pushed) => outcomes[position] = Some(*pushed),
                Answer::Undecided(candidates) => undecided.push((position, candidates)),
            }
        }
        units = decided(units, undecided, policy);
        if units.is_empty() {
            break;
        }
    }
    for (position, _) in units {
        outcomes[position] = Some(Pushed::Later);
    }
    Ok(outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| Pushed::Refused("Odoo's answer left this operation out".to_owned())))
        .collect())
}

/// What the daemon itself remembers of the records: all there is without the addon, and what the addon takes over when
/// it is installed later.
async fn known_bindings(
    store: &Store,
    operations: &[&Operation],
) -> Result<HashMap<(Model, String), Binding>, StoreError> {
    let mut bindings = HashMap::new();
    for model in Model::MIRRORED {
        let references: Vec<String> = operations
            .iter()
            .filter(|operation| operation.model == model)
            .map(|operation| operation.reference.clone())
            .collect();
        if !references.is_empty() {
            let found = store.bindings(model, references).await?;
            bindings.extend(found.into_iter().map(|(reference, binding)| ((model, reference), binding)));
        }
    }
    Ok(bindings)
}

type Unit = (usize, Prepared);

/// What Odoo says to one operation.
enum Answer {
    Pushed(Box<Pushed>),
    /// It waits for a decision about these.
    Undecided(Vec<Candidate>),
}

/// The units that wait for a decision, with it.
fn decided(units: Vec<Unit>, undecided: Vec<(usize, Vec<Candidate>)>, policy: &Duplicates) -> Vec<Unit> {
    let mut candidates: HashMap<usize, Vec<Candidate>> = undecided.into_iter().collect();
    let waiting = units.into_iter().filter_map(|(position, mut prepared)| {
        let candidates = candidates.remove(&position)?;
        if let Some(matching) = &mut prepared.operation.matching {
            matching.decision = Some(duplicates::decide(&matching.person, &candidates, policy));
        }
        Some((position, prepared))
    });
    waiting.collect()
}

/// Applies all units in one call. If Odoo refuses the call as such, halves until the unit that it refuses stands
/// alone, so one bad operation costs the others nothing but time.
async fn apply(session: &Session, units: &[Unit]) -> Vec<(usize, Answer)> {
    let mut outcomes = Vec::with_capacity(units.len());
    let mut waiting = vec![units];
    while let Some(units) = waiting.pop() {
        if units.is_empty() {
            continue;
        }
        let operations: Vec<ReadyOperation> = units
            .iter()
            .flat_map(|(_, prepared)| prepared.customer.iter().chain([&prepared.operation]))
            .cloned()
            .collect();
        match session.bridge.apply(&operations).await {
            Ok(applied) => outcomes.extend(read_answers(units, applied)),
            Err(error) if error.class() == Class::Permanent && units.len() > 1 => {
                let (first, second) = units.split_at(units.len() / 2);
                waiting.push(second);
                waiting.push(first);
            }
            Err(error) => {
                // A refusal concerns this unit alone; anything else would meet the waiting ones too.
                let rest = if error.class() == Class::Permanent { Vec::new() } else { std::mem::take(&mut waiting) };
                outcomes.extend(
                    units
                        .iter()
                        .chain(rest.into_iter().flatten())
                        .map(|(position, _)| (*position, Answer::Pushed(Box::new(failed(error.clone()))))),
                );
            }
        }
    }
    outcomes
}

fn failed(error: OdooError) -> Pushed {
    match error.class() {
        Class::Permanent => Pushed::Refused(error.to_string()),
        _ => Pushed::Failed(error),
    }
}

fn read_answers(units: &[Unit], applied: Vec<Applied>) -> Vec<(usize, Answer)> {
    let mut by_key: HashMap<String, Applied> =
        applied.into_iter().map(|applied| (applied.result.key.clone(), applied)).collect();
    let mut outcomes = Vec::with_capacity(units.len());
    for (position, prepared) in units {
        let customer = prepared.customer.as_ref().and_then(|customer| by_key.remove(&customer.key));
        let Some(Applied { result, written }) = by_key.remove(&prepared.operation.key) else {
            continue;
        };
        if result.status == OpStatus::Undecided {
            outcomes.push((*position, Answer::Undecided(result.candidates)));
            continue;
        }
        if result.status == OpStatus::Held {
            outcomes.push((*position, Answer::Pushed(Box::new(Pushed::Held(result.held)))));
            continue;
        }
        let answer = read_answer(&prepared.operation, customer, result, written);
        outcomes.push((*position, Answer::Pushed(Box::new(answer))));
    }
    outcomes
}

fn read_answer(
    operation: &ReadyOperation,
    customer: Option<Applied>,
    result: OpResult,
    written: Option<serde_json::Map<String, serde_json::Value>>,
) -> Pushed {
    if result.status == OpStatus::Refused {
        // An order without its customer fails for a reason that says nothing: tell the customer's instead.
        let customers = customer.and_then(|customer| customer.result.error);
        let error = customers.or(result.error);
        return Pushed::Refused(match error {
            Some(error) => format!("{}: {}", error.kind, error.message),
            None => "Odoo gave no reason".to_owned(),
        });
    }
    let binding = written.zip(result.id).map(|(written, record_id)| Binding {
        model: operation.model,
        reference: operation.reference.clone(),
        record_id,
        written,
    });
    Pushed::Done(Box::new(result), binding)
}
