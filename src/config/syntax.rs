//! Reports what the TOML parser did not understand.

use std::ops::Range;

use toml::de::Error;

use super::{
    mask,
    reader::{File, Level},
};

const DUPLICATE: &str = "duplicate key";

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

/// The part of a broken line that may be a secret. There is no table to ask, so it is guessed from the line and the
/// header above it; a line without a key may continue anything.
fn may_be_secret(file: &File<'_>, span: &Range<usize>) -> Range<usize> {
    let (text, line) = (file.text(), file.line(span.start));
    let shown = &text[line.clone()];
    let header = text[..line.start].lines().rev().find(|line| line.trim_start().starts_with('[')).unwrap_or("");
    let is_header = shown.trim_start().starts_with('[') && !shown.contains(['"', '\'', '=']);
    match shown.find('=') {
        Some(equals) if mask::sounds_secret(shown) || mask::sounds_secret(header) => {
            let value = shown[equals + 1..].trim_start();
            line.end - value.len()..line.end
        }
        None if !is_header => line,
        _ => 0..0,
    }
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
