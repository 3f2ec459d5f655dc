//! `make torture`: real faults on a real Odoo and a real file system, with an audit at the end of each.
//!
//! Each scenario is one file. It plays on a database, a daemon and a store of its own ([`stage`]) under load from both
//! sides ([`load`]), breaks something, waits until everything is where it belongs, and has the [`audit`] compare what
//! was acknowledged, what is in the store, what is in Odoo, and what the addon and PostgreSQL themselves wrote down.

mod audit;
mod concurrent_edits;
mod kill_daemon;
mod kill_odoo;
mod late_commits;
mod load;
mod overload;
mod progress;
mod proxy_faults;
mod stage;
mod store_trouble;
mod upgrade;
mod wrong_database;

#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    process::ExitCode,
    time::{Duration, Instant},
};

use audit::{Figures, Verdict};
use clap::Parser;
use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use stage::World;

/// What a scenario hands back.
pub struct Outcome {
    /// What the audit found, and what the scenario itself did.
    pub verdict: Verdict,
    /// What it measured, for the summary.
    pub measured: Map<String, Value>,
}

impl Outcome {
    /// With nothing measured.
    pub fn new(verdict: Verdict) -> Outcome {
        Outcome { verdict, measured: Map::new() }
    }

    /// Adds a figure to the summary.
    pub fn measured(mut self, name: &str, value: impl Into<Value>) -> Outcome {
        self.measured.insert(name.to_owned(), value.into());
        self
    }

    /// A promise of its own that a scenario checks.
    pub fn check(&mut self, kept: bool, finding: impl Into<String>) {
        if !kept {
            self.verdict.findings.push(finding.into());
        }
    }

    /// Takes over what another part of the same scenario found.
    pub fn add(&mut self, other: Outcome) {
        self.verdict.figures += other.verdict.figures;
        self.verdict.findings.extend(other.verdict.findings);
        self.measured.extend(other.measured);
    }
}

type Play = for<'a> fn(&'a World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// Name, what it does, and how.
const SCENARIOS: [(&str, &str, Play); 9] = [
    ("kill_daemon", "kill -9 of the daemon at random moments, under load", |world| Box::pin(kill_daemon::play(world))),
    ("kill_odoo", "kill -9 of Odoo and of PostgreSQL while people save leads", |world| {
        Box::pin(kill_odoo::play(world))
    }),
    ("proxy_faults", "every fault of a network, mixed, at the push limit", |world| Box::pin(proxy_faults::play(world))),
    ("concurrent_edits", "people edit, merge, archive, delete and copy what the daemon updates", |world| {
        Box::pin(concurrent_edits::play(world))
    }),
    ("late_commits", "transactions that stay open while the daemon polls", |world| Box::pin(late_commits::play(world))),
    ("store_trouble", "full disk, read-only, deleted, damaged and shared store, clock jumps of a day", |world| {
        Box::pin(store_trouble::play(world))
    }),
    ("overload", "far more than Odoo takes, with a backfill behind it", |world| Box::pin(overload::play(world))),
    ("wrong_database", "a restored copy and a neutralised copy behind the same address", |world| {
        Box::pin(wrong_database::play(world))
    }),
    ("upgrade", "a store that the previous schema wrote", |world| Box::pin(upgrade::play(world))),
];

/// Breaks things around a real daemon and a real Odoo, and audits that nothing was lost and nothing done twice.
///
/// It ends in one line, `audit: … acknowledged, … in Odoo, 0 lost, 0 doubled, … events, 0 lost, 0 doubled`, and exits
/// with 1 if anything was found. All figures are in target/torture/summary.json. The same seed throws the same dice:
/// what is sent, what people do, and when what breaks. How far the machine has got by then, it cannot repeat.
#[derive(Debug, Parser)]
#[command(
    name = "torture",
    after_help = "Examples:\n  cargo test --test torture                                     the short form, a few minutes\n  cargo test --test torture -- --long                           the long form, more than an hour\n  cargo test --test torture -- --only kill_daemon --seed 7      one scenario again, as it was\n\nOdoo comes from tests/odoo/odoo-env (G_ASSISTANT_ODOO_HOME says where it lives)."
)]
struct Arguments {
    /// The long form: hundreds of kills, ten minutes of each kind of trouble
    #[arg(long)]
    long: bool,
    /// The seed of all dice [default: random in the long form, 1 in the short one]
    #[arg(long)]
    seed: Option<u64>,
    /// Only these scenarios
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(SCENARIOS.map(|(name, ..)| name)))]
    only: Vec<String>,
    /// Say which scenarios there are
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for (name, about, _) in SCENARIOS {
            println!("{name:18} {about}");
        }
        return ExitCode::SUCCESS;
    }
    let seed = arguments.seed.unwrap_or_else(|| if arguments.long { rand::random() } else { 1 });
    let form = if arguments.long { "long" } else { "short" };
    println!("torture: {form} form, seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(&arguments, seed))
}

async fn run(arguments: &Arguments, seed: u64) -> ExitCode {
    let started = Instant::now();
    let world = World::new(arguments.long, seed);
    let mut figures = Figures::default();
    let mut scenarios = Map::new();
    let mut sound = true;
    for (name, _, play) in SCENARIOS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        let began = Instant::now();
        let outcome = AssertUnwindSafe(play(&world)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| {
            let findings = vec!["it did not come to its end: see the panic above".to_owned()];
            Outcome::new(Verdict { findings, ..Verdict::default() })
        });
        let Verdict { figures: own, findings } = &outcome.verdict;
        println!("{name:16} {:6.1} s  {own}", began.elapsed().as_secs_f64());
        for finding in findings {
            println!("{name:16} FOUND    {finding}");
        }
        figures += *own;
        sound &= findings.is_empty();
        scenarios.insert(
            name.to_owned(),
            json!({"seconds": seconds(began.elapsed()), "audit": own, "findings": findings, "measured": outcome.measured}),
        );
    }
    let summary = json!({
        "seed": seed,
        "form": if arguments.long { "long" } else { "short" },
        "seconds": seconds(started.elapsed()),
        "audit": figures,
        "sound": sound,
        "scenarios": scenarios,
    });
    let folder = support::odoo::root().join("target/torture");
    fs::create_dir_all(&folder).expect("a folder");
    let text = serde_json::to_string_pretty(&summary).expect("JSON");
    fs::write(folder.join("summary.json"), text + "\n").expect("written");
    println!("{figures}");
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
