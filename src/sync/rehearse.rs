//! Rehearsal: what Odoo would do with one operation. Nothing of it stays there.

use super::{
    Session, own,
    prepare::{self, Known, Preparer},
};
use crate::{
    config::Duplicates,
    domain::{Candidate, Model, OpStatus, Operation},
    intake::duplicates::{self, Decision},
    odoo::{OdooError, Rehearsed},
};

/// What would become of an operation.
#[derive(Debug)]
pub struct Rehearsal {
    /// The leads that may be about the same person.
    pub candidates: Vec<Candidate>,
    /// What is decided about them.
    pub decision: Option<Decision>,
    /// What Odoo would answer.
    pub answer: Rehearsed,
}

/// Why there is no rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum NoRehearsal {
    /// Without the addon, nothing can be undone.
    #[error("without the addon g_assistant_connector, Odoo cannot be asked what it would do")]
    NoAddon,
    /// The operation would be refused.
    #[error("it would be parked: {0}")]
    Refused(String),
    /// Odoo cannot be asked.
    #[error(transparent)]
    Odoo(#[from] OdooError),
}

/// Asks Odoo what it would do. Labels that are missing there are left out and not created.
pub async fn rehearse(session: &Session, policy: &Duplicates, operation: &Operation) -> Result<Rehearsal, NoRehearsal> {
    let operation = own::fit(operation, |field| session.bridge.has_field(Model::Lead, field));
    let questions = prepare::questions([operation.as_ref()]);
    let answers = session.answer(questions, false).await?;
    let prepared = Preparer::new(&answers).prepare(&operation, Known::default()).map_err(NoRehearsal::Refused)?;
    let mut ready = prepared.operation;
    let first = session.bridge.rehearse(&ready).await?.ok_or(NoRehearsal::NoAddon)?;
    let Some(matching) = ready.matching.as_mut().filter(|_| first.result.status == OpStatus::Undecided) else {
        return Ok(Rehearsal { candidates: Vec::new(), decision: None, answer: first });
    };
    let candidates = first.result.candidates;
    let decision = duplicates::decide(&matching.person, &candidates, policy);
    matching.decision = Some(decision.clone());
    let answer = session.bridge.rehearse(&ready).await?.ok_or(NoRehearsal::NoAddon)?;
    Ok(Rehearsal { candidates, decision: Some(decision), answer })
}
