//! The composition root: configuration → objects → running services, and their orderly end.
//!
//! Start: secrets, store, listener, then the workers; `READY=1` is sent when webhooks are taken, whether or not Odoo
//! can be reached. End (SIGTERM, Ctrl-C): stop accepting, let what is under way finish, close the store. A second
//! signal ends at once, which is safe at any point.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::Config,
    fetch::Fetching,
    http::{self, AppState},
    intake::{DncList, Intake},
    sources::{self, Registry, Tokens},
    store::{Store, StoreOptions},
    sync::{
        Backend, Bell, Governor, Reporter,
        learn::{self, Learning},
        push::Owned,
        schedule::{self, ProgressFor, Schedule},
    },
    telemetry::Metrics,
    worker::{self, FetchHandler, IntakeHandler, MailDomains, MediaHandler, PushHandler, Spending},
};

/// How long work under way may take to finish after a signal.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Everything that a command may need, opened but not running.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// The store, exclusively.
    pub store: Store,
    /// The sources, and the tokens that open the API.
    pub sources: Arc<Registry>,
    /// The connection to Odoo.
    pub backend: Backend,
    /// The steps from drafts to operations.
    pub intake: Arc<Intake>,
    /// Asks which domains take no mail, if that is wanted.
    pub mail: Option<Arc<MailDomains>>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Rung when people in Odoo have decided something.
    pub bell: Bell,
}

impl App {
    /// Reads the secrets and opens the store.
    pub async fn open(config: Config) -> Result<Self> {
        let clock = Clock::system();
        let tokens = Tokens::open(&config.server.tokens).context("reading [server] tokens")?;
        let sources = sources::open_all(&config.sources, tokens).context("opening the sources")?;
        let secret = config.odoo.secret.read().context("reading [odoo] secret")?;
        let intake = Arc::new(open_intake(&config)?);
        let mail =
            config.flags.mx_lookup.then(|| MailDomains::open(config.flags.mx_timeout)).transpose()?.map(Arc::new);
        let store = Store::open(StoreOptions {
            path: config.store.path.clone(),
            clock: clock.clone(),
            readers: 2,
            max_queued_jobs: config.store.max_queued,
        })
        .await?;
        learn::recall(&store, &intake).await?;
        let backend = Backend::new(config.odoo.clone(), secret, Some(store.clone()), clock.clone());
        Ok(Self {
            config,
            store,
            sources: Arc::new(sources),
            backend,
            intake,
            mail,
            clock,
            metrics: Arc::new(Metrics::new()),
            bell: Bell::default(),
        })
    }

    /// The intake worker's handler.
    pub fn intake(&self) -> IntakeHandler {
        IntakeHandler {
            store: self.store.clone(),
            sources: Arc::clone(&self.sources),
            intake: Arc::clone(&self.intake),
            clock: self.clock.clone(),
            mail: self.mail.clone(),
            ahead: None,
        }
    }

    /// Asks the platforms that send only ids.
    pub fn fetching(&self) -> Fetching {
        let (sources, metrics) = (Arc::clone(&self.sources), Arc::clone(&self.metrics));
        Fetching::new(self.store.clone(), sources, self.clock.clone(), metrics, self.config.store.compared())
    }

    /// The media worker's handler.
    fn media(&self, fetching: &Fetching) -> MediaHandler {
        MediaHandler {
            fetching: fetching.clone(),
            backend: self.backend.clone(),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// The push worker's handler.
    pub fn push(&self) -> PushHandler {
        PushHandler {
            store: self.store.clone(),
            sources: Arc::clone(&self.sources),
            backend: self.backend.clone(),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            batch: self.config.odoo.batch,
            timeout: self.config.odoo.timeout,
            owned: Owned {
                lead: self.config.odoo.owned_lead_fields.clone(),
                order: self.config.odoo.owned_order_fields.clone(),
            },
            duplicates: self.config.intake.duplicates.clone(),
            governor: Governor::default(),
        }
    }

    /// The synchronisation.
    pub fn schedule(&self, progress: ProgressFor) -> Schedule {
        Schedule {
            store: self.store.clone(),
            backend: self.backend.clone(),
            clock: self.clock.clone(),
            config: self.config.sync.clone(),
            metrics: Arc::clone(&self.metrics),
            bell: self.bell.clone(),
            progress,
        }
    }

    /// Tells Odoo how the daemon is.
    fn reporter(&self, fetching: &Fetching) -> Reporter {
        Reporter::new(
            self.store.clone(),
            self.backend.clone(),
            &self.clock,
            fetching.status(),
            self.bell.clone(),
            self.config.sources.iter().map(|source| (source.id.clone(), source.kind)).collect(),
            self.config.store.compared(),
        )
    }

    /// Carries what campaigns cost into Odoo.
    fn spending(&self, fetching: &Fetching) -> Spending {
        let (sources, fetching) = (Arc::clone(&self.sources), fetching.clone());
        Spending { sources, fetching, backend: self.backend.clone(), clock: self.clock.clone() }
    }

    /// What learns from leads that were won or lost.
    pub fn learning(&self) -> Learning {
        Learning { store: self.store.clone(), intake: Arc::clone(&self.intake), clock: self.clock.clone() }
    }

    /// Serves until `stop`; `ready` is told the address once webhooks are taken.
    pub async fn serve(
        self,
        stop: CancellationToken,
        progress: ProgressFor,
        ready: impl FnOnce(SocketAddr),
    ) -> Result<()> {
        let fetching = self.fetching();
        let state = AppState {
            store: self.store.clone(),
            registry: Arc::clone(&self.sources),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            odoo_status: self.backend.status(),
            platforms: fetching.status(),
            compared: self.config.store.compared(),
            bell: self.bell.clone(),
        };
        let listening = CancellationToken::new();
        let (address, server) = http::serve(&self.config.server, state, listening.clone())?;
        info!(%address, "listening");

        let mut tasks = JoinSet::new();
        let app = Arc::new(self);
        tasks.spawn({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            async move { app.backend.run(&stop).await }
        });
        tasks.spawn({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            let intake = IntakeHandler { ahead: Some(worker::AHEAD), ..app.intake() };
            async move { worker::run(app.store.clone(), intake, app.clock.clone(), stop).await }
        });
        tasks.spawn({
            let (app, fetching, stop) = (Arc::clone(&app), fetching.clone(), stop.clone());
            let (clock, metrics) = (app.clock.clone(), Arc::clone(&app.metrics));
            let handler = FetchHandler { fetching, clock: clock.clone(), metrics };
            async move { worker::run(app.store.clone(), handler, clock, stop).await }
        });
        tasks.spawn({
            let (app, media, stop) = (Arc::clone(&app), app.media(&fetching), stop.clone());
            async move { worker::run(app.store.clone(), media, app.clock.clone(), stop).await }
        });
        tasks.spawn({
            let (reporter, stop) = (app.reporter(&fetching), stop.clone());
            async move { reporter.run(&stop).await }
        });
        tasks.spawn({
            let (spending, stop) = (app.spending(&fetching), stop.clone());
            async move { spending.run(&stop).await }
        });
        tasks.spawn({
            let stop = stop.clone();
            async move { fetching.reconcile(&stop).await }
        });
        tasks.spawn({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            async move { worker::run(app.store.clone(), app.push(), app.clock.clone(), stop).await }
        });
        tasks.spawn({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            async move { app.schedule(progress).run(&stop).await }
        });
        tasks.spawn({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            async move { schedule::retain(&app.store, &app.clock, &app.config.store, &stop).await }
        });
        tasks.spawn({
            let (learning, stop) = (app.learning(), stop.clone());
            async move { learning.run(&stop).await }
        });
        tasks.spawn({
            let stop = stop.clone();
            async move { watchdog(&stop).await }
        });
        ready(address);

        let failed = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            error = app.store.broken() => Some(error.into()),
            // Tasks end only after `stop`; one that ends earlier has panicked, and half a daemon is worse than none.
            _ = tasks.join_next() => Some(anyhow!("a service of the daemon ended unexpectedly; see the log above")),
        };
        if let Some(error) = &failed {
            error!(%error, "cannot go on");
        }
        stop.cancel();
        listening.cancel();
        info!("stopping");
        let finish = async {
            if let Err(error) = server.await {
                warn!(%error, "the web server ended badly");
            }
            while tasks.join_next().await.is_some() {}
        };
        if tokio::time::timeout(SHUTDOWN, finish).await.is_err() {
            warn!("some work did not end in time; it is repeated under the same keys at the next start");
        }
        app.store.close().await;
        failed.map_or(Ok(()), Err)
    }
}

/// The steps of intake, with the lists that they need.
pub fn open_intake(config: &Config) -> Result<Intake> {
    let mut dnc = DncList::default();
    for path in &config.flags.dnc_files {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {} of [flags] dnc_files", path.display()))?;
        dnc = dnc.and(DncList::new(&text, config.intake.country.as_deref()));
    }
    Ok(Intake::new(config, dnc))
}

/// Tells systemd that the daemon lives, as often as it asks for.
async fn watchdog(stop: &CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return stop.cancelled().await;
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval / 2) => {
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            }
        }
    }
}
