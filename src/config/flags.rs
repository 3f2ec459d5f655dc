//! `[flags]`: what follows from what is odd about a lead.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{
    Reader, SECOND,
    expect::{boolean, duration, integer, list, one_of, path},
};
use crate::domain::Flag;

/// What follows from a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagAction {
    /// It is told on the lead, and nothing else.
    Keep,
    /// The lead gets a tag of the flag's name.
    Tag,
    /// A new lead is archived.
    Archive,
    /// The operation waits, parked, until a person lets it go on.
    Hold,
}

/// `[flags]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flags {
    actions: BTreeMap<Flag, FlagAction>,
    /// Files of numbers and addresses that must not be contacted.
    pub dnc_files: Vec<PathBuf>,
    /// More links than this are spam.
    pub most_links: usize,
    /// Whether DNS is asked if the domains of addresses take mail.
    pub mx_lookup: bool,
    /// How long to wait for that.
    pub mx_timeout: Duration,
}

impl Default for Flags {
    fn default() -> Self {
        let default = |flag| match flag {
            Flag::DncList | Flag::TestLead | Flag::Spam | Flag::NoConsent => FlagAction::Tag,
            _ => FlagAction::Keep,
        };
        Self {
            actions: Flag::ALL.into_iter().map(|flag| (flag, default(flag))).collect(),
            dnc_files: Vec::new(),
            most_links: 3,
            mx_lookup: false,
            mx_timeout: 3 * SECOND,
        }
    }
}

impl Flags {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let words = [
            ("keep", FlagAction::Keep),
            ("tag", FlagAction::Tag),
            ("archive", FlagAction::Archive),
            ("hold", FlagAction::Hold),
        ];
        let actions =
            default.actions.iter().map(|(flag, action)| (*flag, section.or(flag.code(), one_of(words), *action)));
        let flags = Self {
            actions: actions.collect(),
            dnc_files: section.or("dnc_files", list(path()), default.dnc_files),
            most_links: section.or("most_links", integer(0..=i64::from(u16::MAX)), default.most_links as i64) as usize,
            mx_lookup: section.or("mx_lookup", boolean(), default.mx_lookup),
            mx_timeout: section.or("mx_timeout", duration(SECOND..=10 * SECOND), default.mx_timeout),
        };
        section.finish();
        flags
    }

    /// What follows from a flag.
    pub fn action(&self, flag: Flag) -> FlagAction {
        self.actions.get(&flag).copied().unwrap_or(FlagAction::Keep)
    }
}
