//! The Graph API: one GET after the other, and what its errors mean.
//!
//! - The token goes into a header, so that no URL holds it; each request proves that it knows the app's secret too.
//! - `X-App-Usage` and `X-Business-Use-Case-Usage` tell how much of the budget is used: from three quarters on, requests
//!   are spread, and those that would have to wait long are not made.
//! - Errors are told apart by code and never by text.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::{
    hex_key::HexKey,
    platform::FetchError,
    remote::{Remote, words},
};

/// Percent of the budget from which on requests are spread.
const SPREAD_FROM: f64 = 75.0;
/// The time between two requests when all of the budget is used.
const WIDEST: Duration = Duration::from_secs(30);
/// Whoever would wait longer is told to come back instead.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to leave it alone when it does not say itself.
const LIMITED: Duration = Duration::from_secs(5 * 60);

/// What differs between those that ask.
#[derive(Debug, Clone, Copy)]
pub(in crate::sources) struct Purpose {
    /// What to do when a permission is missing.
    pub permissions: &'static str,
    /// Whether an error, by code and subcode, is about the one thing that was asked for and nothing else.
    pub is_missing: fn(i64, i64) -> bool,
}

/// A client for one app.
pub(in crate::sources) struct Graph {
    purpose: Purpose,
    remote: Remote,
    /// With the version, and a slash at its end.
    base: Url,
    proof: HexKey,
    pace: Mutex<Pace>,
}

impl Graph {
    pub(in crate::sources) fn new(base: &Url, version: &str, app_secret: HexKey, purpose: Purpose) -> Self {
        let remote = Remote::new(base);
        let mut base = base.clone();
        base.set_path(&format!("{}/{version}/", base.path().trim_end_matches('/')));
        Self { purpose, remote, base, proof: app_secret, pace: Mutex::default() }
    }

    /// Reads what is at `path` with its parameters.
    pub(in crate::sources) async fn get(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        token: &SecretString,
    ) -> Result<Value, FetchError> {
        let mut url = self.base.join(path).map_err(|error| FetchError::Refused(error.to_string()))?;
        let wait = self.pace().turn(Instant::now())?;
        tokio::time::sleep(wait).await;
        let proof = self.proof.code(token.expose_secret().as_bytes());
        url.query_pairs_mut().extend_pairs(parameters).append_pair("appsecret_proof", &proof);
        let answer = self.remote.send(|http| http.get(url).bearer_auth(token.expose_secret())).await?;
        let regain = self.pace().note(&answer.headers, Instant::now());
        read(answer.status, &answer.body, regain, self.purpose)
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the next request may go.
#[derive(Debug, Default)]
struct Pace {
    next: Option<Instant>,
    spacing: Duration,
}

impl Pace {
    /// Takes the next turn: how long to wait for it.
    fn turn(&mut self, now: Instant) -> Result<Duration, FetchError> {
        let at = self.next.map_or(now, |next| next.max(now));
        let wait = at - now;
        if wait > PATIENCE {
            let detail = "most of the budget for requests is used".to_owned();
            return Err(FetchError::Limited { detail, wait });
        }
        self.next = Some(at + self.spacing);
        Ok(wait)
    }

    /// Heeds what the answer says about the budget. Returns when there will be one again, if there is none.
    fn note(&mut self, headers: &HeaderMap, now: Instant) -> Option<Duration> {
        let usage = Usage::read(headers);
        self.spacing = spacing(usage.percent);
        if usage.regain.is_some() || !self.spacing.is_zero() {
            let pause = usage.regain.unwrap_or_default().max(self.spacing);
            self.next = Some(self.next.unwrap_or(now).max(now + pause));
        }
        usage.regain
    }
}

/// The time between two requests at a use of `percent`.
fn spacing(percent: f64) -> Duration {
    WIDEST.mul_f64(((percent - SPREAD_FROM) / (100.0 - SPREAD_FROM)).clamp(0.0, 1.0))
}

/// How much of the budget is used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Usage {
    percent: f64,
    regain: Option<Duration>,
}

/// One of the objects in the headers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counters {
    call_count: f64,
    total_time: f64,
    total_cputime: f64,
    estimated_time_to_regain_access: u64,
}

impl Usage {
    /// The worst that any header says. What cannot be read says nothing.
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let app = serde_json::from_str::<Counters>(text("x-app-usage")).ok();
        let business: std::collections::BTreeMap<String, Vec<Counters>> =
            serde_json::from_str(text("x-business-use-case-usage")).unwrap_or_default();
        let all = app.into_iter().chain(business.into_values().flatten());
        all.fold(Self::default(), |usage, one| {
            let regain = Duration::from_secs(one.estimated_time_to_regain_access.min(24 * 60) * 60);
            Self {
                percent: usage.percent.max(one.call_count).max(one.total_time).max(one.total_cputime),
                regain: usage.regain.max((!regain.is_zero()).then_some(regain)),
            }
        })
    }
}

/// The `error` of an answer.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: i64,
    #[serde(default)]
    error_subcode: i64,
    #[serde(default)]
    is_transient: bool,
}

/// Reads an answer.
fn read(status: u16, body: &[u8], regain: Option<Duration>, purpose: Purpose) -> Result<Value, FetchError> {
    let answer = serde_json::from_slice::<Value>(body).ok();
    let problem = answer.as_ref().and_then(|answer| answer.get("error"));
    if let Some(problem) = problem.and_then(|problem| Problem::deserialize(problem).ok()) {
        return Err(classify(status, &problem, regain, purpose));
    }
    match (status, answer) {
        (200..=299, Some(answer)) if answer.is_object() => Ok(answer),
        (200..=299, _) => Err(FetchError::Unreachable("its answer is not JSON: is something in between?".to_owned())),
        (429, _) => Err(FetchError::Limited { detail: "HTTP 429".to_owned(), wait: regain.unwrap_or(LIMITED) }),
        (status, _) => Err(FetchError::Unreachable(format!("HTTP {status} without Meta's own words"))),
    }
}

fn classify(status: u16, problem: &Problem, regain: Option<Duration>, purpose: Purpose) -> FetchError {
    let Problem { message, code, error_subcode, is_transient } = problem;
    let message = words(message);
    let subcode = if *error_subcode == 0 { String::new() } else { format!("/{error_subcode}") };
    let detail = format!("{code}{subcode} {message}");
    let denied = |hint: &str| FetchError::Denied { detail: detail.clone(), hint: hint.to_owned() };
    match (code, error_subcode) {
        _ if (purpose.is_missing)(*code, *error_subcode) => FetchError::Missing(detail),
        (190, 463 | 467) => denied(
            "the token has expired or is not valid any more: make a new one for the system user (Business settings → \
             System users → Generate token) and put it where `token` of this source points to",
        ),
        (190, 460) => denied("the password of its user was changed: make a new token, best for a system user"),
        (190, 458) => denied("its user has removed the app: add it again and make a new token"),
        (190 | 102, _) => denied(
            "make a new token for the system user (Business settings → System users → Generate token) and put it where \
             `token` of this source points to",
        ),
        (3 | 10 | 200..=299, _) => denied(purpose.permissions),
        (368, _) => denied("Meta has blocked this app or user for a while: see Account Quality in Business Suite"),
        (4 | 17 | 32 | 341 | 613 | 80_000..=80_014, _) => {
            FetchError::Limited { detail, wait: regain.unwrap_or(LIMITED) }
        }
        (2, _) => FetchError::Unreachable(detail),
        (1, _) => FetchError::Failed(detail),
        _ if *is_transient => FetchError::Failed(detail),
        (100 | 506 | 2500, _) => FetchError::Refused(detail),
        _ if status >= 500 => FetchError::Unreachable(detail),
        _ => FetchError::Failed(detail),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::LEADS, *};

    fn error(status: u16, code: i64, subcode: i64) -> FetchError {
        let body = json!({"error": {"message": "words", "code": code, "error_subcode": subcode, "fbtrace_id": "A"}});
        read(status, body.to_string().as_bytes(), None, LEADS).expect_err("an error")
    }

    fn class(error: &FetchError) -> &'static str {
        match error {
            FetchError::Unreachable(_) => "unreachable",
            FetchError::Limited { .. } => "limited",
            FetchError::Denied { .. } => "denied",
            FetchError::Missing(_) => "missing",
            FetchError::Failed(_) => "failed",
            FetchError::Refused(_) => "refused",
        }
    }

    #[test]
    fn errors_are_told_apart_by_code() {
        for (code, subcode, expected) in [
            (1, 0, "failed"),
            (2, 0, "unreachable"),
            (3, 0, "denied"),
            (4, 0, "limited"),
            (10, 0, "denied"),
            (17, 0, "limited"),
            (32, 0, "limited"),
            (100, 0, "refused"),
            (100, 33, "missing"),
            (102, 0, "denied"),
            (190, 0, "denied"),
            (190, 458, "denied"),
            (190, 460, "denied"),
            (190, 463, "denied"),
            (190, 467, "denied"),
            (190, 2_069_032, "denied"),
            (200, 0, "denied"),
            (299, 0, "denied"),
            (341, 0, "limited"),
            (368, 0, "denied"),
            (506, 0, "refused"),
            (613, 0, "limited"),
            (2_500, 0, "refused"),
            (80_005, 2_446_079, "limited"),
            (80_014, 0, "limited"),
            (99_999, 0, "failed"),
        ] {
            for status in [400, 401, 403] {
                let error = error(status, code, subcode);
                assert_eq!(class(&error), expected, "{code}/{subcode}: {error}");
            }
        }
        assert_eq!(class(&error(500, 99_999, 0)), "unreachable");
        assert_eq!(error(400, 190, 463).to_string(), "refuses: 190/463 words");
    }

    #[test]
    fn what_is_no_answer_of_meta_is_an_outage() {
        for (status, body, expected) in [
            (200, "<html>log in</html>", "unreachable"),
            (200, "[]", "unreachable"),
            (200, "", "unreachable"),
            (302, "", "unreachable"),
            (404, "not here", "unreachable"),
            (429, "", "limited"),
            (502, "Bad gateway", "unreachable"),
            (503, "{\"error\":\"text\"}", "unreachable"),
        ] {
            let error = read(status, body.as_bytes(), None, LEADS).expect_err("an error");
            assert_eq!(class(&error), expected, "{status} {body}");
        }
        assert_eq!(read(200, b"{\"id\":\"1\"}", None, LEADS), Ok(json!({"id": "1"})));
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().expect("a value"))])
    }

    #[test]
    fn the_worst_of_the_headers_counts() {
        let app = headers("x-app-usage", r#"{"call_count":28,"total_time":81,"total_cputime":25}"#);
        assert_eq!(Usage::read(&app), Usage { percent: 81.0, regain: None });
        let business = r#"{"1":[{"type":"leadgen","call_count":100,"total_cputime":25,"total_time":25,
                           "estimated_time_to_regain_access":19}],"2":[{"type":"ads","call_count":1}]}"#;
        let business = headers("x-business-use-case-usage", &business.replace('\n', " "));
        let nineteen = Some(Duration::from_secs(19 * 60));
        assert_eq!(Usage::read(&business), Usage { percent: 100.0, regain: nineteen });
        for nonsense in ["", "x", "[]", "{\"call_count\":\"many\"}"] {
            assert_eq!(Usage::read(&headers("x-app-usage", nonsense)), Usage::default(), "{nonsense}");
        }
    }

    #[test]
    fn requests_are_spread_before_the_budget_ends() {
        for (percent, seconds) in [(0.0, 0.0), (75.0, 0.0), (80.0, 6.0), (100.0, 30.0), (400.0, 30.0)] {
            assert_eq!(spacing(percent).as_secs_f64(), seconds, "{percent}");
        }
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.turn(now), Ok(Duration::ZERO));
        assert_eq!(pace.turn(now), Ok(Duration::ZERO), "an unused budget spreads nothing");
        pace.note(&headers("x-app-usage", r#"{"call_count":77}"#), now);
        assert_eq!(pace.turn(now), Ok(Duration::from_millis(2_400)));
        assert!(matches!(pace.turn(now), Err(FetchError::Limited { .. })), "the next turn is too far away");
        let later = now + Duration::from_secs(10);
        pace.note(&headers("x-app-usage", r#"{"call_count":5}"#), later);
        assert_eq!(pace.turn(later), Ok(Duration::ZERO));
    }
}
