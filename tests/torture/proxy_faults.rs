//! Every fault that a network and the proxies in it can have, mixed, in both directions, at the push limit.

use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::{Map, Value};

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World},
    support::proxy::{Fault, Proxy},
};

/// How much of what is exchanged goes wrong.
const BROKEN: f64 = 0.2;
/// The daemon's `odoo.timeout` here.
const PATIENCE: Duration = Duration::from_secs(3);
/// The addon's own.
const ADDON_PATIENCE: Duration = Duration::from_secs(10);
/// What the daemon may need at most, with answers of 200 MB now and then (MiB).
const MEMORY: u64 = 160;

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "proxy_faults");
    let to_odoo = Proxy::start(world.server.address().to_owned(), stage.dice.random(), PATIENCE).await;
    let odoo = format!("http://{}", to_odoo.address);
    let settings = format!("batch = {}\ntimeout = \"3s\"\ntransport = \"xmlrpc\"", world.size(10, 50));
    let mut daemon = stage.daemon(&odoo, &settings, "");
    // More leads come than Odoo takes: the senders wait for it.
    daemon.edit("path = \"store.db\"", &format!("path = \"store.db\"\nmax_queued = {}", world.size(300, 2_000)));
    let to_daemon = Proxy::start(daemon.address().to_owned(), stage.dice.random(), ADDON_PATIENCE).await;
    stage.send_events_to(&format!("http://{}", to_daemon.address));
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let pace = Pace { senders: 4, leads: 20, pause: Duration::from_millis(20), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 1, Duration::from_millis(300), &mut stage.dice);

    let mut peak = 0;
    for transport in ["xmlrpc", "json2"] {
        if transport == "json2" {
            peak = daemon.peak_memory();
            daemon.stop().await;
            daemon.edit("transport = \"xmlrpc\"", "transport = \"json2\"");
            daemon.start().await;
        }
        let until = Instant::now() + Duration::from_secs(world.size(10, 300));
        for proxy in [&to_odoo, &to_daemon] {
            proxy.break_some(BROKEN, &Fault::ALL);
        }
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_secs(world.size(5, 15))).await;
            let faults: u64 = to_odoo.done().values().chain(to_daemon.done().values()).sum();
            stage
                .progress
                .step(&format!("{transport}: {faults} faults, {} leads acknowledged", stage.load.acknowledged()));
        }
        for proxy in [&to_odoo, &to_daemon] {
            proxy.break_some(0.0, &[]);
        }
    }
    stage.load.stop().await;
    daemon.connected().await;
    stage.settle(&daemon).await;
    let peak = peak.max(daemon.peak_memory());
    let mut outcome = Outcome::new(stage.audit(&daemon))
        .measured("peak_mb", peak)
        .measured("faults_to_odoo", named(&to_odoo))
        .measured("faults_to_daemon", named(&to_daemon));
    outcome.check(peak <= MEMORY, format!("the daemon needed {peak} MiB, more than {MEMORY}"));
    outcome
}

fn named(proxy: &Proxy) -> Map<String, Value> {
    let name = |fault: &Fault| match fault {
        Fault::Busy { status, retry_after: None } => status.to_string(),
        Fault::Busy { status, retry_after: Some(_) } => format!("{status} with Retry-After"),
        fault => format!("{fault:?}"),
    };
    proxy.done().iter().map(|(fault, count)| (name(fault), (*count).into())).collect()
}
