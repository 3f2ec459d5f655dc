//! The real `g-assistant`, with a configuration and a store of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use g_assistant::sources::standard_webhooks::Key;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::odoo::{Database, Server, until, until_within};

pub const BINARY: &str = env!("CARGO_BIN_EXE_g-assistant");
pub const WEBSITE_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const TOKEN: &str = "a-token-for-tests-0123456789";

/// A daemon: configured, and running or not.
pub struct Daemon {
    pub folder: TempDir,
    pub url: String,
    /// Runs it: a command that ends with the daemon's own, and variables for it.
    pub runner: Vec<String>,
    pub variables: Vec<(String, String)>,
    process: Option<Child>,
    http: reqwest::Client,
}

/// An answer of its HTTP interface.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

impl Daemon {
    /// Writes a configuration for `database`; `extra` goes into `[odoo]`.
    pub fn configure(server: &Server, database: &Database, extra: &str) -> Daemon {
        Self::configure_at(&server.url, database, extra, "")
    }

    /// The same with any address for Odoo, and more sections.
    pub fn configure_at(odoo_url: &str, database: &Database, extra: &str, sections: &str) -> Daemon {
        let Database { name, login, key } = database;
        let odoo = format!("url = {odoo_url:?}\ndatabase = {name:?}\nlogin = {login:?}\n{extra}");
        // Tests send faster than any sender.
        Self::write(&odoo, key, "source_rate = \"off\"", sections)
    }

    /// One whose Odoo is not there, which takes deliveries all the same; `server` goes into `[server]`.
    pub fn without_odoo(server: &str) -> Daemon {
        let odoo = "url = \"http://127.0.0.1:9\"\ndatabase = \"none\"\nlogin = \"nobody\"";
        Self::write(odoo, "no key", server, "")
    }

    fn write(odoo: &str, key: &str, server: &str, sections: &str) -> Daemon {
        let folder = tempfile::Builder::new().prefix("g-assistant-it-").tempdir().expect("a folder");
        let port = free_port();
        let secret = |name, value| put_secret(folder.path(), name, value);
        secret("odoo.key", key);
        secret("website.secret", WEBSITE_SECRET);
        secret("odoo.secret", WEBSITE_SECRET);
        secret("api.token", TOKEN);
        let config = format!(
            r#"
[server]
listen = "127.0.0.1:{port}"
tokens = [{{ file = "api.token" }}]
{server}

[store]
path = "store.db"

[odoo]
secret = {{ file = "odoo.key" }}
{odoo}

[sync]
poll_interval = "2s"

[log]
format = "json"

[sources.website]
kind = "generic"
secret = {{ file = "website.secret" }}

[sources.odoo]
kind = "odoo"
secret = {{ file = "odoo.secret" }}
{sections}"#
        );
        fs::write(folder.path().join("config.toml"), config).expect("written");
        Daemon {
            folder,
            url: format!("http://127.0.0.1:{port}"),
            runner: Vec::new(),
            variables: Vec::new(),
            process: None,
            http: http_client(),
        }
    }

    /// Writes a file beside its configuration that only its owner may read.
    pub fn put_secret(&self, name: &str, secret: &str) {
        put_secret(self.folder.path(), name, secret);
    }

    /// Replaces a part of its configuration, which must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let config = fs::read_to_string(self.config()).expect("read");
        assert!(config.contains(from), "{from} is not in the configuration");
        fs::write(self.config(), config.replace(from, to)).expect("written");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Starts it, and waits for nothing.
    pub fn spawn(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path()).expect("a log");
        let mut words = self.runner.iter().map(String::as_str).chain([BINARY]);
        let process = Command::new(words.next().expect("a program"))
            .args(words)
            .arg("--config")
            .arg(self.config())
            .arg("run")
            .envs(self.variables.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        self.process = Some(process);
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        self.spawn();
        self.answers().await;
    }

    /// Waits until it answers.
    pub async fn answers(&mut self) {
        until("the daemon answers", async || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(ended.is_none(), "the daemon ended: {}", self.log());
            self.get("/api/health").await.ok()
        })
        .await;
    }

    /// Starts it and waits until it is connected to Odoo.
    pub async fn start_connected(&mut self) {
        self.start().await;
        self.connected().await;
    }

    pub async fn connected(&self) {
        until("the daemon is connected to Odoo", async || {
            let health = self.get("/api/health").await.ok()?;
            (health.body["odoo"]["reachable"] == json!(true)).then_some(())
        })
        .await;
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log.json")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killed");
            process.wait().expect("reaped");
        }
    }

    /// Holds it where it is, or lets it go on, as a machine that is moved does.
    pub fn signal(&self, signal: &str) {
        Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("signalled");
    }

    /// Waits until it ends by itself; returns the exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        until("the daemon ends by itself", async || process.try_wait().expect("waited")).await.code()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").id()
    }

    /// The most memory that it has had for itself, in MiB: without the pages of the program's file, of which a debug build
    /// has three times as many, and which the system drops when it wants them.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running daemon");
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its own");
            value.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
        };
        (kib("VmHWM:") - kib("RssFile:")) / 1024
    }

    /// SIGTERM; returns the exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        Command::new("kill").arg(process.id().to_string()).status().expect("signalled");
        let code = until("the daemon ends", async || process.try_wait().expect("waited")).await;
        code.code()
    }

    /// Runs a command of the command line on this configuration.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY).arg("--config").arg(self.config()).args(arguments).output().expect("runs")
    }

    /// Runs a command and reads its JSON.
    pub fn cli_json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The jobs that are parked.
    pub fn parked(&self) -> Value {
        self.cli_json(&["outbox", "list", "--state", "parked", "--json"])
    }

    /// Reads one path, when the daemon may be down.
    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(TOKEN);
        answer(request.send().await?).await
    }

    /// Reads one path; the daemon must be up.
    pub async fn read(&self, path: &str) -> Answer {
        self.get(path).await.expect("an answer")
    }

    /// What `/metrics` shows.
    pub async fn metrics(&self) -> String {
        let request = self.http.get(format!("{}/metrics", self.url)).bearer_auth(TOKEN);
        request.send().await.expect("an answer").text().await.expect("text")
    }

    /// Posts JSON with the API token.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(TOKEN).body(body.to_string());
        answer(request.header("content-type", "application/json").send().await.expect("sent")).await.expect("read")
    }

    /// What a platform posts, with the header that proves it; the status, or 0 when the daemon is down.
    pub async fn post_webhook(&self, path: &str, (header, proof): (&str, &str), body: &str) -> u16 {
        let request = self.http.post(format!("{}/api/webhooks/{path}", self.url)).header(header, proof);
        request.body(body.to_owned()).send().await.map_or(0, |response| response.status().as_u16())
    }

    /// Waits until the first platform is in this state, compared if it is well.
    pub async fn platform(&self, state: &str) -> Value {
        until(&format!("the platform is {state}"), async || {
            let one = self.get("/api/health").await.ok()?.body["platforms"][0].clone();
            (one["state"] == *state && (state != "ok" || one["reconciled_at"].is_string())).then_some(one)
        })
        .await
    }

    /// A signed delivery of the website.
    pub async fn send(&self, id: &str, body: &Value) -> Answer {
        self.try_send(id, body).await.expect("an answer")
    }

    /// The same, when the daemon may be down.
    pub async fn try_send(&self, id: &str, body: &Value) -> reqwest::Result<Answer> {
        self.deliver("website", id, body.to_string().as_bytes(), chrono::Utc::now().timestamp()).await
    }

    /// A signed delivery of anything to any source, at any time.
    pub async fn deliver(&self, source: &str, id: &str, body: &[u8], timestamp: i64) -> reqwest::Result<Answer> {
        let address = format!("{}/api/webhooks/{source}", self.url);
        deliver(&self.http, &address, id, body, timestamp).await
    }

    /// Waits until nothing is queued; what is parked stays.
    pub async fn drained(&self) {
        self.drained_within(Duration::from_secs(90)).await;
    }

    /// The same, for as long as it may take.
    pub async fn drained_within(&self, patience: Duration) {
        until_within(patience, "the queues are empty", async || {
            let health = self.get("/api/health").await.ok()?.body;
            let queues = health["queues"].as_object()?;
            let idle = queues.values().all(|queue| queue["ready"] == json!(0) && queue["leased"] == json!(0));
            idle.then_some(())
        })
        .await;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the daemon's last words:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
        self.kill();
    }
}

/// A client as any sender has one.
pub fn http_client() -> reqwest::Client {
    g_assistant::net::client(&"http://127.0.0.1".parse().expect("a URL")).expect("a client")
}

/// A signed delivery, as any sender makes it.
pub async fn deliver(
    http: &reqwest::Client,
    address: &str,
    id: &str,
    body: &[u8],
    timestamp: i64,
) -> reqwest::Result<Answer> {
    let moment = chrono::DateTime::from_timestamp(timestamp, 0).expect("a moment");
    let signature = Key::parse(WEBSITE_SECRET).expect("a good secret").sign(id, moment, body);
    let request = http
        .post(address)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
        .body(body.to_vec());
    answer(request.send().await?).await
}

async fn answer(response: reqwest::Response) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|seconds| seconds.parse().ok());
    let body = response.bytes().await?;
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default(), retry_after })
}

/// Writes a file that only its owner may read.
fn put_secret(folder: &Path, name: &str, secret: &str) {
    let path = folder.join(name);
    fs::write(&path, secret).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("only ours");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
