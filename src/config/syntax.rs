//! Reports what the TOML parser did not understand.

use std::ops::Range;

use toml::de::Error;

use super::reader::{File, Level};

const DUPLICATE: &str = "duplicate key";
/// Longer than any key is, shorter than any secret should be.
const LONGEST_KEY: usize = 30;

/// Reports the first syntax error of each line; the parser's further ones are mostly consequences. Whether the tables
/// hold what the file says all the same, so that they can be checked too.
pub(super) fn report(file: &File<'_>, errors: &[Error]) -> bool {
    let mut errors: Vec<_> = errors.iter().map(|error| (error.span().unwrap_or_default(), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let sound = errors.iter().all(|(_, message)| *message == DUPLICATE);
    errors.dedup_by_key(|(span, _)| file.line(span.start).start);
    for (span, message) in errors {
        let (key, message) = if message == DUPLICATE {
            (file.text().get(span.clone()).unwrap_or_default().to_owned(), "is there twice".to_owned())
        } else {
            (String::new(), format!("not valid TOML: {message}"))
        };
        file.mask(may_be_secret(file, &span));
        let hint = hint(&message);
        file.report(Level::Problem, Some(span), key, message, hint);
    }
    sound
}

/// The part of a broken line that may be a secret. There is no table to ask, and a key may be misspelt, so it is every
/// value; a line without a key may continue anything.
fn may_be_secret(file: &File<'_>, span: &Range<usize>) -> Range<usize> {
    let line = file.line(span.start);
    let shown = &file.text()[line.clone()];
    let is_header = shown.trim_start().starts_with('[') && !shown.contains(['"', '\'', '=']);
    match shown.split_once('=') {
        Some((key, value)) if is_key(key.trim()) => line.end - value.trim_start().len()..line.end,
        None if is_header => 0..0,
        _ => line,
    }
}

/// Whether it is a key, and not the start of a secret that happens to end in `=`.
fn is_key(text: &str) -> bool {
    text.len() <= LONGEST_KEY && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn hint(message: &str) -> Option<String> {
    let hint = match message {
        "is there twice" => "keep one of the two",
        _ if message.contains("must be quoted") => "put the value in quotes: \"…\"",
        _ if message.contains("basic string") => {
            "close the string with `\"` on the same line, and write `\\\\` for `\\`"
        }
        _ if message.contains("key with no value") => "write `key = value`",
        _ => return None,
    };
    Some(hint.to_owned())
}
