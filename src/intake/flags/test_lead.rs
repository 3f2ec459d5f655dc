//! `TEST_LEAD`

use super::{Subject, domain, emails};

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    let lead = subject.lead;
    if lead.test {
        return Some("its platform says so".to_owned());
    }
    // What Meta's testing tool fills in.
    let dummy = |text: &String| text.to_ascii_lowercase().starts_with("<test lead");
    let answers = lead.answers.iter().map(|(_, answer)| answer);
    if lead.name.iter().chain(&lead.contact_name).chain(&lead.company).chain(&lead.email).chain(answers).any(dummy) {
        return Some("it holds the dummy data of a testing tool".to_owned());
    }
    let email = emails(lead).find(|email| {
        let email = email.to_ascii_lowercase();
        email == "test@fb.com" || email == "test@meta.com" || matches!(domain(&email), Some("test.com" | "test.test"))
    })?;
    Some(format!("`{email}` is nobody's address"))
}
