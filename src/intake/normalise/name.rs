//! Names of people and companies.

use super::text;

/// The line that stretches Arabic letters, and means nothing.
const TATWEEL: char = '\u{640}';

/// The usual form of each character, nothing invisible, one space between words.
pub(super) fn tidy(typed: &str) -> String {
    text::line(&text::compatible(&text::visible(typed)).replace(TATWEEL, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoration_goes_and_letters_stay() {
        assert_eq!(tidy("محـــمد\u{200f} \u{a0}أحمد"), "محمد أحمد");
        assert_eq!(tidy("ﻣﺤﻤﺪ"), "محمد");
        assert_eq!(tidy("Ｓａｒａ\u{3000}Ali"), "Sara Ali");
        assert_eq!(tidy("ـــ"), "");
        assert_eq!(tidy("José O'Neill"), "José O'Neill");
    }
}
