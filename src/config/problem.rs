//! What is wrong with a configuration, and how that is shown.
//!
//! A problem is shown as `file:line:column: key: message`, the line with a caret under the value, and a hint. Text
//! that may be a secret is replaced by `***` before it gets here: a [`Problem`] can be printed anywhere.

use std::{fmt, ops::Range};

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// Dotted path such as `sources.web.secret`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line and the carets under it; empty if the problem is about something that is not there.
    pub excerpt: String,
}

/// All problems (or all warnings) of one file, in the order of their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// The file's path as it was given.
    pub file: String,
    /// The problems.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{problem}", self.file)?;
        }
        Ok(())
    }
}

/// The 1-based line and column (in characters) of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let start = line(text, offset).start;
    let before = text[start..].char_indices().take_while(|(index, _)| start + index < offset).count();
    (text[..start].matches('\n').count() + 1, before + 1)
}

/// The line around a byte offset, without its end.
pub(super) fn line(text: &str, offset: usize) -> Range<usize> {
    // On bytes: the parser may point into a character.
    let (before, after) = text.as_bytes().split_at(offset.min(text.len()));
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let end = after.iter().position(|byte| *byte == b'\n').map_or(text.len(), |newline| before.len() + newline);
    start..end
}

/// The line where `span` starts, with carets under the span. Bytes inside `masks` are shown as `***`, whatever their
/// number, so that not even the length of a secret is told.
pub(super) fn excerpt(text: &str, span: &Range<usize>, masks: &[Range<usize>]) -> String {
    let line = line(text, span.start);
    let (mut shown, mut carets, mut in_mask) = (String::new(), String::new(), false);
    for (index, char) in text[line.clone()].trim_end().char_indices() {
        let at = line.start + index;
        let caret = if at == span.start || span.contains(&at) { '^' } else { ' ' };
        let masked = masks.iter().any(|mask| mask.contains(&at));
        if !masked {
            shown.push(if char == '\t' { ' ' } else { char });
            carets.push(caret);
        } else if !in_mask {
            shown.push_str("***");
            carets.extend([caret; 3]);
        }
        in_mask = masked;
    }
    if !carets.contains('^') {
        // The span is the end of the line, such as where a quote is missing.
        carets.push('^');
    }
    format!("  {shown}\n  {}", carets.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\nname = \"شركة\" # x\n";
        let offset = text.find('#').unwrap();
        assert_eq!(position(text, offset), (2, 15));
        assert_eq!(excerpt(text, &(offset..offset + 1), &[]), "  name = \"شركة\" # x\n                ^");
    }

    #[test]
    fn a_mask_hides_the_length() {
        let text = "secret = \"abc\", other = 1";
        let masks = std::slice::from_ref(&(10..13));
        assert_eq!(excerpt(text, &(9..14), masks), "  secret = \"***\", other = 1\n           ^^^^^");
        assert_eq!(excerpt(text, &(16..21), masks), "  secret = \"***\", other = 1\n                  ^^^^^");
    }

    #[test]
    fn the_end_of_a_line_can_be_pointed_at() {
        assert_eq!(excerpt("[x\ny = 1", &(2..2), &[]), "  [x\n    ^");
        assert_eq!(excerpt("", &(0..0), &[]), "  \n  ^");
    }
}
