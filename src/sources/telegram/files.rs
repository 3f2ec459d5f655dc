//! Files of Telegram: `getFile` tells a path for an id, which is good for an hour. Bots may fetch up to 20 MB.
//!
//! The token is a part of every address here, so no address is ever told.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::super::{
    media::{self, Got, MediaPlatform},
    platform::FetchError,
    remote::{Answer, KeptToken, Remote, words},
};
use crate::{
    config::{Reader, expect::url},
    domain::{Media, mime_of},
    secret::{SecretError, SecretRef},
};

const API: &str = "https://api.telegram.org";
const HINT: &str = "copy the bot's token from @BotFather, and put it where `token` of this source points to";
/// How long to leave it alone when it does not say itself.
const LIMITED: Duration = Duration::from_secs(30);

/// The keys about files.
#[derive(Debug)]
pub(super) struct Spec {
    most: usize,
    pub token: SecretRef,
    api: Url,
}

impl Spec {
    /// `None` if files are not fetched, or a problem was reported.
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let wanted = media::limit_and_token(section);
        let api = Url::parse(API).ok().map(|api| section.or("api", url(), api));
        let (most, token) = wanted?;
        Some(Self { most, token, api: api? })
    }

    pub(super) fn open(&self) -> Result<Files, SecretError> {
        Ok(Files {
            remote: Remote::new(&self.api),
            api: self.api.clone(),
            token: KeptToken::new(self.token.clone(), self.token.read()?),
            most: self.most,
        })
    }
}

/// Fetches files.
pub(super) struct Files {
    remote: Remote,
    api: Url,
    token: KeptToken,
    most: usize,
}

#[async_trait]
impl MediaPlatform for Files {
    fn has(&self, media: &Media) -> bool {
        media.id.is_some()
    }

    async fn fetch(&self, media: &Media) -> Result<Got, FetchError> {
        let token = self.token.get().await?;
        let got = self.fetch_with(media, &token).await;
        if matches!(got, Err(FetchError::Denied { .. })) {
            self.token.forget();
        }
        got
    }
}

impl Files {
    async fn fetch_with(&self, media: &Media, token: &SecretString) -> Result<Got, FetchError> {
        let url = self.address(&[], token, &["getFile"])?;
        let body = json!({ "file_id": media.id }).to_string();
        let post =
            |http: &reqwest::Client| http.post(url).header(http::header::CONTENT_TYPE, "application/json").body(body);
        let file = match read(&self.remote.send(post).await?) {
            Ok(file) => file,
            // It has no code of its own.
            Err(FetchError::Refused(why)) if why.contains("too big") => return Ok(Got::TooLarge),
            Err(FetchError::Refused(why)) => return Err(FetchError::Missing(why)),
            Err(error) => return Err(error),
        };
        let size = file.get("file_size").and_then(Value::as_u64);
        if size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size > self.most)) {
            return Ok(Got::TooLarge);
        }
        let path = file.get("file_path").and_then(Value::as_str).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(FetchError::Failed("it tells no path of the file".to_owned()));
        }
        let url = self.address(&["file"], token, &parts)?;
        let Some(answer) = self.remote.receive(|http| http.get(url), media::TIMEOUT, self.most).await? else {
            return Ok(Got::TooLarge);
        };
        media::file(answer, media.mime.clone().or_else(|| mime_of(path))).map_err(|error| match error {
            FetchError::Denied { detail, .. } => FetchError::Denied { detail, hint: HINT.to_owned() },
            error => error,
        })
    }

    /// `<api>/<before>/bot<token>/<parts>`.
    fn address(&self, before: &[&str], token: &SecretString, parts: &[&str]) -> Result<Url, FetchError> {
        let mut url = self.api.clone();
        let bot = format!("bot{}", token.expose_secret());
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(before).push(&bot).extend(parts);
            }
            Err(()) => return Err(FetchError::Refused("`api` of this source is no web address".to_owned())),
        }
        Ok(url)
    }
}

/// The result of an answer.
fn read(answer: &Answer) -> Result<Value, FetchError> {
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&answer.body) else {
        return Err(FetchError::Unreachable(format!("HTTP {} without Telegram's own words", answer.status)));
    };
    if body.get("ok") == Some(&Value::Bool(true)) {
        return Ok(body.remove("result").unwrap_or_default());
    }
    let code = body.get("error_code").and_then(Value::as_u64).unwrap_or_else(|| answer.status.into());
    let said = body.get("description").and_then(Value::as_str).unwrap_or_default();
    let detail = format!("{code} {}", words(said));
    Err(match code {
        // A token of another form is not found.
        401 | 404 => FetchError::Denied { detail, hint: HINT.to_owned() },
        429 => {
            let wait = body.get("parameters").and_then(|told| told.get("retry_after")).and_then(Value::as_u64);
            FetchError::Limited { detail, wait: wait.map_or(LIMITED, |wait| Duration::from_secs(wait.min(86_400))) }
        }
        500.. => FetchError::Unreachable(detail),
        400 => FetchError::Refused(detail),
        _ => FetchError::Failed(detail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_code() {
        let class = |status, body: &str| {
            let answer = Answer { status, headers: http::HeaderMap::new(), body: body.as_bytes().to_vec() };
            read(&answer).map_or_else(|error| error.to_string(), |file| file.to_string())
        };
        let error = |code: u16| format!(r#"{{"ok": false, "error_code": {code}, "description": "words"}}"#);
        for (status, body, expected) in [
            (200, r#"{"ok": true, "result": {"file_id": "f"}}"#.to_owned(), r#"{"file_id":"f"}"#),
            (400, error(400), "refuses this request: 400 words"),
            (401, error(401), "refuses: 401 words"),
            (404, error(404), "refuses: 404 words"),
            (
                429,
                r#"{"ok": false, "error_code": 429, "description": "w", "parameters": {"retry_after": 5}}"#.to_owned(),
                "wants fewer requests: 429 w",
            ),
            (500, error(500), "cannot be reached: 500 words"),
            (409, error(409), "failed: 409 words"),
            (502, "<html>".to_owned(), "cannot be reached: HTTP 502 without Telegram's own words"),
            (200, "[]".to_owned(), "cannot be reached: HTTP 200 without Telegram's own words"),
        ] {
            assert_eq!(class(status, &body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_in_an_address_stays_in_its_part() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let place = SecretRef::File(file.path().to_owned());
        let token = SecretString::from("1:A/../b?c#d".to_owned());
        let files = Files {
            remote: Remote::new(&Url::parse(API).expect("a URL")),
            api: Url::parse("https://example.com/telegram/").expect("a URL"),
            token: KeptToken::new(place, token.clone()),
            most: 1,
        };
        let url = files.address(&["file"], &token, &["photos", "a?b#c.jpg"]).expect("an address");
        assert_eq!(url.as_str(), "https://example.com/telegram/file/bot1:A%2F..%2Fb%3Fc%23d/photos/a%3Fb%23c.jpg");
    }
}
