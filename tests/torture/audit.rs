//! What was promised against what is there: a pure comparison, so that it can itself be tested.
//!
//! Four witnesses are heard: the senders (what was acknowledged), the daemon's store, Odoo's tables with the addon's
//! events, and a trigger in PostgreSQL that writes down, in the transaction of each save, what was saved. It knows
//! nothing of the addon: an event that is forgotten, or told of what was rolled back, cannot hide from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::AddAssign,
};

use serde::Serialize;
use serde_json::Value;

/// What all witnesses say.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Leads whose delivery a sender got a 2xx for, with the delivery's id.
    pub acknowledged: BTreeMap<String, String>,
    /// All leads that a sender tried to deliver.
    pub attempted: BTreeSet<String>,
    /// Ids of the deliveries in the store.
    pub deliveries: Vec<String>,
    /// Leads of the senders in Odoo, one entry per record.
    pub in_odoo: Vec<String>,
    /// Acknowledged leads that a person deleted or merged away.
    pub removed: BTreeSet<String>,
    /// What transactions that committed did to leads.
    pub saves: Vec<Save>,
    /// Events that the addon wrote.
    pub events: Vec<Event>,
    /// Ids of the events that the daemon stored, one entry per row.
    pub stored: Vec<String>,
    /// Leads in the mirror that are not marked deleted.
    pub mirror: BTreeMap<i64, Value>,
    /// Leads in Odoo, with the same fields.
    pub records: BTreeMap<i64, Value>,
    /// Jobs that are neither done nor expected.
    pub unfinished: Vec<String>,
    /// What SQLite says of the store; `ok` if nothing.
    pub integrity: String,
}

/// What one transaction did to one lead, as far as it is looked at; `None` where it did not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    pub lead: i64,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// An event, and what it says of its lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub lead: i64,
    /// Whether it says that the lead is new, or gone.
    pub change: Change,
    /// The lead as it was committed.
    pub data: Value,
}

/// What became of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Created,
    Updated,
    Deleted,
}

/// The figures of the audit's line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    pub acknowledged: usize,
    pub in_odoo: usize,
    pub lost: usize,
    pub doubled: usize,
    pub events: usize,
    pub events_lost: usize,
    pub events_doubled: usize,
}

/// What the audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub figures: Figures,
    /// Each thing that is wrong, in words.
    pub findings: Vec<String>,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.in_odoo += other.in_odoo;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.events += other.events;
        self.events_lost += other.events_lost;
        self.events_doubled += other.events_doubled;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "audit: {} acknowledged, {} in Odoo, {} lost, {} doubled, {} events, {} lost, {} doubled",
            self.acknowledged,
            self.in_odoo,
            self.lost,
            self.doubled,
            self.events,
            self.events_lost,
            self.events_doubled
        )
    }
}

impl Evidence {
    /// Compares everything with everything.
    pub fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        self.judge_leads(&mut verdict);
        self.judge_events(&mut verdict);
        self.judge_mirror(&mut verdict);
        verdict.findings.extend(self.unfinished.iter().map(|job| format!("a job did not end well: {job}")));
        if self.integrity != "ok" {
            verdict.findings.push(format!("the store is damaged: {}", self.integrity));
        }
        verdict
    }

    fn judge_leads(&self, verdict: &mut Verdict) {
        let kept: BTreeSet<&String> = self.deliveries.iter().collect();
        let there = tally(&self.in_odoo);
        let figures = &mut verdict.figures;
        figures.acknowledged = self.acknowledged.len();
        for (lead, delivery) in &self.acknowledged {
            let found = there.contains_key(lead) || self.removed.contains(lead);
            figures.in_odoo += usize::from(found);
            if !found {
                figures.lost += 1;
                verdict.findings.push(format!("lead {lead} was acknowledged and is not in Odoo"));
            }
            if !kept.contains(delivery) {
                verdict.findings.push(format!("delivery {delivery} was acknowledged and is not in the store"));
            }
        }
        for (lead, count) in there {
            if count > 1 {
                figures.doubled += count - 1;
                verdict.findings.push(format!("lead {lead} is in Odoo {count} times"));
            }
            if !self.attempted.contains(lead) {
                verdict.findings.push(format!("lead {lead} is in Odoo and nobody sent it"));
            }
        }
    }

    fn judge_events(&self, verdict: &mut Verdict) {
        let figures = &mut verdict.figures;
        figures.events = self.events.len();
        // What was told of each lead, by what it says. A save of what nobody looks at may have been told of, too.
        let mut told: BTreeMap<(i64, Change, String), usize> = BTreeMap::new();
        for event in &self.events {
            *told.entry((event.lead, event.change, event.data.to_string())).or_default() += 1;
        }
        let (needed, allowed): (Vec<&Save>, Vec<&Save>) = self.saves.iter().partition(|save| save.before != save.after);
        for (save, is_needed) in
            needed.into_iter().map(|save| (save, true)).chain(allowed.into_iter().map(|save| (save, false)))
        {
            let Some((change, data)) = save.as_told() else { continue };
            match told.get_mut(&(save.lead, change, data)) {
                Some(count) if *count > 0 => *count -= 1,
                _ if is_needed => {
                    figures.events_lost += 1;
                    verdict.findings.push(format!("no event tells of this save: {save:?}"));
                }
                _ => {}
            }
        }
        for ((lead, change, data), count) in told {
            if count > 0 {
                figures.events_doubled += count;
                verdict.findings.push(format!("{count} events too many say of lead {lead}: {change:?}, {data}"));
            }
        }
        let stored = tally(&self.stored);
        let known: BTreeSet<&String> = self.events.iter().map(|event| &event.id).collect();
        for event in &self.events {
            if !stored.contains_key(&event.id) {
                figures.events_lost += 1;
                verdict.findings.push(format!("event {} of lead {} did not reach the store", event.id, event.lead));
            }
        }
        for (id, count) in stored {
            let wanted = usize::from(known.contains(id));
            if count > wanted {
                figures.events_doubled += count - wanted;
                verdict
                    .findings
                    .push(format!("event {id} is in the store {count} times and was written {wanted} times"));
            }
        }
    }

    fn judge_mirror(&self, verdict: &mut Verdict) {
        let ids: BTreeSet<i64> = self.mirror.keys().chain(self.records.keys()).copied().collect();
        for id in ids {
            let (ours, theirs) = (self.mirror.get(&id), self.records.get(&id));
            if ours != theirs {
                let shown = |record: Option<&Value>| record.map_or_else(|| "nothing".to_owned(), Value::to_string);
                verdict.findings.push(format!("lead {id}: the mirror has {}, Odoo has {}", shown(ours), shown(theirs)));
            }
        }
    }
}

impl Save {
    /// What an event of it says. Of a lead that came and went in one transaction there is none.
    fn as_told(&self) -> Option<(Change, String)> {
        let (change, data) = match (&self.before, &self.after) {
            (None, None) => return None,
            (None, Some(after)) => (Change::Created, after),
            (Some(_), Some(after)) => (Change::Updated, after),
            (Some(before), None) => (Change::Deleted, before),
        };
        Some((change, data.to_string()))
    }
}

fn tally(names: &[String]) -> BTreeMap<&String, usize> {
    names.iter().fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}
