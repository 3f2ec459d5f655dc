//! `[intake]`: how what sources send is read.

use std::collections::BTreeMap;

use super::{
    Duplicates, Reader,
    expect::{Expect, string},
};

/// `[intake]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intake {
    /// Where phone numbers without a country code are from, ISO 3166-1.
    pub country: Option<String>,
    /// The same for single sources, by their id: `country` in `[sources.<id>]`.
    pub countries: BTreeMap<String, String>,
    /// `[intake.duplicates]`
    pub duplicates: Duplicates,
}

impl Intake {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let intake = Self {
            country: section.optional("country", country()),
            countries: BTreeMap::new(),
            duplicates: Duplicates::read(section.table("duplicates")),
        };
        section.finish();
        intake
    }

    /// Where a source is at home.
    pub fn country_of(&self, source: &str) -> Option<&str> {
        self.countries.get(source).or(self.country.as_ref()).map(String::as_str)
    }
}

/// An ISO 3166-1 code of two letters.
pub(super) fn country() -> Expect<String> {
    string().example("\"SA\"").try_map(|code| {
        let fits = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        fits.then(|| code.to_ascii_uppercase()).ok_or("is not an ISO code of two letters")
    })
}
