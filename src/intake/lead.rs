//! A lead as Odoo's `crm.lead` has it.

use std::collections::BTreeMap;

use super::{
    Examined,
    normalise::Normalised,
    values::{lookup, plain, present, tags},
};
use crate::{
    config::FlagAction,
    domain::{FieldValue, LeadDraft, Lookup},
};

/// The values of an upsert. What the lead says itself goes before its route.
pub(super) fn values(examined: &Examined) -> BTreeMap<String, FieldValue> {
    let Examined { normalised, route, .. } = examined;
    let lead = &normalised.lead;
    let text = |text: &Option<String>| plain(text.clone());
    let priority = lead.priority.or(route.priority);
    let mut values = name(lead);
    values.extend(present([
        ("partner_name", text(&lead.company)),
        ("email_from", text(&lead.email)),
        ("phone", text(&lead.phone)),
        ("website", text(&lead.website)),
        ("function", text(&lead.job_title)),
        ("street", text(&lead.street)),
        ("city", text(&lead.city)),
        ("zip", text(&lead.zip)),
        ("country_id", lookup(lead.country.as_ref(), Lookup::Country)),
        ("lang_id", lookup(lead.language.as_ref(), Lookup::Language)),
        ("description", plain(description(normalised))),
        ("expected_revenue", plain(lead.expected_revenue)),
        // A selection: Odoo wants the number as text.
        ("priority", plain(priority.map(|priority| priority.to_string()))),
        ("source_id", lookup(lead.source.as_ref(), Lookup::Source)),
        ("medium_id", lookup(lead.medium.as_ref(), Lookup::Medium)),
        ("campaign_id", lookup(lead.campaign.as_ref(), Lookup::Campaign)),
        ("referred", text(&lead.referred)),
        ("tag_ids", tags(&all_tags(examined))),
        ("team_id", lookup(lead.team.as_ref().or(routed(examined, &route.team)), Lookup::Team)),
        ("user_id", lookup(lead.salesperson.as_ref(), Lookup::Salesperson)),
        ("active", plain(is_archived(examined).then_some(false))),
    ]));
    values
}

/// How it and its person are called.
pub(super) fn name(lead: &LeadDraft) -> BTreeMap<String, FieldValue> {
    present([("name", plain(title(lead))), ("contact_name", plain(lead.contact_name.clone()))])
}

/// A team of the route does not fit a salesperson that the lead names, nor the other way round.
fn routed<'a>(examined: &Examined, value: &'a Option<String>) -> Option<&'a String> {
    let lead = &examined.normalised.lead;
    value.as_ref().filter(|_| lead.team.is_none() && lead.salesperson.is_none())
}

/// Its own, those of its route, and those of its flags.
fn all_tags(Examined { normalised, flags, route, .. }: &Examined) -> Vec<String> {
    let flags = flags.iter().filter(|raised| raised.action == FlagAction::Tag);
    let mut tags = normalised.lead.tags.clone();
    for tag in route.tags.iter().cloned().chain(flags.map(|raised| raised.flag.code().to_owned())) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn is_archived(examined: &Examined) -> bool {
    examined.flags.iter().any(|raised| raised.action == FlagAction::Archive)
}

/// A title that we made is for a new lead: a later delivery that says less must not rename it. Nor does one give the lead
/// to somebody else, or archive it.
pub(super) fn create_only(Examined { normalised, .. }: &Examined) -> Vec<String> {
    let lead = &normalised.lead;
    let given = [
        ("name", lead.name.is_some()),
        ("team_id", lead.team.is_some()),
        ("user_id", lead.salesperson.is_some()),
        ("priority", lead.priority.is_some()),
        ("active", false),
    ];
    given.into_iter().filter(|(_, given)| !given).map(|(field, _)| field.to_owned()).collect()
}

/// The title in the pipeline: Odoo requires one.
fn title(lead: &LeadDraft) -> Option<String> {
    let made = match (&lead.contact_name, &lead.company) {
        (Some(contact), Some(company)) => Some(format!("{contact} ({company})")),
        (contact, company) => contact.clone().or_else(|| company.clone()),
    };
    [lead.name.clone(), made, lead.email.clone(), lead.phone.clone()].into_iter().flatten().next()
}

/// The message, the answers and what was typed otherwise, as plain text.
fn description(Normalised { lead, typed }: &Normalised) -> Option<String> {
    let answers: Vec<_> = lead.answers.iter().map(|(question, answer)| format!("{question}: {answer}")).collect();
    let submitted = lead.submitted_at.map(|time| format!("Submitted: {} UTC", time.format("%Y-%m-%d %H:%M:%S")));
    let typed: Vec<_> = typed.iter().map(|(field, typed)| format!("As typed: {field} {typed}")).collect();
    let joined = |lines: Vec<String>| (!lines.is_empty()).then(|| lines.join("\n"));
    let parts: Vec<_> =
        [lead.message.clone(), joined(answers), joined(typed), submitted].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn examined(lead: LeadDraft) -> Examined {
        Examined { normalised: Normalised { lead, typed: Vec::new() }, ..Examined::default() }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn every_field_arrives() {
        let lead: LeadDraft = serde_json::from_value(json!({
            "name": "Fleet", "contact_name": "Sara Ali", "company": "Acme", "email": "sara@example.com",
            "phone": "+966501234567", "website": "https://example.com", "job_title": "Buyer", "street": "King Fahd Rd",
            "city": "Riyadh", "zip": "12211", "country": "SA", "language": "ar_001", "message": "Hello",
            "expected_revenue": 1500.5, "priority": 2, "source": "Website", "medium": "Form", "campaign": "Q4",
            "referred": "Omar", "tags": ["VIP", "New"], "team": "Gulf", "salesperson": "sales@example.com",
            "answers": [["Size", "Large"], ["Colour", "Red"]], "submitted_at": "2026-11-20T13:00:00+03:00"
        }))
        .expect("a lead");
        let expected = json!({
            "name": {"plain": "Fleet"},
            "contact_name": {"plain": "Sara Ali"},
            "partner_name": {"plain": "Acme"},
            "email_from": {"plain": "sara@example.com"},
            "phone": {"plain": "+966501234567"},
            "website": {"plain": "https://example.com"},
            "function": {"plain": "Buyer"},
            "street": {"plain": "King Fahd Rd"},
            "city": {"plain": "Riyadh"},
            "zip": {"plain": "12211"},
            "country_id": {"lookup": {"kind": "country", "key": "SA"}},
            "lang_id": {"lookup": {"kind": "language", "key": "ar_001"}},
            "description": {"plain": "Hello\n\nSize: Large\nColour: Red\n\nSubmitted: 2026-11-20 10:00:00 UTC"},
            "expected_revenue": {"plain": 1500.5},
            "priority": {"plain": "2"},
            "source_id": {"lookup": {"kind": "source", "key": "Website"}},
            "medium_id": {"lookup": {"kind": "medium", "key": "Form"}},
            "campaign_id": {"lookup": {"kind": "campaign", "key": "Q4"}},
            "referred": {"plain": "Omar"},
            "tag_ids": {"lookups": [{"kind": "tag", "key": "VIP"}, {"kind": "tag", "key": "New"}]},
            "team_id": {"lookup": {"kind": "team", "key": "Gulf"}},
            "user_id": {"lookup": {"kind": "salesperson", "key": "sales@example.com"}},
        });
        assert_eq!(json!(values(&examined(lead))), expected);
    }

    #[test]
    fn absent_fields_are_left_alone() {
        let lead = LeadDraft { phone: some("0501234567"), ..LeadDraft::default() };
        assert_eq!(
            json!(values(&examined(lead))),
            json!({"name": {"plain": "0501234567"}, "phone": {"plain": "0501234567"}})
        );
    }

    #[test]
    fn a_title_is_made_from_what_is_there() {
        let full = LeadDraft {
            name: some("Title"),
            contact_name: some("Sara"),
            company: some("Acme"),
            email: some("e@x.sa"),
            phone: some("1"),
            ..LeadDraft::default()
        };
        assert_eq!(title(&full), some("Title"));
        let untitled = LeadDraft { name: None, ..full };
        assert_eq!(title(&untitled), some("Sara (Acme)"));
        assert_eq!(title(&LeadDraft { contact_name: None, ..untitled.clone() }), some("Acme"));
        assert_eq!(title(&LeadDraft { company: None, ..untitled.clone() }), some("Sara"));
        assert_eq!(title(&LeadDraft { contact_name: None, company: None, ..untitled }), some("e@x.sa"));
    }
}
