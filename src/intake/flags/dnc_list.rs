//! `DNC_LIST`: people who asked not to be contacted.

use std::collections::HashSet;

use super::{Subject, domain, emails, phones};
use crate::intake::normalise;

/// Numbers, addresses and domains that must not be contacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DncList(HashSet<String>);

impl DncList {
    /// Reads a list: one phone number, e-mail address or `@domain` per line; `#` starts a comment. `country` completes
    /// numbers without a country code.
    pub fn new(text: &str, country: Option<&str>) -> Self {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        Self(lines.filter(|line| !line.is_empty()).map(|line| entry(line, country)).collect())
    }

    /// Both lists.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn has(&self, entry: &str) -> bool {
        self.0.contains(entry)
    }
}

/// Addresses without case, numbers as E.164.
fn entry(line: &str, country: Option<&str>) -> String {
    if line.contains('@') { normalise::email(line).to_lowercase() } else { normalise::phone(line, country) }
}

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    let Subject { lead, dnc, .. } = subject;
    if dnc.0.is_empty() {
        return None;
    }
    let listed_email = |email: &&str| {
        dnc.has(&email.to_lowercase()) || domain(email).is_some_and(|domain| dnc.has(&format!("@{domain}")))
    };
    let found = phones(lead).find(|phone| dnc.has(phone)).or_else(|| emails(lead).find(listed_email))?;
    Some(format!("`{found}` is on a list of those who must not be contacted"))
}
