//! From a webhook to the lead that everybody sees, and from a save to the change that the daemon has stored.
//!
//! - Visible is when PostgreSQL tells another connection (`listen.py`), which it does at the commit.
//! - The clock of a save starts at its commit, too, and stops when the change can be read in the daemon's store.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Child,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;

use crate::{
    Scale,
    daemon::Daemon,
    leads,
    odoo::{Database, Person, Template, odoo_env},
    plot::{Bar, Plot},
    push::announce,
    python::{addons, start},
    report::{Measured, median, percentile},
    subject::{self, Odoo, Watch, Way, drain},
};

/// When something was seen, in microseconds since 1970, by `i <email>`, `u <id>` or `c <id>`.
type Seen = Arc<Mutex<HashMap<String, i64>>>;

pub async fn measure(scale: Scale) -> Measured {
    let database = Database::fresh(Template::Addon);
    let server = Odoo::serve("bench-latency", &[&database], &["--addons", &addons()], &[]);
    let mut daemon = subject::configure(&server.url, &database);
    announce(&database, &daemon.url, &daemon.folder.path().join("odoo.secret"));
    subject::prime(&daemon);
    println!("    the push limit");
    drain(&mut daemon, &database, &server.url, "warm", 200, Way::Webhooks).await;
    let limit = drain(&mut daemon, &database, &server.url, "limit", scale.pick(1500, 400), Way::Webhooks).await;
    daemon.start_connected().await;
    subject::taken_in(&daemon).await;

    let seen = Seen::default();
    let mut listener = listen(&database, &seen);
    let store = subject::store(&daemon);
    watch_changes(store, Arc::downgrade(&seen));
    let person = database.admin(&server).await;

    let samples = scale.pick(300, 30);
    println!("    idle: {samples} webhooks, {samples} saves");
    let mut webhooks = Vec::new();
    for n in 0..samples {
        webhooks.push(webhook(&daemon, &seen, n).await);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let saves = saves(&person, &seen, samples, None).await;

    let rate = limit / 2.0;
    let seconds = scale.pick(30, 5);
    println!("    at half of the push limit: {rate:.0} webhooks/s for {seconds} s, saves meanwhile");
    let stop = Instant::now() + Duration::from_secs(seconds);
    let (busy_webhooks, busy_saves) =
        tokio::join!(stream(&daemon, &seen, rate, stop), self::saves(&person, &seen, usize::MAX, Some(stop)));
    listener.kill().ok();
    listener.wait().ok();
    assert_eq!(daemon.stop().await, Some(0));

    let line = |times: &[f64]| json!({"samples": times.len(), "p50_ms": median(times), "p90_ms": percentile(times, 0.9), "p99_ms": percentile(times, 0.99), "max_ms": percentile(times, 1.0)});
    let (p50, p99) = (|times: &[f64]| percentile(times, 0.5), |times: &[f64]| percentile(times, 0.99));
    Measured {
        samples: json!({
            "push_limit_per_second": limit,
            "half_of_it_per_second": rate,
            "idle": {"webhook_to_odoo": line(&webhooks), "save_to_daemon": line(&saves)},
            "half_load": {"webhook_to_odoo": line(&busy_webhooks), "save_to_daemon": line(&busy_saves)},
            "idle_webhooks_ms": webhooks, "idle_saves_ms": saves, "half_load_saves_ms": busy_saves,
        }),
        summary: vec![
            ("webhook_to_odoo_p50_ms", p50(&webhooks)),
            ("webhook_to_odoo_p99_ms", p99(&webhooks)),
            ("save_to_daemon_p50_ms", p50(&saves)),
            ("save_to_daemon_p99_ms", p99(&saves)),
            ("webhook_to_odoo_half_load_p50_ms", p50(&busy_webhooks)),
            ("webhook_to_odoo_half_load_p99_ms", p99(&busy_webhooks)),
            ("save_to_daemon_half_load_p50_ms", p50(&busy_saves)),
            ("save_to_daemon_half_load_p99_ms", p99(&busy_saves)),
        ],
        plot: Plot {
            title: "From a webhook to Odoo, and from a save to the daemon".to_owned(),
            unit: "milliseconds, on a logarithmic scale".to_owned(),
            logarithmic: true,
            bars: vec![
                Bar::subject("webhook → Odoo, idle, p50", p50(&webhooks)).target(90.0),
                Bar::subject("webhook → Odoo, idle, p99", p99(&webhooks)).target(300.0),
                Bar::subject("webhook → Odoo, half load, p50", p50(&busy_webhooks)),
                Bar::subject("webhook → Odoo, half load, p99", p99(&busy_webhooks)),
                Bar::subject("save → daemon, idle, p50", p50(&saves)).target(50.0),
                Bar::subject("save → daemon, idle, p99", p99(&saves)).target(250.0),
                Bar::subject("save → daemon, half load, p50", p50(&busy_saves)),
                Bar::subject("save → daemon, half load, p99", p99(&busy_saves)),
            ],
        },
    }
}

/// One webhook; milliseconds until its lead is visible.
async fn webhook(daemon: &Daemon, seen: &Seen, n: usize) -> f64 {
    let sent = now_us();
    assert_eq!(daemon.send(&format!("idle-{n}"), &json!({"lead": leads::lead("idle", n)})).await.status, 202);
    let visible = wait_for(seen, &format!("i {}", leads::email("idle", n))).await;
    (visible - sent) as f64 / 1000.0
}

/// Webhooks at a steady rate, whatever becomes of them; milliseconds of each.
async fn stream(daemon: &Daemon, seen: &Seen, rate: f64, stop: Instant) -> Vec<f64> {
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut sent = Vec::new();
    let send = async |n: usize| {
        let answer = daemon.send(&format!("half-{n}"), &json!({"lead": leads::lead("half", n)})).await;
        assert_eq!(answer.status, 202);
    };
    let mut flying = futures_util::stream::FuturesUnordered::new();
    while Instant::now() < stop {
        tokio::select! {
            _ = beat.tick() => {
                let n = sent.len();
                sent.push(now_us());
                flying.push(send(n));
            }
            Some(()) = futures_util::StreamExt::next(&mut flying), if !flying.is_empty() => {}
        }
    }
    while futures_util::StreamExt::next(&mut flying).await.is_some() {}
    let mut times = Vec::with_capacity(sent.len());
    for (n, sent) in sent.into_iter().enumerate() {
        let visible = wait_for(seen, &format!("i {}", leads::email("half", n))).await;
        times.push((visible - sent) as f64 / 1000.0);
    }
    times
}

/// Saves by a person, one lead each, so that they can be told apart; milliseconds from commit to store.
async fn saves(person: &Person, seen: &Seen, count: usize, stop: Option<Instant>) -> Vec<f64> {
    let all = person.search("crm.lead", json!([["email_from", "=like", "lead.limit.%"]])).await;
    let already = all.len().min(if stop.is_some() { all.len() / 2 } else { 0 });
    let mut times = Vec::new();
    for &id in all.iter().skip(already) {
        if times.len() >= count || stop.is_some_and(|stop| Instant::now() >= stop) {
            break;
        }
        forget(seen, id);
        person.write("crm.lead", id, json!({"expected_revenue": 100 + times.len(), "city": "Abha"})).await;
        let committed = wait_for(seen, &format!("u {id}")).await;
        let stored = wait_for(seen, &format!("c {id}")).await;
        times.push((stored - committed) as f64 / 1000.0);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    times
}

/// What was seen of a lead when it came.
fn forget(seen: &Seen, id: i64) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.remove(&format!("u {id}"));
    seen.remove(&format!("c {id}"));
}

async fn wait_for(seen: &Seen, what: &str) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(&at) = seen.lock().unwrap_or_else(PoisonError::into_inner).get(what) {
            return at;
        }
        assert!(Instant::now() < deadline, "waited 90 s in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Hears of every commit of a lead.
fn listen(database: &Database, seen: &Seen) -> Child {
    let postgres = odoo_env(&["up"]);
    let mut listener = start("listen.py", &[&postgres["PGHOST"], &postgres["PGPORT"], &database.name]);
    let mut lines = BufReader::new(listener.stdout.take().expect("piped")).lines();
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("ready"));
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            let (at, what) = line.split_once(' ').expect("two parts");
            let at = at.parse().expect("a time");
            // The last stage of a save is its commit; a lead is there from its first.
            seen.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_insert(at);
        }
    });
    listener
}

/// Looks into the daemon's store every millisecond, as long as somebody wants to know.
fn watch_changes(store: PathBuf, seen: Weak<Mutex<HashMap<String, i64>>>) {
    std::thread::spawn(move || {
        let watch = Watch::open(store);
        let mut last = 0;
        while let Some(seen) = seen.upgrade() {
            let changes = watch.changes(last);
            let now = now_us();
            for (row, id) in changes {
                last = row;
                seen.lock().unwrap_or_else(PoisonError::into_inner).entry(format!("c {id}")).or_insert(now);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("a time")
}
