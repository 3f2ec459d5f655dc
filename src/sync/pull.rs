//! Pull: a whole model into the mirror, page by page, for the first time and as the slow sweep.
//!
//! The next page is on its way while this one is stored; at most two pages are in memory. What the sweep does not meet
//! any more has been deleted in Odoo. What an event changed meanwhile is newer than the page and stays.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::{Session, SyncError};
use crate::{
    clock::Clock,
    domain::{Model, Page},
    odoo::{Class, OdooError},
    store::Store,
};

/// What a pull found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Records in Odoo.
    pub records: u64,
    /// New to the mirror.
    pub new: u64,
    /// Different from the mirror.
    pub changed: u64,
    /// No longer in Odoo.
    pub deleted: u64,
}

/// Tells how far a pull is: records so far, and all of them if known.
pub trait Progress: Send {
    /// Called after each page.
    fn page(&mut self, done: u64, total: Option<u64>);
}

impl<F: FnMut(u64, Option<u64>) + Send> Progress for F {
    fn page(&mut self, done: u64, total: Option<u64>) {
        self(done, total);
    }
}

/// Pulls every record of `model`.
pub async fn pull(
    session: &Session,
    store: &Store,
    clock: &Clock,
    model: Model,
    page_size: u32,
    progress: &mut dyn Progress,
) -> Result<Pulled, SyncError> {
    let mut pulled = Pulled::default();
    let mut total = None;
    let mut requested_at = clock.now_ms();
    let mut first_id = 1;
    let mut page = fetch(session, model, 0, page_size).await?;
    loop {
        total = total.or(page.total);
        let next = page.next;
        // Up to the last id of the page, or to the end of the model, what is not on the page is not in Odoo.
        let covers = (first_id, next.unwrap_or(i64::MAX));
        first_id = next.unwrap_or_default() + 1;
        let page_requested_at = std::mem::replace(&mut requested_at, clock.now_ms());
        let following = async {
            match next {
                Some(after) => fetch(session, model, after, page_size).await.map(Some),
                None => Ok(None),
            }
        };
        let count = page.records.len() as u64;
        let (stored, following) =
            tokio::join!(store.store_page(model, page, page_requested_at, Some(covers)), following);
        let stored = stored?;
        pulled.records += count;
        pulled.new += stored.new;
        pulled.changed += stored.changed;
        pulled.deleted += stored.deleted;
        progress.page(pulled.records, total);
        match following? {
            Some(following) => page = following,
            None => break,
        }
    }
    Ok(pulled)
}

/// Reading is harmless, so a page is asked for again after any failure that may pass.
async fn fetch(session: &Session, model: Model, after: i64, limit: u32) -> Result<Page, OdooError> {
    (|| session.bridge.pull(model, after, limit))
        .retry(ExponentialBuilder::default().with_min_delay(Duration::from_millis(500)).with_max_times(4).with_jitter())
        .when(|error: &OdooError| matches!(error.class(), Class::Temporary | Class::Ambiguous))
        .await
}
