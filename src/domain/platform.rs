//! What the daemon knows right now about a platform that is asked for leads.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// How asking a platform goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformState {
    /// It answers, or has not been asked yet.
    #[default]
    Ok,
    /// It cannot be reached, or is down.
    Unreachable,
    /// It wants fewer requests.
    Limited,
    /// It refuses: the token, or a permission.
    Denied,
}

impl PlatformState {
    /// As `status` and the metrics show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Limited => "limited",
            Self::Denied => "denied",
        }
    }
}

/// One account of one source, as health answers and `status` show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlatformStatus {
    /// The source's id.
    pub source: String,
    /// The account there, such as a page.
    pub account: String,
    /// How it goes.
    pub state: PlatformState,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// What the platform said.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// When the token ends; `None` if it does not, or nobody knows.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// What is not right, although leads can be fetched.
    pub warnings: Vec<String>,
    /// When everything was last compared with what the platform lists.
    pub reconciled_at: Option<DateTime<Utc>>,
}
