//! A person and the daemon change the same leads at the same time.

use std::{collections::BTreeMap, time::Duration};

use g_assistant::odoo::Call;
use rand::{RngExt, seq::SliceRandom};
use serde_json::{Value, json};

use crate::{
    Outcome,
    stage::{Stage, World},
    support::{daemon::Daemon, odoo::Person},
};

/// What a person does with a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Types another phone number.
    Edit,
    /// Archives it.
    Archive,
    /// Archives it and takes it back.
    Restore,
    /// Deletes it.
    Unlink,
    /// Copies it.
    Copy,
    /// Merges it with the next one.
    Merge,
}

const FATES: [Fate; 6] = [Fate::Edit, Fate::Archive, Fate::Restore, Fate::Unlink, Fate::Copy, Fate::Merge];

struct Lead {
    name: String,
    id: i64,
    fate: Fate,
}

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "concurrent_edits");
    let mut daemon = stage.daemon(&world.server.url, "batch = 10", "");
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let mut outcome = Outcome::new(Default::default());
    let rounds = world.size(1, 10);
    for round in 1..=rounds {
        stage.progress.step(&format!("round {round} of {rounds}"));
        play_round(&mut stage, &daemon, &person, round, &mut outcome).await;
    }
    stage.settle(&daemon).await;
    outcome.add(Outcome::new(stage.audit(&daemon)));
    outcome
}

async fn play_round(stage: &mut Stage<'_>, daemon: &Daemon, person: &Person, round: usize, outcome: &mut Outcome) {
    const UPDATES: usize = 4;
    let count = FATES.len() * 2 * stage.world.size(3, 8);
    let names: Vec<String> = (0..count).map(|lead| format!("{}-{round}-{lead}", stage.name)).collect();
    deliver(
        stage,
        daemon,
        &format!("r{round}-new"),
        &names,
        |name| json!({"external_id": name, "contact_name": name, "phone": "+966500000000", "city": "first"}),
    )
    .await;
    daemon.drained().await;
    let ids = stage.database.sql(&format!(
        "select json_object_agg(contact_name, id) from crm_lead where contact_name like '{}-{round}-%'",
        stage.name
    ));
    let ids: BTreeMap<String, i64> = serde_json::from_str(&ids).expect("JSON");
    let leads: Vec<Lead> = names
        .iter()
        .enumerate()
        .map(|(number, name)| Lead { name: name.clone(), id: ids[name], fate: FATES[number / 2 % FATES.len()] })
        .collect();

    // The person works through the leads in any order, one act after the other, while the updates come in.
    let mut order: Vec<usize> = (0..count).filter(|lead| leads[*lead].fate != Fate::Merge || lead % 2 == 0).collect();
    order.shuffle(&mut stage.dice);
    let pauses: Vec<u64> = order.iter().map(|_| stage.dice.random_range(0..60)).collect();
    let edits = async {
        let mut copies = Vec::new();
        for (&lead, pause) in order.iter().zip(pauses) {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            copies.extend(act(person, &leads, lead).await);
        }
        copies
    };
    let updates = async {
        for update in 1..=UPDATES {
            deliver(stage, daemon, &format!("r{round}-u{update}"), &names, |name| {
                json!({"external_id": name, "contact_name": name, "phone": format!("+96651{update:07}"),
                       "city": format!("update {update}")})
            })
            .await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let (copies, ()) = tokio::join!(edits, updates);
    daemon.drained().await;
    // What nobody has filled in goes to whichever lead a merge has left.
    deliver(
        stage,
        daemon,
        &format!("r{round}-last"),
        &names,
        |name| json!({"external_id": name, "contact_name": name, "job_title": format!("job of {name}")}),
    )
    .await;
    daemon.drained().await;

    for copy in copies {
        let now = person.read("crm.lead", copy["id"].as_i64().expect("an id"), &["phone", "city", "function"]).await;
        let same = now["phone"] == copy["phone"] && now["city"] == copy["city"];
        outcome.check(same && now["function"] == false, format!("an update reached a copy: {copy} became {now}"));
    }
    for (number, lead) in leads.iter().enumerate() {
        let Lead { name, id, fate } = lead;
        if *fate == Fate::Merge {
            if number % 2 == 0 {
                check_merge(stage, person, [lead, &leads[number + 1]], outcome).await;
            }
            continue;
        }
        let found = person.search("crm.lead", json!([["contact_name", "=", name]])).await;
        if *fate == Fate::Unlink {
            stage.removed.insert(name.clone());
            outcome.check(found.is_empty(), format!("{name} was deleted by a person and made again"));
            continue;
        }
        outcome.check(found == [*id], format!("{name} should be lead {id}, and is {found:?}"));
        let now = person.read("crm.lead", *id, &["phone", "city", "active"]).await;
        let last = format!("update {UPDATES}");
        let edited = *fate != Fate::Edit || now["phone"] == json!(own_phone(*id));
        outcome.check(edited, format!("a person's phone number of {name} was overwritten: {now}"));
        outcome.check(now["city"] == json!(last), format!("the last update of {name} is missing: {now}"));
        outcome.check(now["active"] == json!(*fate != Fate::Archive), format!("{name}, {fate:?}: {now}"));
    }
}

/// Sends one delivery with all of them, and has it acknowledged.
async fn deliver(stage: &Stage<'_>, daemon: &Daemon, id: &str, names: &[String], lead: impl Fn(&String) -> Value) {
    let id = format!("{}-{id}", stage.name);
    let answer = daemon.send(&id, &json!({"leads": names.iter().map(lead).collect::<Vec<_>>()})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let mut sent = stage.load.sent();
    sent.attempted.extend(names.iter().cloned());
    sent.acknowledge(names.iter().cloned(), &id);
}

fn own_phone(id: i64) -> String {
    format!("+96659{id:07}")
}

/// Does to a lead what is its fate; a copy is handed back as it is.
async fn act(person: &Person, leads: &[Lead], number: usize) -> Option<Value> {
    let Lead { id, fate, .. } = leads[number];
    match fate {
        Fate::Edit => person.write("crm.lead", id, json!({"phone": own_phone(id)})).await,
        Fate::Archive => person.act("crm.lead", "action_archive", id).await,
        Fate::Restore => {
            person.act("crm.lead", "action_archive", id).await;
            person.act("crm.lead", "action_unarchive", id).await;
        }
        Fate::Unlink => person.unlink("crm.lead", id).await,
        Fate::Copy => {
            let values = json!({"contact_name": format!("a person's copy of {id}")});
            let made = person.call(Call::new("crm.lead", "copy").on([id]).arg("default", values)).await;
            // A single id or a list of them, as the series has it.
            let copy = made.as_i64().or_else(|| made[0].as_i64()).expect("an id");
            return Some(person.read("crm.lead", copy, &["phone", "city"]).await);
        }
        Fate::Merge => {
            let both = json!({"opportunity_ids": [[6, 0, [id, leads[number + 1].id]]]});
            let wizard = person.create("crm.merge.opportunity", both).await;
            person.act("crm.merge.opportunity", "action_merge", wizard).await;
        }
    }
    None
}

/// One of the two is left, and what is sent to either goes there.
async fn check_merge(stage: &mut Stage<'_>, person: &Person, pair: [&Lead; 2], outcome: &mut Outcome) {
    let names = pair.map(|lead| lead.name.as_str());
    let found = person.search("crm.lead", json!([["contact_name", "in", names]])).await;
    let survivor = pair.iter().find(|lead| found == [lead.id]);
    let Some(survivor) = survivor else {
        outcome.check(false, format!("{names:?} were merged, and are {found:?}"));
        return;
    };
    stage.removed.extend(names.iter().filter(|name| **name != survivor.name).map(|name| (*name).to_owned()));
    let now = person.read("crm.lead", survivor.id, &["function"]).await;
    let reached = names.iter().any(|name| now["function"] == json!(format!("job of {name}")));
    outcome.check(reached, format!("an update of {names:?} did not follow the merge: {now}"));
}
