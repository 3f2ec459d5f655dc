//! An order, its customer and its lines. Programs send orders, so nothing is set aside: what is not right fails.

use chrono::NaiveDate;

use super::lead::{MAX_EXTERNAL_ID, MAX_NAME, MAX_TAGS, country};
use crate::{
    domain::{OrderDraft, OrderLineDraft, OrderState, PartnerDraft},
    sources::{
        ParseError,
        json::{Node, Object},
    },
};

const MAX_LINES: usize = 500;
const MAX_TEXT: usize = 500;
/// Longest description of a line.
const MAX_DESCRIPTION: usize = 5_000;

/// The states by name; the first is the default.
const STATES: [(&str, OrderState); 3] =
    [("quotation", OrderState::Quotation), ("confirmed", OrderState::Confirmed), ("cancelled", OrderState::Cancelled)];

/// Reads an order.
pub(super) fn read(mut object: Object<'_>) -> Result<OrderDraft, ParseError> {
    let missing = object.node().invalid("an order needs an `external_id`: it is what makes it the same order again");
    let order = OrderDraft {
        external_id: object.id("external_id", MAX_EXTERNAL_ID)?.ok_or(missing)?,
        state: state(&mut object)?,
        customer: object.get("customer").map(|node| customer(node.object()?)).transpose()?,
        lines: object.get("lines").map(|node| lines(&node)).transpose()?,
        currency: object.name("currency", 3)?.map(|code| code.to_ascii_uppercase()),
        pricelist: object.name("pricelist", MAX_NAME)?,
        valid_until: valid_until(&mut object)?,
        team: object.name("team", MAX_NAME)?,
        salesperson: object.name("salesperson", MAX_NAME)?,
        source: object.name("source", MAX_NAME)?,
        medium: object.name("medium", MAX_NAME)?,
        campaign: object.name("campaign", MAX_NAME)?,
        tags: object.names("tags", MAX_TAGS, MAX_NAME)?,
    };
    object.finish();
    Ok(order)
}

fn state(object: &mut Object<'_>) -> Result<OrderState, ParseError> {
    let Some(node) = object.get("state") else { return Ok(OrderState::default()) };
    let state = STATES.iter().find(|(name, _)| node.value == name).map(|(_, state)| *state);
    state.ok_or_else(|| node.expected("`quotation`, `confirmed` or `cancelled`"))
}

fn valid_until(object: &mut Object<'_>) -> Result<Option<String>, ParseError> {
    let Some(node) = object.get("valid_until") else { return Ok(None) };
    let date = node.value.as_str().and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
    date.map(|date| Some(date.to_string())).ok_or_else(|| node.expected("a date such as `2026-11-30`"))
}

fn customer(mut object: Object<'_>) -> Result<PartnerDraft, ParseError> {
    let customer = PartnerDraft {
        name: object.name("name", MAX_TEXT)?,
        email: object.name("email", 320)?,
        phone: object.id("phone", 64)?,
        vat: object.id("vat", 64)?,
        street: object.name("street", MAX_TEXT)?,
        city: object.name("city", MAX_TEXT)?,
        zip: object.id("zip", 24)?,
        country: country_of(&mut object)?,
        is_company: object.boolean("is_company")?,
    };
    if [&customer.name, &customer.email, &customer.phone, &customer.vat].iter().all(|field| field.is_none()) {
        return Err(object.node().invalid("a customer needs at least one of `name`, `email`, `phone` and `vat`"));
    }
    object.finish();
    Ok(customer)
}

fn country_of(object: &mut Object<'_>) -> Result<Option<String>, ParseError> {
    let Some(node) = object.get("country") else { return Ok(None) };
    let code = node.value.as_str().and_then(country);
    code.map(Some).ok_or_else(|| node.expected("an ISO code of two letters, such as `SA`"))
}

fn lines(node: &Node<'_>) -> Result<Vec<OrderLineDraft>, ParseError> {
    node.items(MAX_LINES)?.iter().map(|item| line(item.object()?)).collect()
}

fn line(mut object: Object<'_>) -> Result<OrderLineDraft, ParseError> {
    let missing = object.node().invalid("a line needs a `product`: its internal reference or barcode");
    let line = OrderLineDraft {
        product: object.id("product", MAX_NAME)?.ok_or(missing)?,
        name: object.text("name", MAX_DESCRIPTION)?,
        quantity: object.number("quantity")?,
        price_unit: object.number("price_unit")?,
        discount: object.number("discount")?,
    };
    object.finish();
    Ok(line)
}
