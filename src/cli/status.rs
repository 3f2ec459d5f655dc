//! `status`: what is queued, parked and mirrored.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use url::Url;

use super::Failure;
use crate::{
    config::Config,
    store::{Stats, Store},
};

/// Reads the store beside the running service, and asks the service how Odoo is.
#[derive(Debug, Args)]
pub struct Status {
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        let store = Store::open_readonly(&config.store.path).await?;
        let stats = store.stats().await?;
        let health = ask_service(&config).await;
        if self.json {
            let all = json!({ "service": health, "store": stats });
            println!("{}", serde_json::to_string_pretty(&all).context("writing JSON")?);
        } else {
            print_service(health.as_ref());
            print_human(&stats);
        }
        Ok(())
    }
}

/// The health answer of the running service; `None` if it does not run.
async fn ask_service(config: &Config) -> Option<Value> {
    let url = Url::parse(&format!("http://{}/api/health", config.server.listen)).ok()?;
    let request = crate::net::client(&url).ok()?.get(url).timeout(Duration::from_secs(2));
    let answer = request.send().await.ok()?;
    serde_json::from_slice(&answer.bytes().await.ok()?).ok()
}

fn print_service(health: Option<&Value>) {
    let Some(health) = health else {
        println!("service   not running");
        return;
    };
    let odoo = &health["odoo"];
    println!("service   {} (version {})", text(&health["status"]), text(&health["version"]));
    let reachable = match odoo["reachable"].as_bool() {
        Some(true) => "reachable",
        Some(false) => "not reachable",
        None => "not tried yet",
    };
    println!("odoo      {reachable}");
    for reason in [&odoo["blocked"], &odoo["detail"]] {
        if let Some(reason) = reason.as_str() {
            println!("          {reason}");
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// The store's figures as a table.
pub(super) fn print_human(stats: &Stats) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["queue", "ready", "running", "parked", "oldest waits"]);
    for (kind, queue) in &stats.queues {
        let age = queue.oldest_ready_age_ms.map_or_else(|| "-".to_owned(), |age| format!("{} s", age / 1000));
        table.add_row([
            kind.to_string(),
            queue.ready.to_string(),
            queue.leased.to_string(),
            queue.parked.to_string(),
            age,
        ]);
    }
    println!("\n{table}\n");
    for (model, count) in &stats.mirror {
        println!("mirror    {count} {model}");
    }
    println!(
        "store     {:.1} MB, {} deliveries, {} changes",
        stats.file_bytes as f64 / 1e6,
        stats.deliveries,
        stats.changes
    );
    if stats.queues.iter().any(|(_, queue)| queue.parked > 0) {
        println!("\nparked operations wait for a person: `g-assistant outbox list --state parked`");
    }
}
