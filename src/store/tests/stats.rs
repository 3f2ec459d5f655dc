//! The counters that triggers keep.

use rusqlite::Connection;
use serde_json::json;

use super::super::{JobKind, QueueStats, Stats, testing::*};
use crate::domain::{Change, Model, Page};

/// Compares the counters with what is really there.
pub(super) fn assert_counters(connection: &Connection, stats: &Stats) {
    let count =
        |query: &str| -> u64 { connection.query_row(query, [], |row| row.get::<_, u32>(0)).expect("counted").into() };
    assert_eq!(stats.deliveries, count("SELECT count(*) FROM delivery"));
    assert_eq!(stats.changes, count("SELECT count(*) FROM change"));
    for (kind, queue) in &stats.queues {
        let of = |state: &str| count(&format!("SELECT count(*) FROM job WHERE kind = '{kind}' AND state = '{state}'"));
        let awaiting = count("SELECT count(*) FROM delivery WHERE awaits_intake = 1");
        let ready = of("ready") + if *kind == JobKind::Intake { awaiting } else { 0 };
        assert_eq!((queue.ready, queue.leased, queue.parked), (ready, of("leased"), of("parked")), "{kind}");
    }
    for (model, mirrored) in &stats.mirror {
        let real = count(&format!("SELECT count(*) FROM mirror WHERE model = '{model}' AND deleted = 0"));
        assert_eq!(*mirrored, real, "{model}");
    }
}

fn change(id: &str, seq: i64, event: &str) -> Change {
    serde_json::from_value(json!({
        "id": id, "seq": seq, "event": event, "timestamp": "2026-11-21T10:00:00Z", "model": "crm.lead", "record_id": 2,
        "data": {"id": 2},
    }))
    .expect("a change")
}

#[tokio::test]
async fn counters_follow_every_change_and_survive_reopening() {
    let (folder, store) = store().await;
    assert_eq!(store.stats().await.expect("read").queues[&JobKind::Push], QueueStats::default());
    queue(&store, ["a", "b", "c", "d", "e"].map(push).to_vec()).await;
    store.reject(delivery("web", "bad"), "?".to_owned(), reply()).await.expect("kept");
    let jobs = claim(&store, JobKind::Push).await;
    finish(&store, &jobs[0], done()).await;
    finish(&store, &jobs[1], park()).await;
    finish(&store, &jobs[2], park()).await;
    assert_eq!(store.discard_jobs(vec![jobs[1].id]).await, Ok(1));
    assert_counters(&connect(&folder), &store.stats().await.expect("read"));

    let page: Page = serde_json::from_value(json!({"records": [{"id": 1}, {"id": 2}, {"id": 3}]})).expect("a page");
    store.store_page(Model::Lead, page.clone(), NOW + 1, None).await.expect("kept");
    let events = vec![change("u1", 1, "lead.deleted"), change("u1", 1, "lead.deleted")];
    store.accept_changes(events).await.expect("kept");
    let stats = store.stats().await.expect("read");
    assert_eq!((stats.mirror[&Model::Lead], stats.mirror[&Model::Order], stats.changes), (2, 0, 1));
    // Back, and then two are missing.
    store.store_page(Model::Lead, page.clone(), NOW + 1, None).await.expect("kept");
    assert_eq!(store.stats().await.expect("read").mirror[&Model::Lead], 3);
    let rest = Page { records: page.records[..1].to_vec(), ..Page::default() };
    store.store_page(Model::Lead, rest, NOW + 1, Some((1, 9))).await.expect("kept");
    store.close().await;

    let store = open(&folder, clock_at(NOW + 500), 1).await;
    let stats = store.stats().await.expect("read");
    assert_counters(&connect(&folder), &stats);
    let expected = QueueStats { ready: 2, leased: 0, parked: 1, oldest_ready_age_ms: Some(500) };
    assert_eq!(stats.queues[&JobKind::Push], expected);
    assert_eq!((stats.deliveries, stats.mirror[&Model::Lead]), (2, 1));
}
