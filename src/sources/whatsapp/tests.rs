//! The documented bodies, and bodies that nobody documented.

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::{
    domain::{Message, MessageDraft},
    sources::{Content, testing::open},
};

const SECTION: &str = "kind = \"whatsapp\"\napp_secret = { file = \"SECRET\" }\nverify_token = { file = \"SECRET\" }";

fn whatsapp() -> Box<dyn Source> {
    open(SECTION, "test_app_secret")
}

fn body(value: Value) -> Value {
    let mut value = value;
    value["metadata"] = json!({"display_phone_number": "966112345678", "phone_number_id": "106540352242922"});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "215589313241560883", "changes": [
        {"field": "messages", "value": value}]}]})
}

fn drafts(body: &Value) -> (Vec<Draft>, Vec<String>) {
    let parsed = whatsapp().parse(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"));
    let Content::Drafts(drafts) = parsed.content else { panic!("drafts") };
    (drafts, parsed.warnings)
}

fn messages(body: &Value) -> Vec<MessageDraft> {
    let message = |draft| if let Draft::Message(draft) = draft { *draft } else { panic!("a message: {draft:?}") };
    drafts(body).0.into_iter().map(message).collect()
}

/// What one message of Sara becomes.
fn one(message: Value) -> MessageDraft {
    let mut message = message;
    for (key, value) in [
        ("from", json!("966501234567")),
        ("from_user_id", json!("SA.13491208655302741918")),
        ("id", json!("wamid.1")),
        ("timestamp", json!("1763690000")),
    ] {
        message.as_object_mut().expect("an object").entry(key).or_insert(value);
    }
    let contact = json!({"profile": {"name": "Sara Ali", "username": "sara.ali"}, "wa_id": "966501234567",
                         "user_id": "SA.13491208655302741918"});
    let mut messages = messages(&body(json!({"contacts": [contact], "messages": [message]})));
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

fn said(message: Value) -> (String, String) {
    let Message { kind, text, .. } = one(message).message;
    (kind, text)
}

#[test]
fn a_documented_message() {
    let MessageDraft { lead, message, .. } =
        one(json!({"type": "text", "text": {"body": "السلام عليكم، كم سعر الفيلا؟"}}));
    assert_eq!(message.text, "السلام عليكم، كم سعر الفيلا؟");
    assert_eq!((message.kind.as_str(), message.id.as_str(), message.starts), ("text", "wamid.1", true));
    assert_eq!(message.account, "106540352242922");
    assert_eq!(message.people, ["SA.13491208655302741918", "966501234567"]);
    assert_eq!(message.phone.as_deref(), Some("+966501234567"));
    assert_eq!((message.name.as_deref(), message.username.as_deref()), (Some("Sara Ali"), Some("sara.ali")));
    assert_eq!(message.sent_at.timestamp(), 1_763_690_000);
    assert_eq!((lead.contact_name.as_deref(), lead.phone.as_deref()), (Some("Sara Ali"), Some("+966501234567")));
    assert_eq!((lead.source.as_deref(), lead.medium.as_deref()), (Some("WhatsApp"), Some("Message")));
    assert_eq!(lead.origin.platform.as_deref(), Some("whatsapp"));
}

#[test]
fn who_has_no_number_here_is_known_by_an_id() {
    let body = body(json!({
        "contacts": [{"profile": {"name": "Sara", "username": "sara.ali"}, "user_id": "SA.1"}],
        "messages": [{"from_user_id": "SA.1", "id": "wamid.2", "timestamp": "1763690100", "type": "text",
                      "text": {"body": "hi"}}]}));
    let MessageDraft { lead, message, .. } = messages(&body).remove(0);
    assert_eq!(message.people, ["SA.1"]);
    assert_eq!((message.phone, lead.phone), (None, None));
    assert_eq!(lead.contact_name.as_deref(), Some("Sara"));
    // Nobody at all: nothing that could be kept.
    let (none, warnings) = drafts(&super::tests::body(json!({"messages": [{"id": "wamid.3", "type": "text"}]})));
    assert!(none.is_empty());
    assert!(warnings[0].contains("no id or no sender"), "{warnings:?}");
}

#[test]
fn an_ad_fills_the_origin() {
    let referral = json!({"source_url": "https://fb.me/abc123", "source_id": "120210000000000001", "source_type": "ad",
                          "headline": "Villas in Riyadh", "body": "Chat with us", "media_type": "image",
                          "ctwa_clid": "ARinvented0click0id0-example_Zz9"});
    let lead = one(json!({"type": "text", "text": {"body": "I want details"}, "referral": referral})).lead;
    let origin = &lead.origin;
    assert_eq!(origin.ad_id.as_deref(), Some("120210000000000001"));
    assert_eq!(origin.ad_name.as_deref(), Some("Villas in Riyadh"));
    assert_eq!(origin.url.as_deref(), Some("https://fb.me/abc123"));
    assert_eq!(origin.click_ids["ctwa_clid"], "ARinvented0click0id0-example_Zz9");
    assert_eq!(lead.medium.as_deref(), Some("Paid social"));
    let post = json!({"source_id": "77", "source_type": "post", "headline": "Hello"});
    let lead = one(json!({"type": "text", "text": {"body": "x"}, "referral": post})).lead;
    assert_eq!((lead.origin.ad_id, lead.origin.ad_name, lead.medium.as_deref()), (None, None, Some("Message")));
    assert_eq!(lead.utm_content.as_deref(), Some("77"));
}

#[test]
fn every_kind_is_shown() {
    let map = "Riyadh\nKSA\nhttps://maps.google.com/?q=24.7136,46.6753";
    for (message, kind, text) in [
        (
            json!({"type": "location", "location": {"latitude": 24.7136, "longitude": 46.6753, "name": "Riyadh", "address": "KSA"}}),
            "location",
            map,
        ),
        (
            json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ali"}, "phones": [{"phone": "+966500000001"}]},
                                                 {"name": {"formatted_name": "Omar"}}]}),
            "contacts",
            "Ali, +966500000001\nOmar",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}}),
            "button",
            "Yes",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"title": "Tomorrow", "description": "10am"}}}),
            "button",
            "Tomorrow\n10am",
        ),
        (
            json!({"type": "button", "button": {"text": "Stop promotions", "payload": "STOP"}}),
            "button",
            "Stop promotions",
        ),
        (
            json!({"type": "order", "order": {"catalog_id": "1", "text": "soon", "product_items": [
            {"product_retailer_id": "sku1", "quantity": 2, "item_price": 10.0, "currency": "SAR"}]}}),
            "order",
            "soon\n2 × sku1 10.0 SAR",
        ),
        (
            json!({"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown",
            "error_data": {"details": "Message type is currently not supported."}}]}),
            "unsupported",
            "131051 Message type is currently not supported.",
        ),
        (json!({"type": "hologram", "hologram": {"a": 1}}), "unsupported", "hologram"),
        (json!({"type": "text"}), "unsupported", "text"),
        (json!({}), "unsupported", ""),
    ] {
        assert_eq!(said(message.clone()), (kind.to_owned(), text.to_owned()), "{message}");
    }
}

#[test]
fn pictures_and_files_are_named() {
    let document =
        json!({"id": "1003383421387258", "mime_type": "application/pdf", "filename": "plan.pdf", "caption": "see"});
    let message = one(json!({"type": "document", "document": document})).message;
    assert_eq!((message.kind.as_str(), message.text.as_str()), ("document", "see\nplan.pdf"));
    let media = Media {
        id: Some("1003383421387258".to_owned()),
        url: None,
        mime: Some("application/pdf".to_owned()),
        name: Some("plan.pdf".to_owned()),
    };
    assert_eq!(message.media, [media]);
    for kind in ["image", "video", "audio", "sticker"] {
        let message = one(json!({"type": kind, kind: {"id": "7", "url": "javascript:alert(1)"}})).message;
        assert_eq!((message.kind.as_str(), message.text.as_str()), (kind, ""));
        assert_eq!((message.media[0].id.as_deref(), &message.media[0].url), (Some("7"), &None));
    }
}

#[test]
fn the_answers_of_a_flow_describe_the_person() {
    let response = json!({"flow_token": "t1", "email": "sara@example.com", "budget": 500}).to_string();
    let flow =
        json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": response}}});
    let MessageDraft { lead, message, .. } = one(flow);
    assert_eq!((message.kind.as_str(), message.text.as_str()), ("form", "email: sara@example.com\nbudget: 500"));
    assert_eq!(lead.email.as_deref(), Some("sara@example.com"));
    let broken =
        json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": "{"}}});
    assert_eq!(said(broken), ("unsupported".to_owned(), "nfm_reply".to_owned()));
}

#[test]
fn reactions_and_notices_are_no_inquiries() {
    let reaction = one(json!({"type": "reaction", "reaction": {"message_id": "wamid.T1VU", "emoji": "👍"}})).message;
    assert_eq!((reaction.text.as_str(), reaction.starts), ("👍", false));
    assert_eq!(reaction.reply_to.as_deref(), Some("wamid.T1VU"));
    let removed = one(json!({"type": "reaction", "reaction": {"message_id": "wamid.T1VU"}})).message;
    assert_eq!(removed.text, "–");
    let system = json!({"body": "User changed number", "wa_id": "966509999999", "type": "user_changed_number"});
    let moved = one(json!({"type": "system", "system": system})).message;
    assert_eq!(moved.people, ["SA.13491208655302741918", "966509999999", "966501234567"]);
    assert_eq!((moved.phone.as_deref(), moved.starts), (Some("+966509999999"), false));
}

#[test]
fn statuses_are_marks() {
    let (drafts, warnings) = drafts(&body(json!({"statuses": [
        {"id": "wamid.T1VU", "status": "delivered", "timestamp": "1763690300", "recipient_id": "966501234567",
         "recipient_user_id": "SA.1", "pricing": {"billable": true}},
        {"id": "wamid.RkFJTA==", "status": "failed", "timestamp": "1763690310", "recipient_id": "966501234567",
         "errors": [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "more than 24 hours"}}]},
        {"id": "wamid.x", "status": "teleported"}, {"status": "read"}, 7,
    ]})));
    let marks: Vec<_> =
        drafts.into_iter().map(|draft| if let Draft::Mark(mark) = draft { mark } else { panic!() }).collect();
    assert_eq!(marks.len(), 2);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert_eq!((marks[0].status, marks[0].people.len()), (MarkStatus::Delivered, 2));
    assert_eq!(marks[1].error.as_deref(), Some("131047 more than 24 hours"));
}

#[test]
fn batches_are_in_the_order_in_which_people_wrote() {
    let message = |id: &str, time: u64| json!({"from": "966501234567", "id": id, "timestamp": time.to_string(), "type": "text", "text": {"body": id}});
    let mut batch = body(json!({"messages": [message("c", 1_763_690_003), message("a", 1_763_690_001)]}));
    let other = body(json!({"messages": [message("b", 1_763_690_002)]}));
    batch["entry"].as_array_mut().expect("a list").push(other["entry"][0].clone());
    let ids: Vec<_> = messages(&batch).into_iter().map(|draft| draft.message.id).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[test]
fn odd_bodies() {
    for nothing in [
        json!({"entry": []}),
        json!({"entry": [1, null, {"changes": 5}, {"changes": [{"field": "messages"}]}]}),
        json!({"entry": [{"changes": [{"field": "account_update", "value": {"messages": [{"id": "x", "from": "1"}]}}]}]}),
        body(json!({"messages": {}, "statuses": "x", "contacts": 1, "errors": [{"code": 1, "title": "down"}]})),
    ] {
        assert!(drafts(&nothing).0.is_empty(), "{nothing}");
    }
    for bad in ["", "{", "[]", "{}", r#"{"entry":{}}"#] {
        assert!(whatsapp().parse(bad.as_bytes()).is_err(), "{bad}");
    }
    // Of an odd type: still a message.
    let odd = one(json!({"type": ["text"], "timestamp": "soon", "id": 5, "context": 1}));
    assert_eq!((odd.message.id.as_str(), odd.message.sent_at), ("5", DateTime::UNIX_EPOCH));
    let long = one(json!({"id": "w".repeat(500), "type": "text", "text": {"body": "x".repeat(30_000)}})).message;
    assert!(long.id.len() == 32 && long.text.len() < 21_000);
}

#[test]
fn signature_and_handshake_are_metas() {
    let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    let request = |code: &str| Inbound {
        headers: HeaderMap::from_iter([(
            http::HeaderName::from_static("x-hub-signature-256"),
            format!("sha256={code}").parse().expect("a header"),
        )]),
        body: body.into(),
        ..Inbound::default()
    };
    let good = "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";
    assert!(whatsapp().verify(&request(good), Utc::now()).is_ok());
    let other = "769b03d8c2ae6498f2d1e1f7299c0ba55448c69d741e7b0bb243d852d8a8d8c7";
    assert_eq!(whatsapp().verify(&request(other), Utc::now()).map(|_| ()), Err(Refusal::BadSignature));
    let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=test_app_secret";
    let request = Inbound { query: Some(query.to_owned()), ..Inbound::default() };
    let answer = whatsapp().handshake(&request).expect("it answers").expect("authentic");
    assert_eq!(answer.into_body(), "1158201444");
}
