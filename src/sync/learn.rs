//! Learning: now and then, from the leads of the mirror that are won or lost.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, NaiveDateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    intake::{
        Intake, LearnedReport,
        learned::{self, Examples, MOST_LEADS},
    },
    store::{LeadOutcome, Store, StoreError},
};

/// Leads per read.
const PAGE: u32 = 1000;

/// How often to look whether it is time.
const LOOK: Duration = Duration::from_secs(600);

/// After a start the mirror is filled first; until there is anything to learn from, it is looked at more often.
const FIRST: Duration = Duration::from_secs(60);

/// What learns.
pub struct Learning {
    /// The mirror, and what leads were like.
    pub store: Store,
    /// What uses it.
    pub intake: Arc<Intake>,
    /// The time.
    pub clock: Clock,
}

impl Learning {
    /// Learns whenever it is time, until `cancel`.
    pub async fn run(&self, cancel: &CancellationToken) {
        let (settings, _) = self.intake.learning();
        if !settings.enabled {
            return cancel.cancelled().await;
        }
        let mut wait = FIRST;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK;
            match self.is_due().await {
                Ok(false) => {}
                Ok(true) => match self.learn().await {
                    Ok(report) => info!(%report, "learned from leads that were won or lost"),
                    Err(error) => warn!(%error, "learning failed; it is tried again"),
                },
                Err(error) => warn!(%error, "what was learned could not be read"),
            }
        }
    }

    async fn is_due(&self) -> Result<bool, StoreError> {
        let every = i64::try_from(self.intake.learning().0.every.as_millis()).unwrap_or(i64::MAX);
        let last = report(&self.store).await?.map(|report| report.trained_at.timestamp_millis());
        let age = last.map(|last| self.clock.now_ms().saturating_sub(last));
        // A clock that was set back must not stop it.
        Ok(age.is_none_or(|age| age < 0 || age >= every))
    }

    /// Learns now.
    pub async fn learn(&self) -> anyhow::Result<LearnedReport> {
        let (settings, hours) = self.intake.learning();
        let mut examples = Examples::default();
        let mut before = i64::MAX;
        while examples.len() < MOST_LEADS {
            let page = self.store.outcomes(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = last.record_id;
            for lead in page {
                let Some(won) = lead.won else { continue };
                match lead.sample {
                    Some(sample) => examples.add(sample.at, won, Some(sample.score), &sample.traits),
                    None => {
                        let Some(created) = created(&lead) else { continue };
                        let [source, medium, campaign] = lead.utm.each_ref().map(Option::as_deref);
                        let traits = learned::of_record(source, medium, campaign, created, hours);
                        examples.add(created.timestamp_millis(), won, None, &traits);
                    }
                }
            }
        }
        let now = self.clock.now();
        let trained = tokio::task::spawn_blocking(move || learned::train(examples, settings.least, now)).await;
        let (report, model) = trained.context("internal error while learning")?;
        let texts = (serde_json::to_string(&report)?, model.as_ref().map(serde_json::to_string).transpose()?);
        self.store.put_learned(texts.0, texts.1).await?;
        self.intake.learn(model);
        Ok(report)
    }
}

fn created(lead: &LeadOutcome) -> Option<DateTime<Utc>> {
    let text = lead.created.as_deref()?;
    Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?.and_utc())
}

/// What the last training found.
pub async fn report(store: &Store) -> Result<Option<LearnedReport>, StoreError> {
    // What another version wrote and this one cannot read is learned anew.
    Ok(store.learned().await?.and_then(|(report, _)| serde_json::from_str(&report).ok()))
}

/// Lets intake use what was learned last.
pub async fn recall(store: &Store, intake: &Intake) -> Result<(), StoreError> {
    let model = store.learned().await?.and_then(|(_, model)| serde_json::from_str(&model?).ok());
    intake.learn(model);
    Ok(())
}
