//! Pictures and files of messages: which ones a source fetches, and what is common to all platforms that keep them.
//!
//! A file is taken into memory and no further than `max_media_size`. Where an address comes with a message, it is followed
//! only to the platform's own hosts and by HTTPS: what a message names must not make the daemon ask anybody else, and a
//! token must not go there.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::{
    platform::FetchError,
    remote::{Answer, Remote},
};
use crate::{
    config::{
        Reader,
        expect::{Expect, boolean, list, secret, size, string},
    },
    domain::Media,
    secret::SecretRef,
};

const MB: u64 = 1_000_000;
/// What is fetched at most if nothing is configured.
const USUAL: u64 = 10 * MB;
/// Odoo takes requests of 128 MiB, and a file in it is a third longer.
const MOST: u64 = 64 * MB;
/// The longest time for one file.
pub(super) const TIMEOUT: Duration = Duration::from_secs(120);
/// How long to leave a platform alone that does not say it itself.
const LIMITED: Duration = Duration::from_secs(60);
const MOST_REDIRECTS: usize = 3;

/// Where a messenger keeps the files of messages.
#[async_trait]
pub trait MediaPlatform: Send + Sync {
    /// Whether this one can be fetched.
    fn has(&self, media: &Media) -> bool;
    /// Fetches it.
    async fn fetch(&self, media: &Media) -> Result<Got, FetchError>;
    /// What closes together with other requests of this account, and what is shown of it.
    fn gate(&self, account: &str) -> String {
        account.to_owned()
    }
}

/// What came of asking for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// The file.
    File(MediaFile),
    /// It has more bytes than are fetched.
    TooLarge,
    /// Its bytes are not those that the platform announced.
    Damaged,
}

/// A file as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its MIME type, as far as the platform says it.
    pub mime: Option<String>,
}

/// The largest file that is fetched, if any are: the keys `download_media` and `max_media_size`.
pub(super) fn limit(section: &mut Reader<'_>) -> Option<usize> {
    let wanted = section.or("download_media", boolean(), false);
    let most = section.or("max_media_size", size(1_000..=MOST), USUAL);
    wanted.then(|| usize::try_from(most).ok()).flatten()
}

/// The same where files want a token: with the key `token`, which must be there if files are fetched.
pub(super) fn limit_and_token(section: &mut Reader<'_>) -> Option<(usize, SecretRef)> {
    let most = limit(section);
    let token = match most {
        Some(_) => section.required("token", secret()),
        None => section.optional("token", secret()),
    };
    most.zip(token)
}

/// The hosts that files are fetched from, each with those below it.
pub(super) fn hosts(section: &mut Reader<'_>, usual: &[&str]) -> Vec<String> {
    let usual = usual.iter().map(|host| (*host).to_owned()).collect();
    section.or("media_hosts", list(host()), usual)
}

fn host() -> Expect<String> {
    string().example("\"fbcdn.net\"").try_map(|host| match Host::parse(&host) {
        Ok(host) => Ok(host.to_string()),
        Err(_) => Err("is not the name of a host"),
    })
}

/// Fetches from addresses that platforms tell.
pub(super) struct Download {
    pub hosts: Vec<String>,
    pub most: usize,
}

impl Download {
    /// Whether the address is one of the platform's.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let known = self.hosts.iter().any(|known| {
            host.strip_suffix(known.as_str()).is_some_and(|below| below.is_empty() || below.ends_with('.'))
        });
        // A machine that is this one has nobody in between.
        known && (url.scheme() == "https" || url.scheme() == "http" && crate::net::is_loopback(url))
    }

    /// What is at the address. `mime` is used if the answer does not say what it is.
    pub(super) async fn get(
        &self,
        mut url: Url,
        token: Option<&SecretString>,
        mime: Option<String>,
    ) -> Result<Got, FetchError> {
        for _ in 0..=MOST_REDIRECTS {
            if !self.allows(&url) {
                let host = url.host_str().unwrap_or_default();
                return Err(FetchError::Refused(format!("its file is at {host}, which is none of `media_hosts`")));
            }
            let (remote, address) = (Remote::new(&url), url.clone());
            let send = |http: &reqwest::Client| match token {
                Some(token) => http.get(address).bearer_auth(token.expose_secret()),
                None => http.get(address),
            };
            let Some(answer) = remote.receive(send, TIMEOUT, self.most).await? else { return Ok(Got::TooLarge) };
            let next = answer.headers.get(http::header::LOCATION).filter(|_| (300..400).contains(&answer.status));
            match next.and_then(|next| url.join(next.to_str().ok()?).ok()) {
                Some(next) => url = next,
                None => return file(answer, mime),
            }
        }
        Err(FetchError::Failed("it redirects again and again".to_owned()))
    }
}

/// The file in an answer.
pub(super) fn file(answer: Answer, mime: Option<String>) -> Result<Got, FetchError> {
    let status = format!("HTTP {}", answer.status);
    match answer.status {
        200..=299 => {}
        401 => return Err(FetchError::Denied { detail: status, hint: "is `token` of this source right?".to_owned() }),
        // An address that is not good any more is answered in each of these ways.
        403 | 404 | 410 => return Err(FetchError::Missing(status)),
        429 => {
            return Err(FetchError::Limited { wait: answer.retry_after().unwrap_or(LIMITED), detail: status });
        }
        502..=504 => return Err(FetchError::Unreachable(status)),
        _ => return Err(FetchError::Failed(status)),
    }
    let told = answer.headers.get(http::header::CONTENT_TYPE).and_then(|told| told.to_str().ok());
    let told = told.filter(|told| !told.starts_with("application/octet-stream")).map(str::to_owned);
    Ok(Got::File(MediaFile { bytes: answer.body, mime: mime.or(told) }))
}

/// Whether the bytes are those with this checksum, in hexadecimal or Base64. What is neither says nothing.
pub(super) fn fits(bytes: &[u8], checksum: &str) -> bool {
    let told = hex::decode(checksum).ok().or_else(|| BASE64_STANDARD.decode(checksum).ok());
    told.filter(|told| told.len() == 32).is_none_or(|told| Sha256::digest(bytes).as_slice() == told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_own_hosts_are_asked() {
        let hosts = ["fbsbx.com", "fbcdn.net", "127.0.0.1"].map(str::to_owned).to_vec();
        let download = Download { hosts, most: 1 };
        for (url, expected) in [
            ("https://lookaside.fbsbx.com/x?mid=1", true),
            ("https://fbcdn.net/x", true),
            ("https://SCONTENT.xx.FBCDN.net/x", true),
            ("http://127.0.0.1:8000/x", true),
            ("http://lookaside.fbsbx.com/x", false),
            ("ftp://lookaside.fbsbx.com/x", false),
            ("https://evilfbcdn.net/x", false),
            ("https://fbcdn.net.example.com/x", false),
            ("https://fbcdn.net@example.com/x", false),
            ("https://fbcdn.net./x", false),
            ("http://localhost/x", false),
            ("https://169.254.169.254/x", false),
            ("http://[::1]/x", false),
            ("https://10.127.0.0.1.example.com/x", false),
            ("data:text/plain,x", false),
        ] {
            assert_eq!(download.allows(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }

    #[test]
    fn a_checksum_is_read_in_both_spellings() {
        let sum = Sha256::digest(b"x");
        for (told, expected) in [
            (hex::encode(sum), true),
            (hex::encode(sum).to_uppercase(), true),
            (BASE64_STANDARD.encode(sum), true),
            (hex::encode(Sha256::digest(b"y")), false),
            (BASE64_STANDARD.encode(Sha256::digest(b"y")), false),
            ("base64sha256=".to_owned(), true),
            (String::new(), true),
        ] {
            assert_eq!(fits(b"x", &told), expected, "{told}");
        }
    }

    #[test]
    fn statuses_are_told_apart() {
        let class = |status| {
            let mut headers = http::HeaderMap::new();
            headers.insert("retry-after", "7".parse().expect("a header"));
            headers.insert("content-type", "image/png".parse().expect("a header"));
            match file(Answer { status, headers, body: b"x".to_vec() }, None) {
                Ok(Got::File(file)) => format!("{:?}", file.mime),
                Ok(other) => format!("{other:?}"),
                Err(FetchError::Limited { wait, .. }) => format!("limited {}", wait.as_secs()),
                Err(error) => error.to_string(),
            }
        };
        for (status, expected) in [
            (200, "Some(\"image/png\")"),
            (302, "failed: HTTP 302"),
            (401, "refuses: HTTP 401"),
            (403, "does not have it: HTTP 403"),
            (404, "does not have it: HTTP 404"),
            (410, "does not have it: HTTP 410"),
            (429, "limited 7"),
            (500, "failed: HTTP 500"),
            (503, "cannot be reached: HTTP 503"),
        ] {
            assert_eq!(class(status), expected);
        }
        let octets = |mime: Option<&str>| {
            let headers = http::HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                "application/octet-stream".parse().expect("a header"),
            )]);
            match file(Answer { status: 200, headers, body: Vec::new() }, mime.map(str::to_owned)) {
                Ok(Got::File(file)) => file.mime,
                _ => None,
            }
        };
        assert_eq!((octets(None), octets(Some("audio/ogg")).as_deref()), (None, Some("audio/ogg")));
    }

    #[test]
    fn a_source_says_which_files_it_fetches() {
        let url = |url: &str| Media { url: Some(url.to_owned()), ..Media::default() };
        let id = |id: &str| Media { id: Some(id.to_owned()), ..Media::default() };
        let hub = "app_secret = { file = \"SECRET\" }\nverify_token = { file = \"SECRET\" }";
        let token = "token = { file = \"SECRET\" }\ndownload_media = true";
        let bot = "bot = \"b\"\nsecret_token = { file = \"SECRET\" }";
        for (section, media, expected) in [
            (format!("kind = \"whatsapp\"\n{hub}"), id("1003"), None),
            (format!("kind = \"whatsapp\"\n{hub}\n{token}"), id("1003"), Some(true)),
            (format!("kind = \"whatsapp\"\n{hub}\n{token}"), id("../me"), Some(false)),
            (format!("kind = \"whatsapp\"\n{hub}\n{token}"), url("https://lookaside.fbsbx.com/x"), Some(false)),
            (format!("kind = \"telegram\"\n{bot}\ndownload_media = false"), id("AgAC"), None),
            (format!("kind = \"telegram\"\n{bot}\n{token}"), id("AgAC"), Some(true)),
            (format!("kind = \"messenger\"\n{hub}"), url("https://scontent.xx.fbcdn.net/x"), None),
            (
                format!("kind = \"messenger\"\n{hub}\ndownload_media = true"),
                url("https://scontent.xx.fbcdn.net/x"),
                Some(true),
            ),
            (format!("kind = \"instagram\"\n{hub}\ndownload_media = true"), url("https://example.com/x"), Some(false)),
            (
                format!("kind = \"instagram\"\n{hub}\ndownload_media = true\nmedia_hosts = [\"EXAMPLE.com\"]"),
                url("https://files.example.com/x"),
                Some(true),
            ),
        ] {
            let source = crate::sources::testing::open(&section, "0b7f5d0c9a3e41c2b8d6");
            assert_eq!(source.media().map(|platform| platform.has(&media)), expected, "{section}");
        }
    }

    #[test]
    fn files_are_not_fetched_without_a_token_nor_without_a_limit() {
        let odoo = "[odoo]\nurl = \"http://localhost\"\ndatabase = \"d\"\nlogin = \"l\"\nsecret = { env = \"X\" }\n";
        let hub = "app_secret = { env = \"X\" }\nverify_token = { env = \"X\" }";
        for (keys, expected) in [
            ("download_media = true", "sources.w.token: is missing"),
            ("download_media = true\ntoken = { env = \"X\" }\nmax_media_size = \"65 MB\"", "max_media_size"),
            ("media_hosts = [\"https://example.com\"]", "is not the name of a host"),
        ] {
            let text = format!("{odoo}[sources.w]\nkind = \"whatsapp\"\n{hub}\n{keys}\n");
            let error =
                crate::config::Config::parse(&text, std::path::Path::new("config.toml")).expect_err("a problem");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
