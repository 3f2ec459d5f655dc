//! Transactions that stay open while the daemon polls, and commit with times and ids that it has long passed.

use std::{
    io::{BufRead, BufReader},
    process::Child,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Outcome,
    stage::{Stage, World},
    support::{
        daemon::Daemon,
        odoo::{Database, until},
    },
};

/// Longer than the shortest `overlap` there is (s).
const AGE: u64 = 3_600;

/// Leads that a late transaction makes.
const LATE: i64 = 5;

pub async fn play(world: &World) -> Outcome {
    let (with_addon, without) = tokio::join!(with_addon(world), without_addon(world));
    let mut outcome = with_addon;
    outcome.add(without);
    outcome
}

/// The events of a late transaction are there when it commits, and not before; those of one that is rolled back never.
async fn with_addon(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "late_commits");
    let mut daemon = stage.daemon(&world.server.url, "", "");
    // Polling has to find them: nobody listens where the addon sends.
    stage.send_events_to("http://127.0.0.1:9");
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let old = person.create("crm.lead", json!({"name": "old", "city": "before"})).await;
    daemon.drained().await;
    let open = world.size(6, 240);
    let mut outcome = Outcome::new(Default::default()).measured("open_s", open);

    let held = Held::open(&stage.database, old, open, 0, "commit");
    let lost = Held::open(&stage.database, old, open, 0, "rollback");
    held.is_open().await;
    lost.is_open().await;
    let began = Instant::now();
    stage.progress.step(&format!("transactions are open for {open} s"));
    while began.elapsed() < Duration::from_secs(open - 2) {
        person.create("crm.lead", json!({"name": "meanwhile", "city": "meanwhile"})).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let seen = late(&daemon).await;
    outcome.check(seen == 0, format!("{seen} leads were told of before their transaction ended"));
    held.has_ended().await;
    let committed = Instant::now();
    until("the late leads arrive", async || (late(&daemon).await == LATE).then_some(())).await;
    outcome = outcome.measured("found_after_s", (committed.elapsed().as_secs_f64() * 10.0).round() / 10.0);
    lost.has_ended().await;
    stage.settle(&daemon).await;
    outcome.add(Outcome::new(stage.audit(&daemon)));
    outcome
}

/// Within `overlap` the next look finds them, beyond it the sweep.
async fn without_addon(world: &World) -> Outcome {
    let mut stage = Stage::without_addon(world, "late_plain");
    let open = world.size(5, 120);
    let mut daemon = stage.daemon(&world.server.url, "", "");
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let old = person.create("crm.lead", json!({"name": "old", "city": "before"})).await;
    until("the first sweep is over", async || (mirrored(&daemon).await >= 1).then_some(())).await;
    let mut outcome = Outcome::new(Default::default());
    for way in ["overlap", "sweep"] {
        if way == "sweep" {
            daemon.stop().await;
            daemon.edit("poll_interval = \"1s\"", "poll_interval = \"1s\"\noverlap = \"1m\"\nsweep_interval = \"10s\"");
            daemon.start_connected().await;
        }
        let before = late(&daemon).await;
        let age = if way == "sweep" { AGE } else { 0 };
        let held = Held::open(&stage.database, old, open, age, "commit");
        held.is_open().await;
        stage.progress.step(&format!("{way}: a transaction is open for {open} s"));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(open - 1) {
            person.create("crm.lead", json!({"name": "meanwhile", "city": "meanwhile"})).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        held.has_ended().await;
        until("the late leads arrive", async || (late(&daemon).await == before + LATE).then_some(())).await;
    }
    stage.settle(&daemon).await;
    outcome.add(Outcome::new(stage.audit(&daemon)));
    outcome
}

/// How many leads of late transactions the mirror has.
async fn late(daemon: &Daemon) -> i64 {
    let page = daemon.read("/api/odoo/leads?limit=500&q=late").await.body;
    page["leads"].as_array().map_or(0, |leads| leads.iter().filter(|lead| lead["city"] == "late").count() as i64)
}

async fn mirrored(daemon: &Daemon) -> usize {
    let page = daemon.read("/api/odoo/leads?limit=500").await.body;
    page["leads"].as_array().map_or(0, Vec::len)
}

/// A transaction of Odoo's own ORM that stays open.
struct Held {
    shell: Child,
    said: tokio::sync::watch::Receiver<u8>,
}

impl Held {
    /// Makes leads, and changes an old one if it will commit; ends after `seconds` by this method of the cursor. Its
    /// times are those of a transaction that began `age` seconds earlier.
    fn open(database: &Database, old: i64, seconds: u64, age: u64, end: &str) -> Held {
        let change = if end == "commit" {
            format!("env['crm.lead'].browse({old}).write({{'city': 'late'}})")
        } else {
            String::new()
        };
        let program = format!(
            "import time\n\
             env['crm.lead'].create([{{'name': f'late {{n}}', 'city': 'late'}} for n in range({LATE})])\n\
             {change}\n\
             env.flush_all()\n\
             env.cr.execute(\"update crm_lead set write_date = write_date - interval '{age} s' where city = 'late'\")\n\
             print('OPEN', flush=True)\n\
             time.sleep({seconds})\n\
             env.cr.{end}()\n\
             print('ENDED', flush=True)\n",
        );
        let mut shell = database.shell(&program);
        let output = BufReader::new(shell.stdout.take().expect("its output"));
        let (said, heard) = tokio::sync::watch::channel(0);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line == "OPEN" || line == "ENDED" {
                    said.send_modify(|lines| *lines += 1);
                }
            }
        });
        Held { shell, said: heard }
    }

    async fn is_open(&self) {
        self.heard(1).await;
    }

    async fn has_ended(&self) {
        self.heard(2).await;
    }

    async fn heard(&self, lines: u8) {
        let mut said = self.said.clone();
        said.wait_for(|heard| *heard >= lines).await.expect("the transaction's shell says so");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It has ended, or a test has failed.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
