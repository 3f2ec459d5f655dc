//! The sources that are open, by id.

use std::collections::BTreeMap;

use super::{Source, SourceSpec, Tokens, api::Api, file::File};
use crate::{config::Reader, secret::SecretError};

/// The id of the source behind `POST /api/odoo/leads`. It is always there and cannot be configured.
pub const API: &str = "api";

/// The id of the source behind `g-assistant push FILE`, also always there.
pub const FILE: &str = "file";

/// Every source that can receive.
pub struct Registry(BTreeMap<String, Box<dyn Source>>);

/// A source that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("source `{source_id}` cannot be opened: {cause}")]
pub struct OpenError {
    /// Its id.
    pub source_id: String,
    /// Why.
    #[source]
    pub cause: SecretError,
}

/// Opens the configured sources and the API's own, which trusts `tokens`.
pub fn open_all(specs: &[Box<dyn SourceSpec>], tokens: Tokens) -> Result<Registry, OpenError> {
    let api: Box<dyn Source> = Box::new(Api::new(tokens));
    let file: Box<dyn Source> = Box::new(File);
    let mut sources = BTreeMap::from([(API.to_owned(), api), (FILE.to_owned(), file)]);
    for spec in specs {
        let source = spec.open().map_err(|cause| OpenError { source_id: spec.id().to_owned(), cause })?;
        sources.insert(spec.id().to_owned(), source);
    }
    Ok(Registry(sources))
}

impl Registry {
    /// The configured source of this id, which takes webhooks.
    pub fn webhook(&self, id: &str) -> Option<&dyn Source> {
        self.get(id).filter(|source| ![API, FILE].contains(&source.id()))
    }

    /// The source of this id.
    pub fn get(&self, id: &str) -> Option<&dyn Source> {
        self.0.get(id).map(Box::as_ref)
    }

    /// The ids of all sources.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Reports an id that is taken.
pub(super) fn check_id(id: &str, section: &Reader<'_>) {
    if [API, FILE].contains(&id) {
        let hint = "choose another id: this one is the daemon's own".to_owned();
        section.problem("", "is a reserved id", Some(hint));
    }
}
