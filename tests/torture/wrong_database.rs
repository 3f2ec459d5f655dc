//! A restored copy, and a neutralised one, take the place of the database behind the same address: not one write.

use std::time::Duration;

use serde_json::json;

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World},
    support::{
        daemon::Daemon,
        odoo::{Database, until},
    },
};

pub async fn play(world: &World) -> Outcome {
    let mut outcome = Outcome::new(Default::default());
    for kind in [Copy::Restored, Copy::Neutralised] {
        outcome.add(play_copy(world, kind).await);
    }
    outcome
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    /// Another identity, everything else as it was: what a restored backup of a duplicate is.
    Restored,
    /// The same identity, neutralised by Odoo's own command.
    Neutralised,
}

async fn play_copy(world: &World, kind: Copy) -> Outcome {
    let mut stage = Stage::new(world, if kind == Copy::Restored { "restored" } else { "neutralised" });
    let mut daemon = stage.daemon(&world.server.url, "batch = 20", "");
    // The addon's own sender would tell the daemon that the database is another: here the daemon has to notice.
    stage.send_events_to("http://127.0.0.1:9");
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let pace = Pace { senders: 2, leads: 5, pause: Duration::from_millis(200), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 1, Duration::from_millis(200), &mut stage.dice);
    until("leads are in Odoo", async || (leads(&stage.database) > 20).then_some(())).await;
    stage.load.stop().await;
    stage.settle(&daemon).await;
    let mut outcome = Outcome::new(stage.audit(&daemon));

    // The copy holds an event that waits, as a backup that was made at a busy moment does.
    stage.progress.step("the copy takes its place");
    let copy = stage.database.copy(&format!("{}_copy", stage.database.name));
    if kind == Copy::Neutralised {
        copy.odoo(&["neutralize"]);
        let uuid = stage.database.sql(UUID);
        copy.sql(&format!("update ir_config_parameter set value = '{uuid}' where key = 'database.uuid'"));
    }
    copy.sql("update g_assistant_event set state = 'pending' where id = (select max(id) from g_assistant_event)");
    copy.sql(
        "insert into g_assistant_event (uuid, kind, model, res_id, data, changes, state, attempts, timestamp)
         select gen_random_uuid(), kind, model, res_id, data, changes, 'pending', 0, timestamp
         from g_assistant_event order by id desc limit 3",
    );
    let before = fingerprint(&copy);
    let known = changes(&daemon).await;
    // While nobody looks: that there was no database for a moment is not what this is about.
    daemon.signal("-STOP");
    copy.replace(&mut stage.database);
    daemon.signal("-CONT");

    // Leads that come now wait, and the daemon's own polling goes on until it notices.
    let mut senders = crate::load::Load::new();
    senders.senders(&format!("{}-late", stage.name), &daemon.url, &pace, &mut stage.dice);
    let said = until("the daemon says why it stopped", async || {
        let health = daemon.read("/api/odoo/health").await.body;
        health["blocked"].as_str().map(str::to_owned)
    })
    .await;
    let expected = if kind == Copy::Restored { "is database" } else { "neutralised" };
    outcome.check(said.contains(expected), format!("it stopped for another reason: {said}"));
    tokio::time::sleep(Duration::from_secs(world.size(3, 90))).await;
    senders.stop().await;
    let after = fingerprint(&stage.database);
    outcome.check(before == after, format!("{kind:?}: the copy was written to: {before} became {after}"));
    let learnt = changes(&daemon).await - known;
    outcome.check(learnt == 0, format!("{kind:?}: {learnt} events of the copy were taken for the database's own"));
    let waiting = daemon.cli_json(&["outbox", "list", "--kind", "push", "--state", "ready", "--json"]);
    let waiting = waiting.as_array().expect("a list");
    outcome.check(!waiting.is_empty(), "the leads that came meanwhile are not kept");
    outcome.check(waiting.iter().all(|job| job["attempts"] == 0), "the copy cost attempts");

    if kind == Copy::Restored {
        stage.progress.step("a person accepts it");
        daemon.stop().await;
        let accepted = daemon.cli(&["check", "--online", "--accept-database"]);
        assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
        daemon.start_connected().await;
        daemon.drained().await;
        let late = format!(
            "select count(*), count(distinct contact_name) from crm_lead where contact_name like '{}-late-%'",
            stage.name
        );
        let in_odoo = stage.database.sql(&late);
        let sent = senders.sent();
        let all = sent.acknowledged.len();
        outcome.check(
            in_odoo == format!("{all}|{all}"),
            format!("{all} leads waited for a person, and {in_odoo} are in Odoo"),
        );
    }
    outcome
}

const UUID: &str = "select value from ir_config_parameter where key = 'database.uuid'";

fn leads(database: &Database) -> i64 {
    database.count("select count(*) from crm_lead")
}

/// How many events the daemon has stored.
async fn changes(daemon: &Daemon) -> i64 {
    daemon.read("/api/odoo/health").await.body["changes"].as_i64().expect("a number")
}

/// Everything in a database that the daemon or its addon could have written.
fn fingerprint(database: &Database) -> serde_json::Value {
    // Not how often the addon itself has tried to send an event.
    let rows = |table: &str| {
        let row = if table == "g_assistant_event" { "t.id || t.state" } else { "t::text" };
        database.sql(&format!("select count(*), md5(string_agg({row}, '|' order by id)) from {table} t"))
    };
    let tables = [
        "crm_lead",
        "res_partner",
        "g_assistant_event",
        "g_assistant_operation",
        "g_assistant_binding",
        "mail_message",
    ];
    tables.iter().map(|table| ((*table).to_owned(), json!(rows(table)))).collect::<serde_json::Map<_, _>>().into()
}
