//! Kind `generic`: any signed sender. The body is the documented one, or other JSON with a `map`.

use chrono::{DateTime, Utc};

use super::{
    Inbound, ParseError, Parsed, Refusal, Setup, Source, Verified, body,
    defaults::Defaults,
    json,
    map::LeadMap,
    standard_webhooks::{self, Verifier},
};
use crate::{
    config::Reader,
    domain::Draft,
    secret::{SecretError, SecretRef},
};

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let signature = standard_webhooks::Spec::read(section);
    let map = LeadMap::read(section.table("map"));
    let defaults = Defaults::read(section.table("defaults"));
    Some(Box::new(Spec { signature: signature?, map, defaults }))
}

#[derive(Debug)]
struct Spec {
    signature: standard_webhooks::Spec,
    map: Option<LeadMap>,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.signature.secrets()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let (map, defaults) = (self.map.clone(), self.defaults.clone());
        Ok(Box::new(Generic { verifier: self.signature.open()?, map, defaults }))
    }
}

struct Generic {
    verifier: Verifier,
    map: Option<LeadMap>,
    defaults: Defaults,
}

impl Source for Generic {
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.verifier.verify(request, now)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        parse(body, self.map.as_ref(), &self.defaults)
    }
}

/// Reads a documented body as it is.
pub(super) fn parse_documented(body: &[u8]) -> Result<Parsed, ParseError> {
    parse(body, None, &Defaults::default())
}

fn parse(body: &[u8], map: Option<&LeadMap>, defaults: &Defaults) -> Result<Parsed, ParseError> {
    json::read(body, |root| {
        let drafts = match map {
            Some(map) => map.leads(root)?.into_iter().map(Draft::Lead).collect(),
            None => body::read(root)?,
        };
        Ok(defaults.content(drafts))
    })
}

#[cfg(test)]
mod tests;
