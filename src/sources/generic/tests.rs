use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use chrono::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    config::Config,
    domain::{LeadDraft, OrderDraft, OrderState},
    sources::{Content, Registry, Tokens, open_all},
};

fn documented(body: &Value) -> Result<Parsed, ParseError> {
    parse_documented(&serde_json::to_vec(body).expect("JSON"))
}

fn drafts(parsed: Result<Parsed, ParseError>) -> (Vec<Draft>, Vec<String>) {
    match parsed.expect("understood") {
        Parsed { content: Content::Drafts(drafts), warnings } => (drafts, warnings),
        other => panic!("{other:?}"),
    }
}

fn only_lead(parsed: Result<Parsed, ParseError>) -> (LeadDraft, Vec<String>) {
    match drafts(parsed) {
        (mut drafts, warnings) if drafts.len() == 1 => match drafts.remove(0) {
            Draft::Lead(lead) => (lead, warnings),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_lead_with_everything() {
    let body = json!({"lead": {
        "external_id": 778, "name": "Fleet", "contact_name": "Sara Ali", "company": "Acme", "email": "sara@example.com",
        "phone": 966501234567_i64, "website": "https://example.com", "job_title": "Buyer", "street": "King Fahd Rd",
        "city": "Riyadh", "zip": 12211, "country": "sa", "language": "ar_001", "message": "Hello\r\nthere",
        "expected_revenue": 1500, "priority": 2, "source": "Website", "medium": "Form", "campaign": "Q4",
        "referred": "Omar", "tags": ["VIP", "New"], "team": "Gulf", "salesperson": "sales@example.com",
        "answers": {"Size": "Large", "Colours": ["red", 2], "Agreed": true, "Empty": ""},
        "submitted_at": "2026-11-20T13:00:00+03:00"
    }});
    let (lead, warnings) = only_lead(documented(&body));
    assert_eq!(warnings, Vec::<String>::new());
    let answer = |question: &str, answer: &str| (question.to_owned(), answer.to_owned());
    let expected = LeadDraft {
        external_id: some("778"),
        name: some("Fleet"),
        contact_name: some("Sara Ali"),
        company: some("Acme"),
        email: some("sara@example.com"),
        phone: some("966501234567"),
        website: some("https://example.com"),
        job_title: some("Buyer"),
        street: some("King Fahd Rd"),
        city: some("Riyadh"),
        zip: some("12211"),
        country: some("SA"),
        language: some("ar_001"),
        message: some("Hello\nthere"),
        expected_revenue: Some(1500.0),
        priority: Some(2),
        source: some("Website"),
        medium: some("Form"),
        campaign: some("Q4"),
        referred: some("Omar"),
        tags: vec!["VIP".to_owned(), "New".to_owned()],
        team: some("Gulf"),
        salesperson: some("sales@example.com"),
        answers: vec![answer("Size", "Large"), answer("Colours", "red, 2"), answer("Agreed", "true")],
        submitted_at: Utc.with_ymd_and_hms(2026, 11, 20, 10, 0, 0).single(),
        ..LeadDraft::default()
    };
    assert_eq!(lead, expected);
}

#[test]
fn an_order_with_everything() {
    let body = json!({"orders": [{
        "external_id": "SO-1", "state": "confirmed",
        "customer": {"name": "Acme", "email": "a@example.com", "phone": "1", "vat": 300_000_000_000_003_i64,
                     "street": "S", "city": "C", "zip": "Z", "country": "sa", "is_company": true},
        "lines": [{"product": "DESK", "name": "Desk", "quantity": 2, "price_unit": 10.5, "discount": 5}, {"product": 12}],
        "currency": "sar", "pricelist": "Public", "valid_until": "2026-12-01", "team": "Gulf", "salesperson": "s@x.sa",
        "source": "Shop", "medium": "Web", "campaign": "Q4", "tags": ["VIP"]
    }]});
    let (drafts, warnings) = drafts(documented(&body));
    assert_eq!(warnings, Vec::<String>::new());
    let [Draft::Order(OrderDraft { external_id, state, customer, lines, currency, .. })] = &drafts[..] else {
        panic!("{drafts:?}");
    };
    assert_eq!((external_id.as_str(), *state, currency.as_deref()), ("SO-1", OrderState::Confirmed, Some("SAR")));
    let customer = customer.as_ref().expect("a customer");
    assert_eq!((customer.vat.as_deref(), customer.country.as_deref()), (Some("300000000000003"), Some("SA")));
    let lines = lines.as_ref().expect("lines");
    assert_eq!((lines[0].quantity, lines[1].product.as_str(), lines[1].quantity), (Some(2.0), "12", None));
}

#[test]
fn every_form_of_body() {
    let lead = json!({"email": "a@example.com"});
    let order = json!({"external_id": 1});
    for (body, count) in [
        (json!({"lead": lead}), 1),
        (json!({"leads": [lead, lead]}), 2),
        (json!({"leads": []}), 0),
        (json!({"order": order}), 1),
        (json!({"leads": [lead], "orders": [order, order]}), 3),
        (json!({"type": "lead.created", "timestamp": "2026-11-20T10:00:00.123Z", "data": lead}), 1),
        (json!({"type": "lead.created", "data": [lead, lead]}), 2),
        (json!({"type": "order.updated", "data": order}), 1),
        (json!({"lead": null, "order": order}), 1),
    ] {
        let (drafts, warnings) = drafts(documented(&body));
        assert_eq!((drafts.len(), warnings.len()), (count, 0), "{body}");
    }
    let timed = json!({"type": "lead.x", "timestamp": "2026-11-20T10:00:00Z", "data": lead});
    assert_eq!(only_lead(documented(&timed)).0.submitted_at, Utc.with_ymd_and_hms(2026, 11, 20, 10, 0, 0).single());
}

#[test]
fn errors_name_the_place_and_the_type() {
    let lead = |field: &str, value: Value| json!({"leads": [{"name": "ok"}, {"name": "x", field: value}]});
    let order = |field: &str, value: Value| json!({"order": {"external_id": "1", field: value}});
    let long = "x".repeat(181);
    let table = [
        (json!([]), "body: expected an object, got a list"),
        (json!({}), "body: expected `lead`, `leads`, `order` or `orders`, or `type` and `data`"),
        (json!({"lead": []}), "/lead: expected an object, got a list"),
        (json!({"leads": {}}), "/leads: expected a list, got an object"),
        (json!({"leads": vec![json!({"name": "x"}); 501]}), "/leads: at most 500 items, got 501"),
        (
            json!({"leads": vec![json!({"name": "x"}); 300], "orders": vec![json!({"external_id": 1}); 300]}),
            "body: at most 500 leads and orders, got 600",
        ),
        (json!({"data": {}}), "body: `data` needs a `type` beside it, such as `lead.created`"),
        (json!({"type": "invoice.paid", "data": {}}), "body: `type` must start with `lead.` or `order.`"),
        (json!({"type": 5, "data": {}}), "/type: expected a string, got a number"),
        (
            json!({"lead": {"email": " ", "message": "hello"}}),
            "/lead: a lead needs at least one of `name`, `contact_name`, `company`, `email` and `phone`",
        ),
        (lead("email", json!(7)), "/leads/1/email: expected a string, got a number"),
        (lead("phone", json!(5.5)), "/leads/1/phone: this number is not exact: send it as a string"),
        (lead("email", json!(["a"])), "/leads/1/email: expected a string, got a list"),
        (lead("company", json!(5)), "/leads/1/company: expected a string, got a number"),
        (lead("city", json!(true)), "/leads/1/city: expected a string, got true or false"),
        (lead("external_id", json!(1e30)), "/leads/1/external_id: this number is not exact: send it as a string"),
        (lead("external_id", json!(long)), "/leads/1/external_id: at most 180 characters, got 181"),
        (lead("expected_revenue", json!("5")), "/leads/1/expected_revenue: expected a number, got a string"),
        (lead("priority", json!(4)), "/leads/1/priority: expected a whole number from 0 to 3, got a number"),
        (lead("tags", json!("VIP")), "/leads/1/tags: expected a list, got a string"),
        (lead("tags", json!(["VIP", 5])), "/leads/1/tags/1: expected a string, got a number"),
        (lead("tags", json!(vec!["x"; 51])), "/leads/1/tags: at most 50 items, got 51"),
        (lead("answers", json!("x")), "/leads/1/answers: expected an object or a list, got a string"),
        (lead("answers", json!([{"x": 1}])), "/leads/1/answers/0: expected an object with `question` and `answer`"),
        (
            json!({"order": {"state": "confirmed"}}),
            "/order: an order needs an `external_id`: it is what makes it the same order again",
        ),
        (order("state", json!("paid")), "/order/state: expected `quotation`, `confirmed` or `cancelled`, got a string"),
        (order("customer", json!("Acme")), "/order/customer: expected an object, got a string"),
        (
            order("customer", json!({"city": "Riyadh"})),
            "/order/customer: a customer needs at least one of `name`, `email`, `phone` and `vat`",
        ),
        (
            order("customer", json!({"name": "x", "country": "Saudi Arabia"})),
            "/order/customer/country: expected an ISO code of two letters, such as `SA`, got a string",
        ),
        (
            order("customer", json!({"name": "x", "is_company": "yes"})),
            "/order/customer/is_company: expected true or false, got a string",
        ),
        (order("lines", json!({})), "/order/lines: expected a list, got an object"),
        (order("lines", json!([{}])), "/order/lines/0: a line needs a `product`: its internal reference or barcode"),
        (
            order("lines", json!([{"product": "x", "quantity": "2"}])),
            "/order/lines/0/quantity: expected a number, got a string",
        ),
        (order("currency", json!("riyal")), "/order/currency: at most 3 characters, got 5"),
        (
            order("valid_until", json!("tomorrow")),
            "/order/valid_until: expected a date such as `2026-11-30`, got a string",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(documented(&body).expect_err("refused").to_string(), expected);
    }
}

#[test]
fn what_is_not_json_says_why() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, expected) in [
        (&b""[..], "it is empty"),
        (b" \n", "it is empty"),
        (b"name=Sara", "expected ident at line 1 column 2"),
        (b"{\"lead\": }", "expected value at line 1 column 10"),
        (b"{\"lead\": {}} x", "trailing characters at line 1 column 14"),
        (b"{\"lead\": \"\xff\"}", "invalid unicode code point"),
        (b"{\"lead\": \"\\ud80\"}", "invalid escape"),
        (b"{\"lead\": 1e999}", "number out of range"),
        (deep.as_bytes(), "it is nested more than 127 levels deep"),
    ] {
        let error = parse_documented(body).expect_err("refused").to_string();
        assert!(error.starts_with(&format!("the body is not valid JSON: {expected}")), "{error}");
    }
}

#[test]
fn what_people_typed_never_fails_a_delivery() {
    let body = json!({"lead": {
        "name": "a\u{0}b\u{7}c\u{85}d\u{200f}", "phone": "5".repeat(65), "country": "Saudi Arabia", "language": "Arabic, please",
        "submitted_at": "yesterday", "message": "m".repeat(20_001), "city": "\u{0}"
    }});
    let (lead, warnings) = only_lead(documented(&body));
    assert_eq!(lead.name.as_deref(), Some("abcd\u{200f}"));
    assert_eq!(lead.message.map(|text| text.len()), Some(20_000));
    assert_eq!((lead.phone, lead.country, lead.city, lead.submitted_at), (None, None, None, None));
    let questions: Vec<_> = lead.answers.iter().map(|(question, _)| question.as_str()).collect();
    assert_eq!(questions, ["phone", "country", "language", "submitted_at"]);
    assert_eq!(lead.answers[1].1, "Saudi Arabia");
    assert_eq!(
        warnings,
        [
            "/lead/phone: expected at most 64 characters: not used as such",
            "/lead/country: expected an ISO code of two letters, such as `SA`: not used as such",
            "/lead/language: expected a code such as `ar` or `ar_001`: not used as such",
            "/lead/message: longer than 20000 characters: only those are kept",
            "/lead/submitted_at: expected a time such as `2026-11-20T10:00:00Z`: not used as such",
        ]
    );
}

#[test]
fn unknown_fields_are_kept_and_told() {
    let body = json!({"lead": {
        "name": "x", "emial": "a@example.com", "utm_campaign": "Q4", "budget": 5000, "form": {"id": 7}, "none": null,
        "a/b~c": [1, "two"]
    }, "extra": 1});
    let (lead, warnings) = only_lead(documented(&body));
    let answers: Vec<_> = lead.answers.iter().map(|(q, a)| (q.as_str(), a.as_str())).collect();
    let expected = [
        ("emial", "a@example.com"),
        ("utm_campaign", "Q4"),
        ("budget", "5000"),
        ("form", r#"{"id":7}"#),
        ("a/b~c", "1, two"),
    ];
    assert_eq!(answers, expected);
    assert_eq!(
        warnings,
        [
            "/lead/emial: unknown field: kept as an answer; did you mean `email`?",
            "/lead/utm_campaign: unknown field: kept as an answer; did you mean `campaign`?",
            "/lead/budget: unknown field: kept as an answer",
            "/lead/form: unknown field: kept as an answer",
            "/lead/a~1b~0c: unknown field: kept as an answer",
            "/extra: unknown field: ignored",
        ]
    );
    let order = json!({"order": {"external_id": 1, "status": "confirmed"}});
    assert_eq!(drafts(documented(&order)).1, ["/order/status: unknown field: ignored; did you mean `state`?"]);
}

#[test]
fn warnings_and_answers_are_bounded() {
    let mut fields: serde_json::Map<_, _> =
        (0..300).map(|n| (format!("field {n}"), json!("x".repeat(6_000)))).collect();
    fields.insert("name".to_owned(), json!("x"));
    fields.insert("y".repeat(10_000), json!("x"));
    let (lead, warnings) = only_lead(documented(&json!({"lead": fields})));
    assert_eq!(lead.answers.len(), 200);
    assert!(lead.answers.iter().all(|(question, answer)| question.len() <= 500 && answer.len() <= 5_000));
    assert_eq!((warnings.len(), warnings[100].as_str()), (101, "there are more warnings"));
    assert!(warnings.iter().all(|warning| warning.len() < 300));
}

#[test]
fn equal_keys_are_refused() {
    let error = parse_documented(br#"{"lead": {"name": "first", "name": "last"}}"#).expect_err("refused").to_string();
    assert_eq!(error, "the body is not valid JSON: the key `name` is there twice at line 1 column 33");
}

#[test]
fn half_an_emoji_costs_no_lead() {
    let (lead, warnings) = only_lead(parse_documented(br#"{"lead": {"name": "Sara \ud83d"}}"#));
    assert_eq!(lead.name.as_deref(), Some("Sara \u{fffd}"));
    assert_eq!(warnings, ["halves of surrogate pairs are no characters: each became U+FFFD"]);
}

/// Opens the source `forms` with this configuration below its header.
fn configured(section: &str) -> Result<Registry, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    fs::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
    let text = format!(
        "[odoo]\nurl = \"http://localhost\"\ndatabase = \"d\"\nlogin = \"l\"\nsecret = {{ env = \"X\" }}\n\
         [sources.forms]\nkind = \"generic\"\nsecret = {{ file = {path:?} }}\n{section}"
    );
    let config = Config::parse(&text, Path::new("config.toml")).map_err(|error| error.to_string())?;
    open_all(&config.sources, Tokens::default()).map_err(|error| error.to_string())
}

const MAP: &str = r#"
[sources.forms.map]
items = "/data/leads"
external_id = "/id"
contact_name = { join = ["/first", "/last"] }
email = ["/mail", "/contact/email"]
phone = "/contact/phone"
source = { value = "Landing page" }
expected_revenue = "/budget"
priority = "/stars"
tags = "/labels"
submitted_at = "/at"
answers = "/fields"
country = "/country"
"#;

fn mapped(body: &Value) -> Result<Parsed, ParseError> {
    let registry = configured(MAP).expect("a good map");
    registry.get("forms").expect("the source").parse(&serde_json::to_vec(body).expect("JSON"))
}

#[test]
fn a_map_reads_json_of_any_shape() {
    let body = json!({"data": {"leads": [
        {"id": 7, "first": "Sara", "last": "Ali", "mail": " ", "contact": {"email": "s@example.com", "phone": 966},
         "budget": "1500.5", "stars": 3, "labels": "VIP", "at": "2026-11-20T10:00:00Z", "country": "SA", "noise": [1],
         "fields": [{"label": "Size", "value": "L"}, {"name": "Colours", "values": ["red", "blue"]},
                    {"key": "none", "value": null}]},
        {"last": "Omar", "labels": ["A", "B"], "contact": null},
    ]}});
    let (drafts, warnings) = drafts(mapped(&body));
    assert_eq!(warnings, Vec::<String>::new());
    let answers = [("Size", "L"), ("Colours", "red, blue")].map(|(q, a)| (q.to_owned(), a.to_owned()));
    let first = LeadDraft {
        external_id: some("7"),
        contact_name: some("Sara Ali"),
        email: some("s@example.com"),
        phone: some("966"),
        source: some("Landing page"),
        expected_revenue: Some(1500.5),
        priority: Some(3),
        tags: vec!["VIP".to_owned()],
        country: some("SA"),
        answers: answers.to_vec(),
        submitted_at: Utc.with_ymd_and_hms(2026, 11, 20, 10, 0, 0).single(),
        ..LeadDraft::default()
    };
    let second = LeadDraft {
        contact_name: some("Omar"),
        source: some("Landing page"),
        tags: vec!["A".to_owned(), "B".to_owned()],
        ..LeadDraft::default()
    };
    assert_eq!(drafts, [Draft::Lead(first), Draft::Lead(second)]);
}

#[test]
fn errors_of_a_map_point_into_the_body() {
    for (body, expected) in [
        (json!({}), "body: nothing at `/data/leads`, where `map.items` says the leads are"),
        (
            json!({"data": {"leads": [5]}}),
            "/data/leads/0: a lead needs at least one of `name`, `contact_name`, `company`, `email` and `phone`",
        ),
        (
            json!({"data": {"leads": {"contact": {"email": ["a"]}}}}),
            "/data/leads/contact/email: expected a string, got a list",
        ),
        (
            json!({"data": {"leads": [{"mail": "a@b.sa", "budget": "much"}]}}),
            "/data/leads/0/budget: expected a number, got a string",
        ),
    ] {
        assert_eq!(mapped(&body).expect_err("refused").to_string(), expected);
    }
    let body = json!({"data": {"leads": [{"mail": "a@b.sa", "country": "Arabia"}]}});
    let (lead, warnings) = only_lead(mapped(&body));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("/data/leads/0/country: "), "{warnings:?}");
    assert_eq!(lead.answers, [("country".to_owned(), "Arabia".to_owned())]);
}

#[test]
fn bad_maps_are_told_with_their_place() {
    for (line, expected) in [
        ("email = \"contact.email\"", "sources.forms.map.email"),
        ("email = \"/a~2\"", "sources.forms.map.email"),
        ("email = 5", "sources.forms.map.email"),
        ("email = [\"/a\", 5]", "sources.forms.map.email"),
        ("email = { join = [\"a\"] }", "sources.forms.map.email.join"),
        ("email = { join = [\"/a\"], value = \"x\" }", "sources.forms.map.email"),
        ("email = {}", "sources.forms.map.email"),
        ("emial = \"/email\"", "did you mean `email`?"),
        ("answers = { value = \"x\" }", "sources.forms.map.answers"),
        ("items = \"leads\"", "sources.forms.map.items"),
    ] {
        let error = configured(&format!("[sources.forms.map]\n{line}")).map(|_| ()).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
    let reserved = configured("[sources.api]\nkind = \"generic\"\nsecret = { env = \"X\" }");
    assert!(reserved.map(|_| ()).expect_err("reserved").contains("is a reserved id"));
}

#[test]
fn defaults_fill_what_the_body_leaves_open() {
    let registry = configured(
        "[sources.forms.defaults]\nsource = \"Website\"\nmedium = \"Form\"\ntags = [\"web\"]\nteam = \"T\"\ncountry = \"sa\"",
    )
    .expect("good defaults");
    let body = json!({"leads": [{"name": "x"}, {"name": "x", "source": "Ads", "tags": ["own"], "country": "EG"}],
                      "order": {"external_id": 1}});
    let parsed = registry.get("forms").expect("the source").parse(&serde_json::to_vec(&body).expect("JSON"));
    let (drafts, _) = drafts(parsed);
    let [Draft::Lead(first), Draft::Lead(second), Draft::Order(order)] = &drafts[..] else { panic!("{drafts:?}") };
    assert_eq!(
        (&first.source, &first.country, &first.tags[..]),
        (&some("Website"), &some("SA"), &["web".to_owned()][..])
    );
    assert_eq!(
        (&second.source, &second.country, &second.tags[..]),
        (&some("Ads"), &some("EG"), &["own".to_owned()][..])
    );
    assert_eq!((&order.source, &order.team, &order.campaign), (&some("Website"), &some("T"), &None));
}

/// Any JSON, of the documented keys as often as of others.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        proptest::sample::select(vec![
            "lead",
            "leads",
            "order",
            "orders",
            "type",
            "data",
            "name",
            "email",
            "external_id",
            "answers",
            "question",
            "tags",
            "lines",
            "customer",
            "product",
            "priority",
            "submitted_at",
            "contact",
            "first",
            "fields",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(lead|order|.{0,12})\\.?".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>) {
        let _ = parse_documented(&body);
    }

    #[test]
    fn no_json_panics(body in any_json()) {
        let _ = documented(&body);
        let _ = documented(&json!({"lead": body, "leads": [body]}));
        let _ = documented(&json!({"order": body}));
        let _ = mapped(&json!({"data": {"leads": body}}));
    }
}
