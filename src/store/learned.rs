//! What leads were like when they came in, and what was learned from those that were won or lost.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, queries};

/// What a lead was like when it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its id in Odoo.
    pub record_id: i64,
    /// When it came (ms).
    pub at: i64,
    /// What the weights gave it.
    pub score: u8,
    /// What it was like.
    pub traits: Vec<String>,
}

/// A lead that was won or lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its id in Odoo.
    pub record_id: i64,
    /// When it was made there, `YYYY-MM-DD HH:MM:SS` UTC.
    pub created: Option<String>,
    /// Whether it was won; `None` while it is open.
    pub won: Option<bool>,
    /// What it was like, if it came in here.
    pub sample: Option<Sample>,
    /// UTM source, medium and campaign.
    pub utm: [Option<String>; 3],
}

impl Store {
    /// Keeps what leads were like. What is known of one stays.
    pub async fn put_samples(&self, samples: Vec<Sample>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut query = connection.prepare_cached(queries::SAMPLE_PUT)?;
            for sample in &samples {
                let traits = serde_json::to_string(&sample.traits)?;
                query.execute(params![sample.record_id, sample.at, sample.score, traits])?;
            }
            Ok(())
        })
        .await
    }

    /// The leads of the mirror with ids below `before`, the newest first.
    pub async fn outcomes(&self, before: i64, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::SAMPLE_PAGE)?;
            let mut rows = query.query(params![before, limit])?;
            let mut outcomes = Vec::new();
            while let Some(row) = rows.next()? {
                let record_id = row.get(0)?;
                let won: Option<String> = row.get(2)?;
                let traits: Option<String> = row.get(5)?;
                let sample = match traits {
                    None => None,
                    Some(traits) => Some(Sample {
                        record_id,
                        at: row.get(3)?,
                        score: row.get(4)?,
                        traits: serde_json::from_str(&traits)?,
                    }),
                };
                outcomes.push(Outcome {
                    record_id,
                    created: row.get(1)?,
                    won: match won.as_deref() {
                        Some("won") => Some(true),
                        Some("lost") => Some(false),
                        _ => None,
                    },
                    sample,
                    utm: [row.get(6)?, row.get(7)?, row.get(8)?],
                });
            }
            Ok(outcomes)
        })
        .await
    }

    /// The last training: its report and its model, as JSON.
    pub async fn learned(&self) -> Result<Option<(String, Option<String>)>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(queries::LEARNED_GET)?;
            Ok(query.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })
        .await
    }

    /// Keeps a training in the place of the last.
    pub async fn put_learned(&self, report: String, model: Option<String>) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.prepare_cached(queries::LEARNED_PUT)?.execute(params![report, model])?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::*, *};
    use crate::domain::{Model, Page};

    #[tokio::test]
    async fn leads_come_with_how_they_ended_and_what_they_were_like() {
        let (_folder, store) = store().await;
        let records = json!([
            {"id": 1, "create_date": "2026-01-01 00:00:00", "won_status": "won", "source_id": 5},
            {"id": 2, "won_status": "lost", "active": false},
            {"id": 3, "won_status": "pending"},
            // Up to 18 there is no `won_status`.
            {"id": 4, "active": true, "probability": 100.0},
            {"id": 5, "active": false, "probability": 0.0},
            {"id": 6, "active": true, "probability": 0.0},
            {"id": 7, "active": false, "probability": 20.0},
        ]);
        let page = json!({"records": records, "names": {"utm.source": {"5": "Google"}}});
        let page: Page = serde_json::from_value(page).expect("a page");
        store.store_page(Model::Lead, page, NOW, None).await.expect("kept");
        let sample = Sample { record_id: 2, at: 7, score: 40, traits: vec!["source=x".to_owned()] };
        store.put_samples(vec![sample.clone()]).await.expect("kept");
        store.put_samples(vec![Sample { score: 1, ..sample.clone() }]).await.expect("kept");

        let all = store.outcomes(i64::MAX, 100).await.expect("read");
        let won: Vec<_> = all.iter().map(|one| (one.record_id, one.won)).collect();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(won, [(7, None), (6, None), (5, no), (4, yes), (3, None), (2, no), (1, yes)]);
        assert_eq!(all[5].sample, Some(sample), "what it was like at first");
        assert_eq!(all[6].utm, [Some("Google".to_owned()), None, None]);
        assert_eq!(store.outcomes(5, 2).await.expect("read").len(), 2);

        assert_eq!(store.learned().await, Ok(None));
        store.put_learned("{}".to_owned(), None).await.expect("kept");
        store.put_learned("[]".to_owned(), Some("{}".to_owned())).await.expect("kept");
        assert_eq!(store.learned().await, Ok(Some(("[]".to_owned(), Some("{}".to_owned())))));
    }
}
