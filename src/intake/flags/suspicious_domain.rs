//! `SUSPICIOUS_DOMAIN`: one letter away from where most people have their mail, an ending that does not exist, or, if
//! DNS was asked, a domain that takes no mail.

use super::{Subject, domain, emails};

/// Where most people have their mail. What is on this list, or is a country's own form of it, is never suspicious.
const USUAL: &[&str] = &[
    "gmail.com",
    "hotmail.com",
    "outlook.com",
    "outlook.sa",
    "yahoo.com",
    "icloud.com",
    "live.com",
    "msn.com",
    "aol.com",
    "ymail.com",
    "mail.com",
    "me.com",
    "mac.com",
    "googlemail.com",
    "proton.me",
    "protonmail.com",
    "gmx.com",
    "email.com",
];

/// Worth a guess: the others are too short to tell a mistake from another name.
const GUESSED: &[&str] = &["gmail.com", "hotmail.com", "outlook.com", "yahoo.com", "icloud.com", "googlemail.com"];

/// Endings that people type for `.com`, and nobody can register.
const NO_ENDINGS: &[&str] = &["con", "comm", "vom", "xom", "ocm", "cmo", "coom"];

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    emails(subject.lead).filter_map(domain).find_map(|domain| {
        if let Some(meant) = meant(domain) {
            return Some(format!("{domain} looks like {meant}"));
        }
        if subject.no_mail.contains(domain) {
            return Some(format!("{domain} takes no mail"));
        }
        let ending = domain.rsplit('.').next().filter(|ending| NO_ENDINGS.contains(ending))?;
        Some(format!("no domain ends in .{ending}"))
    })
}

/// The usual domain that was probably meant.
pub(super) fn meant(domain: &str) -> Option<&'static str> {
    if USUAL.contains(&domain) {
        return None;
    }
    let (name, ending) = domain.split_once('.')?;
    GUESSED.iter().copied().find(|usual| {
        let (usual_name, usual_ending) = usual.split_once('.').unwrap_or((usual, ""));
        // `yahoo.co.uk` and `hotmail.fr` are what they say.
        let mistyped = name != usual_name && strsim::damerau_levenshtein(name, usual_name) == 1;
        let cut = name == usual_name && strsim::damerau_levenshtein(ending, usual_ending) == 1 && ending.len() != 2;
        let country = name == usual_name && matches!(ending, "co" | "cm" | "om") && usual_name != "yahoo";
        (mistyped && (ending == usual_ending || NO_ENDINGS.contains(&ending))) || cut || country
    })
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn mistakes_are_told_from_names() {
        for domain in ["gmial.com", "gmai.com", "gmaill.com", "gnail.com", "hotmial.com", "hotmai.com", "yaho.com"] {
            assert!(meant(domain).is_some(), "{domain}");
        }
        for domain in ["gmail.co", "gmail.cm", "outlook.comm", "yahoo.con", "iclud.com", "outlok.com"] {
            assert!(meant(domain).is_some(), "{domain}");
        }
        for domain in ["gmail.com", "ymail.com", "mail.com", "yahoo.co.uk", "yahoo.fr", "hotmail.fr", "outlook.sa"] {
            assert_eq!(meant(domain), None, "{domain}");
        }
        for domain in ["example.com", "email.com", "mail.ru", "aramco.com", "stc.com.sa"] {
            assert_eq!(meant(domain), None, "{domain}");
        }
    }
}
