//! Reads a reference to a secret: a table with exactly one of the four places.
//!
//! Names are checked here, so that a [`SecretRef`] can be turned into a path without a further look.

use std::fmt::Display;

use toml::de::DeValue;

use super::{
    expect::{Expect, Fault, path, string, type_of},
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
        return Err(not_a_reference(match item.value() {
            DeValue::String(_) => "plain text",
            _ => type_of(item),
        }));
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
        (0, _) => Err(not_a_reference("an empty table")),
        _ => Err(Fault::Invalid("names more than one place for the secret".to_owned())),
    }
}

fn not_a_reference(found: &str) -> Fault {
    Fault::Unexpected { found: Some(found.to_owned()), hint: Some(FORMS.to_owned()) }
}

/// A name of a place. What cannot be one may be the secret itself.
fn name<E: Display + 'static>(example: &str, check: impl Fn(&str) -> Result<(), E> + 'static) -> Expect<String> {
    string().example(example).try_map(move |name: String| check(&name).map(|()| name)).sensitive(true)
}

fn credential() -> Expect<String> {
    name("\"odoo\"", |name| {
        let plain = name.chars().all(|char| char.is_ascii_alphanumeric() || "._@-".contains(char));
        let stays = name != "." && !name.contains("..");
        let rule = "the name of a credential holds only letters, digits, `.`, `_`, `@` and `-`, and not `..`";
        (plain && stays).then_some(()).ok_or(rule)
    })
}

fn env() -> Expect<String> {
    name("\"ODOO_SECRET\"", |name| {
        let plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        let rule = "the name of an environment variable holds only letters, digits and `_`";
        (plain && !name.starts_with(|char: char| char.is_ascii_digit())).then_some(()).ok_or(rule)
    })
}

fn keyring() -> Expect<String> {
    name("\"g-assistant/odoo\"", |entry| {
        let named = entry.split_once('/').is_some_and(|(service, user)| !service.is_empty() && !user.is_empty());
        named.then_some(()).ok_or("expected `service/user`")
    })
}
