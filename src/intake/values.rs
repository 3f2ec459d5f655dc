//! Odoo's values from optional ones. What a draft does not say is not among the values of its operation: Odoo's own
//! default, or what is there already, stays.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::{FieldValue, Lookup};

/// The fields that have a value.
pub(super) fn present<const N: usize>(fields: [(&str, Option<FieldValue>); N]) -> BTreeMap<String, FieldValue> {
    fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect()
}

pub(super) fn plain(value: Option<impl Into<Value>>) -> Option<FieldValue> {
    value.map(|value| FieldValue::Plain(value.into()))
}

pub(super) fn lookup(name: Option<&String>, lookup: fn(String) -> Lookup) -> Option<FieldValue> {
    name.cloned().map(lookup).map(FieldValue::Lookup)
}

pub(super) fn tags(names: &[String]) -> Option<FieldValue> {
    let tags = names.iter().cloned().map(Lookup::Tag).collect();
    (!names.is_empty()).then_some(FieldValue::Lookups(tags))
}
