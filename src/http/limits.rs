//! How much one client, and one source, may ask for.
//!
//! - Every request of a client counts before anything else is done for it. One that turns out to be a forgery counts
//!   [`FORGERY`] times, so that guessing is slower than sending.
//! - Only authentic deliveries of a source count: nobody can use up what belongs to the real sender.
//! - Where visitors send, and not a program, each of them has a rate of its own.
//!
//! What is remembered stays small: a state is forgotten once it is as good as new, so at most what a few seconds of
//! requests leave behind is there.

use std::{collections::HashMap, hash::Hash, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use super::client::Client;
use crate::{
    config::{Rate, Server},
    sources::Registry,
};

/// How many requests a forged one counts as.
const FORGERY: usize = 10;
/// How many times the rate may come at once.
const BURST: u32 = 10;
/// How often to forget.
const FORGET: Duration = Duration::from_secs(1);

/// The limits of one server.
pub(super) struct Limits {
    clients: Limit<Client>,
    sources: Limit<String>,
    visitors: HashMap<String, Limit<Client>>,
}

impl Limits {
    pub(super) fn new(config: &Server, registry: &Registry) -> Self {
        let visitors = registry.webhooks().filter_map(|(id, source)| Some((id.to_owned(), source.client_rate()?)));
        Self {
            clients: Limit::new(config.ip_rate, BURST),
            sources: Limit::new(config.source_rate, BURST),
            visitors: visitors.map(|(id, rate)| (id, Limit::new(Some(rate), 1))).collect(),
        }
    }

    /// Counts a request. If it is one too many: how long to wait.
    pub(super) fn request(&self, client: Client) -> Result<(), Duration> {
        self.clients.count(&client)
    }

    /// Counts a request again that was not authentic.
    pub(super) fn forgery(&self, client: Client) {
        // One by one: what is left is taken even if it is not enough.
        for _ in 1..FORGERY {
            if self.clients.count(&client).is_err() {
                break;
            }
        }
    }

    /// Counts an authentic delivery.
    pub(super) fn delivery(&self, source: &str) -> Result<(), Duration> {
        if self.sources.0.is_none() { Ok(()) } else { self.sources.count(&source.to_owned()) }
    }

    /// Counts an authentic delivery of a visitor.
    pub(super) fn visit(&self, source: &str, client: Option<Client>) -> Result<(), Duration> {
        let limit = self.visitors.get(source).zip(client);
        limit.map_or(Ok(()), |(limit, client)| limit.count(&client))
    }

    /// Forgets what no longer counts, again and again.
    pub(super) async fn keep_small(&self) {
        loop {
            tokio::time::sleep(FORGET).await;
            self.clients.forget();
            self.sources.forget();
            self.visitors.values().for_each(Limit::forget);
        }
    }
}

/// A limit by key, if there is one.
struct Limit<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(rate: Option<Rate>, burst: u32) -> Self {
        let quota = rate.and_then(|rate| {
            let burst = rate.count.saturating_mul(burst.try_into().ok()?);
            Some(Quota::with_period(rate.per / rate.count.get())?.allow_burst(burst))
        });
        Self(quota.map(RateLimiter::keyed))
    }

    fn count(&self, key: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|until| until.wait_time_from(limiter.clock().now()))
    }

    fn forget(&self) {
        if let Some(limiter) = self.0.as_ref().filter(|limiter| !limiter.is_empty()) {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        num::NonZeroU32,
    };

    use axum::http::HeaderMap;

    use super::{super::client::Proxies, *};
    use crate::sources::{Tokens, open_all};

    fn client(number: u32) -> Client {
        let address = IpAddr::V4(Ipv4Addr::from_bits(number));
        Proxies::new(Vec::new()).client(address, &HeaderMap::new()).expect("nobody is trusted")
    }

    fn none() -> Registry {
        open_all(&[], Tokens::default()).expect("no sources")
    }

    fn limits(rate: Option<u32>) -> Limits {
        // By the hour, so that the test's own time does not count.
        let rate = rate.and_then(NonZeroU32::new).map(|count| Rate { count, per: Duration::from_secs(3_600) });
        Limits::new(&Server { ip_rate: rate, source_rate: rate, ..Server::default() }, &none())
    }

    #[test]
    fn each_client_has_its_own_budget_and_forgeries_cost_more() {
        let limits = limits(Some(2));
        assert_eq!((0..20).filter(|_| limits.request(client(1)).is_ok()).count(), 20);
        let wait = limits.request(client(1)).expect_err("one too many");
        assert!((1_790..=1_800).contains(&wait.as_secs()), "{wait:?}");
        assert!(limits.request(client(2)).is_ok());
        limits.forgery(client(2));
        assert_eq!((0..20).filter(|_| limits.request(client(2)).is_ok()).count(), 10);
        // What is left of a budget goes too.
        assert!(limits.request(client(3)).is_ok());
        limits.forgery(client(3));
        limits.forgery(client(3));
        limits.forgery(client(3));
        assert!(limits.request(client(3)).is_err());
    }

    #[test]
    fn each_source_has_its_own_budget() {
        let limits = limits(Some(1));
        assert_eq!((0..20).filter(|_| limits.delivery("web").is_ok()).count(), 10);
        assert!(limits.delivery("shop").is_ok());
    }

    #[test]
    fn off_is_off() {
        let limits = limits(None);
        assert!((0..100_000).all(|_| limits.request(client(1)).is_ok() && limits.delivery("web").is_ok()));
    }

    #[test]
    fn what_is_remembered_stays_small() {
        let limits = Limits::new(&Server::default(), &none());
        for number in 0..50_000 {
            assert!(limits.request(client(number)).is_ok());
        }
        std::thread::sleep(Duration::from_millis(50));
        limits.clients.forget();
        assert_eq!(limits.clients.0.expect("a limit").len(), 0);
    }
}
