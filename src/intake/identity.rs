//! Who a record is, and which operation this is.
//!
//! - reference: `<source>:<external id>`, equal for every delivery about the same thing; without an external id, the
//!   delivery's own place
//! - key: `<source>:<delivery key>:<index>`, equal whenever this delivery is planned again, and for nothing else
//! - of a message: the reference of its person's lead, and `<source>:message:<id>`, equal in whatever delivery it comes

use std::{collections::BTreeMap, fmt::Write};

use sha2::{Digest, Sha256};

use super::{IntakeContext, NewPush};
use crate::domain::{Action, Draft, FieldValue, Mark, Message, Model, Operation};

/// Odoo's limit for both is 255; some room is left for the action behind a key.
const MAX: usize = 245;

/// The identity of one draft of one delivery.
pub(super) struct Identity {
    model: Model,
    reference: String,
    key: String,
}

impl Identity {
    pub(super) fn new(source_id: &str, delivery_key: &str, index: usize, draft: &Draft) -> Self {
        let (model, external_id) = match draft {
            Draft::Lead(lead) => (Model::Lead, lead.external_id.as_deref()),
            Draft::Order(order) => (Model::Order, Some(order.external_id.as_str())),
            Draft::Message(draft) => {
                let Message { id, people, .. } = &draft.message;
                return Self::of_message(Model::Lead, source_id, people.first().unwrap_or(id), format!("message:{id}"));
            }
            Draft::Profile(profile) => (Model::Lead, profile.people.first().map(String::as_str)),
            Draft::Mark(Mark { id, people, status, account, at, .. }) => {
                let of_all = || format!("{account}:{}:{}", people.join(","), at.timestamp());
                let of = id.clone().unwrap_or_else(of_all);
                return Self::of_message(Model::Message, source_id, &of, format!("{status}:{of}"));
            }
        };
        let key = bounded(format!("{source_id}:{delivery_key}:{index}"));
        let reference = external_id.map_or_else(|| key.clone(), |id| bounded(format!("{source_id}:{id}")));
        Self { model, reference, key }
    }

    /// Known by the platform's ids, whatever delivery they come in.
    fn of_message(model: Model, source_id: &str, about: &str, key: String) -> Self {
        let named = |name: &str| bounded(format!("{source_id}:{name}"));
        Self { model, reference: named(about), key: named(&key) }
    }

    /// The record's reference.
    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    pub(super) fn push(&self, action: Action, values: BTreeMap<String, FieldValue>, ctx: &IntakeContext) -> NewPush {
        let Self { model, reference, key } = self;
        let (name, suffix) = match action {
            Action::Upsert => ("upsert", ""),
            Action::Update => ("update", ":update"),
            Action::Confirm => ("confirm", ":confirm"),
            Action::Cancel => ("cancel", ":cancel"),
            Action::Mark => ("mark", ""),
        };
        NewPush {
            record_key: format!("{model}|{reference}"),
            summary: format!("{model} {name} {reference}"),
            held: None,
            operation: Operation {
                key: format!("{key}{suffix}"),
                model: *model,
                action,
                reference: reference.clone(),
                values,
                create_only: Vec::new(),
                silent: ctx.silent,
                person: None,
                message: None,
                mark: None,
                profile: None,
                owner: None,
                late: None,
                traits: Vec::new(),
            },
        }
    }
}

/// The text itself, or if it is too long its start and a hash of all of it.
fn bounded(text: String) -> String {
    if text.chars().count() <= MAX {
        return text;
    }
    let digest = Sha256::digest(&text);
    let mut short: String = text.chars().take(MAX - 33).collect();
    short.push('~');
    for byte in &digest[..16] {
        // Writing to a string cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}
