//! Who may open a store, and what they find.

use std::os::unix::fs::PermissionsExt;

use super::super::{JobKind, Lane, Store, StoreError, testing::*};

#[tokio::test]
async fn one_store_has_one_daemon() {
    let (folder, store) = store().await;
    let path = folder.path().join("store.db");
    let refused = Store::open(options(&folder, clock_at(NOW), 1)).await.err();
    assert_eq!(refused, Some(StoreError::Locked { path }));
    store.close().await;
    open(&folder, clock_at(NOW), 1).await;
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (folder, store) = store().await;
    store.meta_set("odoo.database_uuid", "u").await.expect("set");
    queue(&store, vec![push("a")]).await;
    store.close().await;
    let log = folder.path().join("store.db-wal");
    assert!(!log.exists() || log.metadata().expect("there").len() == 0, "closing empties the log");
    drop(store);

    let store = open(&folder, clock_at(NOW), 1).await;
    assert_eq!(store.meta_get("odoo.database_uuid").await, Ok(Some("u".to_owned())));
    assert_eq!(keys(&claim(&store, JobKind::Push).await), ["a"]);
}

#[tokio::test]
async fn leases_of_the_last_process_are_released() {
    let (folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let before = claim(&store, JobKind::Push).await.remove(0);
    store.close().await;

    let store = open(&folder, clock_at(NOW), 1).await;
    let after = claim(&store, JobKind::Push).await.remove(0);
    assert_eq!((after.id, after.attempts), (before.id, 1), "it may be what the process died of");
    assert_eq!(finish(&store, &before, done()).await, 0, "the old lease is worth nothing");
}

#[tokio::test]
async fn a_command_works_beside_the_daemon() {
    let (folder, store) = store().await;
    queue(&store, vec![push("a"), push("b")]).await;
    for job in claim(&store, JobKind::Push).await {
        finish(&store, &job, park()).await;
    }
    let command = Store::open_admin(&folder.path().join("store.db"), clock_at(NOW)).await.expect("opened");
    let jobs = command.list_jobs(JobFilter::default()).await.expect("listed");
    assert_eq!(command.retry_jobs(vec![jobs[0].id]).await, Ok(1));
    assert_eq!(command.discard_jobs(vec![jobs[1].id]).await, Ok(1));
    command.close().await;

    assert_eq!(claim(&store, JobKind::Push).await[0].id, jobs[0].id);
    let push = store.stats().await.expect("read").queues[&JobKind::Push];
    assert_eq!((push.leased, push.parked), (1, 0));
}

#[tokio::test]
async fn reading_beside_the_daemon_writes_nothing() {
    let (folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let reader = Store::open_readonly(&folder.path().join("store.db")).await.expect("opened");
    assert_eq!(reader.list_jobs(JobFilter::default()).await, store.list_jobs(JobFilter::default()).await);
    assert_eq!(reader.stats().await.expect("read").deliveries, 1);
    assert_eq!(reader.retry_jobs(vec![1]).await, Err(StoreError::ReadOnly));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let (folder, store) = store().await;
    store.close().await;
    let path = folder.path().join("store.db");
    connect(&folder).pragma_update(None, "user_version", 99).expect("set");
    let newer = |error: Option<StoreError>| matches!(error, Some(StoreError::TooNew { found: 99, .. }));
    assert!(newer(Store::open(options(&folder, clock_at(NOW), 1)).await.err()));
    assert!(newer(Store::open_admin(&path, clock_at(NOW)).await.err()));
    assert!(newer(Store::open_readonly(&path).await.err()));
}

#[tokio::test]
async fn what_is_not_a_store_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let missing = Some(StoreError::Missing { path: path.clone() });
    assert_eq!(Store::open_readonly(&path).await.err(), missing);
    assert_eq!(Store::open_admin(&path, clock_at(NOW)).await.err(), missing);
    assert!(!path.exists());

    std::fs::write(&path, "this is a letter to my aunt, not a database".repeat(100)).expect("written");
    let error = Store::open(options(&folder, clock_at(NOW), 1)).await.err();
    assert!(matches!(error, Some(StoreError::Corrupt { .. })), "{error:?}");
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let (folder, _store) = store().await;
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.db.lock"] {
        let mode = folder.path().join(name).metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_is_deleted_or_replaced_takes_nothing_more() {
    for (file, replaced) in [("store.db", false), ("store.db", true), ("store.db-wal", false)] {
        let (folder, store) = store().await;
        store.accept(delivery("web", "before"), Lane::Live, reply()).await.expect("kept");
        let path = folder.path().join(file);
        std::fs::rename(&path, folder.path().join("away")).expect("moved");
        if replaced {
            std::fs::write(&path, "").expect("written");
        }
        let gone = StoreError::Gone { path: folder.path().join("store.db") };
        assert_eq!(store.accept(delivery("web", "after"), Lane::Live, reply()).await, Err(gone.clone()), "{file}");
        assert_eq!(store.broken().await, gone);
        assert!(gone.is_temporary(), "whoever sent it shall send it again");
    }
}

#[tokio::test]
async fn damage_is_noticed_by_whoever_meets_it() {
    let (folder, store) = store().await;
    for key in 0..200 {
        store.accept(delivery("web", &key.to_string()), Lane::Live, reply()).await.expect("kept");
    }
    store.close().await;
    drop(store);
    let path = folder.path().join("store.db");
    let length = path.metadata().expect("there").len();
    std::fs::OpenOptions::new().write(true).open(&path).expect("opened").set_len(length / 2).expect("cut");
    let Ok(store) = Store::open(options(&folder, clock_at(NOW), 1_000)).await else {
        return;
    };
    while store.accept(delivery("web", "after"), Lane::Live, reply()).await.is_ok() {}
    assert!(matches!(store.broken().await, StoreError::Corrupt { .. }));
}
