//! One spelling for what people typed in many. Nothing is dropped that shows something.

use super::text;
use crate::domain::{Draft, LeadDraft, OrderDraft, PartnerDraft};

/// Normalises a draft.
pub(super) fn draft(draft: Draft) -> Draft {
    match draft {
        Draft::Lead(draft) => Draft::Lead(lead(draft)),
        Draft::Order(draft) => Draft::Order(order(draft)),
    }
}

fn lead(draft: LeadDraft) -> LeadDraft {
    LeadDraft {
        external_id: draft.external_id,
        name: tidy(draft.name, text::line),
        contact_name: tidy(draft.contact_name, text::line),
        company: tidy(draft.company, text::line),
        email: tidy(draft.email, text::email),
        phone: tidy(draft.phone, text::phone),
        website: tidy(draft.website, text::line),
        job_title: tidy(draft.job_title, text::line),
        street: tidy(draft.street, text::line),
        city: tidy(draft.city, text::line),
        zip: tidy(draft.zip, text::line),
        country: tidy(draft.country, text::line),
        language: tidy(draft.language, text::line),
        message: tidy(draft.message, text::lines),
        expected_revenue: draft.expected_revenue,
        priority: draft.priority,
        source: tidy(draft.source, text::line),
        medium: tidy(draft.medium, text::line),
        campaign: tidy(draft.campaign, text::line),
        referred: tidy(draft.referred, text::line),
        tags: names(draft.tags),
        team: tidy(draft.team, text::line),
        salesperson: tidy(draft.salesperson, text::line),
        answers: draft.answers.iter().map(|(q, a)| (text::line(q), text::lines(a))).collect(),
        submitted_at: draft.submitted_at,
        other_emails: draft.other_emails.iter().map(|email| text::email(email)).collect(),
        other_phones: draft.other_phones.iter().map(|phone| text::phone(phone)).collect(),
        utm_content: tidy(draft.utm_content, text::line),
        utm_term: tidy(draft.utm_term, text::line),
        origin: draft.origin,
        consent: draft.consent,
        test: draft.test,
        honeypot: draft.honeypot,
    }
}

fn order(draft: OrderDraft) -> OrderDraft {
    OrderDraft {
        customer: draft.customer.map(partner),
        pricelist: tidy(draft.pricelist, text::line),
        team: tidy(draft.team, text::line),
        salesperson: tidy(draft.salesperson, text::line),
        source: tidy(draft.source, text::line),
        medium: tidy(draft.medium, text::line),
        campaign: tidy(draft.campaign, text::line),
        tags: names(draft.tags),
        ..draft
    }
}

fn partner(draft: PartnerDraft) -> PartnerDraft {
    PartnerDraft {
        name: tidy(draft.name, text::line),
        email: tidy(draft.email, text::email),
        phone: tidy(draft.phone, text::phone),
        vat: tidy(draft.vat, text::line),
        street: tidy(draft.street, text::line),
        city: tidy(draft.city, text::line),
        zip: tidy(draft.zip, text::line),
        country: tidy(draft.country, text::line),
        is_company: draft.is_company,
    }
}

/// The tidied text, or nothing if nothing is left.
fn tidy(text: Option<String>, tidied: fn(&str) -> String) -> Option<String> {
    text.map(|text| tidied(&text)).filter(|text| !text.is_empty())
}

/// Tidied names, each once.
fn names(names: Vec<String>) -> Vec<String> {
    let mut tidied = Vec::new();
    for name in names.iter().map(|name| text::line(name)) {
        if !name.is_empty() && !tidied.contains(&name) {
            tidied.push(name);
        }
    }
    tidied
}
