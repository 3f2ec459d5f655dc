//! TikTok API for Business: one lead by its id, and what its errors mean.
//!
//! The token goes into a header of its own, without `Bearer`. Errors come with HTTP 200 and a code.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::super::{
    platform::{Account, FetchError, Found, Platform, Reference},
    remote::{Answer, KeptToken, Remote, words},
};

/// How long to leave it alone when it does not say itself.
const LIMITED: Duration = Duration::from_secs(60);
const MAX_ID: usize = 64;

/// Whether this can be an id.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What is asked with one token.
pub(super) struct Business {
    remote: Remote,
    base: Url,
    token: KeptToken,
}

impl Business {
    pub(super) fn new(base: &Url, token: KeptToken) -> Self {
        let remote = Remote::new(base);
        let mut base = base.clone();
        base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
        Self { remote, base, token }
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, FetchError> {
        let mut url = self.base.join(path).map_err(|error| FetchError::Refused(error.to_string()))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let token: SecretString = self.token.get().await?;
        let answer = self.remote.send(|http| http.get(url).header("Access-Token", token.expose_secret())).await?;
        let read = read(&answer);
        if matches!(read, Err(FetchError::Denied { .. })) {
            self.token.forget();
        }
        read
    }
}

/// TikTok lists leads only as files that it prepares: nothing is looked through.
#[async_trait]
impl Platform for Business {
    async fn lead(&self, reference: &Reference) -> Result<Found, FetchError> {
        let optional = [("advertiser_id", &reference.account), ("page_id", &reference.form_id)];
        let optional = optional.into_iter().filter_map(|(name, id)| Some((name, id.as_deref()?)));
        let lead = [("lead_id", reference.lead_id.as_str()), ("lead_source", "INSTANT_FORM")];
        let parameters: Vec<_> = lead.into_iter().chain(optional).collect();
        let data = self.get("lead/get/", &parameters).await?;
        if data.get("lead_data").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
            return Err(FetchError::Missing("its answer holds no `lead_data`".to_owned()));
        }
        // Answers come under the words of their questions: there is no form to be read.
        let (lead_id, form) = (reference.lead_id.clone(), Some(Value::Null));
        Ok(Found { lead_id, form_id: None, created_at: None, body: data, form })
    }

    async fn account(&self, _: &str) -> Result<Account, FetchError> {
        Err(FetchError::Refused("advertisers have no names here".to_owned()))
    }

    fn if_missing(&self) -> Option<&'static str> {
        Some("the token needs the permission to read leads of this advertiser, and TikTok keeps them for 90 days")
    }
}

/// Reads an answer: its `data`.
fn read(answer: &Answer) -> Result<Value, FetchError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok();
    let code = body.as_ref().and_then(|body| body.get("code")).and_then(Value::as_i64);
    let text = body.as_ref().and_then(|body| body.get("message")).and_then(Value::as_str).unwrap_or_default();
    match (answer.status, code) {
        (200..=299, Some(0)) => {
            let data = body.and_then(|mut body| body.get_mut("data").map(Value::take));
            data.ok_or_else(|| FetchError::Failed("its answer has no `data`".to_owned()))
        }
        (_, Some(code)) => Err(classify(code, words(&format!("{code} {text}")), answer.retry_after())),
        (429, None) => {
            let wait = answer.retry_after().unwrap_or(LIMITED);
            Err(FetchError::Limited { detail: "HTTP 429".to_owned(), wait })
        }
        (200..=299, None) => {
            Err(FetchError::Unreachable("its answer is not TikTok's: is something in between?".to_owned()))
        }
        (status, None) => Err(FetchError::Unreachable(format!("HTTP {status} without TikTok's own words"))),
    }
}

fn classify(code: i64, detail: String, retry_after: Option<Duration>) -> FetchError {
    let denied = |detail, hint: &str| FetchError::Denied { detail, hint: hint.to_owned() };
    match code {
        40_100 => FetchError::Limited { detail, wait: retry_after.unwrap_or(LIMITED) },
        40_105 => denied(detail, "make a new token for the app and put it where `token` of this source points to"),
        40_001 => denied(detail, "a permission is missing: the token needs lead management of this advertiser"),
        40_002 => FetchError::Refused(detail),
        50_000..=51_999 | 60_001 => FetchError::Unreachable(detail),
        _ => FetchError::Failed(detail),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_told_apart_by_code() {
        let read =
            |status, body: &str| read(&Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() });
        let coded = |code: i64| json!({"code": code, "message": "words", "request_id": "1", "data": {}}).to_string();
        for (status, body, expected) in [
            (200, coded(40_100), "wants fewer requests: 40100 words"),
            (200, coded(40_105), "refuses: 40105 words"),
            (401, coded(40_105), "refuses: 40105 words"),
            (200, coded(40_001), "refuses: "),
            (200, coded(40_002), "refuses this request: "),
            (200, coded(50_000), "cannot be reached: "),
            (200, coded(51_234), "cannot be reached: "),
            (200, coded(60_001), "cannot be reached: "),
            (200, coded(40_999), "failed: "),
            (200, json!({"code": 0, "message": "OK"}).to_string(), "failed: its answer has no `data`"),
            (200, "<html>".to_owned(), "cannot be reached: its answer is not TikTok's"),
            (200, json!({"code": "0"}).to_string(), "cannot be reached: its answer is not TikTok's"),
            (503, String::new(), "cannot be reached: HTTP 503"),
            (429, String::new(), "wants fewer requests: "),
        ] {
            let error = read(status, &body).expect_err(&body).to_string();
            assert!(error.starts_with(expected), "{status} {body}: {error}");
        }
        assert_eq!(read(200, r#"{"code":0,"data":{"lead_data":{}}}"#), Ok(json!({"lead_data": {}})));
    }
}
