//! A logged-in connection to one Odoo database, over whichever transport fits.
//!
//! 1. [`Client::connect`] asks the server for its version, logs in once, and picks the transport.
//! 2. [`Client::call`] sends one [`Call`] with the base context. Nothing is repeated here: whether a call may be sent
//!    again is the caller's decision, by [`OdooError::class`]. After [`OdooError::Denied`] the caller must stop
//!    calling: every further attempt counts against Odoo's login cooldown.

use std::{fmt, sync::Arc};

use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    Call, OdooError,
    json2::Json2,
    transport::{Answer, Server, Transport},
    xmlrpc::{self, XmlRpc},
};
use crate::config::{self, TransportChoice};

/// The first series that has `/json/2`.
const JSON2_SINCE: u32 = 19;

/// A series of Odoo, such as 19.0 or 18.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// `19` of 19.0.
    pub major: u32,
    /// `0` of 19.0.
    pub minor: u32,
}

/// What the server said when the client connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The series.
    pub series: Series,
    /// The server's own words, such as `19.0-20251101`.
    pub server_version: String,
    /// The user's id.
    pub uid: i64,
    /// `xmlrpc` or `json2`.
    pub transport: &'static str,
}

/// Which records to read, and what of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The model.
    pub model: String,
    /// Odoo's domain, a JSON list.
    pub domain: Value,
    /// Fields to read.
    pub fields: Vec<String>,
    /// In which order.
    pub order: String,
    /// Most records; all when absent.
    pub limit: Option<u32>,
}

impl Search {
    /// All records that fit the domain, by id.
    pub fn new(model: impl Into<String>, domain: Value) -> Self {
        Self { model: model.into(), domain, fields: Vec::new(), order: "id".to_owned(), limit: None }
    }

    /// Reads these fields.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }
}

/// Odoo's answer to `load`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Ids in the order of the rows (main records only); empty if anything was refused.
    pub ids: Vec<i64>,
    /// What Odoo said about rows.
    pub messages: Vec<LoadMessage>,
}

/// One message of `load`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadMessage {
    /// Whether the row is refused (else it is a warning).
    pub is_error: bool,
    /// First and last row it speaks of, if it says so.
    pub rows: Option<(usize, usize)>,
    /// Odoo's own words.
    pub message: String,
}

/// A logged-in connection. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Box<dyn Transport>,
    context: Map<String, Value>,
    info: ServerInfo,
    hosted_by_odoo: bool,
}

impl Client {
    /// Connects and logs in.
    pub async fn connect(config: &config::Odoo, secret: SecretString) -> Result<Self, OdooError> {
        let server = Server::new(&config.url, config.timeout)?;
        let hosted_by_odoo = server.is_hosted_by_odoo();
        let (series, server_version) = version(&server).await?;
        let login = Login { server, series, config, secret };
        let (transport, name, uid): (Box<dyn Transport>, _, _) = match login.json2().await? {
            Some(transport) => {
                let uid = transport.uid();
                (Box::new(transport), "json2", uid)
            }
            None => {
                let transport = login.xmlrpc().await?;
                let uid = transport.uid();
                (Box::new(transport), "xmlrpc", uid)
            }
        };
        let info = ServerInfo { series, server_version, uid, transport: name };
        Ok(Self { inner: Arc::new(Inner { transport, context: base_context(config.company), info, hosted_by_odoo }) })
    }

    /// What the server said about itself.
    pub fn info(&self) -> &ServerInfo {
        &self.inner.info
    }

    /// Whether this is Odoo Online or Odoo.sh, which ask for few calls and none in parallel.
    pub fn is_hosted_by_odoo(&self) -> bool {
        self.inner.hosted_by_odoo
    }

    /// The company that was configured.
    pub(super) fn company(&self) -> Option<i64> {
        self.inner.context.get("allowed_company_ids").and_then(|ids| ids[0].as_i64())
    }

    /// Sends one call, once.
    pub async fn call(&self, mut call: Call) -> Result<Value, OdooError> {
        for (name, value) in &self.inner.context {
            call.context.entry(name).or_insert_with(|| value.clone());
        }
        self.inner.transport.call(&call).await
    }

    /// `search_read`, archived records included.
    pub async fn search_read(&self, search: Search) -> Result<Vec<Map<String, Value>>, OdooError> {
        let mut call = Call::new(search.model, "search_read")
            .arg("domain", search.domain)
            .arg("fields", search.fields)
            .arg("order", search.order)
            .context("active_test", false);
        if let Some(limit) = search.limit {
            call = call.arg("limit", limit);
        }
        records(self.call(call).await?)
    }

    /// `read`. Odoo leaves out what was deleted.
    pub async fn read(
        &self,
        model: &str,
        ids: Vec<i64>,
        fields: &[String],
    ) -> Result<Vec<Map<String, Value>>, OdooError> {
        records(self.call(Call::new(model, "read").on(ids).arg("fields", fields)).await?)
    }

    /// `search_count`, archived records included.
    pub async fn search_count(&self, model: &str, domain: Value) -> Result<u64, OdooError> {
        let call = Call::new(model, "search_count").arg("domain", domain).context("active_test", false);
        self.call(call).await?.as_u64().ok_or_else(|| unexpected("search_count"))
    }

    /// `fields_get` with the attributes that [`FieldMap`](super::FieldMap) needs.
    pub async fn fields_get(&self, model: &str) -> Result<Map<String, Value>, OdooError> {
        let call = Call::new(model, "fields_get").arg("attributes", json!(["type", "relation", "readonly", "string"]));
        match self.call(call).await? {
            Value::Object(fields) => Ok(fields),
            _ => Err(unexpected("fields_get")),
        }
    }

    /// `load`: imports rows of text. All rows are kept or none.
    pub async fn load(
        &self,
        model: &str,
        fields: &[String],
        rows: &[Vec<String>],
        context: Map<String, Value>,
    ) -> Result<Loaded, OdooError> {
        let mut call = Call::new(model, "load").arg("fields", fields).arg("data", json!(rows));
        call.context = context;
        let answer = self.call(call).await?;
        let messages = answer["messages"].as_array().ok_or_else(|| unexpected("load"))?;
        Ok(Loaded {
            ids: answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect(),
            messages: messages.iter().map(LoadMessage::from_json).collect(),
        })
    }
}

/// Everything that a login needs.
struct Login<'a> {
    server: Server,
    series: Series,
    config: &'a config::Odoo,
    secret: SecretString,
}

impl Login<'_> {
    /// Logs in by `/json/2`. `None` if that is not wanted, or was only tried.
    async fn json2(&self) -> Result<Option<Json2>, OdooError> {
        let supported = self.series.major >= JSON2_SINCE;
        match self.config.transport {
            TransportChoice::Xmlrpc => return Ok(None),
            TransportChoice::Auto if !supported => return Ok(None),
            TransportChoice::Json2 if !supported => {
                let message = format!(
                    "odoo.transport = \"json2\" needs Odoo {JSON2_SINCE} or later, and this is {}; use \"auto\"",
                    self.series
                );
                return Err(OdooError::Refused { kind: "Transport".to_owned(), message });
            }
            TransportChoice::Auto | TransportChoice::Json2 => {}
        }
        let Self { server, config, secret, .. } = self;
        match Json2::login(server.clone(), &config.database, &config.login, secret).await {
            Ok(transport) => Ok(Some(transport)),
            // The secret is a password, or something hides `/json`: the other way may work.
            Err(OdooError::Denied { .. }) if config.transport == TransportChoice::Auto => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn xmlrpc(&self) -> Result<XmlRpc, OdooError> {
        let Self { server, config, secret, .. } = self;
        XmlRpc::login(server.clone(), &config.database, &config.login, secret.clone()).await
    }
}

/// What every call carries unless it says otherwise. English, so that what Odoo says about a call is the same for
/// everybody who looks for it; UTC, because `load` reads times in the user's zone.
fn base_context(company: Option<i64>) -> Map<String, Value> {
    let mut context = Map::from_iter([("lang".to_owned(), json!("en_US")), ("tz".to_owned(), json!("UTC"))]);
    if let Some(company) = company {
        context.insert("allowed_company_ids".to_owned(), json!([company]));
    }
    context
}

/// Asks by XML-RPC, which all series have so far, else at the address that came with 19.
async fn version(server: &Server) -> Result<(Series, String), OdooError> {
    let answer = match xmlrpc::version(server).await {
        Ok(answer) => answer,
        Err(error @ OdooError::Unreachable { .. }) => match server.get("web/version").await {
            Ok(Answer { status: StatusCode::OK, body }) => {
                serde_json::from_slice(&body).map_err(|_| unexpected("web/version"))?
            }
            _ => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let either = |names: [&str; 2]| names.into_iter().map(|name| &answer[name]).find(|value| !value.is_null());
    let series = either(["server_version_info", "version_info"]).and_then(Series::from_json);
    let text = either(["server_version", "version"]).and_then(Value::as_str);
    match (series, text) {
        (Some(series), Some(text)) => Ok((series, text.to_owned())),
        _ => Err(unexpected("version")),
    }
}

impl Series {
    /// From `[19, 0, "final", …]` or `["saas~18", 2, …]`.
    fn from_json(info: &Value) -> Option<Self> {
        let number = |value: &Value| match value {
            Value::String(text) => text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok(),
            _ => u32::try_from(value.as_u64()?).ok(),
        };
        Some(Self { major: number(info.get(0)?)?, minor: number(info.get(1)?)? })
    }
}

impl LoadMessage {
    fn from_json(message: &Value) -> Self {
        let row = |end| usize::try_from(message["rows"][end].as_u64()?).ok();
        Self {
            is_error: message["type"] != "warning",
            rows: row("from").zip(row("to")),
            message: message["message"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

fn records(answer: Value) -> Result<Vec<Map<String, Value>>, OdooError> {
    let Value::Array(records) = answer else { return Err(unexpected("records")) };
    records
        .into_iter()
        .map(|record| match record {
            Value::Object(record) => Ok(record),
            _ => Err(unexpected("records")),
        })
        .collect()
}

/// An answer of a type that the method does not have.
pub(super) fn unexpected(what: &str) -> OdooError {
    OdooError::Garbled { detail: format!("`{what}` has another form than expected") }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("info", &self.inner.info).finish_non_exhaustive()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_releases_and_online_versions() {
        for (info, expected) in [
            (json!([19, 0, 0, "final", 0, ""]), Some((19, 0))),
            (json!(["saas~18", 2, 0, "final", 0, ""]), Some((18, 2))),
            (json!(["saas-18", 2]), Some((18, 2))),
            (json!([14]), None),
            (json!({}), None),
        ] {
            assert_eq!(Series::from_json(&info), expected.map(|(major, minor)| Series { major, minor }), "{info}");
        }
    }
}
