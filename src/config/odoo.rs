//! `[odoo]`: the server to work with, as whom, and how.

use std::time::Duration;

use url::{Host, Url};

use super::{
    HOUR, Reader, SECOND,
    expect::{Expect, duration, integer, list, one_of, secret, string, url},
};
use crate::secret::SecretRef;

/// Which transport to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportChoice {
    /// `/json/2` on 19 and later if the secret is an API key, else XML-RPC.
    Auto,
    /// `/xmlrpc/2`.
    Xmlrpc,
    /// `/json/2`.
    Json2,
}

/// Whether to use the addon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddonChoice {
    /// If it is installed.
    Auto,
    /// Refuse to start without it.
    Required,
    /// Do as if it were not there.
    Off,
}

/// `[odoo]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odoo {
    /// The server's base URL.
    pub url: Url,
    /// Database name.
    pub database: String,
    /// Login of the daemon's user.
    pub login: String,
    /// Its API key (or password).
    pub secret: SecretRef,
    /// `transport`
    pub transport: TransportChoice,
    /// `addon`
    pub addon: AddonChoice,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Operations per call.
    pub batch: usize,
    /// Work in this company; the user's default company when absent.
    pub company: Option<i64>,
    /// Fields of `crm.lead` that the daemon owns: written whatever a person changed.
    pub owned_lead_fields: Vec<String>,
    /// The same for `sale.order`.
    pub owned_order_fields: Vec<String>,
}

impl Odoo {
    pub(super) fn read(mut section: Reader<'_>) -> Option<Self> {
        let transports =
            [("auto", TransportChoice::Auto), ("xmlrpc", TransportChoice::Xmlrpc), ("json2", TransportChoice::Json2)];
        let addons = [("auto", AddonChoice::Auto), ("required", AddonChoice::Required), ("off", AddonChoice::Off)];

        let url = section.required("url", url().try_map(base));
        let database = section.required("database", string().example("\"production\""));
        let login = section.required("login", string().example("\"g-assistant\""));
        let secret = section.required("secret", secret().example("{ credential = \"odoo\" }"));
        let transport = section.or("transport", one_of(transports), TransportChoice::Auto);
        let addon = section.or("addon", one_of(addons), AddonChoice::Auto);
        let timeout = section.or("timeout", duration(SECOND..=HOUR), 150 * SECOND);
        let batch = section.or("batch", integer(1..=500), 200);
        let company = section.optional("company", integer(1..=i64::from(i32::MAX)));
        let owned_lead_fields = section.or("owned_lead_fields", list(field()), Vec::new());
        let owned_order_fields = section.or("owned_order_fields", list(field()), Vec::new());

        if url.as_ref().is_some_and(sends_in_clear) {
            let hint = "use `https://`, unless the network between the daemon and Odoo is private";
            section.warning("url", "the secret is sent over the network in clear", Some(hint.to_owned()));
        }
        section.finish();
        Some(Self {
            url: url?,
            database: database?,
            login: login?,
            secret: secret?,
            transport,
            addon,
            timeout,
            batch,
            company,
            owned_lead_fields,
            owned_order_fields,
        })
    }
}

/// Odoo answers at the root of its host, whatever page the address was copied from.
fn base(url: Url) -> Result<Url, &'static str> {
    if url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
        Ok(url)
    } else {
        Err("the URL must end after the host, without a path such as `/odoo` or `/web`")
    }
}

fn sends_in_clear(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && !local
}

fn field() -> Expect<String> {
    string().example("\"x_lead_grade\"").try_map(|name: String| {
        let plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if plain { Ok(name) } else { Err("expected the technical name of a field") }
    })
}
