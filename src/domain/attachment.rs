//! A file for a message in Odoo.

use serde::{Deserialize, Serialize};

use super::Media;

/// Longest name that is kept.
const MAX_NAME: usize = 120;

/// MIME types with the ends of names that go with them, as messengers send them.
const KNOWN: [(&str, &str); 14] = [
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("video/mp4", "mp4"),
    ("video/3gpp", "3gp"),
    ("video/quicktime", "mov"),
    ("audio/ogg", "ogg"),
    ("audio/ogg", "oga"),
    ("audio/mpeg", "mp3"),
    ("audio/mp4", "m4a"),
    ("audio/aac", "aac"),
    ("audio/amr", "amr"),
    ("application/pdf", "pdf"),
];

/// Which message a file belongs to, and what it is. `docs/BRIDGE.md` describes the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// The id of the message's source in the configuration.
    pub source: String,
    /// The message's id on its platform.
    pub message: String,
    /// Which of its files, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its MIME type; without one Odoo looks at the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Why there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// Why a file is not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The platform does not have it (any more).
    Gone,
    /// It is larger than what is fetched.
    TooLarge,
    /// Its bytes are not those that the platform announced.
    Damaged,
}

impl Missing {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
        }
    }
}

/// What became of it in Odoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attached {
    /// It is there now, or the message says why not.
    Done,
    /// That was so before.
    Known,
    /// The message is not in Odoo any more, or was taken back by its sender.
    Gone,
}

/// A MIME type without its parameters; `None` if it is none.
pub fn plain_mime(mime: &str) -> Option<String> {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_lowercase();
    let is_word = |word: &str| {
        (1..=100).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    mime.split_once('/').is_some_and(|(kind, sub)| is_word(kind) && is_word(sub)).then_some(mime)
}

/// The MIME type of what has such a name, if it is a usual one.
pub fn mime_of(name: &str) -> Option<String> {
    let (_, end) = name.rsplit_once('.')?;
    KNOWN.iter().find(|(_, known)| end.eq_ignore_ascii_case(known)).map(|(mime, _)| (*mime).to_owned())
}

/// The name under which a file is kept: the sender's own, cleaned, or one made of the kind of its message.
pub fn file_name(media: &Media, kind: &str, mime: Option<&str>) -> String {
    let own = media.name.as_deref().unwrap_or_default();
    // What a path or another system would take for more than a name, and marks that turn the direction of writing.
    let odd = |c: char| {
        c.is_control()
            || "/\\:*?\"<>|".contains(c)
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let cleaned: String = own.chars().map(|c| if odd(c) { ' ' } else { c }).collect();
    let cleaned = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    let cleaned = cleaned.trim_start_matches(['.', ' ']);
    if cleaned.chars().any(char::is_alphanumeric) {
        let length = cleaned.chars().count();
        // What it is stands at the end.
        let Some(over) = length.checked_sub(MAX_NAME) else { return cleaned.to_owned() };
        let keep_end = cleaned.rsplit_once('.').map_or(0, |(_, end)| end.chars().count() + 1);
        let keep_end = if keep_end <= 12 { keep_end } else { 0 };
        let start = cleaned.chars().take(length - keep_end - over);
        return start.chain(cleaned.chars().skip(length - keep_end)).collect();
    }
    let end = KNOWN.iter().find(|(known, _)| Some(*known) == mime).map(|(_, end)| *end);
    end.map_or_else(|| kind.to_owned(), |end| format!("{kind}.{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_made() {
        let long = format!("{}.pdf", "x".repeat(300));
        let short = format!("{}.pdf", "x".repeat(116));
        for (own, mime, expected) in [
            (Some("plan.pdf"), Some("application/pdf"), "plan.pdf"),
            (Some("مخطط الفيلا.pdf"), None, "مخطط الفيلا.pdf"),
            (Some("../../etc/passwd"), None, "etc passwd"),
            (Some("..\\a:b*c?.png"), None, "a b c .png"),
            (Some("a\u{202e}fdp.exe"), None, "a fdp.exe"),
            (Some("a\r\n\tb.pdf"), None, "a b.pdf"),
            (Some("<script>.html"), None, "script .html"),
            (Some("..."), Some("image/png"), "image.png"),
            (Some("😀"), Some("image/webp"), "image.webp"),
            (Some(""), Some("audio/ogg"), "image.ogg"),
            (Some(long.as_str()), None, short.as_str()),
            (None, Some("image/jpeg"), "image.jpg"),
            (None, Some("application/x-nobody-knows"), "image"),
            (None, None, "image"),
        ] {
            let media = Media { name: own.map(str::to_owned), ..Media::default() };
            assert_eq!(file_name(&media, "image", mime), expected, "{own:?}");
        }
    }

    #[test]
    fn types_have_no_parameters() {
        for (told, expected) in [
            ("audio/ogg; codecs=opus", Some("audio/ogg")),
            (" Image/JPEG ", Some("image/jpeg")),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ),
            ("image/svg+xml", Some("image/svg+xml")),
            ("image", None),
            ("/", None),
            ("image/", None),
            ("a/b/c", None),
            ("text/html\r\nx: y", None),
            ("", None),
        ] {
            assert_eq!(plain_mime(told).as_deref(), expected, "{told}");
        }
        assert_eq!(mime_of("photos/file_1.JPG").as_deref(), Some("image/jpeg"));
        assert_eq!((mime_of("voice/file_2.oga").as_deref(), mime_of("jpg")), (Some("audio/ogg"), None));
    }
}
