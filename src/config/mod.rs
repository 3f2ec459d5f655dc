//! The configuration: one TOML file, checked whole, every problem with its line and a hint. (skeleton)

pub mod expect;
mod mask;
mod problem;
pub mod reader;
mod secret_ref;
mod syntax;
mod units;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use url::Url;

use crate::secret::SecretRef;
pub use problem::{Problem, Problems};
pub use reader::Reader;

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[odoo]`
    pub odoo: Odoo,
    /// `[sync]`
    pub sync: Sync,
    /// `[log]`
    pub log: Log,
    /// `[sources.<id>]`, read by the file of their kind.
    pub sources: Vec<Box<dyn crate::sources::SourceSpec>>,
}

/// `[server]`
#[derive(Debug, Clone)]
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

/// `[store]`
#[derive(Debug, Clone)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// Done jobs, attempts, changes and the bodies of deliveries are deleted after this time.
    pub retention: Duration,
    /// How long the key of a delivery is remembered to recognise a replay.
    pub replay_memory: Duration,
    /// Most jobs that may wait; beyond it the webhooks answer 503.
    pub max_queued: u64,
}

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
#[derive(Debug, Clone)]
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

/// `[sync]`
#[derive(Debug, Clone)]
pub struct Sync {
    /// How often to ask for undelivered events (with the addon) or changed records (without).
    pub poll_interval: Duration,
    /// Without the addon: how far each poll looks back; longer than the longest transaction.
    pub overlap: Duration,
    /// How often to compare the whole mirror with Odoo.
    pub sweep_interval: Duration,
    /// Records per page.
    pub page: u32,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `journald` under systemd, `human` on a terminal, else `json`.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
    /// The native journal protocol.
    Journald,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// A `tracing` filter such as `info` or `g_assistant=debug`.
    pub level: String,
    /// `format`
    pub format: LogFormat,
}
