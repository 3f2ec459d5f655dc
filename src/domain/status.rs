//! What the daemon knows about Odoo's side right now.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The connection to Odoo, as health answers and `status` show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OdooStatus {
    /// Whether the last call was answered. `None` before the first.
    pub reachable: Option<bool>,
    /// Why not, in words.
    pub detail: Option<String>,
    /// Since when `reachable` is as it is.
    pub since: Option<DateTime<Utc>>,
    /// The transport in use, such as `json2`.
    pub transport: Option<String>,
    /// Odoo's series, such as `19.0`.
    pub series: Option<String>,
    /// Version of the addon; `None` if it is not there or not used.
    pub addon: Option<String>,
    /// Why the daemon does not call Odoo although it could: the login was denied, or the database is a copy.
    pub blocked: Option<String>,
}
