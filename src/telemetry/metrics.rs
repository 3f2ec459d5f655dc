//! The numbers that `GET /metrics` shows.
//!
//! One [`Metrics`] is made at the start and shared by all who count. Labels are ids from the configuration and fixed
//! words, so their number is bounded: never a value from a request, and never personal data.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::domain::{PlatformState, PlatformStatus};

/// All metrics of the daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    deliveries: Family<Delivery, Counter>,
    turned_away: Family<Reason, Counter>,
    changes: Family<Via, Counter>,
    fetched: Family<Delivery, Counter>,
    media: Family<Delivery, Counter>,
    platform_up: Family<Account, Gauge>,
    token_expiry: Family<Account, Gauge>,
    form_leads: Family<Form, Gauge>,
    pushed: Family<Outcome, Counter>,
    push_batch: Histogram,
    push_duration: Histogram,
    jobs: Family<Job, Gauge>,
    queue_depth: Gauge,
    queue_oldest: Gauge,
    odoo_up: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    source: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Account {
    source: String,
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Form {
    source: String,
    form: String,
    at: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Via {
    via: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    kind: String,
    state: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// The media type of [`render`](Self::render).
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// New metrics, all zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("g_assistant"),
            deliveries: Family::default(),
            turned_away: Family::default(),
            changes: Family::default(),
            fetched: Family::default(),
            media: Family::default(),
            platform_up: Family::default(),
            token_expiry: Family::default(),
            form_leads: Family::default(),
            pushed: Family::default(),
            push_batch: Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]),
            push_duration: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0]),
            jobs: Family::default(),
            queue_depth: Gauge::default(),
            queue_oldest: Gauge::default(),
            odoo_up: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("deliveries", "Webhook deliveries, by source and answer", metrics.deliveries.clone());
        let turned_away = metrics.turned_away.clone();
        registry.register("turned_away", "Requests and connections that were not looked at, by limit", turned_away);
        registry.register("changes", "Changes in Odoo, by the way they were heard of", metrics.changes.clone());
        let media = metrics.media.clone();
        registry.register("media", "Pictures and files of messages, by what became of them", media);
        let fetched = metrics.fetched.clone();
        registry.register(
            "fetched",
            "Leads and names asked of platforms, by result; found: no webhook told of them",
            fetched,
        );
        let platform_up = metrics.platform_up.clone();
        registry.register("platform_up", "Whether an account of a platform answers: 1 or 0", platform_up);
        let expiry = metrics.token_expiry.clone();
        registry.register("platform_token_expiry", "When an account's token ends, in seconds since 1970", expiry);
        let form_leads = metrics.form_leads.clone();
        registry.register(
            "form_leads",
            "Leads of the last days by form, as the platform lists them and in Odoo",
            form_leads,
        );
        registry.register("pushed", "Operations that Odoo answered, by result", metrics.pushed.clone());
        registry.register("push_batch", "Operations per push", metrics.push_batch.clone());
        registry.register_with_unit("push_duration", "Time per push", Unit::Seconds, metrics.push_duration.clone());
        registry.register("jobs", "Jobs in the store, by kind and state", metrics.jobs.clone());
        registry.register("queue_depth", "Jobs that wait or run", metrics.queue_depth.clone());
        let oldest = metrics.queue_oldest.clone();
        registry.register_with_unit("queue_oldest", "Age of the oldest waiting job", Unit::Seconds, oldest);
        registry.register("odoo_up", "Whether Odoo answered last: 1 or 0", metrics.odoo_up.clone());
        metrics
    }

    /// Counts a delivery to the source with this configured id, by its answer, such as `accepted` or `duplicate`.
    pub fn delivery(&self, source: &str, result: &'static str) {
        self.deliveries.get_or_create(&Delivery { source: source.to_owned(), result }).inc();
    }

    /// Counts a request or connection that was not looked at, by the limit that it met, such as `rate_limited`.
    pub fn turned_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&Reason { reason }).inc();
    }

    /// Counts changes in Odoo that were heard of by a way such as `webhook` or `polled`.
    pub fn changes(&self, via: &'static str, count: u64) {
        self.changes.get_or_create(&Via { via }).inc_by(count);
    }

    /// Counts leads of the source with this configured id that a platform was asked for, by result.
    pub fn fetched(&self, source: &str, result: &'static str, count: u64) {
        self.fetched.get_or_create(&Delivery { source: source.to_owned(), result }).inc_by(count);
    }

    /// Counts a file of a message of the source with this configured id, by what became of it.
    pub fn media(&self, source: &str, result: &'static str) {
        self.media.get_or_create(&Delivery { source: source.to_owned(), result }).inc();
    }

    /// Sets how the accounts of platforms are.
    pub fn set_platforms(&self, platforms: &[PlatformStatus]) {
        self.platform_up.clear();
        self.token_expiry.clear();
        for status in platforms {
            let account = Account { source: status.source.clone(), account: status.account.clone() };
            self.platform_up.get_or_create(&account).set(i64::from(status.state == PlatformState::Ok));
            if let Some(end) = status.token_expires_at {
                self.token_expiry.get_or_create(&account).set(end.timestamp());
            }
        }
    }

    /// Sets how many leads of each form the platform lists and Odoo has, as (source, form, platform, Odoo) per day.
    pub fn set_forms<'a>(&self, forms: impl IntoIterator<Item = (&'a str, &'a str, u64, u64)>) {
        self.form_leads.clear();
        for (source, form, platform, odoo) in forms {
            for (at, count) in [("platform", platform), ("odoo", odoo)] {
                let form = Form { source: source.to_owned(), form: form.to_owned(), at };
                self.form_leads.get_or_create(&form).inc_by(saturate(count));
            }
        }
    }

    /// Counts an operation that Odoo answered, by its result, such as `created` or `refused`.
    pub fn pushed(&self, result: &'static str) {
        self.pushed.get_or_create(&Outcome { result }).inc();
    }

    /// Records one push: how many operations it held and how long it took.
    pub fn push_batch(&self, operations: usize, took: Duration) {
        self.push_batch.observe(operations as f64);
        self.push_duration.observe(took.as_secs_f64());
    }

    /// Sets how many jobs there are, as (kind, state, count). What is not in `jobs` is no more.
    pub fn set_jobs<'a>(&self, jobs: impl IntoIterator<Item = (&'a str, &'a str, u64)>) {
        self.jobs.clear();
        for (kind, state, count) in jobs {
            let job = Job { kind: kind.to_owned(), state: state.to_owned() };
            self.jobs.get_or_create(&job).set(saturate(count));
        }
    }

    /// Sets how many jobs wait or run, and how long the oldest has waited.
    pub fn set_queue(&self, depth: u64, oldest: Duration) {
        self.queue_depth.set(saturate(depth));
        self.queue_oldest.set(saturate(oldest.as_secs()));
    }

    /// Sets whether Odoo answered last.
    pub fn set_odoo_up(&self, up: bool) {
        self.odoo_up.set(i64::from(up));
    }

    /// All metrics in the text format of OpenMetrics.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        text::encode(&mut text, &self.registry).ok();
        text
    }
}

fn saturate(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.delivery("web", "accepted");
        metrics.delivery("web", "accepted");
        metrics.delivery("web", "duplicate");
        metrics.turned_away("rate_limited");
        metrics.changes("polled", 3);
        metrics.pushed("created");
        metrics.push_batch(7, Duration::from_millis(300));
        metrics.set_jobs([("push", "ready", 5)]);
        metrics.set_jobs([("intake", "done", 2)]);
        metrics.set_queue(5, Duration::from_secs(61));
        metrics.set_odoo_up(true);
        metrics.fetched("meta", "found", 2);
        let limited = PlatformStatus {
            source: "meta".to_owned(),
            account: "1".to_owned(),
            state: PlatformState::Limited,
            token_expires_at: chrono::DateTime::from_timestamp(1_800_000_000, 0),
            ..PlatformStatus::default()
        };
        metrics.set_platforms(&[limited]);

        metrics.set_forms([("meta", "7", 200, 200), ("meta", "7", 14, 12)]);

        let text = metrics.render();
        for line in [
            "g_assistant_form_leads{source=\"meta\",form=\"7\",at=\"platform\"} 214",
            "g_assistant_form_leads{source=\"meta\",form=\"7\",at=\"odoo\"} 212",
            "g_assistant_deliveries_total{source=\"web\",result=\"accepted\"} 2",
            "g_assistant_deliveries_total{source=\"web\",result=\"duplicate\"} 1",
            "g_assistant_turned_away_total{reason=\"rate_limited\"} 1",
            "g_assistant_changes_total{via=\"polled\"} 3",
            "g_assistant_pushed_total{result=\"created\"} 1",
            "g_assistant_push_batch_bucket{le=\"10.0\"} 1",
            "g_assistant_push_duration_seconds_sum 0.3",
            "g_assistant_jobs{kind=\"intake\",state=\"done\"} 2",
            "g_assistant_queue_depth 5",
            "g_assistant_queue_oldest_seconds 61",
            "g_assistant_odoo_up 1",
            "g_assistant_fetched_total{source=\"meta\",result=\"found\"} 2",
            "g_assistant_platform_up{source=\"meta\",account=\"1\"} 0",
            "g_assistant_platform_token_expiry{source=\"meta\",account=\"1\"} 1800000000",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} not in\n{text}");
        }
        assert!(!text.contains("kind=\"push\""), "a kind that is no more must not be shown:\n{text}");
    }
}
