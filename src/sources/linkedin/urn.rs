//! The names of things at LinkedIn: `urn:li:<kind>:<id>`.

use std::fmt;

const PREFIX: &str = "urn:li:";
const MAX_ID: usize = 100;

/// The id behind `urn:li:<kind>:`, or the text itself if it is an id alone. It may be part of an address.
pub(super) fn id<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
    let id = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(kind)?.strip_prefix(':')).unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain)).then_some(id)
}

/// What comes behind the last colon of a URN of any kind.
pub(super) fn tail(text: &str) -> &str {
    if text.starts_with(PREFIX) { text.rsplit(':').next().unwrap_or(text) } else { text }
}

/// The form of `urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)`, or of `urn:li:leadGenForm:3162`.
pub(super) fn form(text: &str) -> Option<&str> {
    let inner = text.split_once('(').map_or(text, |(_, inner)| inner);
    let inner = inner.split([',', ')']).next().unwrap_or(inner);
    id(inner.trim(), "leadGenForm")
}

/// Who leads belong to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Owner {
    urn: String,
    kind: &'static str,
}

impl Owner {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let kind = ["sponsoredAccount", "organization"].into_iter().find(|kind| {
            let id = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(kind)?.strip_prefix(':'));
            id.is_some_and(|id| (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()))
        })?;
        Some(Self { urn: text.to_owned(), kind })
    }

    pub(super) fn urn(&self) -> &str {
        &self.urn
    }

    /// As the API wants it: `sponsoredAccount:urn%3Ali%3A…`. Only what is inside is encoded.
    pub(super) fn finder(&self) -> String {
        format!("{}:{}", self.kind, self.urn.replace(':', "%3A"))
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.urn, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_out_of_their_names() {
        let response = "leadGenFormResponse";
        assert_eq!(id("urn:li:leadGenFormResponse:1a2b-4", response), Some("1a2b-4"));
        assert_eq!(id("1a2b-4", response), Some("1a2b-4"));
        let long = "a".repeat(101);
        for bad in ["", "urn:li:leadGenFormResponse:", "urn:li:person:1", "../me", "a/b", "a%2Fb", "ا", long.as_str()]
        {
            assert_eq!(id(bad, response), None, "{bad}");
        }
        assert_eq!(form("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)"), Some("3162"));
        assert_eq!(form("urn:li:versionedLeadGenForm:(urn:li:leadGenForm:1, 1)"), Some("1"));
        assert_eq!((form("urn:li:leadGenForm:3162"), form("3162")), (Some("3162"), Some("3162")));
        assert_eq!((form("urn:li:versionedLeadGenForm:(urn:li:person:1,1)"), form("(")), (None, None));
        assert_eq!((tail("urn:li:sponsoredCampaign:60"), tail("60")), ("60", "60"));
    }

    #[test]
    fn an_owner_is_an_account_or_an_organization() {
        let owner = Owner::parse("urn:li:sponsoredAccount:512345678").expect("an owner");
        assert_eq!(owner.finder(), "sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A512345678");
        assert!(Owner::parse("urn:li:organization:7").is_some());
        for bad in ["512345678", "urn:li:person:1", "urn:li:organization:", "urn:li:organization:1)", ""] {
            assert!(Owner::parse(bad).is_none(), "{bad}");
        }
    }
}
