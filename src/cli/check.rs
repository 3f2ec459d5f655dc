//! `check`: is the configuration right, and does it work?

use std::path::Path;

use clap::Args;

use super::Failure;
use crate::{
    clock::Clock,
    config::{Config, ConfigError},
    secret::CREDENTIALS_FOLDER,
    sources::{FetchError, Tokens, open_all},
    store::{Store, StoreError},
    sync::{Backend, backend::DATABASE_KEY},
};

/// Names every problem with its line and what to do about it.
#[derive(Debug, Args)]
pub struct Check {
    /// Log in to Odoo too: the login, the rights, the addon, the database
    #[arg(long)]
    online: bool,
    /// Let the store belong to the database that answers, after a planned move or restore
    #[arg(long, requires = "online")]
    accept_database: bool,
}

impl Check {
    pub(super) async fn run(self, path: &Path) -> Result<(), Failure> {
        let config = Config::load(path)?;
        check_secrets(path, &config)?;
        println!("{}: the configuration is right", path.display());
        if !config.warnings.list.is_empty() {
            println!("{}", config.warnings);
        }
        for source in &config.sources {
            println!("source    {} ({}): POST /api/webhooks/{0}", source.id, source.kind);
        }
        if self.online { self.check_odoo(&config).await } else { Ok(()) }
    }

    async fn check_odoo(&self, config: &Config) -> Result<(), Failure> {
        let secret = config.odoo.secret.read().map_err(anyhow::Error::from)?;
        let clock = Clock::system();
        // The service may be running on the store; working beside it is fine. The first start makes it, not this.
        let store = match Store::open_admin(&config.store.path, clock.clone()).await {
            Ok(store) => Some(store),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if self.accept_database
            && let Some(store) = &store
        {
            store.meta_delete(DATABASE_KEY).await?;
        }
        let backend = Backend::new(config.odoo.clone(), secret, store, clock);
        let session = backend.connect().await?;
        let server = session.client.info();
        println!("odoo      {} at {} by {}", server.server_version, config.odoo.url, server.transport);
        match &session.bridge.info().addon {
            Some(version) => println!("addon     g_assistant_connector {version}"),
            None => println!("addon     not used: writes are idempotent by external ids, changes are polled"),
        }
        match &session.database {
            Some(uuid) => println!("database  {} ({uuid})", config.odoo.database),
            None => println!(
                "database  {} (this user may not read its uuid, so a copy cannot be recognised)",
                config.odoo.database
            ),
        }
        for (model, fields) in &session.bridge.info().missing {
            if !fields.is_empty() {
                println!("fields    {model} has no {} here", fields.join(", "));
            }
        }
        if session.bridge.info().phonenumbers == Some(false) {
            println!("phones    Odoo's Python package `phonenumbers` is missing: its own phone matching is weak");
        }
        check_platforms(config).await?;
        println!("everything works");
        Ok(())
    }
}

/// Asks each platform that sends only ids whether its leads can be fetched.
async fn check_platforms(config: &Config) -> Result<(), Failure> {
    let sources = open_all(&config.sources, Tokens::default()).map_err(anyhow::Error::from)?;
    for (source, platform) in sources.platforms() {
        for id in platform.accounts() {
            let denied = |error: FetchError| {
                let hint = if let FetchError::Denied { hint, .. } = &error { hint } else { "try again later" };
                anyhow::anyhow!("sources.{source}: account {id}: the platform {error}\n  hint: {hint}")
            };
            let account = platform.account(id).await.map_err(denied)?;
            let setting = platform.setting(id).await.map_err(denied)?;
            let lists = platform.lists(id).await.map_err(denied)?;
            let token = if setting.is_refresh_token { "refresh token" } else { "token" };
            let expires = setting.token_expires_at.map_or_else(
                || format!("its {token} has no known end"),
                |end| format!("its {token} expires at {} UTC", end.format("%Y-%m-%d %H:%M")),
            );
            let name = account.name.as_deref().unwrap_or("no name");
            println!("{source:<9} account {id} ({name}): {} lists of leads; {expires}", lists.len());
            for warning in setting.warnings {
                println!("          {warning}");
            }
        }
    }
    Ok(())
}

/// Every secret must be readable now, not at three in the morning. Credentials that are not in our folder
/// exist only inside the service.
fn check_secrets(path: &Path, config: &Config) -> Result<(), Failure> {
    let of_sources = config.sources.iter().flat_map(|source| {
        source.setup.secrets().into_iter().map(move |(key, secret)| (format!("sources.{}.{key}", source.id), secret))
    });
    let all = std::iter::once(("odoo.secret".to_owned(), &config.odoo.secret))
        .chain(config.server.tokens.iter().map(|token| ("server.tokens".to_owned(), token)))
        .chain(of_sources);
    let mut problems = Vec::new();
    for (key, secret) in all {
        if secret.is_only_for_the_service() {
            println!(
                "{key}: {secret} cannot be seen in {CREDENTIALS_FOLDER}; it can be checked only inside the service"
            );
            continue;
        }
        if let Err(error) = secret.read() {
            problems.push(format!("{}: {key}: {error}", path.display()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Secrets(problems).into()) }
}
