//! A lead.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::answers;
use crate::{
    domain::{Consent, LeadDraft, Origin},
    sources::{
        ParseError,
        json::{Node, Object, shown},
    },
};

/// Longest identity of a lead or order: together with the source's id it must fit into a reference.
pub(in crate::sources) const MAX_EXTERNAL_ID: usize = 180;
/// Longest name of something that is looked up by it: a tag, a team, a campaign.
pub(in crate::sources) const MAX_NAME: usize = 200;
/// Most tags.
pub(super) const MAX_TAGS: usize = 50;
/// Most further addresses of one kind.
pub(in crate::sources) const MAX_OTHERS: usize = 10;
/// Most boxes to tick.
const MAX_CONSENT: usize = 50;
/// Longest id of a platform.
const MAX_ID: usize = 500;
/// Most ids of a click.
const MAX_CLICK_IDS: usize = 20;
/// Longest text on one line.
const MAX_LINE: usize = 500;
const MAX_MESSAGE: usize = 20_000;

/// How a time is written.
pub(super) const TIME: &str = "a time such as `2026-11-20T10:00:00Z`";

/// Reads a lead. What it does not know is kept as answers.
pub(in crate::sources) fn read(mut object: Object<'_>) -> Result<LeadDraft, ParseError> {
    let mut lead = LeadDraft {
        external_id: object.id("external_id", MAX_EXTERNAL_ID)?,
        name: object.text("name", MAX_LINE)?,
        contact_name: object.text("contact_name", MAX_LINE)?,
        company: object.text("company", MAX_LINE)?,
        email: object.whole("email", "at most 320 characters", up_to::<320>)?,
        phone: object.whole_or_integer("phone", "at most 64 characters", up_to::<64>)?,
        website: object.whole("website", "at most 2000 characters", up_to::<2000>)?,
        job_title: object.text("job_title", MAX_LINE)?,
        street: object.text("street", MAX_LINE)?,
        city: object.text("city", MAX_LINE)?,
        zip: object.whole_or_integer("zip", "at most 24 characters", up_to::<24>)?,
        country: object.whole("country", "an ISO code of two letters, such as `SA`", country)?,
        language: object.whole("language", "a code such as `ar` or `ar_001`", language)?,
        message: object.text("message", MAX_MESSAGE)?,
        expected_revenue: object.number("expected_revenue")?,
        priority: priority(&mut object)?,
        source: object.name("source", MAX_NAME)?,
        medium: object.name("medium", MAX_NAME)?,
        campaign: object.name("campaign", MAX_NAME)?,
        referred: object.text("referred", MAX_LINE)?,
        tags: object.names("tags", MAX_TAGS, MAX_NAME)?,
        team: object.name("team", MAX_NAME)?,
        salesperson: object.name("salesperson", MAX_NAME)?,
        submitted_at: object.whole("submitted_at", TIME, time)?,
        other_emails: object.texts("other_emails", MAX_OTHERS, 320)?,
        other_phones: object.texts("other_phones", MAX_OTHERS, 64)?,
        utm_content: object.text("utm_content", MAX_LINE)?,
        utm_term: object.text("utm_term", MAX_LINE)?,
        origin: object.get("origin").map_or(Ok(Origin::default()), |node| origin(node.object()?))?,
        consent: object.get("consent").map_or(Ok(Vec::new()), |node| consent(&node))?,
        test: object.boolean("test")?.unwrap_or_default(),
        answers: object.get("answers").map_or(Ok(Vec::new()), |node| answers::read(&node))?,
        ..LeadDraft::default()
    };
    let named = [&lead.name, &lead.contact_name, &lead.company, &lead.email, &lead.phone];
    if named.iter().all(|field| field.is_none()) {
        let message = "a lead needs at least one of `name`, `contact_name`, `company`, `email` and `phone`";
        return Err(object.node().invalid(message));
    }
    let node = object.node().clone();
    lead.answers.extend(object.rest());
    answers::limit(&node, &mut lead.answers);
    Ok(lead)
}

fn origin(mut object: Object<'_>) -> Result<Origin, ParseError> {
    let origin = Origin {
        platform: object.name("platform", MAX_NAME)?,
        lead_id: object.id("lead_id", MAX_ID)?,
        form_id: object.id("form_id", MAX_ID)?,
        form_name: object.text("form_name", MAX_LINE)?,
        account_id: object.id("account_id", MAX_ID)?,
        campaign_id: object.id("campaign_id", MAX_ID)?,
        campaign_name: object.text("campaign_name", MAX_LINE)?,
        adset_id: object.id("adset_id", MAX_ID)?,
        adset_name: object.text("adset_name", MAX_LINE)?,
        ad_id: object.id("ad_id", MAX_ID)?,
        ad_name: object.text("ad_name", MAX_LINE)?,
        page_id: object.id("page_id", MAX_ID)?,
        page_name: object.text("page_name", MAX_LINE)?,
        click_ids: object.get("click_ids").map_or(Ok(BTreeMap::new()), |node| click_ids(&node))?,
        url: object.text("url", 2_000)?,
    };
    object.finish();
    Ok(origin)
}

fn click_ids(node: &Node<'_>) -> Result<BTreeMap<String, String>, ParseError> {
    let ids = node.value.as_object().ok_or_else(|| node.expected("an object"))?;
    if ids.len() > MAX_CLICK_IDS {
        return Err(node.invalid(format!("at most {MAX_CLICK_IDS} ids, got {}", ids.len())));
    }
    let id = |(name, value): (&String, _)| Some((shown(name), Node { value, ..node.clone() }.flat()?));
    Ok(ids.iter().filter_map(id).collect())
}

fn consent(node: &Node<'_>) -> Result<Vec<Consent>, ParseError> {
    let box_of = |item: &Node<'_>| {
        let mut object = item.object()?;
        let text = object.text("text", MAX_MESSAGE)?.ok_or_else(|| item.invalid("`text` is missing"))?;
        let given = object.boolean("given")?.ok_or_else(|| item.invalid("`given` is missing"))?;
        object.finish();
        Ok(Consent { text, given })
    };
    node.items(MAX_CONSENT)?.iter().map(box_of).collect()
}

fn priority(object: &mut Object<'_>) -> Result<Option<u8>, ParseError> {
    let Some(node) = object.get("priority") else { return Ok(None) };
    let priority = node.value.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= 3);
    priority.map(Some).ok_or_else(|| node.expected("a whole number from 0 to 3"))
}

fn up_to<const MAX: usize>(text: &str) -> Option<String> {
    (text.chars().count() <= MAX).then(|| text.to_owned())
}

/// An ISO 3166-1 alpha-2 code.
pub(in crate::sources) fn country(text: &str) -> Option<String> {
    let code = text.trim();
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic())).then(|| code.to_ascii_uppercase())
}

fn language(text: &str) -> Option<String> {
    let code = text.trim();
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@'));
    ((2..=16).contains(&code.len()) && plain).then(|| code.to_owned())
}

/// A time of RFC 3339.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.to_utc())
}
