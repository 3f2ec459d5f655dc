//! Whose request it is, as far as limits go.
//!
//! A client is an IPv4 address, or the /64 of an IPv6 one: the rest of it is the client's to choose. Behind a web
//! server all requests come from that server, so its `X-Forwarded-For` is believed, from the right: each server
//! appends who asked it, and what stands left of the first stranger is the stranger's own word.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What limits are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    fn at(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        })
    }
}

/// The web servers whose word is believed.
#[derive(Debug, Clone)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(super) fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }

    /// The client at the other end of a connection; `None` if it is one of these servers.
    pub(super) fn direct(&self, peer: IpAddr) -> Option<Client> {
        let peer = peer.to_canonical();
        let trusted = self.0.iter().any(|network| network.contains(&peer));
        (!trusted).then(|| Client::at(peer))
    }

    /// The client that made a request; `None` if these servers name nobody.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Client> {
        if let Some(stranger) = self.direct(peer) {
            return Some(stranger);
        }
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
                // A server that writes something else has no client to tell: then it is counted itself.
                let Some(address) = address(entry) else { return Some(Client::at(peer)) };
                if let Some(stranger) = self.direct(address) {
                    return Some(stranger);
                }
            }
        }
        None
    }
}

/// `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`, with or without a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::Server;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn client(peer: &str, forwarded: &[&str]) -> Option<IpAddr> {
        let header = |text: &&str| (FORWARDED_FOR, HeaderValue::from_str(text).expect("a value"));
        let mut trusted = Server::default().trusted_proxies;
        trusted.push("10.1.0.0/16".parse().expect("a network"));
        let headers: HeaderMap = forwarded.iter().map(header).collect();
        Proxies::new(trusted).client(ip(peer), &headers).map(|client| client.0)
    }

    #[test]
    fn only_trusted_servers_name_clients() {
        let stranger = Some(ip("203.0.113.9"));
        for (peer, forwarded, expected) in [
            // Nobody but a trusted server is believed.
            ("203.0.113.9", &[][..], stranger),
            ("203.0.113.9", &["198.51.100.1"], stranger),
            ("203.0.113.9", &["127.0.0.1"], stranger),
            ("::ffff:203.0.113.9", &["127.0.0.1"], stranger),
            // The last stranger counts, whatever that stranger said of others.
            ("127.0.0.1", &["203.0.113.9"], stranger),
            ("127.0.0.1", &["198.51.100.1, 203.0.113.9"], stranger),
            ("127.0.0.1", &["198.51.100.1", "127.0.0.1,203.0.113.9"], stranger),
            ("::1", &["garbage, 203.0.113.9:4711"], stranger),
            ("10.1.2.3", &["203.0.113.9, 10.1.9.9", " 127.0.0.1 "], stranger),
            ("::ffff:127.0.0.1", &["::ffff:203.0.113.9"], stranger),
            ("127.0.0.1", &["[2001:db8:1:2:3:4:5:6]:443"], Some(ip("2001:db8:1:2::"))),
            ("127.0.0.1", &["2001:db8:1:2:ffff::1"], Some(ip("2001:db8:1:2::"))),
            ("2001:db8:1:2:ffff::1", &[], Some(ip("2001:db8:1:2::"))),
            // Without a name, or without a readable one.
            ("127.0.0.1", &[], None),
            ("127.0.0.1", &["127.0.0.1, 10.1.0.1"], None),
            ("127.0.0.1", &["203.0.113.9, unknown"], Some(ip("127.0.0.1"))),
            ("127.0.0.1", &[""], Some(ip("127.0.0.1"))),
        ] {
            assert_eq!(client(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
