//! Kind `odoo`: batches of changes that the addon posts (`docs/BRIDGE.md`).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    Content, Inbound, ParseError, Parsed, Refusal, Setup, Source, Verified,
    json::{self, Node},
    standard_webhooks::{self, Verifier},
};
use crate::{
    config::Reader,
    domain::{Change, ChangeBatch},
    secret::{SecretError, SecretRef},
};

/// More than the addon sends in one batch.
const MAX_EVENTS: usize = 1_000;

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    Some(Box::new(Spec(standard_webhooks::Spec::read(section)?)))
}

#[derive(Debug)]
struct Spec(standard_webhooks::Spec);

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.0.secrets()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        Ok(Box::new(Odoo(self.0.open()?)))
    }
}

struct Odoo(Verifier);

impl Source for Odoo {
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.0.verify(request, now)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let mut object = root.object()?;
            let missing = |field| root.invalid(format!("`{field}` is missing"));
            let database = object.name("database", 100)?.ok_or_else(|| missing("database"))?;
            let events = object.get("events").ok_or_else(|| missing("events"))?.items(MAX_EVENTS)?;
            // Event by event, so that an error says which one. Unknown fields are those of a newer addon.
            let change = |node: &Node<'_>| Change::deserialize(node.value).map_err(|e| node.invalid(e.to_string()));
            let events = events.iter().map(change).collect::<Result<_, _>>()?;
            let wishes = object.get("wishes").is_some_and(|node| *node.value == true);
            Ok(Content::Changes(ChangeBatch { database: Some(database), events, wishes }))
        })
    }

    fn sender_keeps(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn parse(body: &Value) -> Result<Parsed, ParseError> {
        let verifier = Verifier::new(Vec::new(), Duration::ZERO);
        Odoo(verifier).parse(&serde_json::to_vec(body).expect("JSON"))
    }

    fn event(id: &str) -> Value {
        json!({
            "id": id, "seq": 1234, "event": "lead.won", "timestamp": "2026-11-21T10:00:00Z", "model": "crm.lead",
            "record_id": 12, "operation": null, "data": {"id": 12, "name": "Fleet", "stage_id": 4},
            "names": {"crm.stage": {"4": "Won"}}, "changes": {"stage_id": {"old": 1, "new": 4}},
            "user": {"id": 2, "name": "Sara"}, "company": {"id": 1, "name": "Acme"}, "database": "d-1", "later": [1]
        })
    }

    #[test]
    fn a_batch_of_the_protocol_is_read() {
        let parsed = parse(&json!({"database": "d-1", "events": [event("a"), event("b")]})).expect("understood");
        let Content::Changes(batch) = parsed.content else { panic!("changes") };
        assert_eq!((batch.database.as_deref(), batch.events.len()), (Some("d-1"), 2));
        let change = &batch.events[1];
        assert_eq!((change.id.as_str(), change.record_id, change.names["crm.stage"][&4].as_str()), ("b", 12, "Won"));
        assert_eq!(change.changes["stage_id"].new, 4);
    }

    #[test]
    fn a_connection_test_is_a_batch_without_events() {
        let parsed = parse(&json!({"database": "d-1", "events": [], "addon": "2.0"})).expect("understood");
        let batch = ChangeBatch { database: Some("d-1".to_owned()), events: Vec::new(), wishes: false };
        assert_eq!(parsed, Parsed { content: Content::Changes(batch), warnings: Vec::new() });
    }

    #[test]
    fn errors_say_which_event() {
        let mut bad = event("b");
        bad["record_id"] = json!("12");
        for (body, expected) in [
            (json!({"database": "d-1"}), "body: `events` is missing"),
            (json!({"events": []}), "body: `database` is missing"),
            (json!({"database": 5, "events": []}), "/database: expected a string, got a number"),
            (json!({"database": "d-1", "events": {}}), "/events: expected a list, got an object"),
            (
                json!({"database": "d-1", "events": [event("a"), bad]}),
                "/events/1: invalid type: string \"12\", expected i64",
            ),
        ] {
            assert_eq!(parse(&body).expect_err("refused").to_string(), expected);
        }
    }
}
