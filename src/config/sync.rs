//! `[sync]`: how changes in Odoo are found, and how often.

use std::time::Duration;

use super::{
    DAY, HOUR, MINUTE, Reader, SECOND,
    expect::{duration, integer},
    units::show_duration,
};

/// `[sync]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// How often to ask for undelivered events (with the addon) or changed records (without).
    pub poll_interval: Duration,
    /// Without the addon: how far each poll looks back; longer than the longest transaction.
    pub overlap: Duration,
    /// How often to compare the whole mirror with Odoo.
    pub sweep_interval: Duration,
    /// Records per page.
    pub page: u32,
}

impl Default for Sync {
    fn default() -> Self {
        Self { poll_interval: 30 * SECOND, overlap: 15 * MINUTE, sweep_interval: 24 * HOUR, page: 2000 }
    }
}

impl Sync {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let sync = Self {
            poll_interval: section.or("poll_interval", duration(SECOND..=DAY), default.poll_interval),
            overlap: section.or("overlap", duration(MINUTE..=DAY), default.overlap),
            sweep_interval: section.or("sweep_interval", duration(MINUTE..=30 * DAY), default.sweep_interval),
            page: section.or("page", integer(100..=10_000), default.page),
        };
        let [poll, overlap, sweep] = [sync.poll_interval, sync.overlap, sync.sweep_interval].map(show_duration);
        if sync.overlap <= sync.poll_interval {
            // Otherwise a transaction as long as the pause between two polls is seen by neither.
            let hint = format!("the pause between two polls is {poll}: look back further than that");
            section.problem("overlap", format!("{overlap} is not longer than `poll_interval`"), Some(hint));
        }
        if sync.sweep_interval < sync.poll_interval {
            let hint = format!("the pause between two polls is {poll}: sweep less often than that");
            section.problem("sweep_interval", format!("{sweep} is shorter than `poll_interval`"), Some(hint));
        }
        section.finish();
        sync
    }
}
