//! The token that LinkedIn is asked with: one that a person makes every 60 days, or those that the daemon makes itself by
//! a refresh token, which lives a year.
//!
//! Made tokens are nowhere but in memory: a start makes a new one, so does the end of one that comes near, and a refusal.
//! LinkedIn's refresh token stays the same all its life, so that the configured one does until a person makes another.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{
    super::{
        platform::FetchError,
        remote::{Answer, KeptToken, words},
    },
    rest::{App, LIMITED},
};
use crate::config::{DAY, SECOND};

/// How long a token is used that LinkedIn gives no end.
const UNTOLD: Duration = DAY;
/// How soon it is tried again to replace a token that is still good.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// So long those who ask at the same time share a failure.
const SHARED: Duration = Duration::from_secs(3);

/// Where tokens come from.
pub(super) enum Token {
    /// A person makes them.
    Kept(KeptToken),
    /// The daemon makes them.
    Made(Box<Renewal>),
}

impl Token {
    pub(super) async fn get(&self) -> Result<SecretString, FetchError> {
        match self {
            Self::Kept(token) => token.get().await,
            Self::Made(renewal) => renewal.get().await,
        }
    }

    /// Another one in place of a token that LinkedIn does not know any more, if one can be made.
    pub(super) async fn instead_of(&self, refused: &SecretString) -> Result<Option<SecretString>, FetchError> {
        match self {
            Self::Kept(_) => Ok(None),
            Self::Made(renewal) => renewal.instead_of(refused).await.map(Some),
        }
    }

    /// Something was refused: what a person has made meanwhile is used.
    pub(super) fn forget(&self) {
        match self {
            Self::Kept(token) => token.forget(),
            Self::Made(renewal) => renewal.refresh_token.forget(),
        }
    }
}

/// Makes tokens by a refresh token.
pub(super) struct Renewal {
    app: App,
    refresh_token: KeptToken,
    /// Whoever needs another token makes it alone.
    made: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Made>,
    /// The last failure.
    failed: Option<(DateTime<Utc>, FetchError)>,
}

struct Made {
    token: SecretString,
    expires_at: DateTime<Utc>,
    /// From then on it is replaced.
    replace_at: DateTime<Utc>,
    /// When the refresh token ends, if LinkedIn says so.
    last_at: Option<DateTime<Utc>>,
}

/// How it stands with the refresh token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    /// When it ends, if LinkedIn says so.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why no token could be made when the one that is in use should have been replaced.
    pub trouble: Option<String>,
}

impl Renewal {
    pub(super) fn new(app: App, refresh_token: KeptToken) -> Self {
        Self { app, refresh_token, made: Mutex::default() }
    }

    async fn get(&self) -> Result<SecretString, FetchError> {
        let mut state = self.made.lock().await;
        let now = Utc::now();
        if let Some(made) = state.token.as_ref().filter(|made| now < made.replace_at) {
            return Ok(made.token.clone());
        }
        let error = match self.replace(&mut state).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        let made = state.token.as_mut().filter(|made| now < made.expires_at).ok_or_else(|| error.clone())?;
        warn!(%error, "the token for LinkedIn cannot be renewed yet; the one before is still good");
        made.replace_at = (now + AGAIN).min(made.expires_at);
        Ok(made.token.clone())
    }

    async fn instead_of(&self, refused: &SecretString) -> Result<SecretString, FetchError> {
        let mut state = self.made.lock().await;
        if let Some(made) = &state.token {
            if made.token.expose_secret() != refused.expose_secret() {
                return Ok(made.token.clone());
            }
            state.token = None;
        }
        self.replace(&mut state).await
    }

    pub(super) async fn outlook(&self) -> Outlook {
        let state = self.made.lock().await;
        let trouble = state.failed.as_ref().map(|(_, error)| match error {
            FetchError::Denied { hint, .. } => format!("{error}: {hint}"),
            error => error.to_string(),
        });
        Outlook { expires_at: state.token.as_ref().and_then(|made| made.last_at), trouble }
    }

    async fn replace(&self, state: &mut State) -> Result<SecretString, FetchError> {
        let now = Utc::now();
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at <= now && now < *at + SHARED) {
            return Err(error.clone());
        }
        match self.make().await {
            Ok(made) => {
                info!(until = %made.expires_at.format("%Y-%m-%d %H:%M"), "made a token for LinkedIn");
                let token = made.token.clone();
                *state = State { token: Some(made), failed: None };
                Ok(token)
            }
            Err(error) => {
                if matches!(error, FetchError::Denied { .. }) {
                    self.refresh_token.forget();
                }
                state.failed = Some((Utc::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn make(&self) -> Result<Made, FetchError> {
        let refresh_token = self.refresh_token.get().await?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        let answer = self.app.post("accessToken", &form).await?;
        read(&answer, Utc::now())
    }
}

/// What LinkedIn says when it refuses. The shape is OAuth's, or that of its API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

/// Reads an answer. None of its parts but the token is needed.
fn read(answer: &Answer, now: DateTime<Utc>) -> Result<Made, FetchError> {
    let body = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
    let Some(body) = body.filter(|_| answer.status != 429 && answer.status < 500) else {
        return Err(match answer.status {
            429 => FetchError::Limited {
                detail: "HTTP 429 for a token".to_owned(),
                wait: answer.retry_after().unwrap_or(LIMITED),
            },
            status => FetchError::Unreachable(format!("HTTP {status} without LinkedIn's own words")),
        });
    };
    let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let Some(token) = token.filter(|_| (200..300).contains(&answer.status)) else {
        return Err(refused(answer.status, Problem::deserialize(&body).unwrap_or_default()));
    };
    let seconds = |key: &str| {
        let value = body.get(key)?;
        let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        Some(Duration::from_secs(seconds).clamp(SECOND, 4_000 * DAY))
    };
    let lives = seconds("expires_in").unwrap_or(UNTOLD);
    Ok(Made {
        token: token.to_owned().into(),
        expires_at: now + lives,
        // Ten days before the end of sixty.
        replace_at: now + lives / 6 * 5,
        last_at: seconds("refresh_token_expires_in").map(|left| now + left),
    })
}

fn refused(status: u16, problem: Problem) -> FetchError {
    let code = problem.error.unwrap_or_default();
    let said = problem.error_description.or(problem.message).unwrap_or_default();
    let detail = words(format!("the refresh token: HTTP {status} {code} {said}").trim_end());
    let hint = match code.as_str() {
        "invalid_client" | "unauthorized_client" => {
            "check `client_id` and `client_secret` of this source, and that LinkedIn lets the app have refresh tokens"
        }
        _ => {
            "it has ended or was revoked: make a new one for the app (Developer portal → your app → Auth → OAuth 2.0 \
             tools) and put it where `refresh_token` of this source points to"
        }
    };
    FetchError::Denied { detail, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use http::HeaderMap;
    use serde_json::json;
    use url::Url;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_string, method, path},
    };

    use super::*;
    use crate::secret::SecretRef;

    fn answer(status: u16, body: &str) -> Result<Made, FetchError> {
        let answer = Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
        read(&answer, DateTime::from_timestamp(1_700_000_000, 0).expect("a time"))
    }

    #[test]
    fn of_an_answer_only_the_token_is_needed() {
        let days = |body: Value| {
            let made = answer(200, &body.to_string()).expect("a token");
            let after = |time: DateTime<Utc>| (time.timestamp() - 1_700_000_000) as f64 / 86_400.0;
            (
                made.token.expose_secret().to_owned(),
                after(made.expires_at),
                after(made.replace_at),
                made.last_at.map(after),
            )
        };
        let good = json!({"access_token": "AQX", "expires_in": 5_184_000, "refresh_token": "AQR",
                          "refresh_token_expires_in": 31_536_000, "scope": "r_ads"});
        assert_eq!(days(good), ("AQX".to_owned(), 60.0, 50.0, Some(365.0)));
        let texts = json!({"access_token": "AQX", "expires_in": "864000", "refresh_token_expires_in": "soon"});
        assert_eq!(days(texts), ("AQX".to_owned(), 10.0, 10.0 / 6.0 * 5.0, None));
        assert_eq!(days(json!({"access_token": "AQX"})).1, 1.0);
        assert_eq!(days(json!({"access_token": "AQX", "expires_in": u64::MAX})).1, 4_000.0);
    }

    #[test]
    fn refusals_are_told_from_outages() {
        for (status, body, expected, hint) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"revoked"}"#,
                "refuses: the refresh token: HTTP 400",
                "`refresh_token`",
            ),
            (401, r#"{"error":"invalid_client"}"#, "refuses: ", "`client_secret`"),
            (
                403,
                r#"{"message":"no","serviceErrorCode":100}"#,
                "refuses: the refresh token: HTTP 403  no",
                "`refresh_token`",
            ),
            (200, r#"{"access_token":""}"#, "refuses: ", "`refresh_token`"),
            (200, r#"{"access_token":7}"#, "refuses: ", "`refresh_token`"),
            (500, r#"{"error":"x"}"#, "cannot be reached: HTTP 500", ""),
            (503, "", "cannot be reached: ", ""),
            (200, "<html>log in</html>", "cannot be reached: ", ""),
            (400, "<html>", "cannot be reached: ", ""),
            (429, "{}", "wants fewer requests: ", ""),
        ] {
            let Err(error) = answer(status, body) else { panic!("{status} {body}") };
            assert!(error.to_string().starts_with(expected), "{status} {body}: {error}");
            let told = if let FetchError::Denied { hint, .. } = &error { hint } else { "" };
            assert!(told.contains(hint) && told.is_empty() == hint.is_empty(), "{status} {body}: {told}");
        }
    }

    fn renewal(server: &MockServer) -> Renewal {
        let base = Url::parse(&format!("{}/oauth/v2", server.uri())).expect("a URL");
        let kept = KeptToken::new(SecretRef::Env("NONE".to_owned()), "AQR+1".to_owned().into());
        Renewal::new(App::new(&base, "77abc".to_owned(), "shh".to_owned().into()), kept)
    }

    /// From now on LinkedIn answers so, as often as this.
    async fn answers(server: &MockServer, status: u16, body: Value, times: u64) {
        let form = "grant_type=refresh_token&refresh_token=AQR%2B1&client_id=77abc&client_secret=shh";
        let request = Mock::given(method("POST")).and(path("/oauth/v2/accessToken")).and(body_string(form));
        let answer = request.respond_with(ResponseTemplate::new(status).set_body_json(body));
        answer.up_to_n_times(times).expect(times).mount(server).await;
    }

    fn token(name: &str) -> Value {
        json!({"access_token": name, "expires_in": 5_184_000})
    }

    async fn got(renewal: &Renewal) -> String {
        renewal.get().await.expect("a token").expose_secret().to_owned()
    }

    /// The token's time has come to be replaced; it is still good, or not.
    async fn age(renewal: &Renewal, is_good: bool) {
        let mut state = renewal.made.lock().await;
        let made = state.token.as_mut().expect("a token");
        made.replace_at = Utc::now();
        made.expires_at = Utc::now() + TimeDelta::hours(if is_good { 1 } else { -1 });
    }

    #[tokio::test]
    async fn one_token_is_made_and_another_before_it_ends() {
        let server = MockServer::start().await;
        let renewal = renewal(&server);
        answers(&server, 200, token("first"), 1).await;
        let all = futures_util::future::join_all((0..8).map(|_| got(&renewal))).await;
        assert!(all.iter().all(|token| token == "first"), "{all:?}");
        age(&renewal, true).await;
        answers(&server, 200, token("second"), 1).await;
        assert_eq!([got(&renewal).await, got(&renewal).await], ["second", "second"]);
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once() {
        let server = MockServer::start().await;
        let renewal = renewal(&server);
        answers(&server, 200, token("first"), 1).await;
        let first = renewal.get().await.expect("a token");
        answers(&server, 200, token("second"), 1).await;
        for _ in 0..3 {
            let other = renewal.instead_of(&first).await.expect("another");
            assert_eq!(other.expose_secret(), "second");
        }
        assert_eq!(got(&renewal).await, "second");
    }

    #[tokio::test]
    async fn what_is_still_good_is_used_while_no_other_can_be_made() {
        let server = MockServer::start().await;
        let renewal = renewal(&server);
        answers(&server, 200, token("first"), 1).await;
        assert_eq!(got(&renewal).await, "first");
        assert_eq!(renewal.outlook().await.trouble, None);
        age(&renewal, true).await;
        answers(&server, 503, json!({}), 1).await;
        assert_eq!([got(&renewal).await, got(&renewal).await], ["first", "first"]);
        let trouble = renewal.outlook().await.trouble.expect("told");
        assert!(trouble.starts_with("cannot be reached"), "{trouble}");
        // Those who ask at the same time share the failure; then it is tried again.
        age(&renewal, false).await;
        for _ in 0..2 {
            assert!(matches!(renewal.get().await, Err(FetchError::Unreachable(_))));
        }
        renewal.made.lock().await.failed.as_mut().expect("failed").0 -= TimeDelta::seconds(4);
        answers(&server, 200, token("second"), 1).await;
        assert_eq!(got(&renewal).await, "second");
        assert_eq!(renewal.outlook().await, Outlook::default());
    }

    #[tokio::test]
    async fn a_refused_refresh_token_is_read_anew() {
        let server = MockServer::start().await;
        let renewal = renewal(&server);
        answers(&server, 400, json!({"error": "invalid_grant"}), 1).await;
        let Err(FetchError::Denied { hint, .. }) = renewal.get().await else { panic!("denied") };
        assert!(hint.contains("`refresh_token`"), "{hint}");
        renewal.made.lock().await.failed = None;
        // Its place is an environment variable that nobody has set.
        let Err(FetchError::Denied { detail, .. }) = renewal.get().await else { panic!("denied") };
        assert!(detail.contains("cannot be read"), "{detail}");
    }
}
