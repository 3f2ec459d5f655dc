//! Spelling of single texts.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Composed characters (NFC), so that the same name is the same bytes.
fn composed(text: &str) -> String {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    NFC.normalize(text).into_owned()
}

/// The usual form of each character (NFKC): full-width letters, ligatures and presentation forms of Arabic give way.
pub(super) fn compatible(text: &str) -> String {
    const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
    NFKC.normalize(text).into_owned()
}

/// One line: composed, no space around it, one space between words.
pub(super) fn line(text: &str) -> String {
    composed(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Several lines: composed, no space at the ends.
pub(super) fn lines(text: &str) -> String {
    composed(text).lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What may be dialled: ASCII digits and nothing invisible. Texts copied from right-to-left pages bring marks along.
pub(super) fn dialled(text: &str) -> String {
    line(&compatible(&visible(text)).chars().map(ascii_digit).collect::<String>())
}

/// Without the marks that show nothing: directions, joiners, zero-width spaces.
pub(super) fn visible(text: &str) -> String {
    let invisible = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.replace(invisible, "")
}

/// Arabic-Indic and Persian digits as ASCII.
fn ascii_digit(char: char) -> char {
    let zero = match char {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        _ => return char,
    };
    char::from_digit(u32::from(char) - zero, 10).unwrap_or(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_tidy() {
        assert_eq!(line("  Sara \t\n Ali\u{a0} "), "Sara Ali");
        assert_eq!(line("Cafe\u{301}"), "Caf\u{e9}");
        assert_eq!(lines(" a  \n\n  b\t\n"), "a\n\n  b");
    }

    #[test]
    fn phones_have_ascii_digits() {
        assert_eq!(dialled("\u{202a}+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧\u{202c}"), "+966 50 123 4567");
        assert_eq!(dialled("۰۹۱۲"), "0912");
        assert_eq!(dialled("050-123 (4567)"), "050-123 (4567)");
    }
}
