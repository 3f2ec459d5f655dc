//! The command line: one file per command.
//!
//! Exit codes: 0 done, 1 failed, 69 Odoo cannot be reached, 78 the configuration is wrong.

mod check;
mod explain;
mod failure;
mod init;
mod outbox;
mod progress;
mod push;
mod pushed;
mod replay;
mod run;
mod status;
mod sync;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub use failure::Failure;
#[doc(hidden)]
pub use push::{Kind, read_rows};

use crate::config::Config;

/// A companion daemon beside an Odoo server: leads and orders in, changes out, each exactly once.
///
/// Start with `g-assistant init`, which asks for your Odoo and writes a configuration; `g-assistant check --online`
/// proves that it works; `g-assistant run` is the service.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    /// The configuration file
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "G_ASSISTANT_CONFIG",
        default_value = "/etc/g-assistant/config.toml"
    )]
    pub config: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for your Odoo, test the login and write a configuration
    Init(Box<init::Init>),
    /// Check the configuration, and with --online the login, the rights and the database
    Check(check::Check),
    /// Run the service: take webhooks, write to Odoo, keep the mirror
    Run(run::Run),
    /// Do what is due once, then exit: intake, push, changes, and with --full the whole mirror
    Sync(sync::Sync),
    /// Show what is queued, parked and mirrored
    Status(status::Status),
    /// Look into the outbox; try parked operations again, or discard them
    Outbox(outbox::Outbox),
    /// Read kept deliveries again, after an update or a corrected map (a dry run unless --go is given)
    Replay(replay::Replay),
    /// Show what becomes of a lead, step by step; nothing is sent
    Explain(explain::Explain),
    /// Send leads or orders from a CSV or JSON file (a dry run unless --apply is given)
    Push(push::Push),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let path = cli.config;
    match cli.command {
        Command::Init(command) => command.run(&path).await,
        Command::Check(command) => command.run(&path).await,
        Command::Run(command) => command.run(Config::load(&path)?).await,
        Command::Sync(command) => command.run(Config::load(&path)?).await,
        Command::Status(command) => command.run(Config::load(&path)?).await,
        Command::Outbox(command) => command.run(Config::load(&path)?).await,
        Command::Replay(command) => command.run(Config::load(&path)?).await,
        Command::Explain(command) => command.run(Config::load(&path)?).await,
        Command::Push(command) => command.run(Config::load(&path)?).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
