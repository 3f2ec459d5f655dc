//! Intake: from a stored delivery to the operations it asks for. No network.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Handler, try_again};
use crate::{
    clock::Clock,
    intake::{Intake, IntakeContext},
    sources::{Content, Registry},
    store::{Delivery, Job, JobKind, Lane, NewJob, Outcome, Store},
};

/// How long intake gives way to a flood of deliveries, and how often it looks whether it is over.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(5);

/// Parses deliveries and plans their operations.
pub struct IntakeHandler {
    /// Where deliveries are kept.
    pub store: Store,
    /// The configured sources.
    pub sources: Arc<Registry>,
    /// The steps from drafts to operations.
    pub intake: Arc<Intake>,
    /// The time.
    pub clock: Clock,
}

impl Handler for IntakeHandler {
    const KIND: JobKind = JobKind::Intake;

    type Ready = ();

    fn batch(&self) -> usize {
        256
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Under a flood the senders' answers go first: what Odoo takes in the meantime is in the outbox already.
    async fn ready(&self) {
        let began = Instant::now();
        while self.store.is_busy() && began.elapsed() < LONGEST_PAUSE {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn run(&self, (): (), jobs: &[Job]) -> Vec<Outcome> {
        // A job without a delivery is none of ours; an id that no delivery has finds none.
        let ids = jobs.iter().map(|job| job.delivery_id.unwrap_or_default()).collect();
        let deliveries = match self.store.deliveries(ids).await {
            Ok(deliveries) => deliveries,
            Err(error) => {
                return jobs.iter().map(|job| try_again(job, &self.clock, None, &error.to_string())).collect();
            }
        };
        jobs.iter()
            .zip(deliveries)
            .map(|(job, delivery)| match delivery {
                None => Outcome::Park { error: "its delivery is gone".to_owned() },
                Some(delivery) => self.plan(job, &delivery).unwrap_or_else(|error| Outcome::Park { error }),
            })
            .collect()
    }
}

impl IntakeHandler {
    /// The error is for a person: the delivery stays and can be tried again once its cause is mended.
    fn plan(&self, job: &Job, delivery: &Delivery) -> Result<Outcome, String> {
        let source = self.sources.get(&delivery.source).ok_or_else(|| {
            format!("source `{}` is no longer configured; add [sources.{0}] again and retry", delivery.source)
        })?;
        let parsed = source.parse(&delivery.body).map_err(|error| error.to_string())?;
        let Content::Drafts(drafts) = parsed.content else {
            return Err("changes from Odoo need no intake".to_owned());
        };
        let context = IntakeContext { silent: job.lane == Lane::Backfill };
        let then = self
            .intake
            .plan(&delivery.source, &delivery.key, drafts, &context)
            .into_iter()
            .map(|push| NewJob {
                kind: JobKind::Push,
                lane: job.lane,
                key: push.operation.key.clone(),
                record_key: Some(push.record_key),
                payload: serde_json::to_string(&push.operation).unwrap_or_default(),
                not_before: 0,
                delivery_id: Some(delivery.id),
                summary: push.summary,
            })
            .collect();
        Ok(Outcome::Done { result: None, then, bindings: Vec::new() })
    }
}
