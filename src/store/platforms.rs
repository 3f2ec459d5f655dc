//! What is kept of platforms that send only ids: their forms, and the leads that they list.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{JobKind, Lane, NewDelivery, Store, StoreError, deliveries, jobs, queries};

/// A lead that a platform listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id there.
    pub lead_id: String,
    /// Its form.
    pub form_id: String,
    /// When it was made, by the platform's clock (ms).
    pub created_at: i64,
    /// The key of the job that would fetch it.
    pub fetch_key: String,
    /// All of it, as fetching it would bring it.
    pub delivery: NewDelivery,
    /// The lane of its intake, if nothing is known of it.
    pub lane: Lane,
}

/// One form on one day: the platform's count and Odoo's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormCount {
    /// The source's id.
    pub source: String,
    /// The form's id.
    pub form_id: String,
    /// Its name, if it is known.
    pub form: Option<String>,
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Leads that the platform lists.
    pub platform: u64,
    /// Those of them that Odoo has acknowledged.
    pub odoo: u64,
    /// On their way.
    pub waiting: u64,
    /// Not understood, held or refused: they wait for a person.
    pub parked: u64,
    /// Given up by a person.
    pub discarded: u64,
}

impl FormCount {
    /// The form's name, or its id.
    pub fn name(&self) -> &str {
        self.form.as_deref().unwrap_or(&self.form_id)
    }

    /// Why Odoo has fewer, and what to do about it; `None` if it has them all.
    pub fn difference(&self) -> Option<String> {
        let Self { platform, odoo, waiting, parked, discarded, .. } = *self;
        let unknown = platform.saturating_sub(odoo + waiting + parked + discarded);
        let parts = [
            (waiting, "on the way".to_owned()),
            (parked, "parked: `g-assistant outbox list --state parked`".to_owned()),
            (discarded, "discarded by a person".to_owned()),
            (unknown, format!("unaccounted for: `g-assistant replay --all --source {} --go`", self.source)),
        ];
        let parts: Vec<_> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl Store {
    /// What a form is, as JSON, unless it was fetched before `after` (ms).
    pub async fn form(&self, source: &str, id: &str, after: i64) -> Result<Option<String>, StoreError> {
        let (source, id) = (source.to_owned(), id.to_owned());
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::FORM_GET)?;
            Ok(query.query_row(params![source, id, after], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keeps what forms are: their ids and JSON, in one transaction.
    pub async fn put_forms(&self, source: &str, forms: Vec<(String, String)>) -> Result<(), StoreError> {
        if forms.is_empty() {
            return Ok(());
        }
        let (source, now) = (source.to_owned(), self.now());
        self.write(move |connection| {
            let mut query = connection.prepare_cached(queries::FORM_PUT)?;
            for (id, body) in forms {
                query.execute(params![source, id, body, now])?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps what a platform listed, and takes in what nobody had told of. Returns how many those were.
    pub async fn accept_listed(&self, leads: Vec<Listed>) -> Result<usize, StoreError> {
        let (limit, now) = (self.0.max_queued_jobs, self.now());
        let new = self
            .write(move |connection| {
                if jobs::open_count(connection)? >= limit {
                    return Err(StoreError::QueueFull { limit });
                }
                let mut new = 0;
                for lead in leads {
                    let source = &lead.delivery.source;
                    connection.prepare_cached(queries::LISTED_INSERT)?.execute(params![
                        source,
                        lead.lead_id,
                        lead.form_id,
                        lead.created_at
                    ])?;
                    connection.prepare_cached(queries::JOB_FETCHED)?.execute(params![lead.fetch_key, now])?;
                    new += usize::from(deliveries::keep_fetched(connection, lead.delivery, lead.lane, now)?);
                }
                Ok(new)
            })
            .await?;
        self.0.wake.wake(JobKind::Intake);
        Ok(new)
    }

    /// Lets what waited for a source be fetched now.
    pub async fn fetch_now(&self, source: &str) -> Result<(), StoreError> {
        let (source, now) = (source.to_owned(), self.now());
        self.write(move |connection| {
            connection.prepare_cached(queries::JOB_DUE_NOW)?.execute(params![source, now])?;
            Ok(())
        })
        .await?;
        [JobKind::Fetch, JobKind::Media].into_iter().for_each(|kind| self.0.wake.wake(kind));
        Ok(())
    }

    /// What platforms list of the last time `within`, and what Odoo has of it.
    pub async fn form_counts(&self, within: Duration) -> Result<Vec<FormCount>, StoreError> {
        let after = self.now().saturating_sub(i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::LISTED_COUNTS)?;
            let counts = query.query_map([after], |row| {
                let count = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
                Ok(FormCount {
                    source: row.get(0)?,
                    form_id: row.get(1)?,
                    form: row.get(2)?,
                    day: row.get(3)?,
                    platform: count(4)?,
                    odoo: count(5)?,
                    waiting: count(6)?,
                    parked: count(7)?,
                    discarded: count(8)?,
                })
            })?;
            Ok(counts.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{JobState, NewJob, Outcome, testing::*},
        *,
    };

    fn fetched(id: &str) -> NewDelivery {
        delivery("meta", &format!("lead:{id}"))
    }

    fn listed(id: &str) -> Listed {
        Listed {
            lead_id: id.to_owned(),
            form_id: "f1".to_owned(),
            created_at: NOW - 1,
            fetch_key: format!("meta:{id}"),
            delivery: fetched(id),
            lane: Lane::Live,
        }
    }

    fn fetch(id: &str) -> NewJob {
        NewJob { kind: JobKind::Fetch, ..push(&format!("meta:{id}")) }
    }

    #[tokio::test]
    async fn what_was_fetched_is_kept_once_with_its_intake() {
        let (_folder, store) = store().await;
        queue(&store, vec![fetch("1"), fetch("2")]).await;
        let jobs = claim(&store, JobKind::Fetch).await;
        assert_eq!(keys(&jobs), ["meta:1", "meta:2"]);
        // The platform lists one of them at the same time.
        assert_eq!(store.accept_listed(vec![listed("1")]).await, Ok(1));
        for (job, id) in jobs.iter().zip(["1", "2"]) {
            let outcome = Outcome::Fetched { delivery: fetched(id), lane: Lane::Backfill };
            assert_eq!(finish(&store, job, outcome).await, 1);
        }
        let intakes = claim(&store, JobKind::Intake).await;
        assert_eq!(intakes.iter().map(|job| job.lane).collect::<Vec<_>>(), [Lane::Live, Lane::Backfill]);
        assert_eq!(store.accept_listed(vec![listed("1"), listed("2")]).await, Ok(0), "all of it is known");
    }

    #[tokio::test]
    async fn a_listed_lead_need_not_be_fetched() {
        let (_folder, store) = store().await;
        queue(&store, vec![fetch("1"), fetch("2")]).await;
        let jobs = claim(&store, JobKind::Fetch).await;
        assert_eq!(finish(&store, &jobs[0], park()).await, 1);
        let later = Outcome::Release { not_before: NOW + 60_000, reason: "waiting".to_owned() };
        assert_eq!(finish(&store, &jobs[1], later).await, 1);
        assert_eq!(store.accept_listed(vec![listed("1"), listed("2"), listed("3")]).await, Ok(3));
        let filter = JobFilter { kind: Some(JobKind::Fetch), ..JobFilter::default() };
        let jobs = store.list_jobs(filter).await.expect("listed");
        assert!(jobs.iter().all(|job| job.state == JobState::Done && job.error.is_none()), "{jobs:?}");
    }

    #[tokio::test]
    async fn what_waited_is_fetched_at_once_when_the_platform_answers() {
        let (_folder, store) = store().await;
        queue(&store, vec![fetch("1"), fetch("2"), fetch("3")]).await;
        let jobs = claim(&store, JobKind::Fetch).await;
        let (not_before, error) = (NOW + 60_000, "no".to_owned());
        assert_eq!(finish(&store, &jobs[0], Outcome::Release { not_before, reason: error.clone() }).await, 1);
        assert_eq!(finish(&store, &jobs[1], Outcome::Retry { not_before, error: error.clone() }).await, 1);
        assert_eq!(finish(&store, &jobs[2], Outcome::Release { not_before, reason: error }).await, 1);
        store.fetch_now("met").await.expect("written");
        assert_eq!(claim(&store, JobKind::Fetch).await, []);
        store.fetch_now("meta").await.expect("written");
        // What failed by itself keeps its own time.
        assert_eq!(keys(&claim(&store, JobKind::Fetch).await), ["meta:1", "meta:3"]);
    }

    #[tokio::test]
    async fn a_form_is_kept_for_its_time() {
        let (_folder, store) = store().await;
        assert_eq!(store.form("meta", "f1", 0).await, Ok(None));
        store.put_forms("meta", vec![("f1".to_owned(), "{\"name\":\"old\"}".to_owned())]).await.expect("written");
        store.put_forms("meta", vec![("f1".to_owned(), "{\"name\":\"new\"}".to_owned())]).await.expect("written");
        assert_eq!(store.form("meta", "f1", NOW - 1).await, Ok(Some("{\"name\":\"new\"}".to_owned())));
        assert_eq!(store.form("meta", "f1", NOW).await, Ok(None));
        assert_eq!(store.form("other", "f1", 0).await, Ok(None));
    }

    #[tokio::test]
    async fn platform_and_odoo_are_counted_per_form_and_day() {
        let (folder, store) = store().await;
        store.put_forms("meta", vec![("f1".to_owned(), "{\"name\":\"Villas\"}".to_owned())]).await.expect("written");
        let other = Listed { form_id: "f2".to_owned(), ..listed("6") };
        let all = ["1", "2", "3", "4", "5"].map(listed);
        store.accept_listed(all.into_iter().chain([other]).collect()).await.expect("kept");
        queue(&store, ["1", "2", "3"].map(|id| push(&format!("meta:lead:{id}:0"))).to_vec()).await;
        let jobs = claim(&store, JobKind::Push).await;
        assert_eq!(finish(&store, &jobs[0], done()).await, 1);
        assert_eq!(finish(&store, &jobs[1], park()).await, 1);
        let week = Duration::from_secs(7 * 86_400);
        let counted = async || {
            let counts = store.form_counts(week).await.expect("counted");
            let shown = |c: &FormCount| (c.name().to_owned(), c.platform, c.odoo, c.waiting, c.parked, c.discarded);
            counts.iter().map(shown).collect::<Vec<_>>()
        };
        // One is leased, and of two the intake is under way.
        assert_eq!(counted().await, [("Villas".to_owned(), 5, 1, 3, 1, 0), ("f2".to_owned(), 1, 0, 1, 0, 0)]);
        let parked = store.list_jobs(JobFilter { state: Some(JobState::Parked), ..JobFilter::default() }).await;
        store.discard_jobs(vec![parked.expect("listed")[0].id]).await.expect("discarded");
        assert_eq!(finish(&store, &jobs[2], done()).await, 1);
        // The intake of the others ended without an operation, as nothing but a lost row can make it.
        connect(&folder).execute("UPDATE job SET state = 'done' WHERE kind = 'intake'", []).expect("written");
        let counts = store.form_counts(week).await.expect("counted");
        assert_eq!((counts[0].day.as_str(), counts[0].odoo), ("2023-11-14", 2));
        let why = "1 discarded by a person; 2 unaccounted for: `g-assistant replay --all --source meta --go`";
        assert_eq!(counts[0].difference().as_deref(), Some(why));
        assert_eq!(FormCount { platform: 2, odoo: 2, discarded: 0, ..counts[0].clone() }.difference(), None);
        assert_eq!(store.form_counts(Duration::ZERO).await, Ok(Vec::new()));
    }
}
