//! Kind `google`: the webhook of Google Ads lead forms.
//!
//! Google signs nothing. Each body carries the key that was typed into the form's settings (`google_key`). Google wants
//! 200 and `{}`; after a 4xx it gives up and shows `message` to whoever pressed *Send test data*, after a 5xx it repeats.

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::{
    Ended, Inbound, ParseError, Parsed, Refusal, Setup, Source, Tokens, Verified,
    defaults::Defaults,
    digest::by_content,
    fields::Fields,
    json::{self, Node, Notes},
    reply,
    url_key::{self, UrlKey},
};
use crate::{
    config::{
        Reader,
        expect::{one_or_more, secret},
    },
    domain::Draft,
    secret::{SecretError, SecretRef},
};

/// Fields of the body that say nothing about the lead.
const ASIDE: [&str; 3] = ["google_key", "api_version", "user_column_data"];
/// More columns than any form has.
const MAX_COLUMNS: usize = 200;

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let keys = section.required("google_key", one_or_more(secret()));
    let url_key = url_key::Spec::optional(section);
    let defaults = Defaults::read(section.table("defaults")).or("Google Ads", "Paid search");
    Some(Box::new(Spec { keys: keys?, url_key, defaults }))
}

#[derive(Debug)]
struct Spec {
    keys: Vec<SecretRef>,
    url_key: url_key::Spec,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.keys.iter().map(|key| ("google_key", key)).chain(self.url_key.secrets()).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let defaults = self.defaults.clone();
        Ok(Box::new(Google { keys: Tokens::open(&self.keys)?, url_key: self.url_key.open()?, defaults }))
    }
}

struct Google {
    keys: Tokens,
    url_key: UrlKey,
    defaults: Defaults,
}

impl Source for Google {
    fn verify(&self, request: &Inbound, _now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.url_key.check(request)?;
        let body = json::parse(&request.body, &Notes::default()).ok();
        let known =
            body.as_ref().and_then(|body| body.get("google_key")?.as_str()).is_some_and(|key| self.keys.knows(key));
        if known { Ok(by_content(&request.body)) } else { Err(Refusal::BadKey { place: "body" }) }
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let mut lead = Fields::of("google");
            let columns = root.below("/user_column_data").map_or(Ok(Vec::new()), |list| list.items(MAX_COLUMNS))?;
            for column in columns {
                let text = |key: &str| column.below(key).and_then(|node| node.flat());
                let (id, name) = (text("/column_id"), text("/column_name"));
                let Some(value) = text("/string_value") else { continue };
                // The id is the same in every language, the name is what the person read.
                if !id.as_ref().is_some_and(|id| lead.put_known(id, &value)) {
                    lead.answer(name.or(id).as_deref().unwrap_or("?"), &value);
                }
            }
            let about = root.value.as_object().into_iter().flatten();
            for (key, value) in about.filter(|(key, _)| !ASIDE.contains(&key.as_str())) {
                let node = Node { pointer: format!("/{key}"), value, notes: root.notes };
                // Zero is how Google writes that there is none.
                if let Some(text) = node.flat().filter(|text| text != "0") {
                    lead.put(key, &text);
                }
            }
            lead.identify();
            Ok(self.defaults.content(vec![Draft::Lead(lead.read("", root.notes)?)]))
        })
    }

    fn answer(&self, _request: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        Some(match ended {
            Ended::Accepted => reply(StatusCode::OK, &json!({})),
            Ended::NotUnderstood(error) => {
                reply(StatusCode::UNPROCESSABLE_ENTITY, &json!({"message": error.to_string()}))
            }
            Ended::Refused(Refusal::BadKey { place: "body" }) => {
                reply(StatusCode::UNAUTHORIZED, &json!({"message": "Invalid google_key"}))
            }
            Ended::Refused(refusal) => reply(StatusCode::UNAUTHORIZED, &json!({"message": refusal.to_string()})),
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::*;
    use crate::{
        domain::LeadDraft,
        sources::testing::{lead, open},
    };

    const KEY: &str = "shared-secret-key";

    fn google() -> Box<dyn Source> {
        open("kind = \"google\"\ngoogle_key = { file = \"SECRET\" }", KEY)
    }

    fn body() -> Value {
        json!({
            "lead_id": "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz-0123456789-AaBbCcDdEeFfGgHhIiJjKkLl",
            "api_version": "1.0", "form_id": 40_000_000_000u64, "campaign_id": 1_234_567_890, "adgroup_id": 20_000_000_000u64,
            "creative_id": 30_000_000_000u64, "asset_group_id": 0, "gcl_id": "TeSter-EAIaIQobChMI_invented",
            "google_key": KEY, "is_test": true, "lead_submit_time": "2026-11-20T10:00:00Z",
            "user_column_data": [
                {"column_id": "FULL_NAME", "column_name": "Full Name", "string_value": "سارة علي"},
                {"column_id": "EMAIL", "column_name": "User Email", "string_value": "sara@example.com"},
                {"column_id": "WORK_EMAIL", "string_value": "sara@acme.example"},
                {"column_id": "PHONE_NUMBER", "column_name": "User Phone", "string_value": "+966501234567"},
                {"column_id": "POSTAL_CODE", "string_value": "12211"},
                {"column_id": "what_is_your_budget?", "column_name": "ما هي الميزانية؟", "string_value": "500 ألف"}
            ]
        })
    }

    fn parse(body: &Value) -> LeadDraft {
        lead(google().as_ref(), body)
    }

    fn verify(source: &dyn Source, body: &[u8]) -> Result<Verified, Refusal> {
        source.verify(&Inbound { body: Bytes::copy_from_slice(body), ..Inbound::default() }, Utc::now())
    }

    #[test]
    fn a_documented_delivery_is_a_lead() {
        let lead = parse(&body());
        assert_eq!(lead.contact_name.as_deref(), Some("سارة علي"));
        assert_eq!((lead.email.as_deref(), lead.other_emails.len()), (Some("sara@example.com"), 1));
        assert_eq!((lead.phone.as_deref(), lead.zip.as_deref()), (Some("+966501234567"), Some("12211")));
        assert!(lead.test);
        assert_eq!(lead.answers, [("ما هي الميزانية؟".to_owned(), "500 ألف".to_owned())]);
        assert_eq!((lead.source.as_deref(), lead.medium.as_deref()), (Some("Google Ads"), Some("Paid search")));
        assert_eq!(lead.submitted_at.map(|time| time.to_rfc3339()).as_deref(), Some("2026-11-20T10:00:00+00:00"));
        let origin = &lead.origin;
        assert_eq!(origin.platform.as_deref(), Some("google"));
        assert_eq!(
            (origin.lead_id.as_deref(), lead.external_id.as_deref()),
            (body()["lead_id"].as_str(), body()["lead_id"].as_str())
        );
        assert_eq!(
            (origin.form_id.as_deref(), origin.campaign_id.as_deref()),
            (Some("40000000000"), Some("1234567890"))
        );
        assert_eq!((origin.adset_id.as_deref(), origin.ad_id.as_deref()), (Some("20000000000"), Some("30000000000")));
        assert_eq!(origin.click_ids["gclid"], "TeSter-EAIaIQobChMI_invented");
    }

    #[test]
    fn ids_may_be_text_and_unknown_fields_are_kept() {
        let mut body = body();
        body["form_id"] = json!("40000000000");
        body["is_test"] = json!(false);
        body["lead_stage"] = json!("QUALIFIED");
        body["new_thing"] = json!({"a": [1]});
        let lead = parse(&body);
        assert_eq!((lead.origin.form_id.as_deref(), lead.test), (Some("40000000000"), false));
        let last: Vec<_> = lead.answers.iter().skip(1).map(|(question, _)| question.as_str()).collect();
        assert_eq!(last, ["lead_stage", "new_thing"]);
    }

    #[test]
    fn only_the_configured_key_opens() {
        let google = google();
        let verified = verify(google.as_ref(), body().to_string().as_bytes()).expect("authentic");
        assert_eq!(verify(google.as_ref(), body().to_string().as_bytes()).map(|again| again.key), Ok(verified.key));
        for bad in [
            json!({"google_key": "shared-secret-keY"}),
            json!({"google_key": ""}),
            json!({"google_key": 5}),
            json!({}),
            json!([]),
        ] {
            assert_eq!(
                verify(google.as_ref(), bad.to_string().as_bytes()).map(|_| ()),
                Err(Refusal::BadKey { place: "body" })
            );
        }
        for bad in
            ["", "{", "google_key=shared-secret-key", "{\"google_key\":\"shared-secret-key\",\"google_key\":\"x\"}"]
        {
            assert!(verify(google.as_ref(), bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_a_lead_says_why() {
        for (bad, expected) in [
            (json!({"lead_id": "1"}), "body: a lead needs at least one of"),
            (json!({"user_column_data": {}}), "/user_column_data: expected a list, got an object"),
            (json!({"user_column_data": vec![json!({}); 201]}), "/user_column_data: at most 200 items"),
            (json!([1]), "body: a lead needs at least one of"),
        ] {
            let error = google().parse(bad.to_string().as_bytes()).expect_err("no lead").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let odd = json!({"user_column_data": [1, null, {"column_id": 7, "string_value": ["a", "b"]}, {"string_value": "c"},
                                              {"column_id": "EMAIL", "string_value": "x@y.sa"}]});
        let lead = parse(&odd);
        assert_eq!(lead.answers, [("7".to_owned(), "a, b".to_owned()), ("?".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn google_is_answered_as_it_wants() {
        let answer = |ended| {
            let response = google().answer(&HeaderMap::new(), ended).expect("its own");
            (response.status().as_u16(), response.into_body())
        };
        assert_eq!(answer(Ended::Accepted), (200, "{}".to_owned()));
        let refused = answer(Ended::Refused(&Refusal::BadKey { place: "body" }));
        assert_eq!(refused, (401, r#"{"message":"Invalid google_key"}"#.to_owned()));
    }
}
