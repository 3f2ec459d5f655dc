//! Platforms that send only ids: what they are asked for, and how that can fail.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{config::DAY, domain::Spend};

/// A lead that a platform has for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its id there.
    pub lead_id: String,
    /// The account that it belongs to, such as a page.
    pub account: Option<String>,
    /// Its form.
    pub form_id: Option<String>,
}

/// A lead as the platform answered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its id there.
    pub lead_id: String,
    /// Its form.
    pub form_id: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// The answer.
    pub body: Value,
    /// Its form, if it came with it.
    pub form: Option<Value>,
}

impl Found {
    /// The body under which it is kept, which its source can parse.
    pub fn delivery(&self, account: Option<&Account>, form: Option<&Value>) -> Vec<u8> {
        json!({"lead": self.body, "form": form, "account": account}).to_string().into_bytes()
    }

    /// The key under which it is kept, however it was found.
    pub fn key(lead_id: &str) -> String {
        format!("lead:{lead_id}")
    }
}

/// An account, such as a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// A part of a list of leads.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPage {
    /// The leads.
    pub leads: Vec<Found>,
    /// Where the next part starts; `None` after the last.
    pub next: Option<String>,
}

/// Leads that a platform lists together, such as those of one form.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Its id, unique within the source.
    pub id: String,
    /// The form, if all are of one.
    pub form: Option<Value>,
    /// The platform says that there are none.
    pub is_empty: bool,
}

/// The time in which leads were made that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Not older.
    pub since: DateTime<Utc>,
    /// What is newer may be left out: it comes with the next pass.
    pub until: DateTime<Utc>,
}

/// Days, the last one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: NaiveDate,
    /// The last.
    pub last: NaiveDate,
}

/// How the way to a platform is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// When the token ends; `None` if it does not, or the platform does not say.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// It is one by which others are made.
    pub is_refresh_token: bool,
    /// What is not right, with what to do.
    pub warnings: Vec<String>,
}

/// Asks a platform.
#[async_trait]
pub trait Platform: Send + Sync {
    /// One lead.
    async fn lead(&self, reference: &Reference) -> Result<Found, FetchError>;
    /// The account by its id.
    async fn account(&self, id: &str) -> Result<Account, FetchError> {
        Ok(Account { id: id.to_owned(), name: None })
    }
    /// One form.
    async fn form(&self, _account: Option<&str>, _id: &str) -> Result<Value, FetchError> {
        Err(FetchError::Refused("there are no forms to read".to_owned()))
    }
    /// The accounts whose leads are looked through: none where they are not listed.
    fn accounts(&self) -> &[String] {
        &[]
    }
    /// How often that is done.
    fn poll_interval(&self) -> Duration {
        DAY
    }
    /// How far back.
    fn backfill(&self) -> Duration {
        DAY
    }
    /// All lists of an account.
    async fn lists(&self, _account: &str) -> Result<Vec<List>, FetchError> {
        Ok(Vec::new())
    }
    /// Leads of a list, from `after` on.
    async fn leads(
        &self,
        _account: &str,
        _list: &str,
        _window: Window,
        _after: Option<&str>,
    ) -> Result<FoundPage, FetchError> {
        Ok(FoundPage { leads: Vec::new(), next: None })
    }
    /// The ad accounts whose costs are read.
    fn ad_accounts(&self) -> &[String] {
        &[]
    }
    /// How often.
    fn spend_interval(&self) -> Duration {
        DAY
    }
    /// What the campaigns of an ad account cost, a row for each and day.
    async fn spend(&self, _account: &str, _days: Days) -> Result<Vec<Spend>, FetchError> {
        Ok(Vec::new())
    }
    /// What a person may do if what was announced is not there. `None` if that is in order: then nobody has to.
    fn if_missing(&self) -> Option<&'static str>;
    /// How the way to this account is set up.
    async fn setting(&self, _account: &str) -> Result<Setting, FetchError> {
        Ok(Setting::default())
    }
}

/// Why a platform gave no answer that is of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It cannot be reached, or is down as a whole.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It wants fewer requests.
    #[error("wants fewer requests: {detail}")]
    Limited {
        /// Its words.
        detail: String,
        /// How long to wait.
        wait: Duration,
    },
    /// The token or a permission: nothing can be fetched until a person has done something.
    #[error("refuses: {detail}")]
    Denied {
        /// Its words.
        detail: String,
        /// What to do.
        hint: String,
    },
    /// What was asked for is not there, or not yet, or may not be seen.
    #[error("does not have it: {0}")]
    Missing(String),
    /// Only this request failed; again later.
    #[error("failed: {0}")]
    Failed(String),
    /// This request will never do.
    #[error("refuses this request: {0}")]
    Refused(String),
}
