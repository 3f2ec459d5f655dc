//! E-mail addresses and phone numbers, for comparison only: what is stored stays as it came.

use phonenumber::{Type, metadata::DATABASE};

use super::fold::fold;
use crate::intake::e164;

/// An address in the form in which equal ones are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Email {
    /// Canonical.
    pub address: String,
    /// Read by whoever is on duty: `info@…`.
    pub shared: bool,
}

const ROLES: &[&str] = &[
    "info",
    "sales",
    "sale",
    "contact",
    "contactus",
    "admin",
    "office",
    "support",
    "hello",
    "marketing",
    "hr",
    "reception",
    "procurement",
    "purchasing",
    "purchase",
    "accounts",
    "accounting",
    "finance",
    "mail",
    "email",
    "service",
    "services",
    "customerservice",
    "cs",
    "care",
    "customercare",
    "inquiry",
    "inquiries",
    "enquiry",
    "enquiries",
    "webmaster",
    "manager",
    "team",
    "jobs",
    "orders",
    "order",
    "booking",
    "reservations",
    "help",
    "helpdesk",
    "secretary",
    "projects",
    "tenders",
    "general",
    "company",
    "shop",
    "store",
];

/// What people type who do not want to say.
const FILLERS: &[&str] =
    &["test", "none", "no", "na", "noemail", "nomail", "noreply", "no-reply", "xxx", "abc", "a", "x"];

impl Email {
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = fold(text);
        // "Sara Ali <sara@example.com>"
        let bare = text.rsplit_once('<').map_or(&*text, |(_, rest)| rest.trim_end_matches(['>', ' ']));
        let (local, domain) = bare.trim().rsplit_once('@')?;
        let (local, domain) = (local.split('+').next().unwrap_or(local), domain.trim_end_matches('.'));
        let (local, domain) = match domain {
            "gmail.com" | "googlemail.com" => (local.replace('.', ""), "gmail.com"),
            domain => (local.to_owned(), domain),
        };
        if local.is_empty() || !domain.contains('.') || FILLERS.contains(&&*local) {
            return None;
        }
        let shared = ROLES.contains(&&*local.replace(['.', '-', '_'], ""));
        Some(Self { address: format!("{local}@{domain}"), shared })
    }

    /// By what it is found in Odoo: without dots before the `@`, whatever the domain.
    pub(super) fn search_keys(&self) -> Vec<String> {
        let (local, domain) = self.address.rsplit_once('@').unwrap_or_default();
        let local = local.replace('.', "");
        let domains: &[&str] = if domain == "gmail.com" { &["gmail.com", "googlemail.com"] } else { &[domain] };
        domains.iter().map(|domain| format!("{local}@{domain}")).collect()
    }
}

/// A number, as far as it can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phone {
    e164: Option<String>,
    /// Without the zeros in front.
    digits: String,
    /// Belongs to one person as a rule.
    pub mobile: bool,
}

impl Phone {
    /// The numbers in a field. `country` is where one without a country code is.
    pub(super) fn all(text: &str, country: Option<&str>) -> Vec<Self> {
        text.split(['/', ',', ';', '،']).filter_map(|number| Self::new(number, country)).collect()
    }

    fn new(text: &str, country: Option<&str>) -> Option<Self> {
        let text = fold(text);
        let line = without_extension(&text);
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.len() < 7 || is_filler(&digits) {
            return None;
        }
        let with_code = || (digits.len() > 10).then(|| e164(&format!("+{digits}"), None)).flatten();
        let e164 = e164(line, country).or_else(with_code);
        let kind = e164.as_ref().and_then(|number| phonenumber::parse(None, number).ok());
        let mobile = match kind.map(|number| number.number_type(&DATABASE)) {
            Some(kind) => matches!(kind, Type::Mobile | Type::FixedLineOrMobile | Type::PersonalNumber),
            // Mobile numbers of the Gulf and of Egypt.
            None => matches!((digits.len(), digits.as_bytes()[0]), (9, b'5') | (10, b'1')),
        };
        Some(Self { e164, digits, mobile })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.e164, &other.e164) {
            (Some(a), Some(b)) => a == b,
            // One of them without its country code.
            _ => {
                let (short, long) = match self.digits.len() <= other.digits.len() {
                    true => (&self.digits, &other.digits),
                    false => (&other.digits, &self.digits),
                };
                short.len() >= 8 && long.ends_with(short.as_str())
            }
        }
    }

    /// By what it is found in Odoo: its last digits.
    pub(super) fn search_key(&self) -> String {
        let digits = &self.digits;
        digits[digits.len().saturating_sub(SEARCH_DIGITS)..].to_owned()
    }
}

/// As many as the shortest national numbers of the Gulf have. The addon's index counts alike.
const SEARCH_DIGITS: usize = 8;

fn without_extension(text: &str) -> &str {
    let cut = ["ext", "x", "#", "تحويله", "تحويلة", "داخلي"].iter().filter_map(|mark| text.find(mark)).min();
    &text[..cut.unwrap_or(text.len())]
}

/// What people type who do not want to say: 0500000000, 1234567890.
fn is_filler(digits: &str) -> bool {
    let last = &digits.as_bytes()[digits.len() - 7..];
    last.windows(2).all(|pair| pair[0] == pair[1]) || digits.starts_with("1234567")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Phone {
        Phone::new(text, Some("SA")).unwrap_or_else(|| panic!("{text} is no number"))
    }

    #[test]
    fn a_number_in_any_spelling() {
        for text in
            ["0501234567", "+966 50 123 4567", "00966501234567", "966501234567", "٠٥٠١٢٣٤٥٦٧", "+966 (0) 50-123-4567"]
        {
            assert!(phone(text).is_same(&phone("+966501234567")), "{text}");
            assert!(phone(text).mobile, "{text}");
            assert_eq!(phone(text).search_key(), "01234567", "{text}");
        }
        assert!(!phone("+971501234567").is_same(&phone("0501234567")));
        assert!(Phone::new("0501234567", None).expect("a number").is_same(&phone("0501234567")));
        assert!(phone("011 465 1234 ext 12").is_same(&phone("+966114651234")));
        assert!(!phone("0114651234").mobile);
        for filler in ["0500000000", "1234567890", "0123456789", "12345", "-"] {
            assert_eq!(Phone::new(filler, Some("SA")), None, "{filler}");
        }
    }

    #[test]
    fn an_address_in_any_spelling() {
        let email = |text| Email::new(text).map(|email| email.address);
        assert_eq!(email("Sara.Ali+ads@GoogleMail.com"), email("saraali@gmail.com"));
        assert_eq!(email("\"Sara\" <Sara@Example.com>"), email("sara+x@example.com"));
        assert_ne!(email("s.ali@example.com"), email("sali@example.com"));
        assert_eq!(email("no@email"), None);
        assert!(Email::new("info@acme.sa").expect("an address").shared);
    }
}
