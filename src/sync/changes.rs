//! What changed in Odoo since the last look.
//!
//! With the addon: its undelivered events, fetched and acknowledged. That is a state and not a cursor, so an event
//! that commits late is found whenever it commits. Without it: `write_date`, which is the *start* of a transaction and
//! has whole seconds over RPC, so each look overlaps the last by more than the longest transaction, and the sweep finds
//! what even that misses.

use chrono::{DateTime, NaiveDateTime, Utc};
use tracing::info;

use super::{Session, SyncError};
use crate::{
    clock::Clock,
    config,
    domain::{Model, RecordText},
    odoo::{AddonBridge, Bridge, Events, PlainBridge},
    store::Store,
};

/// Events per call.
const EVENTS: u32 = 500;

/// What a look at Odoo brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polled {
    /// Records or events that were new to us.
    pub new: u64,
    /// Whether people have decided something that the daemon is to carry out.
    pub wishes: bool,
}

/// Fetches what changed.
pub async fn poll(session: &Session, store: &Store, clock: &Clock, config: &config::Sync) -> Result<Polled, SyncError> {
    let polled = match &session.bridge {
        Bridge::Addon(addon) => events(addon, store).await?,
        Bridge::Plain(plain) => {
            let mut new = 0;
            for model in Model::MIRRORED {
                new += by_write_date(plain, store, clock, config, model).await?;
            }
            Polled { new, wishes: false }
        }
    };
    if polled.new > 0 {
        info!(new = polled.new, "changes fetched from Odoo");
    }
    Ok(polled)
}

async fn events(addon: &AddonBridge, store: &Store) -> Result<Polled, SyncError> {
    let mut new = 0;
    loop {
        let Events { events, wishes, .. } = addon.events(EVENTS).await?;
        if events.is_empty() {
            return Ok(Polled { new, wishes });
        }
        let full = events.len() >= EVENTS as usize;
        let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
        new += store.accept_changes(events).await?.new as u64;
        // Stored, so it may be forgotten there.
        addon.ack(&ids).await?;
        if !full {
            return Ok(Polled { new, wishes });
        }
    }
}

async fn by_write_date(
    plain: &PlainBridge,
    store: &Store,
    clock: &Clock,
    config: &config::Sync,
    model: Model,
) -> Result<u64, SyncError> {
    let key = cursor_key(model);
    let Some(newest) = store.meta_get(&key).await?.and_then(|text| parse_utc(&text)) else {
        // The first full pull has not run; it sets the cursor.
        return Ok(0);
    };
    let since = newest - config.overlap;
    let mut newest_seen = newest;
    let mut after = 0;
    let mut new = 0;
    loop {
        let requested_at = clock.now_ms();
        let page = plain.changed_since(model, since, after, config.page).await?;
        newest_seen = page.records.iter().filter_map(write_date).fold(newest_seen, DateTime::max);
        let next = page.next;
        let stored = store.store_page(model, page, requested_at, None).await?;
        new += stored.new + stored.changed;
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    if newest_seen > newest {
        store.meta_set(&key, &format_utc(newest_seen)).await?;
    }
    Ok(new)
}

fn write_date(record: &RecordText) -> Option<DateTime<Utc>> {
    parse_utc(record.write_date.as_deref()?)
}

/// Odoo's form of a moment in UTC.
const FORM: &str = "%Y-%m-%d %H:%M:%S";

fn parse_utc(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, FORM).ok().map(|moment| moment.and_utc())
}

pub(super) fn format_utc(moment: DateTime<Utc>) -> String {
    moment.format(FORM).to_string()
}

/// Where polling by `write_date` starts after a full pull: at the newest record of the mirror.
pub async fn start_cursor(store: &Store, model: Model) -> Result<(), SyncError> {
    let newest = store.newest_write_date(model).await?;
    let newest = newest.unwrap_or_else(|| format_utc(DateTime::UNIX_EPOCH));
    store.meta_set(&cursor_key(model), &newest).await?;
    Ok(())
}

fn cursor_key(model: Model) -> String {
    format!("sync.{model}.write_date")
}
