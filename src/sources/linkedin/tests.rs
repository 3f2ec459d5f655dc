//! The vectors of LinkedIn's signatures, and what its bodies become.

use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{Consent, LeadDraft},
    sources::{Reference, testing},
};

const SECRET: &str = "li_client_secret";
const SHORT: &str =
    r#"{"type":"LEAD_ACTION","leadGenFormResponse":"urn:li:leadGenFormResponse:1a2b3c-4","leadAction":"CREATED"}"#;
const CODE: &str = "abc95e3a56b85f1a280f1c98bf3703a0b708e24b997b074ae56661325b0e3198";

const SECTION: &str = r#"
kind = "linkedin"
client_id = "77abc"
client_secret = { file = "SECRET" }
token = { file = "SECRET" }
owners = ["urn:li:sponsoredAccount:512345678"]
"#;

fn linkedin() -> Box<dyn Source> {
    testing::open(SECTION, SECRET)
}

fn verify(signature: Option<&str>, body: &str) -> Result<Verified, Refusal> {
    let header = signature.map(|signature| (SIGNATURE.parse().expect("a name"), signature.parse().expect("a value")));
    let request = Inbound { headers: header.into_iter().collect(), body: body.to_owned().into(), ..Inbound::default() };
    linkedin().verify(&request, Utc::now())
}

#[test]
fn the_known_signature_is_authentic() {
    let verified = verify(Some(CODE), SHORT).expect("authentic");
    assert_eq!(verified.body(), SHORT.as_bytes());
    assert!(verify(Some(&format!("hmacsha256={CODE}")), SHORT).is_ok());
    assert_eq!(verify(Some(CODE), &format!("{SHORT} ")).map(|_| ()), Err(Refusal::BadSignature));
    // Computed without the prefix, it is no signature.
    let bare = HexKey::new(&SECRET.to_owned().into()).expect("a key").code(SHORT.as_bytes());
    assert_eq!(verify(Some(&bare), SHORT).map(|_| ()), Err(Refusal::BadSignature));
    assert_eq!(verify(None, SHORT).map(|_| ()), Err(Refusal::MissingHeader(SIGNATURE)));
    for (header, expected) in [
        ("", "does not match"),
        ("abc95e", "does not match"),
        ("zz", "not valid"),
        ("sha256=abc9", "not valid"),
        ("hmacsha256=hmacsha256=ab", "not valid"),
    ] {
        let error = verify(Some(header), SHORT).expect_err("refused").to_string();
        assert!(error.contains(expected), "{header}: {error}");
    }
    let header = (SIGNATURE.parse().expect("a name"), CODE.parse().expect("a value"));
    let mut twice = Inbound { headers: [header].into_iter().collect(), body: SHORT.into(), ..Inbound::default() };
    twice.headers.append(SIGNATURE, CODE.parse().expect("a value"));
    assert!(linkedin().verify(&twice, Utc::now()).expect_err("twice").to_string().contains("there twice"));
}

#[test]
fn a_token_or_what_makes_tokens_is_configured() {
    let other = |from: &str, to: &str| SECTION.replace(from, to);
    let made = "refresh_token = { file = \"SECRET\" }";
    let configured = |section: &str| {
        let text = format!(
            "[sources.li]\n{section}\n[odoo]\nurl = \"https://x.example\"\ndatabase = \"x\"\nlogin = \"x\"\nsecret = {{ env = \"X\" }}\n"
        );
        crate::config::Config::parse(&text, std::path::Path::new("config.toml"))
    };
    let keys = |section: &str| {
        let config = configured(section).unwrap_or_else(|error| panic!("{error}"));
        config.sources[0].setup.secrets().into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let token = "token = { file = \"SECRET\" }";
    assert_eq!(keys(SECTION), ["client_secret", "token"]);
    assert_eq!(keys(&other(token, made)), ["client_secret", "refresh_token"]);
    let both = configured(&format!("{SECTION}{made}")).expect_err("both").to_string();
    assert!(both.contains("tokens are made by `refresh_token`"), "{both}");
    let neither = configured(&other(token, "")).expect_err("neither").to_string();
    assert!(neither.contains("sources.li.token") && neither.contains("is missing"), "{neither}");
}

fn handshake(query: &str) -> Result<Value, Refusal> {
    let request = Inbound { query: Some(query.to_owned()), ..Inbound::default() };
    let response = linkedin().handshake(&request).expect("a handshake")?;
    assert_eq!(response.headers()["content-type"], "application/json");
    Ok(serde_json::from_str(response.body()).expect("JSON"))
}

#[test]
fn the_challenge_is_answered() {
    let challenge = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
    let expected = json!({"challengeCode": challenge,
        "challengeResponse": "3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c"});
    assert_eq!(handshake(&format!("challengeCode={challenge}&applicationId=12345")), Ok(expected.clone()));
    assert_eq!(handshake(&format!("challengeCode={challenge}")), Ok(expected));
}

/// The answer to a challenge is a code under the app's secret: it must never be that of a notification.
#[test]
fn nobody_gets_a_signature_by_asking_for_it() {
    let body = form_urlencoded(&format!("hmacsha256={SHORT}"));
    let long = "a".repeat(129);
    for bad in [body.as_str(), "hmacsha256%3D", "hmacsha256=", "a.b", "a%20b", "%D8%A7", "", long.as_str()] {
        let refused = handshake(&format!("challengeCode={bad}"));
        assert_eq!(refused, Err(Refusal::BadKey { place: "URL" }), "{bad}");
    }
    assert_eq!(handshake("applicationId=1"), Err(Refusal::BadKey { place: "URL" }));
    assert_eq!(handshake("challengecode=1"), Err(Refusal::BadKey { place: "URL" }));
}

fn form_urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn notification() -> Value {
    json!({
        "type": "LEAD_ACTION",
        "leadGenFormResponse": "urn:li:leadGenFormResponse:1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-4",
        "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
        "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:512345678"},
        "associatedEntity": {"sponsoredCreative": "urn:li:sponsoredCreative:701234567"},
        "leadType": "SPONSORED", "leadAction": "CREATED", "occurredAt": 1_763_690_000_123_i64, "new": {"a": 1}
    })
}

fn references(body: &Value) -> Vec<Reference> {
    let parsed = linkedin().parse(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let Content::References(references) = parsed.content else { panic!("expected references") };
    references
}

#[test]
fn a_notification_becomes_a_reference() {
    let expected = Reference {
        lead_id: "1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-4".to_owned(),
        account: Some("urn:li:sponsoredAccount:512345678".to_owned()),
        form_id: Some("3162".to_owned()),
    };
    assert_eq!(references(&notification()), [expected]);
    let short = serde_json::from_str(SHORT).expect("JSON");
    let expected = Reference { lead_id: "1a2b3c-4".to_owned(), account: None, form_id: None };
    assert_eq!(references(&short), [expected]);
    let mut page = notification();
    page["owner"] = json!({"organization": "urn:li:organization:7"});
    assert_eq!(references(&page)[0].account.as_deref(), Some("urn:li:organization:7"));
    let other = json!({"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": []});
    assert_eq!(references(&other), []);
}

#[test]
fn bad_bodies_are_told() {
    let with = |key: &str, value: Value| {
        let mut body = notification();
        body[key] = value;
        body.to_string()
    };
    for (body, expected) in [
        (String::new(), "not valid JSON"),
        ("{".to_owned(), "not valid JSON"),
        ("[]".to_owned(), "expected an object"),
        ("null".to_owned(), "expected an object"),
        ("{}".to_owned(), "`leadGenFormResponse` is missing"),
        (with("type", json!(7)), "expected a string"),
        (with("leadGenFormResponse", json!(7)), "expected a string"),
        (with("leadGenFormResponse", json!("urn:li:person:1")), "not the URN of a lead"),
        (with("leadGenFormResponse", json!("urn:li:leadGenFormResponse:../me")), "not the URN of a lead"),
        (with("leadGenFormResponse", json!("urn:li:leadGenFormResponse:")), "not the URN of a lead"),
        (with("leadGenFormResponse", json!("a".repeat(301))), "300"),
        (with("leadAction", json!("DELETED")), "the member has deleted lead 1a2b3c4d"),
        (r#"{"lead":[]}"#.to_owned(), "`id` is missing"),
        (r#"{"lead":{"formResponse":7}}"#.to_owned(), "`id` is missing"),
    ] {
        let error = linkedin().parse(body.as_bytes()).expect_err(&body).to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
    // What is wrong around the lead's own URN holds up nothing.
    for (key, value) in [("owner", json!("x")), ("leadGenForm", json!("x/y")), ("occurredAt", json!("soon"))] {
        assert_eq!(
            linkedin().parse(with(key, value).as_bytes()).map(|parsed| parsed.warnings),
            Ok(Vec::new()),
            "{key}"
        );
    }
}

fn form() -> Value {
    let question = |id: i64, field: Option<&str>, english: &str, arabic: &str| {
        json!({"questionId": id, "name": english, "predefinedField": field, "responseRequired": true,
               "question": {"localized": {"en_US": english, "ar_AE": arabic}},
               "questionDetails": {"textQuestionDetails": {"maxResponseLength": 300}}})
    };
    let mut choice = question(107_234_252, None, "Budget?", "ما هي الميزانية؟");
    choice["questionDetails"] = json!({"multipleChoiceQuestionDetails": {"options": [
        {"id": 1, "text": {"localized": {"ar_AE": "أقل من 500 ألف"}}}, {"id": 2, "label": "500k - 1M"}]}});
    json!({"id": 3162, "name": "KSA form", "creationLocale": {"language": "ar", "country": "AE"},
           "hiddenFields": [{"name": "utm_campaign", "value": "q4"}, {"name": "region", "value": "Riyadh"}],
           "content": {
               "questions": [
                   question(107_234_246, Some("FIRST_NAME"), "First name", "الاسم"),
                   question(107_234_247, Some("LAST_NAME"), "Last name", "العائلة"),
                   choice,
                   question(107_234_248, Some("EMAIL"), "Email", "البريد"),
                   question(107_234_249, Some("PHONE_NUMBER"), "Phone", "الجوال"),
                   question(107_234_250, Some("COMPANY_NAME"), "Company", "الشركة"),
                   question(107_234_253, Some("SENIORITY"), "Seniority", "المستوى"),
                   question(107_234_251, None, "Your name for the gate", "اسمك للبوابة"),
               ],
               "legalInfo": {"consents": [{"id": 1, "consent": {"localized": {"ar_AE": "أوافق على التواصل"}}}]}}})
}

fn fetched() -> Value {
    let text =
        |id: i64, answer: &str| json!({"questionId": id, "answerDetails": {"textQuestionAnswer": {"answer": answer}}});
    json!({
        "id": "1a2b3c4d-4", "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:512345678"}, "leadType": "SPONSORED",
        "submittedAt": 1_763_690_000_000_i64, "testLead": false, "submitter": "urn:li:person:x",
        "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
        "leadMetadata": {"sponsoredLeadMetadata": {"campaign": "urn:li:sponsoredCampaign:601234567"}},
        "leadMetadataInfo": {"sponsoredLeadMetadataInfo": {"campaign": {"name": "Q4 leads", "id": "urn:li:sponsoredCampaign:601234567"}}},
        "associatedEntity": {"sponsoredCreative": "urn:li:sponsoredCreative:701234567"},
        "formResponse": {
            "answers": [
                text(107_234_251, "Bab Makkah"), text(107_234_248, "sara@example.com"), text(107_234_247, "العتيبي"),
                text(107_234_246, "سارة"), text(107_234_249, "+966501234567"), text(107_234_250, "شركة نجد"),
                text(107_234_253, "Director"),
                {"questionId": 107_234_252, "answerDetails": {"multipleChoiceAnswer": {"options": [2, 1, 9]}}},
                {"questionId": 5, "name": "not in the form", "answerDetails": {"somethingNew": {"a": 1}}},
            ],
            "consentResponses": [{"consentId": 1, "accepted": true}, {"consentId": 2, "accepted": false}],
        },
    })
}

fn lead(lead: &Value, form: &Value) -> LeadDraft {
    testing::lead(linkedin().as_ref(), &json!({"lead": lead, "form": form, "account": null}))
}

#[test]
fn a_fetched_lead_says_everything_in_the_forms_own_words() {
    let lead = lead(&fetched(), &form());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(lead.external_id, some("1a2b3c4d-4"));
    assert_eq!((lead.contact_name, lead.company), (some("سارة العتيبي"), some("شركة نجد")));
    assert_eq!((lead.email, lead.phone), (some("sara@example.com"), some("+966501234567")));
    assert_eq!(lead.language, some("ar"));
    assert_eq!((lead.source, lead.medium, lead.campaign), (some("LinkedIn"), some("Paid social"), some("q4")));
    let answers: Vec<_> = lead.answers.iter().map(|(question, answer)| (question.as_str(), answer.as_str())).collect();
    let expected = [
        ("ما هي الميزانية؟", "500k - 1M, أقل من 500 ألف, 9"),
        ("المستوى", "Director"),
        ("اسمك للبوابة", "Bab Makkah"),
        ("not in the form", "{\"somethingNew\":{\"a\":1}}"),
        ("region", "Riyadh"),
    ];
    assert_eq!(answers, expected);
    assert_eq!(lead.submitted_at.map(|time| time.timestamp()), Some(1_763_690_000));
    let consent = |text: &str, given| Consent { text: text.to_owned(), given };
    assert_eq!(lead.consent, [consent("أوافق على التواصل", true), consent("Consent 2", false)]);
    assert!(!lead.test);
    assert_eq!(
        json!(lead.origin),
        json!({"platform": "linkedin", "lead_id": "1a2b3c4d-4", "form_id": "3162", "form_name": "KSA form",
            "account_id": "512345678", "campaign_id": "601234567", "campaign_name": "Q4 leads", "adset_id": null,
            "adset_name": null, "ad_id": "701234567", "ad_name": null, "page_id": null, "page_name": null,
            "click_ids": {}, "url": null})
    );
}

#[test]
fn what_is_not_as_described_is_taken_as_it_is() {
    // Without its form: nothing says what the numbers ask for.
    let bare = lead(&fetched(), &Value::Null);
    assert_eq!((bare.name.as_deref(), bare.email.as_deref()), (Some("Lead 1a2b3c4d-4"), None));
    assert!(bare.answers.contains(&("Question".to_owned(), "sara@example.com".to_owned())));
    assert!(bare.answers.contains(&("Question".to_owned(), "2, 1, 9".to_owned())));
    let mut test = fetched();
    test["testLead"] = json!(true);
    test["leadType"] = json!("EVENT");
    test["owner"] = json!({"organization": "urn:li:organization:7"});
    test["submittedAt"] = json!("1763690000000");
    let test = lead(&test, &form());
    assert!(test.test);
    assert_eq!((test.medium.as_deref(), test.origin.page_id.as_deref()), (Some("Organic social"), Some("7")));
    assert_eq!((test.origin.account_id, test.submitted_at.map(|at| at.timestamp())), (None, Some(1_763_690_000)));
    for (odd, name) in [
        (json!({"id": "7"}), "Lead 7"),
        (json!({"id": "7", "formResponse": {"answers": [1, {}, {"answerDetails": {}}, {"questionId": []}]}}), "Lead 7"),
        (
            json!({"id": "7", "formResponse": {"answers": {}, "consentResponses": [7]}, "owner": [], "submittedAt": {}}),
            "Lead 7",
        ),
    ] {
        assert_eq!(lead(&odd, &json!({"content": {"questions": [7, {}]}})).name.as_deref(), Some(name), "{odd}");
    }
}
