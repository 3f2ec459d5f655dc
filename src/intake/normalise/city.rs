//! Cities of the Gulf: the usual spellings, Arabic and English, to one name. What is not among them stays as it is.

use super::{name, text};

/// The name, and the spellings that mean it, folded as [`folded`] does.
const CITIES: &[(&str, &[&str])] = &[
    ("Riyadh", &["riyadh", "riyad", "ar riyadh", "al riyadh", "riadh", "الرياض", "رياض"]),
    ("Jeddah", &["jeddah", "jedda", "jiddah", "jidda", "جده"]),
    ("Mecca", &["mecca", "makkah", "makka", "makkah al mukarramah", "مكه", "مكه المكرمه"]),
    (
        "Medina",
        &["medina", "madinah", "madina", "al madinah", "al madinah al munawwarah", "المدينه", "المدينه المنوره"],
    ),
    ("Dammam", &["dammam", "ad dammam", "al dammam", "الدمام", "دمام"]),
    ("Khobar", &["khobar", "al khobar", "alkhobar", "khubar", "al khubar", "الخبر"]),
    ("Dhahran", &["dhahran", "az zahran", "الظهران", "ظهران"]),
    ("Jubail", &["jubail", "al jubail", "الجبيل", "جبيل"]),
    ("Taif", &["taif", "at taif", "al taif", "الطايف", "طايف"]),
    ("Tabuk", &["tabuk", "tabouk", "تبوك"]),
    ("Buraydah", &["buraydah", "buraidah", "buraida", "بريده"]),
    ("Abha", &["abha", "ابها"]),
    ("Khamis Mushait", &["khamis mushait", "khamis mushayt", "خميس مشيط"]),
    ("Hail", &["hail", "ha il", "حايل"]),
    ("Najran", &["najran", "نجران"]),
    ("Jazan", &["jazan", "jizan", "gizan", "جازان", "جيزان"]),
    ("Yanbu", &["yanbu", "yanbou", "ينبع"]),
    ("Hofuf", &["hofuf", "al hofuf", "al ahsa", "al hasa", "ahsa", "الهفوف", "الاحساء", "الاحسا"]),
    ("Dubai", &["dubai", "dubay", "دبي"]),
    ("Abu Dhabi", &["abu dhabi", "abudhabi", "abu dabi", "ابوظبي", "ابو ظبي"]),
    ("Sharjah", &["sharjah", "ash shariqah", "al sharjah", "الشارقه", "شارقه"]),
    ("Ajman", &["ajman", "عجمان"]),
    ("Al Ain", &["al ain", "alain", "العين"]),
    ("Ras Al Khaimah", &["ras al khaimah", "ras al khaima", "rak", "راس الخيمه"]),
    ("Fujairah", &["fujairah", "al fujairah", "الفجيره"]),
    ("Doha", &["doha", "ad dawhah", "al doha", "الدوحه", "دوحه"]),
    ("Kuwait City", &["kuwait city", "مدينه الكويت"]),
    ("Manama", &["manama", "al manamah", "al manama", "المنامه", "منامه"]),
    ("Muscat", &["muscat", "masqat", "مسقط"]),
    ("Salalah", &["salalah", "salala", "صلاله"]),
];

/// The city's one name, or the text tidied.
pub(super) fn tidy(typed: &str) -> String {
    let folded = folded(typed);
    let known = CITIES.iter().find(|(_, spellings)| spellings.contains(&folded.as_str()));
    known.map_or_else(|| text::line(typed), |(name, _)| (*name).to_owned())
}

/// Lower case, letters only, and of the Arabic letters that people mix up one.
fn folded(typed: &str) -> String {
    let folded: String = name::tidy(typed)
        .chars()
        .filter_map(|char| match char {
            'أ' | 'إ' | 'آ' => Some('ا'),
            'ة' => Some('ه'),
            'ئ' | 'ى' => Some('ي'),
            '\u{64b}'..='\u{652}' | '\'' | '’' => None,
            '-' | '_' | '.' | ',' | '،' => Some(' '),
            char => Some(char),
        })
        .flat_map(char::to_lowercase)
        .collect();
    text::line(&folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_city_has_one_name() {
        for typed in ["الرياض", "RIYADH", "Ar-Riyadh", " riyad ", "الريَاض", "الريـــاض"] {
            assert_eq!(tidy(typed), "Riyadh", "{typed}");
        }
        assert_eq!(tidy("مكة المكرمة"), "Mecca");
        assert_eq!(tidy("أبو ظبي"), "Abu Dhabi");
        assert_eq!(tidy("الطائف"), "Taif");
        assert_eq!(tidy("Ha'il"), "Hail");
        assert_eq!(tidy("Hà  Nội"), "Hà Nội");
    }

    #[test]
    fn every_spelling_is_folded_and_means_one_city() {
        let mut seen = std::collections::BTreeSet::new();
        for spelling in CITIES.iter().flat_map(|(_, spellings)| *spellings) {
            assert_eq!(folded(spelling), *spelling);
            assert!(seen.insert(*spelling), "{spelling} is there twice");
        }
        assert!(CITIES.iter().all(|(name, _)| tidy(name) == *name));
    }
}
