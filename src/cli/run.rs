//! `run`: the service.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, progress};
use crate::{app::App, config::Config, telemetry};

/// Runs until SIGTERM or Ctrl-C.
#[derive(Debug, Args)]
pub struct Run {}

impl Run {
    pub(super) async fn run(self, config: Config) -> Result<(), Failure> {
        telemetry::init(&config.log).map_err(anyhow::Error::from)?;
        for warning in &config.warnings.list {
            tracing::warn!(key = warning.key, "{}", warning.message);
        }
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone())?;
        let app = App::open(config).await?;
        let ready = |address| {
            let _ = sd_notify::notify(&[
                sd_notify::NotifyState::Ready,
                sd_notify::NotifyState::Status(&format!("listening on {address}")),
            ]);
        };
        app.serve(stop, progress::pulls(), ready).await?;
        Ok(())
    }
}

/// The first signal asks for an orderly end; the second one ends the process.
fn stop_on_signals(stop: CancellationToken) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| anyhow::Error::new(error).context("listening for signals"));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for asked_before in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked_before {
                std::process::exit(130);
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            stop.cancel();
        }
    });
    Ok(())
}
