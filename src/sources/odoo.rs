//! Kind `odoo`: batches of changes that the addon posts (`docs/BRIDGE.md`).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    Content, Inbound, ParseError, Parsed, Refusal, Source, SourceKind, SourceSpec, Verified,
    json::{self, Node, Notes},
    registry::check_id,
    standard_webhooks::{self, Verifier},
};
use crate::{
    config::Reader,
    domain::{Change, ChangeBatch},
    secret::{SecretError, SecretRef},
};

const NAME: &str = "odoo";
/// More than the addon sends in one batch.
const MAX_EVENTS: usize = 1_000;

pub(super) struct Kind;

impl SourceKind for Kind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(&self, id: &str, mut section: Reader<'_>) -> Option<Box<dyn SourceSpec>> {
        check_id(id, &section);
        let signature = standard_webhooks::Spec::read(&mut section);
        section.finish();
        Some(Box::new(Spec { id: id.to_owned(), signature: signature? }))
    }
}

#[derive(Debug)]
struct Spec {
    id: String,
    signature: standard_webhooks::Spec,
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
        Ok(Box::new(Odoo { id: self.id.clone(), verifier: self.signature.open()? }))
    }
}

struct Odoo {
    id: String,
    verifier: Verifier,
}

impl Source for Odoo {
    fn id(&self) -> &str {
        &self.id
    }

    fn verify(&self, request: Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.verifier.verify(request, now)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        let (body, notes) = (json::parse(body)?, Notes::default());
        let mut object = Node::root(&body, &notes).object()?;
        let database = object.name("database", 100)?;
        let missing = object.node().invalid("`events` is missing");
        let events = object.get("events").ok_or(missing)?.items(MAX_EVENTS)?;
        // Event by event, so that an error says which one. Unknown fields are those of a newer addon.
        let events = events.iter().map(|node| Change::deserialize(node.value).map_err(|e| node.invalid(e.to_string())));
        let batch = ChangeBatch { database, events: events.collect::<Result<_, _>>()? };
        Ok(Parsed { content: Content::Changes(batch), warnings: notes.into_list() })
    }

    fn sender_keeps(&self) -> bool {
        true
    }
}
