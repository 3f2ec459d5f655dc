//! Durable signed webhooks per second.
//!
//! Measured with Odoo out of reach: intake works on what comes in, while pushing waits. Baselines:
//!
//! - the same server, which verifies and parses and then does not store. It is the daemon's own web server with the
//!   daemon's own sources, wrapped so that each body counts as not understood and is left to its sender: whatever is
//!   done before the store is done, and nothing after;
//! - Odoo's inbound webhook (`base_automation`) with a rule that creates the lead from the payload, on a connection of
//!   its own for each request because Odoo closes them.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use g_assistant::{
    clock::Clock,
    config::Config,
    domain::OdooStatus,
    http::{self, AppState},
    secret::{SecretError, SecretRef},
    sources::{Inbound, ParseError, Parsed, Refusal, Setup, Source, SourceSpec, Tokens, Verified, open_all},
    store::{Store, StoreOptions},
    telemetry::{self, Metrics},
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Scale,
    daemon::Daemon,
    load::{self, Load, Plan},
    odoo::{Database, odoo_env, until},
    plot::{Bar, Plot},
    python::Script,
    report::{Measured, median, ratio},
    subject::{self, Odoo},
};

const CONNECTIONS: [usize; 4] = [1, 32, 256, 1024];
/// The web server of a threaded Odoo takes no more at once.
const ODOO_CONNECTIONS: [usize; 3] = [1, 4, 32];
/// More than any machine answers in a second.
const MOST_PER_SECOND: usize = 40_000;

pub async fn measure(scale: Scale) -> Measured {
    let template = odoo_env(&["template", "bench_hook", "--modules", "base_automation"]);
    let database = Database::copy_of(&template["TEMPLATE"], "sales_team.group_sale_salesman_all_leads");
    let server = Odoo::serve("bench-hook", &[&database], &[], &[]);
    let mut script = Script::in_process(&database, "admin", "");
    let hook = script.run("hook", json!({}))["path"].as_str().expect("a path").to_owned();
    let odoo: SocketAddr = server.url.trim_start_matches("http://").parse().expect("an address");

    let (rounds, seconds) = scale.pick((5, 3), (1, 1));
    let time = Duration::from_secs(seconds);
    let mut durable: Vec<Vec<Load>> = vec![Vec::new(); CONNECTIONS.len()];
    let mut without: Vec<Vec<Load>> = vec![Vec::new(); CONNECTIONS.len()];
    let mut inbound: Vec<Vec<Load>> = vec![Vec::new(); ODOO_CONNECTIONS.len()];
    for round in 0..rounds {
        for (at, &connections) in CONNECTIONS.iter().enumerate() {
            println!("    round {} of {rounds}: {connections} connections", round + 1);
            let plan = |address, status| Plan { address, connections, time, status, keep_alive: true };
            let nostore = WithoutStore::start(&database).await;
            without[at].push(warm(plan(nostore.address(), 422)).await);
            drop(nostore);
            let mut daemon = subject::configure(subject::NOWHERE, &database);
            daemon.start().await;
            durable[at].push(warm(plan(subject::address(&daemon), 202)).await);
        }
        for (at, &connections) in ODOO_CONNECTIONS.iter().enumerate() {
            let time = Duration::from_secs(scale.pick(5, 2));
            let plan = Plan { address: odoo, connections, time, status: 200, keep_alive: false };
            inbound[at].push(load::run(plan, load::unsigned(&hook, &format!("o{round}c{at}"), 2000)).await);
        }
    }
    drop(script);

    let per_second = |loads: &[Load]| loads.iter().map(|load| load.per_second).collect::<Vec<_>>();
    let best: Vec<f64> = (0..rounds)
        .map(|round| inbound.iter().map(|loads| loads[round].per_second).fold(f64::MIN_POSITIVE, f64::max))
        .collect();
    let at_256 = CONNECTIONS.iter().position(|&connections| connections == 256).expect("measured");
    let p99: Vec<f64> = durable[at_256].iter().map(|load| load.p99_ms).collect();
    let mut bars = Vec::new();
    for (at, connections) in CONNECTIONS.iter().enumerate() {
        let nostore = median(&per_second(&without[at]));
        let stored = Bar::subject(format!("stored, {connections} connections"), median(&per_second(&durable[at])));
        bars.push(if at == at_256 { stored.target(0.6 * nostore) } else { stored });
        bars.push(Bar::baseline(format!("verified, not stored, {connections}"), nostore));
    }
    bars.push(Bar::baseline("Odoo's own webhook (best of 1, 4, 32)", median(&best)));
    Measured {
        samples: json!({
            "rounds": rounds,
            "seconds_each": seconds,
            "payload_bytes": 1024,
            "odoo_reachable": false,
            "stored": table(&durable),
            "verified_not_stored": table(&without),
            "odoo_webhook": table(&inbound),
            "ratio_by_connections": CONNECTIONS.iter().enumerate()
                .map(|(at, connections)| (connections.to_string(), json!(ratio(&per_second(&durable[at]), &per_second(&without[at])))))
                .collect::<serde_json::Map<_, _>>(),
        }),
        summary: vec![
            ("ingest_vs_nostore_256", ratio(&per_second(&durable[at_256]), &per_second(&without[at_256]))),
            ("ingest_p99_ms_256", median(&p99)),
            ("ingest_vs_odoo_webhook", ratio(&per_second(&durable[at_256]), &best)),
            ("ingest_per_second_256", median(&per_second(&durable[at_256]))),
        ],
        plot: Plot {
            title: "Signed webhooks of 1 KB, answered".to_owned(),
            unit: "per second, on a logarithmic scale".to_owned(),
            logarithmic: true,
            bars,
        },
    }
}

fn table(loads: &[Vec<Load>]) -> Value {
    json!(loads.iter().flatten().collect::<Vec<_>>())
}

/// A short run that does not count, then the one that does.
async fn warm(plan: Plan) -> Load {
    load::run(Plan { time: Duration::from_millis(500), ..plan }, load::signed("warm", MOST_PER_SECOND / 2)).await;
    let seconds = usize::try_from(plan.time.as_secs()).expect("a few");
    load::run(plan, load::signed("run", MOST_PER_SECOND * seconds)).await
}

/// The baseline: this program again, as a server.
struct WithoutStore {
    daemon: Daemon,
    process: Child,
}

impl WithoutStore {
    async fn start(database: &Database) -> WithoutStore {
        let daemon = subject::configure(subject::NOWHERE, database);
        let log = std::fs::File::create(daemon.log_path()).expect("a log");
        let process = Command::new(std::env::current_exe().expect("this program"))
            .arg("--serve-without-store")
            .arg(daemon.config())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let server = WithoutStore { daemon, process };
        let address = server.address();
        until("the server without a store answers", async || tokio::net::TcpStream::connect(address).await.ok()).await;
        server
    }

    fn address(&self) -> SocketAddr {
        subject::address(&self.daemon)
    }
}

impl Drop for WithoutStore {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Serves until it is killed.
pub async fn serve_without_store(path: &Path) {
    let config = Config::load(path).expect("a configuration");
    telemetry::init(&config.log).expect("a log");
    let specs: Vec<_> =
        config.sources.into_iter().map(|spec| SourceSpec { setup: Box::new(Unkept(spec.setup)), ..spec }).collect();
    let tokens = Tokens::open(&config.server.tokens).expect("tokens");
    let clock = Clock::system();
    // Opened because the server wants one; nothing is ever written to it.
    let options = StoreOptions { path: config.store.path, clock: clock.clone(), readers: 1, max_queued_jobs: 1 };
    let state = AppState {
        store: Store::open(options).await.expect("a store"),
        registry: Arc::new(open_all(&specs, tokens).expect("sources")),
        metrics: Arc::new(Metrics::new()),
        clock,
        odoo_status: watch::channel(OdooStatus::default()).1,
        platforms: watch::channel(Vec::new()).1,
        compared: Duration::ZERO,
        bell: g_assistant::sync::Bell::default(),
    };
    let (_, server) = http::serve(&config.server, state, CancellationToken::new()).expect("listening");
    server.await.expect("served");
}

/// A source that verifies and parses as usual, and then leaves what it got to its sender.
#[derive(Debug)]
struct Unkept<T: ?Sized>(Box<T>);

impl Setup for Unkept<dyn Setup> {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.0.secrets()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        Ok(Box::new(Unkept(self.0.open()?)))
    }
}

impl Source for Unkept<dyn Source> {
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.0.verify(request, now)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        let parsed = self.0.parse(body)?;
        let message = format!("not kept; warnings: {}", parsed.warnings.len());
        Err(ParseError::Invalid { pointer: String::new(), message })
    }

    fn sender_keeps(&self) -> bool {
        true
    }
}
