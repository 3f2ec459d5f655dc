//! LinkedIn's REST API: GETs with a version, what their errors mean, and what is known about a token.
//!
//! Structures in a query keep their parentheses and colons; only what they hold is encoded. So queries come here whole.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::super::{
    platform::FetchError,
    remote::{Answer, Remote, words},
};

/// How long to leave it alone when it does not say itself.
pub(super) const LIMITED: Duration = Duration::from_secs(15 * 60);
pub(super) const NEW_TOKEN: &str = "make a new token for the app (Developer portal → your app → Auth → OAuth 2.0 tools) with \
                         r_marketing_leadgen_automation and put it where `token` of this source points to, or its \
                         refresh token where `refresh_token` does";

/// A client for the API.
pub(super) struct Rest {
    remote: Remote,
    /// With a slash at its end.
    base: Url,
    version: String,
}

impl Rest {
    pub(super) fn new(base: &Url, version: &str) -> Self {
        let remote = Remote::new(base);
        Self { remote, base: with_slash(base), version: version.to_owned() }
    }

    /// Asks for what is at `path`; `query` is encoded already.
    pub(super) async fn ask(&self, path: &str, query: &str, token: &SecretString) -> Result<Answer, FetchError> {
        let mut url = self.base.join(path).map_err(|error| FetchError::Refused(error.to_string()))?;
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let request = |http: &reqwest::Client| {
            let request = http.get(url).bearer_auth(token.expose_secret());
            request.header("LinkedIn-Version", &self.version).header("X-Restli-Protocol-Version", "2.0.0")
        };
        self.remote.send(request).await
    }
}

fn with_slash(base: &Url) -> Url {
    let mut base = base.clone();
    base.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    base
}

/// What LinkedIn says when it refuses. The shape is not certain, so that nothing in it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: Option<Value>,
    message: Option<String>,
}

/// Reads an answer.
pub(super) fn read(answer: &Answer) -> Result<Value, FetchError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
    let said = body.as_ref().map(|body| Problem::deserialize(body).unwrap_or_default());
    match (answer.status, body) {
        (200..=299, Some(body)) => Ok(body),
        (200..=299, None) => {
            Err(FetchError::Unreachable("its answer is not JSON: is something in between?".to_owned()))
        }
        (status, _) => Err(classify(status, said, answer.retry_after())),
    }
}

fn classify(status: u16, said: Option<Problem>, retry_after: Option<Duration>) -> FetchError {
    let own_words = said.is_some();
    let Problem { code, message } = said.unwrap_or_default();
    let code = code.map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned)).unwrap_or_default();
    let detail = words(format!("HTTP {status} {code} {}", message.unwrap_or_default()).trim_end());
    let denied = |detail, hint: &str| FetchError::Denied { detail, hint: hint.to_owned() };
    match status {
        401 => denied(detail, NEW_TOKEN),
        403 => denied(
            detail,
            "a permission is missing: the app needs the product Lead Sync API, the token the scope \
             r_marketing_leadgen_automation, and its member a role on the ad account or page",
        ),
        426 => {
            denied(detail, "this version of the API is retired: set `version` of this source to a newer one (YYYYMM)")
        }
        429 => FetchError::Limited { detail, wait: retry_after.unwrap_or(LIMITED) },
        404 | 410 if own_words => FetchError::Missing(detail),
        400 | 405 | 414 | 422 if own_words => FetchError::Refused(detail),
        500..=599 => FetchError::Unreachable(detail),
        _ if !own_words => FetchError::Unreachable(format!("HTTP {status} without LinkedIn's own words")),
        _ => FetchError::Failed(detail),
    }
}

/// LinkedIn's OAuth, as one app asks it.
pub(super) struct App {
    remote: Remote,
    /// With a slash at its end.
    base: Url,
    client_id: String,
    client_secret: SecretString,
}

impl App {
    pub(super) fn new(base: &Url, client_id: String, client_secret: SecretString) -> Self {
        Self { remote: Remote::new(base), base: with_slash(base), client_id, client_secret }
    }

    /// Sends a form in the app's name.
    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, FetchError> {
        let url = self.base.join(path).map_err(|error| FetchError::Refused(error.to_string()))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.remote.send(|http| http.post(url).header("content-type", kind).body(form)).await
    }
}

/// Asks what is known about a token.
pub(super) struct Introspection {
    app: App,
}

/// What is known about a token. Nothing in it is certain to be there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TokenState {
    /// Why it is of no use any more.
    pub ended: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
}

impl Introspection {
    pub(super) fn new(app: App) -> Self {
        Self { app }
    }

    pub(super) async fn of(&self, token: &SecretString) -> Result<TokenState, FetchError> {
        let answer = self.app.post("introspectToken", &[("token", token.expose_secret())]).await?;
        Ok(state_of(&read(&answer)?))
    }
}

fn state_of(answer: &Value) -> TokenState {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let ended = answer.get("active") == Some(&Value::Bool(false));
    let ended = ended.then(|| format!("the token is {}", words(text("status").unwrap_or("not active any more"))));
    let expires_at = answer.get("expires_at").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    let scopes = text("scope").map(|scopes| {
        let scopes = scopes.split([',', ' ']).map(str::trim).filter(|scope| !scope.is_empty());
        scopes.map(str::to_owned).collect()
    });
    TokenState { ended, expires_at: expires_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)), scopes }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn error(status: u16, body: &str, headers: &[(&'static str, &str)]) -> FetchError {
        let header = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().expect("a value"))
        };
        let headers: HeaderMap = headers.iter().map(header).collect();
        read(&Answer { status, headers, body: body.as_bytes().to_vec() }).expect_err("an error")
    }

    #[test]
    fn errors_are_told_apart_by_their_status() {
        let own = r#"{"status":0,"serviceErrorCode":65600,"code":"INVALID_ACCESS_TOKEN","message":"Empty oauth2 access token"}"#;
        for (status, body, expected) in [
            (401, own, "refuses: HTTP 401 INVALID_ACCESS_TOKEN Empty oauth2 access token"),
            (401, "", "refuses: HTTP 401"),
            (403, own, "refuses: "),
            (426, "", "refuses: "),
            (429, "", "wants fewer requests: "),
            (404, own, "does not have it: "),
            (404, "<html>", "cannot be reached: HTTP 404 without LinkedIn's own words"),
            (400, own, "refuses this request: "),
            (422, own, "refuses this request: "),
            (409, own, "failed: "),
            (302, "", "cannot be reached: "),
            (500, own, "cannot be reached: "),
            (503, "", "cannot be reached: "),
            (200, "<html>log in</html>", "cannot be reached: its answer is not JSON"),
            (200, "[]", "cannot be reached: its answer is not JSON"),
            (400, r#"{"code":7,"message":null}"#, "refuses this request: HTTP 400 7"),
        ] {
            let error = error(status, body, &[]).to_string();
            assert!(error.starts_with(expected), "{status}: {error}");
        }
        let FetchError::Limited { wait, .. } = error(429, own, &[("retry-after", "70")]) else { panic!("limited") };
        assert_eq!(wait, Duration::from_secs(70));
        for nonsense in ["soon", "-1", ""] {
            let FetchError::Limited { wait, .. } = error(429, "", &[("retry-after", nonsense)]) else {
                panic!("limited")
            };
            assert_eq!(wait, LIMITED, "{nonsense}");
        }
    }

    #[test]
    fn a_token_is_known_by_what_is_said_of_it() {
        let state = state_of(&json!({"active": true, "expires_at": 1_497_497_620, "scope": "r_ads,r_basicprofile"}));
        assert_eq!(state.ended, None);
        assert_eq!(state.expires_at.map(|end| end.timestamp()), Some(1_497_497_620));
        assert_eq!(state.scopes, Some(vec!["r_ads".to_owned(), "r_basicprofile".to_owned()]));
        let revoked = state_of(&json!({"active": false, "status": "revoked"}));
        assert_eq!(revoked.ended.as_deref(), Some("the token is revoked"));
        assert_eq!(state_of(&json!({"active": "yes", "expires_at": "soon", "scope": 7})), TokenState::default());
    }
}
