//! Writes that are committed together: each has its own fate, unless the commit fails for all.

use std::{path::PathBuf, sync::mpsc};

use rusqlite::Connection;
use tokio::{sync::oneshot, task::JoinHandle};

use super::super::{Lane, NewDelivery, Store, StoreError, testing::*};

type Write = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

/// Holds up the writer until told to go on, so that what is written meanwhile becomes one group.
async fn hold(store: &Store) -> (JoinHandle<()>, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let (begun, holds) = oneshot::channel();
    let store = store.clone();
    let held = tokio::spawn(async move {
        let write = move |_: &Connection| {
            begun.send(()).expect("somebody waits");
            wait.recv().expect("told to go on");
            Ok(())
        };
        store.write(write).await.expect("nothing was written");
    });
    holds.await.expect("the writer is held");
    (held, go)
}

/// Runs writes in one group; the answers in order.
async fn in_one_group(store: &Store, writes: Vec<Write>) -> Vec<Result<(), StoreError>> {
    let (held, go) = hold(store).await;
    // Polled after the writes, which are in the queue by then.
    let release = async { go.send(()).expect("still held") };
    let writes = futures_util::future::join_all(writes.into_iter().map(|write| store.write(write)));
    let (answers, ()) = tokio::join!(writes, release);
    held.await.expect("no panic");
    answers
}

fn put(key: &'static str) -> Write {
    Box::new(move |connection| {
        connection.execute("INSERT INTO meta VALUES (?1, '')", [key])?;
        Ok(())
    })
}

async fn is_there(store: &Store, key: &str) -> bool {
    store.meta_get(key).await.expect("read").is_some()
}

fn count(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).expect("counted")
}

#[tokio::test]
async fn a_write_that_fails_or_panics_leaves_its_group_alone() {
    let (folder, store) = store().await;
    let path: PathBuf = folder.path().join("store.db");
    let fails: Write = Box::new(|connection| {
        put("b")(connection)?;
        Err(StoreError::QueueFull { limit: 1 })
    });
    let panics: Write = Box::new(|connection| {
        put("c")(connection)?;
        panic!("on purpose");
    });
    let looks: Write = Box::new(move |connection| {
        assert_eq!(count(connection), 1, "the failed ones are rolled back");
        assert_eq!(count(&Connection::open(path)?), 0, "nothing is committed yet: this is one group");
        put("d")(connection)
    });
    let answers = in_one_group(&store, vec![put("a"), fails, panics, looks]).await;
    assert_eq!(answers[..2], [Ok(()), Err(StoreError::QueueFull { limit: 1 })]);
    assert!(matches!(&answers[2], Err(StoreError::Sqlite { detail }) if detail.contains("panicked")));
    assert_eq!(answers[3], Ok(()));
    for (key, expected) in [("a", true), ("b", false), ("c", false), ("d", true)] {
        assert_eq!(is_there(&store, key).await, expected, "{key}");
    }
}

#[tokio::test]
async fn when_the_commit_fails_everybody_is_told() {
    let (_folder, store) = store().await;
    let spoils: Write = Box::new(|connection| {
        connection
            .execute_batch("PRAGMA defer_foreign_keys = ON; INSERT INTO attempt VALUES (99, 1, 0, 0, 'done', NULL)")?;
        Ok(())
    });
    let answers = in_one_group(&store, vec![put("a"), spoils, put("b")]).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert!(!is_there(&store, "a").await && !is_there(&store, "b").await);
    store.meta_set("a", "").await.expect("the next group is not concerned");
}

#[tokio::test]
async fn when_sqlite_ends_the_transaction_nobody_is_told_a_lie() {
    let (_folder, store) = store().await;
    let ends: Write = Box::new(|connection| {
        connection.execute_batch("ROLLBACK")?;
        Err(StoreError::DiskFull)
    });
    let answers = in_one_group(&store, vec![put("a"), ends, put("b")]).await;
    assert_eq!(answers[1], Err(StoreError::DiskFull), "its own reason is kept");
    for answer in [&answers[0], &answers[2]] {
        assert!(answer.as_ref().is_err_and(StoreError::is_temporary), "{answer:?}");
    }
    assert!(!is_there(&store, "a").await && !is_there(&store, "b").await);
    store.meta_set("a", "").await.expect("the next group is not concerned");
}

#[tokio::test]
async fn a_full_disk_is_a_temporary_error_and_keeps_nothing() {
    let (_folder, store) = store().await;
    let limit = |pages: &'static str| {
        store.write(move |connection| Ok(connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?))
    };
    limit("1").await.expect("set to as few as there are");
    let large = |key: &str| NewDelivery { body: vec![b'x'; 100_000], ..delivery("web", key) };
    let calls = ["a", "b", "c"].map(|key| store.accept(large(key), Lane::Live, reply()));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.contains(&Err(StoreError::DiskFull)), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(StoreError::is_temporary)), "{answers:?}");
    assert_eq!(store.stats().await.expect("read").deliveries, 0);

    limit("1000000").await.expect("set");
    assert_eq!(store.accept(large("a"), Lane::Live, reply()).await.expect("kept").duplicate, None);
}

#[tokio::test]
async fn a_write_is_done_even_if_nobody_waits_for_it() {
    let (_folder, store) = store().await;
    let (held, go) = hold(&store).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.meta_set("a", "b").await }
    });
    tokio::task::yield_now().await;
    writing.abort();
    go.send(()).expect("still held");
    held.await.expect("no panic");
    store.meta_set("later", "").await.expect("set");
    assert!(is_there(&store, "a").await);
}

#[tokio::test]
async fn closing_finishes_what_waits() {
    let (_folder, store) = store().await;
    let (held, go) = hold(&store).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.meta_set("a", "b").await }
    });
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let store = store.clone();
        async move { store.close().await }
    });
    tokio::task::yield_now().await;
    go.send(()).expect("still held");
    held.await.expect("no panic");
    assert_eq!(writing.await.expect("no panic"), Ok(()));
    closing.await.expect("no panic");
    assert_eq!(store.meta_set("c", "d").await, Err(StoreError::Closed));
    store.close().await;
}

#[tokio::test]
async fn a_whole_write_takes_its_group_along_only_if_it_leaves_something_half_done() {
    for (changes_before_it_fails, neighbour_stays) in [(false, true), (true, false)] {
        let (_folder, store) = store().await;
        let (held, go) = hold(&store).await;
        let neighbour = store.write(put("a"));
        let fails = store.write_whole(move |connection| {
            if changes_before_it_fails {
                put("b")(connection)?;
            }
            Err::<(), _>(StoreError::Closed)
        });
        let release = async { go.send(()).expect("still held") };
        let (neighbour, failed, ()) = tokio::join!(neighbour, fails, release);
        held.await.ok();
        assert_eq!(failed, Err(StoreError::Closed));
        assert_eq!(neighbour.is_ok(), neighbour_stays);
        assert_eq!(is_there(&store, "a").await, neighbour_stays);
        assert!(!is_there(&store, "b").await);
        store.write(put("c")).await.expect("the writer goes on");
    }
}
