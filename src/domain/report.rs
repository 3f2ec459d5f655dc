//! What the daemon tells Odoo of itself, and what people there ask of it. `docs/BRIDGE.md` describes the wire form.
//! Times are texts in Odoo's form.

use serde::{Deserialize, Serialize};

/// How the daemon is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Tells this daemon from others: an id of its store.
    pub daemon: String,
    /// The machine's name.
    pub name: String,
    /// The daemon's version.
    pub version: String,
    /// Since when it runs.
    pub started_at: String,
    /// Jobs that are ready or under way.
    pub waiting: u64,
    /// Jobs that wait for a person.
    pub parked: u64,
    /// How long the oldest ready one has waited.
    pub oldest_seconds: i64,
    /// When Odoo was last asked what changed.
    pub polled_at: Option<String>,
    /// When the mirror's leads were last compared with Odoo.
    pub leads_compared_at: Option<String>,
    /// Leads in the mirror.
    pub leads_count: u64,
    /// The same of orders.
    pub orders_compared_at: Option<String>,
    /// Orders in the mirror.
    pub orders_count: u64,
    /// Each account of each source.
    pub sources: Vec<SourceReport>,
    /// Platform and Odoo, per form and day.
    pub forms: Vec<FormReport>,
    /// Kind, key and number of attempts of what is parked; not more than fit.
    pub parked_jobs: Vec<(String, String, u32)>,
}

/// One account of a source, or a source that has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SourceReport {
    /// The source's id.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// The account on the platform.
    pub account: Option<String>,
    /// How asking the platform goes; `ok` where none is asked.
    pub state: &'static str,
    /// Since when.
    pub since: Option<String>,
    /// The platform's own words.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What is not right although it works.
    pub warnings: Option<String>,
    /// When the token ends.
    pub token_expires_at: Option<String>,
    /// When all was last compared with the platform.
    pub reconciled_at: Option<String>,
    /// When something last came from it.
    pub received_at: Option<String>,
}

/// One form on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormReport {
    /// The source's id.
    pub source: String,
    /// The form's id.
    pub form_key: String,
    /// Its name.
    pub form: Option<String>,
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    /// Leads that the platform lists.
    pub platform: u64,
    /// Those of them that Odoo has.
    pub odoo: u64,
}

/// What Odoo answers to a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ReportAnswer {
    /// What people decided.
    pub wishes: Vec<Wish>,
    /// Which jobs Odoo wants to know more of.
    pub asked: Vec<JobName>,
}

/// A job as Odoo names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobName {
    /// What it does.
    pub kind: String,
    /// Its key.
    pub key: String,
}

/// What a person decided about a parked job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Wish {
    /// The job.
    #[serde(flatten)]
    pub job: JobName,
    /// The attempt that the decision is about.
    pub tries: u32,
    /// What.
    #[serde(rename = "do")]
    pub what: WishKind,
    /// The new values, as JSON text, with `edit`.
    pub payload: Option<String>,
}

/// The kinds of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishKind {
    /// Try it again.
    Retry,
    /// Try it again with other values.
    Edit,
    /// Give it up.
    Discard,
}

/// How one job stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobReport {
    /// What it does.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// `ready`, `leased`, `parked`, `done`, `discarded`; `gone` if it is not known.
    pub state: &'static str,
    /// Its number on the command line.
    pub job: i64,
    /// How often it was tried in all.
    pub tries: u32,
    /// The source's id.
    pub source: Option<String>,
    /// A few words.
    pub summary: String,
    /// Why it is parked: Odoo's or the platform's own words, or ours.
    pub error: Option<String>,
    /// When it was added.
    pub created_at: Option<String>,
    /// When its last attempt ended.
    pub parked_at: Option<String>,
    /// Its values, as JSON text.
    pub payload: Option<String>,
    /// Whether the values may be changed.
    pub editable: bool,
    /// What the source sent, without secrets.
    pub delivery: Option<String>,
    /// The model of the record that came of it.
    pub model: Option<&'static str>,
    /// The record that came of it.
    pub id: Option<i64>,
    /// Why a wish could not be carried out.
    pub refused: Option<String>,
}
