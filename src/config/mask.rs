//! Which parts of the file may be secrets and are never shown.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::secret_ref::PLACES;

/// Parts of names that suggest a secret.
const SUSPECT: [&str; 8] = ["secret", "token", "passw", "pwd", "apikey", "api_key", "private", "signing"];

/// The values under keys whose names suggest a secret. A reference to a secret is none.
pub(super) fn suspects(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (key, value) in table {
        if sounds_secret(key.get_ref()) {
            found.extend(scalars(value));
        } else {
            inside(value.get_ref(), &mut found);
        }
    }
    found
}

/// What is a signing secret by its looks, wherever it stands.
pub(super) fn signing_secrets(text: &str) -> Vec<Range<usize>> {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let found = text.match_indices("whsec_");
    found.map(|(at, _)| at..at + text.as_bytes()[at..].iter().take_while(|byte| base64(byte)).count()).collect()
}

/// All single values in `value`, except the places in references to secrets.
pub(super) fn scalars(value: &Spanned<DeValue<'_>>) -> Vec<Range<usize>> {
    match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .filter(|(key, _)| !PLACES.contains(&key.get_ref().as_ref()))
            .flat_map(|(_, value)| scalars(value))
            .collect(),
        DeValue::Array(items) => items.iter().flat_map(scalars).collect(),
        _ => vec![value.span()],
    }
}

/// Whether a name, or a line of text, suggests a secret.
pub(super) fn sounds_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SUSPECT.iter().any(|part| text.contains(part))
}

fn inside(value: &DeValue<'_>, found: &mut Vec<Range<usize>>) {
    match value {
        DeValue::Table(table) => found.extend(suspects(table)),
        DeValue::Array(items) => items.iter().for_each(|item| inside(item.get_ref(), found)),
        _ => {}
    }
}
