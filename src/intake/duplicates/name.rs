//! Names of people: titles, particles and order aside.

use super::{fold::words, word::Word};

/// How two names stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// One of them, or both, are missing.
    Unknown,
    /// The same given name, and further names that agree.
    Alike,
    /// The same given name, and one of them says no more.
    Compatible,
    /// The same given name, but further names that do not agree; or an initial.
    Unclear,
    /// Other names.
    Different,
}

const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "eng",
    "engr",
    "prof",
    "sheikh",
    "shaikh",
    "sir",
    "capt",
    "hajj",
    "haji",
    "السيد",
    "السيده",
    "السيدة",
    "الاستاذ",
    "الاستاذه",
    "الاستاذة",
    "استاذ",
    "استاذه",
    "استاذة",
    "الدكتور",
    "الدكتوره",
    "الدكتورة",
    "دكتور",
    "دكتوره",
    "دكتورة",
    "المهندس",
    "المهندسه",
    "المهندسة",
    "مهندس",
    "مهندسه",
    "مهندسة",
    "الشيخ",
    "الاخ",
    "الاخت",
    "الانسه",
    "الانسة",
    "الحاج",
];

/// Shortened titles: one letter, before a longer name.
const SHORT_TITLES: &[&str] = &["م", "د", "أ", "ا"];

/// "Son of" and "daughter of": written or not.
const PARTICLES: &[&str] =
    &["bin", "ibn", "ben", "bn", "bint", "bnt", "binti", "ould", "بن", "ابن", "بنت", "ولد", "bent"];

/// The parts of a name.
struct Parts {
    words: Vec<Word>,
    /// Words that had an article: family names.
    family: Vec<bool>,
}

pub(super) fn compare(a: Option<&str>, b: Option<&str>) -> Names {
    let (Some(a), Some(b)) = (a.map(parts), b.map(parts)) else { return Names::Unknown };
    if a.words.is_empty() || b.words.is_empty() {
        return Names::Unknown;
    }
    if joined(&a) == joined(&b) && a.words.len() + b.words.len() > 2 {
        return Names::Alike;
    }
    // "Alghamdi, Mohammed": the family name first.
    let turned = |parts: &Parts| parts.words.len() == 2 && parts.family[0] && !parts.family[1];
    match (turned(&a), turned(&b)) {
        (true, false) => in_order(&[&a.words[1], &a.words[0]], &b.words.iter().collect::<Vec<_>>()),
        (false, true) => in_order(&a.words.iter().collect::<Vec<_>>(), &[&b.words[1], &b.words[0]]),
        _ => in_order(&a.words.iter().collect::<Vec<_>>(), &b.words.iter().collect::<Vec<_>>()),
    }
}

/// What of a given name is the same in all its spellings.
pub(super) fn sound(name: &str) -> Option<String> {
    parts(name).words.first().map(Word::sound)
}

fn in_order(a: &[&Word], b: &[&Word]) -> Names {
    let (given_a, given_b) = (a[0], b[0]);
    let initial = given_a.is_initial_of(given_b) || given_b.is_initial_of(given_a);
    if !given_a.is_like(given_b) && !initial {
        return Names::Different;
    }
    let (short, long) = if a.len() <= b.len() { (&a[1..], &b[1..]) } else { (&b[1..], &a[1..]) };
    let contained = is_contained(short, long);
    match (contained, short.is_empty(), long.is_empty()) {
        _ if initial => Names::Unclear,
        (_, true, true) | (_, true, false) => Names::Compatible,
        (true, ..) => Names::Alike,
        (false, ..) => Names::Unclear,
    }
}

/// Whether the words of the shorter name are in the longer one, in order.
fn is_contained(short: &[&Word], long: &[&Word]) -> bool {
    let mut rest = long.iter();
    short
        .iter()
        .all(|word| rest.any(|other| word.is_like(other) || word.is_initial_of(other) || other.is_initial_of(word)))
}

/// All in one, for names that are written together or apart.
fn joined(parts: &Parts) -> String {
    parts.words.iter().map(|word| &*word.text).collect()
}

fn parts(name: &str) -> Parts {
    let mut words = words(name).into_iter().peekable();
    let mut parts = Parts { words: Vec::new(), family: Vec::new() };
    while let Some(mut word) = words.next() {
        let more = words.peek().is_some();
        if TITLES.contains(&&*word) && (more || !parts.words.is_empty()) || PARTICLES.contains(&&*word) {
            continue;
        }
        if parts.words.is_empty() && more && SHORT_TITLES.contains(&&*word) {
            continue;
        }
        // Servant of: "Abd al Aziz", "Abdul-Aziz", "عبد العزيز" are one name.
        if matches!(&*word, "abd" | "abdul" | "abdel" | "abdal" | "abdur" | "abdu" | "عبد") && more {
            let mut next = words.next().unwrap_or_default();
            if matches!(&*next, "al" | "el" | "ul" | "ur" | "ar" | "as" | "ال") {
                next = words.next().unwrap_or_default();
            }
            word = match word.as_str() {
                "عبد" if next.starts_with("ال") => format!("عبد{next}"),
                "عبد" => format!("عبدال{next}"),
                _ if next.starts_with("allah") || next.starts_with("ullah") => "abdullah".to_owned(),
                _ => format!("abdul{}", next.strip_prefix("al").filter(|rest| rest.len() > 3).unwrap_or(&next)),
            };
        }
        for spelling in ["abdel", "abdal", "abdol"] {
            if let Some(rest) = word.strip_prefix(spelling).filter(|rest| rest.len() > 3) {
                word = format!("abdul{rest}");
            }
        }
        // Father of, mother of.
        if matches!(&*word, "abu" | "abou" | "ابو" | "um" | "umm" | "om" | "ام") && more {
            let mut next = words.next().unwrap_or_default();
            if matches!(&*next, "al" | "el" | "ال") {
                next = words.next().unwrap_or_default();
            }
            word = match word.as_str() {
                "ابو" => format!("ابو{next}"),
                "ام" => format!("ام{next}"),
                "abu" | "abou" => format!("abu{next}"),
                _ => format!("um{next}"),
            };
        }
        let mut family = false;
        if matches!(&*word, "al" | "el" | "ال" | "aal") && more {
            word = words.next().unwrap_or_default();
            family = true;
        } else if let Some(rest) = without_article(&word) {
            word = rest.to_owned();
            family = true;
        }
        // An assimilated article: Ash-Shehri, As-Saud.
        if matches!(&*word, "ash" | "as" | "ad" | "ar" | "az" | "at" | "an") && more && !parts.words.is_empty() {
            word = words.next().unwrap_or_default();
            family = true;
        }
        parts.words.push(Word::new(&word));
        parts.family.push(family);
    }
    parts
}

/// The word without its article, if it seems to have one.
pub(super) fn without_article(word: &str) -> Option<&str> {
    // Names that only begin like one.
    const WHOLE: &[&str] = &[
        "ali",
        "aly",
        "alia",
        "aliaa",
        "alex",
        "alexander",
        "alan",
        "allen",
        "alice",
        "alaa",
        "elie",
        "elias",
        "ella",
        "ellen",
        "elizabeth",
        "elham",
        "elena",
        "elisa",
        "eleanor",
        "alex",
        "albert",
        "alfred",
        "الياس",
        "الهام",
        "alina",
        "aline",
        "alma",
        "eliza",
        "elvis",
        "الاء",
        "الين",
        "alison",
        "alicia",
    ];
    if WHOLE.contains(&word) {
        return None;
    }
    let rest = ["al", "el", "ال"].into_iter().find_map(|article| word.strip_prefix(article))?;
    (rest.chars().count() >= 3).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str) -> Names {
        let (there, back) = (compare(Some(a), Some(b)), compare(Some(b), Some(a)));
        assert_eq!(there, back, "{a} / {b}");
        there
    }

    #[test]
    fn spellings_of_one_name() {
        for (a, b) in [
            ("Mohammed Al-Qahtani", "محمد القحطاني"),
            ("Muhammad Alqahtani", "Mohd. El Qahtani"),
            ("عبد العزيز بن سعود", "Abdulaziz Saud"),
            ("Abd al-Rahman Ash-Shehri", "عبدالرحمن الشهري"),
            ("أحمد خالد", "احمد خالد"),
            ("فاطِمَة الزهراني", "Fatimah Alzahrani"),
            ("Dr. Sara Haddad", "سارة حداد"),
            ("Alghamdi, Faisal", "Faisal Alghamdi"),
            ("Wael Fawaz", "وائل فواز"),
            ("Khalid Omar Hassan", "Khaled Hassan"),
            ("Mo7ammed 3li", "محمد علي"),
            ("نـــورة العتيبي", "Noura Al Otaibi"),
        ] {
            assert_eq!(check(a, b), Names::Alike, "{a} / {b}");
        }
    }

    #[test]
    fn other_names() {
        for (a, b) in [
            ("Hamad Ali", "Hamid Ali"),
            ("محمد علي", "محمود علي"),
            ("حسن علي", "Hussein Ali"),
            ("Samir Haddad", "Samira Haddad"),
            ("Salem Nasser", "سلمى ناصر"),
            ("سعد", "Saud"),
            ("Omar", "عمرو"),
            ("Ahmed Khalid", "Khalid Ahmed"),
        ] {
            assert_eq!(check(a, b), Names::Different, "{a} / {b}");
        }
    }

    #[test]
    fn what_names_leave_open() {
        assert_eq!(check("Sara", "Sara Haddad"), Names::Compatible);
        assert_eq!(check("Ahmed Ali", "Ahmed Hassan"), Names::Unclear);
        assert_eq!(check("M. Alghamdi", "Mohammed Alghamdi"), Names::Unclear);
        assert_eq!(check(" - ", "Sara"), Names::Unknown);
    }
}
