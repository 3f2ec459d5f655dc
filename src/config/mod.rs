//! The configuration: one TOML file, checked as a whole, every problem with its line and a hint.
//!
//! One file per section holds its values, its defaults and its limits. `config.example.toml` documents every key; a
//! test keeps the two equal. Secrets are not in here, only where they are kept ([`SecretRef`](crate::secret::SecretRef)).
//! Reading is pure: no secret is opened and nothing is connected to.

mod duplicates;
#[cfg(test)]
mod example;
pub mod expect;
mod flags;
mod intake;
mod log;
mod mask;
mod odoo;
mod problem;
pub mod reader;
mod routing;
mod scoring;
mod secret_ref;
mod server;
mod sources;
mod store;
mod sync;
mod syntax;
#[cfg(test)]
mod tests;
mod units;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use self::{
    duplicates::{Duplicates, Verb},
    flags::{FlagAction, Flags},
    intake::Intake,
    log::{Log, LogFormat},
    odoo::{AddonChoice, Odoo, TransportChoice},
    problem::{Problem, Problems},
    reader::Reader,
    routing::{
        Answer as RoutingAnswer, Away, Hours, Routing, Rule as RoutingRule, Salesperson, Target as RoutingTarget,
    },
    scoring::{Learned, Scoring},
    server::Server,
    store::Store,
    sync::Sync,
    units::{DAY, HOUR, MINUTE, Rate, SECOND, parse_duration},
};
use crate::sources::{KINDS, Kind, SourceSpec};

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
    /// `[intake]`
    pub intake: Intake,
    /// `[flags]`
    pub flags: Flags,
    /// `[scoring]`
    pub scoring: Scoring,
    /// `[routing]`
    pub routing: Routing,
    /// `[log]`
    pub log: Log,
    /// `[sources.<id>]`, read by the file of their kind.
    pub sources: Vec<SourceSpec>,
    /// What deserves a look, to be logged at the start and shown by `check`.
    pub warnings: Problems,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file has problems: all of them, one below the other.
    #[error("{0}")]
    Invalid(Problems),
    /// The file is right, but secrets that it names cannot be read: one text for each.
    #[error("{}", .0.join("\n"))]
    Secrets(Vec<String>),
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Self::parse(&text, path)
    }

    /// Checks the content of the file at `path`, which is named in messages and from which relative paths start.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse_with(text, path, KINDS)
    }

    fn parse_with(text: &str, path: &Path, kinds: &[Kind]) -> Result<Self, ConfigError> {
        let (mut config, warnings) =
            reader::read(text, path, |file| Self::read(file, kinds)).map_err(ConfigError::Invalid)?;
        config.warnings = warnings;
        Ok(config)
    }

    fn read(mut file: Reader<'_>, kinds: &[Kind]) -> Option<Self> {
        let server = Server::read(file.table("server"));
        let store = Store::read(file.table("store"));
        let odoo = Odoo::read(file.table("odoo"));
        let sync = Sync::read(file.table("sync"));
        let mut intake = Intake::read(file.table("intake"));
        let flags = Flags::read(file.table("flags"));
        let scoring = Scoring::read(file.table("scoring"));
        let routing = Routing::read(file.table("routing"));
        let log = Log::read(file.table("log"));
        let sources = sources::read(file.table("sources"), kinds, &mut intake.countries);
        file.finish();
        Some(Self {
            server,
            store,
            odoo: odoo?,
            sync,
            intake,
            flags,
            scoring,
            routing,
            log,
            sources: sources?,
            warnings: Problems::default(),
        })
    }
}
