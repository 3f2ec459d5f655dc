//! What became of each row of a file that was pushed.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};

use crate::{
    domain::{HELD, OpResult, OpStatus},
    store::{JobState, PushOutcome, Store, StoreError},
};

/// Keys that are asked for at a time.
const BATCH: usize = 500;

/// An operation of the file.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its place in the file: the first row below the header is 1.
    pub place: usize,
    /// What it is known by.
    pub reference: String,
    /// The operation's key.
    pub key: String,
}

/// How a row ended, as the report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Created,
    Updated,
    Unchanged,
    Gone,
    Refused,
    Held,
    Discarded,
    Blocked,
    /// It is still on its way.
    Queued,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "attached or updated",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone: people deleted it in Odoo",
            Self::Refused => "refused",
            Self::Held => "held for review",
            Self::Discarded => "discarded",
            Self::Blocked => "waits behind a parked one of the same record",
            Self::Queued => "queued",
        }
    }

    /// Whether a person has to look at it.
    fn needs_somebody(self) -> bool {
        matches!(self, Self::Refused | Self::Held | Self::Blocked)
    }
}

/// A row with its end.
pub(super) struct Told {
    row: Row,
    pub ended: Ended,
    odoo_id: Option<i64>,
    reason: String,
}

/// Asks the store what became of the rows.
pub(super) async fn ask(store: &Store, rows: &[Row]) -> Result<Vec<Told>, StoreError> {
    let mut told = Vec::with_capacity(rows.len());
    for batch in rows.chunks(BATCH) {
        let outcomes = store.push_outcomes(batch.iter().map(|row| row.key.clone()).collect()).await?;
        told.extend(batch.iter().cloned().zip(outcomes).map(|(row, outcome)| tell(row, outcome)));
    }
    Ok(told)
}

fn tell(row: Row, outcome: Option<PushOutcome>) -> Told {
    let Some(PushOutcome { state, error, result, blocked }) = outcome else {
        return Told { row, ended: Ended::Queued, odoo_id: None, reason: String::new() };
    };
    let result: Option<OpResult> = result.and_then(|result| serde_json::from_str(&result).ok());
    let reason = error.unwrap_or_default();
    let ended = match state {
        JobState::Done => match result.as_ref().map(|result| result.status) {
            Some(OpStatus::Created) => Ended::Created,
            Some(OpStatus::Updated) => Ended::Updated,
            Some(OpStatus::Gone) => Ended::Gone,
            Some(OpStatus::Refused) => Ended::Refused,
            Some(OpStatus::Held) => Ended::Held,
            Some(OpStatus::Unchanged | OpStatus::Undecided) | None => Ended::Unchanged,
        },
        JobState::Parked if reason.starts_with(HELD) => Ended::Held,
        JobState::Parked => Ended::Refused,
        JobState::Discarded => Ended::Discarded,
        JobState::Ready if blocked => Ended::Blocked,
        JobState::Ready | JobState::Leased => Ended::Queued,
    };
    let reason = if ended.needs_somebody() { reason } else { String::new() };
    Told { row, ended, odoo_id: result.and_then(|result| result.id), reason }
}

/// Counts, and a table of what a person has to look at.
pub(super) fn print(told: &[Told]) {
    let mut counts = BTreeMap::<Ended, usize>::new();
    told.iter().for_each(|one| *counts.entry(one.ended).or_default() += 1);
    let counts: Vec<_> = counts.into_iter().map(|(ended, count)| format!("{count} {}", ended.as_str())).collect();
    println!("{} operations: {}", told.len(), if counts.is_empty() { "none".to_owned() } else { counts.join(", ") });
    let bad: Vec<_> = told.iter().filter(|one| one.ended.needs_somebody()).collect();
    if bad.is_empty() {
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["row", "identity", "became", "why"]);
    for one in bad {
        let reason = one.reason.lines().next().unwrap_or_default();
        table.add_row([&one.row.place.to_string(), &one.row.reference, one.ended.as_str(), reason]);
    }
    println!("\n{table}\n\nsee `g-assistant outbox list --state parked`, and `outbox retry` once the cause is mended");
}

/// Every row, for a spreadsheet.
pub(super) fn write(told: &[Told], path: &Path) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut file = csv::Writer::from_path(path)?;
        file.write_record(["row", "identity", "became", "odoo_id", "why"])?;
        for Told { row, ended, odoo_id, reason } in told {
            let id = odoo_id.map(|id| id.to_string()).unwrap_or_default();
            file.write_record([&row.place.to_string(), &row.reference, ended.as_str(), &id, reason])?;
        }
        Ok(file.flush()?)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
