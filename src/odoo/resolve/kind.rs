//! The kinds of lookup: where Odoo keeps each, how to search many at once, and which of the found is meant.

use serde_json::{Map, Value, json};

use super::{any_of, literal, text};
use crate::{domain::Lookup, odoo::Search};

/// A kind of [`Lookup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Source,
    Medium,
    Campaign,
    Tag,
    Country,
    Language,
    Team,
    Salesperson,
    Product,
    Pricelist,
    Currency,
    Flag,
}

/// What a search says about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pick {
    One(i64),
    /// Several, described for people.
    Many(String),
    None,
}

impl Kind {
    /// A lookup's kind and key.
    pub(super) fn of(lookup: &Lookup) -> (Self, &str) {
        match lookup {
            Lookup::Source(name) => (Self::Source, name),
            Lookup::Medium(name) => (Self::Medium, name),
            Lookup::Campaign(name) => (Self::Campaign, name),
            Lookup::Tag(name) => (Self::Tag, name),
            Lookup::Country(code) => (Self::Country, code),
            Lookup::Language(code) => (Self::Language, code),
            Lookup::Team(name) => (Self::Team, name),
            Lookup::Salesperson(login) => (Self::Salesperson, login),
            Lookup::Product(code) => (Self::Product, code),
            Lookup::Pricelist(name) => (Self::Pricelist, name),
            Lookup::Currency(code) => (Self::Currency, code),
            Lookup::Flag(code) => (Self::Flag, code),
        }
    }

    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Source => "utm.source",
            Self::Medium => "utm.medium",
            Self::Campaign => "utm.campaign",
            Self::Tag => "crm.tag",
            Self::Country => "res.country",
            Self::Language => "res.lang",
            Self::Team => "crm.team",
            Self::Salesperson => "res.users",
            Self::Product => "product.product",
            Self::Pricelist | Self::Currency => "product.pricelist",
            Self::Flag => "g_assistant.flag",
        }
    }

    /// What people call it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Medium => "medium",
            Self::Campaign => "campaign",
            Self::Tag => "tag",
            Self::Country => "country",
            Self::Language => "installed language",
            Self::Team => "sales team",
            Self::Salesperson => "active user with the login",
            Self::Product => "product with the reference or barcode",
            Self::Pricelist => "price list",
            Self::Currency => "price list in the currency",
            Self::Flag => "flag",
        }
    }

    /// Whether a missing one can be created. The others mean something to the company.
    pub(super) fn is_label(self) -> bool {
        matches!(self, Self::Source | Self::Medium | Self::Campaign | Self::Tag)
    }

    /// A search that finds whatever the keys may mean.
    pub(super) fn search(self, keys: &[&str]) -> Search {
        let like = |field: &str| any_of(keys.iter().map(|key| json!([field, "=ilike", literal(key.trim())])).collect());
        let upper = || keys.iter().map(|key| key.trim().to_uppercase()).collect::<Vec<_>>();
        let exact = || keys.iter().map(|key| key.trim()).collect::<Vec<_>>();
        let active = json!(["active", "=", true]);
        let (domain, fields): (Vec<Value>, &[&str]) = match self {
            // Archived ones too: their names are taken.
            Self::Source | Self::Medium | Self::Campaign | Self::Tag => (like("name"), &["name"]),
            Self::Country | Self::Flag => (vec![json!(["code", "in", upper()])], &["code"]),
            // There are few, and what fits a code is not a matter of equality.
            Self::Language => (vec![active], &["code", "iso_code"]),
            Self::Team | Self::Pricelist => ([vec![active], like("name")].concat(), &["name"]),
            Self::Salesperson => ([vec![active], like("login")].concat(), &["login"]),
            Self::Product => {
                let codes = any_of(vec![json!(["default_code", "in", exact()]), json!(["barcode", "in", exact()])]);
                ([vec![active], codes].concat(), &["default_code", "barcode", "display_name"])
            }
            Self::Currency => (vec![active, json!(["currency_id.name", "in", upper()])], &["currency_id"]),
        };
        let mut search = Search::new(self.model(), Value::Array(domain)).fields(fields.iter().copied());
        if self == Self::Currency {
            search.order = "sequence, id".to_owned();
        }
        search
    }

    /// Which of the found records the key means.
    pub(super) fn pick(self, key: &str, found: &[Map<String, Value>]) -> Pick {
        let ranked: Vec<(u8, &Map<String, Value>)> =
            found.iter().filter_map(|record| Some((self.rank(key.trim(), record)?, record))).collect();
        let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() else { return Pick::None };
        let best: Vec<_> = ranked.into_iter().filter(|(rank, _)| *rank == best).map(|(_, record)| record).collect();
        let first = best[0].get("id").and_then(Value::as_i64);
        // Of labels that are the same the oldest does; of price lists in a currency, the one that Odoo has first.
        let any_does = self.is_label() || matches!(self, Self::Currency | Self::Language);
        match first {
            Some(id) if best.len() == 1 || any_does => Pick::One(id),
            Some(_) => Pick::Many(best.iter().map(|record| describe(record)).collect::<Vec<_>>().join(", ")),
            None => Pick::None,
        }
    }

    /// How well a record fits, 0 best; `None` if it does not.
    fn rank(self, key: &str, record: &Map<String, Value>) -> Option<u8> {
        let by_name = |field: &str| {
            let value = text(record, field).trim();
            if value == key { Some(0) } else { (fold(value) == fold(key)).then_some(1) }
        };
        match self {
            Self::Source | Self::Medium | Self::Campaign | Self::Tag | Self::Team | Self::Pricelist => by_name("name"),
            Self::Salesperson => by_name("login"),
            Self::Country | Self::Flag => text(record, "code").eq_ignore_ascii_case(key).then_some(0),
            Self::Currency => text_of_pair(record, "currency_id").eq_ignore_ascii_case(key).then_some(0),
            Self::Product => [text(record, "default_code"), text(record, "barcode")].contains(&key).then_some(0),
            Self::Language => language_rank(key, text(record, "code"), text(record, "iso_code")),
        }
    }
}

/// `ar` fits `ar_001`, whose ISO code it is, better than `ar_SY`; `pt-BR` fits `pt_BR`.
fn language_rank(key: &str, code: &str, iso_code: &str) -> Option<u8> {
    let key = key.replace('-', "_");
    let language = |code: &str| code.split(['_', '@']).next().unwrap_or_default().to_lowercase();
    if code.eq_ignore_ascii_case(&key) {
        Some(0)
    } else if iso_code.eq_ignore_ascii_case(&key) {
        Some(1)
    } else {
        (!key.is_empty() && language(code) == language(&key)).then_some(2)
    }
}

fn text_of_pair<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record.get(field).and_then(|pair| pair.get(1)).and_then(Value::as_str).unwrap_or_default()
}

/// Names that differ only in case and outer blanks are the same name.
pub(super) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

fn describe(record: &Map<String, Value>) -> String {
    let name = ["display_name", "name", "login", "code"].into_iter().map(|field| text(record, field));
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    format!("{name} (id {})", record.get("id").and_then(Value::as_i64).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(value: Value) -> Vec<Map<String, Value>> {
        serde_json::from_value(value).expect("records")
    }

    #[test]
    fn picks_labels_by_spelling_then_age() {
        let found =
            records(json!([{"id": 1, "name": "FACEBOOK"}, {"id": 2, "name": "Facebook "}, {"id": 3, "name": "x"}]));
        assert_eq!(Kind::Source.pick("Facebook", &found), Pick::One(2));
        assert_eq!(Kind::Source.pick("facebook", &found), Pick::One(1));
        assert_eq!(Kind::Source.pick("Google", &found), Pick::None);
    }

    #[test]
    fn refuses_to_guess_teams_and_products() {
        let found = records(json!([{"id": 1, "name": "Riyadh"}, {"id": 2, "name": "Riyadh"}]));
        assert_eq!(Kind::Team.pick("Riyadh", &found), Pick::Many("Riyadh (id 1), Riyadh (id 2)".to_owned()));
        let found = records(json!([
            {"id": 1, "default_code": "D1", "barcode": false, "display_name": "[D1] Desk"},
            {"id": 2, "default_code": false, "barcode": "D1", "display_name": "Chair"},
            {"id": 3, "default_code": "D3", "barcode": "D3", "display_name": "Lamp"},
        ]));
        assert_eq!(Kind::Product.pick("D1", &found), Pick::Many("[D1] Desk (id 1), Chair (id 2)".to_owned()));
        assert_eq!(Kind::Product.pick(" D3 ", &found), Pick::One(3));
        assert_eq!(Kind::Product.pick("d3", &found), Pick::None);
    }

    #[test]
    fn finds_languages_by_odoo_iso_or_language_code() {
        let found = records(json!([
            {"id": 1, "code": "en_US", "iso_code": "en"}, {"id": 2, "code": "ar_SY", "iso_code": "ar_SY"},
            {"id": 3, "code": "ar_001", "iso_code": "ar"}, {"id": 4, "code": "pt_BR", "iso_code": "pt_BR"},
        ]));
        for (key, expected) in
            [("ar_001", 3), ("ar", 3), ("ar-SY", 2), ("en", 1), ("en_GB", 1), ("PT-br", 4), ("pt", 4)]
        {
            assert_eq!(Kind::Language.pick(key, &found), Pick::One(expected), "{key}");
        }
        assert_eq!(Kind::Language.pick("fr", &found), Pick::None);
        assert_eq!(Kind::Language.pick("", &found), Pick::None);
    }

    #[test]
    fn searches_take_patterns_literally() {
        let search = Kind::Tag.search(&["100%_a\\", "b"]);
        assert_eq!(search.domain, json!(["|", ["name", "=ilike", "100\\%\\_a\\\\"], ["name", "=ilike", "b"]]));
    }
}
