//! What a source sent, in the one schema that all sources share. Nothing here is about Odoo's field names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Mark, MessageDraft, Profile};

/// One thing that a delivery asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all drafts are leads, and they are few at a time")]
pub enum Draft {
    /// A lead to create, or to update if its `external_id` is known.
    Lead(LeadDraft),
    /// An order to bring into the wanted state.
    Order(OrderDraft),
    /// A message, for the lead of its person.
    Message(Box<MessageDraft>),
    /// What became of a message.
    Mark(Mark),
    /// Who has written a message.
    Profile(Profile),
}

/// A lead as its source described it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LeadDraft {
    /// The lead's identity at its source. The same id again updates the same lead.
    pub external_id: Option<String>,
    /// Title in Odoo's pipeline. Made from company or contact when absent.
    pub name: Option<String>,
    /// The person.
    pub contact_name: Option<String>,
    /// The company.
    pub company: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number in any spelling.
    pub phone: Option<String>,
    /// Website.
    pub website: Option<String>,
    /// Job position.
    pub job_title: Option<String>,
    /// Street.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Postal code.
    pub zip: Option<String>,
    /// ISO 3166-1 alpha-2 code, such as `SA`.
    pub country: Option<String>,
    /// Language code as Odoo has it (`ar_001`) or ISO 639-1 (`ar`).
    pub language: Option<String>,
    /// What the person wrote. Plain text.
    pub message: Option<String>,
    /// Expected revenue in the company's currency.
    pub expected_revenue: Option<f64>,
    /// Priority, 0 (low) to 3 (very high).
    pub priority: Option<u8>,
    /// UTM source, such as `Facebook`.
    pub source: Option<String>,
    /// UTM medium, such as `Paid social`.
    pub medium: Option<String>,
    /// UTM campaign.
    pub campaign: Option<String>,
    /// Who recommended us.
    pub referred: Option<String>,
    /// Names of CRM tags.
    pub tags: Vec<String>,
    /// Name of the sales team.
    pub team: Option<String>,
    /// Login of the salesperson.
    pub salesperson: Option<String>,
    /// Questions and answers in the order of the form, unknown fields included.
    pub answers: Vec<(String, String)>,
    /// When the person sent the form, if the source says so.
    pub submitted_at: Option<DateTime<Utc>>,
    /// Further e-mail addresses.
    pub other_emails: Vec<String>,
    /// Further phone numbers, in any spelling.
    pub other_phones: Vec<String>,
    /// UTM content: which of several ads or links.
    pub utm_content: Option<String>,
    /// UTM term: the keyword.
    pub utm_term: Option<String>,
    /// Where on its platform the lead comes from.
    pub origin: Origin,
    /// What the person agreed to, or did not.
    pub consent: Vec<Consent>,
    /// The platform says that it is a test.
    pub test: bool,
    /// A field that only programs see was filled in.
    #[cfg_attr(test, schemars(skip))]
    pub honeypot: bool,
}

/// Where on its platform a lead comes from. Ids are text, as the platform writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Origin {
    /// The platform: `meta`, `google`, `tiktok`, `snapchat`, `linkedin`, …
    pub platform: Option<String>,
    /// The lead's id there.
    pub lead_id: Option<String>,
    /// The form.
    pub form_id: Option<String>,
    /// The form's name.
    pub form_name: Option<String>,
    /// The advertiser's account.
    pub account_id: Option<String>,
    /// The campaign.
    pub campaign_id: Option<String>,
    /// The campaign's name.
    pub campaign_name: Option<String>,
    /// The ad set, or ad group.
    pub adset_id: Option<String>,
    /// The ad set's name.
    pub adset_name: Option<String>,
    /// The ad, or creative.
    pub ad_id: Option<String>,
    /// The ad's name.
    pub ad_name: Option<String>,
    /// The page or profile.
    pub page_id: Option<String>,
    /// The page's name.
    pub page_name: Option<String>,
    /// Ids of the click, by the platform's own names: `gclid`, `fbclid`, `ttclid`, …
    pub click_ids: BTreeMap<String, String>,
    /// The page that the person was on.
    pub url: Option<String>,
}

/// Something that a person was asked to agree to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Consent {
    /// The words, or the key of the box if the platform sends no more.
    pub text: String,
    /// Whether they agreed.
    pub given: bool,
}

/// A customer, as an order names one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartnerDraft {
    /// Display name. Needed to create one.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// VAT number.
    pub vat: Option<String>,
    /// Street.
    pub street: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Postal code.
    pub zip: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// `true` for a company, `false` for a person.
    pub is_company: Option<bool>,
}

/// One line of an order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderLineDraft {
    /// The product's internal reference (`default_code`) or barcode.
    pub product: String,
    /// Description on the line. Odoo's own when absent.
    pub name: Option<String>,
    /// Ordered quantity.
    pub quantity: Option<f64>,
    /// Unit price. From the price list when absent.
    pub price_unit: Option<f64>,
    /// Discount in percent.
    pub discount: Option<f64>,
}

/// The state that an order should reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// A quotation (created or updated).
    #[default]
    Quotation,
    /// Confirmed as a sales order.
    Confirmed,
    /// Cancelled.
    Cancelled,
}

/// A quotation or order as its source described it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderDraft {
    /// The order's identity at its source; becomes `client_order_ref`. Required: it is the key.
    pub external_id: String,
    /// The wanted state.
    pub state: OrderState,
    /// The customer. Required to create the order.
    pub customer: Option<PartnerDraft>,
    /// The lines. Absent: leave them as they are.
    pub lines: Option<Vec<OrderLineDraft>>,
    /// Currency code such as `SAR`; picks the price list.
    pub currency: Option<String>,
    /// Name of the price list.
    pub pricelist: Option<String>,
    /// Valid until, `YYYY-MM-DD`.
    pub valid_until: Option<String>,
    /// Name of the sales team.
    pub team: Option<String>,
    /// Login of the salesperson.
    pub salesperson: Option<String>,
    /// UTM source.
    pub source: Option<String>,
    /// UTM medium.
    pub medium: Option<String>,
    /// UTM campaign.
    pub campaign: Option<String>,
    /// Names of tags.
    pub tags: Vec<String>,
}
