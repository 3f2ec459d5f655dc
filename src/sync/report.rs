//! Tells Odoo how the daemon is, and carries out what people there decide about parked jobs.
//!
//! One small call a minute, and another soon after trouble begins or ends, or when Odoo says that somebody decided
//! something. All of it is state: what is parked is listed each time, Odoo asks for what it does not know, and a
//! decision names the attempt that it is about. So a call that is lost or repeated changes nothing.
//!
//! It has nothing to do with leads: a report that fails is tried again, and ends no session.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Backend, SyncError, changes::format_utc, schedule::swept_at, standing};
use crate::{
    clock::Clock,
    domain::{
        FormReport, JobName, JobReport, Model, PlatformState, PlatformStatus, Report, SourceReport, Wish, WishKind,
    },
    odoo::{AddonBridge, Bridge},
    store::{Decision, JobDetail, JobKind, ParkedKey, Stats, Store, StoreError},
};

/// How often Odoo hears of the daemon.
const INTERVAL: Duration = Duration::from_secs(60);
/// How often it is looked for trouble that begins or ends, and the least time between two reports.
const LOOK: Duration = Duration::from_secs(2);
/// What one report lists at most.
const MOST_PARKED: usize = 500;
const MOST_FORMS: usize = 500;
/// The store's memory of who it is.
const DAEMON_KEY: &str = "report.daemon";

/// What others tell the reporter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Rung>);

#[derive(Debug, Default)]
struct Rung {
    wishes: Notify,
    polled_at: AtomicI64,
}

impl Bell {
    /// In Odoo somebody has decided something.
    pub fn wishes(&self) {
        self.0.wishes.notify_one();
    }

    /// Odoo was asked what changed, at this time (ms).
    pub fn polled(&self, at: i64) {
        self.0.polled_at.store(at, Ordering::Relaxed);
    }

    fn polled_at(&self) -> Option<i64> {
        Some(self.0.polled_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// Everything that a report needs.
pub struct Reporter {
    store: Store,
    backend: Backend,
    platforms: watch::Receiver<Vec<PlatformStatus>>,
    bell: Bell,
    /// The configured sources with their kinds.
    sources: Vec<(String, &'static str)>,
    /// How far back platforms and Odoo are compared.
    compared: Duration,
    started_at: DateTime<Utc>,
    /// When each source last delivered, as far as it was ever seen (ms).
    received: Mutex<HashMap<String, i64>>,
}

/// Why it is time to report.
enum Due {
    Regularly,
    Early,
    Wished,
}

/// What a person would want to know of at once.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    parked: u64,
    platforms: Vec<(String, String, PlatformState, Vec<String>)>,
}

impl Reporter {
    /// A daemon that starts now.
    pub fn new(
        store: Store,
        backend: Backend,
        clock: &Clock,
        platforms: watch::Receiver<Vec<PlatformStatus>>,
        bell: Bell,
        sources: Vec<(String, &'static str)>,
        compared: Duration,
    ) -> Self {
        let started_at = clock.now();
        Self { store, backend, platforms, bell, sources, compared, started_at, received: Mutex::default() }
    }

    /// Reports until `cancel`.
    pub async fn run(&self, cancel: &CancellationToken) {
        // Between two reports: the longer, the more often something new made one come early.
        let mut gap = LOOK;
        loop {
            let session = tokio::select! {
                () = cancel.cancelled() => return,
                session = self.backend.session() => session,
            };
            let told = self.trouble().await;
            let mut is_awaited = false;
            if let Bridge::Addon(addon) = &session.bridge
                && addon.takes_reports()
            {
                match self.report(addon).await {
                    Ok(under_way) => is_awaited = under_way,
                    Err(error) => warn!(%error, "Odoo could not be told how the daemon is"),
                }
            }
            gap = tokio::select! {
                () = cancel.cancelled() => return,
                due = self.until_due(gap, is_awaited, &told) => match due {
                    Due::Regularly | Due::Wished => LOOK,
                    Due::Early => (gap * 2).min(INTERVAL),
                },
            };
        }
    }

    /// Waits for the next report: after `gap` if somebody waits for how something ends, or if there is other trouble
    /// than was `told`; at once if somebody decided something.
    async fn until_due(&self, gap: Duration, is_awaited: bool, told: &Option<Trouble>) -> Due {
        let began = Instant::now();
        tokio::time::sleep(LOOK).await;
        while began.elapsed() < INTERVAL {
            if began.elapsed() >= gap && (is_awaited || self.trouble().await != *told) {
                return Due::Early;
            }
            tokio::select! {
                () = self.bell.0.wishes.notified() => return Due::Wished,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Due::Regularly
    }

    async fn trouble(&self) -> Option<Trouble> {
        let stats = self.store.stats().await.ok()?;
        let platforms = self.platforms.borrow();
        let of = |one: &PlatformStatus| (one.source.clone(), one.account.clone(), one.state, one.warnings.clone());
        Some(Trouble { parked: parked(&stats), platforms: platforms.iter().map(of).collect() })
    }

    /// Reports once. Returns whether something is under way that Odoo wants to hear the end of.
    async fn report(&self, addon: &AddonBridge) -> Result<bool, SyncError> {
        let report = self.state().await?;
        let answer = addon.report(&report).await?;
        let mut jobs = Vec::new();
        for wish in &answer.wishes {
            jobs.push(self.carry_out(wish).await?);
        }
        for name in answer.asked.iter().filter(|name| answer.wishes.iter().all(|wish| wish.job != **name)) {
            jobs.push(self.standing(name, None).await?);
        }
        jobs.retain(|job| !job.kind.is_empty());
        if !jobs.is_empty() {
            addon.operations(&report.daemon, &jobs).await?;
        }
        Ok(jobs.iter().any(|job| matches!(job.state, "ready" | "leased")))
    }

    async fn carry_out(&self, wish: &Wish) -> Result<JobReport, StoreError> {
        let name = &wish.job;
        let Ok(kind) = name.kind.parse::<JobKind>() else { return Ok(JobReport::default()) };
        let mut refused = None;
        let decision = match wish.what {
            WishKind::Retry => Some(Decision::Retry(None)),
            WishKind::Discard => Some(Decision::Discard),
            WishKind::Edit => match self.store.job_of(kind, &name.key).await? {
                Some(job) => match standing::edited(&job, wish.payload.as_deref().unwrap_or_default()) {
                    Ok(payload) => Some(Decision::Retry(Some(payload))),
                    Err(why) => {
                        refused = Some(why);
                        None
                    }
                },
                None => None,
            },
        };
        if let Some(decision) = decision {
            let of = ParkedKey { kind, key: name.key.clone(), tries: wish.tries };
            if self.store.decide(of, decision).await? {
                info!(kind = %kind, key = name.key, what = ?wish.what, "done as was decided in Odoo");
            }
        }
        self.standing(name, refused).await
    }

    /// How a job stands. Empty for a kind that this daemon does not have.
    async fn standing(&self, name: &JobName, refused: Option<String>) -> Result<JobReport, StoreError> {
        let Ok(kind) = name.kind.parse::<JobKind>() else { return Ok(JobReport::default()) };
        let Some(job) = self.store.job_of(kind, &name.key).await? else { return Ok(standing::gone(name)) };
        let source = self.source_of(&job).await?;
        Ok(JobReport { refused, ..standing::of(job, source) })
    }

    async fn source_of(&self, job: &JobDetail) -> Result<Option<String>, StoreError> {
        let Some(id) = job.delivery_id else { return Ok(None) };
        Ok(self.store.deliveries(vec![id]).await?.pop().flatten().map(|delivery| delivery.source))
    }

    async fn state(&self) -> Result<Report, StoreError> {
        let stats = self.store.stats().await?;
        let known = self.store.parked(MOST_PARKED).await?;
        let compared = async |model| Ok::<_, StoreError>(time(swept_at(&self.store, model).await?));
        let count = |model| stats.mirror.get(&model).copied().unwrap_or_default();
        let oldest = stats.queues.values().filter_map(|queue| queue.oldest_ready_age_ms).max();
        Ok(Report {
            daemon: self.daemon().await?,
            name: machine(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: format_utc(self.started_at),
            waiting: stats.queues.values().map(|queue| queue.ready + queue.leased).sum(),
            parked: parked(&stats),
            oldest_seconds: oldest.unwrap_or(0) / 1000,
            polled_at: time(self.bell.polled_at()),
            leads_compared_at: compared(Model::Lead).await?,
            leads_count: count(Model::Lead),
            orders_compared_at: compared(Model::Order).await?,
            orders_count: count(Model::Order),
            sources: self.sources().await?,
            forms: self.forms().await?,
            parked_jobs: known.into_iter().map(|one| (one.kind.to_string(), one.key, one.tries)).collect(),
        })
    }

    async fn sources(&self) -> Result<Vec<SourceReport>, StoreError> {
        let latest = self.store.latest_deliveries().await?;
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.extend(latest);
        let platforms = self.platforms.borrow();
        let reports = self.sources.iter().flat_map(|(source, kind)| {
            let blank = SourceReport {
                source: source.clone(),
                kind: (*kind).to_owned(),
                state: PlatformState::Ok.as_str(),
                received_at: time(received.get(source).copied()),
                ..SourceReport::default()
            };
            let accounts: Vec<_> =
                platforms.iter().filter(|one| one.source == *source).map(|one| with_platform(&blank, one)).collect();
            if accounts.is_empty() { vec![blank] } else { accounts }
        });
        Ok(reports.collect())
    }

    /// The newest ones, if there are too many.
    async fn forms(&self) -> Result<Vec<FormReport>, StoreError> {
        let mut forms = self.store.form_counts(self.compared).await?;
        forms.sort_by(|one, other| other.day.cmp(&one.day));
        forms.truncate(MOST_FORMS);
        let report = |one: crate::store::FormCount| FormReport {
            source: one.source,
            form_key: one.form_id,
            form: one.form,
            day: one.day,
            platform: one.platform,
            odoo: one.odoo,
        };
        Ok(forms.into_iter().map(report).collect())
    }

    async fn daemon(&self) -> Result<String, StoreError> {
        if let Some(known) = self.store.meta_get(DAEMON_KEY).await? {
            return Ok(known);
        }
        let new = uuid::Uuid::new_v4().to_string();
        self.store.meta_set(DAEMON_KEY, &new).await?;
        Ok(new)
    }
}

fn with_platform(blank: &SourceReport, one: &PlatformStatus) -> SourceReport {
    SourceReport {
        account: Some(one.account.clone()),
        state: one.state.as_str(),
        since: one.since.map(format_utc),
        detail: one.detail.clone(),
        hint: one.hint.clone(),
        warnings: Some(one.warnings.join("\n")).filter(|text| !text.is_empty()),
        token_expires_at: one.token_expires_at.map(format_utc),
        reconciled_at: one.reconciled_at.map(format_utc),
        ..blank.clone()
    }
}

fn parked(stats: &Stats) -> u64 {
    stats.queues.values().map(|queue| queue.parked).sum()
}

fn time(ms: Option<i64>) -> Option<String> {
    ms.and_then(DateTime::from_timestamp_millis).map(format_utc)
}

/// What people call the machine.
fn machine() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "g-assistant".to_owned() } else { name.trim().to_owned() }
}
