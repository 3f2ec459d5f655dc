//! `INVALID_EMAIL`

use email_address::{EmailAddress, Options};

use super::{Subject, domain, emails};

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    emails(subject.lead).find(|email| !is_valid(email)).map(|email| format!("`{email}` is no e-mail address"))
}

/// By its form, with a domain that can be on the internet.
pub(in crate::intake) fn is_valid(email: &str) -> bool {
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(email, options).is_ok()
        && domain(email).is_some_and(|domain| !domain.contains('_'))
}
