//! Carries what campaigns cost from the platforms into Odoo: regularly, and without a memory. What Odoo knows already it
//! leaves alone, so a pass that was cut short is simply made again.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    domain::Spend,
    fetch::{Fetching, NotFetched},
    odoo::{Bridge, OdooError},
    sources::{Platform, Registry},
    sync::Backend,
};

/// How soon a pass that failed is made again, at least.
const AGAIN: Duration = Duration::from_secs(60);

/// Everything that it needs.
pub struct Spending {
    /// The sources.
    pub sources: Arc<Registry>,
    /// Asks the platforms.
    pub fetching: Fetching,
    /// The connection to Odoo.
    pub backend: Backend,
    /// The time.
    pub clock: Clock,
}

impl Spending {
    /// Runs until `cancel`.
    pub async fn run(&self, cancel: &CancellationToken) {
        let all = self.sources.platforms().flat_map(|(source, platform)| {
            let accounts = platform.ad_accounts().to_vec();
            accounts.into_iter().map(move |account| (source.to_owned(), account, platform.clone()))
        });
        let each = all.map(async |(source, account, platform)| {
            loop {
                let wait = tokio::select! {
                    () = cancel.cancelled() => return,
                    wait = self.pass(&source, &account, &*platform) => wait,
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

    /// One pass over one account. Returns how long to wait for the next.
    async fn pass(&self, source: &str, account: &str, platform: &dyn Platform) -> Duration {
        let interval = platform.spend_interval();
        let spent = match self.fetching.spend(source, account, platform).await {
            Ok(spent) => spent,
            Err(NotFetched::Waits { until, .. }) => {
                let wait = u64::try_from(until - self.clock.now_ms()).unwrap_or(0);
                return Duration::from_millis(wait).clamp(AGAIN.min(interval), interval);
            }
            Err(NotFetched::Failed(error)) => {
                warn!(source, account, %error, "what its campaigns cost could not be read");
                return interval;
            }
            Err(error) => {
                warn!(source, account, ?error, "what its campaigns cost could not be read");
                return AGAIN.min(interval);
            }
        };
        match self.tell(source, account, &spent).await {
            Ok(()) => interval,
            Err(error) => {
                warn!(source, account, %error, "Odoo could not be told what campaigns cost");
                AGAIN.min(interval)
            }
        }
    }

    async fn tell(&self, source: &str, account: &str, spent: &[Spend]) -> Result<(), OdooError> {
        let session = self.backend.session().await;
        let Bridge::Addon(addon) = &session.bridge else {
            warn!(source, account, "what campaigns cost has no place in Odoo without the addon");
            return Ok(());
        };
        if !addon.takes_spend() {
            warn!(source, account, "the addon in Odoo knows no spend yet: update it to 1.2 or newer");
            return Ok(());
        }
        let answers = addon.spend(spent).await?;
        let mut new = 0;
        for (row, answer) in spent.iter().zip(&answers) {
            match (&answer.error, answer.status.as_str()) {
                (Some(error), _) => {
                    warn!(source, account, day = %row.day, campaign = row.campaign, error, "Odoo refuses what it cost");
                }
                (None, "created" | "updated") => new += 1,
                (None, _) => {}
            }
        }
        if new > 0 {
            info!(source, account, days = new, "told Odoo what campaigns cost");
        }
        Ok(())
    }
}
