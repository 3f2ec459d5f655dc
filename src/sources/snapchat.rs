//! Kind `snapchat`: the public webhook of Snapchat's lead forms.
//!
//! Snapchat's signature is not documented (it gives a secret, and neither a header nor what is signed), so that the URL
//! holds a key; `[sources.<id>.signature]` says how to verify, once it is known. Bodies are flat, and name custom
//! questions by number only: `[sources.<id>.questions]` has their words.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use serde_json::json;

use super::{
    Ended, Inbound, ParseError, Parsed, Refusal, Setup, Source, Verified,
    body::MAX_ITEMS,
    defaults::Defaults,
    digest::{Signers, by_content},
    fields::{Fields, truth},
    json::{self, Node},
    reply,
    url_key::{self, UrlKey},
};
use crate::{
    config::{
        Reader,
        expect::{one_of, one_or_more, secret, string},
    },
    domain::{Draft, LeadDraft},
    secret::{SecretError, SecretRef},
};

/// Fields whose words are in the configuration.
const NUMBERED: [&str; 10] = [
    "custom_field_1",
    "custom_field_2",
    "custom_field_3",
    "custom_field_4",
    "custom_field_5",
    "custom_field_6",
    "custom_field_7",
    "custom_field_8",
    "consent_1",
    "consent_2",
];
/// What the button *Test* sends.
const TEST_EMAIL: &str = "johndoe@snapchat.com";

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let url_key = url_key::Spec::required(section);
    let signature = SignatureSpec::read(section.table("signature"));
    let questions = Questions::read(section.table("questions"));
    let defaults = Defaults::read(section.table("defaults")).or("Snapchat", "Paid social");
    Some(Box::new(Spec { url_key: url_key?, signature, questions, defaults }))
}

/// How a signature is made, if anybody knows.
#[derive(Debug, Clone)]
struct SignatureSpec {
    secrets: Vec<SecretRef>,
    header: HeaderName,
    encoding: Encoding,
    prefix: String,
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Hex,
    Base64,
}

impl SignatureSpec {
    fn read(mut section: Reader<'_>) -> Option<Self> {
        if !section.is_present() {
            return None;
        }
        let secrets = section.required("secret", one_or_more(secret()));
        let header = string().example("\"x-snap-signature\"").try_map(|name: String| HeaderName::try_from(name));
        let header = section.required("header", header);
        let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
        let encoding = section.or("encoding", one_of(encodings), Encoding::Hex);
        let prefix = section.optional("prefix", string().example("\"sha256=\"")).unwrap_or_default();
        section.finish();
        Some(Self { secrets: secrets?, header: header?, encoding, prefix })
    }
}

/// The words of numbered questions: for a form, or for all.
#[derive(Debug, Clone, Default)]
struct Questions {
    all: Vec<(&'static str, String)>,
    forms: Vec<(String, Vec<(&'static str, String)>)>,
}

impl Questions {
    fn read(mut section: Reader<'_>) -> Self {
        let words = |section: &mut Reader<'_>| -> Vec<(&'static str, String)> {
            let word = |key: &&'static str| Some((*key, section.optional(key, string())?));
            NUMBERED.iter().filter_map(word).collect()
        };
        let all = words(&mut section);
        let mut by_form = section.table("forms");
        let forms = by_form.rest_of_tables().into_iter().map(|(form, mut table)| {
            let words = words(&mut table);
            table.finish();
            (form, words)
        });
        let questions = Self { all, forms: forms.collect() };
        by_form.finish();
        section.finish();
        questions
    }

    fn words<'a>(&'a self, form: Option<&str>, key: &'a str) -> &'a str {
        let forms = self.forms.iter().filter(|(id, _)| Some(id.as_str()) == form);
        let mut words = forms.map(|(_, words)| words).chain([&self.all]).flatten();
        words.find(|(numbered, _)| *numbered == key).map_or(key, |(_, words)| words)
    }
}

#[derive(Debug)]
struct Spec {
    url_key: url_key::Spec,
    signature: Option<SignatureSpec>,
    questions: Questions,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let signature = self.signature.iter().flat_map(|signature| &signature.secrets);
        self.url_key.secrets().chain(signature.map(|secret| ("signature.secret", secret))).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let signature = self.signature.clone();
        let signature = signature.map(|spec| Ok((Signers::open(&spec.secrets)?, spec))).transpose()?;
        let (questions, defaults) = (self.questions.clone(), self.defaults.clone());
        Ok(Box::new(Snapchat { url_key: self.url_key.open()?, signature, questions, defaults }))
    }
}

struct Snapchat {
    url_key: UrlKey,
    signature: Option<(Signers, SignatureSpec)>,
    questions: Questions,
    defaults: Defaults,
}

impl Source for Snapchat {
    fn verify(&self, request: &Inbound, _now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.url_key.check(request)?;
        if let Some((signers, spec)) = &self.signature {
            let header = request.headers.get(&spec.header).and_then(|value| value.to_str().ok());
            let encoded = header.and_then(|value| value.trim().strip_prefix(&spec.prefix));
            let signature = encoded.and_then(|encoded| match spec.encoding {
                Encoding::Hex => hex::decode(encoded).ok(),
                Encoding::Base64 => STANDARD.decode(encoded).ok(),
            });
            if !signature.is_some_and(|signature| signers.fit(&[&request.body], &signature)) {
                return Err(Refusal::BadSignature);
            }
        }
        Ok(by_content(&request.body))
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let items = if root.value.is_array() { root.items(MAX_ITEMS)? } else { vec![root.clone()] };
            let leads = items.iter().map(|item| self.lead(item).map(Draft::Lead)).collect::<Result<_, _>>()?;
            Ok(self.defaults.content(leads))
        })
    }

    fn answer(&self, _request: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        // Whether Snapchat repeats what it is refused is not documented; what is kept need not come again.
        (!matches!(ended, Ended::Refused(_))).then(|| reply(StatusCode::OK, &json!({})))
    }
}

impl Snapchat {
    fn lead(&self, item: &Node<'_>) -> Result<LeadDraft, ParseError> {
        let object = item.value.as_object().ok_or_else(|| item.expected("an object"))?;
        let mut lead = Fields::of("snapchat");
        let form = object.get("form_id").and_then(|form| form.as_str());
        for (key, value) in object {
            let node = Node { pointer: format!("{}/{key}", item.pointer), value, notes: item.notes };
            let Some(text) = node.flat() else { continue };
            let words = self.questions.words(form, key);
            match truth(&text).filter(|_| key.starts_with("consent_")) {
                Some(given) => lead.consent(words, given),
                None if words == key => lead.put(key, &text),
                None => lead.answer(words, &text),
            }
            if key == "email" && text.eq_ignore_ascii_case(TEST_EMAIL) {
                lead.set("test", true);
            }
        }
        lead.identify();
        lead.read(&item.pointer, item.notes)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::sources::testing::{lead, leads, open};

    const KEY: &str = "4d5e6f708192a3b4";
    const URL_KEY: &str = "kind = \"snapchat\"\nurl_key = { file = \"SECRET\" }";

    fn body() -> Value {
        json!({
            "form_id": "6f1a2b3c-0000-4000-8000-000000000001", "form_name": "Riyadh villas",
            "ad_account_id": "a1a1a1a1-0000-4000-8000-000000000002", "campaign_id": "c1c1c1c1-0000-4000-8000-000000000003",
            "campaign_name": "Q4 Leads", "ad_squad_id": "b1b1b1b1-0000-4000-8000-000000000004", "ad_squad_name": "KSA 25-34",
            "ad_id": "d1d1d1d1-0000-4000-8000-000000000005", "ad_name": "Video A",
            "lead_id": "e1e1e1e1-0000-4000-8000-000000000006", "create_time": "1763690000123", "first_name": "سارة",
            "last_name": "علي", "email": "sara@example.com", "phone_number": "+966501234567", "postal_code": "12211",
            "custom_field_1": "500k - 1M", "custom_field_2": "الرياض", "consent_1": "true", "consent_2": "false",
            "lead_preferred_status": ""
        })
    }

    #[test]
    fn a_documented_delivery_is_a_lead() {
        let questions = "[sources.x.questions]\ncustom_field_1 = \"Budget?\"\nconsent_1 = \"May we call you?\"\n\
                         [sources.x.questions.forms.6f1a2b3c-0000-4000-8000-000000000001]\ncustom_field_2 = \"أين؟\"";
        let snapchat = open(&format!("{URL_KEY}\n{questions}"), KEY);
        let lead = lead(snapchat.as_ref(), &body());
        assert_eq!(lead.contact_name.as_deref(), Some("سارة علي"));
        assert_eq!((lead.email.as_deref(), lead.phone.as_deref()), (Some("sara@example.com"), Some("+966501234567")));
        assert_eq!(
            lead.answers,
            [("Budget?".to_owned(), "500k - 1M".to_owned()), ("أين؟".to_owned(), "الرياض".to_owned())]
        );
        let consent: Vec<_> = lead.consent.iter().map(|consent| (consent.text.as_str(), consent.given)).collect();
        assert_eq!(consent, [("May we call you?", true), ("consent_2", false)]);
        assert_eq!(lead.submitted_at.map(|time| time.timestamp()), Some(1_763_690_000));
        assert_eq!(lead.external_id.as_deref(), Some("e1e1e1e1-0000-4000-8000-000000000006"));
        assert_eq!(
            (lead.campaign.as_deref(), lead.source.as_deref(), lead.test),
            (Some("Q4 Leads"), Some("Snapchat"), false)
        );
        let origin = &lead.origin;
        assert_eq!(
            (origin.form_name.as_deref(), origin.adset_name.as_deref()),
            (Some("Riyadh villas"), Some("KSA 25-34"))
        );
        assert_eq!(
            (origin.ad_name.as_deref(), origin.account_id.as_deref()),
            (Some("Video A"), body()["ad_account_id"].as_str())
        );
    }

    #[test]
    fn batches_tests_and_unknown_fields() {
        let snapchat = open(URL_KEY, KEY);
        let mut test = body();
        test["email"] = json!("johndoe@snapchat.com");
        test["something_new"] = json!({"a": 1});
        let leads = leads(snapchat.as_ref(), &json!([body(), test]));
        assert_eq!(leads.iter().map(|lead| lead.test).collect::<Vec<_>>(), [false, true]);
        assert!(leads[1].answers.iter().any(|(question, _)| question == "something_new"));
        // Without words for it, a question keeps its number.
        assert!(leads[0].answers.iter().any(|(question, _)| question == "custom_field_1"));
    }

    #[test]
    fn what_is_not_a_lead_says_why() {
        for (bad, expected) in [
            (json!("text"), "body: expected an object, got a string"),
            (json!([body(), 7]), "/1: expected an object, got a number"),
            (json!({"lead_id": "1"}), "body: a lead needs at least one of"),
        ] {
            let error = open(URL_KEY, KEY).parse(bad.to_string().as_bytes()).expect_err("no lead").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_signature_can_be_configured() {
        let section =
            "[sources.x.signature]\nheader = \"X-Snap\"\nprefix = \"sha256=\"\nsecret = { file = \"SECRET\" }";
        let snapchat = open(&format!("{URL_KEY}\n{section}"), "test_app_secret__");
        let verify = |header: &'static str, rest: &str| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("x-snap"), header.parse().expect("a header"))]);
            let body = Bytes::from_static(br#"{"object":"whatsapp_business_account","entry":[]}"#);
            let request = Inbound { headers, rest: Some(rest.to_owned()), body, query: None };
            snapchat.verify(&request, Utc::now()).map(|_| ())
        };
        assert_eq!(verify(GOOD, "test_app_secret__"), Ok(()));
        assert_eq!(verify(GOOD, "wrong"), Err(Refusal::BadKey { place: "URL" }));
        for bad in ["", "sha256=", "sha256=zz", &GOOD["sha256=".len()..], "sha256=00"] {
            assert_eq!(verify(bad, "test_app_secret__"), Err(Refusal::BadSignature), "{bad}");
        }
    }

    /// Made with `openssl dgst -sha256 -hmac test_app_secret__`.
    const GOOD: &str = "sha256=83568cc861682c459b68b3f50c56440eca38c659a724536ed175e56c411d3cf7";
}
