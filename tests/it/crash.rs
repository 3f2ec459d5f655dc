//! `kill -9` at random points, of the daemon and of Odoo: nothing is lost, nothing is done twice.

use std::{collections::HashSet, time::Duration};

use serde_json::json;

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template, until},
};

const LEADS: usize = 500;

/// Sends 500 leads in deliveries of ten, as a platform does: until each one has been acknowledged.
async fn send_all(daemon: &Daemon) {
    for delivery in 0..LEADS / 10 {
        let leads: Vec<_> = (0..10)
            .map(|n| json!({"external_id": format!("{}", delivery * 10 + n), "contact_name": format!("lead {}", delivery * 10 + n)}))
            .collect();
        send_until_acknowledged(daemon, &format!("d{delivery}"), &json!({ "leads": leads })).await;
    }
}

async fn send_until_acknowledged(daemon: &Daemon, id: &str, body: &serde_json::Value) {
    until("the delivery is acknowledged", async || {
        let answer = daemon.try_send(id, body).await.ok()?;
        (answer.status == 202 || answer.status == 200).then_some(())
    })
    .await;
}

fn assert_each_once(database: &Database) {
    assert_eq!(database.count("select count(*) from crm_lead"), LEADS as i64);
    assert_eq!(database.count("select count(distinct contact_name) from crm_lead"), LEADS as i64);
}

/// A different moment in every round, the same in every run.
fn pause(round: u64) -> Duration {
    Duration::from_millis(60 + round.wrapping_mul(7919) % 900)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_is_killed_ten_times_during_a_push() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    // Small batches: more moments at which a kill can strike.
    let mut daemon = Daemon::configure(server, &database, "batch = 20");
    daemon.start().await;
    send_all(&daemon).await;
    let mut moments = HashSet::new();
    for round in 0..10 {
        tokio::time::sleep(pause(round)).await;
        daemon.kill();
        moments.insert(database.count("select count(*) from crm_lead"));
        daemon.start().await;
    }
    assert!(moments.len() > 2, "the kills must strike while leads are pushed: {moments:?}");
    daemon.drained().await;
    assert_each_once(&database);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_is_killed_while_webhooks_come_in() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "batch = 20");
    daemon.start().await;
    for round in 0..5 {
        let deliveries: Vec<_> = (0..10).map(|n| (round * 10 + n, format!("d{}", round * 10 + n))).collect();
        for (number, id) in &deliveries {
            let leads: Vec<_> = (0..10)
                .map(|n| json!({"external_id": format!("{}", number * 10 + n), "contact_name": format!("lead {}", number * 10 + n)}))
                .collect();
            // Whatever was answered, the platform sends once more after the crash.
            let _ = daemon.try_send(id, &json!({"leads": leads})).await;
            if number % 10 == 5 {
                daemon.kill();
                daemon.start().await;
                send_until_acknowledged(&daemon, id, &json!({ "leads": leads })).await;
            }
        }
    }
    daemon.drained().await;
    assert_each_once(&database);
}

#[tokio::test(flavor = "multi_thread")]
async fn odoo_is_killed_three_times_during_a_push() {
    let database = Database::fresh(Template::Addon);
    let server = Server::own(&database);
    let mut daemon = Daemon::configure(&server, &database, "batch = 20");
    daemon.start_connected().await;
    send_all(&daemon).await;
    for round in 0..3 {
        tokio::time::sleep(pause(round)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.start();
    }
    daemon.drained().await;
    assert_each_once(&database);
    let parked = daemon.parked();
    assert_eq!(parked, json!([]), "a crash of Odoo parks nothing");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_odoo_is_down_nothing_is_lost_and_no_attempt_is_burnt() {
    let database = Database::fresh(Template::Addon);
    let server = Server::own(&database);
    let mut daemon = Daemon::configure(&server, &database, "");
    server.stop();
    daemon.start().await;
    send_all(&daemon).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waiting = daemon.cli_json(&["outbox", "list", "--kind", "push", "--limit", "1000", "--json"]);
    let waiting = waiting.as_array().expect("a list");
    assert_eq!(waiting.len(), LEADS);
    assert!(waiting.iter().all(|job| job["attempts"] == 0), "being unreachable is nobody's fault");
    let health = daemon.read("/api/health").await;
    assert_eq!(health.body["odoo"]["reachable"], false);
    assert_eq!(health.body["queues"]["push"]["ready"], LEADS);

    server.start();
    daemon.drained().await;
    assert_each_once(&database);
    server.stop();
}
