//! `SPAM`

use std::collections::HashMap;

use super::Subject;

/// A word that is that much of a text is no message. Shorter texts say "yes yes yes".
const FEWEST_WORDS: usize = 10;

pub(super) fn check(subject: &Subject<'_>) -> Option<String> {
    let lead = subject.lead;
    if lead.honeypot {
        return Some("a field that people do not see was filled in".to_owned());
    }
    let texts = || lead.message.iter().chain(lead.answers.iter().map(|(_, answer)| answer));
    let links: usize = texts().map(|text| links(text)).sum();
    if links > subject.settings.most_links {
        return Some(format!("{links} links, more than {}", subject.settings.most_links));
    }
    if texts().any(|text| is_repetition(text)) {
        return Some("one word over and over".to_owned());
    }
    let named = [&lead.contact_name, &lead.company, &lead.message];
    match named {
        [Some(name), Some(company), Some(message)] if name == company && company == message => {
            Some("the same text in every field".to_owned())
        }
        _ => None,
    }
}

fn links(text: &str) -> usize {
    let starts = |word: &str| {
        let word = word.trim_start_matches(|char: char| !char.is_alphanumeric());
        ["http://", "https://", "www."]
            .iter()
            .any(|start| word.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)))
    };
    text.split_whitespace().filter(|word| starts(word)).count()
}

/// Whether one word is most of the text.
fn is_repetition(text: &str) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut words = 0;
    for word in text.split_whitespace() {
        *counts.entry(word).or_default() += 1;
        words += 1;
    }
    words >= FEWEST_WORDS && counts.values().max().is_some_and(|most| most * 2 > words)
}
