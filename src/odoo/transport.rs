//! What a transport is, and the HTTP exchange that all of them share.
//!
//! Every exchange has a time limit and every answer a size limit. Errors name the server without credentials and
//! never quote an answer's body.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{Call, OdooError};
use crate::net;

/// Largest answer that is read: a page of 10,000 records with 6 kB each. Reading it takes several times as much memory.
const MAX_ANSWER: usize = 64 << 20;

/// Most that is set aside for an answer because it says that it is large.
const PREALLOCATED: u64 = 8 << 20;

/// Answers up to this size are read at once; larger ones take more than a fraction of a millisecond.
const READ_INLINE: usize = 64 << 10;

/// Between two calls to Odoo's own hosting, which asks for no more than one per second.
const HOSTED_PACE: Duration = Duration::from_secs(1);

/// Longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A way to call methods of one database as one user.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Calls the method once.
    async fn call(&self, call: &Call) -> Result<Value, OdooError>;
}

/// One server, over HTTP. Not printable: the address may hold credentials for a proxy.
#[derive(Clone)]
pub(super) struct Server {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    max_answer: usize,
    /// For Odoo's own hosting only.
    pace: Option<Arc<Pace>>,
}

/// One call after the other, with a pause between their beginnings.
struct Pace(Mutex<Instant>);

impl Pace {
    fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    async fn turn(&self) {
        let mut next = self.0.lock().await;
        tokio::time::sleep_until(*next).await;
        *next = Instant::now() + HOSTED_PACE;
    }
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Server {
    /// The server at `base`, with the longest wait for an answer.
    pub(super) fn new(base: &Url, timeout: Duration) -> Result<Self, OdooError> {
        let mut base = base.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = net::client(&base).map_err(|error| unreachable(&base, root_cause(&error)))?;
        let hosted = base.host_str().is_some_and(|host| host.ends_with(".odoo.com"));
        let pace = hosted.then(|| Arc::new(Pace::new()));
        Ok(Self { http, base, timeout, max_answer: MAX_ANSWER, pace })
    }

    #[cfg(test)]
    pub(super) fn with_max_answer(mut self, max_answer: usize) -> Self {
        self.max_answer = max_answer;
        self
    }

    /// Whether this is Odoo Online or Odoo.sh.
    pub(super) fn is_hosted_by_odoo(&self) -> bool {
        self.pace.is_some()
    }

    /// Posts a body and reads the answer. Statuses that mean the same to every transport are errors here.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Option<Duration>,
    ) -> Result<Answer, OdooError> {
        self.exchange(self.http.post(self.url(path)?).headers(headers).body(body), timeout).await
    }

    /// Reads a page.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, OdooError> {
        self.exchange(self.http.get(self.url(path)?), None).await
    }

    fn url(&self, path: &str) -> Result<Url, OdooError> {
        self.base.join(path).map_err(|error| unreachable(&self.base, error.to_string()))
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, timeout: Option<Duration>) -> Result<Answer, OdooError> {
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let request = request.timeout(timeout.unwrap_or(self.timeout));
        let mut response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        self.check_status(status, response.headers())?;
        if response.content_length().is_some_and(|length| length > self.max_answer as u64) {
            return Err(too_large(self.max_answer));
        }
        let mut body = Vec::with_capacity(response.content_length().unwrap_or_default().min(PREALLOCATED) as usize);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > self.max_answer {
                return Err(too_large(self.max_answer));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: body.into() })
    }

    /// The error for an address where there is nothing.
    pub(super) fn absent(&self, path: &str) -> OdooError {
        unreachable(&self.base, format!("there is no /{path} (HTTP 404); check odoo.url and odoo.database"))
    }

    fn broken(&self, error: &reqwest::Error) -> OdooError {
        if error.is_connect() || error.is_builder() {
            return unreachable(&self.base, root_cause(error));
        }
        let detail = if error.is_timeout() { "it took too long".to_owned() } else { root_cause(error) };
        OdooError::NoAnswer { detail }
    }

    fn check_status(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), OdooError> {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        match status.as_u16() {
            429 | 502..=504 => {
                let retry_after = text(header::RETRY_AFTER).and_then(|value| retry_after(value, Utc::now()));
                Err(OdooError::Busy { status: status.as_u16(), retry_after })
            }
            300..=399 => {
                let target = text(header::LOCATION)
                    .and_then(|location| self.base.join(location).ok())
                    .map_or_else(|| "elsewhere".to_owned(), |url| origin(&url));
                Err(unreachable(&self.base, format!("it redirects to {target}; set odoo.url to the final address")))
            }
            413 => Err(OdooError::TooLarge),
            _ => Ok(()),
        }
    }
}

/// Makes a value of an answer: here if it is small, else where it does not hold up other tasks.
pub(super) async fn read<T: Send + 'static>(
    body: Bytes,
    read: fn(&[u8]) -> Result<T, OdooError>,
) -> Result<T, OdooError> {
    if body.len() <= READ_INLINE {
        return read(&body);
    }
    let task = tokio::task::spawn_blocking(move || read(&body));
    task.await.unwrap_or_else(|_| Err(OdooError::Garbled { detail: "its reader was stopped".to_owned() }))
}

/// The address without credentials and query.
fn origin(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for addresses that have no host, which have no credentials either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

fn unreachable(base: &Url, detail: String) -> OdooError {
    OdooError::Unreachable { url: origin(base), detail }
}

fn too_large(limit: usize) -> OdooError {
    OdooError::Garbled {
        detail: format!("it is larger than {} MiB; if these are pages of records, lower sync.page", limit >> 20),
    }
}

/// The innermost cause: the outer ones repeat the URL or say nothing.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // Only the outermost error holds the URL.
    if std::ptr::addr_eq(cause, error) { "the request failed".to_owned() } else { cause.to_string() }
}

/// Seconds or an HTTP date.
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = match value.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(value.trim()).ok()?;
            (until.to_utc() - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T10:00:00Z").expect("a time").to_utc();
        for (value, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("999999999", Some(3600)),
            ("Sat, 21 Nov 2026 10:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn only_odoos_own_hosting_is_paced() {
        for (url, hosted) in [
            ("https://shop.odoo.com", true),
            ("https://odoo.example.com", false),
            ("https://shop.odoo.com.example", false),
        ] {
            let server = Server::new(&Url::parse(url).expect("a URL"), Duration::from_secs(1)).expect("a server");
            assert_eq!(server.is_hosted_by_odoo(), hosted, "{url}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_turns() {
        let pace = Pace::new();
        let began = Instant::now();
        for _ in 0..3 {
            pace.turn().await;
        }
        assert_eq!(began.elapsed().as_secs(), 2 * HOSTED_PACE.as_secs());
    }

    #[test]
    fn the_address_in_errors_has_no_credentials() {
        let url = Url::parse("https://user:secret@odoo.example.com/sub/?token=x").expect("a URL");
        assert_eq!(origin(&url), "https://odoo.example.com/sub/");
    }
}
