//! What the store holds, at a cost that does not grow with it.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;

use super::{JobKind, JobState, Store, StoreError, queries};
use crate::domain::Model;

/// One kind of job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Waiting for a worker, or for their time.
    pub ready: u64,
    /// Being worked on.
    pub leased: u64,
    /// Waiting for a person.
    pub parked: u64,
    /// How long the oldest has waited.
    pub oldest_ready_age_ms: Option<i64>,
}

/// The whole store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// By kind of job.
    pub queues: BTreeMap<JobKind, QueueStats>,
    /// Deliveries kept.
    pub deliveries: u64,
    /// Changes kept.
    pub changes: u64,
    /// Records mirrored, by model.
    pub mirror: BTreeMap<Model, u64>,
    /// Size of the database file.
    pub file_bytes: u64,
}

impl Store {
    /// Counts everything.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let now = self.now();
        let file_bytes = std::fs::metadata(&self.0.path).map_or(0, |file| file.len());
        self.read(move |connection| {
            let tally = tally(connection)?;
            let count = |kind: &str, state: &str| tally.get(&(kind.to_owned(), state.to_owned())).copied().unwrap_or(0);
            let awaiting = count("delivery", "awaiting");
            let mut queues = BTreeMap::new();
            for &kind in JobKind::ALL {
                let oldest: Option<i64> =
                    connection.prepare_cached(queries::STATS_OLDEST)?.query_row([kind], |row| row.get(0))?;
                let of = |state: JobState| count(kind.as_str(), state.as_str());
                let to_be_made = if kind == JobKind::Intake { awaiting } else { 0 };
                queues.insert(
                    kind,
                    QueueStats {
                        ready: of(JobState::Ready) + to_be_made,
                        leased: of(JobState::Leased),
                        parked: of(JobState::Parked),
                        oldest_ready_age_ms: oldest.map(|since| (now - since).max(0)),
                    },
                );
            }
            let mut mirror = BTreeMap::new();
            for model in Model::MIRRORED {
                mirror.insert(model, count("mirror", model.as_str()));
            }
            Ok(Stats {
                queues,
                deliveries: count("delivery", "") + awaiting,
                changes: count("change", ""),
                mirror,
                file_bytes,
            })
        })
        .await
    }
}

fn tally(connection: &Connection) -> rusqlite::Result<BTreeMap<(String, String), u64>> {
    let mut query = connection.prepare_cached(queries::STATS_TALLY)?;
    query.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?.unsigned_abs())))?.collect()
}
