//! Finding customers that Odoo knows already.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{KEYS_PER_SEARCH, any_of, literal, text};
use crate::{
    domain::{Model, PartnerDraft},
    odoo::{Client, FieldMap, OdooError, Search},
};

/// Fewer digits are an extension, and not a number to know somebody by.
const MIN_DIGITS: usize = 7;

/// The fields of contacts that differ between series.
#[derive(Debug)]
pub(super) struct Fields {
    email: &'static str,
    phones: Vec<&'static str>,
}

/// One way of knowing somebody.
#[derive(Debug, Clone, Copy)]
enum By {
    Vat,
    Email,
    Phone,
}

impl Fields {
    pub(super) async fn load(client: &Client) -> Result<Self, OdooError> {
        let fields = FieldMap::load(client, Model::Partner).await?;
        let exists = |name: &&str| fields.types.contains_key(*name);
        Ok(Self {
            email: ["email_normalized"].into_iter().find(exists).unwrap_or("email"),
            phones: ["phone", "mobile"].into_iter().filter(exists).collect(),
        })
    }
}

/// One search per way and batch, each only for those that are not found yet.
pub(super) async fn find(
    client: &Client,
    fields: &Fields,
    drafts: &[PartnerDraft],
) -> Result<Vec<Option<i64>>, OdooError> {
    let mut found = vec![None; drafts.len()];
    for by in [By::Vat, By::Email, By::Phone] {
        let open: Vec<(usize, String)> = (0..drafts.len())
            .filter(|&position| found[position].is_none())
            .filter_map(|position| Some((position, by.key(&drafts[position])?)))
            .collect();
        let keys: Vec<&str> = open.iter().map(|(_, key)| key.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
        let mut known = Vec::new();
        for keys in keys.chunks(KEYS_PER_SEARCH) {
            known.extend(client.search_read(by.search(fields, keys)).await?);
        }
        for (position, key) in open {
            found[position] = best(&known, drafts[position].is_company, |record| by.matches(fields, record, &key));
        }
    }
    Ok(found)
}

impl By {
    /// What is compared, in a form that does not depend on spelling. `None` if the draft has nothing of it.
    fn key(self, draft: &PartnerDraft) -> Option<String> {
        match self {
            Self::Vat => draft.vat.as_deref().map(compact).filter(|key| !key.is_empty()),
            Self::Email => {
                draft.email.as_deref().map(|email| email.trim().to_lowercase()).filter(|key| !key.is_empty())
            }
            Self::Phone => draft.phone.as_deref().and_then(dialled),
        }
    }

    fn search(self, fields: &Fields, keys: &[&str]) -> Search {
        let conditions = keys
            .iter()
            .flat_map(|key| match self {
                // However the number is written: its characters in order, with anything between them.
                Self::Vat => vec![json!(["vat", "=ilike", spaced(key)])],
                Self::Email => vec![json!([fields.email, "=ilike", literal(key)])],
                Self::Phone => {
                    // The first digits may be a prefix that the other spelling does not have.
                    let last = &key[key.len() - MIN_DIGITS..];
                    fields.phones.iter().map(|field| json!([field, "=ilike", format!("%{}", spaced(last))])).collect()
                }
            })
            .collect();
        let domain = [vec![json!(["active", "=", true])], any_of(conditions)].concat();
        let names = ["vat", fields.email, "is_company"].into_iter().chain(fields.phones.iter().copied());
        Search::new(Model::Partner.as_str(), Value::Array(domain)).fields(names)
    }

    fn matches(self, fields: &Fields, record: &Map<String, Value>, key: &str) -> bool {
        match self {
            Self::Vat => compact(text(record, "vat")) == key,
            Self::Email => text(record, fields.email).trim().to_lowercase() == key,
            Self::Phone => fields
                .phones
                .iter()
                .filter_map(|field| dialled(text(record, field)))
                .any(|phone| same_phone(&phone, key)),
        }
    }
}

/// The best match: of the kind that the draft says it is, else a company, else the oldest.
fn best(
    known: &[Map<String, Value>],
    is_company: Option<bool>,
    matches: impl Fn(&Map<String, Value>) -> bool,
) -> Option<i64> {
    let rank = |record: &Map<String, Value>| {
        let company = record["is_company"] == true;
        (is_company.is_some_and(|wanted| wanted != company), !company, record["id"].as_i64())
    };
    known
        .iter()
        .filter(|record| matches(record))
        .min_by_key(|record| rank(record))
        .and_then(|record| record["id"].as_i64())
}

/// Letters and digits only, in capitals.
fn compact(vat: &str) -> String {
    vat.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_uppercase()).collect()
}

/// A phone number as `+` and digits where it has a country prefix, else its digits without the leading zeros. `None` if
/// there are too few to know somebody by.
fn dialled(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let national = digits.trim_start_matches('0');
    let international = phone.trim_start().starts_with('+') || digits.starts_with("00");
    (national.len() >= MIN_DIGITS).then(|| format!("{}{national}", if international { "+" } else { "" }))
}

/// Numbers of two countries may end alike, so with both prefixes known all digits count.
fn same_phone(left: &str, right: &str) -> bool {
    match (left.starts_with('+'), right.starts_with('+')) {
        (true, false) => left.ends_with(right),
        (false, true) => right.ends_with(left),
        _ => left == right,
    }
}

/// A pattern for the characters in order, with anything between them.
fn spaced(characters: &str) -> String {
    characters.chars().flat_map(|character| [character, '%']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_equal_in_every_spelling() {
        for (left, right, expected) in [
            ("+966 50 123 4567", "00966501234567", true),
            ("+966 50 123 4567", "050-123-4567", true),
            ("050 1234567", "501234567", true),
            ("+966 50 123 4567", "+971 50 123 4567", false),
            ("+966 50 123 4567", "0501234568", false),
        ] {
            let (left, right) = (dialled(left).expect("a number"), dialled(right).expect("a number"));
            assert_eq!(same_phone(&left, &right), expected, "{left} {right}");
            assert_eq!(same_phone(&right, &left), expected, "{right} {left}");
        }
        for phone in ["", "112", "0 0 0 123456"] {
            assert_eq!(dialled(phone), None, "{phone}");
        }
    }

    #[test]
    fn of_several_the_fitting_kind_then_company_then_age() {
        let known: Vec<Map<String, Value>> = serde_json::from_value(json!([
            {"id": 1, "is_company": false}, {"id": 2, "is_company": true}, {"id": 3, "is_company": true},
        ]))
        .expect("records");
        for (is_company, expected) in [(None, 2), (Some(true), 2), (Some(false), 1)] {
            assert_eq!(best(&known, is_company, |_| true), Some(expected), "{is_company:?}");
        }
        assert_eq!(best(&known, None, |_| false), None);
    }
}
