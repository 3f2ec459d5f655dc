//! `[intake.duplicates]`: what is done for a person who has a lead in Odoo already.

use serde::Serialize;

use super::{
    Reader,
    expect::{boolean, one_of},
};

/// `[intake.duplicates]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Whether anybody is looked for.
    pub enabled: bool,
    /// Their lead is open.
    pub open: Verb,
    /// It is lost or archived.
    pub lost: Verb,
    /// It is won.
    pub won: Verb,
    /// It is perhaps theirs.
    pub perhaps: Verb,
}

/// What is done with a new lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// It is a lead of its own.
    Create,
    /// What came is added to the lead that is there.
    Attach,
    /// The same, and that lead is open again.
    Reopen,
    /// It is a lead of its own, and a salesperson is asked.
    Ask,
}

const CREATE: (&str, Verb) = ("create", Verb::Create);
const ATTACH: (&str, Verb) = ("attach", Verb::Attach);
const REOPEN: (&str, Verb) = ("reopen", Verb::Reopen);
const ASK: (&str, Verb) = ("ask", Verb::Ask);

impl Default for Duplicates {
    fn default() -> Self {
        Self { enabled: true, open: Verb::Attach, lost: Verb::Reopen, won: Verb::Create, perhaps: Verb::Ask }
    }
}

impl Duplicates {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let duplicates = Self {
            enabled: section.or("enabled", boolean(), default.enabled),
            open: section.or("open", one_of([CREATE, ATTACH, ASK]), default.open),
            lost: section.or("lost", one_of([CREATE, ATTACH, REOPEN, ASK]), default.lost),
            won: section.or("won", one_of([CREATE, ATTACH, ASK]), default.won),
            perhaps: section.or("perhaps", one_of([CREATE, ASK]), default.perhaps),
        };
        section.finish();
        duplicates
    }
}
