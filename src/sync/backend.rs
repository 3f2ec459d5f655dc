//! One Odoo: connected or not, and whether the daemon may write to it.
//!
//! [`Backend::run`] keeps a [`Session`] alive. Everyone else waits for one with [`Backend::session`] and tells of
//! failures with [`Backend::report`]. While there is no session nothing is sent, so an Odoo that is down costs no job
//! an attempt, and a login that is refused is not tried again and again.

use std::{sync::Arc, time::Duration};

use backon::BackoffBuilder;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::{self, AddonChoice},
    domain::{Lookup, Model, OdooStatus},
    odoo::{Bridge, Call, Class, Client, DatabaseState, OdooError, Resolver},
    store::Store,
    sync::prepare::{Answers, Questions},
};

/// The store's memory of which database it belongs to.
pub const DATABASE_KEY: &str = "odoo.database_uuid";
/// The store's memory of the addon: what was written through it has its identity there.
const ADDON_KEY: &str = "odoo.addon";
/// A refused login is tried again after this time: less often than any lock-out counts.
const DENIED_RETRY: Duration = Duration::from_secs(15 * 60);
/// Whatever else a person must mend is looked at again after this time.
const BLOCKED_RETRY: Duration = Duration::from_secs(60);
/// How often a living session checks that it still talks to the same database.
const GUARD_INTERVAL: Duration = Duration::from_secs(30);

/// A living connection and what belongs to it.
pub struct Session {
    /// The logged-in client.
    pub client: Client,
    /// Sync's calls, through the addon or without it.
    pub bridge: Bridge,
    /// Names to ids.
    pub resolver: Resolver,
    /// `database.uuid`, if the user may read it.
    pub database: Option<String>,
    /// Held from looking for a batch's customers until they are in Odoo: two batches must not both miss the same one.
    pub customers: Mutex<()>,
}

impl Session {
    /// Whether Odoo may be sent several batches at once. Without the addon nothing in Odoo keeps two of them apart;
    /// Odoo's own hosting asks its customers not to.
    pub fn allows_parallel_calls(&self) -> bool {
        matches!(self.bridge, Bridge::Addon(_)) && !self.client.is_hosted_by_odoo()
    }

    /// Answers everything that a batch needs to know, in a handful of calls at most. With `may_create`, labels that are
    /// missing are created.
    pub async fn answer(&self, questions: Questions, may_create: bool) -> Result<Answers, OdooError> {
        let lookups: Vec<Lookup> = questions.lookups.into_iter().collect();
        let lookups = self.resolver.resolve(&lookups, may_create).await?;
        let ids = self.resolver.find_partners(&questions.partners).await?;
        Ok(Answers { lookups, partners: questions.partners.into_iter().zip(ids).collect() })
    }
}

/// Why the daemon must not talk to Odoo until a person has done something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// The login is refused.
    #[error(
        "{0}. Nothing is sent until the login works: check [odoo] login and secret (users with two-factor authentication need an API key)"
    )]
    Denied(String),
    /// Another database answers than the one that the store belongs to.
    #[error(
        "this is database {found}, but the store belongs to {known}: a copy or a restored backup? Nothing is written. \
         If it is the right one, run `g-assistant check --online --accept-database`"
    )]
    WrongDatabase {
        /// The uuid that answered.
        found: String,
        /// The uuid in the store.
        known: String,
    },
    /// Odoo says that this database is a neutralised copy.
    #[error("this database is neutralised (a test copy): nothing is written to it")]
    Neutralized,
    /// The addon was here and is not any more.
    #[error(
        "the addon g_assistant_connector, through which this store has worked, does not answer any more: install it \
         again (or set [odoo] addon = \"off\" to go on without it, where what it knew may be made a second time)"
    )]
    AddonGone,
    /// The user lacks a right.
    #[error(
        "the user may not {operation} {model}: give it the group \"Sales / User: All Documents\", or install the addon \
         and give it \"G-Assistant daemon\""
    )]
    Rights {
        /// The model.
        model: Model,
        /// `read`, `create` or `write`.
        operation: &'static str,
    },
    /// The configuration asks for something that this Odoo does not have.
    #[error("{0}")]
    Unsuitable(String),
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It may work later.
    #[error(transparent)]
    Odoo(#[from] OdooError),
    /// A person must act.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    config: config::Odoo,
    secret: SecretString,
    /// `None` for a command that only looks.
    store: Option<Store>,
    clock: Clock,
    session: watch::Sender<Option<Arc<Session>>>,
    status: watch::Sender<OdooStatus>,
    /// Wakes `run` when a session has failed; holds how long Odoo asked us to stay away.
    failed: Notify,
    pause: std::sync::Mutex<Option<Duration>>,
}

impl Backend {
    /// A backend that is not connected yet.
    pub fn new(config: config::Odoo, secret: SecretString, store: Option<Store>, clock: Clock) -> Self {
        let status = OdooStatus { since: Some(clock.now()), ..OdooStatus::default() };
        Self(Arc::new(Inner {
            config,
            secret,
            store,
            clock,
            session: watch::Sender::new(None),
            status: watch::Sender::new(status),
            failed: Notify::new(),
            pause: std::sync::Mutex::new(None),
        }))
    }

    /// What health answers show.
    pub fn status(&self) -> watch::Receiver<OdooStatus> {
        self.0.status.subscribe()
    }

    /// The session; waits until there is one.
    pub async fn session(&self) -> Arc<Session> {
        let mut sessions = self.0.session.subscribe();
        loop {
            if let Some(session) = sessions.borrow_and_update().clone() {
                return session;
            }
            if sessions.changed().await.is_err() {
                // The sender lives in `self`, so this cannot happen; never spin if it does.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The session, if there is one.
    pub fn current(&self) -> Option<Arc<Session>> {
        self.0.session.borrow().clone()
    }

    /// Tells that a call failed. Ends the session if that means that Odoo is down or refuses the login.
    pub fn report(&self, error: &OdooError) {
        let pause = match error {
            OdooError::Busy { retry_after, .. } => *retry_after,
            OdooError::Conflict { .. } => return,
            error if error.class() == Class::Permanent => return,
            // Also without an answer: it may hang, and gets more work once it has answered a greeting.
            _ => None,
        };
        if self.0.session.send_replace(None).is_some() {
            *self.0.pause.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = pause;
            self.set_status(|status| {
                status.reachable = Some(false);
                status.detail = Some(error.to_string());
            });
            self.0.failed.notify_one();
        }
    }

    /// Connects once. Also the way in for commands that run and end.
    pub async fn connect(&self) -> Result<Arc<Session>, ConnectError> {
        let session = Arc::new(self.open().await?);
        let server = session.client.info();
        self.set_status(|status| {
            status.reachable = Some(true);
            status.detail = None;
            status.blocked = None;
            status.transport = Some(server.transport.to_owned());
            status.series = Some(server.series.to_string());
            status.addon = session.bridge.info().addon.clone();
        });
        self.0.session.send_replace(Some(Arc::clone(&session)));
        Ok(session)
    }

    async fn open(&self) -> Result<Session, ConnectError> {
        let inner = &self.0;
        let client = Client::connect(&inner.config, inner.secret.clone()).await.map_err(denied)?;
        let bridge = Bridge::open(client.clone(), inner.config.addon).await.map_err(denied)?;
        self.check_addon(&bridge).await?;
        check_rights(&client, &bridge).await?;
        let state = bridge.guard().await.map_err(denied)?;
        let database = self.check_database(state).await?;
        let resolver = Resolver::new(client.clone());
        Ok(Session { client, bridge, resolver, database, customers: Mutex::default() })
    }

    /// Without the addon, records that were written through it would not be recognised and would be made again.
    async fn check_addon(&self, bridge: &Bridge) -> Result<(), ConnectError> {
        let Some(store) = &self.0.store else {
            return Ok(());
        };
        match &bridge.info().addon {
            Some(version) => store.meta_set(ADDON_KEY, version).await?,
            None if self.0.config.addon == AddonChoice::Auto && store.meta_get(ADDON_KEY).await?.is_some() => {
                return Err(Blocked::AddonGone.into());
            }
            None => {}
        }
        Ok(())
    }

    /// Refuses a copy. The first database ever seen becomes the one that this store belongs to.
    async fn check_database(&self, state: DatabaseState) -> Result<Option<String>, ConnectError> {
        if state.neutralized == Some(true) {
            return Err(Blocked::Neutralized.into());
        }
        let (Some(found), Some(store)) = (&state.uuid, &self.0.store) else {
            return Ok(state.uuid);
        };
        match store.meta_get(DATABASE_KEY).await? {
            Some(known) if known != *found => Err(Blocked::WrongDatabase { found: found.clone(), known }.into()),
            Some(_) => Ok(state.uuid),
            None => {
                store.meta_set(DATABASE_KEY, found).await?;
                Ok(state.uuid)
            }
        }
    }

    /// Keeps a session alive until `cancel`.
    pub async fn run(&self, cancel: &CancellationToken) {
        let mut waits = reconnect_waits();
        while !cancel.is_cancelled() {
            let wait = tokio::select! {
                () = cancel.cancelled() => return,
                connected = self.connect() => match connected {
                    Ok(session) => {
                        self.announce(&session);
                        waits = reconnect_waits();
                        tokio::select! {
                            () = cancel.cancelled() => return,
                            wait = self.watch(&session) => wait,
                        }
                    }
                    Err(error) => self.no_session(error, &mut waits),
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Returns when the session is over, with the time to stay away.
    async fn watch(&self, session: &Session) -> Duration {
        loop {
            tokio::select! {
                () = self.0.failed.notified() => {
                    let pause = self.0.pause.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                    return pause.unwrap_or(Duration::from_secs(1)).min(DENIED_RETRY);
                }
                () = tokio::time::sleep(GUARD_INTERVAL) => {}
            }
            let state = match session.bridge.guard().await {
                Ok(state) => state,
                Err(error) => {
                    self.report(&error);
                    continue;
                }
            };
            if let Err(error) = self.check_database(state).await {
                self.0.session.send_replace(None);
                return self.no_session(error, &mut reconnect_waits());
            }
        }
    }

    fn no_session(&self, error: ConnectError, waits: &mut impl Iterator<Item = Duration>) -> Duration {
        match error {
            ConnectError::Blocked(blocked) => {
                let wait = if matches!(blocked, Blocked::Denied(_)) { DENIED_RETRY } else { BLOCKED_RETRY };
                error!(reason = %blocked, retry_in_s = wait.as_secs(), "stopped talking to Odoo");
                self.set_status(|status| {
                    status.reachable = Some(true);
                    status.blocked = Some(blocked.to_string());
                });
                wait
            }
            other => {
                let wait = match &other {
                    ConnectError::Odoo(OdooError::Busy { retry_after: Some(after), .. }) => *after,
                    _ => waits.next().unwrap_or(Duration::from_secs(60)),
                };
                warn!(error = %other, retry_in_s = wait.as_secs(), "no connection to Odoo");
                self.set_status(|status| {
                    status.reachable = Some(false);
                    status.detail = Some(other.to_string());
                });
                wait.min(DENIED_RETRY)
            }
        }
    }

    fn announce(&self, session: &Session) {
        let server = session.client.info();
        info!(
            series = %server.series,
            transport = server.transport,
            addon = session.bridge.info().addon.as_deref().unwrap_or("none"),
            "connected to Odoo"
        );
        if session.database.is_none() {
            warn!(
                "the user may not read Odoo's database.uuid, so a copied database cannot be recognised; install the addon"
            );
        }
        for (model, fields) in &session.bridge.info().missing {
            info!(%model, fields = fields.join(" "), "fields that this Odoo does not have, or does not show to this user");
        }
    }

    fn set_status(&self, change: impl FnOnce(&mut OdooStatus)) {
        let now = self.0.clock.now();
        self.0.status.send_modify(|status| {
            let before = (status.reachable, status.blocked.is_some());
            change(status);
            if before != (status.reachable, status.blocked.is_some()) {
                status.since = Some(now);
            }
        });
    }
}

/// Without the addon (whose own group is checked by its first call), a user who may read but not write would fail
/// operation by operation. Better to say so once, and to keep them waiting.
async fn check_rights(client: &Client, bridge: &Bridge) -> Result<(), ConnectError> {
    if matches!(bridge, Bridge::Addon(_)) {
        return Ok(());
    }
    for model in Model::MIRRORED {
        for operation in ["read", "create", "write"] {
            let call = if client.info().series.major >= 18 {
                Call::new(model.as_str(), "has_access").on([]).arg("operation", operation)
            } else {
                Call::new(model.as_str(), "check_access_rights")
                    .arg("operation", operation)
                    .arg("raise_exception", false)
            };
            if client.call(call).await.map_err(denied)? != Value::Bool(true) {
                return Err(Blocked::Rights { model, operation }.into());
            }
        }
    }
    Ok(())
}

/// A refused login and a missing addon are for a person; everything else may pass.
fn denied(error: OdooError) -> ConnectError {
    match error.class() {
        Class::Denied => Blocked::Denied(error.to_string()).into(),
        Class::Permanent => Blocked::Unsuitable(error.to_string()).into(),
        Class::Temporary | Class::Ambiguous => error.into(),
    }
}

fn reconnect_waits() -> impl Iterator<Item = Duration> {
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(30))
        .with_jitter()
        .without_max_times()
        .build()
}
