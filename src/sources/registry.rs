//! The sources that are open, by id.

use std::{collections::BTreeMap, sync::Arc};

use super::{Platform, Source, SourceSpec, Tokens, api::Api, file::File};
use crate::{config::Reader, secret::SecretError};

/// The id of the source behind `POST /api/odoo/leads`. It is always there and cannot be configured.
pub const API: &str = "api";

/// The id of the source behind `g-assistant push FILE`, also always there.
pub const FILE: &str = "file";

/// The id of a file's deliveries whose leads are those of a configured source. No id of a source has a colon.
pub fn file_of(source: &str) -> String {
    format!("{FILE}:{source}")
}

/// The source whose leads a delivery brings: references in Odoo start with it.
pub fn identity_of(id: &str) -> &str {
    id.strip_prefix(FILE).and_then(|id| id.strip_prefix(':')).unwrap_or(id)
}

/// Every source that can receive.
pub struct Registry {
    configured: BTreeMap<String, Box<dyn Source>>,
    api: Api,
}

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
pub fn open_all(specs: &[SourceSpec], tokens: Tokens) -> Result<Registry, OpenError> {
    let mut configured = BTreeMap::new();
    for spec in specs {
        let source = spec.setup.open().map_err(|cause| OpenError { source_id: spec.id.clone(), cause })?;
        configured.insert(spec.id.clone(), source);
    }
    Ok(Registry { configured, api: Api::new(tokens) })
}

impl Registry {
    /// The source of a stored delivery: a configured one or one of the daemon's own.
    pub fn get(&self, id: &str) -> Option<&dyn Source> {
        match id {
            API => Some(&self.api),
            FILE => Some(&File),
            _ if identity_of(id) != id => Some(&File),
            _ => self.webhook(id),
        }
    }

    /// A configured source, which takes webhooks.
    pub fn webhook(&self, id: &str) -> Option<&dyn Source> {
        self.configured.get(id).map(Box::as_ref)
    }

    /// Those that send only ids, by their ids, with the platforms to ask.
    pub fn platforms(&self) -> impl Iterator<Item = (&str, Arc<dyn Platform>)> {
        self.configured.iter().filter_map(|(id, source)| Some((id.as_str(), source.platform()?)))
    }

    /// Every configured source.
    pub fn webhooks(&self) -> impl Iterator<Item = (&str, &dyn Source)> {
        self.configured.iter().map(|(id, source)| (id.as_str(), source.as_ref()))
    }

    /// The API's own source.
    pub fn api(&self) -> &dyn Source {
        &self.api
    }

    /// The tokens that open the API.
    pub fn tokens(&self) -> &Tokens {
        self.api.tokens()
    }
}

/// Reports an id that is taken.
pub(super) fn check_id(id: &str, section: &Reader<'_>) {
    if [API, FILE].contains(&id) {
        let hint = "choose another id: this one is the daemon's own".to_owned();
        section.problem("", "is a reserved id", Some(hint));
    }
}
