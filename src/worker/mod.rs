//! Runs the jobs of the store: claims what is due, hands it to a handler, records how it ended.
//!
//! - As many batches are under way at once as the handler allows. Jobs of one record are never in two of them.
//! - The wake-up is registered before the store is asked, so a job that arrives in between is not overlooked; a slow
//!   poll finds what another process (the command line) changed.
//! - A handler that panics costs its jobs one attempt, nothing else.
//! - On shutdown no new jobs are claimed; batches that are under way finish, or their leases run out and the next start
//!   repeats them under the same keys.

mod fetch;
mod intake;
mod media;
mod mx;
mod push;
pub mod retry;
mod spend;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use fetch::FetchHandler;
pub use intake::{AHEAD, IntakeHandler, jobs_of, read};
pub use media::MediaHandler;
pub use mx::MailDomains;
pub use push::PushHandler;
pub use spend::Spending;

use crate::{
    clock::Clock,
    store::{Finish, Job, JobKind, MOST_ATTEMPTS, Outcome, Store, StoreError},
};

/// How long to sleep at most before the store is asked again.
const POLL: Duration = Duration::from_secs(1);

/// Does the work of one kind of job.
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    const KIND: JobKind;

    /// What the work needs, such as a connection to Odoo.
    type Ready: Send;

    /// Most jobs to claim at once.
    fn batch(&self) -> usize;

    /// How many batches may be under way at once, as of now; at least one.
    fn concurrency(&self) -> usize {
        1
    }

    /// How long a batch may take before another worker may assume that this one died.
    fn lease(&self) -> Duration;

    /// Waits until work makes sense, such as until Odoo can be reached.
    fn ready(&self) -> impl Future<Output = Self::Ready> + Send;

    /// Does the work; one outcome per job, in order.
    fn run(&self, ready: Self::Ready, jobs: &[Job]) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// Runs jobs until `cancel`.
pub async fn run<H: Handler>(store: Store, handler: H, clock: Clock, cancel: CancellationToken) {
    let mut runner = Runner::new(store, handler, clock);
    let mut added = runner.store.job_added(H::KIND);
    let mut wait = Duration::ZERO;
    while !cancel.is_cancelled() {
        tokio::select! {
            () = cancel.cancelled() => {}
            Some(_) = runner.batches.join_next() => wait = Duration::ZERO,
            ready = due(&*runner.handler, &mut added, wait), if runner.may_start() => {
                added.mark_unchanged();
                wait = match runner.start(ready).await {
                    Ok(0) => runner.until_next().await,
                    Ok(_) => Duration::ZERO,
                    Err(cause) => {
                        error!(%cause, kind = ?H::KIND, "the store failed; trying again");
                        POLL
                    }
                };
            }
        }
    }
    while runner.batches.join_next().await.is_some() {}
}

/// Runs all jobs that are due now, and tells how many each batch had. False if the handler is not ready, or not any
/// more: jobs may be left.
pub async fn drain<H: Handler>(
    store: &Store,
    handler: H,
    clock: &Clock,
    mut progress: impl FnMut(usize),
) -> Result<bool, StoreError> {
    let mut runner = Runner::new(store.clone(), handler, clock.clone());
    let handler = Arc::clone(&runner.handler);
    loop {
        let ready = handler.ready().now_or_never();
        let is_ready = ready.is_some();
        let started = match ready {
            Some(ready) if runner.may_start() => runner.start(ready).await? > 0,
            _ => false,
        };
        if started {
            continue;
        }
        match runner.batches.join_next().await {
            Some(jobs) => progress(jobs.unwrap_or_default()),
            None => return Ok(is_ready),
        }
    }
}

/// Waits `wait` or until jobs were added, and until the handler is ready.
async fn due<H: Handler>(handler: &H, added: &mut watch::Receiver<()>, wait: Duration) -> H::Ready {
    if !wait.is_zero() {
        tokio::select! {
            _ = added.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    handler.ready().await
}

/// Batches under way. Each is a task that returns how many jobs it had.
struct Runner<H> {
    store: Store,
    handler: Arc<H>,
    clock: Clock,
    batches: JoinSet<usize>,
}

impl<H: Handler> Runner<H> {
    fn new(store: Store, handler: H, clock: Clock) -> Self {
        Self { store, handler: Arc::new(handler), clock, batches: JoinSet::new() }
    }

    fn may_start(&self) -> bool {
        self.batches.len() < self.handler.concurrency()
    }

    /// Claims a batch and starts it; returns how many jobs it has.
    async fn start(&mut self, ready: H::Ready) -> Result<usize, StoreError> {
        let jobs = self.store.claim(H::KIND, self.handler.batch(), self.handler.lease()).await?;
        let count = jobs.len();
        if count > 0 {
            let (store, handler, clock) = (self.store.clone(), Arc::clone(&self.handler), self.clock.clone());
            self.batches.spawn(async move { run_batch(&store, &*handler, &clock, ready, jobs).await });
        }
        Ok(count)
    }

    async fn until_next(&self) -> Duration {
        let due = self.store.next_due(H::KIND).await.unwrap_or(None);
        until_next(due, self.clock.now_ms())
    }
}

async fn run_batch<H: Handler>(store: &Store, handler: &H, clock: &Clock, ready: H::Ready, jobs: Vec<Job>) -> usize {
    let started_at = clock.now_ms();
    let outcomes = match AssertUnwindSafe(handler.run(ready, &jobs)).catch_unwind().await {
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
    match record(store, finishes, handler.lease()).await {
        Ok(finished) if finished < count => {
            warn!(kind = ?H::KIND, lost = count - finished, "some leases had run out; their jobs run again");
        }
        Ok(_) => {}
        // The leases run out, and the same keys go out again.
        Err(cause) => error!(%cause, kind = ?H::KIND, "the store failed; what was done is not written down"),
    }
    count
}

/// Writes down how a batch ended. A disk that is full now may not be so for long, and what is not written down is done
/// again: so as long as the leases hold, it is tried again.
async fn record(store: &Store, finishes: Vec<Finish>, lease: Duration) -> Result<usize, StoreError> {
    let deadline = Instant::now() + lease;
    loop {
        match store.finish(finishes.clone()).await {
            Err(cause) if cause.may_pass() && Instant::now() < deadline => {
                warn!(%cause, "what was done cannot be written down yet; trying again");
                tokio::time::sleep(POLL).await;
            }
            result => return result,
        }
    }
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
    if attempt >= MOST_ATTEMPTS {
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
