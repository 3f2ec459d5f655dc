//! Runs the jobs of the store: claims what is due, hands it to a handler, records how it ended.
//!
//! - The wake-up is registered before the store is asked, so a job that arrives in between is not overlooked; a slow
//!   poll finds what another process (the command line) changed.
//! - A handler that panics costs its jobs one attempt, nothing else.
//! - On shutdown no new jobs are claimed; a batch that is under way finishes, or its lease runs out and the next start
//!   repeats it under the same keys.

mod intake;
mod push;
pub mod retry;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use intake::IntakeHandler;
pub use push::PushHandler;

use crate::{
    clock::Clock,
    store::{Finish, Job, JobKind, Outcome, Store},
};

/// How long to sleep at most before the store is asked again.
const POLL: Duration = Duration::from_secs(1);

/// Does the work of one kind of job.
pub trait Handler: Send + Sync {
    /// The kind.
    const KIND: JobKind;

    /// Most jobs to claim at once.
    fn batch(&self) -> usize;

    /// How long a batch may take before another worker may assume that this one died.
    fn lease(&self) -> Duration;

    /// Waits until work makes sense, such as until Odoo can be reached.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Does the work; one outcome per job, in order.
    fn run(&self, jobs: &[Job]) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// Runs jobs until `cancel`.
pub async fn run<H: Handler>(store: &Store, handler: &H, clock: &Clock, cancel: &CancellationToken) {
    while !cancel.is_cancelled() {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = handler.ready() => {}
        }
        let mut added = store.job_added(H::KIND);
        match run_batch(store, handler, clock).await {
            Ok(0) => {
                let due = store.next_due(H::KIND).await.unwrap_or(None);
                let wait = until_next(due, clock.now_ms());
                tokio::select! {
                    () = cancel.cancelled() => return,
                    _ = added.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
            Ok(_) => {}
            Err(cause) => {
                error!(%cause, kind = ?H::KIND, "the store failed; trying again");
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }
}

/// Claims and runs one batch; returns how many jobs it had.
pub async fn run_batch<H: Handler>(
    store: &Store,
    handler: &H,
    clock: &Clock,
) -> Result<usize, crate::store::StoreError> {
    let jobs = store.claim(H::KIND, handler.batch(), handler.lease()).await?;
    if jobs.is_empty() {
        return Ok(0);
    }
    let started_at = clock.now_ms();
    let outcomes = match AssertUnwindSafe(handler.run(&jobs)).catch_unwind().await {
        Ok(outcomes) => outcomes,
        Err(_) => {
            error!(kind = ?H::KIND, jobs = jobs.len(), "a handler panicked");
            jobs.iter().map(|job| try_again(job, clock, None, "internal error: the handler panicked")).collect()
        }
    };
    let duration_ms = clock.now_ms() - started_at;
    let count = jobs.len();
    let finishes = jobs
        .into_iter()
        .zip(outcomes)
        .map(|(job, outcome)| Finish { job_id: job.id, lease_token: job.lease_token, outcome, started_at, duration_ms })
        .collect();
    let finished = store.finish(finishes).await?;
    if finished < count {
        warn!(kind = ?H::KIND, lost = count - finished, "some leases had run out; their jobs run again");
    }
    Ok(count)
}

/// How long to sleep after a claim that gave nothing, when the next job is due at `due`. One that is due already waits
/// behind another job of its record: asking for it again at once would never end.
fn until_next(due: Option<i64>, now: i64) -> Duration {
    let wait = due.and_then(|due| u64::try_from(due - now).ok()).filter(|wait| *wait > 0);
    wait.map_or(POLL, Duration::from_millis).min(POLL)
}

/// The outcome of a failed attempt: another one later, or parked when there were too many.
pub fn try_again(job: &Job, clock: &Clock, retry_after: Option<Duration>, error: &str) -> Outcome {
    let attempt = job.attempts + 1;
    if attempt >= retry::MOST_ATTEMPTS {
        return Outcome::Park { error: format!("{error} (given up after {attempt} attempts)") };
    }
    let wait = retry::delay(attempt, retry_after, rand::random());
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Outcome::Retry { not_before: clock.now_ms().saturating_add(wait_ms), error: error.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_due_but_held_back_is_not_asked_for_all_the_time() {
        for (due, expected) in [
            (None, POLL),
            (Some(0), POLL),
            (Some(1_000), POLL),
            (Some(1_250), Duration::from_millis(250)),
            (Some(9_000), POLL),
        ] {
            assert_eq!(until_next(due, 1_000), expected, "{due:?}");
        }
    }
}
