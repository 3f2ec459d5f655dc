//! `INVALID_PHONE`

use super::{Subject, phones};
use crate::intake::e164;

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    let invalid = phones(subject.lead).find(|phone| e164(phone, subject.country).is_none())?;
    Some(match subject.country {
        None if !invalid.starts_with('+') => format!("`{invalid}` has no country code, and no country is configured"),
        _ => format!("`{invalid}` is no phone number"),
    })
}
