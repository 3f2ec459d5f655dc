//! Fetch: from a reference to the lead that a platform keeps.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tracing::{info, warn};

use super::{Handler, try_again};
use crate::{
    clock::Clock,
    fetch::{Fetched, Fetching, NotFetched, Order},
    sources::FetchError,
    store::{Job, JobKind, LONGEST_WAIT, Outcome},
    telemetry::Metrics,
};

/// A lead may be announced before it can be read: these are the waits, in seconds, until it is taken for missing.
const NOT_YET: [i64; 5] = [1, 2, 4, 10, 60];

/// Fetches leads.
pub struct FetchHandler {
    /// Asks the platforms.
    pub fetching: Fetching,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Handler for FetchHandler {
    const KIND: JobKind = JobKind::Fetch;

    type Ready = ();

    fn batch(&self) -> usize {
        8
    }

    /// One slow answer must not hold up what comes after it.
    fn concurrency(&self) -> usize {
        3
    }

    fn lease(&self) -> Duration {
        // The lead, its form and its page, each with a timeout of its own.
        Duration::from_secs(120)
    }

    async fn ready(&self) {}

    async fn run(&self, (): (), jobs: &[Job]) -> Vec<Outcome> {
        join_all(jobs.iter().map(|job| self.fetch(job))).await
    }
}

impl FetchHandler {
    async fn fetch(&self, job: &Job) -> Outcome {
        let order = match serde_json::from_str::<Order>(&job.payload) {
            Ok(order) => order,
            Err(error) => return Outcome::Park { error: format!("the stored reference is damaged: {error}") },
        };
        let (result, outcome) = match self.fetching.lead(&order).await {
            Ok(Fetched::Delivery(delivery)) => ("fetched", Outcome::Fetched { delivery, lane: job.lane }),
            Err(NotFetched::Waits { until, reason }) => {
                // A time that is farther away would count as a mistake of the clock.
                let longest = i64::try_from(LONGEST_WAIT.as_millis()).unwrap_or(i64::MAX);
                return Outcome::Release { not_before: until.min(self.clock.now_ms().saturating_add(longest)), reason };
            }
            Ok(Fetched::Nothing(words)) => {
                info!(
                    source = order.source,
                    job = job.id,
                    "the platform has no answer to this, and nobody need look after it"
                );
                let result = Some(json!({ "missing": words }).to_string());
                ("missing", Outcome::Done { result, then: Vec::new(), bindings: Vec::new() })
            }
            Err(NotFetched::NoSource(error)) => ("failed", Outcome::Park { error }),
            Err(NotFetched::Store(error)) => ("failed", try_again(job, &self.clock, None, &error.to_string())),
            Err(NotFetched::Failed(error)) => ("failed", self.after_failure(job, &order, &error)),
        };
        self.metrics.fetched(&order.source, result, 1);
        outcome
    }

    fn after_failure(&self, job: &Job, order: &Order, error: &FetchError) -> Outcome {
        let words = format!("the platform {error}");
        let parked = |error: String| {
            warn!(source = order.source, job = job.id, error, "a lead cannot be fetched and is parked");
            Outcome::Park { error }
        };
        match error {
            FetchError::Missing(_) => match usize::try_from(job.attempts).ok().and_then(|attempt| NOT_YET.get(attempt))
            {
                Some(seconds) => {
                    Outcome::Retry { not_before: self.clock.now_ms().saturating_add(seconds * 1_000), error: words }
                }
                None => parked(format!(
                    "{words}; it was deleted, or this app may not read it: {}. What may be read again is found by polling",
                    self.fetching.if_missing(&order.source)
                )),
            },
            FetchError::Refused(_) => parked(words),
            _ => try_again(job, &self.clock, None, &words),
        }
    }
}
