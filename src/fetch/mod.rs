//! Platforms that send only ids: fetching what they announced, and looking for what they did not.
//!
//! - [`Fetching`] asks for one lead, with its form, which is kept for a while
//! - `gate`: when a platform cannot be reached, wants fewer requests or refuses the token, all that is asked of this
//!   account waits; no attempt of a single lead is burnt, and the first good answer lets everything go on
//! - `reconcile`: polls the forms, so that what no webhook told of is found too, and counts
//! - `spend`: what campaigns cost
//! - `media`: pictures and files of messages

mod gate;
mod media;
mod reconcile;
mod spend;

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::gate::Gates;
pub use self::media::MediaOrder;
use crate::{
    clock::Clock,
    domain::PlatformStatus,
    sources::{FetchError, Found, Platform, Reference, Registry},
    store::{JobKind, Lane, NewDelivery, NewJob, Store, StoreError},
    telemetry::Metrics,
};

/// How long a form is taken to be as it was.
const FORM_HOLDS_MS: i64 = 24 * 3_600_000;

/// What a fetch job is to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The source's id.
    pub source: String,
    /// The lead.
    pub reference: Reference,
}

impl Order {
    /// The job's key: equal however often and by whatever way the lead is announced.
    pub fn key(source: &str, lead_id: &str) -> String {
        format!("{source}:{lead_id}")
    }

    /// The job; `what` is fetched, in a word or two.
    pub fn job(self, what: &str, lane: Lane, delivery_id: Option<i64>) -> NewJob {
        let key = Self::key(&self.source, &self.reference.lead_id);
        NewJob {
            kind: JobKind::Fetch,
            lane,
            summary: format!("{what} {key}"),
            key,
            record_key: None,
            payload: serde_json::to_string(&self).unwrap_or_default(),
            not_before: 0,
            delivery_id,
            held: None,
        }
    }
}

/// What came of asking for one.
#[derive(Debug)]
pub enum Fetched {
    /// It is to be kept like a delivery.
    Delivery(NewDelivery),
    /// The platform does not have it, and that is in order: in its words.
    Nothing(String),
}

/// Why there is no lead.
#[derive(Debug)]
pub enum NotFetched {
    /// The account waits, through no fault of this lead, until this time (ms).
    Waits {
        /// Until when.
        until: i64,
        /// Why.
        reason: String,
    },
    /// Only this lead: what the platform said.
    Failed(FetchError),
    /// The store failed.
    Store(StoreError),
    /// The source is not there any more, or never asked a platform.
    NoSource(String),
}

impl From<StoreError> for NotFetched {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Asks platforms. Cheap to clone.
#[derive(Clone)]
pub struct Fetching {
    store: Store,
    sources: Arc<Registry>,
    clock: Clock,
    metrics: Arc<Metrics>,
    gates: Arc<Gates>,
    /// By source: whoever needs a form that is not kept asks alone, and who waited finds it kept.
    forms: Arc<HashMap<String, Mutex<()>>>,
    /// How far back platforms and Odoo are compared.
    compared: Duration,
}

/// What is done with an account again and again.
pub trait Pass: Sync {
    /// One time. Returns how long to wait for the next.
    fn pass(&self, source: &str, account: &str, platform: &dyn Platform) -> impl Future<Output = Duration> + Send;
}

/// Makes pass after pass over each account, all accounts at the same time, until `cancel`.
pub async fn each_account(
    accounts: impl Iterator<Item = (String, String, Arc<dyn Platform>)>,
    cancel: &CancellationToken,
    passes: &impl Pass,
) {
    let each = accounts.map(async |(source, account, platform)| {
        loop {
            let wait = tokio::select! {
                () = cancel.cancelled() => return,
                wait = passes.pass(&source, &account, &*platform) => wait,
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    });
    futures_util::future::join_all(each).await;
    cancel.cancelled().await;
}

impl Fetching {
    /// Over these sources.
    pub fn new(store: Store, sources: Arc<Registry>, clock: Clock, metrics: Arc<Metrics>, compared: Duration) -> Self {
        let accounts = sources.platforms().flat_map(|(source, platform)| {
            platform
                .accounts()
                .iter()
                .chain(platform.ad_accounts())
                .map(|account| (source.to_owned(), account.clone()))
                .collect::<Vec<_>>()
        });
        let gates = Arc::new(Gates::new(accounts.collect()));
        let forms = sources.platforms().map(|(source, _)| (source.to_owned(), Mutex::default())).collect();
        Self { store, sources, clock, metrics, gates, forms: Arc::new(forms), compared }
    }

    /// What a person may do if a lead of this source is not there.
    pub fn if_missing(&self, source: &str) -> &'static str {
        let platform = self.sources.get(source).and_then(|source| source.platform());
        platform.and_then(|platform| platform.if_missing()).unwrap_or_default()
    }

    /// How each platform is, as it changes.
    pub fn status(&self) -> watch::Receiver<Vec<PlatformStatus>> {
        self.gates.status()
    }

    /// Fetches one lead; what comes back is kept like a delivery.
    pub async fn lead(&self, order: &Order) -> Result<Fetched, NotFetched> {
        let Order { source, reference } = order;
        let platform = self.sources.get(source).and_then(|source| source.platform()).ok_or_else(|| {
            NotFetched::NoSource(format!("source `{source}` is not configured; add [sources.{source}] again and retry"))
        })?;
        let account = reference.account.as_deref().unwrap_or_default();
        if let Some((until, reason)) = self.gates.closed(source, account, self.clock.now_ms()) {
            return Err(NotFetched::Waits { until, reason });
        }
        let found = match platform.lead(reference).await {
            Ok(mut found) => {
                found.form_id = found.form_id.or_else(|| reference.form_id.clone());
                found
            }
            Err(FetchError::Missing(words)) if platform.if_missing().is_none() => {
                self.answered(source, account).await?;
                return Ok(Fetched::Nothing(words));
            }
            Err(error) => return Err(self.failed(source, account, error)),
        };
        let form = match (&found.form, &found.form_id) {
            (Some(form), _) => Some(form.clone()),
            (None, Some(form_id)) => self.form(source, &*platform, account, form_id).await?,
            (None, None) => None,
        };
        let owner = match &reference.account {
            Some(account) => platform.account(account).await.ok(),
            None => None,
        };
        self.answered(source, account).await?;
        Ok(Fetched::Delivery(self.delivery(source, &found, owner.as_ref(), form.as_ref())))
    }

    fn delivery(
        &self,
        source: &str,
        found: &Found,
        account: Option<&crate::sources::Account>,
        form: Option<&Value>,
    ) -> NewDelivery {
        NewDelivery {
            source: source.to_owned(),
            key: Found::key(&found.lead_id),
            received_at: self.clock.now_ms(),
            content_type: Some("application/json".to_owned()),
            body: found.delivery(account, form),
        }
    }

    /// A form, as it was kept or as the platform has it now. A lead is not held up for want of its form's words: only
    /// an account that is closed anyway is waited for.
    async fn form(
        &self,
        source: &str,
        platform: &dyn Platform,
        account: &str,
        id: &str,
    ) -> Result<Option<Value>, NotFetched> {
        if let Some(kept) = self.kept_form(source, id).await? {
            return Ok(Some(kept));
        }
        let _alone = match self.forms.get(source) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if let Some(kept) = self.kept_form(source, id).await? {
            return Ok(Some(kept));
        }
        match platform.form(Some(account).filter(|account| !account.is_empty()), id).await {
            Ok(form) => {
                self.store.put_forms(source, vec![(id.to_owned(), form.to_string())]).await?;
                Ok(Some(form))
            }
            Err(error @ (FetchError::Unreachable(_) | FetchError::Limited { .. })) => {
                Err(self.failed(source, account, error))
            }
            Err(error) => {
                warn!(source, form = id, %error, "the words of a form cannot be read; its answers show its keys");
                Ok(None)
            }
        }
    }

    async fn kept_form(&self, source: &str, id: &str) -> Result<Option<Value>, StoreError> {
        let kept = self.store.form(source, id, self.clock.now_ms() - FORM_HOLDS_MS).await?;
        Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()))
    }

    /// Notes what the platform said, and whether others have to wait for it too.
    fn failed(&self, source: &str, account: &str, error: FetchError) -> NotFetched {
        match self.gates.failed(source, account, &error, self.clock.now()) {
            Some(until) => NotFetched::Waits { until, reason: error.to_string() },
            None => NotFetched::Failed(error),
        }
    }

    /// Notes that it answers; what waited for that need not wait any longer.
    async fn answered(&self, source: &str, account: &str) -> Result<(), StoreError> {
        if self.gates.answered(source, account, self.clock.now()) {
            self.store.fetch_now(source).await?;
        }
        Ok(())
    }
}
