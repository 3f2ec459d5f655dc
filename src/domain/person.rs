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

/// A lead in Odoo that may be about the person of a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: i64,
    /// What became of it so far.
    pub state: LeadState,
    /// Surely the same person: their last message is on it.
    #[serde(default)]
    pub same: bool,
    /// Who it is about.
    #[serde(flatten)]
    pub person: Person,
}

/// What became of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadState {
    /// Somebody works on it, or should.
    Open,
    /// Lost.
    Lost,
    /// Archived without being lost.
    Archived,
    /// Won.
    Won,
}
