//! `NO_CONSENT`

use super::Subject;

/// Who was never asked has not refused.
pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    let refused = subject.lead.consent.iter().find(|consent| !consent.given)?;
    Some(format!("not agreed: {}", refused.text.chars().take(100).collect::<String>()))
}
