//! Hostile requests, as bytes on the wire, against the real daemon. No Odoo is needed: deliveries are taken without.
//!
//! After each one the daemon must answer as documented and take the next good delivery; after all of them it must not
//! have panicked, nor have grown.

mod table;

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::daemon::{Daemon, http_client};
use table::{Row, Sent, good, rows};

/// Short limits, so that the slow rows do not take long.
const IMPATIENT: &str = "header_timeout = \"1s\"\nbody_timeout = \"1s\"";
/// What a connection may take until it has ended, and the daemon until it has answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much the daemon may grow from the first rounds of the table to the last one.
const GROWTH_KB: u64 = 8_192;

fn address(daemon: &Daemon) -> SocketAddr {
    daemon.url.trim_start_matches("http://").parse().expect("an address")
}

async fn connect(daemon: &Daemon, from: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse().expect("an address"))?;
    socket.connect(address(daemon)).await
}

/// Sends a row and reads as many answers as expected, and to the end of the connection where that is expected.
async fn exchange(daemon: &Daemon, sent: Sent, expected: &str) -> String {
    let to_the_end = expected.ends_with("closed");
    let count = expected.split(" + ").count();
    let stream = connect(daemon, "127.0.0.1").await.expect("connected");
    let (mut reader, mut writer) = stream.into_split();
    // The server may answer and close before it has read everything: that errors here, and is no failure.
    let writing = tokio::spawn(async move {
        match sent {
            Sent::AtOnce(bytes) => {
                let _ = writer.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Sent::Ended(bytes) => {
                let _ = writer.write_all(&bytes).await;
                let _ = writer.shutdown().await;
                std::future::pending::<()>().await;
            }
            Sent::Dripped(bytes) => {
                let last = bytes.last().copied().unwrap_or(b'x');
                let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
                let _ = writer.write_all(&bytes[..head]).await;
                let drops = bytes[head..].iter().copied().chain(std::iter::repeat(last));
                for drop in drops {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = writer.write_all(&[drop]).await;
                }
            }
            Sent::Endless(head, more) => {
                let _ = writer.write_all(&head).await;
                while writer.write_all(&more).await.is_ok() {}
                std::future::pending::<()>().await;
            }
        }
    });
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    let began = Instant::now();
    let mut answers = Vec::new();
    loop {
        let read = tokio::time::timeout(PATIENCE.saturating_sub(began.elapsed()), reader.read(&mut buffer)).await;
        let ended = match read {
            Ok(Ok(length)) => {
                bytes.extend_from_slice(&buffer[..length]);
                length == 0
            }
            Ok(Err(_)) => true,
            Err(_) => {
                answers.push(format!("still open after {PATIENCE:?}"));
                break;
            }
        };
        answers = parse(&bytes);
        if ended {
            answers.extend((to_the_end || answers.is_empty()).then(|| "closed".to_owned()));
            break;
        }
        if !to_the_end && answers.len() >= count {
            break;
        }
    }
    writing.abort();
    answers.join(" + ")
}

/// The whole answers in these bytes: their status and, of an error in our shape, its code.
fn parse(mut bytes: &[u8]) -> Vec<String> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let Some(body) = bytes[end + 4..].get(..length) else { break };
        bytes = &bytes[end + 4 + length..];
        let status = head.split(' ').nth(1).unwrap_or("no status");
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &body["error"];
        match error["code"].as_str() {
            Some(code) => {
                let whole = error["message"].is_string() && error["hint"].is_string();
                answers.push(format!("{status} {code}{}", if whole { "" } else { " in another shape" }));
            }
            None => answers.push(status.to_owned()),
        }
    }
    answers
}

/// What it has for itself, without the pages of its program's file.
fn memory_kb(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Does away with what waits for Odoo, as if it had taken it: intake stays only so far ahead.
fn take_away(daemon: &Daemon) {
    let store = rusqlite::Connection::open(daemon.folder.path().join("store.db")).expect("the store opens");
    store.busy_timeout(Duration::from_secs(10)).expect("set");
    store.execute("DELETE FROM job WHERE kind = 'push' AND state = 'ready'", []).expect("deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hostile_request_has_its_documented_answer() {
    const ROUNDS: usize = 12;
    let mut daemon = Daemon::without_odoo(IMPATIENT);
    daemon.start().await;
    let documented = fs::read_to_string(crate::odoo::root().join("docs/API.md")).expect("readable");
    let (mut wrong, mut sizes, mut count) = (BTreeSet::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let (slow, quick): (Vec<_>, Vec<_>) = rows(round).into_iter().partition(Row::is_slow);
        // The slow ones wait together.
        for rows in std::iter::once(slow).chain(quick.into_iter().map(|row| vec![row])) {
            let names: Vec<_> = rows.iter().map(|row| row.name).collect();
            let answered = join_all(rows.into_iter().map(async |row| {
                let answers = exchange(&daemon, row.sent, row.expected).await;
                (row.name, row.expected, answers)
            }));
            for (name, expected, got) in answered.await {
                count += 1;
                if !expected.split('|').any(|expected| expected == got) {
                    wrong.insert(format!("{name}: expected {expected}, got {got}"));
                }
                for code in expected.split([' ', '+']).filter(|word| word.contains('_')) {
                    if !documented.contains(&format!("`{code}`")) {
                        wrong.insert(format!("docs/API.md does not know {code}"));
                    }
                }
            }
            let next = exchange(&daemon, Sent::AtOnce(good(&format!("good-{count}"))), "202").await;
            assert_eq!(next, "202", "the good delivery after {names:?}");
        }
        // What was taken is read again by the intake worker; only then the round is over.
        crate::odoo::until("the intake is done", async || {
            take_away(&daemon);
            let queue = &daemon.read("/api/health").await.body["queues"]["intake"];
            (queue["ready"] == 0 && queue["leased"] == 0).then_some(())
        })
        .await;
        sizes.push(memory_kb(&daemon));
    }
    let rows = count / ROUNDS;
    println!("{rows} hostile requests, {ROUNDS} times; resident memory after each round: {sizes:?} kB");
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(rows >= 60);
    // A leak grows with each round; what the allocator and SQLite keep for later is there after some ten.
    let (early, late) = sizes.split_at(ROUNDS / 2);
    assert!(late.last() <= early.iter().max().map(|size| size + GROWTH_KB).as_ref(), "it grows: {sizes:?} kB");
    let log = daemon.log();
    assert!(!log.contains("panic"), "{}", log.lines().find(|line| line.contains("panic")).unwrap_or_default());
    for secret in ["Sara", "evil", "whsec_", crate::daemon::TOKEN] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
}

/// Raises this process's limit of open files as far as it may.
fn raise_open_files(wanted: usize) -> usize {
    let limit = || -> usize {
        let limits = fs::read_to_string("/proc/self/limits").expect("readable");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
        line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX)
    };
    if limit() < wanted {
        let pid = std::process::id().to_string();
        let _ = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={wanted}:")]).status();
    }
    limit()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_shut_nobody_out() {
    const WANTED: usize = 10_000;
    let count = WANTED.min(raise_open_files(WANTED + 500).saturating_sub(500));
    if count < WANTED {
        println!("this machine allows {count} connections instead of {WANTED}");
    }
    // The test's own machine stands for the internet: only then are its addresses clients.
    let mut daemon =
        Daemon::without_odoo("trusted_proxies = [\"127.0.0.9\"]\nip_rate = \"off\"\nheader_timeout = \"5m\"");
    daemon.start().await;
    let before = memory_kb(&daemon);
    let (mut idle, mut turned_away) = (Vec::with_capacity(count), 0);
    for _ in 0..count {
        idle.push(connect(&daemon, "127.0.0.1").await.expect("connected"));
    }
    for stream in &mut idle {
        let mut answer = [0; 512];
        let closed = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut answer)).await;
        turned_away += usize::from(closed.is_ok());
        if let Ok(Ok(length)) = closed {
            assert_eq!(parse(&answer[..length]), ["503 too_many_connections_of_client"]);
        }
    }
    println!("{count} connections, {turned_away} turned away; {} kB more", memory_kb(&daemon).saturating_sub(before));
    // The test itself may hold one or two of the 128 that an address has.
    assert!((count - 128..=count - 126).contains(&turned_away), "{turned_away} of {count} were turned away");
    // The address itself has no connection left; others have.
    for number in 0..100 {
        let mut other = connect(&daemon, "127.0.0.2").await.expect("connected");
        other.write_all(&good(&format!("idle-{number}"))).await.expect("sent");
        let mut answer = [0; 4096];
        let length = tokio::time::timeout(PATIENCE, other.read(&mut answer)).await.expect("in time").expect("read");
        assert_eq!(parse(&answer[..length]), ["202"]);
    }
    let metrics = http_client().get(format!("{}/metrics", daemon.url)).send().await;
    assert!(metrics.is_err() || metrics.is_ok_and(|answer| answer.status() == 503));
    assert!(memory_kb(&daemon) < before + 16_384, "{before} kB became {} kB", memory_kb(&daemon));
    drop(idle);
    crate::odoo::until("the address has connections again", async || {
        let answer = http_client().get(format!("{}/metrics", daemon.url)).send().await.ok()?.text().await.ok()?;
        let refused = answer.lines().find_map(|line| {
            line.strip_prefix("g_assistant_turned_away_total{reason=\"too_many_connections_of_client\"} ")
        })?;
        (refused.parse::<usize>().ok()? >= turned_away).then_some(())
    })
    .await;
    assert!(!daemon.log().contains("panic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forgeries_does_not_shut_the_real_sender_out() {
    let mut daemon = Daemon::without_odoo("ip_rate = \"20/s\"\nsource_rate = \"20/s\"");
    daemon.start().await;
    let http = http_client();
    let forge = async |from: &str| {
        let request = http.post(format!("{}/api/webhooks/website", daemon.url)).header("x-forwarded-for", from);
        let request =
            request.header("webhook-id", "f").header("webhook-timestamp", "1").header("webhook-signature", "v1,AAAA");
        let answer = request.body("{}").send().await.expect("answered");
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    let mut limited = 0;
    for number in 0..500 {
        match forge("203.0.113.66").await {
            (401, _) => {}
            (429, true) => limited += 1,
            other => panic!("{other:?}"),
        }
        if number % 10 == 0 {
            let sent = daemon.send(&format!("real-{number}"), &serde_json::json!({"lead": {"name": "x"}})).await;
            assert_eq!(sent.status, 202, "{:?}", sent.body);
        }
    }
    assert!(limited > 300, "only {limited} of 500 forgeries met the limit");
    assert_eq!(forge("203.0.113.67").await.0, 401);
    let metrics =
        http.get(format!("{}/metrics", daemon.url)).send().await.expect("answered").text().await.expect("text");
    assert!(
        metrics.contains(&format!("g_assistant_turned_away_total{{reason=\"rate_limited\"}} {limited}")),
        "{metrics}"
    );
}
