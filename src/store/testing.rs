//! What the tests of this module share.

use std::time::Duration;

use tempfile::TempDir;

pub(super) use super::JobFilter;
use super::{Job, JobKind, NewDelivery, Reply, Store, StoreOptions};
use crate::clock::Clock;

/// The time in all tests (ms).
pub(super) const NOW: i64 = 1_700_000_000_000;

pub(super) fn clock_at(ms: i64) -> Clock {
    Clock::fixed(chrono::DateTime::from_timestamp_millis(ms).expect("a moment"))
}

pub(super) async fn store() -> (TempDir, Store) {
    store_with_limit(1_000).await
}

pub(super) async fn store_with_limit(max_queued_jobs: u64) -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder, clock_at(NOW), max_queued_jobs).await;
    (folder, store)
}

pub(super) async fn open(folder: &TempDir, clock: Clock, max_queued_jobs: u64) -> Store {
    let path = folder.path().join("store.db");
    Store::open(StoreOptions { path, clock, readers: 1, max_queued_jobs }).await.expect("opened")
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

pub(super) async fn claim(store: &Store, kind: JobKind) -> Vec<Job> {
    store.claim(kind, 10, Duration::from_secs(60)).await.expect("claimed")
}
