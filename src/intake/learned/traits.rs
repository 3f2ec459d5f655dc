//! What a lead is like, as the model sees it: factors and their values, such as `source=google`.
//!
//! They are noted when the lead comes in. What salespeople fill in later follows from how it went, and would let the
//! model foretell the past.

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::{
    config::Hours,
    domain::{Flag, LeadDraft},
    intake::flags::Raised,
};

/// Where people have mail that says nothing about them.
const FREE_MAIL: &[&str] =
    &["gmail", "hotmail", "outlook", "yahoo", "icloud", "live", "msn", "googlemail", "ymail", "aol"];

/// The factors of a normalised lead.
pub(in crate::intake) fn of_lead(
    lead: &LeadDraft,
    flags: &[Raised],
    received_at: DateTime<Utc>,
    hours: &Hours,
) -> Vec<String> {
    let origin = &lead.origin;
    let flagged = |flag: Flag| flags.iter().any(|raised| raised.flag == flag);
    let bad_email = [Flag::InvalidEmail, Flag::DisposableEmail, Flag::SuspiciousDomain].into_iter().any(flagged);
    let name = lead.contact_name.as_deref().or(lead.name.as_deref()).unwrap_or_default();
    let campaign = lead.campaign.as_ref().or(origin.campaign_name.as_ref()).or(origin.campaign_id.as_ref());
    let mut traits = of_origin(
        lead.source.as_ref().or(origin.platform.as_ref()).map(String::as_str),
        lead.medium.as_deref(),
        campaign.map(String::as_str),
    );
    traits.extend(of_time(lead.submitted_at.unwrap_or(received_at), hours));
    let mut add = |factor: &str, value: &str| traits.push(format!("{factor}={value}"));
    add("country", lead.country.as_deref().unwrap_or("none"));
    add("city", &lead.city.as_deref().unwrap_or("none").to_lowercase());
    add("language", language(lead, name));
    add(
        "phone",
        match &lead.phone {
            None => "none",
            Some(_) if flagged(Flag::InvalidPhone) => "invalid",
            Some(_) => "valid",
        },
    );
    add(
        "e-mail",
        match lead.email.as_deref().and_then(|email| email.rsplit_once('@')) {
            None => "none",
            Some(_) if bad_email => "bad",
            Some((_, domain)) if FREE_MAIL.contains(&domain.split('.').next().unwrap_or_default()) => "free",
            Some(_) => "own domain",
        },
    );
    add("company", if lead.company.is_some() { "yes" } else { "none" });
    add("job", if lead.job_title.is_some() { "yes" } else { "none" });
    add("name", if name.contains(' ') { "full" } else { "part" });
    add("form", origin.form_name.as_deref().or(origin.form_id.as_deref()).unwrap_or("none"));
    add("click", if origin.click_ids.is_empty() { "none" } else { "yes" });
    add(
        "message",
        match lead.message.as_ref().map_or(0, |message| message.chars().count()) {
            0 => "none",
            1..=19 => "short",
            _ => "yes",
        },
    );
    add(
        "answers",
        match lead.answers.len() {
            0 => "none",
            1..=2 => "1-2",
            3..=5 => "3-5",
            _ => "6+",
        },
    );
    traits
}

/// The factors of a lead that people may have completed: only those that they leave as they are.
pub fn of_record(
    source: Option<&str>,
    medium: Option<&str>,
    campaign: Option<&str>,
    created_at: DateTime<Utc>,
    hours: &Hours,
) -> Vec<String> {
    let mut traits = of_origin(source, medium, campaign);
    traits.extend(of_time(created_at, hours));
    // Such leads are others than those that come in; the difference must not be put down to their source.
    traits.push("origin=made in Odoo".to_owned());
    traits
}

fn of_origin(source: Option<&str>, medium: Option<&str>, campaign: Option<&str>) -> Vec<String> {
    [("source", source), ("medium", medium), ("campaign", campaign)]
        .into_iter()
        .map(|(factor, value)| format!("{factor}={}", value.unwrap_or("none").to_lowercase()))
        .collect()
}

fn of_time(time: DateTime<Utc>, hours: &Hours) -> [String; 2] {
    let local = hours.local(time);
    let part = ["night", "morning", "afternoon", "evening"][(local.hour() / 6).min(3) as usize];
    [format!("weekday={}", local.weekday()), format!("time={part}")]
}

fn language<'a>(lead: &'a LeadDraft, name: &str) -> &'a str {
    match lead.language.as_deref().and_then(|code| code.split(['_', '-']).next()) {
        Some(code) => code,
        None if name.chars().any(|char| ('\u{600}'..='\u{6ff}').contains(&char)) => "ar",
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::dictionary;

    #[test]
    fn the_addon_knows_the_words() {
        let said = |traits: Vec<String>| {
            for one in traits {
                let (factor, value) = one.split_once('=').expect("a factor");
                assert!(dictionary::knows(factor), "the addon cannot say `{factor}` in Arabic");
                // Others are names, numbers or codes.
                let is_word = !matches!(factor, "answers" | "language") || value == "unknown" || value == "none";
                assert!(!is_word || dictionary::knows(value), "the addon cannot say `{value}` in Arabic");
            }
        };
        let hours = Hours::default();
        for hour in 0..7 {
            let time = DateTime::from_timestamp(hour * 31 * 3_600, 0).expect("a time");
            said(of_lead(&LeadDraft::default(), &[], time, &hours));
            said(of_record(None, None, None, time, &hours));
        }
    }
}
