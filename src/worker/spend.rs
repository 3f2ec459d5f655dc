//! Carries what campaigns cost from the platforms into Odoo: regularly, and without a memory. What Odoo knows already it
//! leaves alone, so a pass that was cut short is simply made again.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    domain::{Spend, SpendAnswer},
    fetch::{Fetching, NotFetched, Pass, each_account},
    odoo::{AddonBridge, Bridge, OdooError},
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
        each_account(all, cancel, self).await;
    }
}

impl Pass for Spending {
    async fn pass(&self, source: &str, account: &str, platform: &dyn Platform) -> Duration {
        let interval = platform.spend_interval();
        let session = self.backend.session().await;
        let addon = match &session.bridge {
            Bridge::Addon(addon) if addon.takes_spend() => addon,
            _ => {
                warn!(source, account, "what campaigns cost has no place in Odoo without the addon, 1.2 or newer");
                return interval;
            }
        };
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
        match tell(addon, source, account, &spent).await {
            Ok(()) => interval,
            Err(error) => {
                warn!(source, account, %error, "Odoo could not be told what campaigns cost");
                AGAIN.min(interval)
            }
        }
    }
}

async fn tell(addon: &AddonBridge, source: &str, account: &str, spent: &[Spend]) -> Result<(), OdooError> {
    let mut new = 0;
    for (row, answer) in spent.iter().zip(addon.spend(spent).await?) {
        match answer {
            SpendAnswer::Created => new += 1,
            SpendAnswer::Known => {}
            SpendAnswer::Refused { error } => {
                warn!(source, account, day = %row.day, campaign = row.campaign, error, "Odoo refuses what it cost");
            }
        }
    }
    if new > 0 {
        info!(source, account, rows = new, "told Odoo what campaigns cost");
    }
    Ok(())
}
