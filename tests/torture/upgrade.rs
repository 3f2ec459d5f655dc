//! A store that the first released schema wrote, with work in it: today's daemon opens it, and the work ends in Odoo.

use rusqlite::Connection;

use crate::{
    Outcome,
    stage::{Stage, World},
};

/// Schema 1, from a daemon that was killed: leads in every state that a job can be in.
const STORE: &str = include_str!("fixtures/store-0001.sql");

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "upgrade");
    let mut daemon = stage.daemon(&world.server.url, "", "");
    stage.send_events_to(&daemon.url);
    let path = daemon.folder.path().join("store.db");
    let store = Connection::open(&path).expect("made");
    // The dump is in the order of names.
    store.pragma_update(None, "foreign_keys", false).expect("set");
    store.execute_batch(STORE).expect("a store");
    store.pragma_update(None, "user_version", 1).expect("set");
    store.pragma_update(None, "journal_mode", "WAL").expect("set");
    // As if it were of today: retention is not what this is about.
    let today = chrono::Utc::now().timestamp_millis();
    store.execute("UPDATE delivery SET received_at = ?1", [today]).expect("moved");
    store.execute("UPDATE job SET finished_at = ?1 WHERE finished_at IS NOT NULL", [today]).expect("moved");
    let deliveries = names(&store, "SELECT key FROM delivery WHERE state = 'accepted'");
    let open = names(&store, "SELECT key FROM job WHERE state IN ('ready', 'leased')");
    let leased = names(&store, "SELECT key FROM job WHERE state = 'leased'");
    let parked = names(&store, "SELECT key FROM job WHERE state = 'parked'");
    drop(store);
    assert!(open.len() > leased.len() && !leased.is_empty() && !parked.is_empty(), "the fixture holds work");
    {
        let mut sent = stage.load.sent();
        for delivery in &deliveries {
            let leads: Vec<String> = (0..3).map(|lead| format!("{delivery}-{lead}")).collect();
            sent.attempted.extend(leads.iter().cloned());
            sent.acknowledge(leads, delivery);
        }
    }

    daemon.start_connected().await;
    stage.settle(&daemon).await;
    let store = Connection::open(&path).expect("opened");
    let version: u32 = store.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number");
    let still = names(&store, "SELECT key FROM job WHERE state = 'parked'");
    let mut outcome = Outcome::new(Default::default()).measured("schema", version).measured("open_jobs", open.len());
    outcome.check(still == parked, format!("parked were {parked:?}, and are {still:?}"));
    // A delivery of before is still recognised.
    let replayed = daemon.send(&deliveries[0], &serde_json::json!({"lead": {"contact_name": "another body"}})).await;
    outcome.check(replayed.status == 200, format!("a replay of an old delivery was answered {}", replayed.status));
    assert!(daemon.cli(&["outbox", "discard", "--all-parked"]).status.success());
    outcome.add(Outcome::new(stage.audit(&daemon)));
    outcome
}

fn names(store: &Connection, query: &str) -> Vec<String> {
    let mut query = store.prepare(query).expect("a query");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}
