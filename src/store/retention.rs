//! Forgets what is done and old, in small steps, so that the writer is never busy with it for long.

use rusqlite::params;

use super::{Store, StoreError, queries};

/// How long it is known what leads were like when they came in (ms): three years.
const SAMPLES: i64 = 3 * 365 * 24 * 3600 * 1000;

/// What to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Done jobs, changes and the bodies of deliveries from before this time (ms).
    pub older_than: i64,
    /// Deliveries as such: afterwards a replay counts as new (ms).
    pub replays_older_than: i64,
    /// Rows per table and step.
    pub batch: usize,
}

/// What a step has forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Jobs with their attempts.
    pub jobs: usize,
    /// Bodies of deliveries.
    pub bodies: usize,
    /// Deliveries.
    pub deliveries: usize,
    /// Changes.
    pub changes: usize,
    /// Leads that a platform listed.
    pub listed: usize,
    /// What leads were like when they came in.
    pub samples: usize,
}

impl Purged {
    /// Whether there was nothing to forget.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// One step; repeat it until it is empty.
    pub async fn purge(&self, retention: Retention) -> Result<Purged, StoreError> {
        let now = self.now();
        let limit = i64::try_from(retention.batch).unwrap_or(i64::MAX);
        self.write(move |connection| {
            let run = |sql, before: i64| connection.prepare_cached(sql)?.execute(params![before, limit]);
            Ok(Purged {
                jobs: run(queries::RETENTION_JOBS, retention.older_than)?,
                bodies: run(queries::RETENTION_BODIES, retention.older_than)?,
                deliveries: run(queries::RETENTION_DELIVERIES, retention.replays_older_than)?,
                changes: run(queries::RETENTION_CHANGES, retention.older_than)?,
                listed: run(queries::RETENTION_LISTED, retention.older_than)?,
                samples: run(queries::SAMPLE_PURGE, now - SAMPLES)?,
            })
        })
        .await
    }
}
