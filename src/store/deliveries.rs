//! The inbox: each authentic delivery once, together with the work that it makes.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Lane, NewJob, Store, StoreError,
    jobs::{self, JobKind},
    queries,
};

/// A delivery that a source found authentic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The source's id.
    pub source: String,
    /// The delivery's id at its sender: a replay has the same.
    pub key: String,
    /// When it arrived (ms).
    pub received_at: i64,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// What a sender was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id in the store.
    pub id: i64,
    /// Set if it was here before: what was answered then. Nothing has been written.
    pub duplicate: Option<Reply>,
}

/// A stored delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id in the store.
    pub id: i64,
    /// The source's id.
    pub source: String,
    /// The delivery's id at its sender.
    pub key: String,
    /// When it arrived (ms).
    pub received_at: i64,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The raw body; empty once retention has taken it.
    pub body: Vec<u8>,
}

impl Store {
    /// Keeps a delivery for intake. `reply` may go out when this returns, and is kept for replays.
    pub async fn accept(&self, delivery: NewDelivery, lane: Lane, reply: Reply) -> Result<Accepted, StoreError> {
        self.keep(delivery, lane, None, reply).await
    }

    /// Keeps a delivery that is authentic but not understood, with a parked intake job, so that a person can have it
    /// tried again when the source's mapping has been mended.
    pub async fn reject(&self, delivery: NewDelivery, error: String, reply: Reply) -> Result<Accepted, StoreError> {
        self.keep(delivery, Lane::Live, Some(error), reply).await
    }

    async fn keep(
        &self,
        delivery: NewDelivery,
        lane: Lane,
        error: Option<String>,
        reply: Reply,
    ) -> Result<Accepted, StoreError> {
        let limit = self.0.max_queued_jobs;
        let now = self.now();
        let wakes = error.is_none();
        let accepted = self
            .write_whole(move |connection| {
                if jobs::open_count(connection)? >= limit {
                    let known = known(connection, &delivery.source, &delivery.key)?;
                    return known.ok_or(StoreError::QueueFull { limit });
                }
                keep(connection, delivery, lane, error, reply, now)
            })
            .await?;
        if wakes && accepted.duplicate.is_none() {
            self.0.wake.wake(JobKind::Intake);
        }
        Ok(accepted)
    }

    /// Stored deliveries, in the order of `ids`.
    pub async fn deliveries(&self, ids: Vec<i64>) -> Result<Vec<Option<Delivery>>, StoreError> {
        self.read(move |connection| ids.iter().map(|id| Ok(get(connection, *id)?)).collect()).await
    }
}

pub(super) fn get(connection: &Connection, id: i64) -> rusqlite::Result<Option<Delivery>> {
    let mut query = connection.prepare_cached(queries::DELIVERY_GET)?;
    query.query_row([id], from_row).optional()
}

/// The first six columns of a row.
pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: row.get(0)?,
        source: row.get(1)?,
        key: row.get(2)?,
        received_at: row.get(3)?,
        content_type: row.get(4)?,
        body: row.get::<_, Option<Vec<u8>>>(5)?.unwrap_or_default(),
    })
}

fn known(connection: &Connection, source: &str, key: &str) -> Result<Option<Accepted>, StoreError> {
    let mut query = connection.prepare_cached(queries::DELIVERY_KNOWN)?;
    let known = query.query_row([source, key], |row| {
        let reply = Reply { status: row.get(1)?, body: row.get(2)? };
        Ok(Accepted { id: row.get(0)?, duplicate: Some(reply) })
    });
    Ok(known.optional()?)
}

fn keep(
    connection: &Connection,
    delivery: NewDelivery,
    lane: Lane,
    error: Option<String>,
    reply: Reply,
    now: i64,
) -> Result<Accepted, StoreError> {
    let state = if error.is_none() { "accepted" } else { "rejected" };
    // What intake need not look at before it gets to it costs its sender one row, and not two.
    let awaits_intake = error.is_none() && lane == Lane::Live;
    let inserted = connection.prepare_cached(queries::DELIVERY_INSERT)?.execute(params![
        delivery.source,
        delivery.key,
        delivery.received_at,
        delivery.content_type,
        delivery.body,
        state,
        reply.status,
        reply.body,
        awaits_intake,
    ])?;
    if inserted == 0 {
        let known = known(connection, &delivery.source, &delivery.key)?;
        return known.ok_or(StoreError::BadRow { detail: "a delivery is there and is not".to_owned() });
    }
    let id = connection.last_insert_rowid();
    let counted = if awaits_intake { "awaiting" } else { "" };
    connection.prepare_cached(queries::DELIVERY_COUNT)?.execute([counted])?;
    if !awaits_intake {
        jobs::insert(connection, &intake_job(id, &delivery.source, lane, error), now)?;
    }
    Ok(Accepted { id, duplicate: None })
}

/// Makes the intake jobs of the oldest `limit` deliveries that wait for one.
pub(super) fn make_intake_jobs(connection: &Connection, limit: usize) -> rusqlite::Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut awaiting = connection.prepare_cached(queries::DELIVERY_AWAITING)?;
    let mut taken = connection.prepare_cached(queries::DELIVERY_TAKEN)?;
    let deliveries: Vec<(i64, String, i64)> =
        awaiting.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    for (id, source, received_at) in deliveries {
        jobs::insert(connection, &intake_job(id, &source, Lane::Live, None), received_at)?;
        taken.execute([id])?;
    }
    Ok(())
}

fn intake_job(delivery: i64, source: &str, lane: Lane, held: Option<String>) -> NewJob {
    NewJob {
        kind: JobKind::Intake,
        lane,
        // The sender's key is unique with the delivery; in an index of its own it would be one more random page.
        key: delivery.to_string(),
        record_key: None,
        payload: String::new(),
        not_before: 0,
        delivery_id: Some(delivery),
        summary: format!("delivery {delivery} of {source}"),
        held,
    }
}

/// Keeps what was fetched, for which nobody waits at the other end. The first time counts; false if it was known.
pub(super) fn keep_fetched(
    connection: &Connection,
    delivery: NewDelivery,
    lane: Lane,
    now: i64,
) -> Result<bool, StoreError> {
    let reply = Reply { status: 200, body: "{}".to_owned() };
    Ok(keep(connection, delivery, lane, None, reply, now)?.duplicate.is_none())
}

#[cfg(test)]
mod tests {
    use super::super::{JobState, testing::*};
    use super::*;

    #[tokio::test]
    async fn a_replay_gets_the_first_answer_and_makes_no_work() {
        let (_folder, store) = store().await;
        let first = store.accept(delivery("web", "m1"), Lane::Live, reply()).await.expect("kept");
        assert_eq!(first.duplicate, None);
        let other = Reply { status: 500, body: "other".to_owned() };
        let again = store.accept(delivery("web", "m1"), Lane::Live, other).await.expect("known");
        assert_eq!(again, Accepted { id: first.id, duplicate: Some(reply()) });
        assert_eq!(store.accept(delivery("other", "m1"), Lane::Live, reply()).await.expect("kept").duplicate, None);
        assert_eq!(store.stats().await.expect("read").queues[&JobKind::Intake].ready, 2);
    }

    #[tokio::test]
    async fn a_rejected_one_is_kept_for_a_person() {
        let (_folder, store) = store().await;
        let kept = store.reject(delivery("web", "m1"), "not JSON".to_owned(), reply()).await.expect("kept");
        assert!(claim(&store, JobKind::Intake).await.is_empty());
        let job = &store.list_jobs(JobFilter::default()).await.expect("listed")[0];
        assert_eq!(
            (job.state, job.error.as_deref(), job.delivery_id),
            (JobState::Parked, Some("not JSON"), Some(kept.id))
        );
        assert_eq!(store.retry_jobs(vec![job.id]).await.expect("retried"), 1);
        assert_eq!(claim(&store, JobKind::Intake).await[0].delivery_id, Some(kept.id));
        assert_eq!(store.deliveries(vec![kept.id]).await.expect("read").remove(0).expect("there").body, b"{}");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_keeps_nothing() {
        let (_folder, store) = store_with_limit(1).await;
        store.accept(delivery("web", "m1"), Lane::Live, reply()).await.expect("kept");
        let refused = store.accept(delivery("web", "m2"), Lane::Live, reply()).await;
        assert_eq!(refused, Err(StoreError::QueueFull { limit: 1 }));
        // A replay of what is kept is answered all the same.
        assert!(store.accept(delivery("web", "m1"), Lane::Live, reply()).await.expect("known").duplicate.is_some());
    }
}
