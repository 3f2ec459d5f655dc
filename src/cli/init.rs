//! `init`: asks for your Odoo, tests the login, writes a configuration.

use std::{
    fs,
    io::{IsTerminal, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Failure;
use crate::{
    config::{self, AddonChoice, TransportChoice},
    odoo::{Bridge, Client},
    secret::{CREDENTIALS_FOLDER, SecretRef},
};

/// Asks what is not given, so that it can run in a script too. Secrets go into files that only their owner may read,
/// and the configuration refers to them: into /etc/g-assistant/credentials for the service that the package installs,
/// else beside the configuration.
#[derive(Debug, Args)]
pub struct Init {
    /// Odoo's address, such as https://odoo.example.com
    #[arg(long)]
    url: Option<Url>,
    /// Database name
    #[arg(long)]
    database: Option<String>,
    /// Login of the daemon's user
    #[arg(long)]
    login: Option<String>,
    /// A file with the user's API key; asked for when absent
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Where the store goes
    #[arg(long, value_name = "FILE", default_value = "/var/lib/g-assistant/store.db")]
    store: PathBuf,
    /// Where to listen for webhooks
    #[arg(long, default_value = "127.0.0.1:8077")]
    listen: std::net::SocketAddr,
    /// Write the secrets into this folder, which systemd loads as the service's credentials
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// Write the configuration even if the login does not work
    #[arg(long)]
    offline: bool,
}

impl Init {
    pub(super) async fn run(self, path: &Path) -> Result<(), Failure> {
        if path.exists() {
            return Err(anyhow!("{} exists; remove it first, or name another with --config", path.display()).into());
        }
        let answers = self.ask()?;
        let offline = self.offline;
        if !offline {
            answers.test().await?;
        }
        let place = self.place(path);
        let written = self.write(path, &place, &answers)?;
        println!("\nwritten:");
        for file in written {
            println!("  {}", file.display());
        }
        let command = match path.to_str() {
            Some("/etc/g-assistant/config.toml") => "g-assistant".to_owned(),
            _ => format!("g-assistant --config {}", path.display()),
        };
        let start = match place {
            Place::Credentials(_) => "systemctl restart g-assistant".to_owned(),
            Place::Beside(_) => format!("{command} run"),
        };
        println!(
            "\nnext:\n  \
             1. in Odoo: Settings → G-Assistant: address http://{}/api/webhooks/odoo, Generate a secret, and put it\n     \
             into {}\n  \
             2. {command} check --online\n  \
             3. {start}",
            self.listen,
            place.file(&OF_ODOO).display(),
        );
        Ok(())
    }

    fn place(&self, config: &Path) -> Place {
        let packaged = Path::new(CREDENTIALS_FOLDER);
        match &self.credentials {
            Some(folder) => Place::Credentials(folder.clone()),
            None if config.parent() == packaged.parent() && packaged.is_dir() => {
                Place::Credentials(packaged.to_owned())
            }
            None => Place::Beside(folder_of(config)),
        }
    }

    fn ask(&self) -> anyhow::Result<Answers> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => {
                prompt("url", "Odoo's address", Some("http://localhost:8069"))?.parse().context("not an address")?
            }
        };
        let database = match &self.database {
            Some(database) => database.clone(),
            None => prompt("database", "Database", None)?,
        };
        let login = match &self.login {
            Some(login) => login.clone(),
            None => prompt("login", "Login of the daemon's user", Some("g-assistant"))?,
        };
        let key = match &self.key_file {
            Some(file) => SecretRef::File(file.clone()).read()?,
            None => {
                need_terminal("key-file")?;
                println!("In Odoo: that user's Preferences → Account Security → New API Key");
                inquire::Password::new("API key").without_confirmation().prompt()?.into()
            }
        };
        Ok(Answers { url, database, login, key })
    }

    fn write(&self, path: &Path, place: &Place, answers: &Answers) -> anyhow::Result<Vec<PathBuf>> {
        let folder = folder_of(path);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let text = format!(
            r#"# Every key is explained in config.example.toml.

[server]
listen = "{listen}"
tokens = [{token}]

[store]
path = {store:?}

[odoo]
url = "{url}"
database = {database:?}
login = {login:?}
secret = {key}

# Changes from Odoo: the secret comes from Odoo's settings (Settings → G-Assistant → Generate).
[sources.odoo]
kind = "odoo"
secret = {of_odoo}

# Leads and orders from your website, signed with this secret.
[sources.website]
kind = "generic"
secret = {website}
"#,
            listen = self.listen,
            store = self.store,
            url = answers.url,
            database = answers.database,
            login = answers.login,
            key = place.refer(&KEY),
            token = place.refer(&TOKEN),
            of_odoo = place.refer(&OF_ODOO),
            website = place.refer(&WEBSITE),
        );
        let secrets = [
            (KEY, answers.key.expose_secret().to_owned()),
            (TOKEN, random_text()),
            (WEBSITE, format!("whsec_{}", random_base64())),
            // A placeholder nobody knows, until Odoo's own secret replaces it.
            (OF_ODOO, format!("whsec_{}", random_base64())),
        ];
        if let Place::Credentials(folder) = place {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("making {}", folder.display()))?;
        }
        let mut written = Vec::new();
        for (secret, value) in secrets {
            written.push(create(&place.file(&secret), &value, 0o600)?);
        }
        written.push(create(path, &text, 0o640)?);
        if let Place::Credentials(_) = place {
            share(path).with_context(|| format!("letting the service read {}", path.display()))?;
        }
        Ok(written)
    }
}

/// A secret: the name of its file beside the configuration, and its name as a credential.
struct Secret {
    file: &'static str,
    credential: &'static str,
}

const KEY: Secret = Secret { file: "odoo.key", credential: "odoo" };
const TOKEN: Secret = Secret { file: "api.token", credential: "api-token" };
const WEBSITE: Secret = Secret { file: "website.secret", credential: "website" };
const OF_ODOO: Secret = Secret { file: "odoo.secret", credential: "odoo-webhook" };

/// Where the secrets go.
enum Place {
    /// Into the folder of the configuration: whoever writes them runs the daemon too.
    Beside(PathBuf),
    /// Into a folder of root's that systemd loads for the service, whose user cannot read it.
    Credentials(PathBuf),
}

impl Place {
    fn file(&self, secret: &Secret) -> PathBuf {
        match self {
            Self::Beside(folder) => folder.join(secret.file),
            Self::Credentials(folder) => folder.join(secret.credential),
        }
    }

    /// As the configuration says it.
    fn refer(&self, secret: &Secret) -> String {
        match self {
            Self::Beside(_) => format!("{{ file = {:?} }}", secret.file),
            Self::Credentials(_) => format!("{{ credential = {:?} }}", secret.credential),
        }
    }
}

/// Lets the group of its folder, which the package makes the service's, read the configuration, whatever the umask.
fn share(config: &Path) -> std::io::Result<()> {
    let group = fs::metadata(folder_of(config))?.gid();
    chown(config, None, Some(group))?;
    fs::set_permissions(config, fs::Permissions::from_mode(0o640))
}

struct Answers {
    url: Url,
    database: String,
    login: String,
    key: SecretString,
}

impl Answers {
    /// Logs in as the daemon will.
    async fn test(&self) -> Result<(), Failure> {
        let config = config::Odoo {
            url: self.url.clone(),
            database: self.database.clone(),
            login: self.login.clone(),
            secret: SecretRef::Env(String::new()),
            transport: TransportChoice::Auto,
            addon: AddonChoice::Auto,
            timeout: Duration::from_secs(30),
            batch: 1,
            company: None,
            owned_lead_fields: Vec::new(),
            owned_order_fields: Vec::new(),
        };
        let client = Client::connect(&config, self.key.clone()).await?;
        println!("logged in to Odoo {} as {} by {}", client.info().server_version, self.login, client.info().transport);
        match Bridge::open(client, AddonChoice::Auto).await?.info().addon.as_deref() {
            Some(version) => println!("the addon g_assistant_connector {version} is installed"),
            None => println!("the addon g_assistant_connector is not installed: everything works, more slowly"),
        }
        Ok(())
    }
}

fn prompt(flag: &str, question: &str, default: Option<&str>) -> anyhow::Result<String> {
    need_terminal(flag)?;
    let mut text = inquire::Text::new(question);
    text.default = default;
    let answer = text.prompt()?;
    if answer.trim().is_empty() {
        bail!("{question}: an answer is needed");
    }
    Ok(answer.trim().to_owned())
}

fn need_terminal(flag: &str) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() { Ok(()) } else { bail!("this is no terminal to ask on: give --{flag}") }
}

/// Of `config.toml` alone it is the current one, which has an empty parent.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Never replaces a file: a secret that is overwritten is lost.
fn create(path: &Path, text: &str, mode: u32) -> anyhow::Result<PathBuf> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.with_context(|| format!("creating {}", path.display()))?;
    writeln!(file, "{}", text.trim_end()).with_context(|| format!("writing {}", path.display()))?;
    Ok(path.to_owned())
}

fn random_base64() -> String {
    base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 32]>())
}

fn random_text() -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
