//! The one way in which the daemon makes HTTP clients.

use std::time::Duration;

use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client for the server at `base`.
///
/// - Connecting takes at most 5 seconds; each request sets its own limit for the whole.
/// - Redirects are not followed: a moved server must not receive credentials meant for another.
/// - A loopback address is never reached through a proxy, whatever the environment says.
pub fn client(base: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("g-assistant/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(base) { builder.no_proxy() } else { builder }.build()
}

/// Whether this machine is meant.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised() {
        for (url, expected) in [
            ("http://localhost:8069", true),
            ("http://odoo.localhost/", true),
            ("http://127.0.0.2:8069", true),
            ("http://[::1]:8069", true),
            ("https://odoo.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }
}
