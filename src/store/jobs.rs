//! Jobs: ready, leased, and how they ended.
//!
//! A claim leases jobs under a fresh token; only who holds the token may finish them, so a worker that was thought dead
//! cannot undo what its successor did. Jobs of one record run one after the other, and a parked one holds back those
//! behind it.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use rusqlite::{
    Connection, OptionalExtension, Row, ToSql, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::Serialize;
use tokio::sync::watch;

use super::{Binding, NewDelivery, Store, StoreError, bindings, deliveries, queries};

/// An enum that is text in the database, on the command line and in JSON.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// Its text.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok($name::$variant),)+
                    other => Err(format!("`{other}` is no {}", stringify!($name))),
                }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(|_| FromSqlError::InvalidType)
            }
        }
    };
}

text_enum! {
    /// What a job does.
    JobKind {
        /// From a delivery to operations.
        Intake = "intake",
        /// From a reference to what a platform keeps for us.
        Fetch = "fetch",
        /// An operation into Odoo.
        Push = "push",
        /// A picture or file of a message, from its platform into Odoo.
        Media = "media",
    }
}

text_enum! {
    /// Where a job stands.
    JobState {
        /// Waits for a worker.
        Ready = "ready",
        /// A worker has it.
        Leased = "leased",
        /// Done.
        Done = "done",
        /// Failed for good; waits for a person.
        Parked = "parked",
        /// A person gave it up.
        Discarded = "discarded",
    }
}

/// Which jobs go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Somebody may be waiting.
    Live = 0,
    /// Files, catching up.
    Backfill = 1,
}

/// What is older when it is heard of comes in silently.
const NEWS: i64 = 24 * 3_600_000;

impl Lane {
    /// The lane of what happened at `at` (ms) and is heard of at `now` (ms).
    pub fn of_age(at: i64, now: i64) -> Self {
        if now.saturating_sub(at) > NEWS { Lane::Backfill } else { Lane::Live }
    }

    pub(super) fn from_number(number: i64) -> Self {
        if number == 0 { Lane::Live } else { Lane::Backfill }
    }
}

/// A job to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What it does.
    pub kind: JobKind,
    /// Which lane.
    pub lane: Lane,
    /// Unique per kind: adding the same again does nothing.
    pub key: String,
    /// Jobs of one record run one after the other.
    pub record_key: Option<String>,
    /// What the handler needs.
    pub payload: String,
    /// Not before this time (ms); 0 is at once.
    pub not_before: i64,
    /// The delivery that it came from.
    pub delivery_id: Option<i64>,
    /// A few words for lists, without personal data.
    pub summary: String,
    /// It is parked from the start, for this reason.
    pub held: Option<String>,
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// Which lane.
    pub lane: Lane,
    /// Its key.
    pub key: String,
    /// Its record.
    pub record_key: Option<String>,
    /// What the handler needs.
    pub payload: String,
    /// Failed attempts so far.
    pub attempts: u32,
    /// The delivery that it came from.
    pub delivery_id: Option<i64>,
    /// Proof of this claim.
    pub lease_token: i64,
    /// When it was added (ms).
    pub created_at: i64,
    /// It was held, and a person let it go on.
    pub reviewed: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done; what follows from it is kept in the same transaction.
    Done {
        /// For the record, JSON.
        result: Option<String>,
        /// Jobs that follow.
        then: Vec<NewJob>,
        /// Bindings that it made.
        bindings: Vec<Binding>,
    },
    /// Done: what was fetched is kept like a delivery, with its intake job, in the same transaction.
    Fetched {
        /// What was fetched; its key is the lead's, so that it is kept once however often it comes.
        delivery: NewDelivery,
        /// The lane of its intake.
        lane: Lane,
    },
    /// Failed; again later. Burns an attempt.
    Retry {
        /// When (ms).
        not_before: i64,
        /// Why.
        error: String,
    },
    /// Not tried, through no fault of its own. Burns no attempt.
    Release {
        /// When it may be tried (ms).
        not_before: i64,
        /// Why.
        reason: String,
    },
    /// Failed for good.
    Park {
        /// Why, for a person.
        error: String,
    },
}

/// The end of one job's attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The job.
    pub job_id: i64,
    /// Its claim.
    pub lease_token: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// When the attempt began (ms).
    pub started_at: i64,
    /// How long it took.
    pub duration_ms: i64,
}

/// Which jobs to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFilter {
    /// Only this state.
    pub state: Option<JobState>,
    /// Only this kind.
    pub kind: Option<JobKind>,
    /// How many at most, newest first.
    pub limit: usize,
}

impl Default for JobFilter {
    fn default() -> Self {
        Self { state: None, kind: None, limit: 50 }
    }
}

/// A job as people look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobDetail {
    /// Its id.
    pub id: i64,
    /// What it does.
    pub kind: JobKind,
    /// Which lane.
    pub lane: Lane,
    /// Its key.
    pub key: String,
    /// Its record.
    pub record_key: Option<String>,
    /// A few words.
    pub summary: String,
    /// Where it stands.
    pub state: JobState,
    /// Not before this time (ms).
    pub not_before: i64,
    /// Failed attempts since it was last made ready by a person.
    pub attempts: u32,
    /// The last error.
    pub error: Option<String>,
    /// What came of it.
    pub result: Option<String>,
    /// The delivery that it came from.
    pub delivery_id: Option<i64>,
    /// When it was added (ms).
    pub created_at: i64,
    /// What the handler needs; only for a single job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The delivery's body as text; only for a single job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Its attempts; only for a single job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOutcome {
    /// Where it stands.
    pub state: JobState,
    /// The last error.
    pub error: Option<String>,
    /// Odoo's answer, JSON.
    pub result: Option<String>,
    /// A parked operation of the same record holds it up.
    pub blocked: bool,
}

/// One attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub n: u32,
    /// When it began (ms).
    pub started_at: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// `done`, `retry` or `parked`.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
}

/// No job waits longer than this for its next attempt.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// After this many failed attempts a job is parked for a person to look at: about four hours.
pub const MOST_ATTEMPTS: u32 = 24;

/// A job that failed this often goes alone: if it is what breaks a batch, or the daemon, the others must not suffer.
const SUSPICIOUS_AFTER: u32 = 3;

/// Whether the time has come; also of a time that was set while the clock was a day ahead.
fn is_due(due: i64, now: i64) -> bool {
    due <= now || due > later(now, LONGEST_WAIT)
}

fn later(now: i64, wait: Duration) -> i64 {
    now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}

/// Wakes the workers when there is something for them.
#[derive(Clone)]
pub(super) struct Wake(Arc<[watch::Sender<()>]>);

impl Default for Wake {
    fn default() -> Self {
        Self(JobKind::ALL.iter().map(|_| watch::Sender::new(())).collect())
    }
}

impl Wake {
    pub(super) fn wake(&self, kind: JobKind) {
        self.0[kind as usize].send_replace(());
    }
}

impl Store {
    /// Changes whenever jobs of this kind may have become ready in this process.
    pub fn job_added(&self, kind: JobKind) -> watch::Receiver<()> {
        self.0.wake.0[kind as usize].subscribe()
    }

    /// Leases up to `limit` due jobs for `lease`.
    pub async fn claim(&self, kind: JobKind, limit: usize, lease: Duration) -> Result<Vec<Job>, StoreError> {
        let now = self.now();
        let until = later(now, lease);
        // Nothing to do is the common case and need not disturb the writer.
        let worth_it = move |connection: &Connection| {
            let due = next_due(connection, kind)?.is_some_and(|due| is_due(due, now));
            Ok(due || count(connection, kind, JobState::Leased)? > 0)
        };
        if !self.read(worth_it).await? {
            return Ok(Vec::new());
        }
        self.write(move |connection| claim(connection, kind, limit, now, until)).await
    }

    /// Records how attempts ended, with everything that follows from them, in one transaction. Returns how many were
    /// still ours; the others run (or ran) again under a newer lease.
    pub async fn finish(&self, finishes: Vec<Finish>) -> Result<usize, StoreError> {
        let now = self.now();
        let finished = self
            .write(move |connection| {
                let mut finished = 0;
                for one in finishes {
                    finished += usize::from(finish(connection, one, now)?);
                }
                Ok(finished)
            })
            .await?;
        JobKind::ALL.iter().for_each(|kind| self.0.wake.wake(*kind));
        Ok(finished)
    }

    /// Whether at least `count` live jobs of this kind could be claimed now.
    pub async fn has_claimable(&self, kind: JobKind, count: usize) -> Result<bool, StoreError> {
        let now = self.now();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::JOB_CLAIMABLE)?;
            let found: i64 = query.query_row(params![kind, now, later(now, LONGEST_WAIT), count], |row| row.get(0))?;
            Ok(found >= count)
        })
        .await
    }

    /// When the next job of this kind is due (ms).
    pub async fn next_due(&self, kind: JobKind) -> Result<Option<i64>, StoreError> {
        self.read(move |connection| Ok(next_due(connection, kind)?)).await
    }

    /// Makes parked or waiting jobs ready now, their attempts forgotten; returns how many.
    pub async fn retry_jobs(&self, ids: Vec<i64>) -> Result<usize, StoreError> {
        let changed = self.change_each(queries::JOB_RETRY, ids).await?;
        JobKind::ALL.iter().for_each(|kind| self.0.wake.wake(*kind));
        Ok(changed)
    }

    /// Gives up parked or waiting jobs; returns how many.
    pub async fn discard_jobs(&self, ids: Vec<i64>) -> Result<usize, StoreError> {
        let changed = self.change_each(queries::JOB_DISCARD, ids).await?;
        JobKind::ALL.iter().for_each(|kind| self.0.wake.wake(*kind));
        Ok(changed)
    }

    async fn change_each(&self, query: &'static str, ids: Vec<i64>) -> Result<usize, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let mut query = connection.prepare_cached(query)?;
            ids.iter().try_fold(0, |changed, id| Ok(changed + query.execute([*id, now])?))
        })
        .await
    }

    /// Jobs, newest first.
    pub async fn list_jobs(&self, filter: JobFilter) -> Result<Vec<JobDetail>, StoreError> {
        self.read(move |connection| {
            let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
            let jobs = if filter.state == Some(JobState::Parked) {
                let mut query = connection.prepare_cached(queries::JOB_LIST_PARKED)?;
                query.query_map(params![filter.kind, limit], detail)?.collect::<Result<_, _>>()?
            } else {
                let mut query = connection.prepare_cached(queries::JOB_LIST)?;
                query.query_map(params![filter.state, filter.kind, limit], detail)?.collect::<Result<_, _>>()?
            };
            Ok(jobs)
        })
        .await
    }

    /// What became of the operations with these keys; `None` for one that nobody has planned yet.
    pub async fn push_outcomes(&self, keys: Vec<String>) -> Result<Vec<Option<PushOutcome>>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::JOB_OUTCOME)?;
            let outcome = |row: &Row<'_>| {
                let (state, error, result) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(PushOutcome { state, error, result, blocked: row.get(3)? })
            };
            Ok(keys.iter().map(|key| query.query_row([key], outcome).optional()).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One job with everything about it.
    pub async fn job(&self, id: i64) -> Result<Option<JobDetail>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::JOB_GET)?;
            let found =
                query.query_row([id], |row| Ok(JobDetail { payload: row.get(13)?, ..detail(row)? })).optional()?;
            let Some(mut job) = found else {
                return Ok(None);
            };
            job.payload = job.payload.filter(|payload| !payload.is_empty());
            if let Some(delivery_id) = job.delivery_id {
                let delivery = deliveries::get(connection, delivery_id)?;
                job.delivery = delivery.map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned());
            }
            let mut history = connection.prepare_cached(queries::JOB_HISTORY)?;
            job.history = history.query_map([id], attempt)?.collect::<Result<_, _>>()?;
            Ok(Some(job))
        })
        .await
    }

    /// Makes ready again what a dead process held, and parks what so many died with.
    pub(super) async fn release_leases(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.prepare_cached(queries::JOB_RELEASE_ALL)?.execute([MOST_ATTEMPTS])?;
            Ok(())
        })
        .await
    }
}

pub(super) fn insert(connection: &Connection, job: &NewJob, now: i64) -> rusqlite::Result<()> {
    put(connection, queries::JOB_INSERT, job, now)
}

/// Adds a job in the way of a query with the parameters of `job/insert.sql`.
pub(super) fn put(connection: &Connection, query: &str, job: &NewJob, now: i64) -> rusqlite::Result<()> {
    let state = if job.held.is_some() { JobState::Parked } else { JobState::Ready };
    connection.prepare_cached(query)?.execute(params![
        job.kind,
        job.lane as i64,
        job.key,
        job.record_key,
        job.payload,
        job.summary,
        state,
        job.not_before,
        job.delivery_id,
        now,
        job.held,
    ])?;
    Ok(())
}

/// Ready and leased jobs of all kinds, with the intake jobs that are still to be made.
pub(super) fn open_count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached(queries::STATS_OPEN)?.query_row([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
}

fn count(connection: &Connection, kind: JobKind, state: JobState) -> rusqlite::Result<u64> {
    let mut query = connection.prepare_cached(queries::STATS_COUNT)?;
    let count: Option<i64> = query.query_row(params![kind, state], |row| row.get(0)).optional()?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

fn next_due(connection: &Connection, kind: JobKind) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(queries::JOB_NEXT_DUE)?.query_row([kind], |row| row.get(0))
}

fn claim(connection: &Connection, kind: JobKind, limit: usize, now: i64, until: i64) -> Result<Vec<Job>, StoreError> {
    connection.prepare_cached(queries::JOB_EXPIRE)?.execute(params![kind, now, later(until, LONGEST_WAIT)])?;
    if kind == JobKind::Intake {
        deliveries::make_intake_jobs(connection, limit)?;
    }
    let token: i64 = rand::random();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(queries::JOB_CLAIM)?;
    let mut jobs = query
        .query_map(
            params![kind, now, limit, token, until, later(now, LONGEST_WAIT), SUSPICIOUS_AFTER, crate::domain::HELD],
            |row| {
                Ok(Job {
                    id: row.get(0)?,
                    lane: Lane::from_number(row.get(1)?),
                    key: row.get(2)?,
                    record_key: row.get(3)?,
                    payload: row.get(4)?,
                    attempts: row.get(5)?,
                    delivery_id: row.get(6)?,
                    created_at: row.get(7)?,
                    reviewed: row.get(8)?,
                    lease_token: token,
                })
            },
        )?
        .collect::<Result<Vec<_>, _>>()?;
    // The order of RETURNING is not defined.
    jobs.sort_by_key(|job| (job.lane as i64, job.id));
    Ok(jobs)
}

fn finish(connection: &Connection, finish: Finish, now: i64) -> Result<bool, StoreError> {
    let (state, not_before, burnt, error, result, finished_at) = match &finish.outcome {
        Outcome::Done { result, .. } => (JobState::Done, None, 0, None, result.as_ref(), Some(now)),
        Outcome::Fetched { .. } => (JobState::Done, None, 0, None, None, Some(now)),
        Outcome::Retry { not_before, error } => (JobState::Ready, Some(*not_before), 1, Some(error), None, None),
        Outcome::Release { not_before, reason } => (JobState::Ready, Some(*not_before), 0, Some(reason), None, None),
        Outcome::Park { error } => (JobState::Parked, None, 1, Some(error), None, None),
    };
    let values = params![finish.job_id, finish.lease_token, state, not_before, burnt, error, result, finished_at];
    let ours = connection.prepare_cached(queries::JOB_FINISH)?.execute(values)?;
    if ours == 0 {
        return Ok(false);
    }
    let attempt = match &finish.outcome {
        Outcome::Done { .. } | Outcome::Fetched { .. } => Some("done"),
        Outcome::Retry { .. } => Some("retry"),
        Outcome::Park { .. } => Some("parked"),
        Outcome::Release { .. } => None,
    };
    if let Some(outcome) = attempt {
        connection.prepare_cached(queries::JOB_ATTEMPT)?.execute(params![
            finish.job_id,
            finish.started_at,
            finish.duration_ms,
            outcome,
            error,
        ])?;
    }
    match finish.outcome {
        Outcome::Done { then, bindings, .. } => {
            for job in &then {
                insert(connection, job, now)?;
            }
            for binding in &bindings {
                bindings::put(connection, binding)?;
            }
        }
        Outcome::Fetched { delivery, lane } => {
            deliveries::keep_fetched(connection, delivery, lane, now)?;
        }
        Outcome::Retry { .. } | Outcome::Release { .. } | Outcome::Park { .. } => {}
    }
    Ok(true)
}

fn detail(row: &Row<'_>) -> rusqlite::Result<JobDetail> {
    Ok(JobDetail {
        id: row.get(0)?,
        kind: row.get(1)?,
        lane: Lane::from_number(row.get(2)?),
        key: row.get(3)?,
        record_key: row.get(4)?,
        summary: row.get(5)?,
        state: row.get(6)?,
        not_before: row.get(7)?,
        attempts: row.get(8)?,
        error: row.get(9)?,
        result: row.get(10)?,
        delivery_id: row.get(11)?,
        created_at: row.get(12)?,
        payload: None,
        delivery: None,
        history: Vec::new(),
    })
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        n: row.get(0)?,
        started_at: row.get(1)?,
        duration_ms: row.get(2)?,
        outcome: row.get(3)?,
        error: row.get(4)?,
    })
}
