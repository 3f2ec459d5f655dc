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
            sweep_interval: section.or("sweep_interval", duration(SECOND..=30 * DAY), default.sweep_interval),
            page: section.or("page", integer(100..=10_000), default.page),
        };
        if sync.overlap < 5 * MINUTE {
            let hint = "use at least 5m: what a longer transaction in Odoo changes is found only by the next sweep";
            section.warning("overlap", "may be shorter than a transaction", Some(hint.to_owned()));
        }
        if sync.sweep_interval < sync.poll_interval {
            let hint = format!("a sweep follows a poll, and there is one every {}", show_duration(sync.poll_interval));
            section.warning("sweep_interval", "is shorter than `poll_interval`", Some(hint));
        }
        section.finish();
        sync
    }
}
