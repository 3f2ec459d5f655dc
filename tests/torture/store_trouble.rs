//! The store's disk is full, read-only, or gone; its file is damaged or somebody else's; the clock jumps by a day.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rand::RngExt;
use serde_json::json;

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World},
    support::{
        daemon::Daemon,
        odoo::{faketime, until},
        proxy::{Fault, Proxy},
    },
};

pub async fn play(world: &World) -> Outcome {
    let mut outcome = files(world).await;
    outcome.add(disk(world).await);
    outcome.add(clock(world).await);
    outcome
}

/// Sends leads for a while, and waits until they are in Odoo.
async fn work(stage: &mut Stage<'_>, daemon: &Daemon, seconds: u64) {
    let pace = Pace { senders: 2, leads: 4, pause: Duration::from_millis(100), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stage.load.stop().await;
    stage.settle(daemon).await;
}

/// Two daemons on one store, a damaged store, and one that is deleted under the daemon.
async fn files(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "store_files");
    let mut daemon = stage.daemon(&world.server.url, "", "");
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;
    work(&mut stage, &daemon, world.size(1, 10)).await;

    stage.progress.step("a second daemon on the store");
    let second = daemon.cli(&["run"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    let mut outcome = Outcome::new(stage.audit(&daemon));
    outcome.check(second.status.code() == Some(1) && said.contains("store.db"), format!("a second daemon: {said}"));

    let store = daemon.folder.path().join("store.db");
    daemon.kill();
    let sound = daemon.folder.path().join("sound.db");
    // With what its log holds.
    rusqlite::Connection::open(&store).expect("opened").execute_batch("VACUUM").expect("one file");
    fs::copy(&store, &sound).expect("copied");
    for (damage, length, noise) in
        [("no database", None, 0..100), ("cut in the middle", Some(2), 0..0), ("noise", None, 4096..60_000)]
    {
        stage.progress.step(&format!("a damaged store: {damage}"));
        let file = OpenOptions::new().write(true).open(&store).expect("opened");
        if let Some(part) = length {
            file.set_len(sound.metadata().expect("there").len() / part / 4096 * 4096).expect("cut");
        }
        let bytes: Vec<u8> = noise.clone().map(|_| stage.dice.random()).collect();
        file.write_all_at(&bytes, noise.start).expect("written");
        drop(file);
        let before = daemon.log().len();
        daemon.spawn();
        let code = daemon.ended().await;
        let said = daemon.log().split_off(before);
        outcome.check(
            code == Some(1) && said.contains("damaged") && said.contains("backup"),
            format!("{damage}: it ended with {code:?} and said {said}"),
        );
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(daemon.folder.path().join(format!("store.db{suffix}")));
        }
        fs::copy(&sound, &store).expect("copied");
    }
    daemon.start_connected().await;
    outcome.check(stage.audit(&daemon).findings.is_empty(), "the sound store does not open as it was");

    stage.progress.step("the store is deleted");
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(daemon.folder.path().join(format!("store.db{suffix}")));
    }
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let lead = json!({"lead": {"external_id": format!("deleted-{number}"), "contact_name": "nobody"}});
        match daemon.try_send(&format!("deleted-{number}"), &lead).await {
            Ok(answer) if answer.status < 300 => acknowledged.push(number),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    outcome.check(acknowledged.is_empty(), format!("deliveries went into a deleted file: {acknowledged:?}"));
    let code = daemon.ended().await;
    outcome.check(code == Some(1), format!("without its store, the daemon ended with {code:?}"));
    let said = daemon.log();
    outcome
        .check(said.contains("store.db is gone") || said.contains("is gone"), "it did not say that its store is gone");
    // As systemd does. Whatever is sent again is known to Odoo.
    daemon.start_connected().await;
    let known = stage.load.sent().acknowledged.keys().next().cloned().expect("a lead");
    let lead = json!({"lead": {"external_id": known, "contact_name": known, "city": "again"}});
    let answer = daemon.send("after", &lead).await;
    daemon.drained().await;
    let count = stage.database.count(&format!("select count(*) from crm_lead where contact_name = '{known}'"));
    outcome.check(answer.status == 202 && count == 1, format!("{known} is in Odoo {count} times after a new store"));
    daemon.stop().await;
    outcome
}

/// A small disk of its own for the store, in a mount namespace that vanishes with its holder.
struct Disk {
    holder: Child,
    /// As the daemon sees it.
    mount: PathBuf,
}

impl Disk {
    fn mount(daemon: &mut Daemon, size: &str) -> Disk {
        let mount = daemon.folder.path().join("disk");
        fs::create_dir(&mount).expect("made");
        // Who is not root is root in a user namespace of its own.
        let root = fs::metadata("/proc/self").expect("there").uid() == 0;
        let script =
            format!("mount -t tmpfs -o size={size} tmpfs '{}' && echo mounted && exec sleep 1000000", mount.display());
        let mut holder = Command::new("unshare")
            .args(if root { &["--mount"][..] } else { &["--user", "--map-root-user", "--mount"] })
            .args(["sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("its output")).read_line(&mut line).expect("read");
        assert_eq!(line, "mounted\n", "a small disk needs root, or user namespaces");
        let disk = Disk { holder, mount };
        daemon.runner = disk.enter();
        daemon.edit("path = \"store.db\"", "path = \"disk/store.db\"");
        disk
    }

    /// Runs a command where the disk is.
    fn enter(&self) -> Vec<String> {
        let root = fs::metadata("/proc/self").expect("there").uid() == 0;
        let user = if root { &[][..] } else { &["--user", "--preserve-credentials"] };
        let target = self.holder.id().to_string();
        let words = ["nsenter", "--target", &target, "--mount"].into_iter().chain(user.iter().copied());
        words.map(str::to_owned).collect()
    }

    /// A path on it, as everybody sees it.
    fn path(&self, name: &str) -> PathBuf {
        let mount = self.mount.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(mount).join(name)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = File::create(self.path("filler")).expect("made");
        for block in [vec![0; 65_536], vec![0; 512]] {
            let error = loop {
                if let Err(error) = filler.write_all(&block) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).expect("removed");
    }

    fn remount(&self, how: &str) {
        let enter = self.enter();
        let status = Command::new(&enter[0])
            .args(&enter[1..])
            .args(["mount", "-o", &format!("remount,{how}")])
            .arg(&self.mount)
            .status();
        assert!(status.expect("it runs").success(), "the disk becomes {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A disk that fills up under load, and one that cannot be written to.
async fn disk(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "store_disk");
    let mut daemon = stage.daemon(&world.server.url, "batch = 20", "");
    // The store itself must not fill it: each round adds a few megabytes.
    let disk = Disk::mount(&mut daemon, world.size("64m", "512m"));
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    // Enough to use up what the store's log has taken already.
    let pace = Pace { senders: 3, leads: 5, pause: Duration::from_millis(100), text: 10_000 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 1, Duration::from_millis(200), &mut stage.dice);
    let mut outcome = Outcome::new(Default::default());
    let rounds = world.size(2, 10);
    for round in 1..=rounds {
        stage.moment(500, 2_000).await;
        stage
            .progress
            .step(&format!("{round} of {rounds}: the disk is full, {} acknowledged", stage.load.acknowledged()));
        disk.fill();
        until("the daemon says that it cannot keep anything", async || {
            let health = daemon.read("/api/health").await;
            (health.status == 503 && health.body["status"] == "down").then_some(())
        })
        .await;
        stage.moment(500, 2_000).await;
        let refused = stage.load.sent().answers.get(&503).copied().unwrap_or_default();
        outcome.check(refused > 0, "the disk was full and nothing was refused");
        disk.free();
        until("the daemon keeps deliveries again", async || {
            (daemon.read("/api/health").await.status == 200).then_some(())
        })
        .await;
    }
    stage.load.stop().await;
    let hasty = stage.load.sent().without_retry_after;
    outcome.check(hasty == 0, format!("{hasty} refusals did not say when to come back"));
    let refused = stage.load.sent().answers.get(&503).copied().unwrap_or_default();
    outcome = outcome.measured("refused_while_full", refused);
    stage.settle(&daemon).await;
    daemon.stop().await;
    // SQLite follows links, and this path begins with one that only looks like one.
    fs::copy(disk.path("store.db"), daemon.folder.path().join("store.db")).expect("copied");
    outcome.add(Outcome::new(stage.audit(&daemon)));

    stage.progress.step("the disk is read-only");
    disk.remount("ro");
    let before = daemon.log().len();
    daemon.spawn();
    let code = daemon.ended().await;
    let said = daemon.log().split_off(before);
    outcome
        .check(code == Some(1) && said.contains("store"), format!("read-only: it ended with {code:?} and said {said}"));
    disk.remount("rw");
    daemon.start_connected().await;
    daemon.stop().await;
    outcome
}

/// The clock of the daemon's machine jumps by a day, forward and back, while it works.
async fn clock(world: &World) -> Outcome {
    const DAY: i64 = 86_400;
    let mut stage = Stage::new(world, "store_clock");
    let to_odoo = Proxy::start(world.server.address().to_owned(), stage.dice.random(), Duration::from_secs(5)).await;
    let mut daemon = stage.daemon(&format!("http://{}", to_odoo.address), "batch = 20\ntimeout = \"5s\"", "");
    daemon.edit("poll_interval = \"1s\"", "poll_interval = \"1s\"\nsweep_interval = \"5s\"");
    stage.send_events_to(&daemon.url);
    let offset = daemon.folder.path().join("clock");
    let jump = |days: i64| {
        fs::write(offset.with_extension("new"), format!("{days:+}d\n")).expect("written");
        fs::rename(offset.with_extension("new"), &offset).expect("renamed");
    };
    jump(0);
    daemon.variables = [
        ("LD_PRELOAD", faketime()),
        ("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // A clock that is set does not change how long things take.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let pace = Pace { senders: 2, leads: 4, pause: Duration::from_millis(200), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 1, Duration::from_millis(200), &mut stage.dice);
    let mut outcome = Outcome::new(Default::default());
    for (round, days) in [1, -1].into_iter().enumerate() {
        stage.moment(1_000, 2_000).await;
        stage.progress.step(&format!("the clock is a day {}", if days > 0 { "ahead" } else { "behind" }));
        jump(days);
        stage.moment(1_000, 2_000).await;
        // Who has the same clock is understood; who has another one is refused, and comes again.
        let name = format!("{}-jump-{round}", stage.name);
        let body = json!({"lead": {"external_id": name, "contact_name": name}}).to_string();
        // What is tried now and fails is due at a time that will seem far away.
        to_odoo.break_some(1.0, &[Fault::CutAfter]);
        let answer =
            daemon.deliver("website", &name, body.as_bytes(), chrono::Utc::now().timestamp() + days * DAY).await;
        let status = answer.expect("an answer").status;
        outcome.check(status == 202, format!("a delivery of the daemon's own day was answered {status}"));
        stage.load.sent().attempted.insert(name.clone());
        stage.load.sent().acknowledge([name.clone()], &name);
        tokio::time::sleep(Duration::from_secs(3)).await;
        jump(0);
        to_odoo.break_some(0.0, &[]);
        until("the lead of another day is in Odoo", async || {
            let there = format!("select count(*) from crm_lead where contact_name = '{name}'");
            (stage.database.count(&there) == 1).then_some(())
        })
        .await;
    }
    let stale = stage.load.sent().answers.get(&401).copied().unwrap_or_default();
    outcome.check(stale > 0, "the clock did not jump: no delivery was refused as stale");
    stage.load.stop().await;
    stage.settle(&daemon).await;
    stage.progress.step("the sweep, after the clock was set back");
    // Behind everybody's back: the mirror's rows must not be believed to be newer than what Odoo says now.
    stage.database.sql(
        "set session_replication_role = replica;
         update crm_lead set city = 'Tabuk', write_date = now() at time zone 'utc'",
    );
    until("the sweep finds what nobody told", async || {
        let verdict = stage.audit(&daemon);
        verdict.findings.is_empty().then_some(())
    })
    .await;
    outcome.add(Outcome::new(stage.audit(&daemon)));
    outcome.measured("refused_as_stale", stale)
}
