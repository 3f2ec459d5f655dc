//! `DISPOSABLE_EMAIL`: the list of the crate `mailchecker` (MIT), which is published anew as domains come up.

use std::{iter, sync::LazyLock};

use super::{Subject, domain, emails, suspicious_domain::meant};

static DOMAINS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut domains = mailchecker::blacklist();
    domains.sort_unstable();
    domains
});

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    // Mistyped domains are on such lists too, because somebody caught them; who mistyped threw nothing away.
    let disposable = |domain: &&str| meant(domain).is_none() && is_disposable(domain);
    let found = emails(subject.lead).filter_map(domain).find(disposable)?;
    Some(format!("{found} gives addresses to throw away"))
}

/// Whether the domain, or one that it belongs to, is on the list.
fn is_disposable(domain: &str) -> bool {
    let parents = iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, parent)| parent));
    parents.filter(|domain| domain.contains('.')).any(|domain| DOMAINS.binary_search(&domain).is_ok())
}
