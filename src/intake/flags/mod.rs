//! What is odd about a lead: one file per flag. Nothing is dropped; each flag comes with its reason, and the
//! configuration says what follows from it.
//!
//! `DUPLICATE`, and who is on Odoo's own blacklists, is not found here but where the operation is carried out ([`late`]).

mod disposable_email;
mod dnc_list;
mod invalid_email;
mod invalid_phone;
mod no_consent;
mod spam;
mod suspicious_domain;
mod test_lead;

use std::collections::BTreeSet;

use serde::Serialize;

pub use dnc_list::DncList;

use crate::{
    config::{self, FlagAction},
    domain::{Flag, LateFlags, LeadDraft},
};

/// What a check may look at.
struct Subject<'a> {
    /// The normalised lead.
    lead: &'a LeadDraft,
    /// Where its phone numbers are at home.
    country: Option<&'a str>,
    settings: &'a config::Flags,
    dnc: &'a DncList,
    /// Domains that take no mail.
    no_mail: &'a BTreeSet<String>,
}

/// A check: the reason why the flag is raised, in a few words.
type Check = fn(&Subject<'_>) -> Option<String>;

/// Every flag that a lead itself can raise, in the order in which they are told.
const CHECKS: &[(Flag, Check)] = &[
    (Flag::InvalidEmail, invalid_email::check),
    (Flag::InvalidPhone, invalid_phone::check),
    (Flag::DisposableEmail, disposable_email::check),
    (Flag::SuspiciousDomain, suspicious_domain::check),
    (Flag::DncList, dnc_list::check),
    (Flag::TestLead, test_lead::check),
    (Flag::Spam, spam::check),
    (Flag::NoConsent, no_consent::check),
];

/// A flag that was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Raised {
    /// Which.
    pub flag: Flag,
    /// Why.
    pub reason: String,
    /// What follows.
    pub action: FlagAction,
}

/// The flags of a normalised lead.
pub(super) fn raise(
    lead: &LeadDraft,
    country: Option<&str>,
    settings: &config::Flags,
    dnc: &DncList,
    no_mail: &BTreeSet<String>,
) -> Vec<Raised> {
    let country = lead.country.as_deref().or(country);
    let subject = Subject { lead, country, settings, dnc, no_mail };
    let raised = |(flag, check): &(Flag, Check)| {
        Some(Raised { flag: *flag, reason: check(&subject)?, action: settings.action(*flag) })
    };
    CHECKS.iter().filter_map(raised).collect()
}

/// Flags that only Odoo can raise.
const LATE: [Flag; 2] = [Flag::DncList, Flag::Duplicate];

/// What Odoo is to look for, and what follows.
pub(super) fn late(lead: &LeadDraft, settings: &config::Flags) -> LateFlags {
    let with = |action| {
        LATE.iter().filter(|flag| settings.action(**flag) == action).map(|flag| flag.code().to_owned()).collect()
    };
    LateFlags {
        emails: emails(lead).map(str::to_owned).collect(),
        phones: phones(lead).map(str::to_owned).collect(),
        tag: with(FlagAction::Tag),
        archive: with(FlagAction::Archive),
        hold: with(FlagAction::Hold),
    }
}

/// Every e-mail address of a lead.
fn emails(lead: &LeadDraft) -> impl Iterator<Item = &str> {
    lead.email.iter().chain(&lead.other_emails).map(String::as_str)
}

/// Every phone number of a lead.
fn phones(lead: &LeadDraft) -> impl Iterator<Item = &str> {
    lead.phone.iter().chain(&lead.other_phones).map(String::as_str)
}

/// The domain of an address.
fn domain(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::intake::{dictionary, normalise};

    /// The flags of a lead, by their codes.
    fn flags(lead: Value) -> Vec<&'static str> {
        let lead: LeadDraft = serde_json::from_value(lead).expect("a lead");
        let lead = normalise::lead(lead, Some("SA")).lead;
        let dnc = DncList::new("# asked us not to\n0551112222\nNo@Example.com\n@rival.com\n", Some("SA"));
        let no_mail = BTreeSet::from(["gone.example".to_owned()]);
        let raised = raise(&lead, Some("SA"), &config::Flags::default(), &dnc, &no_mail);
        for Raised { flag, reason, .. } in &raised {
            assert!(dictionary::knows(reason), "the addon cannot say `{reason}` of {flag} in Arabic");
        }
        raised.iter().map(|raised| raised.flag.code()).collect()
    }

    #[test]
    fn a_good_lead_has_none() {
        let lead = json!({
            "contact_name": "Sara Ali", "email": "sara@example.com", "phone": "0501234567", "message": "Call me",
            "website": "https://example.com", "consent": [{"text": "May we call?", "given": true}],
        });
        assert_eq!(flags(lead), [""; 0]);
        assert_eq!(flags(json!({"name": "Fleet"})), [""; 0]);
    }

    #[test]
    fn each_flag_has_its_reasons() {
        for (expected, lead) in [
            ("INVALID_EMAIL", json!({"email": "sara"})),
            ("INVALID_EMAIL", json!({"email": "sara@localhost"})),
            ("INVALID_EMAIL", json!({"email": "a b@example.com"})),
            ("INVALID_EMAIL", json!({"email": "a@example..com"})),
            ("INVALID_EMAIL", json!({"email": "sara@example.com", "other_emails": ["nobody"]})),
            ("INVALID_PHONE", json!({"phone": "050123"})),
            ("INVALID_PHONE", json!({"phone": "call me"})),
            ("DISPOSABLE_EMAIL", json!({"email": "x@mailinator.com"})),
            ("DISPOSABLE_EMAIL", json!({"email": "x@sub.mailinator.com"})),
            ("SUSPICIOUS_DOMAIN", json!({"email": "sara@gmial.com"})),
            ("SUSPICIOUS_DOMAIN", json!({"email": "sara@hotmail.con"})),
            ("SUSPICIOUS_DOMAIN", json!({"email": "sara@Gone.example"})),
            ("DNC_LIST", json!({"phone": "+966 55 111 2222"})),
            ("DNC_LIST", json!({"email": "no@EXAMPLE.com"})),
            ("DNC_LIST", json!({"email": "anybody@rival.com"})),
            ("TEST_LEAD", json!({"name": "x", "test": true})),
            ("TEST_LEAD", json!({"contact_name": "<test lead: dummy data for full_name>"})),
            ("TEST_LEAD", json!({"email": "test@meta.com"})),
            ("TEST_LEAD", json!({"email": "test@fb.com"})),
            ("SPAM", json!({"name": "x", "honeypot": true})),
            ("SPAM", json!({"name": "x", "message": "http://a.b http://c.d https://e.f www.g.h"})),
            ("SPAM", json!({"contact_name": "Buy now cheap", "company": "Buy now cheap", "message": "Buy now cheap"})),
            ("SPAM", json!({"name": "x", "message": "win win win win win win win win win win win win"})),
            ("NO_CONSENT", json!({"name": "x", "consent": [{"text": "May we call?", "given": false}]})),
        ] {
            assert_eq!(flags(lead.clone()), [expected], "{lead}");
        }
    }
}
