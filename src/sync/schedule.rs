//! When each kind of synchronisation runs: the first full pull at once, then polls, and the sweep in between.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Backend, Bell, Session, SyncError, changes,
    pull::{self, Progress, Pulled},
};
use crate::{
    clock::Clock,
    config,
    domain::Model,
    store::{Retention, Store, StoreError},
    telemetry::Metrics,
};

/// Makes the progress display of one model's pull.
pub type ProgressFor = Arc<dyn Fn(Model) -> Box<dyn Progress> + Send + Sync>;

/// Everything that the schedule needs.
pub struct Schedule {
    /// The mirror.
    pub store: Store,
    /// The connection.
    pub backend: Backend,
    /// The time.
    pub clock: Clock,
    /// `[sync]`
    pub config: config::Sync,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Rung when people in Odoo have decided something.
    pub bell: Bell,
    /// How a long pull shows its progress.
    pub progress: ProgressFor,
}

impl Schedule {
    /// Synchronises until `cancel`.
    pub async fn run(&self, cancel: &CancellationToken) {
        loop {
            let session = tokio::select! {
                () = cancel.cancelled() => return,
                session = self.backend.session() => session,
            };
            let passed = tokio::select! {
                // A pull that is cut off starts again at the next run; the mirror is right at every page.
                () = cancel.cancelled() => return,
                passed = self.pass(&session, false) => passed,
            };
            if let Err(error) = passed {
                warn!(%error, "synchronisation stopped; it goes on with the next pass");
                if let SyncError::Odoo(error) = &error {
                    self.backend.report(error);
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(self.config.poll_interval) => {}
            }
        }
    }

    /// One pass: what changed, and the whole mirror where that is due or asked for.
    pub async fn pass(&self, session: &Session, full: bool) -> Result<(), SyncError> {
        let polled = changes::poll(session, &self.store, &self.clock, &self.config).await?;
        self.metrics.changes("polled", polled.new);
        self.bell.polled(self.clock.now_ms());
        if polled.wishes {
            self.bell.wishes();
        }
        for model in Model::MIRRORED {
            if full || self.is_sweep_due(model).await? {
                let pulled = self.sweep(session, model).await?;
                info!(
                    %model,
                    records = pulled.records,
                    new = pulled.new,
                    changed = pulled.changed,
                    deleted = pulled.deleted,
                    "compared the mirror with Odoo"
                );
            }
        }
        Ok(())
    }

    async fn sweep(&self, session: &Session, model: Model) -> Result<Pulled, SyncError> {
        let mut progress = (self.progress)(model);
        let started = self.clock.now_ms();
        let pulled = pull::pull(session, &self.store, &self.clock, model, self.config.page, &mut *progress).await?;
        changes::start_cursor(&self.store, model).await?;
        self.store.meta_set(&swept_key(model), &started.to_string()).await?;
        Ok(pulled)
    }

    async fn is_sweep_due(&self, model: Model) -> Result<bool, SyncError> {
        let age = swept_at(&self.store, model).await?.map(|last| self.clock.now_ms().saturating_sub(last));
        // A clock that was set back must not stop the sweep.
        Ok(age.is_none_or(|age| age < 0 || age >= millis(self.config.sweep_interval)))
    }
}

/// When the mirror was last compared with Odoo as a whole (ms).
pub(super) async fn swept_at(store: &Store, model: Model) -> Result<Option<i64>, StoreError> {
    Ok(store.meta_get(&swept_key(model)).await?.and_then(|text| text.parse().ok()))
}

fn swept_key(model: Model) -> String {
    format!("sync.{model}.swept_at")
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How often old rows are looked for.
const RETENTION_INTERVAL: Duration = Duration::from_secs(3600);
/// Rows per step, so that webhooks never wait long for the writer.
const RETENTION_STEP: usize = 500;

/// Deletes what is done and old, in small steps, until `cancel`.
pub async fn retain(store: &Store, clock: &Clock, config: &config::Store, cancel: &CancellationToken) {
    loop {
        let now = clock.now_ms();
        let retention = Retention {
            older_than: now - millis(config.retention),
            replays_older_than: now - millis(config.replay_memory),
            batch: RETENTION_STEP,
        };
        loop {
            match store.purge(retention).await {
                Ok(purged) if purged.is_empty() => break,
                Ok(_) if cancel.is_cancelled() => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    warn!(%error, "old rows could not be deleted");
                    break;
                }
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(RETENTION_INTERVAL) => {}
        }
    }
}
