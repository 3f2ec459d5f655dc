//! One spelling for what people typed in many: one file per kind of value. Nothing is dropped that shows something:
//! what a value was before is kept beside it, if it differs in more than spacing.

mod city;
mod email;
mod name;
mod phone;
mod text;

pub use phone::e164;

use crate::domain::{LeadDraft, OrderDraft, PartnerDraft};

/// A lead with one spelling for each value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Normalised {
    /// The lead.
    pub lead: LeadDraft,
    /// What was typed where now something else stands: the field and its former value.
    pub typed: Vec<(&'static str, String)>,
}

/// Normalises a lead. `country` is where its source is at home.
pub(super) fn lead(draft: LeadDraft, country: Option<&str>) -> Normalised {
    let mut typed = Vec::new();
    let lead_country = tidy(draft.country, text::line);
    let home = lead_country.as_deref().or(country);
    let mut kept = |field, value: Option<String>, tidied: &dyn Fn(&str) -> String| {
        let value = value?;
        let result = tidied(&value);
        if differs(&value, &result) {
            typed.push((field, text::line(&value)));
        }
        (!result.is_empty()).then_some(result)
    };
    let lead = LeadDraft {
        contact_name: kept("contact name", draft.contact_name, &name::tidy),
        company: kept("company", draft.company, &name::tidy),
        email: kept("e-mail", draft.email, &email::tidy),
        phone: kept("phone", draft.phone, &|typed| phone::tidy(typed, home)),
        city: kept("city", draft.city, &city::tidy),
        other_emails: each("e-mail", draft.other_emails, &mut kept, &email::tidy),
        other_phones: each("phone", draft.other_phones, &mut kept, &|typed| phone::tidy(typed, home)),
        name: tidy(draft.name, text::line),
        website: tidy(draft.website, text::line),
        job_title: tidy(draft.job_title, text::line),
        street: tidy(draft.street, text::line),
        zip: tidy(draft.zip, text::line),
        country: lead_country,
        language: tidy(draft.language, text::line),
        message: tidy(draft.message, text::lines),
        source: tidy(draft.source, text::line),
        medium: tidy(draft.medium, text::line),
        campaign: tidy(draft.campaign, text::line),
        referred: tidy(draft.referred, text::line),
        tags: names(draft.tags),
        team: tidy(draft.team, text::line),
        salesperson: tidy(draft.salesperson, text::line),
        answers: draft.answers.iter().map(|(q, a)| (text::line(q), text::lines(a))).collect(),
        utm_content: tidy(draft.utm_content, text::line),
        utm_term: tidy(draft.utm_term, text::line),
        ..draft
    };
    Normalised { lead, typed }
}

/// Normalises an order. `country` is where its source is at home.
pub(super) fn order(draft: OrderDraft, country: Option<&str>) -> OrderDraft {
    OrderDraft {
        customer: draft.customer.map(|customer| partner(customer, country)),
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

fn partner(draft: PartnerDraft, country: Option<&str>) -> PartnerDraft {
    let partner_country = tidy(draft.country, text::line);
    let home = partner_country.as_deref().or(country);
    PartnerDraft {
        name: tidy(draft.name, name::tidy),
        email: tidy(draft.email, email::tidy),
        phone: tidy(draft.phone, |typed| phone::tidy(typed, home)),
        vat: tidy(draft.vat, text::line),
        street: tidy(draft.street, text::line),
        city: tidy(draft.city, city::tidy),
        zip: tidy(draft.zip, text::line),
        country: partner_country,
        is_company: draft.is_company,
    }
}

/// The tidied text, or nothing if nothing is left.
fn tidy(text: Option<String>, tidied: impl Fn(&str) -> String) -> Option<String> {
    text.map(|text| tidied(&text)).filter(|text| !text.is_empty())
}

/// A field that may be there several times.
fn each(
    field: &'static str,
    values: Vec<String>,
    kept: &mut impl FnMut(&'static str, Option<String>, &dyn Fn(&str) -> String) -> Option<String>,
    tidied: &dyn Fn(&str) -> String,
) -> Vec<String> {
    values.into_iter().filter_map(|value| kept(field, Some(value), tidied)).collect()
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

/// Whether more than case, spacing, punctuation and composition is another.
fn differs(typed: &str, tidied: &str) -> bool {
    let typed = text::line(typed);
    let significant = |text: &str| -> Vec<char> {
        text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    typed != tidied && significant(&typed) != significant(tidied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_was_typed_is_kept_where_it_says_more() {
        let draft = LeadDraft {
            contact_name: some(" سارة  علي "),
            email: some("Sara@EXAMPLE.com"),
            phone: some("050 123 4567"),
            other_phones: vec!["+966 11 234 5678".to_owned(), "home".to_owned()],
            city: some("الرياض"),
            ..LeadDraft::default()
        };
        let Normalised { lead, typed } = lead(draft, Some("SA"));
        assert_eq!(lead.contact_name, some("سارة علي"));
        assert_eq!(lead.email, some("Sara@example.com"));
        assert_eq!(lead.phone, some("+966501234567"));
        assert_eq!(lead.other_phones, ["+966112345678", "home"]);
        assert_eq!(lead.city, some("Riyadh"));
        assert_eq!(typed, [("phone", "050 123 4567".to_owned()), ("city", "الرياض".to_owned())]);
    }

    #[test]
    fn the_leads_own_country_goes_before_that_of_its_source() {
        let in_country = |own: Option<&str>| {
            let country = own.map(str::to_owned);
            lead(LeadDraft { phone: some("0501234567"), country, ..LeadDraft::default() }, Some("SA")).lead.phone
        };
        assert_eq!(in_country(Some("AE")), some("+971501234567"));
        assert_eq!(in_country(None), some("+966501234567"));
    }
}
