//! Push: operations from the outbox into Odoo.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing::{info, warn};

use super::{Handler, try_again};
use crate::{
    clock::Clock,
    config::Duplicates,
    domain::{FieldValue, HELD, OWN_FIELDS, OpResult, OpStatus, Operation},
    fetch::MediaOrder,
    odoo::OdooError,
    sources::Registry,
    store::{Job, JobKind, NewJob, Outcome, Sample, Store},
    sync::{
        Backend, Governor, Session,
        push::{self, Owned, Pushed},
    },
    telemetry::Metrics,
};

/// Sends batches of operations.
pub struct PushHandler {
    /// The outbox.
    pub store: Store,
    /// The configured sources.
    pub sources: Arc<Registry>,
    /// The connection to Odoo.
    pub backend: Backend,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Operations per call.
    pub batch: usize,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Fields that the daemon owns.
    pub owned: Owned,
    /// What is done for people who are known.
    pub duplicates: Duplicates,
    /// How many calls at once.
    pub governor: Governor,
}

impl Handler for PushHandler {
    const KIND: JobKind = JobKind::Push;

    type Ready = Arc<Session>;

    fn batch(&self) -> usize {
        self.batch
    }

    fn concurrency(&self) -> usize {
        let parallel = self.backend.current().is_some_and(|session| session.allows_parallel_calls());
        if parallel { self.governor.calls() } else { 1 }
    }

    fn lease(&self) -> Duration {
        // Look-ups and the call itself, each with its own timeout.
        self.timeout * 4
    }

    async fn ready(&self) -> Arc<Session> {
        self.backend.session().await
    }

    async fn run(&self, session: Arc<Session>, jobs: &[Job]) -> Vec<Outcome> {
        let (outcomes, failed) = self.send(&session, jobs).await;
        if failed {
            self.governor.failed();
        } else if jobs.len() == self.batch {
            self.governor.full_batch(jobs.len(), Instant::now());
        } else {
            self.governor.small_batch();
        }
        outcomes
    }
}

impl PushHandler {
    /// Sends the jobs in one batch; also whether Odoo could not be reached or did not answer.
    async fn send(&self, session: &Session, jobs: &[Job]) -> (Vec<Outcome>, bool) {
        let started = self.clock.now();
        let mut operations = Vec::with_capacity(jobs.len());
        let damaged: Vec<Option<String>> = jobs
            .iter()
            .map(|job| match serde_json::from_str::<Operation>(&job.payload) {
                Ok(operation) => {
                    operations.push((operation, job.reviewed));
                    None
                }
                Err(error) => Some(format!("the stored operation is damaged: {error}")),
            })
            .collect();
        let mut pushed = match push::push(session, &self.store, &self.owned, &self.duplicates, &operations).await {
            Ok(pushed) => pushed.into_iter(),
            Err(error) => {
                warn!(%error, "the store failed during a push");
                let again = |job| try_again(job, &self.clock, None, &error.to_string());
                return (jobs.iter().map(again).collect(), true);
            }
        };
        let mut failed = false;
        let mut samples = Vec::new();
        let mut outcomes = Vec::with_capacity(jobs.len());
        let mut sent = operations.iter();
        for (job, damaged) in jobs.iter().zip(damaged) {
            let (operation, pushed) = match damaged {
                Some(error) => (None, Some(Pushed::Refused(error))),
                None => (sent.next(), pushed.next()),
            };
            outcomes.push(match pushed {
                Some(Pushed::Done(result, binding)) => {
                    self.metrics.pushed(job_result(&result));
                    samples.extend(sample(job, &result));
                    Outcome::Done {
                        result: serde_json::to_string(&result).ok(),
                        then: operation
                            .map_or_else(Vec::new, |(operation, _)| self.files(session, job, operation, &result)),
                        bindings: binding.into_iter().collect(),
                    }
                }
                Some(Pushed::Refused(error)) => {
                    self.metrics.pushed("refused");
                    warn!(job = job.id, "an operation is refused and parked: see `g-assistant outbox show {}`", job.id);
                    Outcome::Park { error }
                }
                Some(Pushed::Held(flags)) => {
                    self.metrics.pushed("held");
                    Outcome::Park { error: format!("{HELD}{}", flags.join(", ")) }
                }
                Some(Pushed::Failed(error)) => {
                    if !failed {
                        warn!(%error, "a push failed");
                        self.backend.report(&error);
                    }
                    failed = true;
                    self.after_failure(job, &error)
                }
                Some(Pushed::Later) => self.release("waiting for another lead of the same person"),
                // `push` answers each operation.
                None => self.release("waiting for Odoo"),
            });
        }
        if !samples.is_empty()
            && let Err(error) = self.store.put_samples(samples).await
        {
            warn!(%error, "what leads were like could not be kept to learn from");
        }
        let took = (self.clock.now() - started).to_std().unwrap_or_default();
        self.metrics.push_batch(operations.len(), took);
        info!(operations = operations.len(), duration_ms = took.as_millis() as u64, failed, "pushed");
        (outcomes, failed)
    }

    /// The files of a message that is in Odoo now.
    fn files(&self, session: &Session, job: &Job, operation: &Operation, result: &OpResult) -> Vec<NewJob> {
        let there = matches!(result.status, OpStatus::Created | OpStatus::Updated | OpStatus::Unchanged);
        let Some(message) = operation.message.as_ref().filter(|_| there && session.bridge.takes_files()) else {
            return Vec::new();
        };
        let orders = MediaOrder::all_of(&self.sources, &operation.key, message);
        orders.map(|order| order.job(job.lane, job.delivery_id)).collect()
    }

    fn after_failure(&self, job: &Job, error: &OdooError) -> Outcome {
        release_if_away(error, &self.clock).unwrap_or_else(|| try_again(job, &self.clock, None, &error.to_string()))
    }

    /// At once: the loop itself waits until Odoo can be reached.
    fn release(&self, reason: &str) -> Outcome {
        Outcome::Release { not_before: self.clock.now_ms(), reason: reason.to_owned() }
    }
}

/// That Odoo cannot be reached is nobody's fault and burns no attempt. Due at once: the loop itself waits for Odoo.
pub(super) fn release_if_away(error: &OdooError, clock: &Clock) -> Option<Outcome> {
    let away = matches!(
        error,
        OdooError::Unreachable { .. }
            | OdooError::Busy { .. }
            | OdooError::Denied { .. }
            | OdooError::WrongDatabase { .. }
    );
    away.then(|| Outcome::Release { not_before: clock.now_ms(), reason: error.to_string() })
}

/// What a lead that is new in Odoo was like.
fn sample(job: &Job, result: &OpResult) -> Option<Sample> {
    if result.status != OpStatus::Created {
        return None;
    }
    let operation: Operation = serde_json::from_str(&job.payload).ok()?;
    let score = operation.values.get(&format!("{OWN_FIELDS}score"));
    let Some(FieldValue::Plain(Value::Number(score))) = score else { return None };
    let (record_id, score) = (result.id?, u8::try_from(score.as_u64()?).ok()?);
    let sample = Sample { record_id, at: job.created_at, score, traits: operation.traits };
    (!sample.traits.is_empty()).then_some(sample)
}

fn job_result(result: &OpResult) -> &'static str {
    use OpStatus::*;
    match result.status {
        Created => "created",
        Updated => "updated",
        Unchanged => "unchanged",
        Gone => "gone",
        Refused => "refused",
        Undecided => "undecided",
        Held => "held",
    }
}
