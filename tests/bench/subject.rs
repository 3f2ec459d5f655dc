//! The daemon under measurement: with the product's defaults, watched from outside.

use std::{
    fs,
    net::SocketAddr,
    ops::Deref,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, OpenFlags, params};

use crate::{
    daemon::{BINARY, Daemon},
    leads, load,
    odoo::{Database, Server, until},
};

/// Refuses at once: an Odoo that cannot be reached.
pub const NOWHERE: &str = "http://127.0.0.1:9";

/// A daemon with the product's own defaults, but for limits that the load would meet: connections and queue.
pub fn configure(url: &str, database: &Database) -> Daemon {
    let daemon = Daemon::configure_at(url, database, "", "");
    daemon.edit("poll_interval = \"2s\"", "");
    daemon.edit("path = \"store.db\"", "path = \"store.db\"\nmax_queued = 100000000");
    daemon.edit("[server]", "[server]\nmax_connections = 4096");
    daemon
}

/// Where it listens.
pub fn address(daemon: &Daemon) -> SocketAddr {
    daemon.url.trim_start_matches("http://").parse().expect("an address")
}

/// An Odoo that stops when it is no longer needed, whatever happens.
pub struct Odoo(Server);

impl Odoo {
    pub fn serve(name: &str, databases: &[&Database], options: &[&str], environment: &[(&str, &str)]) -> Odoo {
        Odoo(Server::with(name, databases, options, environment))
    }
}

impl Deref for Odoo {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Drop for Odoo {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Where its store is.
pub fn store(daemon: &Daemon) -> PathBuf {
    daemon.folder.path().join("store.db")
}

/// A second pair of eyes on a store.
pub struct Watch(Connection);

impl Watch {
    pub fn open(path: PathBuf) -> Watch {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
        connection.busy_timeout(Duration::from_secs(5)).expect("set");
        Watch(connection)
    }

    /// How many jobs of this kind are in this state, or records of this model in the mirror.
    pub fn count(&self, kind: &str, state: &str) -> i64 {
        let mut query = self.0.prepare_cached("SELECT count FROM tally WHERE kind = ?1 AND state = ?2").expect("SQL");
        query.query_row([kind, state], |row| row.get(0)).unwrap_or(0)
    }

    /// Waits until there are that many, and says when it was.
    pub async fn reach(&self, kind: &str, state: &str, count: i64) -> Instant {
        let deadline = Instant::now() + Duration::from_secs(900);
        while self.count(kind, state) < count {
            let parked = self.count(kind, "parked");
            assert!(parked == 0, "{parked} jobs of {kind} are parked");
            assert!(Instant::now() < deadline, "waited in vain for {count} × {kind} {state}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Instant::now()
    }

    /// When the first attempt since `since` began, in milliseconds since 1970.
    fn first_attempt(&self, since: i64) -> Option<i64> {
        let query =
            "SELECT min(started_at) FROM attempt JOIN job ON job.id = job_id WHERE kind = 'push' AND started_at >= ?1";
        self.0.query_row(query, params![since], |row| row.get(0)).expect("SQL")
    }

    /// Changes that came after the one with the row number `after`: row number and record.
    pub fn changes(&self, after: i64) -> Vec<(i64, i64)> {
        let mut query =
            self.0.prepare_cached("SELECT rowid, record_id FROM change WHERE rowid > ?1 ORDER BY rowid").expect("SQL");
        let rows = query.query_map([after], |row| Ok((row.get(0)?, row.get(1)?))).expect("SQL");
        rows.collect::<Result<_, _>>().expect("SQL")
    }
}

/// How the leads of a drain come into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As webhooks.
    Webhooks,
    /// By `g-assistant push FILE`: backfill.
    File,
}

/// Fills the store with `count` leads while Odoo is out of reach, then connects, and measures until the last one is in
/// Odoo: leads per second.
pub async fn drain(daemon: &mut Daemon, database: &Database, url: &str, run: &str, count: usize, way: Way) -> f64 {
    let expected = i64::try_from(count).expect("a count");
    point_at(daemon, NOWHERE);
    daemon.start().await;
    let watch = Watch::open(store(daemon));
    let done = watch.count("push", "done");
    match way {
        Way::Webhooks => {
            let plan = load::Plan {
                address: address(daemon),
                connections: 32,
                time: Duration::from_secs(600),
                status: 202,
                keep_alive: true,
            };
            load::run(plan, load::signed(run, count)).await;
        }
        Way::File => {
            let file = daemon.folder.path().join(format!("{run}.json"));
            leads::write(&file, run, count);
            let mut command = Command::new(BINARY);
            command.arg("--config").arg(daemon.config()).arg("push").arg(&file).arg("--apply");
            let mut push = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
            // It is all there when its operations are: a file goes in by backfill, which is planned at once.
            watch.reach("push", "ready", expected).await;
            // It would wait until all of it is in Odoo, which is out of reach.
            push.kill().expect("killed");
            push.wait().expect("reaped");
        }
    }
    assert_eq!(daemon.stop().await, Some(0));

    let before = database.count("select count(*) from crm_lead");
    point_at(daemon, url);
    let started_at = now_ms();
    daemon.start().await;
    let seen = connected(daemon).await;
    watch.reach("push", "done", done + expected).await;
    let ended_at = now_ms();
    // Whichever is earlier: nothing that the daemon did may be left out.
    let began_at = watch.first_attempt(started_at).map_or(seen, |first| first.min(seen));
    assert_eq!(daemon.stop().await, Some(0));
    assert_eq!(database.count("select count(*) from crm_lead") - before, expected, "each is in Odoo, once");
    // What Odoo has to tell about these leads must not be in the way of the next ones.
    sync(daemon, &["sync"]);
    count as f64 * 1000.0 / (ended_at - began_at) as f64
}

/// Connects once, so that a measurement is not about a first start.
pub fn prime(daemon: &Daemon) {
    sync(daemon, &["sync", "--full"]);
}

fn sync(daemon: &Daemon, arguments: &[&str]) {
    let output = daemon.cli(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Points the daemon at another address of Odoo, from its next start on.
pub fn point_at(daemon: &Daemon, url: &str) {
    let text = fs::read_to_string(daemon.config()).expect("read");
    let old = text.lines().find(|line| line.starts_with("url = ")).expect("an address").to_owned();
    fs::write(daemon.config(), text.replacen(&old, &format!("url = \"{url}\""), 1)).expect("written");
}

/// Waits until it is connected to Odoo, and says when (ms).
pub async fn connected(daemon: &Daemon) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if daemon.read("/api/health").await.body["odoo"]["reachable"] == true {
            return now_ms();
        }
        assert!(Instant::now() < deadline, "waited 90 s in vain for a connection");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Waits until intake has caught up.
pub async fn taken_in(daemon: &Daemon) {
    until("intake has caught up", async || {
        let health = daemon.read("/api/health").await.body;
        let queue = &health["queues"]["intake"];
        (queue["ready"] == 0 && queue["leased"] == 0).then_some(())
    })
    .await;
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}
