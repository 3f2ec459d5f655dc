//! `docs/lead-schema.json`, made from the types, and held against what is read.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use super::read;
use crate::{
    domain::{Draft, LeadDraft},
    sources::{Content, json::read as read_body},
};

/// The schema of a lead as it is sent. The type says nearly all of it.
fn schema() -> Value {
    let mut schema = schemars::schema_for!(LeadDraft).to_value();
    schema["title"] = json!("Lead");
    schema["description"] =
        json!("A lead as a source sends it: docs/lead-schema.md. Unknown fields are kept as answers.");
    let properties = &mut schema["properties"];
    // Ids and what is made of digits may be sent as whole numbers.
    for key in ["external_id", "phone", "zip"] {
        properties[key]["type"] = json!(["string", "integer", "null"]);
    }
    properties["priority"]["maximum"] = json!(3);
    properties["answers"] = json!({
        "description": properties["answers"]["description"],
        "oneOf": [
            {"type": "object"},
            {"type": "array", "items": {
                "type": "object", "properties": {"question": {"type": "string"}, "answer": true},
                "required": ["question", "answer"]
            }},
            {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2}}
        ]
    });
    schema["anyOf"] =
        ["name", "contact_name", "company", "email", "phone"].iter().map(|key| json!({"required": [key]})).collect();
    schema
}

#[test]
fn the_documented_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lead-schema.json");
    let made = format!("{:#}\n", schema());
    if env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/lead-schema.json is out of date: UPDATE_SCHEMA=1 cargo test --lib schema");
}

/// Every property of the schema is read, and none is missing in it.
#[test]
fn every_property_is_read() {
    let lead: Value = serde_json::from_str(
        r#"{
        "external_id": 7, "name": "a", "contact_name": "b", "company": "c", "email": "d@x.sa", "phone": "1",
        "website": "w", "job_title": "j", "street": "s", "city": "c", "zip": "1", "country": "SA", "language": "ar",
        "message": "m", "expected_revenue": 1.5, "priority": 1, "source": "s", "medium": "m", "campaign": "c",
        "referred": "r", "tags": ["t"], "team": "t", "salesperson": "s", "answers": [["q", "a"]],
        "submitted_at": "2026-11-20T10:00:00Z", "other_emails": ["e@x.sa"], "other_phones": [2],
        "utm_content": "uc", "utm_term": "ut",
        "origin": {
            "platform": "p", "lead_id": 74, "form_id": "f", "form_name": "fn", "account_id": "a", "campaign_id": "c",
            "campaign_name": "cn", "adset_id": "as", "adset_name": "an", "ad_id": "ad", "ad_name": "adn", "page_id": "p",
            "page_name": "pn", "click_ids": {"gclid": "g"}, "url": "https://example.com/"
        },
        "consent": [{"text": "May we call?", "given": true}], "test": true
    }"#,
    )
    .expect("JSON");
    let keys = |value: &Value| {
        let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    let schema = schema();
    assert_eq!(keys(&schema["properties"]), keys(&lead));
    assert_eq!(keys(&schema["$defs"]["Origin"]["properties"]), keys(&lead["origin"]));
    let body = json!({"lead": lead}).to_string();
    let parsed = read_body(body.as_bytes(), |root| read(root).map(Content::Drafts)).expect("a lead");
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let Content::Drafts(drafts) = parsed.content else { panic!("leads") };
    let Draft::Lead(draft) = &drafts[0] else { panic!("a lead") };
    // Nothing that was sent is lost, and what is read can be sent again.
    let again = serde_json::to_value(draft).expect("JSON");
    for key in keys(&lead) {
        let sent = match key.as_str() {
            "external_id" => json!("7"),
            "other_phones" => json!(["2"]),
            "origin" => {
                let mut origin = lead["origin"].clone();
                origin["lead_id"] = json!("74");
                origin
            }
            key => lead[key].clone(),
        };
        assert_eq!(again[&key], sent, "{key}");
    }
}
