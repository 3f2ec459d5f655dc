//! `explain FILE`: what becomes of a lead, step by step, without sending it.

use std::{fs, io::Read, path::PathBuf};

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use crate::{
    app::open_intake,
    clock::Clock,
    config::{Away, Config, Salesperson},
    domain::{Candidate, Draft, FieldValue, LeadDraft, OpStatus, Operation},
    intake::duplicates::Decision,
    intake::{Examined, Intake, IntakeContext, LearnedReport, NewPush, Route},
    sources::{API, Content, Source, Tokens, open_all},
    store::{Store, StoreError},
    sync::{
        Backend, learn,
        rehearse::{Rehearsal, rehearse},
    },
};

/// Every step is printed: as it was read, normalised, its flags, its score with the reasons, its route, and the operation
/// that would be sent to Odoo. Duplicates are looked for in Odoo, and whose turn it is is known there: with --online, Odoo
/// is asked what it would do, and does nothing.
#[derive(Debug, Args)]
pub struct Explain {
    /// The body of a webhook with leads, or one lead alone (docs/lead-schema.md); - reads standard input
    file: PathBuf,
    /// Read it as this source would, with its country and its form of JSON
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Ask Odoo who is known already and who would get the lead; nothing stays there
    #[arg(long)]
    online: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// What the daemon has learned; nothing if it never ran here.
async fn recall(config: &Config, intake: &Intake) -> Result<Option<LearnedReport>, Failure> {
    let store = match Store::open_readonly(&config.store.path).await {
        Ok(store) => store,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    learn::recall(&store, intake).await?;
    Ok(learn::report(&store).await?)
}

/// What Odoo would do with each. One by one: in one call, a second lead of the same person would wait for the first to be
/// committed, which it never is.
async fn ask_odoo(config: &Config, explained: &mut [Explained]) -> Result<(), Failure> {
    let secret = config.odoo.secret.read().map_err(anyhow::Error::from)?;
    let session = Backend::new(config.odoo.clone(), secret, None, Clock::system()).connect().await?;
    for (position, lead) in explained.iter_mut().enumerate() {
        // A key that no delivery ever had: what is known already would be answered from memory.
        let key = format!("explain:{}:{position}", uuid::Uuid::new_v4());
        let operation = Operation { key, ..lead.push.operation.clone() };
        let rehearsal = rehearse(&session, &config.intake.duplicates, &operation).await;
        lead.rehearsal = Some(rehearsal.with_context(|| lead.push.summary.clone())?);
    }
    Ok(())
}

/// One lead and what was found out about it.
struct Explained {
    parsed: LeadDraft,
    examined: Examined,
    push: NewPush,
    /// What Odoo would do, if it was asked.
    rehearsal: Option<Rehearsal>,
}

impl Explain {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        let intake = open_intake(&config)?;
        let learned = recall(&config, &intake).await?;
        let (warnings, mut explained) = self.explain(&config, &intake)?;
        if self.online {
            ask_odoo(&config, &mut explained).await?;
        }
        if self.json {
            let leads: Vec<Value> = explained.iter().map(Explained::json).collect();
            let all = json!({ "warnings": warnings, "leads": leads, "learned": learned });
            println!("{}", serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?);
            return Ok(());
        }
        for warning in warnings {
            println!("warning: {warning}");
        }
        for (position, lead) in explained.iter().enumerate() {
            if position > 0 {
                println!();
            }
            lead.print(learned.as_ref());
        }
        Ok(())
    }

    fn explain(&self, config: &Config, intake: &Intake) -> anyhow::Result<(Vec<String>, Vec<Explained>)> {
        let name = self.file.display();
        let body = match self.file.as_os_str().to_str() {
            Some("-") => {
                let mut body = Vec::new();
                std::io::stdin().read_to_end(&mut body).context("reading standard input")?;
                body
            }
            _ => fs::read(&self.file).with_context(|| format!("reading {name}"))?,
        };
        let parsed = match &self.source {
            None => open_all(&[], Tokens::default())?.api().parse(&body),
            Some(id) => {
                let spec = config.sources.iter().find(|spec| spec.id == *id);
                let spec = spec.with_context(|| format!("no source `{id}` is configured"))?;
                let source: Box<dyn Source> = spec.setup.open().with_context(|| format!("opening source `{id}`"))?;
                source.parse(&body)
            }
        };
        let parsed = parsed.with_context(|| format!("reading {name}"))?;
        let Content::Drafts(drafts) = parsed.content else { bail!("{name} holds no leads") };
        let source = self.source.as_deref().unwrap_or(API);
        let context = IntakeContext { received_at: Utc::now(), ..IntakeContext::default() };
        let mut explained = Vec::new();
        for draft in drafts {
            // The key of a delivery that never was: it shows in the reference of leads without an id of their own.
            let planned = intake.plan(source, "explain", vec![draft.clone()], &context);
            let lead = match draft {
                Draft::Lead(lead) => lead,
                Draft::Message(draft) => draft.lead,
                Draft::Mark(_) | Draft::Profile(_) => continue,
                Draft::Order(_) => bail!("{name} holds orders; only leads have steps to explain"),
            };
            let push = planned.into_iter().next().context("internal error: a lead without an operation")?;
            let examined = intake.examine(source, &push.operation.reference, lead.clone(), &context);
            explained.push(Explained { parsed: lead, examined, push, rehearsal: None });
        }
        Ok((parsed.warnings, explained))
    }
}

impl Explained {
    fn json(&self) -> Value {
        let Self { parsed, examined, push, rehearsal } = self;
        json!({
            "parsed": said(&json!(parsed)),
            "normalised": said(&json!(examined.normalised.lead)),
            "typed": examined.normalised.typed,
            "flags": examined.flags,
            "score": examined.score,
            "traits": examined.traits,
            "chance": examined.chance,
            "route": examined.route,
            "held": push.held,
            "operation": push.operation,
            "odoo": rehearsal.as_ref().map(|Rehearsal { candidates, decision, answer }| json!({
                "candidates": candidates, "decision": decision, "result": answer.result, "lead": answer.lead,
            })),
        })
    }

    fn print(&self, learned: Option<&LearnedReport>) {
        let Self { parsed, examined, push, rehearsal } = self;
        let (read, normalised) = (said(&json!(parsed)), said(&json!(examined.normalised.lead)));
        println!("read");
        for (field, value) in read.as_object().into_iter().flatten() {
            println!("  {field}: {}", shown(value));
        }
        println!("normalised");
        for (field, value) in normalised.as_object().into_iter().flatten() {
            if read.get(field) != Some(value) {
                println!("  {field}: {}", shown(value));
            }
        }
        println!("flags");
        for raised in &examined.flags {
            println!("  {}: {} → {}", raised.flag, raised.reason, shown(&json!(raised.action)));
        }
        println!("score {}", examined.score.total);
        for part in &examined.score.parts {
            println!("  {part}");
        }
        match (&examined.chance, learned) {
            (Some(chance), _) => {
                println!("chance {} %", chance.percent);
                chance.reasons().lines().for_each(|line| println!("  {line}"));
            }
            (None, Some(report)) => println!("chance {report}"),
            (None, None) => println!("chance: nothing learned yet"),
        }
        let route = &examined.route;
        println!("route {}", route.rule.as_deref().unwrap_or("no rule fits, and there is no default"));
        route_lines(route).into_iter().for_each(|line| println!("  {line}"));
        println!("operation {}", push.summary);
        for (field, value) in &push.operation.values {
            let once = if push.operation.create_only.contains(field) { " (new leads only)" } else { "" };
            println!("  {field}: {}{once}", shown_value(value));
        }
        if let Some(held) = &push.held {
            println!("{held}; see `g-assistant outbox list --state parked`");
        }
        if let Some(rehearsal) = rehearsal {
            println!("in Odoo");
            rehearsal_lines(rehearsal).into_iter().for_each(|line| println!("  {line}"));
        }
    }
}

/// Where a lead goes, as far as it is known before Odoo is asked.
fn route_lines(route: &Route) -> Vec<String> {
    let person = |person: &Salesperson| {
        let limit = person.limit.map(|limit| format!("limit {limit}"));
        let weight = (person.weight > 1).then(|| format!("weight {}", person.weight));
        let said: Vec<_> = limit.into_iter().chain(weight).collect();
        if said.is_empty() { person.login.clone() } else { format!("{} ({})", person.login, said.join(", ")) }
    };
    let away = |away: &Away| format!("{} until {}", away.login, away.until);
    let people = |people: &[Salesperson]| people.iter().map(person).collect::<Vec<_>>().join(", ");
    let lines = [
        ("team", route.team.clone().unwrap_or_default()),
        ("among", people(&route.among)),
        ("otherwise", people(&route.otherwise)),
        ("away", route.away.iter().map(away).collect::<Vec<_>>().join(", ")),
        ("tags", route.tags.join(", ")),
        ("priority", route.priority.map(|priority| priority.to_string()).unwrap_or_default()),
    ];
    let mut lines: Vec<String> =
        lines.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}: {text}")).collect();
    if !(route.among.is_empty() && route.otherwise.is_empty()) {
        let first = if route.sticky { "whoever has had this person's lead, else " } else { "" };
        lines.push(format!("salesperson: {first}in turn, by open leads and time off; --online asks Odoo"));
    }
    lines
}

/// Who is known there, and what would become of the lead.
fn rehearsal_lines(rehearsal: &Rehearsal) -> Vec<String> {
    let Rehearsal { candidates, decision, answer } = rehearsal;
    let known = |candidate: &Candidate| {
        let name = candidate.person.name.as_deref().or(candidate.person.company.as_deref()).unwrap_or("no name");
        format!("perhaps known: lead {} ({name}, {})", candidate.id, shown(&json!(candidate.state)))
    };
    let mut lines: Vec<String> = candidates.iter().map(known).collect();
    match decision {
        None => lines.push("nobody known".to_owned()),
        Some(Decision { verb, id: Some(id), reason, .. }) => {
            lines.push(format!("decision: {} (lead {id}: {reason})", shown(&json!(verb))));
        }
        Some(_) => lines.push("decision: create (none of them is the same person)".to_owned()),
    }
    let id = answer.result.id.filter(|_| answer.result.status != OpStatus::Created);
    let status = shown(&json!(answer.result.status));
    lines.push(id.map_or_else(|| status.clone(), |id| format!("{status}: lead {id}")));
    if let Some(error) = &answer.result.error {
        lines.push(format!("{}: {}", error.kind, error.message));
    }
    if !answer.result.held.is_empty() {
        lines.push(format!("held for review: {}", answer.result.held.join(", ")));
    }
    let Some(lead) = &answer.lead else { return lines };
    lines.push(format!("lead: {}", lead.name));
    let because = lead.owner_reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    lines.push(format!("salesperson: {}{because}", lead.salesperson.as_deref().unwrap_or("nobody")));
    lines.extend(lead.team.iter().map(|team| format!("team: {team}")));
    if !lead.flags.is_empty() {
        lines.push(format!("flags: {}", lead.flags.join(", ")));
    }
    lines
}

/// An object without what is empty.
fn said(value: &Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(field, value)| (field.clone(), said(value)))
            .filter(|(_, value)| !empty(value))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        value => value.clone(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('\n', " | "),
        value => value.to_string(),
    }
}

fn shown_value(value: &FieldValue) -> String {
    match value {
        FieldValue::Plain(value) => shown(value),
        FieldValue::Lookup(lookup) => format!("{lookup:?}"),
        FieldValue::Lookups(lookups) => format!("{lookups:?}"),
        // Leads have neither.
        FieldValue::Partner(_) | FieldValue::Lines(_) => String::new(),
    }
}
