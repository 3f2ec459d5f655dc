//! Far more leads than Odoo takes, with a backfill under way: the daemon says so honestly and stays small.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::json;

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World},
    support::{daemon::BINARY, odoo::until},
};

const BATCH: usize = 50;
/// What the daemon may need at most (MiB).
const MEMORY: u64 = 64;

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "overload");
    let limit = world.size(400, 2_000);
    let mut daemon = stage.daemon(&world.server.url, &format!("batch = {BATCH}"), "");
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;

    // A file goes in whole, whatever the limit for webhooks is: then it lies behind everything that is live.
    let backfill: Vec<String> = (0..world.size(400, 4_000)).map(|lead| format!("{}-file-{lead}", stage.name)).collect();
    let rows: Vec<_> = backfill.iter().map(|name| json!({"external_id": name, "contact_name": name})).collect();
    let file = daemon.folder.path().join("leads.json");
    std::fs::write(&file, json!(rows).to_string()).expect("written");
    let mut push = Command::new(BINARY)
        .arg("--config")
        .arg(daemon.config())
        .arg("push")
        .arg(&file)
        .arg("--apply")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    stage.load.sent().attempted.extend(backfill.iter().cloned());
    let queued = async |daemon: &crate::support::daemon::Daemon| {
        let queues = daemon.read("/api/health").await.body["queues"].clone();
        let open =
            |kind: &str| queues[kind]["ready"].as_u64().unwrap_or(0) + queues[kind]["leased"].as_u64().unwrap_or(0);
        open("intake") + open("push")
    };
    until("the backfill is queued", async || (queued(&daemon).await > BATCH as u64).then_some(())).await;
    daemon.stop().await;
    // From here on live leads are refused beyond what the file has taken and a little more.
    let limit = limit + backfill.len();
    daemon.edit("path = \"store.db\"", &format!("path = \"store.db\"\nmax_queued = {limit}"));
    daemon.start_connected().await;

    let pace = Pace { senders: 8, leads: 10, pause: Duration::ZERO, text: 0 };
    let started = Instant::now();
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    let until_then = started + Duration::from_secs(world.size(12, 600));
    let mut longest = 0;
    while Instant::now() < until_then {
        tokio::time::sleep(Duration::from_millis(500)).await;
        longest = longest.max(queued(&daemon).await);
        let refused = stage.load.sent().answers.get(&503).copied().unwrap_or_default();
        stage
            .progress
            .step(&format!("{} acknowledged, {refused} refused, {longest} queued", stage.load.acknowledged()));
    }
    stage.load.stop().await;
    let offered = started.elapsed();
    daemon.drained_within(Duration::from_secs(world.size(120, 1_800))).await;
    assert!(push.wait().expect("it ends").success(), "the backfill ends well");
    let store = daemon.folder.path().join("store.db");
    for (lead, delivery) in backfill.into_iter().zip(parts(&store)) {
        stage.load.sent().acknowledge([lead], &delivery);
    }
    stage.settle(&daemon).await;

    let peak = daemon.peak_memory();
    let (refused, hasty, answers) = {
        let sent = stage.load.sent();
        let all: usize = sent.answers.values().sum();
        (sent.answers.get(&503).copied().unwrap_or_default(), sent.without_retry_after, all)
    };
    let overtaken = overtaking(&store);
    let mut outcome = Outcome::new(stage.audit(&daemon))
        .measured("peak_mb", peak)
        .measured("refused", refused)
        .measured("offered_per_s", (answers as f64 / offered.as_secs_f64()).round())
        .measured("longest_queue", longest)
        .measured("most_backfill_before_a_live_lead", overtaken);
    // What is let in is a delivery, and what waits are its leads.
    let room = 2 * limit as u64;
    outcome.check(refused > 0, "nothing was refused: this was no overload");
    outcome.check(hasty == 0, format!("{hasty} refusals did not say when to come back"));
    outcome.check(longest <= room, format!("{longest} jobs were queued, where {room} are allowed"));
    outcome.check(peak <= MEMORY, format!("the daemon needed {peak} MiB, more than {MEMORY}"));
    outcome.check(overtaken <= 4 * BATCH, format!("a live lead waited while {overtaken} of the backfill were done"));
    outcome
}

/// The delivery of each lead of the file, in their order.
fn parts(store: &std::path::Path) -> impl Iterator<Item = String> {
    let store = Connection::open(store).expect("the store opens");
    let mut query = store.prepare("SELECT key FROM delivery WHERE source = ?1 ORDER BY id").expect("a query");
    let keys: Vec<String> = query
        .query_map([g_assistant::sources::FILE], |row| row.get(0))
        .expect("rows")
        .map(|key| key.expect("text"))
        .collect();
    // As many rows as `push` puts into one.
    keys.into_iter().flat_map(|key| std::iter::repeat_n(key, 200))
}

/// The most of the backfill that was done while a live lead waited: what was under way when it came, and no more.
fn overtaking(store: &std::path::Path) -> usize {
    let store = Connection::open(store).expect("the store opens");
    let times = |lane: i64| -> Vec<(i64, i64)> {
        let query = "SELECT created_at, finished_at FROM job WHERE kind = 'push' AND lane = ?1
                     AND finished_at IS NOT NULL ORDER BY finished_at";
        let mut query = store.prepare(query).expect("a query");
        let rows = query.query_map([lane], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("times")).collect()
    };
    let done: Vec<i64> = times(1).into_iter().map(|(_, finished)| finished).collect();
    let before = |time: i64| done.partition_point(|finished| *finished < time);
    let overtaken =
        times(0).into_iter().map(|(created, finished)| before(finished) - before(created + 1).min(before(finished)));
    overtaken.max().unwrap_or_default()
}
