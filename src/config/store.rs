//! `[store]`: the daemon's own database, and how long it remembers.

use std::{path::PathBuf, time::Duration};

use super::{
    DAY, HOUR, Reader,
    expect::{duration, integer, path},
};

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// Done jobs, attempts, changes and the bodies of deliveries are deleted after this time.
    pub retention: Duration,
    /// How long the key of a delivery is remembered to recognise a replay.
    pub replay_memory: Duration,
    /// Most jobs that may wait; beyond it the webhooks answer 503.
    pub max_queued: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/g-assistant/store.db"),
            retention: 30 * DAY,
            replay_memory: 90 * DAY,
            max_queued: 1_000_000,
        }
    }
}

/// How far back platforms and Odoo are compared.
const COMPARED: Duration = DAY.saturating_mul(7);

impl Store {
    /// How far back platforms and Odoo can be compared: done jobs are not kept for longer.
    pub fn compared(&self) -> Duration {
        self.retention.min(COMPARED)
    }

    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let store = Self {
            path: section.or("path", path(), default.path),
            retention: section.or("retention", duration(HOUR..=3650 * DAY), default.retention),
            replay_memory: section.or("replay_memory", duration(DAY..=3650 * DAY), default.replay_memory),
            max_queued: section.or("max_queued", integer(1..=1_000_000_000), default.max_queued),
        };
        section.finish();
        store
    }
}
