//! `[sources.<id>]`: hands each section to the reader of its kind.

use std::collections::BTreeMap;

use super::{Reader, expect::one_of, intake::country};
use crate::sources::{SourceKind, SourceSpec};

/// Reads every source, and where each is at home. `None` if one of them cannot be used; why is reported.
pub(super) fn read(
    mut section: Reader<'_>,
    kinds: &[&'static dyn SourceKind],
    countries: &mut BTreeMap<String, String>,
) -> Option<Vec<Box<dyn SourceSpec>>> {
    let sources = section.rest_of_tables();
    if sources.is_empty() {
        let hint = "add a section such as `[sources.website]`: see config.example.toml";
        section.warning("", "no source is configured: no webhook is accepted", Some(hint.to_owned()));
    }
    section.finish();
    // Every source is read before a bad one fails the rest, so that all problems are reported.
    let specs: Vec<_> = sources.into_iter().map(|(id, source)| read_one(&id, source, kinds, countries)).collect();
    specs.into_iter().collect()
}

fn read_one(
    id: &str,
    mut source: Reader<'_>,
    kinds: &[&'static dyn SourceKind],
    countries: &mut BTreeMap<String, String>,
) -> Option<Box<dyn SourceSpec>> {
    let valid =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !valid {
        let hint = "use 1 to 64 of a-z, 0-9, `_` and `-`: the id is part of the webhook's address";
        source.problem("", "is not a valid id of a source", Some(hint.to_owned()));
    }
    let kind = source.required("kind", one_of(kinds.iter().map(|kind| (kind.name(), *kind))))?;
    if kind.takes_leads()
        && let Some(country) = source.optional("country", country())
    {
        countries.insert(id.to_owned(), country);
    }
    kind.read(id, source)
}
