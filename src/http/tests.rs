//! A real listener and a real store; the client is a bare socket, so that it can misbehave.

use std::{
    fs,
    net::SocketAddr,
    num::NonZeroU32,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

use super::{AppState, guard, serve};
use crate::{
    clock::Clock,
    config::{Config, MINUTE, Rate, Server},
    domain::{Model, OdooStatus, Page},
    sources::{Tokens, open_all, standard_webhooks::Key},
    store::{JobFilter, JobKind, JobState, Store, StoreOptions},
    telemetry::Metrics,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "0123456789abcdef";
const BEARER: (&str, &str) = ("authorization", "Bearer 0123456789abcdef");

struct Running {
    address: SocketAddr,
    app: AppState,
    odoo: watch::Sender<OdooStatus>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _directory: TempDir,
}

/// A server with the sources `web` and `odoo`.
async fn start() -> Running {
    start_with(Server::default(), 1_000, Tokens::default().with(TOKEN).expect("a token")).await
}

async fn start_with(config: Server, max_queued_jobs: u64, tokens: Tokens) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("secret");
    fs::write(&secret, SECRET).expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("private");
    let text = format!(
        "[odoo]\nurl = \"http://localhost\"\ndatabase = \"d\"\nlogin = \"l\"\nsecret = {{ env = \"X\" }}\n\
         [sources.web]\nkind = \"generic\"\nsecret = {{ file = {secret:?} }}\n\
         [sources.odoo]\nkind = \"odoo\"\nsecret = {{ file = {secret:?} }}\n"
    );
    let sources = Config::parse(&text, Path::new("config.toml")).expect("a configuration").sources;
    let path = directory.path().join("store.db");
    let options = StoreOptions { path, clock: Clock::system(), readers: 2, max_queued_jobs };
    let (odoo, odoo_status) = watch::channel(OdooStatus::default());
    let app = AppState {
        store: Store::open(options).await.expect("a store"),
        registry: Arc::new(open_all(&sources, tokens).expect("sources")),
        metrics: Arc::new(Metrics::new()),
        clock: Clock::system(),
        odoo_status,
        platforms: watch::channel(Vec::new()).1,
        compared: Duration::from_secs(86_400),
        bell: crate::sync::Bell::default(),
    };
    let stop = CancellationToken::new();
    let config = Server { listen: "127.0.0.1:0".parse().expect("an address"), ..config };
    let (address, task) = serve(&config, app.clone(), stop.clone()).expect("listening");
    Running { address, app, odoo, stop, task, _directory: directory }
}

/// An answer, read to the end of the connection.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("an error").to_owned()
    }

    fn has(&self, header: &str) -> bool {
        self.head.contains(header)
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Answer::parse(&answer)
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n", body.len());
        self.raw(&[request.as_bytes(), body].concat()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[BEARER], b"").await
    }

    async fn signed_at(&self, source: &str, id: &str, body: &[u8], at: DateTime<Utc>) -> Answer {
        let signature = Key::parse(SECRET).expect("a secret").sign(id, at, body);
        let timestamp = at.timestamp().to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &*timestamp), ("webhook-signature", &*signature)];
        self.send("POST", &format!("/api/webhooks/{source}"), &headers, body).await
    }

    async fn signed(&self, source: &str, id: &str, body: &Value) -> Answer {
        self.signed_at(source, id, body.to_string().as_bytes(), Utc::now()).await
    }

    async fn jobs(&self, state: JobState) -> Vec<(JobKind, Option<i64>)> {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        let jobs = self.app.store.list_jobs(filter).await.expect("jobs");
        jobs.into_iter().map(|job| (job.kind, job.delivery_id)).collect()
    }

    async fn ready(&self, kind: JobKind) -> u64 {
        self.app.store.stats().await.expect("stats").queues[&kind].ready
    }

    async fn deliveries(&self) -> u64 {
        self.app.store.stats().await.expect("stats").deliveries
    }
}

fn lead() -> Value {
    json!({"lead": {"external_id": 7, "email": "sara@example.com"}})
}

#[tokio::test]
async fn a_delivery_is_kept_once_and_answered_alike() {
    let server = start().await;
    let first = server.signed("web", "msg_1", &lead()).await;
    let id = first.json()["delivery"].as_i64().expect("a number");
    assert_eq!(first.status, 202);
    assert_eq!(first.json(), json!({"status": "accepted", "items": 1, "warnings": [], "delivery": id}));
    assert!(!first.has("x-replayed"));

    let stored = server.app.store.deliveries(vec![id]).await.expect("read").remove(0).expect("kept");
    assert_eq!((stored.source.as_str(), stored.key.as_str()), ("web", "msg_1"));
    assert_eq!(stored.body, lead().to_string().into_bytes());
    assert_eq!(server.ready(JobKind::Intake).await, 1);

    let again = server.signed("web", "msg_1", &json!({"lead": {"name": "other"}})).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    assert!(again.has("x-replayed: true"));
    assert_eq!((server.deliveries().await, server.ready(JobKind::Intake).await), (1, 1));

    let warned = server.signed("web", "msg_2", &json!({"lead": {"name": "x", "emial": "y"}})).await;
    assert_eq!(
        warned.json()["warnings"],
        json!(["/lead/emial: unknown field: kept as an answer; did you mean `email`?"])
    );
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_and_not_kept() {
    let server = start().await;
    let body = lead().to_string();
    let missing = server.send("POST", "/api/webhooks/web", &[], body.as_bytes()).await;
    assert_eq!((missing.status, missing.code()), (401, "missing_header".to_owned()));
    let headers = [("webhook-id", "a"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")];
    let wrong = server.send("POST", "/api/webhooks/web", &headers, body.as_bytes()).await;
    assert_eq!((wrong.status, wrong.code()), (401, "signature_mismatch".to_owned()));
    let headers = [("webhook-id", "a.b"), headers[1], headers[2]];
    let bad = server.send("POST", "/api/webhooks/web", &headers, body.as_bytes()).await;
    assert_eq!((bad.status, bad.code()), (401, "bad_header".to_owned()));
    for minutes in [6, -6] {
        let at = Utc::now() - TimeDelta::minutes(minutes);
        let old = server.signed_at("web", "msg_1", body.as_bytes(), at).await;
        assert_eq!((old.status, old.code()), (401, "timestamp_out_of_tolerance".to_owned()));
        assert!(old.json()["error"]["message"].as_str().expect("text").contains("clock, which says 20"));
    }
    assert_eq!(server.deliveries().await, 0);
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("source=\"web\",result=\"signature_mismatch\"} 1"), "{metrics}");
}

#[tokio::test]
async fn what_is_not_understood_is_kept_for_a_retry() {
    let server = start().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let not_utf8 = b"{\"lead\": {\"name\": \"\xff\"}}";
    for (index, (body, status, code, message)) in [
        (&b"name=Sara"[..], 400, "not_json", "the body is not valid JSON: expected"),
        (b"", 400, "not_json", "the body is not valid JSON: it is empty"),
        (deep.as_bytes(), 400, "not_json", "the body is not valid JSON: it is nested more than 127 levels deep"),
        (not_utf8, 400, "not_json", "the body is not valid JSON: invalid unicode"),
        (br#"{"lead": {"email": 5.5}}"#, 422, "invalid_body", "/lead/email: expected a string, got a number"),
        (br#"{"leads": [{"name": "x"}, 5]}"#, 422, "invalid_body", "/leads/1: expected an object, got a number"),
        (br#"{}"#, 422, "invalid_body", "body: expected `lead`, `leads`"),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("msg_{index}");
        let answer = server.signed_at("web", &key, body, Utc::now()).await;
        assert_eq!((answer.status, &*answer.code()), (status, code));
        let json = answer.json();
        assert!(json["error"]["message"].as_str().expect("text").starts_with(message), "{json}");
        let id = json["delivery"].as_i64().expect("a number");
        let stored = server.app.store.deliveries(vec![id]).await.expect("read").remove(0).expect("kept");
        assert_eq!(stored.body, body);
        assert!(server.jobs(JobState::Parked).await.contains(&(JobKind::Intake, Some(id))));
        let again = server.signed_at("web", &key, body, Utc::now()).await;
        assert_eq!((again.status, again.json()), (status, json));
        assert!(again.has("x-replayed: true"));
    }
}

#[tokio::test]
async fn control_characters_do_not_reach_the_answer() {
    let server = start().await;
    let answer = server.signed("web", "msg_1", &json!({"lead": {"name": "a\u{0}b", "x\u{0}\r\ny": "z"}})).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["warnings"], json!(["/lead/x\ny: unknown field: kept as an answer"]));
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let server = start_with(Server { body_limit: 1_000, ..Server::default() }, 10, Tokens::default()).await;
    let announced = server.send("POST", "/api/webhooks/web", &[], &[b'x'; 1_001]).await;
    assert_eq!((announced.status, announced.code()), (413, "body_too_large".to_owned()));
    let head = "POST /api/webhooks/web HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n";
    let kept_alive = server.raw(format!("{head}{}", "x".repeat(1_001)).as_bytes()).await;
    assert!(kept_alive.status == 413 && kept_alive.has("connection: close"), "no further request goes into it");
    let head = "POST /api/webhooks/web HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let chunked = server.raw(format!("{head}{}", chunk.repeat(3)).as_bytes()).await;
    assert_eq!((chunked.status, chunked.code()), (413, "body_too_large".to_owned()));
    let allowed = server.send("POST", "/api/webhooks/web", &[], &[b'x'; 1_000]).await;
    assert_eq!(allowed.status, 401);
    let encoded = server.send("POST", "/api/webhooks/web", &[("content-encoding", "gzip")], b"x").await;
    assert_eq!((encoded.status, encoded.code()), (415, "encoded_body".to_owned()));
}

#[tokio::test]
async fn every_wrong_address_is_answered_in_one_shape() {
    let server = start().await;
    for (method, path, status, code) in [
        ("POST", "/api/webhooks/other", 404, "unknown_source"),
        ("POST", "/api/webhooks/api", 404, "unknown_source"),
        ("POST", "/api/webhooks/%ff", 404, "unknown_source"),
        ("POST", "/api/webhooks/", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/api/odoo/leads/x", 404, "not_found"),
        ("GET", "/api/odoo/leads/12", 404, "not_found"),
    ] {
        let answer = server.send(method, path, &[BEARER], b"").await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{method} {path}");
        assert!(answer.has("content-type: application/json"));
    }
    for (method, path, allow) in [
        ("GET", "/api/webhooks/web", "post"),
        ("DELETE", "/api/odoo/leads", "get,head,post"),
        ("POST", "/api/health", "get,head"),
    ] {
        let answer = server.send(method, path, &[BEARER], b"").await;
        assert_eq!((answer.status, &*answer.code()), (405, "method_not_allowed"), "{method} {path}");
        assert!(
            answer.has(&format!("allow: {allow}\r\n")) || answer.head.ends_with(&format!("allow: {allow}")),
            "{}",
            answer.head
        );
    }
}

fn change(id: &str, database: &str) -> Value {
    json!({"database": database, "events": [{
        "id": id, "seq": 5, "event": "lead.won", "timestamp": "2026-11-21T10:00:00Z", "model": "crm.lead", "record_id": 12,
        "data": {"id": 12, "name": "Fleet", "stage_id": 4, "active": true}, "names": {"crm.stage": {"4": "Won"}}
    }]})
}

fn deletion(database: &str) -> Value {
    let mut batch = change("e-0", database);
    batch["events"][0]["event"] = json!("lead.deleted");
    batch["events"][0]["seq"] = json!(6);
    batch
}

#[tokio::test]
async fn changes_from_odoo_reach_the_mirror_once() {
    let server = start().await;
    let empty = server.signed("odoo", "msg_0", &json!({"database": "d-1", "events": []})).await;
    assert_eq!((empty.status, empty.json()), (200, json!({"status": "stored", "new": 0, "known": 0})));
    let first = server.signed("odoo", "msg_1", &change("e-1", "d-1")).await;
    assert_eq!((first.status, first.json()), (200, json!({"status": "stored", "new": 1, "known": 0})));
    let again = server.signed("odoo", "msg_2", &change("e-1", "d-1")).await;
    assert_eq!((again.status, again.json()), (200, json!({"status": "stored", "new": 0, "known": 1})));
    let lead = server.get("/api/odoo/leads/12").await.json();
    assert_eq!((&lead["name"], &lead["stage_name"]), (&json!("Fleet"), &json!("Won")));
    assert_eq!(server.signed("odoo", "msg_2b", &deletion("d-1")).await.json()["new"], 1);
    assert_eq!(server.get("/api/odoo/leads/12").await.code(), "not_found");

    server.app.store.meta_set("odoo.database_uuid", "d-1").await.expect("set");
    let copy = server.signed("odoo", "msg_3", &change("e-2", "d-2")).await;
    assert_eq!((copy.status, copy.code()), (409, "wrong_database".to_owned()));
    let own = server.signed("odoo", "msg_4", &change("e-3", "d-1")).await;
    assert_eq!(own.json()["new"], 1);
    // The addon keeps and repeats what was refused.
    let bad = server.signed("odoo", "msg_5", &json!({"database": "d-1", "events": [{}]})).await;
    assert_eq!((bad.status, bad.code()), (422, "invalid_body".to_owned()));
    assert_eq!(server.deliveries().await, 0);
}

#[tokio::test]
async fn leads_come_in_by_the_api_too() {
    let server = start().await;
    let body = lead().to_string();
    let post = async |headers: &[(&str, &str)], body: &str| {
        server.send("POST", "/api/odoo/leads", headers, body.as_bytes()).await
    };
    let key = ("idempotency-key", "k-1");
    let first = post(&[BEARER, key], &body).await;
    assert_eq!((first.status, &first.json()["status"]), (202, &json!("accepted")));
    let again = post(&[BEARER, key], &body).await;
    assert_eq!((again.status, again.json()["delivery"].clone()), (200, first.json()["delivery"].clone()));
    // Without a key, every request is another one.
    assert_eq!(post(&[BEARER], &body).await.status, 202);
    assert_eq!(post(&[BEARER], &body).await.status, 202);
    assert_eq!(server.deliveries().await, 3);
    assert_eq!(post(&[BEARER], r#"{"contact_name": "Sara", "phone": "1"}"#).await.status, 202);
    let order = post(&[BEARER], r#"{"order": {"external_id": 1}}"#).await;
    assert_eq!((order.status, order.code()), (422, "invalid_body".to_owned()));
    let long = "k".repeat(256);
    let bad = post(&[BEARER, ("idempotency-key", &long)], &body).await;
    assert_eq!((bad.status, bad.code()), (401, "bad_header".to_owned()));
}

#[tokio::test]
async fn the_api_needs_a_token() {
    let server = start().await;
    let closed = start_with(Server::default(), 10, Tokens::default()).await;
    for (method, path) in [
        ("GET", "/api/odoo/health"),
        ("GET", "/api/odoo/leads"),
        ("GET", "/api/odoo/leads/1"),
        ("GET", "/api/odoo/orders"),
        ("GET", "/api/odoo/orders/1"),
        ("POST", "/api/odoo/leads"),
    ] {
        for headers in [&[][..], &[("authorization", "Bearer 0123456789abcdeX")], &[("authorization", "Basic x")]] {
            let answer = server.send(method, path, headers, b"{}").await;
            assert_eq!((answer.status, &*answer.code()), (401, "unauthorized"), "{method} {path}");
            assert!(answer.has("www-authenticate: bearer"));
        }
        let answer = closed.send(method, path, &[BEARER], b"{}").await;
        assert_eq!((answer.status, &*answer.code()), (403, "api_closed"), "{method} {path}");
    }
    for path in ["/api/health", "/metrics"] {
        assert_eq!(closed.send("GET", path, &[], b"").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn metrics_need_a_token_where_others_can_ask() {
    let server = start().await;
    let everywhere = Server { listen: "0.0.0.0:0".parse().expect("an address"), ..Server::default() };
    let (address, _task) = serve(&everywhere, server.app.clone(), server.stop.clone()).expect("listening");
    let local = SocketAddr::from(([127, 0, 0, 1], address.port()));
    let server = Running { address: local, ..server };
    assert_eq!(server.send("GET", "/metrics", &[], b"").await.code(), "unauthorized");
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.has("content-type: application/openmetrics-text"));
    assert!(metrics.body.ends_with("# EOF\n"));
    // The same holds for what may name machines.
    let detail = Some("connection to odoo.internal refused".to_owned());
    server.odoo.send_replace(OdooStatus { reachable: Some(false), detail, ..OdooStatus::default() });
    let health = server.send("GET", "/api/health", &[], b"").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("degraded")));
    assert!(!health.body.contains("odoo.internal"));
}

#[tokio::test]
async fn the_mirror_can_be_listed() {
    let server = start().await;
    let records: Vec<_> = (1..=3)
        .map(|id| {
            json!({"id": id, "name": format!("Lead {id}"), "stage_id": 4, "tag_ids": [1], "active": id != 3,
                         "email_from": format!("a{id}@example.com"), "write_date": "2026-11-20 10:00:00"})
        })
        .collect();
    let page = json!({"records": records, "names": {"crm.stage": {"4": "Won"}, "crm.tag": {"1": "VIP"}}});
    let page: Page = serde_json::from_value(page).expect("a page");
    server.app.store.store_page(Model::Lead, page, Utc::now().timestamp_millis(), None).await.expect("stored");
    let page = json!({"records": [{"id": 5, "name": "S0001", "state": "sale", "client_order_ref": "SO-1"}]});
    let page: Page = serde_json::from_value(page).expect("a page");
    server.app.store.store_page(Model::Order, page, Utc::now().timestamp_millis(), None).await.expect("stored");

    let ids = async |path: &str, key: &str| -> Value {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let rows = answer.json()[key].as_array().expect("a list").clone();
        rows.into_iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(ids("/api/odoo/leads", "leads").await, json!([1, 2, 3]));
    assert_eq!(ids("/api/odoo/leads?active=false", "leads").await, json!([3]));
    assert_eq!(ids("/api/odoo/leads?stage=Won&email=A2@example.com", "leads").await, json!([2]));
    assert_eq!(ids("/api/odoo/leads?q=lead%201", "leads").await, json!([1]));
    assert_eq!(ids("/api/odoo/leads?stage_id=9", "leads").await, json!([]));
    assert_eq!(ids("/api/odoo/leads?updated_since=2100-01-01T00:00:00Z", "leads").await, json!([]));
    assert_eq!(ids("/api/odoo/orders?state=sale&client_order_ref=SO-1", "orders").await, json!([5]));
    assert_eq!(ids("/api/odoo/orders?partner_id=1", "orders").await, json!([]));

    let first = server.get("/api/odoo/leads?limit=1").await.json();
    assert_eq!((first["leads"][0]["id"].clone(), first["next"].clone()), (json!(1), json!(1)));
    assert_eq!(first["leads"][0]["stage_name"], "Won");
    assert_eq!(first["leads"][0]["tag_names"], json!(["VIP"]));
    assert_eq!(first["leads"][0]["as_of"].as_str().map(str::len), Some(20));
    assert_eq!(ids("/api/odoo/leads?limit=1&after=1", "leads").await, json!([2]));
    assert_eq!(server.get("/api/odoo/orders/5").await.json()["name"], "S0001");

    for (query, code, message) in [
        ("stgae=Won", "unknown_parameter", "unknown parameter `stgae`; known here: stage, stage_id, email, phone,"),
        ("limit=501", "bad_parameter", "limit: expected a whole number from 1 to 500"),
        ("limit=0", "bad_parameter", "limit: expected a whole number from 1 to 500"),
        ("after=x", "bad_parameter", "after: expected the number of a record"),
        ("active=yes", "bad_parameter", "active: expected `true` or `false`"),
        ("phone=12", "bad_parameter", "phone: expected at least 3 digits"),
        ("updated_since=today", "bad_parameter", "updated_since: expected a time such as"),
    ] {
        let answer = server.get(&format!("/api/odoo/leads?{query}")).await;
        assert_eq!((answer.status, &*answer.code()), (400, code), "{query}");
        let json = answer.json();
        assert!(json["error"]["message"].as_str().expect("text").starts_with(message), "{json}");
    }
}

#[tokio::test]
async fn health_tells_troubles() {
    let server = start().await;
    let well = server.send("GET", "/api/health", &[], b"").await;
    assert_eq!((well.status, &well.json()["status"]), (200, &json!("ok")));
    assert_eq!(well.json()["store"]["writable"], true);
    assert_eq!(well.json()["queues"]["push"]["ready"], 0);

    // What waits for a person is shown, and no reason to restart anything.
    server.signed_at("web", "msg_1", b"{}", Utc::now()).await;
    let parked = server.send("GET", "/api/health", &[], b"").await.json();
    assert_eq!((&parked["status"], &parked["queues"]["intake"]["parked"]), (&json!("ok"), &json!(1)));
    assert_eq!(parked["oldest_age_s"], 0);
    server.odoo.send_replace(OdooStatus {
        reachable: Some(false),
        detail: Some("connection refused".to_owned()),
        ..OdooStatus::default()
    });
    let ill = server.send("GET", "/api/health", &[], b"").await;
    assert_eq!((ill.status, &ill.json()["status"]), (200, &json!("degraded")));
    assert_eq!(ill.json()["odoo"]["detail"], "connection refused");
    let odoo = server.get("/api/odoo/health").await;
    assert_eq!((odoo.status, &odoo.json()["detail"]), (503, &json!("connection refused")));
    let blocked = OdooStatus { reachable: Some(true), blocked: Some("a copy".to_owned()), ..OdooStatus::default() };
    server.odoo.send_replace(blocked);
    let ill = server.send("GET", "/api/health", &[], b"").await.json();
    assert_eq!((&ill["status"], &ill["odoo"]["blocked"]), (&json!("degraded"), &json!("a copy")));
    assert_eq!(server.get("/api/odoo/health").await.json()["blocked"], "a copy");

    let server = start().await;
    server.app.store.close().await;
    let down = server.send("GET", "/api/health", &[], b"").await;
    assert_eq!((down.status, &down.json()["status"]), (503, &json!("down")));
    let refused = server.signed("web", "msg_2", &lead()).await;
    assert_eq!((refused.status, refused.code()), (503, "store_unavailable".to_owned()));
    assert!(refused.has("retry-after: 30"));
}

#[tokio::test]
async fn a_full_queue_asks_for_patience() {
    let server = start_with(Server::default(), 1, Tokens::default()).await;
    assert_eq!(server.signed("web", "msg_1", &lead()).await.status, 202);
    let full = server.signed("web", "msg_2", &lead()).await;
    assert_eq!((full.status, full.code()), (503, "queue_full".to_owned()));
    assert!(full.has("retry-after: 30"));
    assert_eq!(server.signed("web", "msg_1", &lead()).await.status, 200);
}

async fn impatient() -> Running {
    let config = Server {
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(400),
        request_timeout: Duration::from_millis(600),
        max_connections: 2,
        ..Server::default()
    };
    start_with(config, 10, Tokens::default()).await
}

#[tokio::test]
async fn drip_fed_headers_are_cut_off() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    let began = Instant::now();
    let mut closed = false;
    for byte in b"GET /api/health HTTP/1.1\r\nhost: slow.example.com\r\n".iter().cycle().take(100) {
        if stream.write_all(&[*byte]).await.is_err() || stream.try_read(&mut [0; 64]).is_ok() {
            closed = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(closed && began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open");
}

#[tokio::test]
async fn a_connection_is_not_kept_alive_for_ever() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open");
    assert_eq!(Answer::parse(&answer).status, 200);
}

#[tokio::test]
async fn a_body_that_never_comes_times_out() {
    let server = impatient().await;
    let head = b"POST /api/webhooks/web HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc";
    let answer = server.raw(head).await;
    assert_eq!((answer.status, answer.code()), (408, "body_timeout".to_owned()));
}

#[tokio::test]
async fn a_drip_fed_body_times_out() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    let began = Instant::now();
    let head = b"POST /api/webhooks/web HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.expect("sent");
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = reader.read_to_end(&mut answer).await;
    assert_eq!(Answer::parse(&answer).code(), "body_timeout");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    drip.abort();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    // Enough answers to fill every buffer on the way.
    let requests = b"GET /api/nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let flood = async { while stream.write_all(&requests).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(10), flood).await.expect("it is still connected");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (_first, _second) = (server.connect().await, server.connect().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.app.metrics.render().matches("turned_away_total{").count(), 0, "its place was not given back");
}

/// A few requests, and hardly more for the next minute.
fn few(count: u32) -> Option<Rate> {
    NonZeroU32::new(count).map(|count| Rate { count, per: MINUTE })
}

#[tokio::test]
async fn a_client_has_only_so_many_requests() {
    let config = Server { ip_rate: few(1), ..Server::default() };
    let server = start_with(config, 10, Tokens::default()).await;
    let from = async |forwarded: &str| server.send("GET", "/api/health", &[("x-forwarded-for", forwarded)], b"").await;
    for _ in 0..10 {
        assert_eq!(from("198.51.100.7, 203.0.113.1").await.status, 200);
    }
    let limited = from("198.51.100.8, 203.0.113.1").await;
    assert_eq!((limited.status, limited.code()), (429, "rate_limited".to_owned()));
    assert!(limited.has("retry-after: 60") || limited.has("retry-after: 59"), "{}", limited.head);
    // Others are not concerned, nor is this machine.
    assert_eq!(from("203.0.113.2").await.status, 200);
    assert_eq!(server.send("GET", "/api/health", &[], b"").await.status, 200);
    // A forgery counts as ten.
    let forge = [("x-forwarded-for", "203.0.113.3"), ("webhook-id", "a"), ("webhook-timestamp", "1")];
    let forge = [&forge[..], &[("webhook-signature", "v1,AAAA")]].concat();
    assert_eq!(server.send("POST", "/api/webhooks/web", &forge, b"{}").await.status, 401);
    assert_eq!(from("203.0.113.3").await.status, 429);
    let metrics = server.send("GET", "/metrics", &[], b"").await.body;
    assert!(metrics.contains("g_assistant_turned_away_total{reason=\"rate_limited\"} 2"), "{metrics}");
}

#[tokio::test]
async fn nobody_but_a_proxy_names_another_client() {
    let config = Server { ip_rate: few(1), trusted_proxies: Vec::new(), ..Server::default() };
    let server = start_with(config, 10, Tokens::default()).await;
    let mut statuses = Vec::new();
    for number in 0..11 {
        let forwarded = format!("203.0.113.{number}");
        statuses.push(server.send("GET", "/api/health", &[("x-forwarded-for", &*forwarded)], b"").await.status);
    }
    assert_eq!(statuses, [[200; 10].as_slice(), &[429]].concat());
}

#[tokio::test]
async fn a_source_has_only_so_many_deliveries_and_forgeries_do_not_count() {
    let config = Server { source_rate: few(1), ..Server::default() };
    let server = start_with(config, 100, Tokens::default()).await;
    for _ in 0..30 {
        assert_eq!(server.signed_at("web", "x", b"{}", DateTime::UNIX_EPOCH).await.status, 401);
    }
    for number in 0..10 {
        assert_eq!(server.signed("web", &format!("msg_{number}"), &lead()).await.status, 202);
    }
    let limited = server.signed("web", "msg_10", &lead()).await;
    assert_eq!((limited.status, limited.code()), (429, "source_rate_limited".to_owned()));
    assert!(limited.has("retry-after: "));
    assert_eq!(server.deliveries().await, 10);
    assert_eq!(server.signed("odoo", "msg_0", &json!({"database": "d-1", "events": []})).await.status, 200);
}

#[tokio::test]
async fn connections_are_capped_and_given_back() {
    let server = impatient().await;
    let (first, second) = (server.connect().await, server.connect().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = server.connect().await;
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).await.expect("an answer");
    let answer = Answer::parse(&answer);
    assert_eq!((answer.status, answer.code()), (503, "too_many_connections".to_owned()));
    assert!(answer.has("retry-after"));
    drop((first, second));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.send("GET", "/api/health", &[], b"").await.status, 200);
}

#[tokio::test]
async fn one_client_cannot_take_every_connection() {
    let config = Server { max_connections_per_ip: 2, trusted_proxies: Vec::new(), ..Server::default() };
    let server = start_with(config, 10, Tokens::default()).await;
    let (first, _second) = (server.connect().await, server.connect().await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut answer = Vec::new();
    server.connect().await.read_to_end(&mut answer).await.expect("an answer");
    let answer = Answer::parse(&answer);
    assert_eq!((answer.status, answer.code()), (503, "too_many_connections_of_client".to_owned()));
    // From another address.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
    let mut other = socket.connect(server.address).await.expect("connected");
    other.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    other.read_to_end(&mut answer).await.expect("an answer");
    assert_eq!(Answer::parse(&answer).status, 200);
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.send("GET", "/api/health", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish() {
    let server = start().await;
    let mut stream = server.connect().await;
    let head = "POST /api/webhooks/web HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    stream.write_all(b"abc").await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert_eq!(Answer::parse(&answer).code(), "missing_header");
    tokio::time::timeout(Duration::from_secs(2), server.task).await.expect("ended").expect("no panic");
}

#[tokio::test]
async fn a_taken_port_is_an_error_at_the_start() {
    let server = start().await;
    let config = Server { listen: server.address, ..Server::default() };
    let error = serve(&config, server.app.clone(), server.stop.clone()).expect_err("taken").to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", server.address)), "{error}");
}

#[tokio::test]
async fn a_panic_is_answered() {
    async fn broken() {
        panic!("on purpose");
    }
    let mut router: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(guard::panicked));
    let response = router.call(axum::extract::Request::new(axum::body::Body::empty())).await.expect("an answer");
    assert_eq!(response.status(), 500);
}
