//! A logged-in connection to one Odoo database, over whichever transport fits.
//!
//! 1. [`Client::connect`] asks the server for its version, logs in once, and picks the transport.
//! 2. [`Client::call`] sends one [`Call`] with the base context. Nothing is repeated here: whether a call may be sent
//!    again is the caller's decision, by [`OdooError::class`]. After [`OdooError::Denied`] the caller must stop
//!    calling: every further attempt counts against Odoo's login cooldown.

use std::{fmt, sync::Arc};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Call, OdooError};
use crate::config;

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
    /// `order`, such as `id`.
    pub order: String,
    /// Most records; all when absent.
    pub limit: Option<u32>,
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
    info: ServerInfo,
}

impl Client {
    /// Connects and logs in.
    pub async fn connect(config: &config::Odoo, secret: SecretString) -> Result<Self, OdooError> {
        let _ = (config, secret);
        todo!()
    }

    /// What the server said about itself.
    pub fn info(&self) -> &ServerInfo {
        &self.inner.info
    }

    /// Sends one call.
    pub async fn call(&self, call: Call) -> Result<Value, OdooError> {
        let _ = call;
        todo!()
    }

    /// `search_read`, archived records included.
    pub async fn search_read(&self, search: Search) -> Result<Vec<Map<String, Value>>, OdooError> {
        let _ = search;
        todo!()
    }

    /// `read`. Deleted records are left out by Odoo.
    pub async fn read(
        &self,
        model: &str,
        ids: Vec<i64>,
        fields: &[String],
    ) -> Result<Vec<Map<String, Value>>, OdooError> {
        let _ = (model, ids, fields);
        todo!()
    }

    /// `search_count`, archived records included.
    pub async fn search_count(&self, model: &str, domain: Value) -> Result<u64, OdooError> {
        let _ = (model, domain);
        todo!()
    }

    /// `fields_get` with the attributes that [`FieldMap`](super::FieldMap) needs.
    pub async fn fields_get(&self, model: &str) -> Result<Map<String, Value>, OdooError> {
        let _ = model;
        todo!()
    }

    /// `load`: imports rows of text. All rows are kept or none.
    pub async fn load(
        &self,
        model: &str,
        fields: &[String],
        rows: Vec<Vec<String>>,
        context: Map<String, Value>,
    ) -> Result<Loaded, OdooError> {
        let _ = (model, fields, rows, context);
        todo!()
    }
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
