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
    store::{FormCount, Stats, Store},
    sync::learn,
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
        let forms = store.form_counts(config.store.compared()).await?;
        let learned = learn::report(&store).await?;
        if self.json {
            let all = json!({ "service": health, "store": stats, "forms": forms, "learned": learned });
            println!("{}", serde_json::to_string_pretty(&all).context("writing JSON")?);
        } else {
            print_service(health.as_ref());
            print_human(&stats);
            match learned {
                Some(report) => println!("learned   {report}"),
                None => println!("learned   nothing yet"),
            }
            print_forms(&forms);
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
    print_platforms(health);
}

/// How each platform is that is asked for leads.
fn print_platforms(health: &Value) {
    for one in health["platforms"].as_array().into_iter().flatten() {
        println!("{:<9} account {}: {}", text(&one["source"]), text(&one["account"]), text(&one["state"]));
        let warnings = one["warnings"].as_array().into_iter().flatten();
        for line in [&one["detail"], &one["hint"]].into_iter().chain(warnings).filter_map(Value::as_str) {
            println!("          {line}");
        }
    }
}

/// What the platforms list and what Odoo has of it, per form and day.
fn print_forms(forms: &[FormCount]) {
    for (index, one) in forms.iter().enumerate() {
        if index == 0 {
            println!();
        }
        let why = one.difference().map(|why| format!("  ← {why}")).unwrap_or_default();
        println!("{:<9} {}  platform {}, Odoo {}  {}{why}", one.source, one.day, one.platform, one.odoo, one.name());
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
