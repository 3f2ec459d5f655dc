//! Whether two leads are about the same person. Pure.
//!
//! 1. [`keys`]: what to look for in Odoo: the few leads that are worth a comparison
//! 2. [`compare`]: two people → same, perhaps, different, with the reason in words
//! 3. [`decide`]: the leads that were found, and the policy → what becomes of the new one
//!
//! An e-mail address or a mobile number belongs to one person as a rule, `info@…` and a landline to a company. But a
//! shared key with clearly different names (a family, an office) is never more than "perhaps". `docs/duplicates.md`
//! has the figures.

mod company;
mod contact;
mod decide;
mod fold;
mod known;
mod name;
#[cfg(test)]
mod tests;
mod word;

use std::fmt;

use serde::Serialize;

pub use self::decide::{Decision, decide};
use self::{
    company::Companies,
    contact::{Email, Phone},
    fold::words,
    name::Names,
    word::Word,
};
use crate::domain::Person;

/// Whether they are the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Nothing says so.
    Different,
    /// A person has to look.
    Perhaps,
    /// Surely enough to attach without asking.
    Same,
}

/// The answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The answer.
    pub likeness: Likeness,
    /// Such as "same mobile number, same name". No personal data.
    pub reason: String,
}

/// What to look for in Odoo, in the forms that the addon's indexes have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// E-mail addresses without dots and tags.
    pub emails: Vec<String>,
    /// Last digits of phone numbers.
    pub phones: Vec<String>,
    /// Words of the company's name.
    pub words: Vec<String>,
    /// Company and given name as they sound: of two such leads at once, one waits for the other.
    pub pairs: Vec<String>,
    /// Has a mobile number and an e-mail address of their own: by company and name alone, only leads that lack one of
    /// them can be the same person's.
    pub complete: bool,
}

/// What to look for in Odoo. Empty if there is nothing to recognise anybody by.
pub fn keys(person: &Person) -> Keys {
    let known = Known::new(person, None);
    // Whoever says how to be reached in both ways is not made one with another by company and name alone.
    let complete = known.has_own_email() && known.has_mobile();
    let company = person.company.as_deref().and_then(company::sound);
    let given = person.name.as_deref().and_then(name::sound);
    let mut keys = Keys {
        pairs: company
            .zip(given)
            .map(|(company, given)| format!("{company}|{given}"))
            .filter(|_| !complete)
            .into_iter()
            .collect(),
        complete,
        emails: known.emails.iter().flat_map(Email::search_keys).collect(),
        phones: known.phones.iter().map(Phone::search_key).collect(),
        // A company alone is not a person.
        words: match (&person.company, &person.name) {
            (Some(company), Some(_)) => company::search_words(company),
            _ => Vec::new(),
        },
    };
    for list in [&mut keys.emails, &mut keys.phones] {
        list.sort();
        list.dedup();
    }
    keys
}

/// A person's keys in the form in which equal ones are equal.
struct Known {
    emails: Vec<Email>,
    phones: Vec<Phone>,
}

impl Known {
    fn new(person: &Person, elsewhere: Option<&str>) -> Self {
        let country = person.country.as_deref().or(elsewhere);
        Self {
            emails: person.emails.iter().filter_map(|email| Email::new(email)).collect(),
            phones: person.phones.iter().flat_map(|phone| Phone::all(phone, country)).collect(),
        }
    }
}

impl Known {
    fn has_own_email(&self) -> bool {
        self.emails.iter().any(|email| !email.shared)
    }

    fn has_mobile(&self) -> bool {
        self.phones.iter().any(|phone| phone.mobile)
    }
}

/// What two people have in common, from the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Email,
    Mobile,
    Landline,
    Mailbox,
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email => "same e-mail address",
            Self::Mobile => "same mobile number",
            Self::Landline => "same landline",
            Self::Mailbox => "same shared mailbox",
        })
    }
}

/// Compares two people.
pub fn compare(a: &Person, b: &Person) -> Comparison {
    let (known_a, known_b) = (Known::new(a, b.country.as_deref()), Known::new(b, a.country.as_deref()));
    let shared = strongest_shared(&known_a, &known_b);
    let names = name::compare(a.name.as_deref(), b.name.as_deref());
    let companies = company::compare(a.company.as_deref(), b.company.as_deref());
    let likeness = match shared {
        Some(Shared::Email) => match names {
            Names::Different => Likeness::Perhaps,
            _ => Likeness::Same,
        },
        Some(Shared::Mobile) => match names {
            Names::Alike | Names::Compatible => Likeness::Same,
            Names::Unknown if companies != Companies::Different => Likeness::Same,
            Names::Unknown | Names::Unclear | Names::Different => Likeness::Perhaps,
        },
        Some(Shared::Landline | Shared::Mailbox) => match (names, companies) {
            (Names::Alike, Companies::Different) => Likeness::Perhaps,
            (Names::Alike, _) => Likeness::Same,
            // The lead is the company itself.
            (Names::Unknown, Companies::Alike) if a.name.is_none() && b.name.is_none() => Likeness::Same,
            _ => Likeness::Perhaps,
        },
        None => match (companies, names) {
            _ if contradictions(&known_a, &known_b) == 2 => Likeness::Different,
            (Companies::Alike, Names::Alike) if contradictions(&known_a, &known_b) == 0 && !other_city(a, b) => {
                Likeness::Same
            }
            (Companies::Alike, Names::Alike | Names::Compatible | Names::Unclear) => Likeness::Perhaps,
            (Companies::Unclear, Names::Alike) => Likeness::Perhaps,
            _ => Likeness::Different,
        },
    };
    Comparison { likeness, reason: reason(shared, names, companies) }
}

fn strongest_shared(a: &Known, b: &Known) -> Option<Shared> {
    let emails = a.emails.iter().filter(|one| b.emails.iter().any(|other| one.address == other.address));
    let emails = emails.map(|email| if email.shared { Shared::Mailbox } else { Shared::Email });
    let phones = a.phones.iter().filter_map(|one| {
        let other = b.phones.iter().find(|other| one.is_same(other))?;
        Some(if one.mobile || other.mobile { Shared::Mobile } else { Shared::Landline })
    });
    emails.chain(phones).min()
}

/// In how many ways both can be reached in person, when nothing of it is the same.
fn contradictions(a: &Known, b: &Known) -> u8 {
    u8::from(a.has_own_email() && b.has_own_email()) + u8::from(a.has_mobile() && b.has_mobile())
}

fn other_city(a: &Person, b: &Person) -> bool {
    let core = |city: &str| -> Vec<Word> {
        words(city).iter().map(|word| Word::new(name::without_article(word).unwrap_or(word))).collect()
    };
    let (Some(a), Some(b)) = (&a.city, &b.city) else { return false };
    let (a, b) = (core(a), core(b));
    !a.is_empty() && !b.is_empty() && !a.iter().any(|word| b.iter().any(|other| word.is_like(other)))
}

fn reason(shared: Option<Shared>, names: Names, companies: Companies) -> String {
    let names = match names {
        Names::Unknown => "",
        Names::Alike => "same name",
        Names::Compatible => "same given name",
        Names::Unclear => "names that may be one",
        Names::Different => "other name",
    };
    let companies = match companies {
        Companies::Unknown => "",
        Companies::Alike => "same company",
        Companies::Unclear => "similar company",
        Companies::Different => "other company",
    };
    let shared = shared.map(|shared| shared.to_string()).unwrap_or_default();
    let parts = [shared.as_str(), names, companies];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
