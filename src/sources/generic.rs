//! Kind `generic`: any signed sender. The body is the documented one, or other JSON with a `map`.

use chrono::{DateTime, Utc};

use super::{
    Content, Inbound, ParseError, Parsed, Refusal, Source, SourceKind, SourceSpec, Verified, body,
    json::{self, Node, Notes},
    map::LeadMap,
    registry::check_id,
    standard_webhooks::{self, Verifier},
};
use crate::{
    config::{
        Reader,
        expect::{list, string},
    },
    domain::Draft,
    secret::{SecretError, SecretRef},
};

const NAME: &str = "generic";

pub(super) struct Kind;

impl SourceKind for Kind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, id: &str, mut section: Reader<'_>) -> Option<Box<dyn SourceSpec>> {
        check_id(id, &section);
        let signature = standard_webhooks::Spec::read(&mut section);
        let map = LeadMap::read(section.table("map"));
        let defaults = Defaults::read(section.table("defaults"));
        section.finish();
        Some(Box::new(Spec { id: id.to_owned(), signature: signature?, map, defaults }))
    }
}

/// What leads and orders get where their body says nothing.
#[derive(Debug, Clone, Default)]
struct Defaults {
    source: Option<String>,
    medium: Option<String>,
    campaign: Option<String>,
    team: Option<String>,
    /// Of leads only.
    country: Option<String>,
    tags: Vec<String>,
}

impl Defaults {
    fn read(mut section: Reader<'_>) -> Self {
        let country = string()
            .example("\"SA\"")
            .try_map(|code| body::lead::country(&code).ok_or("is not an ISO code of two letters"));
        let defaults = Self {
            source: section.optional("source", string().example("\"Website\"")),
            medium: section.optional("medium", string().example("\"Form\"")),
            campaign: section.optional("campaign", string()),
            team: section.optional("team", string()),
            country: section.optional("country", country),
            tags: section.or("tags", list(string()), Vec::new()),
        };
        section.finish();
        defaults
    }

    fn fill(&self, draft: &mut Draft) {
        let fill = |field: &mut Option<String>, default: &Option<String>| {
            if field.is_none() {
                field.clone_from(default);
            }
        };
        let (source, medium, campaign, team, tags) = match draft {
            Draft::Lead(lead) => {
                fill(&mut lead.country, &self.country);
                (&mut lead.source, &mut lead.medium, &mut lead.campaign, &mut lead.team, &mut lead.tags)
            }
            Draft::Order(order) => {
                (&mut order.source, &mut order.medium, &mut order.campaign, &mut order.team, &mut order.tags)
            }
        };
        fill(source, &self.source);
        fill(medium, &self.medium);
        fill(campaign, &self.campaign);
        fill(team, &self.team);
        if tags.is_empty() {
            tags.clone_from(&self.tags);
        }
    }
}

#[derive(Debug)]
struct Spec {
    id: String,
    signature: standard_webhooks::Spec,
    map: Option<LeadMap>,
    defaults: Defaults,
}

impl SourceSpec for Spec {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &'static str {
        NAME
    }

    fn secrets(&self) -> Vec<&SecretRef> {
        self.signature.secrets.iter().collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let (id, map, defaults) = (self.id.clone(), self.map.clone(), self.defaults.clone());
        Ok(Box::new(Generic { id, verifier: self.signature.open()?, map, defaults }))
    }
}

struct Generic {
    id: String,
    verifier: Verifier,
    map: Option<LeadMap>,
    defaults: Defaults,
}

impl Source for Generic {
    fn id(&self) -> &str {
        &self.id
    }

    fn verify(&self, request: Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
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
    let notes = Notes::default();
    let body = json::parse(body, &notes)?;
    let root = Node::root(&body, &notes);
    let mut drafts = match map {
        Some(map) => map.leads(&root)?.into_iter().map(Draft::Lead).collect(),
        None => body::read(&root)?,
    };
    drafts.iter_mut().for_each(|draft| defaults.fill(draft));
    Ok(Parsed { content: Content::Drafts(drafts), warnings: notes.into_list() })
}

#[cfg(test)]
mod tests;
