//! Reads a reference to a secret: a table with exactly one of the four places.
//!
//! Names are checked here, so that a [`SecretRef`] can be turned into a path without a further look.

use toml::de::DeValue;

use super::{
    expect::{Expect, Fault, path, string, wrong_type},
    reader::Item,
};
use crate::secret::SecretRef;

/// The keys that say where a secret is kept.
pub(super) const PLACES: [&str; 4] = ["credential", "file", "env", "keyring"];

const FORMS: &str = "keep the secret elsewhere and write where: { credential = \"NAME\" } (systemd), \
                     { file = \"/etc/g-assistant/NAME\" }, { env = \"NAME\" } or { keyring = \"SERVICE/USER\" }";

/// Reads `{ credential | file | env | keyring = "…" }`.
pub(super) fn read(item: &Item<'_>) -> Result<SecretRef, Fault> {
    let Some(mut table) = item.table() else {
        let Fault::Unexpected { found, .. } = wrong_type(item) else { return Err(Fault::Reported) };
        let found = match item.value() {
            DeValue::String(_) => Some("plain text".to_owned()),
            _ => found,
        };
        return Err(Fault::Unexpected { found, hint: Some(FORMS.to_owned()) });
    };
    let places = [
        table.optional("credential", credential()).map(SecretRef::Credential),
        table.optional("file", path().example("\"/etc/g-assistant/odoo.secret\"")).map(SecretRef::File),
        table.optional("env", env()).map(SecretRef::Env),
        table.optional("keyring", keyring()).map(SecretRef::Keyring),
    ];
    let named = PLACES.iter().filter(|place| table.has(place)).count();
    let unknown = table.finish();
    let mut places = places.into_iter().flatten();
    match (named, places.next()) {
        (1, Some(place)) => Ok(place),
        // The one place, or a misspelt one, is already reported.
        (1, None) => Err(Fault::Reported),
        (0, _) if unknown > 0 => Err(Fault::Reported),
        (0, _) => Err(Fault::Unexpected { found: Some("an empty table".to_owned()), hint: Some(FORMS.to_owned()) }),
        _ => Err(Fault::Invalid("names more than one place for the secret".to_owned())),
    }
}

fn credential() -> Expect<String> {
    string().example("\"odoo\"").try_map(|name: String| {
        let plain = name.chars().all(|char| char.is_ascii_alphanumeric() || "._@-".contains(char));
        if plain && !name.contains("..") && name != "." {
            Ok(name)
        } else {
            Err("the name of a credential holds only letters, digits, `.`, `_`, `@` and `-`")
        }
    })
}

fn env() -> Expect<String> {
    string().example("\"ODOO_SECRET\"").try_map(|name: String| {
        let plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if plain && !name.starts_with(|char: char| char.is_ascii_digit()) {
            Ok(name)
        } else {
            Err("the name of an environment variable holds only letters, digits and `_`")
        }
    })
}

fn keyring() -> Expect<String> {
    string().example("\"g-assistant/odoo\"").try_map(|entry: String| match entry.split_once('/') {
        Some((service, user)) if !service.is_empty() && !user.is_empty() => Ok(entry),
        _ => Err("expected `service/user`"),
    })
}
