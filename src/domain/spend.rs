//! What advertising costs.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What a campaign cost on a day, in the wire form of `docs/BRIDGE.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spend {
    /// The day, in the account's time zone.
    pub day: NaiveDate,
    /// As the leads' own platform.
    pub platform: String,
    /// The ad account.
    pub account: String,
    /// The campaign's id.
    pub campaign: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_name: Option<String>,
    /// ISO 4217 code.
    pub currency: String,
    /// In units of the currency.
    pub amount: f64,
    /// How often it was shown.
    pub impressions: u64,
    /// How often it was clicked on.
    pub clicks: u64,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SpendAnswer {
    /// It is new in Odoo.
    Created,
    /// It was there, and is as it was told now.
    Known,
    /// Odoo does not take it.
    Refused {
        /// Why.
        error: String,
    },
}
