//! A real Odoo for the tests: servers, databases, and a person at the keyboard.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use g_assistant::{
    config::{AddonChoice, Odoo as OdooConfig, TransportChoice},
    odoo::{Call, Client, OdooError},
    secret::SecretRef,
};
use serde_json::{Value, json};

/// What a database starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// CRM, Sales and the addon.
    Addon,
    /// CRM and Sales only.
    Plain,
}

impl Template {
    fn name(self) -> &'static str {
        static ADDON: OnceLock<String> = OnceLock::new();
        match self {
            Template::Plain => "g_template",
            Template::Addon => ADDON.get_or_init(|| {
                let addons = root().join("odoo-addon");
                let addons = addons.to_str().expect("a readable path");
                let made =
                    odoo_env(&["template", "g_connector", "--modules", "g_assistant_connector", "--addons", addons]);
                made["TEMPLATE"].clone()
            }),
        }
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs odoo-env and returns what it printed.
pub fn odoo_env_text(arguments: &[&str]) -> String {
    odoo_env_in(&[], arguments)
}

/// The same with environment variables, which the servers that it starts see too.
fn odoo_env_in(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = Command::new(root().join("tests/odoo/odoo-env"))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("odoo-env runs");
    assert!(output.status.success(), "odoo-env {arguments:?} failed");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The same as KEY=VALUE.
pub fn odoo_env(arguments: &[&str]) -> HashMap<String, String> {
    results(&odoo_env_text(arguments))
}

fn results(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// A library that gives the process that loads it a clock of its own.
pub fn faketime() -> String {
    odoo_env(&["faketime"])["LIBFAKETIME"].clone()
}

/// One running server.
#[derive(Clone)]
pub struct Server {
    name: String,
    pub url: String,
    port: String,
    databases: Vec<String>,
}

impl Server {
    /// The server that most tests share.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            // The addons folder must be known even if the first database has no addon.
            Template::Addon.name();
            Server::serve("it-shared", "0", &[], true)
        })
    }

    /// A server for one database, to be killed.
    pub fn own(database: &Database) -> Server {
        Server::serve(&format!("it-{}", database.name), "0", std::slice::from_ref(&database.name), true)
    }

    fn serve(name: &str, port: &str, databases: &[String], restart: bool) -> Server {
        let addons = root().join("odoo-addon");
        let addons = addons.to_str().expect("a readable path");
        let mut arguments = vec!["serve", "--name", name, "--port", port, "--addons", addons];
        if restart {
            arguments.push("--restart");
        }
        for database in databases {
            arguments.extend(["--db", database]);
        }
        let server = odoo_env(&arguments);
        Server {
            name: name.to_owned(),
            url: server["URL"].clone(),
            port: server["PORT"].clone(),
            databases: databases.to_vec(),
        }
    }

    /// A server for these databases with more options of `odoo-env serve`, and environment variables.
    pub fn with(name: &str, databases: &[&Database], options: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut arguments = vec!["serve", "--name", name, "--restart"];
        for database in databases {
            arguments.extend(["--db", &database.name]);
        }
        arguments.extend(options);
        let server = results(&odoo_env_in(environment, &arguments));
        Server {
            name: name.to_owned(),
            url: server["URL"].clone(),
            port: server["PORT"].clone(),
            databases: databases.iter().map(|database| database.name.clone()).collect(),
        }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// `kill -9` of the whole process group.
    pub fn kill(&self) {
        odoo_env_text(&["kill9", "--name", &self.name]);
    }

    /// `kill -9` of PostgreSQL with all its processes, under every server.
    pub fn kill_postgresql() {
        odoo_env_text(&["kill9", "--postgresql"]);
    }

    /// Starts PostgreSQL again.
    pub fn start_postgresql() {
        odoo_env_text(&["up"]);
    }

    /// Starts it again on the same port.
    pub fn start(&self) {
        Server::serve(&self.name, &self.port, &self.databases, false);
    }

    /// Stops it in good order.
    pub fn stop(&self) {
        odoo_env_text(&["stop", "--name", &self.name]);
    }
}

/// One test's own database.
pub struct Database {
    pub name: String,
    /// The daemon's user.
    pub key: String,
    pub login: String,
}

impl Database {
    /// A fresh copy of the template, with a user for the daemon and its API key.
    pub fn fresh(template: Template) -> Database {
        let group = match template {
            Template::Addon => "g_assistant_connector.group_daemon",
            Template::Plain => "sales_team.group_sale_salesman_all_leads",
        };
        Self::copy_of(template.name(), group)
    }

    /// The same from any template; the daemon's user is in `group`.
    pub fn copy_of(template: &str, group: &str) -> Database {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        odoo_env(&["newdb", &name, "--template", template, "--replace"]);
        let login = "g-assistant".to_owned();
        odoo_env_text(&["user", &name, &login, "a long password", "--groups", group]);
        let key = odoo_env_text(&["apikey", &name, &login]).trim().to_owned();
        Database { name, key, login }
    }

    /// A copy of this database with an identity of its own, and the same users and keys.
    pub fn copy(&self, name: &str) -> Database {
        odoo_env(&["newdb", name, "--template", &self.name, "--replace"]);
        Database { name: name.to_owned(), key: self.key.clone(), login: self.login.clone() }
    }

    /// Hands it to somebody else to drop.
    pub fn take(&mut self) -> Database {
        Database { name: std::mem::take(&mut self.name), key: self.key.clone(), login: self.login.clone() }
    }

    /// Puts this database in the place of another one, as a restored backup would be; what was there is dropped.
    pub fn replace(mut self, other: &mut Database) {
        let (new, old) = (std::mem::take(&mut self.name), &other.name);
        let swap = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname in ('{new}', '{old}');
             alter database \"{old}\" rename to \"{old}_replaced\";
             alter database \"{new}\" rename to \"{old}\""
        );
        odoo_env_text(&["psql", "postgres", "-At", "-c", &swap]);
        odoo_env_text(&["dropdb", &format!("{old}_replaced")]);
    }

    /// Runs Odoo's own command line on it.
    pub fn odoo(&self, arguments: &[&str]) {
        let addons = format!("--addons-path={}", root().join("odoo-addon").display());
        odoo_env_text(&[&["odoo"], arguments, &["-d", &self.name, &addons]].concat());
    }

    /// Runs a Python program with this database's `env`, in the background.
    pub fn shell(&self, program: &str) -> std::process::Child {
        let addons = format!("--addons-path={}", root().join("odoo-addon").display());
        let mut shell = Command::new(root().join("tests/odoo/odoo-env"))
            .args(["odoo", "shell", "--no-http", "-d", &self.name, &addons, "--log-level=error"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("odoo-env runs");
        let mut input = shell.stdin.take().expect("its input");
        std::io::Write::write_all(&mut input, program.as_bytes()).expect("written");
        shell
    }

    /// The administrator, at the keyboard.
    pub async fn admin(&self, server: &Server) -> Person {
        Person::log_in(server, self, "admin", "admin").await
    }

    /// Makes a user with these groups.
    pub fn user(&self, login: &str, password: &str, groups: &str) {
        odoo_env_text(&["user", &self.name, login, password, "--groups", groups]);
    }

    /// An API key for a user.
    pub fn apikey(&self, login: &str) -> String {
        odoo_env_text(&["apikey", &self.name, login]).trim().to_owned()
    }

    /// One value by SQL: what is there, whoever asks.
    pub fn sql(&self, query: &str) -> String {
        odoo_env_text(&["psql", &self.name, "-At", "-c", query]).trim().to_owned()
    }

    /// A number by SQL.
    pub fn count(&self, query: &str) -> i64 {
        self.sql(query).parse().expect("a number")
    }

    /// How many leads there are, and of how many addresses.
    pub fn leads(&self) -> (i64, i64) {
        (self.count("select count(*) from crm_lead"), self.count("select count(distinct email_from) from crm_lead"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A failing test keeps its database for the one who looks into it.
        if !std::thread::panicking() && !self.name.is_empty() {
            odoo_env_text(&["dropdb", &self.name]);
        }
    }
}

/// Someone who works in Odoo, over plain XML-RPC.
#[derive(Clone)]
pub struct Person(Client);

impl Person {
    pub async fn log_in(server: &Server, database: &Database, login: &str, password: &str) -> Person {
        let config = OdooConfig {
            url: server.url.parse().expect("a URL"),
            database: database.name.clone(),
            login: login.to_owned(),
            secret: SecretRef::Env("unused".to_owned()),
            transport: TransportChoice::Xmlrpc,
            addon: AddonChoice::Off,
            timeout: Duration::from_secs(60),
            batch: 1,
            company: None,
            owned_lead_fields: Vec::new(),
            owned_order_fields: Vec::new(),
        };
        Person(Client::connect(&config, password.into()).await.expect("a person can log in"))
    }

    /// Calls any method.
    pub async fn call(&self, call: Call) -> Value {
        let what = format!("{}.{}", call.model, call.method);
        self.try_call(call).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The same, when it may fail.
    pub async fn try_call(&self, call: Call) -> Result<Value, OdooError> {
        self.0.call(call).await
    }

    pub async fn create(&self, model: &str, values: Value) -> i64 {
        let ids = self.call(Call::new(model, "create").arg("vals_list", json!([values]))).await;
        ids[0].as_i64().expect("an id")
    }

    pub async fn write(&self, model: &str, id: i64, values: Value) {
        self.call(Call::new(model, "write").on([id]).arg("vals", values)).await;
    }

    pub async fn act(&self, model: &str, method: &str, id: i64) {
        self.call(Call::new(model, method).on([id])).await;
    }

    pub async fn unlink(&self, model: &str, id: i64) {
        self.act(model, "unlink", id).await;
    }

    /// Ids, archived records included.
    pub async fn search(&self, model: &str, domain: Value) -> Vec<i64> {
        let call = Call::new(model, "search").arg("domain", domain).arg("order", "id").context("active_test", false);
        serde_json::from_value(self.call(call).await).expect("ids")
    }

    pub async fn read(&self, model: &str, id: i64, fields: &[&str]) -> Value {
        let rows = self.call(Call::new(model, "read").on([id]).arg("fields", json!(fields)).arg("load", "")).await;
        rows[0].clone()
    }
}

/// Waits until `check` gives a value.
pub async fn until<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(Duration::from_secs(90), what, check).await
}

/// The same, for as long as it may take.
pub async fn until_within<T>(patience: Duration, what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
