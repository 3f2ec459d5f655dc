//! Jobs: their order, their leases, and how they end.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use super::super::{
    Binding, JobKind, JobState, Lane, NewJob, Outcome, QueueStats, Retention, Store, StoreError, testing::*,
};
use crate::domain::Model;

async fn claim_push(store: &Store) -> Vec<super::super::Job> {
    claim(store, JobKind::Push).await
}

fn retry(not_before: i64) -> Outcome {
    Outcome::Retry { not_before, error: "timeout".to_owned() }
}

#[tokio::test]
async fn live_goes_before_backfill_and_earlier_before_later() {
    let (_folder, store) = store().await;
    let backfill = NewJob { lane: Lane::Backfill, ..push("old") };
    let later = NewJob { not_before: NOW + 1, ..push("later") };
    queue(&store, vec![backfill, later, push("a"), push("b")]).await;
    assert_eq!(store.next_due(JobKind::Push).await, Ok(Some(0)));
    assert_eq!(keys(&claim_push(&store).await), ["a", "b", "old"]);
    assert!(claim_push(&store).await.is_empty());
    assert_eq!(store.next_due(JobKind::Push).await, Ok(Some(NOW + 1)));
    assert_eq!(store.next_due(JobKind::Intake).await, Ok(None));
}

#[tokio::test]
async fn a_delivery_counts_as_work_before_its_intake_job_is_made() {
    let (folder, store) = store_with_limit(3).await;
    for key in ["a", "b", "c"] {
        store.accept(delivery("web", key), Lane::Live, reply()).await.expect("kept");
    }
    assert!(store.list_jobs(JobFilter::default()).await.expect("listed").is_empty());
    let full = store.accept(delivery("web", "d"), Lane::Live, reply()).await;
    assert_eq!(full, Err(StoreError::QueueFull { limit: 3 }));
    assert_eq!(store.next_due(JobKind::Intake).await, Ok(Some(0)));
    let old = Retention { older_than: NOW + 1, replays_older_than: NOW + 1, batch: 9 };
    assert!(store.purge(old).await.expect("purged").is_empty(), "what waits is not forgotten");
    store.close().await;

    let store = open(&folder, clock_at(NOW + 500), 3).await;
    let intake = store.stats().await.expect("read").queues[&JobKind::Intake];
    assert_eq!(intake, QueueStats { ready: 3, oldest_ready_age_ms: Some(500), ..QueueStats::default() });
    let jobs = store.claim(JobKind::Intake, 2, Duration::from_secs(60)).await.expect("claimed");
    assert_eq!(
        jobs.iter().map(|job| (job.delivery_id, job.created_at)).collect::<Vec<_>>(),
        [(Some(1), NOW), (Some(2), NOW)]
    );
    super::stats::assert_counters(&connect(&folder), &store.stats().await.expect("read"));
    assert_eq!(claim(&store, JobKind::Intake).await.len(), 1);
    assert_eq!(store.next_due(JobKind::Intake).await, Ok(None));
    super::stats::assert_counters(&connect(&folder), &store.stats().await.expect("read"));
}

#[tokio::test]
async fn only_live_jobs_that_could_go_now_count_as_claimable() {
    let (_folder, store) = store().await;
    let backfill = NewJob { lane: Lane::Backfill, ..push("file") };
    let later = NewJob { not_before: NOW + 1, ..push("later") };
    queue(&store, vec![push("a"), push_for("r", "1"), push_for("r", "held back"), backfill, later]).await;
    assert_eq!(store.has_claimable(JobKind::Push, 2).await, Ok(true));
    assert_eq!(store.has_claimable(JobKind::Push, 3).await, Ok(false));
    claim_push(&store).await;
    assert_eq!(store.has_claimable(JobKind::Push, 1).await, Ok(false));
}

#[tokio::test]
async fn jobs_of_one_record_run_one_after_another() {
    let (_folder, store) = store().await;
    queue(&store, vec![push_for("r", "1"), push_for("r", "2"), push_for("s", "x"), push_for("r", "3")]).await;
    let first = claim_push(&store).await;
    assert_eq!(keys(&first), ["1", "x"]);
    assert!(claim_push(&store).await.is_empty());

    finish(&store, &first[0], retry(NOW + 50)).await;
    assert!(claim_push(&store).await.is_empty(), "the next waits while the first waits for its next try");

    assert_eq!(store.retry_jobs(vec![first[0].id]).await, Ok(1));
    for expected in ["1", "2", "3"] {
        let jobs = claim_push(&store).await;
        assert_eq!(keys(&jobs), [expected]);
        finish(&store, &jobs[0], done()).await;
    }
    queue(&store, vec![push_for("r", "4")]).await;
    assert_eq!(keys(&claim_push(&store).await), ["4"], "those that are over hold up nobody");
}

#[tokio::test]
async fn a_parked_job_holds_up_those_behind_it_until_a_person_decides() {
    let (_folder, store) = store().await;
    queue(&store, vec![push_for("r", "1"), push_for("r", "2"), push_for("r", "3")]).await;
    let first = claim_push(&store).await.remove(0);
    finish(&store, &first, park()).await;
    assert!(claim_push(&store).await.is_empty());

    let jobs = store.list_jobs(JobFilter::default()).await.expect("listed");
    let middle = jobs.iter().find(|job| job.key == "2").expect("there");
    assert_eq!(store.discard_jobs(vec![middle.id]).await, Ok(1));
    assert!(claim_push(&store).await.is_empty(), "still behind the parked one");
    assert_eq!(store.discard_jobs(vec![first.id]).await, Ok(1));
    assert_eq!(keys(&claim_push(&store).await), ["3"]);
}

#[tokio::test]
async fn an_expired_lease_is_taken_over_and_the_old_holder_is_fenced_out() {
    let (folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let old = claim_push(&store).await.remove(0);
    // Another claims when the lease is over.
    let later = Store::open_admin(&folder.path().join("store.db"), clock_at(NOW + 60_001)).await.expect("opened");
    let new = claim_push(&later).await.remove(0);
    assert_eq!((old.id, old.attempts), (new.id, new.attempts));
    assert_ne!(old.lease_token, new.lease_token);

    let follow_up = Outcome::Done { result: None, then: vec![push("b")], bindings: Vec::new() };
    assert_eq!(finish(&store, &old, follow_up).await, 0);
    assert!(claim_push(&store).await.is_empty(), "what a fenced holder wanted to queue is dropped");
    assert_eq!(finish(&store, &new, done()).await, 1);
    assert_eq!(finish(&store, &new, done()).await, 0, "finished once");
}

#[tokio::test]
async fn an_expired_lease_that_nobody_took_over_still_counts() {
    let (folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let job = claim_push(&store).await.remove(0);
    let later = Store::open_admin(&folder.path().join("store.db"), clock_at(NOW + 60_001)).await.expect("opened");
    assert_eq!(finish(&later, &job, done()).await, 1);
}

#[tokio::test]
async fn attempts_are_counted_and_recorded() {
    let (_folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let release = || Outcome::Release { not_before: NOW, reason: "Odoo is down".to_owned() };
    for (outcome, attempts) in [(retry(NOW), 0), (release(), 1), (retry(NOW), 1), (park(), 2)] {
        let job = claim_push(&store).await.remove(0);
        assert_eq!(job.attempts, attempts);
        finish(&store, &job, outcome).await;
    }
    let id =
        store.list_jobs(JobFilter { state: Some(JobState::Parked), ..JobFilter::default() }).await.expect("listed")[0]
            .id;
    assert_eq!(store.retry_jobs(vec![id]).await, Ok(1));
    let job = claim_push(&store).await.remove(0);
    assert_eq!(job.attempts, 0, "a person's retry starts anew");
    finish(&store, &job, Outcome::Done { result: Some("{\"id\":7}".to_owned()), then: vec![], bindings: vec![] }).await;

    let job = store.job(id).await.expect("read").expect("there");
    let history: Vec<_> = job.history.iter().map(|attempt| (attempt.n, attempt.outcome.as_str())).collect();
    assert_eq!(history, [(1, "retry"), (2, "retry"), (3, "parked"), (4, "done")]);
    assert_eq!(job.history[2].error.as_deref(), Some("refused"));
    assert_eq!((job.state, job.error, job.result.as_deref()), (JobState::Done, None, Some("{\"id\":7}")));
}

#[tokio::test]
async fn retry_and_discard_take_only_jobs_that_wait() {
    let (_folder, store) = store().await;
    queue(&store, vec![push("done"), push("leased")]).await;
    let jobs = claim_push(&store).await;
    finish(&store, &jobs[0], done()).await;
    let ids = vec![jobs[0].id, jobs[1].id, 99];
    assert_eq!(store.retry_jobs(ids.clone()).await, Ok(0));
    assert_eq!(store.discard_jobs(ids).await, Ok(0));
}

#[tokio::test]
async fn a_finished_job_leaves_follow_ups_and_bindings() {
    let (_folder, store) = store().await;
    queue(&store, vec![push("a")]).await;
    let binding = |written: serde_json::Value| Binding {
        model: Model::Lead,
        reference: "web:1".to_owned(),
        record_id: 7,
        written: written.as_object().expect("an object").clone(),
    };
    let job = claim_push(&store).await.remove(0);
    let bindings = vec![binding(json!({"name": "A", "city": "Abha"}))];
    // A follow-up whose key is known is left out.
    let then = vec![push("b"), push("a")];
    finish(&store, &job, Outcome::Done { result: None, then, bindings }).await;
    let next = claim_push(&store).await;
    assert_eq!(keys(&next), ["b"]);
    let bindings = vec![binding(json!({"name": "B"}))];
    finish(&store, &next[0], Outcome::Done { result: None, then: vec![], bindings }).await;

    let references = vec!["web:1".to_owned(), "web:2".to_owned()];
    let found = store.bindings(Model::Lead, references.clone()).await.expect("read");
    assert_eq!((found.len(), &found["web:1"]), (1, &binding(json!({"name": "B", "city": "Abha"}))));
    assert!(store.bindings(Model::Order, references).await.expect("read").is_empty());
}

#[tokio::test]
async fn workers_are_woken_by_what_concerns_them() {
    let (_folder, store) = store().await;
    let (pushes, mut intakes) = (store.job_added(JobKind::Push), store.job_added(JobKind::Intake));
    let woken = |worker: &watch::Receiver<()>| worker.has_changed().expect("the store is open");
    store.accept(delivery("web", "a"), Lane::Live, reply()).await.expect("kept");
    assert!(woken(&intakes) && !woken(&pushes));
    intakes.mark_unchanged();
    store.accept(delivery("web", "a"), Lane::Live, reply()).await.expect("known");
    assert!(!woken(&intakes), "a replay is no work");

    let job = claim(&store, JobKind::Intake).await.remove(0);
    assert!(!woken(&intakes), "claiming wakes nobody");
    let then = vec![push("a")];
    finish(&store, &job, Outcome::Done { result: None, then, bindings: Vec::new() }).await;
    assert!(woken(&pushes));
}

#[tokio::test]
async fn the_same_delivery_many_times_at_once_is_taken_once() {
    let (_folder, store) = store().await;
    let calls = (0..50).map(|_| store.accept(delivery("web", "a"), Lane::Live, reply()));
    let answers = futures_util::future::join_all(calls).await;
    let new = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|answer| answer.duplicate.is_none()));
    assert_eq!(new.count(), 1);
    assert_eq!(claim(&store, JobKind::Intake).await.len(), 1);
}

/// Looking past them must cost an index look-up each, not a scan each.
#[tokio::test]
async fn thousands_of_jobs_of_one_record_do_not_hold_up_the_others() {
    let (_folder, store) = store().await;
    let mut jobs: Vec<_> = (0..10_000).map(|number| push_for("r", &format!("r{number}"))).collect();
    jobs.push(push_for("s", "other"));
    queue(&store, jobs).await;
    let began = Instant::now();
    assert_eq!(keys(&claim_push(&store).await), ["r0", "other"]);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Set a day back, the clock leaves times behind that seem far away.
#[tokio::test]
async fn what_was_due_by_a_clock_that_was_ahead_is_due() {
    const DAY: i64 = 86_400_000;
    let folder = tempfile::tempdir().expect("a folder");
    let ahead = open(&folder, clock_at(NOW + DAY), 100).await;
    queue(&ahead, vec![push("tried"), push("under way")]).await;
    let jobs = claim_push(&ahead).await;
    finish(&ahead, &jobs[0], retry(NOW + DAY + 2_000)).await;
    ahead.close().await;
    // Without the release at the start: the process lives on.
    let now = Store::open_admin(&folder.path().join("store.db"), clock_at(NOW)).await.expect("opened");
    assert_eq!(keys(&claim_push(&now).await), ["tried", "under way"]);
    // A wait that is as long as waits may be is waited for.
    queue(&now, vec![NewJob { not_before: NOW + 15 * 60_000, ..push("later") }]).await;
    assert!(claim_push(&now).await.is_empty());
}

#[tokio::test]
async fn what_the_daemon_dies_of_goes_alone_and_is_parked_in_the_end() {
    let (folder, mut store) = store().await;
    queue(&store, ["innocent", "deadly", "other"].map(push).to_vec()).await;
    for death in 1..=24 {
        let jobs = claim_push(&store).await;
        if death <= 3 {
            assert_eq!(jobs.len(), 3, "nobody is suspected yet");
        } else if jobs[0].key == "innocent" {
            assert_eq!(jobs.len(), 1);
            finish(&store, &jobs[0], done()).await;
            assert_eq!(keys(&claim_push(&store).await), ["deadly"]);
        } else {
            assert_eq!(keys(&jobs), ["deadly"]);
        }
        store.close().await;
        store = open(&folder, clock_at(NOW), 100).await;
    }
    assert_eq!(keys(&claim_push(&store).await), ["other"]);
    let parked = store.list_jobs(JobFilter { state: Some(JobState::Parked), ..JobFilter::default() }).await;
    let parked = parked.expect("listed");
    assert_eq!((parked[0].key.as_str(), parked[0].attempts), ("deadly", 24));
}
