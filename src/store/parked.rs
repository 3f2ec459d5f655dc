//! What waits for a person, and what people decide about it from far away.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::{JobDetail, JobKind, JobState, Store, StoreError, queries};

/// A parked job as it is named from outside: its number means nothing to another store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedKey {
    /// What it does.
    pub kind: JobKind,
    /// Its key.
    pub key: String,
    /// How often it was tried in all.
    pub tries: u32,
}

/// What a person decided about a parked job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Try it again, with this payload if there is one.
    Retry(Option<String>),
    /// Give it up.
    Discard,
}

impl Store {
    /// The jobs that have been parked for longest.
    pub async fn parked(&self, limit: usize) -> Result<Vec<ParkedKey>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::JOB_PARKED_KEYS)?;
            let key =
                |row: &rusqlite::Row<'_>| Ok(ParkedKey { kind: row.get(0)?, key: row.get(1)?, tries: row.get(2)? });
            Ok(query.query_map([limit], key)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One job by its key, with everything about it.
    pub async fn job_of(&self, kind: JobKind, key: &str) -> Result<Option<JobDetail>, StoreError> {
        let key = key.to_owned();
        let id = self
            .read(move |connection| {
                let mut query = connection.prepare_cached(queries::JOB_ID)?;
                Ok(query.query_row(params![kind, key], |row| row.get(0)).optional()?)
            })
            .await?;
        match id {
            Some(id) => self.job(id).await,
            None => Ok(None),
        }
    }

    /// Carries out a decision about a job that is parked after its last attempt, `of`. Returns whether it was.
    pub async fn decide(&self, of: ParkedKey, decision: Decision) -> Result<bool, StoreError> {
        let now = self.now();
        let kind = of.kind;
        let (state, payload) = match decision {
            Decision::Retry(payload) => (JobState::Ready, payload),
            Decision::Discard => (JobState::Discarded, None),
        };
        let changed = self
            .write(move |connection| {
                let values = params![of.kind, of.key, of.tries, state, payload, now];
                Ok(connection.prepare_cached(queries::JOB_DECIDE)?.execute(values)?)
            })
            .await?;
        self.0.wake.wake(kind);
        Ok(changed > 0)
    }

    /// When each source delivered last (ms), as far as the newest deliveries tell.
    pub async fn latest_deliveries(&self) -> Result<HashMap<String, i64>, StoreError> {
        /// However many there are, so many cost little.
        const NEWEST: i64 = 2_000;
        self.read(|connection| {
            let mut query = connection.prepare_cached(queries::DELIVERY_LATEST)?;
            Ok(query.query_map([NEWEST], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    async fn parked(store: &Store) -> ParkedKey {
        store.parked(10).await.expect("read").remove(0)
    }

    #[tokio::test]
    async fn a_decision_is_about_one_attempt_and_carried_out_once() {
        let (_folder, store) = store().await;
        queue(&store, vec![push("a")]).await;
        let job = claim(&store, JobKind::Push).await.remove(0);
        finish(&store, &job, park()).await;
        let first = parked(&store).await;
        assert_eq!(first, ParkedKey { kind: JobKind::Push, key: "a".to_owned(), tries: 1 });

        let edited = Decision::Retry(Some("{\"new\":1}".to_owned()));
        assert!(store.decide(first.clone(), edited.clone()).await.expect("written"));
        assert!(!store.decide(first.clone(), edited).await.expect("written"), "said again");
        let job = claim(&store, JobKind::Push).await.remove(0);
        assert_eq!((job.payload.as_str(), job.attempts), ("{\"new\":1}", 0));
        finish(&store, &job, park()).await;

        let second = parked(&store).await;
        assert_eq!(second.tries, 2);
        assert!(!store.decide(first, Decision::Discard).await.expect("written"), "it was about an older attempt");
        assert!(store.decide(second, Decision::Discard).await.expect("written"));
        assert_eq!(store.parked(10).await.expect("read"), []);
        let job = store.job_of(JobKind::Push, "a").await.expect("read").expect("there");
        assert_eq!(job.state, JobState::Discarded);
        assert_eq!(store.job_of(JobKind::Push, "b").await.expect("read"), None);
    }

    #[tokio::test]
    async fn the_longest_parked_come_first() {
        let (_folder, store) = store().await;
        queue(&store, vec![push("a"), push("b"), push("c")]).await;
        for job in claim(&store, JobKind::Push).await {
            finish(&store, &job, park()).await;
        }
        let keys: Vec<_> = store.parked(2).await.expect("read").into_iter().map(|one| one.key).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(store.latest_deliveries().await.expect("read"), HashMap::from([("web".to_owned(), NOW)]));
    }
}
