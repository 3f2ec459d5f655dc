//! What all platforms' APIs have in common: a request in its time, an answer of bounded size, and the token behind it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use reqwest::{Client, RequestBuilder};
use secrecy::SecretString;
use url::Url;

use super::platform::FetchError;
use crate::secret::SecretRef;

const TIMEOUT: Duration = Duration::from_secs(20);
/// More than a page of a hundred leads with long answers.
const MAX_ANSWER: usize = 16 << 20;
/// Longest words of a platform that are told.
const MAX_WORDS: usize = 300;

/// A client for the server at one address.
pub(super) struct Remote {
    /// Or why there is none.
    http: Result<Client, String>,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Remote {
    pub(super) fn new(base: &Url) -> Self {
        Self { http: crate::net::client(base).map_err(|error| error.to_string()) }
    }

    /// Sends the request that `make` makes.
    pub(super) async fn send(&self, make: impl FnOnce(&Client) -> RequestBuilder) -> Result<Answer, FetchError> {
        let answer = self.receive(make, TIMEOUT, MAX_ANSWER).await?;
        answer.ok_or_else(|| FetchError::Failed(format!("its answer has more than {MAX_ANSWER} bytes")))
    }

    /// The same for an answer of at most `most` bytes, of which `None` is told if it has more.
    pub(super) async fn receive(
        &self,
        make: impl FnOnce(&Client) -> RequestBuilder,
        timeout: Duration,
        most: usize,
    ) -> Result<Option<Answer>, FetchError> {
        let http = self.http.as_ref().map_err(|error| FetchError::Unreachable(error.clone()))?;
        let broken = |error: reqwest::Error| FetchError::Unreachable(root_cause(&error));
        let mut response = make(http).timeout(timeout).send().await.map_err(broken)?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(Answer { status, headers, body }))
    }
}

impl Answer {
    /// `Retry-After` in seconds, up to a day.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
        Some(Duration::from_secs(seconds.min(86_400)))
    }
}

/// What a platform said, in one line that can be shown.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_WORDS).collect()
}

/// The reason behind the reasons, without the URL.
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}

/// A token that is read from its place again after it was refused, so that a new one is used as soon as it is there.
pub(super) struct KeptToken {
    place: SecretRef,
    known: Mutex<Option<SecretString>>,
}

impl KeptToken {
    pub(super) fn new(place: SecretRef, token: SecretString) -> Self {
        Self { place, known: Mutex::new(Some(token)) }
    }

    fn known(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn get(&self) -> Result<SecretString, FetchError> {
        let known = self.known().clone();
        if let Some(token) = known {
            return Ok(token);
        }
        let place = self.place.clone();
        let read = tokio::task::spawn_blocking(move || place.read()).await;
        let token = read.map_err(|error| FetchError::Failed(error.to_string()))?.map_err(|error| {
            FetchError::Denied { detail: format!("the token cannot be read: {}", error.problem), hint: error.hint }
        })?;
        *self.known() = Some(token.clone());
        Ok(token)
    }

    /// It was refused.
    pub(super) fn forget(&self) {
        *self.known() = None;
    }
}
