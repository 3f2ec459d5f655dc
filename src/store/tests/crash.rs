//! A process that is killed while it writes, for real.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use super::super::{JobKind, Lane, NewJob, Outcome, Store, StoreOptions, testing::*};

/// The test that is the child's program, and where it finds the store.
const CHILD: &str = "store::tests::crash::writes_until_it_is_killed";
const PATH: &str = "STORE_CRASH_TEST_PATH";

/// The child's side: says each key once its delivery is acknowledged or its job finished. Alone, it has nothing to do.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Ok(path) = std::env::var(PATH) else { return };
    let options = StoreOptions { path: path.into(), clock: clock_at(NOW), readers: 1, max_queued_jobs: u64::MAX };
    let store = Store::open(options).await.expect("opened");
    let producers = (0..8).map(|producer| tokio::spawn(produce(store.clone(), producer)));
    futures_util::future::join_all(producers).await;
}

async fn produce(store: Store, producer: usize) {
    for number in 0.. {
        let key = format!("{producer}-{number}");
        store.accept(delivery("web", &key), Lane::Live, reply()).await.expect("kept");
        println!("\nacknowledged web:{key}");
        if number % 5 == 0 {
            work(&store, JobKind::Intake).await;
            work(&store, JobKind::Push).await;
            // Some leases are always open.
            claim(&store, JobKind::Intake).await;
        }
    }
}

/// Finishes some jobs; each intake leaves a push.
async fn work(store: &Store, kind: JobKind) {
    let jobs = claim(store, kind).await;
    let finishes = jobs.iter().map(|job| {
        let then = if kind == JobKind::Intake {
            vec![NewJob { delivery_id: job.delivery_id, ..push(&format!("push {}", job.key)) }]
        } else {
            Vec::new()
        };
        ended(job, Outcome::Done { result: None, then, bindings: Vec::new() })
    });
    assert_eq!(store.finish(finishes.collect()).await, Ok(jobs.len()));
    for job in jobs {
        println!("\nfinished {}", job.key);
    }
}

fn child(path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", CHILD, "--nocapture"]).env(PATH, path);
    command
}

/// Runs the child until it has said `lines` lines, kills it, and returns all that it said.
fn kill_after(path: &Path, lines: usize) -> Vec<String> {
    let mut child = child(path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = output.lines().map_while(Result::ok);
    let mut heard: Vec<_> = said.by_ref().filter(|line| line.contains("ed ")).take(lines).collect();
    child.kill().expect("killed");
    heard.extend(said);
    child.wait().expect("reaped");
    heard
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    for lines in [50, 300, 700] {
        // The second and third child go on with the first one's file; what they repeat is known already.
        let heard = kill_after(&folder.path().join("store.db"), lines);
        assert!(heard.len() >= lines, "{} lines", heard.len());

        let store = open(&folder, clock_at(NOW), 1).await;
        let connection = connect(&folder);
        let verdict = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(verdict, Ok("ok".to_owned()));
        assert_eq!(connection.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([])), Ok(false));
        let state = |key: &str| {
            connection.query_row("SELECT state FROM job WHERE key = ?1", [key], |row| row.get::<_, String>(0))
        };
        let is_known = |delivery: &str| {
            let query = "SELECT awaits_intake + count(job.id) FROM delivery \
                         LEFT JOIN job ON delivery.id = delivery_id AND job.kind = 'intake' \
                         WHERE source || ':' || delivery.key = ?1";
            connection.query_row(query, [delivery], |row| row.get::<_, Option<i64>>(0)) == Ok(Some(1))
        };
        for line in &heard {
            if let Some(key) = line.strip_prefix("acknowledged ") {
                assert!(is_known(key), "{key} was acknowledged");
            } else if let Some(key) = line.strip_prefix("finished ") {
                assert_eq!(state(key), Ok("done".to_owned()), "{key}");
                // What follows from an intake came with its end.
                assert!(key.starts_with("push ") || state(&format!("push {key}")).is_ok(), "{key}");
            }
        }
        let stats = store.stats().await.expect("read");
        super::stats::assert_counters(&connection, &stats);
        assert!(stats.queues.values().all(|queue| queue.leased == 0), "a dead process holds nothing");
        store.close().await;
    }
}

#[tokio::test]
async fn another_process_is_kept_out_until_the_first_is_dead() {
    let (folder, store) = store().await;
    let path = folder.path().join("store.db");
    let refused = child(&path).output().expect("started");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("Locked"), "{said}");
    store.close().await;
    assert!(!kill_after(&path, 5).is_empty());
    open(&folder, clock_at(NOW), 1).await;
}
