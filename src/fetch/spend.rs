//! What campaigns cost, as the platforms tell it.
//!
//! Figures are corrected by the platforms for weeks, so each pass reads the last four; Odoo recognises what it knows.

use chrono::TimeDelta;

use super::{Fetching, NotFetched};
use crate::{
    domain::Spend,
    sources::{Days, Platform},
};

/// How far back figures are still corrected.
const CORRECTED: TimeDelta = TimeDelta::days(28);

impl Fetching {
    /// What an ad account spent in the last weeks.
    pub async fn spend(&self, source: &str, account: &str, platform: &dyn Platform) -> Result<Vec<Spend>, NotFetched> {
        if let Some((until, reason)) = self.gates.closed(source, account, self.clock.now_ms()) {
            return Err(NotFetched::Waits { until, reason });
        }
        let today = self.clock.now().date_naive();
        let days = Days { first: today - CORRECTED, last: today };
        let spent = platform.spend(account, days).await.map_err(|error| self.failed(source, account, error))?;
        self.answered(source, account).await?;
        Ok(spent)
    }
}
