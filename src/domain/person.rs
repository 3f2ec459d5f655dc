//! A person or company as far as it takes to recognise them.

use serde::{Deserialize, Serialize};

/// Who a lead is about, in whatever spelling it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The person's name.
    pub name: Option<String>,
    /// The company.
    pub company: Option<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// Phone numbers.
    pub phones: Vec<String>,
    /// The city.
    pub city: Option<String>,
    /// ISO 3166-1 alpha-2 code: what a phone number without a country code belongs to.
    pub country: Option<String>,
}
