//! The vectors of Meta's signatures, and what its bodies become.

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use super::*;
use crate::{
    domain::{Consent, LeadDraft},
    sources::{
        Days, FetchError, Reference,
        hub::{MAX_CHALLENGE, SIGNATURE},
    },
};

const SECRET: &str = "test_app_secret";
const LEADGEN: &str = r#"{"object":"page","entry":[{"id":"102030405060708","time":1763690000,"changes":[{"field":"leadgen","value":{"leadgen_id":"1122334455667788","page_id":"102030405060708","form_id":"998877665544332","adgroup_id":"120210000000000001","ad_id":"120210000000000001","created_time":1763689998}}]}]}"#;

fn meta(secrets: &[&str]) -> Meta {
    let key = |secret: &str| HexKey::new(&secret.to_owned().into()).expect("a key");
    let base = Url::parse("http://127.0.0.1:9").expect("a URL");
    Meta {
        hub: Hub { keys: secrets.iter().map(|secret| key(secret)).collect(), verify_token: key("my-verify-token") },
        pages: Arc::new(pages(&base)),
        defaults: Defaults::default(),
    }
}

fn pages(base: &Url) -> Pages {
    let key = HexKey::new(&SECRET.to_owned().into()).expect("a key");
    let token = KeptToken::new(SecretRef::Env("NONE".to_owned()), "token".to_owned().into());
    Pages::new(account::Options {
        tokens: Tokens::new(Graph::new(base, VERSION, key, LEADS), token),
        app_id: "1".to_owned(),
        app_token: "1|x".to_owned().into(),
        pages: Vec::new(),
        ad_accounts: Vec::new(),
        spend_interval: DAY,
        poll_interval: MINUTE,
        backfill: DAY,
    })
}

fn request(signature: Option<&str>, body: &str) -> Inbound {
    let header = signature.map(|signature| (SIGNATURE.parse().expect("a name"), signature.parse().expect("a value")));
    Inbound { headers: header.into_iter().collect(), body: body.to_owned().into(), ..Inbound::default() }
}

fn verify(secrets: &[&str], signature: Option<&str>, body: &str) -> Result<Verified, Refusal> {
    meta(secrets).verify(&request(signature, body), Utc::now())
}

#[test]
fn the_known_signatures_are_authentic() {
    let escaped = r#"{"object":"page","entry":[{"id":"1","time":1,"messaging":[{"message":{"mid":"m1","text":"\u0645\u0631\u062d\u0628\u0627"}}]}]}"#;
    let raw =
        r#"{"object":"page","entry":[{"id":"1","time":1,"messaging":[{"message":{"mid":"m1","text":"مرحبا"}}]}]}"#;
    for (body, code) in [
        (LEADGEN, "79077ba9471d0a39ce70523ecf0121df8cc6eb1fb0efa671cbfc44923793c485"),
        (
            r#"{"object":"whatsapp_business_account","entry":[]}"#,
            "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
        ),
        (escaped, "0c9c43700121e772d82f313a09f4497819038590222b062c513ba44d98e82a48"),
        (raw, "f44b7a38cd814f9261499bae0ecdc6b379f9746af90a82f92b3508438c9376d5"),
    ] {
        let header = format!("sha256={code}");
        let verified = verify(&[SECRET], Some(&header), body).expect("authentic");
        assert_eq!(verified.body(), body.as_bytes());
        assert!(verify(&["old", SECRET], Some(&header), body).is_ok(), "any of several secrets");
        assert_eq!(verify(&["old"], Some(&header), body).map(|_| ()), Err(Refusal::BadSignature));
        assert_eq!(verify(&[SECRET], Some(&header), &format!("{body} ")).map(|_| ()), Err(Refusal::BadSignature));
    }
}

#[test]
fn what_is_not_signed_is_refused() {
    assert_eq!(verify(&[SECRET], None, LEADGEN).map(|_| ()), Err(Refusal::MissingHeader(SIGNATURE)));
    for (header, refusal) in [
        ("sha1=79077ba9471d0a39ce70523ecf0121df8cc6eb1f", "not valid"),
        ("79077ba9471d0a39ce70523ecf0121df8cc6eb1fb0efa671cbfc44923793c485", "not valid"),
        ("sha256=", "does not match"),
        ("sha256=79077b", "does not match"),
        ("sha256=zz077ba9471d0a39ce70523ecf0121df8cc6eb1fb0efa671cbfc44923793c485", "does not match"),
    ] {
        let error = verify(&[SECRET], Some(header), LEADGEN).expect_err("refused").to_string();
        assert!(error.contains(refusal), "{header}: {error}");
    }
}

#[test]
fn a_repeated_body_is_recognised() {
    let signed = |body: &str| {
        let header = format!("sha256={}", HexKey::new(&SECRET.to_owned().into()).expect("a key").code(body.as_bytes()));
        verify(&[SECRET], Some(&header), body).expect("authentic").key().to_owned()
    };
    assert_eq!(signed(LEADGEN), signed(LEADGEN));
    assert_ne!(signed(LEADGEN), signed(&LEADGEN.replace("788", "789")));
}

fn handshake(query: &str) -> Result<(String, String), Refusal> {
    let request = Inbound { query: Some(query.to_owned()), ..Inbound::default() };
    let response = meta(&[SECRET]).handshake(&request).expect("a handshake")?;
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    Ok((response.into_body(), kind))
}

#[test]
fn the_handshake_gives_the_challenge_back() {
    let good = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=my-verify-token";
    assert_eq!(handshake(good), Ok(("1158201444".to_owned(), "text/plain; charset=utf-8".to_owned())));
    let escaped = "hub.mode=subscribe&hub.verify_token=my%2Dverify%2dtoken&hub.challenge=%3Cb%3E";
    assert_eq!(handshake(escaped).map(|(body, _)| body), Ok("<b>".to_owned()));
    let long = format!("{good}{}", "7".repeat(1_000)).replace("&hub.verify_token=my-verify-token", "");
    let long = format!("hub.verify_token=my-verify-token&{}", long.replace("1158201444", &"7".repeat(2_000)));
    assert_eq!(handshake(&long).map(|(body, _)| body.len()), Ok(MAX_CHALLENGE));
    for bad in [
        "",
        "hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=my-verify-toke",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=other",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=my-verify-token",
        "hub.challenge=1&hub.verify_token=my-verify-token",
    ] {
        assert_eq!(handshake(bad), Err(Refusal::BadKey { place: "URL" }), "{bad}");
    }
}

fn parse(body: &str) -> Result<Parsed, ParseError> {
    meta(&[SECRET]).parse(body.as_bytes())
}

fn references(body: &Value) -> (Vec<Reference>, usize) {
    let parsed = parse(&body.to_string()).expect("read");
    let Content::References(references) = parsed.content else { panic!("expected references") };
    (references, parsed.warnings.len())
}

fn leadgen(value: Value) -> Value {
    json!({"object": "page", "entry": [{"id": "1", "time": 1, "changes": [{"field": "leadgen", "value": value}]}]})
}

#[test]
fn a_webhook_becomes_references() {
    let Content::References(read) = parse(LEADGEN).expect("read").content else { panic!("expected references") };
    let expected = Reference {
        lead_id: "1122334455667788".to_owned(),
        account: Some("102030405060708".to_owned()),
        form_id: Some("998877665544332".to_owned()),
    };
    assert_eq!(read, [expected]);
    // Ids as numbers, and an organic lead without an ad.
    let (read, _) = references(&leadgen(json!({"leadgen_id": 444_444_444_444_u64, "page_id": 1, "new": {}})));
    assert_eq!(read, [Reference { lead_id: "444444444444".to_owned(), account: Some("1".to_owned()), form_id: None }]);
}

#[test]
fn other_products_are_noted_and_one_bad_lead_holds_up_nothing() {
    let batch = json!({"object": "page", "entry": [
        {"id": "1", "changes": [{"field": "feed", "value": {"item": "post"}}]},
        {"id": "1", "messaging": [{"message": {"mid": "m"}}]},
        {"id": "1", "changes": [
            {"field": "leadgen", "value": {"leadgen_id": "11"}},
            {"field": "leadgen", "value": {"form_id": "12"}},
            {"field": "leadgen", "value": {"leadgen_id": "13"}},
        ]},
    ]});
    let (read, warnings) = references(&batch);
    assert_eq!(read.iter().map(|one| one.lead_id.as_str()).collect::<Vec<_>>(), ["11", "13"]);
    assert_eq!(warnings, 3);
    assert_eq!(references(&json!({"object": "permissions", "entry": [{"changed_fields": ["x"]}]})), (Vec::new(), 1));
    assert_eq!(references(&json!({"object": "page", "entry": []})), (Vec::new(), 0));
}

#[test]
fn bad_bodies_are_told() {
    for (body, expected) in [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "expected an object"),
        ("null", "expected an object"),
        ("{}", "`entry` is missing"),
        (r#"{"entry":{}}"#, "expected a list"),
        (r#"{"entry":[1]}"#, "expected an object"),
        (r#"{"entry":[{"changes":{}}]}"#, "expected a list"),
        (r#"{"entry":[{"changes":[{"field":"leadgen"}]}]}"#, "`value` is missing"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":[]}]}]}"#, "expected an object"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":{}}]}]}"#, "`leadgen_id` is missing"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":"../me"}}]}]}"#, "not an id of digits"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":-1}}]}]}"#, "not an id of digits"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":1.5}}]}]}"#, "not exact"),
        (r#"{"entry":[{"changes":[{"field":"leadgen","value":{"leadgen_id":true}}]}]}"#, "expected a string"),
        (r#"{"lead":[]}"#, "`id` is missing"),
        (r#"{"lead":{"field_data":"x"}}"#, "`id` is missing"),
    ] {
        let error = parse(body).expect_err(body).to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
    let many: Vec<_> = (0..1_001).map(|id| json!({"id": id})).collect();
    assert!(parse(&json!({"entry": many}).to_string()).expect_err("many").to_string().contains("at most 1000"));
}

fn form() -> Value {
    json!({"id": "998877665544332", "name": "فلل الرياض", "locale": "ar_AR", "questions": [
        {"key": "full_name", "label": "الاسم الكامل", "type": "FULL_NAME", "id": "1"},
        {"key": "preferred_contact_time", "label": "متى نتصل بك؟", "type": "CUSTOM", "options": [
            {"key": "morning", "value": "صباحاً"}, {"key": "evening", "value": "مساءً"}]},
        {"key": "ما_هي_الميزانية؟", "label": "ما هي الميزانية؟", "type": "CUSTOM", "options": [
            {"key": "500000_-_1000000", "value": "500,000 - 1,000,000"}]},
        {"key": "بريدك", "label": "بريدك", "type": "EMAIL"},
        {"key": "phone_number", "label": "الجوال", "type": "PHONE"},
    ]})
}

fn fetched() -> Value {
    json!({
        "id": "1122334455667788", "created_time": "2026-11-20T16:16:51+0000", "ad_id": "120210000000000001",
        "ad_name": "Riyadh villas - video A", "adset_id": "120210000000000010", "adset_name": "KSA 28-45",
        "campaign_id": "120210000000000100", "campaign_name": "Q4 leads", "form_id": "998877665544332",
        "is_organic": false, "platform": "ig",
        "field_data": [
            {"name": "full_name", "values": ["Abdullah Alharbi"]},
            {"name": "بريدك", "values": ["abdullah@example.com"]},
            {"name": "phone_number", "values": ["+966501234567"]},
            {"name": "work_email", "values": ["a.alharbi@work.example.com"]},
            {"name": "company_name", "values": ["شركة البناء"]},
            {"name": "city", "values": ["جدة"]},
            {"name": "country", "values": ["SA"]},
            {"name": "ما_هي_الميزانية؟", "values": ["500000_-_1000000"]},
            {"name": "empty", "values": []},
            {"name": "preferred_contact_time", "values": ["morning", "evening"]},
            {"name": "not in the form", "values": ["yes"]},
        ],
        "custom_disclaimer_responses": [
            {"checkbox_key": "marketing_optin", "is_checked": "1"},
            {"checkbox_key": "share_with_partner", "is_checked": ""},
            {"checkbox_key": "terms", "is_checked": true},
        ],
        "something_new": {"a": 1},
    })
}

fn lead(lead: &Value, form: &Value) -> LeadDraft {
    let body = json!({"lead": lead, "form": form, "account": {"id": "102030405060708", "name": "Acme Homes"}});
    let Content::Drafts(mut drafts) = parse(&body.to_string()).expect("read").content else { panic!("drafts") };
    let Draft::Lead(lead) = drafts.remove(0) else { panic!("a lead") };
    lead
}

#[test]
fn a_fetched_lead_says_everything_in_the_forms_own_words() {
    let lead = lead(&fetched(), &form());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(lead.external_id, some("1122334455667788"));
    assert_eq!((lead.contact_name, lead.company), (some("Abdullah Alharbi"), some("شركة البناء")));
    assert_eq!((lead.email, lead.phone), (some("abdullah@example.com"), some("+966501234567")));
    assert_eq!(lead.other_emails, ["a.alharbi@work.example.com"]);
    assert_eq!((lead.city, lead.country, lead.language), (some("جدة"), some("SA"), some("ar")));
    assert_eq!((lead.source, lead.medium, lead.campaign), (some("Instagram"), some("Paid social"), some("Q4 leads")));
    let answers: Vec<_> = lead.answers.iter().map(|(question, answer)| (question.as_str(), answer.as_str())).collect();
    let expected =
        [("متى نتصل بك؟", "صباحاً, مساءً"), ("ما هي الميزانية؟", "500,000 - 1,000,000"), ("not in the form", "yes")];
    assert_eq!(answers, expected);
    assert_eq!(lead.submitted_at.map(|time| time.to_rfc3339()), some("2026-11-20T16:16:51+00:00"));
    let consent = |text: &str, given| Consent { text: text.to_owned(), given };
    let expected = [consent("marketing_optin", true), consent("share_with_partner", false), consent("terms", true)];
    assert_eq!(lead.consent, expected);
    assert!(!lead.test);
    let origin = json!(lead.origin);
    assert_eq!(
        origin,
        json!({"platform": "meta", "lead_id": "1122334455667788", "form_id": "998877665544332", "form_name": "فلل الرياض",
            "account_id": null, "campaign_id": "120210000000000100", "campaign_name": "Q4 leads",
            "adset_id": "120210000000000010", "adset_name": "KSA 28-45", "ad_id": "120210000000000001",
            "ad_name": "Riyadh villas - video A", "page_id": "102030405060708", "page_name": "Acme Homes",
            "click_ids": {}, "url": null})
    );
}

#[test]
fn without_its_form_a_lead_shows_the_keys() {
    let lead = lead(&fetched(), &Value::Null);
    assert_eq!(lead.email.as_deref(), Some("a.alharbi@work.example.com"), "the only address that is known as one");
    assert!(lead.answers.contains(&("بريدك".to_owned(), "abdullah@example.com".to_owned())));
    assert!(lead.answers.contains(&("preferred_contact_time".to_owned(), "morning, evening".to_owned())));
}

#[test]
fn test_leads_are_recognised() {
    let data = |email: &str, name: &str| {
        json!({"id": "990000000000001", "created_time": "2026-11-20T10:00:00+0000", "field_data": [
            {"name": "full_name", "values": [name]}, {"name": "email", "values": [email]}]})
    };
    assert!(lead(&data("test@meta.com", "X"), &Value::Null).test);
    assert!(lead(&data("Test@fb.com", "X"), &Value::Null).test);
    assert!(lead(&data("a@example.com", "<test lead: dummy data for full_name>"), &Value::Null).test);
    assert!(!lead(&data("a@example.com", "Test"), &Value::Null).test);
}

#[test]
fn odd_leads_are_taken_as_they_are() {
    let only_answers = json!({"id": "7", "field_data": [{"name": "budget", "values": ["1"]}]});
    assert_eq!(lead(&only_answers, &form()).name.as_deref(), Some("فلل الرياض"));
    assert_eq!(lead(&only_answers, &Value::Null).name.as_deref(), Some("Lead 7"));
    let names = json!({"id": "7", "is_organic": true, "platform": "fb", "field_data": [
        {"name": "last_name", "values": ["Ali"]}, {"name": "first_name", "values": ["Sara"]},
        {"name": "country", "values": ["Kingdom of Saudi Arabia"]},
        {"name": "email", "values": ["a@example.com"]}, {"name": "EMAIL", "values": ["b@example.com"]},
        {"name": 5, "values": ["x"]}, {"values": ["x"]}, {"name": "odd", "values": "x"}, 7]});
    let read = lead(&names, &Value::Null);
    assert_eq!(read.contact_name.as_deref(), Some("Sara Ali"));
    assert_eq!((read.source.as_deref(), read.medium.as_deref()), (Some("Facebook"), Some("Organic social")));
    assert_eq!(read.country, None);
    assert!(read.answers.contains(&("country".to_owned(), "Kingdom of Saudi Arabia".to_owned())));
    assert!(read.answers.contains(&("EMAIL".to_owned(), "b@example.com".to_owned())), "nothing is dropped");
    for time in ["2026-11-20T16:16:51+0000", "2026-11-20T16:16:51+00:00", "1795191411"] {
        let read = lead(&json!({"id": "7", "created_time": time, "field_data": []}), &Value::Null);
        assert_eq!(read.submitted_at.map(|time| time.timestamp()), Some(1_795_191_411), "{time}");
    }
    assert_eq!(lead(&json!({"id": "7", "created_time": "yesterday"}), &Value::Null).submitted_at, None);
}

#[tokio::test]
async fn what_a_campaign_cost_is_read_with_its_currency() {
    let server = MockServer::start().await;
    let answer = |at: &str, body: Value| {
        Mock::given(path(format!("/{VERSION}/{at}"))).respond_with(ResponseTemplate::new(200).set_body_json(body))
    };
    answer("act_42", json!({"id": "act_42", "currency": "SAR"})).mount(&server).await;
    let row = json!({"campaign_id": "1202", "campaign_name": "Q4 leads", "spend": "1523.47", "impressions": "80211",
        "date_start": "2026-11-01", "date_stop": "2026-11-01"});
    answer("act_42/insights", json!({"data": [row]})).up_to_n_times(1).mount(&server).await;
    let pages = pages(&Url::parse(&server.uri()).expect("a URL"));
    let day = |day: &str| day.parse().expect("a day");
    let days = Days { first: day("2026-10-25"), last: day("2026-11-21") };
    let spent = pages.spend("42", days).await.expect("rows");
    let told = json!([{"day": "2026-11-01", "platform": "meta", "account": "42", "campaign": "1202",
        "campaign_name": "Q4 leads", "currency": "SAR", "amount": 1523.47, "impressions": 80211, "clicks": 0}]);
    assert_eq!(json!(spent), told);
    let asked = server.received_requests().await.expect("requests").pop().expect("one");
    assert!(
        asked
            .url
            .query_pairs()
            .any(|(key, value)| { key == "time_range" && value == r#"{"since":"2026-10-25","until":"2026-11-21"}"# })
    );
    // Half a row is worse than none: the day would look cheap.
    let odd = json!({"data": [{"campaign_id": "1202", "date_start": "2026-11-01"}]});
    answer("act_42/insights", odd).mount(&server).await;
    let error = pages.spend("42", days).await.expect_err("no amount");
    assert_eq!(error, FetchError::Failed("a row of its insights has no good `spend`".to_owned()));
}
