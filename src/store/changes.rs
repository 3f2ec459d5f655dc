//! Changes that Odoo told: each counts once, and moves the mirror forward only.

use std::cmp::Ordering;

use rusqlite::{Connection, params};

use serde_json::Value;

use super::{
    Store, StoreError,
    mirror::{self, State},
    queries,
};
use crate::domain::{Change, RecordText};

/// What became of a batch of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangesAccepted {
    /// New ones.
    pub new: usize,
    /// Known before.
    pub known: usize,
}

impl Store {
    /// Keeps changes and applies them to the mirror, in one transaction. What is known already is ignored, so a batch
    /// may come twice, by webhook and by polling.
    pub async fn accept_changes(&self, changes: Vec<Change>) -> Result<ChangesAccepted, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let mut accepted = ChangesAccepted::default();
            for change in &changes {
                if accept(connection, change, now)? {
                    accepted.new += 1;
                } else {
                    accepted.known += 1;
                }
            }
            Ok(accepted)
        })
        .await
    }
}

fn accept(connection: &Connection, change: &Change, now: i64) -> Result<bool, StoreError> {
    let inserted = connection.prepare_cached(queries::CHANGE_INSERT)?.execute(params![
        change.id,
        change.event,
        change.model.as_str(),
        change.record_id,
        serde_json::to_string(change)?,
        now,
    ])?;
    if inserted == 0 {
        return Ok(false);
    }
    let state = mirror::state(connection, change.model, change.record_id)?;
    if state.is_none_or(|state| is_news(change, &state)) {
        let record = RecordText::try_from(&change.data)?;
        mirror::put(connection, change.model, &record, change.seq, change.removes_record(), now)?;
        mirror::put_names(connection, &change.names)?;
    }
    Ok(true)
}

/// Batches and pages overtake each other. The later `write_date` of one record is the newer state: pages have no `seq`,
/// and that of an Odoo that was restored from a backup begins again. Within a second, `seq` tells.
fn is_news(change: &Change, state: &State) -> bool {
    let written = change.data.0.get("write_date").and_then(Value::as_str);
    match written.zip(state.write_date.as_deref()).map(|(ours, known)| ours.cmp(known)) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Less) => change.removes_record() && state.seq < change.seq,
        Some(Ordering::Equal) | None => state.seq < change.seq,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::*;
    use super::*;
    use crate::domain::Model;

    fn change(id: &str, seq: i64, event: &str, city: &str) -> Change {
        serde_json::from_value(json!({
            "id": id, "seq": seq, "event": event, "timestamp": "2026-11-21T10:00:00Z", "model": "crm.lead",
            "record_id": 7, "data": {"id": 7, "city": city, "stage_id": 1}, "names": {"crm.stage": {"1": "New"}},
        }))
        .expect("a change")
    }

    #[tokio::test]
    async fn a_change_that_comes_late_does_not_undo_a_newer_page() {
        let (_folder, store) = store().await;
        let record = |city: &str, second: u8| json!({"id": 7, "city": city, "write_date": format!("2026-11-21 10:00:0{second}")});
        let page = serde_json::from_value(json!({"records": [record("page", 5)]})).expect("a page");
        store.store_page(Model::Lead, page, NOW, None).await.expect("kept");
        for (seq, event, second, city, deleted) in [
            (1, "lead.updated", 1, "page", false),
            (2, "lead.updated", 5, "2", false),
            // A restored Odoo counts from the start again.
            (1, "lead.updated", 6, "1", false),
            // What is deleted stays so, whenever it was written last.
            (3, "lead.deleted", 1, "3", true),
        ] {
            let mut change = change(&format!("{seq} {second}"), seq, event, "");
            change.data = serde_json::from_value(record(&seq.to_string(), second)).expect("a record");
            assert_eq!(store.accept_changes(vec![change]).await.expect("kept").new, 1, "each is kept");
            let row = store.mirror_row(Model::Lead, 7).await.expect("read").expect("there");
            assert_eq!((&row.data.0["city"], row.deleted), (&json!(city), deleted), "{seq}");
        }
    }

    /// What came while the clock was a day ahead does not stand in the way of what Odoo says now.
    #[tokio::test]
    async fn a_page_is_believed_after_the_clock_was_set_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let ahead = open(&folder, clock_at(NOW + 86_400_000), 1).await;
        let mut gone = change("b", 2, "lead.updated", "");
        gone.record_id = 8;
        gone.data = serde_json::from_value(json!({"id": 8})).expect("a record");
        ahead.accept_changes(vec![change("a", 1, "lead.updated", "old"), gone]).await.expect("kept");
        ahead.close().await;
        let store = open(&folder, clock_at(NOW), 1).await;
        let page = serde_json::from_value(json!({"records": [{"id": 7, "city": "new"}]})).expect("a page");
        let stored = store.store_page(Model::Lead, page, NOW, Some((1, 9))).await.expect("kept");
        assert_eq!((stored.changed, stored.deleted), (1, 1));
    }

    #[tokio::test]
    async fn each_counts_once_and_the_newest_wins() {
        let (_folder, store) = store().await;
        let batch = vec![change("a", 1, "lead.created", "Riyadh"), change("c", 3, "lead.updated", "Abha")];
        assert_eq!(store.accept_changes(batch).await, Ok(ChangesAccepted { new: 2, known: 0 }));
        let late = vec![change("c", 3, "lead.updated", "Abha"), change("b", 2, "lead.updated", "Jeddah")];
        assert_eq!(store.accept_changes(late).await, Ok(ChangesAccepted { new: 1, known: 1 }));
        let row = store.mirror_row(Model::Lead, 7).await.expect("read").expect("there");
        assert_eq!(row.data.0["city"], "Abha");
        assert_eq!(row.names["crm.stage"][&1], "New");

        store.accept_changes(vec![change("d", 4, "lead.merged", "Abha")]).await.expect("kept");
        assert!(store.mirror_row(Model::Lead, 7).await.expect("read").expect("there").deleted);
        assert_eq!(store.stats().await.expect("read").changes, 4);
    }
}
