//! Looks through the platforms' lists for what no webhook told of.
//!
//! What a platform lists is kept under the same key as what was fetched, so nothing comes twice. Each list, such as that of a form, has a cursor:
//! the start of its last complete pass. A pass looks back two hours behind it, as leads may appear late, and once a day
//! over the whole time of `backfill`; after an outage, as far as the outage was long. What is older than a day when it
//! is found is brought in silently.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Fetching, NotFetched, Order, Pass, each_account};
use crate::{
    sources::{List, Platform, Window},
    store::{FormCount, Lane, Listed, StoreError},
};

const OVERLAP: TimeDelta = TimeDelta::hours(2);
const WHOLE_EVERY: TimeDelta = TimeDelta::hours(24);
/// How soon a pass that was cut short is tried again, at least.
const AGAIN: Duration = Duration::from_secs(5);

impl Pass for Fetching {
    async fn pass(&self, source: &str, account: &str, platform: &dyn Platform) -> Duration {
        let now = self.clock.now_ms();
        let until = match self.gates.closed(source, account, now) {
            Some((until, _)) => until,
            None => match self.look_through(source, account, platform).await {
                Ok(found) => {
                    info!(source, account, found, "compared with the platform");
                    self.gates.reconciled(source, account, self.clock.now());
                    // The counts are of the whole source: they are told once.
                    if platform.accounts().first().is_some_and(|first| first == account)
                        && let Err(error) = self.tell(source, account).await
                    {
                        warn!(source, %error, "platform and Odoo could not be counted");
                    }
                    return platform.poll_interval();
                }
                Err(NotFetched::Waits { until, .. }) => until,
                Err(NotFetched::Failed(error)) => {
                    warn!(source, account, %error, "the platform's leads could not be compared");
                    return platform.poll_interval();
                }
                Err(NotFetched::Store(error)) => {
                    warn!(source, account, %error, "the platform's leads could not be compared");
                    now
                }
                Err(NotFetched::NoSource(_)) => return platform.poll_interval(),
            },
        };
        Duration::from_millis(u64::try_from(until - now).unwrap_or(0)).clamp(AGAIN, platform.poll_interval().max(AGAIN))
    }
}

impl Fetching {
    /// Looks through all platforms, until `cancel`.
    pub async fn reconcile(&self, cancel: &CancellationToken) {
        let all = self.sources.platforms().flat_map(|(source, platform)| {
            let accounts = platform.accounts().to_vec();
            accounts.into_iter().map(move |account| (source.to_owned(), account, platform.clone()))
        });
        each_account(all, cancel, self).await;
    }

    /// Tells per form and day what the platform lists and what Odoo has: once a day in the log, and whenever something is
    /// missing that is not on its way.
    async fn tell(&self, source: &str, account: &str) -> Result<(), StoreError> {
        let mut counts = self.store.form_counts(self.compared).await?;
        counts.retain(|count| count.source == source);
        let (now, told) = (self.clock.now(), format!("reconcile.{source}.told"));
        if self.time(&told).await?.is_none_or(|last| now - last >= WHOLE_EVERY || last > now) {
            for FormCount { form_id, day, platform, odoo, .. } in &counts {
                info!(source, form = form_id, day, platform, odoo, "compared with Odoo");
            }
            self.store.meta_set(&told, &now.timestamp_millis().to_string()).await?;
        }
        let differs = |count: &FormCount| {
            let why = count.difference().filter(|_| count.platform > count.odoo + count.waiting)?;
            let FormCount { day, platform, odoo, .. } = count;
            Some(format!("{day}: platform {platform}, Odoo {odoo} of {}: {why}", count.name()))
        };
        self.gates.differ(source, account, counts.iter().filter_map(differs).collect());
        Ok(())
    }

    /// Returns how many leads nobody had told of.
    async fn look_through(&self, source: &str, account: &str, platform: &dyn Platform) -> Result<usize, NotFetched> {
        let failed = |error| self.failed(source, account, error);
        let setting = platform.setting(account).await.map_err(failed)?;
        self.gates.setting(source, account, setting, self.clock.now());
        let lists = platform.lists(account).await.map_err(failed)?;
        self.answered(source, account).await?;
        let forms = lists.iter().filter_map(|list| Some((list.id.clone(), list.form.as_ref()?.to_string())));
        self.store.put_forms(source, forms.collect()).await?;
        let mut found = 0;
        for list in lists.iter().filter(|list| !list.is_empty) {
            found += self.look_through_list(source, account, platform, list).await?;
        }
        Ok(found)
    }

    async fn look_through_list(
        &self,
        source: &str,
        account: &str,
        platform: &dyn Platform,
        list: &List,
    ) -> Result<usize, NotFetched> {
        let began = self.clock.now();
        let (cursor, whole) =
            (format!("reconcile.{source}.{}", list.id), format!("reconcile.{source}.{}.whole", list.id));
        let (last, last_whole) = (self.time(&cursor).await?, self.time(&whole).await?);
        let backfill = TimeDelta::from_std(platform.backfill()).unwrap_or(TimeDelta::days(7));
        let is_whole = last_whole.is_none_or(|last| began - last >= WHOLE_EVERY || last > began);
        let window = Window { since: since(began, last, is_whole, backfill), until: began };
        let owner = platform.account(account).await.ok();
        let (mut found, mut after) = (0, None);
        let mut forms = HashMap::new();
        loop {
            let page = platform.leads(account, &list.id, window, after.as_deref()).await;
            let page = page.map_err(|error| self.failed(source, account, error))?;
            let (mut leads, mut brought) = (Vec::with_capacity(page.leads.len()), Vec::new());
            for lead in page.leads {
                // Without a form of its own it is one of the list's.
                let form_id = lead.form_id.clone().unwrap_or_else(|| list.id.clone());
                if let Some(form) = lead.form.as_ref().filter(|_| !forms.contains_key(&form_id)) {
                    brought.push((form_id.clone(), form.to_string()));
                    forms.insert(form_id.clone(), Some(form.clone()));
                }
                let form = match lead.form.as_ref().or(list.form.as_ref()) {
                    Some(form) => Some(form),
                    None => match forms.entry(form_id.clone()) {
                        Entry::Occupied(known) => known.into_mut().as_ref(),
                        Entry::Vacant(new) => {
                            new.insert(self.form(source, platform, account, &form_id).await?).as_ref()
                        }
                    },
                };
                let created_at = lead.created_at.unwrap_or(began);
                leads.push(Listed {
                    form_id,
                    created_at: created_at.timestamp_millis(),
                    fetch_key: Order::key(source, &lead.lead_id),
                    delivery: self.delivery(source, &lead, owner.as_ref(), form),
                    lane: Lane::of_age(created_at.timestamp_millis(), began.timestamp_millis()),
                    lead_id: lead.lead_id,
                });
            }
            self.store.put_forms(source, brought).await?;
            let new = self.store.accept_listed(leads).await?;
            if new > 0 {
                info!(source, list = list.id, leads = new, "found leads that no webhook told of");
                self.metrics.fetched(source, "found", u64::try_from(new).unwrap_or(u64::MAX));
            }
            found += new;
            let at = page.next;
            if at.is_none() || at == after {
                break;
            }
            after = at;
        }
        let began = began.timestamp_millis().to_string();
        if is_whole {
            self.store.meta_set(&whole, &began).await?;
        }
        self.store.meta_set(&cursor, &began).await?;
        Ok(found)
    }

    async fn time(&self, key: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let text = self.store.meta_get(key).await?;
        Ok(text.and_then(|text| DateTime::from_timestamp_millis(text.parse().ok()?)))
    }
}

/// From when on leads are asked for: never later than the last pass, however long ago that was.
fn since(now: DateTime<Utc>, cursor: Option<DateTime<Utc>>, is_whole: bool, backfill: TimeDelta) -> DateTime<Utc> {
    match cursor.filter(|cursor| *cursor <= now).map(|cursor| cursor - OVERLAP) {
        Some(last) if is_whole => last.min(now - backfill),
        Some(last) => last,
        None => now - backfill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_looks_back_far_enough() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let (week, ago) = (TimeDelta::days(7), |hours| now - TimeDelta::hours(hours));
        assert_eq!(since(now, None, true, week), now - week);
        assert_eq!(since(now, Some(ago(1)), false, week), ago(3));
        assert_eq!(since(now, Some(ago(1)), true, week), now - week);
        assert_eq!(since(now, Some(ago(500)), true, week), ago(502), "an outage was longer");
        assert_eq!(since(now, Some(now + TimeDelta::days(1)), false, week), now - week, "the clock was ahead");
    }
}
