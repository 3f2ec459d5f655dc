//! How one job stands, as people in Odoo see it; and what they may change of it.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::changes::format_utc;
use crate::{
    domain::{FieldValue, JobName, JobReport, OpResult, Operation},
    store::{JobDetail, JobKind, JobState},
};

/// Longer texts are cut, and values that are longer cannot be changed from Odoo.
const LONGEST: usize = 30_000;
/// Parts of names of values that are not shown, since they may be secrets.
const SUSPECT: [&str; 7] = ["secret", "token", "passw", "pwd", "key", "private", "signature"];

/// What Odoo is told of a job. `source` is that of its delivery.
pub(super) fn of(job: JobDetail, source: Option<String>) -> JobReport {
    let operation = operation(&job);
    let result = job.result.as_deref().and_then(|text| serde_json::from_str::<OpResult>(text).ok());
    let payload = match (&operation, &job.payload) {
        (Some(operation), _) => serde_json::to_string_pretty(&operation.values).ok(),
        (None, Some(payload)) if job.kind != JobKind::Push => pretty(payload),
        _ => None,
    };
    let is_whole = payload.as_ref().is_some_and(|payload| payload.len() <= LONGEST);
    let last = job.history.last();
    let parked_at = last.map_or(job.created_at, |attempt| attempt.started_at + attempt.duration_ms);
    JobReport {
        kind: job.kind.to_string(),
        state: job.state.as_str(),
        job: job.id,
        tries: last.map_or(0, |attempt| attempt.n),
        source: source.or_else(|| job.key.split_once(':').map(|(source, _)| source.to_owned())),
        summary: job.summary,
        error: job.error.map(cut),
        created_at: time(job.created_at),
        parked_at: if job.state == JobState::Parked { time(parked_at) } else { None },
        editable: operation.is_some() && is_whole,
        payload: payload.map(cut),
        // Of an operation the values are shown, which is what counts.
        delivery: if job.kind == JobKind::Intake { job.delivery.and_then(|body| pretty(&body)).map(cut) } else { None },
        id: result.and_then(|result| result.id),
        model: operation.map(|operation| operation.model.as_str()),
        refused: None,
        key: job.key,
    }
}

/// A job that the store does not know (any more).
pub(super) fn gone(name: &JobName) -> JobReport {
    JobReport { kind: name.kind.clone(), key: name.key.clone(), state: "gone", ..JobReport::default() }
}

/// The payload with other values.
pub(super) fn edited(job: &JobDetail, values: &str) -> Result<String, String> {
    let operation = operation(job).ok_or("only the values of an operation can be changed")?;
    let values: BTreeMap<String, FieldValue> =
        serde_json::from_str(values).map_err(|error| format!("the values cannot be read: {error}"))?;
    serde_json::to_string(&Operation { values, ..operation }).map_err(|error| error.to_string())
}

fn operation(job: &JobDetail) -> Option<Operation> {
    let payload = job.payload.as_deref().filter(|_| job.kind == JobKind::Push)?;
    serde_json::from_str(payload).ok()
}

/// JSON to be read by people, without what may be a secret. What is no JSON is not shown: nobody knows what is in it.
fn pretty(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    mask(&mut value);
    serde_json::to_string_pretty(&value).ok()
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(object) => mask_object(object),
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn mask_object(object: &mut Map<String, Value>) {
    for (name, value) in object {
        let name = name.to_lowercase();
        if value.is_string() && SUSPECT.iter().any(|part| name.contains(part)) {
            *value = "•••".into();
        } else {
            mask(value);
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn time(ms: i64) -> Option<String> {
    DateTime::from_timestamp_millis(ms).map(format_utc)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Attempt, Lane};

    fn job(kind: JobKind, payload: Option<Value>) -> JobDetail {
        JobDetail {
            id: 7,
            kind,
            lane: Lane::Live,
            key: "website:lead:1:0".to_owned(),
            record_key: None,
            summary: "crm.lead upsert".to_owned(),
            state: JobState::Parked,
            not_before: 0,
            attempts: 1,
            error: Some("ValidationError: no".to_owned()),
            result: None,
            delivery_id: None,
            created_at: 1_700_000_000_000,
            payload: payload.map(|payload| payload.to_string()),
            delivery: None,
            history: vec![Attempt {
                n: 3,
                started_at: 1_700_000_060_000,
                duration_ms: 1_000,
                outcome: "parked".to_owned(),
                error: None,
            }],
        }
    }

    fn push() -> JobDetail {
        let values = json!({"name": {"plain": "Villa"}, "team_id": {"lookup": {"kind": "team", "key": "Riyadh"}}});
        let operation = json!({"key": "website:lead:1:0", "model": "crm.lead", "action": "upsert",
                               "ref": "website:1", "values": values, "silent": true});
        job(JobKind::Push, Some(operation))
    }

    #[test]
    fn an_operation_shows_its_values_and_takes_others() {
        let told = of(push(), None);
        assert_eq!((told.tries, told.source.as_deref(), told.editable), (3, Some("website"), true));
        assert_eq!(told.parked_at.as_deref(), Some("2023-11-14 22:14:21"));
        let shown: Value = serde_json::from_str(told.payload.as_deref().expect("values")).expect("JSON");
        assert_eq!(shown["team_id"]["lookup"]["key"], "Riyadh");

        let payload = edited(&push(), r#"{"name": {"plain": "Flat"}}"#).expect("taken");
        let operation: Operation = serde_json::from_str(&payload).expect("an operation");
        assert_eq!(operation.values, BTreeMap::from([("name".to_owned(), FieldValue::Plain(json!("Flat")))]));
        assert_eq!((operation.key.as_str(), operation.silent), ("website:lead:1:0", true), "the rest is as it was");
        for (bad, words) in
            [("[]", "cannot be read"), ("{\"name\": \"Flat\"}", "cannot be read"), ("nonsense", "cannot be read")]
        {
            let error = edited(&push(), bad).expect_err(bad);
            assert!(error.contains(words), "{error}");
        }
        assert!(edited(&job(JobKind::Fetch, Some(json!({}))), "{}").is_err());
    }

    #[test]
    fn a_delivery_is_shown_without_secrets() {
        let body = json!({"google_key": "s3cret", "lead": [{"name": "Sara", "Access_Token": "x", "monkey": 5}]});
        let delivery = Some(body.to_string());
        let told = of(JobDetail { delivery, ..job(JobKind::Intake, None) }, Some("google".to_owned()));
        let shown: Value = serde_json::from_str(told.delivery.as_deref().expect("shown")).expect("JSON");
        assert_eq!(shown, json!({"google_key": "•••", "lead": [{"name": "Sara", "Access_Token": "•••", "monkey": 5}]}));
        assert_eq!((told.source.as_deref(), told.editable), (Some("google"), false));

        let noise = JobDetail { delivery: Some("key=s3cret&a=b".to_owned()), ..job(JobKind::Intake, None) };
        assert_eq!(of(noise, None).delivery, None, "what is no JSON may be anything");
        let long = JobDetail { error: Some("é".repeat(LONGEST + 1)), ..push() };
        assert_eq!(of(long, None).error.expect("why").chars().count(), LONGEST + 1);
    }
}
