//! Phone numbers: E.164 where the number is one, else as it was typed.

use phonenumber::{Mode, country};

use super::text;

/// The longest text that is read as a number; what is longer is prose.
const LONGEST: usize = 64;

/// The number as E.164, such as `+966501234567`; `None` if it is no valid number.
///
/// `country` (ISO 3166-1, two letters) completes what was typed without a country code. Digits may be Arabic-Indic or
/// Persian, marks of direction do not count, an extension is left out.
pub fn e164(typed: &str, country: Option<&str>) -> Option<String> {
    let typed = text::dialled(typed);
    // Ten digits more or less: the cheap question first, and no list of numbers is glued together to one.
    if typed.len() > LONGEST || typed.bytes().filter(u8::is_ascii_digit).count() < 6 {
        return None;
    }
    let home = country.and_then(|code| code.parse::<country::Id>().ok());
    // Abroad begins with 00 in all of Europe, the Gulf and most of the rest.
    let international = typed.strip_prefix("00").map(|rest| format!("+{rest}"));
    [international, Some(typed)]
        .into_iter()
        .flatten()
        .filter_map(|number| phonenumber::parse(home, number).ok())
        .find(|number| number.is_valid())
        .map(|number| number.format().mode(Mode::E164).to_string())
}

/// The number as E.164, or tidied as it was typed.
pub(super) fn tidy(typed: &str, country: Option<&str>) -> String {
    e164(typed, country).unwrap_or_else(|| text::dialled(typed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_spellings_of_one_number_are_one() {
        for typed in [
            "0501234567",
            "501234567",
            "966501234567",
            "+966501234567",
            "00966501234567",
            "+966 0501234567",
            "+966 (0) 50 123 4567",
            "050-123-4567",
            "(050) 123 4567",
            "٠٥٠١٢٣٤٥٦٧",
            "۰۵۰۱۲۳۴۵۶۷",
            "\u{202a}+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧\u{202c}",
            "\u{200f}00966 50 123 4567",
            "جوال 0501234567",
            "Mobile: 050 123 4567",
            "0501234567 ext. 12",
            "+966\u{a0}50\u{a0}123\u{a0}4567",
            "０５０１２３４５６７",
        ] {
            assert_eq!(e164(typed, Some("SA")).as_deref(), Some("+966501234567"), "{typed}");
        }
    }

    #[test]
    fn each_country_has_its_own_local_form() {
        for (country, typed, expected) in [
            ("AE", "0501234567", "+971501234567"),
            ("AE", "04 234 5678", "+97142345678"),
            ("KW", "50012345", "+96550012345"),
            ("BH", "36001234", "+97336001234"),
            ("QA", "33123456", "+97433123456"),
            ("OM", "92123456", "+96892123456"),
            ("EG", "01001234567", "+201001234567"),
            ("JO", "0790123456", "+962790123456"),
            ("SA", "011 234 5678", "+966112345678"),
            ("SA", "00971501234567", "+971501234567"),
            ("SA", "+44 20 7946 0018", "+442079460018"),
        ] {
            assert_eq!(e164(typed, Some(country)).as_deref(), Some(expected), "{typed} in {country}");
        }
    }

    #[test]
    fn what_is_no_number_stays_as_it_was_typed() {
        for typed in ["", "12", "050", "call me", "0501234567 / 0509876543", "05012345678901", "+966 12", "00000000"] {
            assert_eq!(e164(typed, Some("SA")), None, "{typed}");
        }
        assert_eq!(tidy(" ٠٥٠ 12 ", Some("SA")), "050 12");
    }

    #[test]
    fn without_a_country_only_international_numbers_are_read() {
        assert_eq!(e164("00966501234567", None).as_deref(), Some("+966501234567"));
        assert_eq!(e164("+966501234567", None).as_deref(), Some("+966501234567"));
        assert_eq!(e164("0501234567", None), None);
        assert_eq!(e164("0501234567", Some("XX")), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_number_that_stays_itself(typed in "\\PC{0,70}|[+0-9٠-٩ ()/x#.-]{0,30}") {
            if let Some(number) = e164(&typed, Some("SA")) {
                prop_assert!(number.starts_with('+') && number[1..].bytes().all(|byte| byte.is_ascii_digit()));
                prop_assert_eq!(e164(&number, Some("AE")), Some(number));
            }
        }
    }
}
