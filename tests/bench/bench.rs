//! How fast, how small, and at what cost: nine figures, each measured against its baseline in the same run.
//!
//! `make bench` runs all of them; `make bench ONLY=push,pull QUICK=1` a part, with small sizes. Each file here measures
//! one figure. Subject and baseline take turns (A B A B), and what is told is the median of the pairs, so that a machine
//! that is slow for a while is slow for both. Nothing here can fail for being slow; only for not being measured.
//!
//! Results: `target/bench/<figure>.json` with every sample, `target/bench/summary.json`, a table, and with `--publish`
//! the plots in `docs/bench`.

#[path = "../support/mod.rs"]
mod support;

mod addon_cost;
mod dashboards;
mod growth;
mod idle;
mod ingest;
mod intake;
mod latency;
mod leads;
mod load;
mod machine;
mod plot;
mod pull;
mod push;
mod python;

mod report;
mod subject;

use std::{panic::AssertUnwindSafe, path::PathBuf, process::ExitCode};

use clap::Parser;
use futures_util::FutureExt;
use support::{daemon, odoo};

use report::{Figure, Results};

/// Measures the daemon on this machine, on a real Odoo 19.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only these figures
    #[arg(long, value_delimiter = ',', value_name = "FIGURE,…")]
    only: Vec<Figure>,
    /// Small sizes and few repetitions: to try the bench, not the daemon
    #[arg(long)]
    quick: bool,
    /// Say what would be measured
    #[arg(long)]
    list: bool,
    /// Show the results of earlier runs, as a table for a README
    #[arg(long)]
    markdown: bool,
    /// Write the plots to docs/bench, unless --quick
    #[arg(long)]
    publish: bool,
    /// Internal: be the server that verifies and does not store
    #[arg(long, hide = true, value_name = "CONFIG")]
    serve_without_store: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Small, to try the bench out.
    pub quick: bool,
}

impl Scale {
    /// `full`, or `quick` for trying out.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(config) = &arguments.serve_without_store {
        ingest::serve_without_store(config).await;
        return ExitCode::SUCCESS;
    }
    if arguments.list {
        for figure in Figure::ALL {
            println!("{:12} {}", figure.name(), figure.title());
        }
        return ExitCode::SUCCESS;
    }
    let scale = Scale { quick: arguments.quick };
    let mut results = Results::load(scale);
    if arguments.markdown {
        println!("{}", results.markdown());
        return ExitCode::SUCCESS;
    }
    let wanted = if arguments.only.is_empty() { Figure::ALL.to_vec() } else { arguments.only };
    let mut failed = false;
    for (number, &figure) in wanted.iter().enumerate() {
        println!("[{}/{}] {}: {}", number + 1, wanted.len(), figure.name(), figure.title());
        // One figure that cannot be measured does not take the others along.
        match AssertUnwindSafe(measure(figure, scale)).catch_unwind().await {
            Ok(measured) => results.keep(figure, measured, scale, arguments.publish),
            Err(_) => {
                eprintln!("{} could not be measured: see above", figure.name());
                failed = true;
            }
        }
    }
    println!("\n{}", results.table());
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn measure(figure: Figure, scale: Scale) -> report::Measured {
    match figure {
        Figure::Ingest => ingest::measure(scale).await,
        Figure::Intake => intake::measure(scale).await,
        Figure::Push => push::measure(scale).await,
        Figure::Pull => pull::measure(scale).await,
        Figure::Latency => latency::measure(scale).await,
        Figure::AddonCost => addon_cost::measure(scale).await,
        Figure::Dashboards => dashboards::measure(scale).await,
        Figure::Growth => growth::measure(scale).await,
        Figure::Idle => idle::measure(scale).await,
    }
}
