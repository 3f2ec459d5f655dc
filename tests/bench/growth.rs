//! Whether the store gets slower as it fills: the same work on a store of ten thousand and of two million deliveries.
//!
//! The full stores are written by SQL, with the schema of the store itself: ninety days of deliveries, of which the
//! last thirty still have their bodies, their jobs and their attempts, as retention leaves it.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use g_assistant::{
    clock::Clock,
    store::{Finish, JobKind, Lane, NewDelivery, NewJob, Outcome, Reply, Retention, Store, StoreOptions},
};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::{
    Scale, leads,
    plot::{Bar, Plot, number},
    report::{self, Measured, median, ratio},
    subject::now_ms,
};

const DAY: i64 = 24 * 3600 * 1000;
const SENDERS: usize = 32;

/// Seconds for each piece of work, a sample per round.
#[derive(Default)]
struct Times {
    ingest: Vec<f64>,
    claim: Vec<f64>,
    status: Vec<f64>,
}

pub async fn measure(scale: Scale) -> Measured {
    let folder = tempfile::tempdir().expect("a folder");
    let (few, many) = scale.pick((10_000, 2_000_000), (1_000, 50_000));
    let (rounds, work) = scale.pick((9, 4_000), (3, 500));
    let small = folder.path().join("small.db");
    let large = folder.path().join("large.db");
    fill(&small, few, 90).await;
    let kept = kept(many).await;
    fs::copy(&kept, &large).expect("copied");
    let large_bytes = fs::metadata(&large).expect("a file").len();

    let (mut at_few, mut at_many) = (Times::default(), Times::default());
    {
        let (small_store, large_store) = (open(&small).await, open(&large).await);
        // Both from memory, as a store in use is.
        for store in [&small_store, &large_store] {
            cycle(store, &small, "warm", work / 4).await;
        }
        println!("    {rounds} rounds of {work} deliveries on either store");
        for round in 0..rounds {
            let run = format!("r{round}");
            let mut sides = [(&small_store, &small, &mut at_few), (&large_store, &large, &mut at_many)];
            if round % 2 == 1 {
                sides.reverse();
            }
            for (store, path, times) in sides {
                let [ingest, claim, status] = cycle(store, path, &run, work).await;
                times.ingest.push(ingest);
                times.claim.push(claim);
                times.status.push(status);
            }
        }
        small_store.close().await;
        large_store.close().await;
    }

    println!("    what retention leaves");
    let aged = folder.path().join("aged.db");
    let count = scale.pick(20_000, 2_000);
    fill(&aged, count, 29).await;
    let before = used_bytes(&aged);
    purge(&aged).await;
    let after = used_bytes(&aged);
    let per_delivery = |bytes: u64| bytes as f64 / count as f64;

    let rate = |times: &[f64]| work as f64 / median(times);
    let at = |count: usize| format!("at {}", number(count as f64));
    Measured {
        samples: json!({
            "deliveries": [few, many], "rounds": rounds, "deliveries_each": work, "senders": SENDERS,
            "seconds_few": {"ingest": at_few.ingest, "claim": at_few.claim, "status": at_few.status},
            "seconds_many": {"ingest": at_many.ingest, "claim": at_many.claim, "status": at_many.status},
            "large_file_bytes": large_bytes,
            "bytes_per_delivery": {"before_retention": per_delivery(before), "after_retention": per_delivery(after)},
        }),
        summary: vec![
            ("growth_ingest", ratio(&at_many.ingest, &at_few.ingest)),
            ("growth_claim", ratio(&at_many.claim, &at_few.claim)),
            ("growth_status", ratio(&at_many.status, &at_few.status)),
            ("store_bytes_per_delivery", per_delivery(before)),
            ("store_bytes_per_delivery_after_retention", per_delivery(after)),
        ],
        plot: Plot {
            title: "The same work on a store of many and of few deliveries".to_owned(),
            unit: "per second".to_owned(),
            logarithmic: false,
            bars: vec![
                Bar::subject(format!("ingest, {}", at(many)), rate(&at_many.ingest)).target(rate(&at_few.ingest) / 1.2),
                Bar::baseline(format!("ingest, {}", at(few)), rate(&at_few.ingest)),
                Bar::subject(format!("intake and push, claim to end, {}", at(many)), rate(&at_many.claim))
                    .target(rate(&at_few.claim) / 1.2),
                Bar::baseline(format!("intake and push, {}", at(few)), rate(&at_few.claim)),
                Bar::subject(format!("status, {}", at(many)), 1.0 / median(&at_many.status))
                    .target(1.0 / median(&at_few.status) / 1.2),
                Bar::baseline(format!("status, {}", at(few)), 1.0 / median(&at_few.status)),
            ],
        },
    }
}

async fn open(path: &Path) -> Store {
    let options =
        StoreOptions { path: path.to_owned(), clock: Clock::system(), readers: 2, max_queued_jobs: 100_000_000 };
    Store::open(options).await.expect("a store")
}

/// Takes `count` deliveries in, does their jobs, asks for the status: seconds of each.
async fn cycle(store: &Store, path: &Path, run: &str, count: usize) -> [f64; 3] {
    let began = Instant::now();
    let senders: Vec<_> =
        (0..SENDERS).map(|sender| tokio::spawn(send(store.clone(), run.to_owned(), sender, count))).collect();
    for sender in senders {
        sender.await.expect("sent");
    }
    let ingest = began.elapsed();

    let began = Instant::now();
    let taken_in = work(store, JobKind::Intake, 64).await;
    let pushed = work(store, JobKind::Push, 200).await;
    let claim = began.elapsed();
    assert_eq!((taken_in, pushed), (count, count), "each delivery makes one lead");

    // As the command does it: a connection of its own, each time.
    let mut status = Vec::new();
    for _ in 0..25 {
        let began = Instant::now();
        let beside = Store::open_readonly(path).await.expect("a store");
        assert!(beside.stats().await.expect("counted").deliveries > 0);
        status.push(began.elapsed().as_secs_f64());
    }
    [ingest.as_secs_f64(), claim.as_secs_f64(), median(&status)]
}

/// One of several senders: its share of the deliveries.
async fn send(store: Store, run: String, sender: usize, count: usize) {
    for n in (sender..count).step_by(SENDERS) {
        let delivery = NewDelivery {
            source: "website".to_owned(),
            key: format!("{run}-{n}"),
            received_at: now_ms(),
            content_type: Some("application/json".to_owned()),
            body: leads::body(&leads::lead(&run, n)),
        };
        let reply = Reply { status: 202, body: r#"{"status":"accepted","items":1,"warnings":[]}"#.to_owned() };
        store.accept(delivery, Lane::Live, reply).await.expect("kept");
    }
}

/// Claims and ends jobs until there are none.
async fn work(store: &Store, kind: JobKind, batch: usize) -> usize {
    let mut worked = 0;
    loop {
        let jobs = store.claim(kind, batch, Duration::from_secs(60)).await.expect("claimed");
        if jobs.is_empty() {
            return worked;
        }
        worked += jobs.len();
        let finishes = jobs.into_iter().map(|job| {
            let then = match kind {
                JobKind::Intake => vec![NewJob {
                    kind: JobKind::Push,
                    lane: job.lane,
                    key: format!("{}:0", job.key),
                    record_key: Some(format!("crm.lead {}", job.key)),
                    payload: PAYLOAD.to_owned(),
                    not_before: 0,
                    delivery_id: job.delivery_id,
                    summary: "crm.lead upsert".to_owned(),
                    held: None,
                }],
                JobKind::Fetch | JobKind::Push | JobKind::Media => Vec::new(),
            };
            let outcome = Outcome::Done { result: Some(RESULT.to_owned()), then, bindings: Vec::new() };
            let (job_id, lease_token) = (job.id, job.lease_token);
            Finish { job_id, lease_token, outcome, started_at: now_ms(), duration_ms: 12 }
        });
        store.finish(finishes.collect()).await.expect("finished");
    }
}

/// An operation as intake writes it, and an answer as Odoo gives it.
const PAYLOAD: &str = r#"{"key":"website:old:0","model":"crm.lead","action":"upsert","reference":"website:old","values":{"city":{"plain":"الرياض"},"contact_name":{"plain":"محمد القحطاني"},"country_id":{"lookup":{"kind":"country","key":"SA"}},"description":{"plain":"أرغب في عرض سعر مفصل لنظام الطاقة الشمسية لفيلا من دورين، مع الضمان والتركيب."},"email_from":{"plain":"lead@example.com"},"name":{"plain":"محمد القحطاني"},"partner_name":{"plain":"Najd Trading Co."},"phone":{"plain":"+966501234567"},"source_id":{"lookup":{"kind":"source","key":"Website"}},"tag_ids":{"lookups":[{"kind":"tag","key":"VIP"}]}}}"#;
const RESULT: &str =
    r#"{"key":"website:old:0","status":"created","id":12,"model":"crm.lead","kept":[],"error":null,"replayed":false}"#;

/// A full store, kept between runs because writing it takes a while. Another schema makes another one.
async fn kept(count: usize) -> PathBuf {
    let folder = report::folder();
    let trial = folder.join("growth-trial.db");
    remove(&trial);
    open(&trial).await.close().await;
    let mut hasher = DefaultHasher::new();
    for (_, _, sql) in schema(&Connection::open(&trial).expect("a store"), "true") {
        sql.hash(&mut hasher);
    }
    remove(&trial);
    let path = folder.join(format!("growth-{count}-{:016x}.db", hasher.finish()));
    if !path.exists() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("growth-{count}-")) {
                fs::remove_file(entry.path()).ok();
            }
        }
        println!("    writing a store of {count} deliveries (a minute, once)");
        let part = path.with_extension("part");
        remove(&part);
        fill(&part, count, 90).await;
        fs::rename(&part, &path).expect("renamed");
        remove(&part);
    }
    path
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::remove_file(PathBuf::from(name)).ok();
    }
}

/// Type, name and SQL of what is in the schema.
fn schema(connection: &Connection, condition: &str) -> Vec<(String, String, String)> {
    let sql = format!("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND {condition} ORDER BY name");
    let mut query = connection.prepare(&sql).expect("SQL");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("SQL");
    rows.collect::<Result<_, _>>().expect("SQL")
}

/// Writes a store with `count` deliveries of the last `days` days.
async fn fill(path: &Path, count: usize, days: i64) {
    open(path).await.close().await;
    let connection = Connection::open(path).expect("a store");
    let run = |sql: &str| connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    run("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY");
    // Indexes and counters are made afterwards, which is much faster.
    let later = schema(&connection, "type IN ('index', 'trigger')");
    for (kind, name, _) in &later {
        run(&format!("DROP {kind} {name}"));
    }
    let count = i64::try_from(count).expect("a count");
    let (now, span) = (now_ms(), days * DAY);
    let body = leads::body(&leads::lead("old", 7));
    run("BEGIN");
    let write = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.execute(sql, values).unwrap_or_else(|error| panic!("{error}: {sql}"))
    };
    let numbers = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)";
    write(
        &format!(
            "{numbers} INSERT INTO delivery (id, source, key, received_at, content_type, body, state, reply_status, reply_body)
             SELECT n, 'website', printf('msg_%d_%08x', n, n * 2654435761 % 4294967296), ?2 - ?3 + ?3 / ?1 * n,
                    'application/json', CASE WHEN ?3 - ?3 / ?1 * n < ?4 THEN ?5 END, 'accepted', 202,
                    '{{\"status\":\"accepted\",\"items\":1,\"warnings\":[]}}'
             FROM number"
        ),
        params![count, now, span, 30 * DAY, body],
    );
    // Nearly all is done; some was given up, and some waits for a person.
    for (kind, summary, payload, result) in
        [("intake", "delivery of website", "", None), ("push", "crm.lead upsert", PAYLOAD, Some(RESULT))]
    {
        write(
            "INSERT INTO job (kind, lane, key, record_key, payload, summary, state, not_before, attempts, result,
                              delivery_id, created_at, finished_at)
             SELECT ?1, id % 10 = 0, 'website:' || key || iif(?1 = 'push', ':0', ''),
                    iif(?1 = 'push', 'crm.lead website:' || id, NULL), ?2, ?3,
                    CASE WHEN ?1 = 'push' AND id % 2000 = 0 THEN 'parked'
                         WHEN ?1 = 'push' AND id % 2000 = 1 THEN 'discarded' ELSE 'done' END,
                    0, 0, ?4, id, received_at, received_at + 900
             FROM delivery WHERE body IS NOT NULL",
            params![kind, payload, summary, result],
        );
    }
    run("INSERT INTO attempt (job_id, n, started_at, duration_ms, outcome)
         SELECT id, 1, created_at, 12, iif(state = 'parked', 'parked', 'done') FROM job;
         UPDATE job SET finished_at = NULL, error = 'refused' WHERE state = 'parked';
         INSERT OR REPLACE INTO tally SELECT kind, state, count(*) FROM job GROUP BY kind, state;
         INSERT OR REPLACE INTO tally SELECT 'delivery', '', count(*) FROM delivery;
         COMMIT");
    for (_, _, sql) in &later {
        run(sql);
    }
    run("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Bytes of the file that hold something; what is free is used again.
fn used_bytes(path: &Path) -> u64 {
    let connection = Connection::open(path).expect("a store");
    let pragma = |name: &str| -> u64 {
        let value: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).expect("a number");
        value.unsigned_abs()
    };
    (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
}

/// Everything is old enough for retention, and no key is old enough to be forgotten.
async fn purge(path: &Path) {
    let store = open(path).await;
    let retention = Retention { older_than: now_ms() + DAY, replays_older_than: 0, batch: 500 };
    while !store.purge(retention).await.expect("purged").is_empty() {}
    store.close().await;
}
