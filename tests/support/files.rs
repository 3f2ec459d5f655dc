//! Where messengers keep the files of messages, as documented: WhatsApp's Graph API and its addresses, Telegram's
//! `getFile`, and the hosts of Messenger's and Instagram's attachments.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    graph::{APP_SECRET, hex},
    platform::{Platform, Shared},
};

pub const TOKEN: &str = "123456:EAAG-of_the-files";

/// One file.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub bytes: Vec<u8>,
    pub mime: String,
    /// What the platform says of its length and its checksum, if that is not true.
    pub told_size: Option<usize>,
    pub told_sum: Option<String>,
    /// The file is answered with this status.
    pub status: u16,
    pub slow: Duration,
}

/// What the platform knows, and what it was asked.
#[derive(Default)]
pub struct Facts {
    pub files: BTreeMap<String, Kept>,
    pub token: String,
    /// The paths that were asked for, without tokens.
    pub asked: Vec<String>,
    /// Its own address.
    pub url: String,
}

/// The running platform.
pub type Files = Platform<Facts>;

impl Files {
    pub async fn start() -> Files {
        let facts = Facts { token: TOKEN.to_owned(), ..Facts::default() };
        let files = Platform::serve(facts, Router::new().fallback(serve)).await;
        files.facts().url = files.url.clone();
        files
    }

    /// Somebody sends a file.
    pub fn add(&self, id: &str, mime: &str, bytes: &[u8]) {
        let kept = Kept { bytes: bytes.to_vec(), mime: mime.to_owned(), status: 200, ..Kept::default() };
        self.facts().files.insert(id.to_owned(), kept);
    }

    /// Changes what is kept of it.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Kept)) {
        change(self.facts().files.get_mut(id).expect("a file"));
    }

    /// How often paths that end so were asked for.
    pub fn count(&self, end: &str) -> usize {
        self.facts().asked.iter().filter(|path| path.ends_with(end)).count()
    }
}

async fn serve(State(facts): State<Shared<Facts>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.expect("a body");
    let path = parts.uri.path().to_owned();
    let (slow, response) = {
        let mut facts = facts.lock().expect("not poisoned");
        facts.asked.push(path.rsplit('/').next().unwrap_or_default().to_owned());
        answer(&facts, &path, parts.uri.query().unwrap_or_default(), &parts.headers, &body)
    };
    tokio::time::sleep(slow).await;
    response
}

fn answer(facts: &Facts, path: &str, query: &str, headers: &HeaderMap, body: &Bytes) -> (Duration, Response) {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let json = |status: u16, body: Value| {
        let response = Response::builder().status(status).header("content-type", "application/json");
        (Duration::ZERO, response.body(Body::from(body.to_string())).expect("a response"))
    };
    let graph_error = |code: i64, subcode: i64| {
        let error = json!({"message": "Something is wrong", "type": "GraphMethodException", "code": code,
            "error_subcode": subcode, "fbtrace_id": "A"});
        json(400, json!({ "error": error }))
    };
    let bot_error = |code: u16, words: &str| json(code, json!({"ok": false, "error_code": code, "description": words}));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["v26.0", id] => {
            if bearer != Some(&facts.token) {
                return graph_error(190, 463);
            }
            assert_eq!(query, format!("appsecret_proof={}", hex(APP_SECRET, &facts.token)));
            let Some(file) = facts.files.get(*id) else { return graph_error(100, 33) };
            let sum = file
                .told_sum
                .clone()
                .unwrap_or_else(|| Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect());
            let size = file.told_size.unwrap_or(file.bytes.len()).to_string();
            let url = format!("{}/whatsapp/{id}?mid=1", facts.url);
            json(
                200,
                json!({"messaging_product": "whatsapp", "url": url, "mime_type": file.mime, "sha256": sum,
                "file_size": size, "id": id}),
            )
        }
        ["whatsapp", id] => {
            assert!(headers["user-agent"].to_str().expect("text").starts_with("g-assistant/"));
            if bearer != Some(&facts.token) {
                return json(401, json!({}));
            }
            content(facts, id)
        }
        [bot, "getFile"] => {
            if *bot != format!("bot{}", facts.token) {
                return bot_error(401, "Unauthorized");
            }
            let asked: Value = serde_json::from_slice(body).expect("JSON");
            let id = asked["file_id"].as_str().expect("an id");
            match facts.files.get(id) {
                None => bot_error(400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
                Some(file) if file.bytes.len() > 20_000_000 => bot_error(400, "Bad Request: file is too big"),
                Some(_) => {
                    let result = json!({"file_id": id, "file_unique_id": "u", "file_path": format!("photos/{id}.jpg")});
                    json(200, json!({"ok": true, "result": result}))
                }
            }
        }
        ["file", bot, "photos", name] => {
            assert_eq!(*bot, format!("bot{}", facts.token));
            content(facts, name.trim_end_matches(".jpg"))
        }
        ["cdn", id] => {
            assert_eq!(bearer, None, "nobody else's token goes here");
            content(facts, id)
        }
        ["moved", id] => moved(&format!("/cdn/{id}")),
        ["away", _] => moved("http://169.254.169.254/latest/meta-data"),
        _ => panic!("nobody asks for {path}"),
    }
}

fn moved(to: &str) -> (Duration, Response) {
    let response = Response::builder().status(302).header("location", to);
    (Duration::ZERO, response.body(Body::empty()).expect("a response"))
}

/// The bytes, as a stream of unknown length.
fn content(facts: &Facts, id: &str) -> (Duration, Response) {
    let Some(file) = facts.files.get(id) else {
        return (Duration::ZERO, Response::builder().status(404).body(Body::empty()).expect("a response"));
    };
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        file.bytes.chunks(64 << 10).map(|part| Ok(part.to_vec())).collect();
    let mime = if facts.token.is_empty() || file.mime.is_empty() { "application/octet-stream" } else { &file.mime };
    let response = Response::builder().status(file.status).header("content-type", mime);
    (file.slow, response.body(Body::from_stream(futures_util::stream::iter(chunks))).expect("a response"))
}
