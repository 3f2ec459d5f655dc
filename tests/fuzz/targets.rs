//! What is done with each input: everything that reads foreign bytes. Nothing here may panic, hang or grow without
//! bound. `make fuzz` looks for inputs that break this; `tests/fuzz_corpus.rs` repeats the ones that are kept.

// Each fuzz target uses one of these.
#![allow(dead_code)]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use g_assistant::{
    cli::{Kind, read_rows},
    config::{Config, ConfigError},
    domain::{Action, ChangeBatch, OpResult, Page},
    intake::{Intake, IntakeContext},
    odoo::answers,
    sources::{
        Content, FILE, Inbound, Registry, Source, Tokens, open_all,
        standard_webhooks::{ID, Key, SIGNATURE, TIMESTAMP},
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

type Target = fn(&[u8]);

/// The name of every target, and what it does.
pub const ALL: [(&str, Target); 18] = [
    ("xmlrpc", xmlrpc),
    ("json2", json2),
    ("generic", generic),
    ("mapped", mapped),
    ("linkedin", linkedin),
    ("meta", meta),
    ("google", google),
    ("tiktok", tiktok),
    ("snapchat", snapchat),
    ("whatsapp", whatsapp),
    ("messenger", messenger),
    ("telegram", telegram),
    ("form", form),
    ("changes", changes),
    ("api_file", api_file),
    ("signature", signature),
    ("config", config),
    ("push_file", push_file),
];

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The time that signatures in the corpus have.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_614_265_330, 0).expect("a time")
}

/// The sources of `config.example.toml`, whose map has every kind of entry.
fn sources() -> &'static Registry {
    static SOURCES: OnceLock<Registry> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).expect("written");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("only ours");
        let text = include_str!("../../config.example.toml");
        let names = ["website", "forms", "odoo-webhook", "contact-form", "google-key", "tiktok-url", "snapchat-url"];
        let text = names.iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("{{ credential = {name:?} }}"), &format!("{{ file = {secret:?} }}"))
        });
        let text = [
            "meta-app",
            "meta-verify",
            "meta-token",
            "linkedin-app",
            "linkedin-token",
            "whatsapp-app",
            "whatsapp-verify",
            "messenger-app",
            "messenger-verify",
            "instagram-app",
            "instagram-verify",
            "telegram-secret",
        ]
        .iter()
        .fold(text, |text, name| text.replace(&format!("credential = {name:?}"), &format!("file = {secret:?}")));
        let config = Config::parse(&text, Path::new("config.toml")).expect("the example is right");
        let tokens = Tokens::default().with("0123456789abcdef").expect("a token");
        open_all(&config.sources, tokens).expect("sources")
    })
}

/// Reads a body as the source does, and plans what is to be done.
fn take(source: &dyn Source, body: &[u8]) {
    let parsed = match source.parse(body) {
        Ok(parsed) => parsed,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 2_000, "an error of {} bytes", text.len());
            return;
        }
    };
    assert!(parsed.warnings.len() <= 101);
    let Content::Drafts(drafts) = parsed.content else { return };
    let pushes = Intake::default().plan("source", "delivery", drafts, &IntakeContext::default());
    for push in pushes {
        let operation = &push.operation;
        assert!(operation.key.chars().count() <= 255 && operation.reference.chars().count() <= 255);
        assert!(operation.action != Action::Upsert || !operation.values.is_empty());
        let sent = (&operation.values, &operation.message, &operation.mark);
        let text = serde_json::to_string(&sent).expect("JSON");
        // PostgreSQL cannot store it, and XML cannot carry it. After a backslash of its own it is only text.
        assert!(!text.replace(r"\\", "").contains(r"\u0000"), "a NUL in {text}");
    }
}

/// Odoo's answers over XML-RPC.
pub fn xmlrpc(bytes: &[u8]) {
    if let Err(error) = answers::xmlrpc(bytes) {
        assert!(!error.to_string().is_empty());
    }
}

/// Odoo's answers over `/json/2`, and what the addon puts into them.
pub fn json2(bytes: &[u8]) {
    for status in [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR] {
        let _ = answers::json2(status, bytes);
    }
    let _ = serde_json::from_slice::<Page>(bytes);
    let _ = serde_json::from_slice::<Vec<OpResult>>(bytes);
    let _ = serde_json::from_slice::<ChangeBatch>(bytes);
}

/// Documented bodies.
pub fn generic(bytes: &[u8]) {
    take(sources().webhook("website").expect("a source"), bytes);
}

/// Bodies with a map.
pub fn mapped(bytes: &[u8]) {
    take(sources().webhook("forms").expect("a source"), bytes);
}

/// Notifications of LinkedIn, and leads that were fetched.
pub fn linkedin(bytes: &[u8]) {
    take(sources().webhook("linkedin").expect("a source"), bytes);
}

/// Webhooks of Meta, and leads that were fetched.
pub fn meta(bytes: &[u8]) {
    take(sources().webhook("meta").expect("a source"), bytes);
}

/// Messages and statuses of WhatsApp.
pub fn whatsapp(bytes: &[u8]) {
    take(sources().webhook("whatsapp").expect("a source"), bytes);
}

/// Messages of Messenger, which Instagram has too.
pub fn messenger(bytes: &[u8]) {
    take(sources().webhook("messenger").expect("a source"), bytes);
    take(sources().webhook("instagram").expect("a source"), bytes);
}

/// Updates of Telegram.
pub fn telegram(bytes: &[u8]) {
    take(sources().webhook("telegram").expect("a source"), bytes);
}

/// Bodies of Google Ads, and whether their key is looked for in anything.
pub fn google(bytes: &[u8]) {
    let source = sources().webhook("google").expect("a source");
    let request = Inbound { body: Bytes::copy_from_slice(bytes), ..Inbound::default() };
    if source.verify(&request, now()).is_ok() {
        assert!(String::from_utf8_lossy(bytes).contains("google_key"));
    }
    take(source, bytes);
}

/// Bodies of TikTok.
pub fn tiktok(bytes: &[u8]) {
    take(sources().webhook("tiktok").expect("a source"), bytes);
}

/// Bodies of Snapchat.
pub fn snapchat(bytes: &[u8]) {
    take(sources().webhook("snapchat").expect("a source"), bytes);
}

/// Posts of forms: the first byte says of which type. What is kept of one can be read again.
pub fn form(bytes: &[u8]) {
    let source = sources().webhook("contact").expect("a source");
    take(source, bytes);
    let Some((kind, body)) = bytes.split_first() else { return };
    let kind = if kind & 1 == 0 { "application/x-www-form-urlencoded" } else { "multipart/form-data; boundary=b" };
    let headers = [("content-type", kind), ("origin", "https://www.example.com")];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let request = Inbound {
        headers: HeaderMap::from_iter(headers),
        rest: Some(SECRET.to_owned()),
        query: None,
        body: Bytes::copy_from_slice(body),
    };
    if let Ok(verified) = source.verify(&request, now()) {
        assert_eq!(verified.key().len(), 32);
        take(source, verified.body());
    }
}

/// Odoo's changes.
pub fn changes(bytes: &[u8]) {
    take(sources().webhook("odoo").expect("a source"), bytes);
}

/// Bodies of the API and from files.
pub fn api_file(bytes: &[u8]) {
    take(sources().api(), bytes);
    take(sources().get(FILE).expect("a source"), bytes);
}

/// The headers of a signature, one to a line, and a body behind the empty line. What passes must be signed.
pub fn signature(bytes: &[u8]) {
    let end = bytes.windows(2).position(|end| end == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = (&bytes[..end], bytes.get(end + 2..).unwrap_or_default());
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    let text = |headers: &HeaderMap, name: &str| -> Option<String> {
        let value = headers.get(name).or_else(|| headers.get(name.replace("webhook", "svix")))?;
        value.to_str().ok().map(str::to_owned)
    };
    let (id, time, listed) = (text(&headers, ID), text(&headers, TIMESTAMP), text(&headers, SIGNATURE));
    let source = sources().webhook("website").expect("a source");
    let request = Inbound { headers: headers.clone(), body: Bytes::copy_from_slice(body), ..Inbound::default() };
    match source.verify(&request, now()) {
        Ok(verified) => {
            assert_eq!(id.as_deref(), Some(verified.key()));
            let seconds = time.and_then(|time| time.parse().ok()).expect("a time");
            let at = DateTime::from_timestamp(seconds, 0).expect("a time");
            let own = Key::parse(SECRET).expect("a secret").sign(verified.key(), at, body);
            assert!(listed.expect("signatures").split(' ').any(|signature| signature == own), "a forgery passed");
            assert!((now() - at).num_seconds().abs() <= 300);
        }
        Err(refusal) => assert!(refusal.to_string().len() < 500),
    }
    let _ = sources().api().verify(&Inbound { headers, ..Inbound::default() }, now());
    if let Ok(secret) = std::str::from_utf8(bytes) {
        let _ = Key::parse(secret);
        let _ = Tokens::default().with(secret);
    }
}

/// The configuration, whose errors must not show what may be a secret.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text, Path::new("/etc/g-assistant/config.toml")) {
        Ok(config) => drop(format!("{config:?} {}", config.warnings)),
        Err(ConfigError::Invalid(problems)) => {
            assert!(!problems.list.is_empty());
            let shown = problems.list.iter().any(|problem| problem.excerpt.contains(SECRET));
            assert!(!shown, "the secret is shown:\n{problems}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Files for `push`: the first byte says of which kind.
pub fn push_file(bytes: &[u8]) {
    let Some((kind, text)) = bytes.split_first() else { return };
    let extension = if kind & 1 == 0 { "csv" } else { "json" };
    let (kind, key) = if kind & 2 == 0 { (Kind::Leads, "leads") } else { (Kind::Orders, "orders") };
    let Ok(rows) = read_rows(text, extension, kind) else { return };
    let body = serde_json::json!({ key: rows }).to_string();
    take(sources().get(FILE).expect("a source"), body.as_bytes());
}
