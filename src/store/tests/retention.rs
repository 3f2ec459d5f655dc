//! Forgetting what is over and old.

use super::super::{JobKind, Purged, Retention, Store, testing::*};
use crate::domain::Change;

/// Runs every step; what was forgotten, and in how many steps.
async fn purge_all(store: &Store, older_than: i64, replays_older_than: i64) -> (Purged, usize) {
    let (mut total, mut steps) = (Purged::default(), 0);
    loop {
        let retention = Retention { older_than, replays_older_than, batch: 2 };
        let purged = store.purge(retention).await.expect("purged");
        if purged.is_empty() {
            return (total, steps);
        }
        assert!([purged.jobs, purged.bodies, purged.deliveries, purged.changes].iter().all(|count| *count <= 2));
        steps += 1;
        total.jobs += purged.jobs;
        total.bodies += purged.bodies;
        total.deliveries += purged.deliveries;
        total.changes += purged.changes;
    }
}

fn change(number: i64) -> Change {
    serde_json::from_value(serde_json::json!({
        "id": format!("u{number}"), "seq": number, "event": "lead.updated", "timestamp": "2026-11-21T10:00:00Z",
        "model": "crm.lead", "record_id": 1, "data": {"id": 1},
    }))
    .expect("a change")
}

#[tokio::test]
async fn what_is_over_and_old_goes_in_small_steps() {
    let (folder, store) = store().await;
    for key in ["a", "b", "c", "d", "e"] {
        queue(&store, vec![push(key)]).await;
    }
    let jobs = claim(&store, JobKind::Push).await;
    for job in &jobs[..3] {
        finish(&store, job, done()).await;
    }
    finish(&store, &jobs[3], park()).await;
    store.accept_changes((1..=3).map(change).collect()).await.expect("kept");
    assert_eq!(purge_all(&store, NOW, NOW).await, (Purged::default(), 0), "nothing is older yet");

    let (purged, steps) = purge_all(&store, NOW + 1, 0).await;
    // Three pushes and five intakes are done; two deliveries are still needed by a parked and a leased push.
    assert_eq!(purged, Purged { jobs: 8, bodies: 3, changes: 3, ..Purged::default() });
    assert!(steps >= 4, "{steps}");
    super::stats::assert_counters(&connect(&folder), &store.stats().await.expect("read"));
    let attempts = connect(&folder).query_row("SELECT count(*) FROM attempt", [], |row| row.get(0));
    assert_eq!(attempts, Ok(1), "attempts go with their jobs");

    let replay = store.accept(delivery("web", "a"), super::super::Lane::Live, reply()).await.expect("known");
    assert_eq!(replay.duplicate, Some(reply()), "a delivery is recognised after its body is gone");
    assert!(store.deliveries(vec![replay.id]).await.expect("read").remove(0).expect("there").body.is_empty());

    let (purged, _) = purge_all(&store, NOW + 1, NOW + 1).await;
    assert_eq!(purged, Purged { deliveries: 3, ..Purged::default() });
    for job in store.list_jobs(JobFilter::default()).await.expect("listed") {
        let delivery =
            store.deliveries(vec![job.delivery_id.expect("one")]).await.expect("read").remove(0).expect("there");
        assert_eq!(delivery.body, b"{}", "what is not over keeps its delivery");
    }
}
