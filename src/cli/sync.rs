//! `sync`: everything that is due, once.

use anyhow::Context;
use clap::Args;

use super::{Failure, progress};
use crate::{app::App, config::Config, telemetry, worker};

/// For a cron job, or to see a first pull with its progress. Refuses while the service runs on the same store.
#[derive(Debug, Args)]
pub struct Sync {
    /// Compare the whole mirror with Odoo, deletions included
    #[arg(long)]
    full: bool,
    /// Learn from the leads that were won or lost, whether or not it is time
    #[arg(long)]
    learn: bool,
}

impl Sync {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        telemetry::init(&config.log).map_err(anyhow::Error::from)?;
        let app = App::open(config).await?;
        let done = self.pass(&app).await;
        app.store.close().await;
        done
    }

    async fn pass(&self, app: &App) -> Result<(), Failure> {
        let session = app.backend.connect().await?;
        worker::drain(&app.store, app.intake(), &app.clock, |_| {}).await?;
        let mut pushed = 0;
        // A batch that failed is due again later; what is due now is what this command is for.
        if !worker::drain(&app.store, app.push(), &app.clock, |count| pushed += count).await? {
            return Err(Failure::Unreachable("Odoo went away during the push; the rest stays queued".to_owned()));
        }
        app.schedule(progress::pulls()).pass(&session, self.full).await?;
        if self.learn {
            println!("learned   {}", app.learning().learn().await.context("learning")?);
        }
        let stats = app.store.stats().await.context("reading the store")?;
        println!("pushed {pushed} operations");
        super::status::print_human(&stats);
        Ok(())
    }
}
