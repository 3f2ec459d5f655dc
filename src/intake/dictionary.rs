//! For tests: the addon's dictionary, by which people read in their own language why a lead has its score and its flags.

const ADDON: &str = include_str!("../../odoo-addon/g_assistant_connector/models/crm_lead_reasons.py");

/// Whether the addon knows this phrase, be it with a name or a number in it.
pub(super) fn knows(phrase: &str) -> bool {
    let known = ADDON.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once("\": _(")?.0));
    known.into_iter().any(|template| fits(template, phrase))
}

/// Whether `phrase` is `template` with something in place of each `%(name)s`.
fn fits(template: &str, phrase: &str) -> bool {
    let mut texts = template.split("%(").enumerate().map(|(at, part)| match at {
        0 => part.to_owned(),
        _ => part.split_once(")s").map_or_else(String::new, |(_, text)| text.replace("%%", "%")),
    });
    let Some(mut rest) = texts.next().and_then(|first| phrase.strip_prefix(&first)) else { return false };
    let mut texts: Vec<String> = texts.collect();
    let Some(last) = texts.pop() else { return rest.is_empty() };
    for text in texts {
        match rest.split_once(&text) {
            Some((something, after)) if !something.is_empty() => rest = after,
            _ => return false,
        }
    }
    rest.strip_suffix(&last).is_some_and(|something| !something.is_empty())
}

#[test]
fn a_phrase_is_known_whatever_is_in_it() {
    for phrase in
        ["a message", "campaign Q4, Riyadh", "gmial.com looks like gmail.com", "average lead 7 %", "1 answered"]
    {
        assert!(knows(phrase), "{phrase}");
    }
    for phrase in ["", "campaign ", "a word that nobody says", " answered", "`x` is no"] {
        assert!(!knows(phrase), "{phrase}");
    }
}
