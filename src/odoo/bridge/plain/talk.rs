//! Messages without the addon: a line in the history of their person's lead, with the time at which they were written.
//!
//! Each has an e-mail `message_id` made of its key, by which it is looked for before it is posted: a repeated operation
//! posts nothing. Whatever became of the lead, it is that person's; who is known by other means gets no lead less. What
//! becomes of messages has no place in this Odoo, and is not kept.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Batch, PlainBridge};
use crate::{
    domain::{Action, Message, Model, OpStatus},
    odoo::{Applied, Call, OdooError, ReadyOperation, Search, fields::escape_html},
};

impl Batch<'_> {
    /// Ends what this Odoo has no place for: marks, and reactions and names of people without a lead.
    pub(super) fn pass_over(&mut self) {
        for position in 0..self.operations.len() {
            let operation = &self.operations[position];
            let aside = operation.message.as_ref().is_some_and(|message| !message.starts);
            let alone = aside || operation.profile.is_some();
            if operation.action == Action::Mark || (alone && self.id(position).is_none()) {
                let written = self.finish(position, OpStatus::Unchanged, 0);
                (written.result.id, written.written) = (None, None);
            }
        }
    }

    /// The lead of an operation that has been carried out.
    pub(super) fn lead_of(&self, position: usize) -> Option<i64> {
        match &self.applied[position] {
            Some(Applied { result, .. }) if !matches!(result.status, OpStatus::Refused | OpStatus::Gone) => result.id,
            _ => None,
        }
    }
}

impl PlainBridge {
    /// Posts the messages of operations that have their leads.
    pub(super) async fn post(&self, batch: &mut Batch<'_>, positions: &[usize]) -> Result<(), OdooError> {
        for &position in positions {
            if matches!(&batch.applied[position], Some(applied) if applied.result.status == OpStatus::Gone) {
                batch.refuse(position, "MissingError", "the person's lead was deleted in Odoo");
            }
        }
        let mut messages: Vec<(usize, Value)> = Vec::new();
        for &position in positions {
            let operation = &batch.operations[position];
            if let (Some(message), Some(lead)) = (&operation.message, batch.lead_of(position)) {
                messages.push((position, line(operation, message, lead)));
            }
        }
        let lines = messages.iter().map(|(_, line)| line.clone()).collect();
        for ((position, _), posted) in messages.into_iter().zip(self.post_lines(lines).await?) {
            if let Err(error) = posted {
                batch.refuse_with(position, error);
            }
        }
        Ok(())
    }

    /// Posts lines of history, each of which has a `message_id`, as internal notes. For each: whether it is new, or what
    /// Odoo has against it.
    pub(super) async fn post_lines(&self, lines: Vec<Value>) -> Result<Vec<Result<bool, OdooError>>, OdooError> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&Value> = lines.iter().map(|line| &line["message_id"]).collect();
        let search = Search::new("mail.message", json!([["message_id", "in", ids]])).fields(["message_id"]);
        let known: HashSet<Value> =
            self.client.search_read(search).await?.iter_mut().map(|found| found["message_id"].take()).collect();
        let is_known: Vec<bool> = lines.iter().map(|line| known.contains(&line["message_id"])).collect();
        let new = lines.into_iter().zip(&is_known).filter(|(_, known)| !**known).map(|(line, _)| line).collect();
        let mut answers = self.create_lines(new).await?.into_iter();
        let posted = is_known.into_iter().map(|known| match known {
            true => Ok(false),
            false => answers.next().unwrap_or(Ok(())).map(|()| true),
        });
        Ok(posted.collect())
    }

    /// All of them in one call; if Odoo refuses it, one by one, as it is one line's fault.
    async fn create_lines(&self, mut lines: Vec<Value>) -> Result<Vec<Result<(), OdooError>>, OdooError> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let subtype = self.note_subtype().await?;
        lines.iter_mut().for_each(|line| line["subtype_id"] = subtype.clone());
        if self.create_some(&lines).await?.is_ok() {
            return Ok(lines.iter().map(|_| Ok(())).collect());
        }
        let mut answers = Vec::with_capacity(lines.len());
        for line in lines.chunks(1) {
            answers.push(self.create_some(line).await?);
        }
        Ok(answers)
    }

    /// Whether Odoo takes them; other errors are not theirs.
    async fn create_some(&self, lines: &[Value]) -> Result<Result<(), OdooError>, OdooError> {
        match self.client.call(Call::new("mail.message", "create").arg("vals_list", lines)).await {
            Ok(_) => Ok(Ok(())),
            Err(error @ (OdooError::Refused { .. } | OdooError::Access { .. })) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

/// The `message_id` of what an operation posts.
pub(super) fn message_id(key: &str) -> String {
    format!("<{}@g-assistant.invalid>", hex::encode(&Sha256::digest(key.as_bytes())[..16]))
}

/// The line as `mail.message` takes it.
fn line(operation: &ReadyOperation, message: &Message, lead: i64) -> Value {
    let kind = if message.kind == "text" { String::new() } else { format!(" · {}", escape_html(&message.kind)) };
    let text = escape_html(&message.text).replace('\n', "<br>");
    let sender = [&message.name, &message.username, &message.phone].into_iter().flatten().next();
    let mut line = Map::new();
    line.insert("model".to_owned(), Model::Lead.as_str().into());
    line.insert("res_id".to_owned(), lead.into());
    line.insert("body".to_owned(), format!("<p><strong>{}{kind}</strong></p><p>{text}</p>", message.channel).into());
    line.insert("message_type".to_owned(), "comment".into());
    line.insert("is_internal".to_owned(), true.into());
    line.insert("message_id".to_owned(), message_id(&operation.key).into());
    line.insert("date".to_owned(), json!(message)["sent_at"].clone());
    line.insert("author_id".to_owned(), false.into());
    line.insert("email_from".to_owned(), sender.cloned().unwrap_or_else(|| message.channel.to_string()).into());
    Value::Object(line)
}
