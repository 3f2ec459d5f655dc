//! Reading kept deliveries again: which there are, what would become of the jobs that follow, and adding those.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{Delivery, JobKind, JobState, Lane, NewJob, Store, StoreError, deliveries, jobs, queries};

/// Which kept deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFilter {
    /// Only those of this source.
    pub source: Option<String>,
    /// Received then (ms) or later.
    pub from: i64,
    /// Received before (ms).
    pub before: i64,
    /// Also those that were understood.
    pub understood: bool,
}

/// A kept delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The delivery.
    pub delivery: Delivery,
    /// It was not understood and waits for a person.
    pub parked: bool,
    /// The lane of what follows from it: that of its first reading, so that it reads the same.
    pub lane: Lane,
}

/// A delivery that was read again, and what follows from it.
#[derive(Debug, Clone)]
pub struct Reread {
    /// The delivery's id.
    pub delivery: i64,
    /// The lane of what follows.
    pub lane: Lane,
    /// What follows.
    pub jobs: Vec<NewJob>,
}

/// What becomes of a job that follows from reading a delivery again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Nobody has heard of it: it is done.
    New,
    /// It is done, on a record that is there.
    Update,
    /// It was refused or held, and is another one now: it is tried.
    Corrected,
    /// A rule holds it for review.
    Held,
    /// It was done.
    Done,
    /// It was done, and would be another one now: it is not done twice.
    DoneOtherwise,
    /// It is on its way.
    Queued,
    /// It is parked, and still the same.
    Parked,
    /// A person gave it up.
    Discarded,
}

impl Fate {
    /// Whether there is anything to do.
    pub fn is_work(self) -> bool {
        matches!(self, Self::New | Self::Update | Self::Corrected | Self::Held)
    }
}

impl Store {
    /// Kept deliveries behind this one, oldest first.
    pub async fn kept(&self, filter: KeptFilter, after: i64, limit: usize) -> Result<Vec<Kept>, StoreError> {
        let now = self.now();
        self.read(move |connection| {
            let KeptFilter { source, from, before, understood } = filter;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut query = connection.prepare_cached(queries::REPLAY_KEPT)?;
            let kept = query.query_map(params![source, from, before, understood, after, limit], |row| {
                let delivery = deliveries::from_row(row)?;
                let state: Option<JobState> = row.get(6)?;
                let first = row.get::<_, Option<i64>>(7)?.map(Lane::from_number);
                let lane = first.filter(|lane| state == Some(JobState::Done) || *lane == Lane::Backfill);
                let lane = lane.unwrap_or_else(|| Lane::of_age(delivery.received_at, now));
                Ok(Kept { delivery, parked: state == Some(JobState::Parked), lane })
            })?;
            Ok(kept.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The records that operations have reached, as far as the store remembers.
    pub async fn reached_records(&self) -> Result<HashSet<String>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(queries::REPLAY_RECORDS)?;
            let records = query.query_map([], |row| row.get(0))?;
            Ok(records.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What would become of the jobs of each reading.
    pub async fn fates(&self, readings: Vec<Reread>) -> Result<Vec<Option<Vec<Fate>>>, StoreError> {
        let of = |connection: &Connection, reading: &Reread| {
            reading.jobs.iter().map(|job| fate(connection, job)).collect::<Result<_, _>>().map(Some)
        };
        self.read(move |connection| Ok(readings.iter().map(|one| of(connection, one)).collect::<Result<_, _>>()?)).await
    }

    /// Takes deliveries as read and adds the jobs that follow, all in one transaction. What became of the jobs of each;
    /// `None` if a worker has the delivery, or it is gone.
    pub async fn replay(&self, readings: Vec<Reread>) -> Result<Vec<Option<Vec<Fate>>>, StoreError> {
        let now = self.now();
        let fates = self
            .write(move |connection| {
                Ok(readings.iter().map(|one| replay(connection, one, now)).collect::<Result<_, _>>()?)
            })
            .await?;
        JobKind::ALL.iter().for_each(|kind| self.0.wake.wake(*kind));
        Ok(fates)
    }
}

fn replay(connection: &Connection, reading: &Reread, now: i64) -> rusqlite::Result<Option<Vec<Fate>>> {
    let Reread { delivery, lane, jobs } = reading;
    if connection.prepare_cached(queries::REPLAY_CLAIM)?.execute([*delivery, now, *lane as i64])? == 0 {
        return Ok(None);
    }
    let each = jobs.iter().map(|job| {
        let fate = fate(connection, job)?;
        if fate.is_work() {
            jobs::put(connection, queries::REPLAY_PUT, job, now)?;
        }
        Ok(fate)
    });
    each.collect::<rusqlite::Result<Vec<_>>>().map(Some)
}

fn fate(connection: &Connection, job: &NewJob) -> rusqlite::Result<Fate> {
    let mut query = connection.prepare_cached(queries::REPLAY_KNOWN)?;
    let known: Option<(JobState, String, u32)> =
        query.query_row(params![job.kind, job.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((state, payload, attempts)) = known else {
        return Ok(if job.held.is_some() { Fate::Held } else { Fate::New });
    };
    let same = payload == job.payload;
    Ok(match state {
        JobState::Done if same => Fate::Done,
        JobState::Done => Fate::DoneOtherwise,
        JobState::Ready | JobState::Leased => Fate::Queued,
        JobState::Discarded => Fate::Discarded,
        // What was never tried was held by a rule, which perhaps does not hold it any more.
        JobState::Parked if same && (attempts > 0 || job.held.is_some()) => Fate::Parked,
        JobState::Parked if job.held.is_some() => Fate::Held,
        JobState::Parked => Fate::Corrected,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    fn all() -> KeptFilter {
        KeptFilter { source: None, from: 0, before: i64::MAX, understood: true }
    }

    async fn ids(store: &Store, filter: KeptFilter) -> Vec<i64> {
        let kept = store.kept(filter, 0, 10).await.expect("read");
        kept.iter().map(|kept| kept.delivery.id).collect()
    }

    fn reread(delivery: i64, jobs: Vec<NewJob>) -> Reread {
        Reread { delivery, lane: Lane::Live, jobs }
    }

    async fn replayed(store: &Store, delivery: i64, jobs: Vec<NewJob>) -> Result<Option<Vec<Fate>>, StoreError> {
        store.replay(vec![reread(delivery, jobs)]).await.map(|mut fates| fates.remove(0))
    }

    #[tokio::test]
    async fn what_is_chosen() {
        let (_folder, store) = store().await;
        let rejected = store.reject(delivery("web", "bad"), "not JSON".to_owned(), reply()).await.expect("kept").id;
        queue(&store, vec![push("web:good:0")]).await;
        let waiting = store.accept(delivery("web", "waits"), Lane::Live, reply()).await.expect("kept").id;
        let parked = KeptFilter { understood: false, ..all() };
        assert_eq!(ids(&store, parked.clone()).await, [rejected]);
        assert_eq!(ids(&store, all()).await, [rejected, rejected + 1], "not {waiting}, which is read anyway");
        for none in [
            KeptFilter { source: Some("other".to_owned()), ..all() },
            KeptFilter { from: NOW + 1, ..all() },
            KeptFilter { before: NOW, ..all() },
        ] {
            assert_eq!(ids(&store, none).await, Vec::<i64>::new());
        }
        assert_eq!(store.kept(all(), rejected, 10).await.expect("read").len(), 1, "pages go on behind the last");
        // A person who gave one up does not find it again.
        let job = store.list_jobs(JobFilter { state: Some(JobState::Parked), ..JobFilter::default() }).await;
        store.discard_jobs(vec![job.expect("listed")[0].id]).await.expect("discarded");
        assert_eq!(ids(&store, parked).await, Vec::<i64>::new());
    }

    #[tokio::test]
    async fn nothing_is_done_twice() {
        let (_folder, store) = store().await;
        let id = store.reject(delivery("web", "bad"), "not JSON".to_owned(), reply()).await.expect("kept").id;
        let jobs = vec![push_for("web:1", "web:bad:0"), push_for("web:2", "web:bad:1")];
        assert_eq!(store.fates(vec![reread(id, jobs.clone())]).await, Ok(vec![Some(vec![Fate::New, Fate::New])]));
        assert_eq!(replayed(&store, id, jobs.clone()).await, Ok(Some(vec![Fate::New, Fate::New])));
        assert_eq!(ids(&store, KeptFilter { understood: false, ..all() }).await, Vec::<i64>::new(), "it is read");
        assert_eq!(replayed(&store, id, jobs.clone()).await, Ok(Some(vec![Fate::Queued, Fate::Queued])));
        let claimed = claim(&store, JobKind::Push).await;
        assert_eq!(keys(&claimed), ["web:bad:0", "web:bad:1"]);
        finish(&store, &claimed[0], done()).await;
        finish(&store, &claimed[1], park()).await;
        assert_eq!(replayed(&store, id, jobs.clone()).await, Ok(Some(vec![Fate::Done, Fate::Parked])));
        assert!(claim(&store, JobKind::Push).await.is_empty());
        assert_eq!(store.reached_records().await, Ok(HashSet::from(["web:1".to_owned()])));
        // Read in another way now: what was done stays, what was refused is tried.
        let otherwise = |job: NewJob| NewJob { payload: "{\"other\":1}".to_owned(), ..job };
        let jobs: Vec<_> = jobs.into_iter().map(otherwise).collect();
        assert_eq!(replayed(&store, id, jobs.clone()).await, Ok(Some(vec![Fate::DoneOtherwise, Fate::Corrected])));
        let claimed = claim(&store, JobKind::Push).await;
        assert_eq!((keys(&claimed), claimed[0].payload.as_str()), (vec!["web:bad:1"], "{\"other\":1}"));
        assert_eq!(store.stats().await.expect("read").queues[&JobKind::Intake].parked, 0);
    }

    #[tokio::test]
    async fn what_a_rule_held_goes_on_when_the_rule_is_gone() {
        let (_folder, store) = store().await;
        let id = store.reject(delivery("web", "bad"), "not JSON".to_owned(), reply()).await.expect("kept").id;
        let held = NewJob { held: Some("held for review: SPAM".to_owned()), ..push("web:bad:0") };
        assert_eq!(replayed(&store, id, vec![held.clone()]).await, Ok(Some(vec![Fate::Held])));
        assert_eq!(replayed(&store, id, vec![held]).await, Ok(Some(vec![Fate::Parked])));
        assert_eq!(replayed(&store, id, vec![push("web:bad:0")]).await, Ok(Some(vec![Fate::Corrected])));
        assert_eq!(keys(&claim(&store, JobKind::Push).await), ["web:bad:0"]);
    }

    #[tokio::test]
    async fn what_a_worker_reads_now_is_left_to_it() {
        let (_folder, store) = store().await;
        let id = store.accept(delivery("web", "m"), Lane::Live, reply()).await.expect("kept").id;
        assert_eq!(replayed(&store, id, vec![push("web:m:0")]).await, Ok(None), "it waits for intake");
        assert_eq!(claim(&store, JobKind::Intake).await.len(), 1);
        assert_eq!(replayed(&store, id, vec![push("web:m:0")]).await, Ok(None), "a worker has it");
        assert_eq!(replayed(&store, id + 1, Vec::new()).await, Ok(None), "there is none");
        assert!(claim(&store, JobKind::Push).await.is_empty());
    }
}
