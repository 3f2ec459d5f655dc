//! `[server]`: where the daemon listens, and what it allows a client.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    HOUR, MINUTE, Reader, SECOND,
    expect::{duration, integer, list, secret, size, socket_addr},
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
    /// How long a client may take for its headers.
    pub header_timeout: Duration,
    /// How long a request may take as a whole.
    pub request_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8077)),
            tokens: Vec::new(),
            body_limit: 1_000_000,
            max_connections: 1024,
            header_timeout: 5 * SECOND,
            request_timeout: 30 * SECOND,
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
            header_timeout: section.or("header_timeout", duration(SECOND..=5 * MINUTE), default.header_timeout),
            request_timeout: section.or("request_timeout", duration(SECOND..=HOUR), default.request_timeout),
        };
        section.finish();
        server
    }
}
