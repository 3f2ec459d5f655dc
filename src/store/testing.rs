//! What the tests of this module share.

use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

pub(super) use super::JobFilter;
use super::{Finish, Job, JobKind, Lane, NewDelivery, NewJob, Outcome, Reply, Store, StoreOptions};
use crate::clock::Clock;

/// The time in all tests (ms).
pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) fn clock_at(ms: i64) -> Clock {
    Clock::fixed(chrono::DateTime::from_timestamp_millis(ms).expect("a moment"))
}

pub(super) async fn store() -> (TempDir, Store) {
    store_with_limit(1_000_000).await
}

pub(super) async fn store_with_limit(max_queued_jobs: u64) -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder, clock_at(NOW), max_queued_jobs).await;
    (folder, store)
}

pub(super) fn options(folder: &TempDir, clock: Clock, max_queued_jobs: u64) -> StoreOptions {
    StoreOptions { path: folder.path().join("store.db"), clock, readers: 1, max_queued_jobs }
}

pub(super) async fn open(folder: &TempDir, clock: Clock, max_queued_jobs: u64) -> Store {
    Store::open(options(folder, clock, max_queued_jobs)).await.expect("opened")
}

/// A connection of its own, to look behind the scenes.
pub(super) fn connect(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("store.db")).expect("opened")
}

pub(super) fn delivery(source: &str, key: &str) -> NewDelivery {
    NewDelivery {
        source: source.to_owned(),
        key: key.to_owned(),
        received_at: NOW,
        content_type: None,
        body: b"{}".to_vec(),
    }
}

pub(super) fn reply() -> Reply {
    Reply { status: 202, body: "{}".to_owned() }
}

pub(super) fn push(key: &str) -> NewJob {
    NewJob {
        kind: JobKind::Push,
        lane: Lane::Live,
        key: key.to_owned(),
        record_key: None,
        payload: format!("{{\"op\":\"{key}\"}}"),
        not_before: 0,
        delivery_id: None,
        summary: "crm.lead upsert".to_owned(),
        held: None,
    }
}

pub(super) fn push_for(record: &str, key: &str) -> NewJob {
    NewJob { record_key: Some(record.to_owned()), ..push(key) }
}

/// Queues jobs as intake does: they follow from a delivery, whose key is that of the first.
pub(super) async fn queue(store: &Store, jobs: Vec<NewJob>) {
    store.accept(delivery("web", &jobs[0].key), Lane::Live, reply()).await.expect("kept");
    let intake = claim(store, JobKind::Intake).await.remove(0);
    let then = jobs.into_iter().map(|job| NewJob { delivery_id: intake.delivery_id, ..job }).collect();
    assert_eq!(finish(store, &intake, Outcome::Done { result: None, then, bindings: Vec::new() }).await, 1);
}

pub(super) async fn claim(store: &Store, kind: JobKind) -> Vec<Job> {
    store.claim(kind, 10, Duration::from_secs(60)).await.expect("claimed")
}

pub(super) fn keys(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.key.as_str()).collect()
}

pub(super) fn done() -> Outcome {
    Outcome::Done { result: None, then: Vec::new(), bindings: Vec::new() }
}

pub(super) fn park() -> Outcome {
    Outcome::Park { error: "refused".to_owned() }
}

pub(super) fn ended(job: &Job, outcome: Outcome) -> Finish {
    Finish { job_id: job.id, lease_token: job.lease_token, outcome, started_at: NOW, duration_ms: 12 }
}

pub(super) async fn finish(store: &Store, job: &Job, outcome: Outcome) -> usize {
    store.finish(vec![ended(job, outcome)]).await.expect("finished")
}
