//! Letters that are written in several ways, written in one.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Lower case, without accents, vowel signs, tatweel and marks of direction; alef without hamza, Persian letters as
/// Arabic ones, any digits as ASCII.
pub(super) fn fold(text: &str) -> String {
    const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
    NFKD.normalize(text).chars().flat_map(char::to_lowercase).filter(|char| !is_mark(*char)).map(one_form).collect()
}

/// What shows nothing or little. Decomposed, a hamza above its letter is one of these.
fn is_mark(char: char) -> bool {
    matches!(
        char,
        '\u{300}'..='\u{36f}' // accents
        | '\u{64b}'..='\u{65f}' | '\u{670}' // vowel signs
        | '\u{640}' // tatweel
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        | '\'' | '`' | '’' | '‘' | 'ʼ' | 'ʿ' | 'ʾ'
    )
}

fn one_form(char: char) -> char {
    match char {
        'ٱ' => 'ا',
        'ی' => 'ي',
        'ک' => 'ك',
        'ہ' | 'ە' => 'ه',
        '\u{660}'..='\u{669}' => digit(char, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(char, 0x6f0),
        char => char,
    }
}

fn digit(char: char, zero: u32) -> char {
    char::from_digit(u32::from(char) - zero, 10).unwrap_or(char)
}

/// The words of a folded text.
pub(super) fn words(text: &str) -> Vec<String> {
    fold(text).split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether it is written in Arabic letters.
pub(super) fn is_arabic(word: &str) -> bool {
    word.chars().any(|char| ('\u{600}'..='\u{6ff}').contains(&char))
}
