//! What is odd about a lead. A flag never drops one: the configuration says what each is worth.

use std::fmt;

use serde::{Serialize, Serializer};

/// One oddity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The e-mail address cannot be one.
    InvalidEmail,
    /// The phone number cannot be one.
    InvalidPhone,
    /// An address that is thrown away after use.
    DisposableEmail,
    /// A domain that looks like a typing mistake.
    SuspiciousDomain,
    /// On a list of those who must not be contacted.
    DncList,
    /// A test of the platform, or of somebody who tries the form.
    TestLead,
    /// Written by a program, or to sell something.
    Spam,
    /// They were asked to agree to something, and did not.
    NoConsent,
    /// Odoo seems to have this person already.
    Duplicate,
}

impl Flag {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::InvalidEmail,
        Self::InvalidPhone,
        Self::DisposableEmail,
        Self::SuspiciousDomain,
        Self::DncList,
        Self::TestLead,
        Self::Spam,
        Self::NoConsent,
        Self::Duplicate,
    ];

    /// Its name in the configuration and in Odoo.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidEmail => "INVALID_EMAIL",
            Self::InvalidPhone => "INVALID_PHONE",
            Self::DisposableEmail => "DISPOSABLE_EMAIL",
            Self::SuspiciousDomain => "SUSPICIOUS_DOMAIN",
            Self::DncList => "DNC_LIST",
            Self::TestLead => "TEST_LEAD",
            Self::Spam => "SPAM",
            Self::NoConsent => "NO_CONSENT",
            Self::Duplicate => "DUPLICATE",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
