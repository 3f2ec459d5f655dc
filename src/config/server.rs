//! `[server]`: where the daemon listens, and what it allows a client.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};

use super::{
    HOUR, MINUTE, Rate, Reader, SECOND,
    expect::{duration, integer, list, network, rate, secret, size, socket_addr},
};
use crate::secret::SecretRef;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Tokens that open the read API and `POST /api/odoo/leads`; several for rotation. None: those paths answer 403.
    pub tokens: Vec<SecretRef>,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most connections of one client.
    pub max_connections_per_ip: usize,
    /// How long a client may take for its headers, and leave a connection idle.
    pub header_timeout: Duration,
    /// How long a client may take for its body.
    pub body_timeout: Duration,
    /// How long a request may take as a whole.
    pub request_timeout: Duration,
    /// How many requests a client may make; `None` for any number.
    pub ip_rate: Option<Rate>,
    /// How many authentic deliveries a source may make; `None` for any number.
    pub source_rate: Option<Rate>,
    /// Whose word is believed about the address of a client.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8077)),
            tokens: Vec::new(),
            body_limit: 1_000_000,
            max_connections: 1024,
            max_connections_per_ip: 128,
            header_timeout: 5 * SECOND,
            body_timeout: 10 * SECOND,
            request_timeout: 30 * SECOND,
            ip_rate: NonZeroU32::new(100).map(Rate::per_second),
            source_rate: NonZeroU32::new(500).map(Rate::per_second),
            trusted_proxies: vec![
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
                IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ],
        }
    }
}

impl Server {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let body_limit = size(1_000..=100_000_000).try_map(usize::try_from).example("\"1 MB\"");
        let server = Self {
            listen: section.or("listen", socket_addr(), default.listen),
            tokens: section.or("tokens", list(secret()), default.tokens),
            body_limit: section.or("body_limit", body_limit, default.body_limit),
            max_connections: section.or("max_connections", integer(1..=100_000), default.max_connections),
            max_connections_per_ip: section.or(
                "max_connections_per_ip",
                integer(1..=100_000),
                default.max_connections_per_ip,
            ),
            header_timeout: section.or("header_timeout", duration(SECOND..=5 * MINUTE), default.header_timeout),
            body_timeout: section.or("body_timeout", duration(SECOND..=HOUR), default.body_timeout),
            request_timeout: section.or("request_timeout", duration(SECOND..=HOUR), default.request_timeout),
            ip_rate: section.or("ip_rate", rate(), default.ip_rate),
            source_rate: section.or("source_rate", rate(), default.source_rate),
            trusted_proxies: section.or("trusted_proxies", list(network()), default.trusted_proxies),
        };
        section.finish();
        server
    }
}
