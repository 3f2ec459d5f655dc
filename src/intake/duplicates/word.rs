//! How a word sounds, so that the Arabic and the Latin spelling of one name can be compared.
//!
//! Arabic writes consonants and long vowels; in Latin letters everybody spells the vowels in their own way, and some of
//! the consonants. So a word is its consonants, in one alphabet for both, and what is known of the vowels between them.

use super::{fold::is_arabic, known};

/// One word of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Folded.
    pub text: String,
    arabic: bool,
    consonants: Vec<char>,
    /// Before, between and after the consonants: one more than there are.
    gaps: Vec<Gap>,
}

/// The vowels at one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Gap {
    vowel: Option<Vowel>,
    /// In Latin letters: cannot be a short vowel. In Arabic ones: a consonant is among its letters.
    long: bool,
    /// The letter ʿayn is here, which Latin spells by any vowel or none.
    ayn: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vowel {
    A,
    /// Between A and I: spells either.
    E,
    I,
    /// Or U.
    O,
}

/// A place in a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Middle,
    End,
}

impl Word {
    pub(super) fn new(text: &str) -> Self {
        let arabic = is_arabic(text);
        let (consonants, gaps) = if arabic { read_arabic(text) } else { read_latin(text) };
        Self { text: text.to_owned(), arabic, consonants, gaps }
    }

    /// Its consonants.
    pub(super) fn sound(&self) -> String {
        self.consonants.iter().collect()
    }

    /// Whether both are spellings of one name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        if self.text == other.text {
            return true;
        }
        if let (Some(a), Some(b)) = (known::group(&self.text), known::group(&other.text)) {
            return a == b;
        }
        if self.arabic && other.arabic {
            let (a, b) = (undotted(&self.text), undotted(&other.text));
            return a == b || typo(&a, &b, 5);
        }
        if self.sounds_like(other) || self.breathed().is_some_and(|word| word.sounds_like(other)) {
            return true;
        }
        if other.breathed().is_some_and(|word| self.sounds_like(&word)) {
            return true;
        }
        // If the consonants are the same, it is another vowel that makes it another name: Samir, Samira. And another
        // consonant in its place, too: Rajesh, Ramesh.
        !self.arabic
            && !other.arabic
            && self.consonants != other.consonants
            && strsim::hamming(&self.text, &other.text) != Ok(1)
            && typo(&self.text, &other.text, 6)
    }

    /// The word with the H at its end heard: Farah, Saleh.
    fn breathed(&self) -> Option<Self> {
        let mut word = self.clone();
        if self.arabic
            || !self.text.ends_with('h')
            || self.consonants.last() == Some(&'h')
            || word.gaps.last()?.vowel.is_none()
        {
            return None;
        }
        word.consonants.push('h');
        word.gaps.push(Gap::default());
        Some(word)
    }

    fn sounds_like(&self, other: &Self) -> bool {
        if self.consonants.len() != other.consonants.len() || self.consonants.is_empty() {
            return false;
        }
        let mut near = 0;
        for (a, b) in self.consonants.iter().zip(&other.consonants) {
            if a != b {
                if !are_near(*a, *b) {
                    return false;
                }
                near += 1;
            }
        }
        let last = self.gaps.len() - 1;
        let place = |at| match at {
            0 => Place::Start,
            at if at == last => Place::End,
            _ => Place::Middle,
        };
        let mut gaps = self.gaps.iter().zip(&other.gaps).enumerate();
        near <= 1
            && match (self.arabic, other.arabic) {
                (false, false) => gaps.all(|(at, (a, b))| latin_gaps(a, b, place(at))),
                (true, _) => gaps.all(|(at, (a, b))| mixed_gaps(a, b, place(at))),
                (false, true) => gaps.all(|(at, (a, b))| mixed_gaps(b, a, place(at))),
            }
    }

    /// Whether it is one letter, and the other word can begin with it.
    pub(super) fn is_initial_of(&self, other: &Self) -> bool {
        let mut letters = self.text.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else { return false };
        other.text.starts_with(letter)
            || (self.arabic != other.arabic
                && self.consonants.first().is_some_and(|first| other.consonants.first() == Some(first))
                && other.gaps[0] == Gap::default())
    }
}

/// Final ya and ta marbuta, with or without their dots.
fn undotted(text: &str) -> String {
    text.replace('ى', "ي").replace('ة', "ه")
}

/// One letter too many, too few, wrong, or swapped with its neighbour; in a word long enough that this is rarely
/// another word, and not at its start.
fn typo(a: &str, b: &str, least: usize) -> bool {
    a.chars().count().min(b.chars().count()) >= least
        && a.chars().next() == b.chars().next()
        && strsim::osa_distance(a, b) == 1
}

/// Consonants that are spelt as one another in one dialect or the other.
fn are_near(a: char, b: char) -> bool {
    const PAIRS: [(char, char); 8] =
        [('g', 'j'), ('g', 'k'), ('d', 'z'), ('s', 't'), ('k', 'x'), ('b', 'f'), ('d', 't'), ('s', 'z')];
    PAIRS.contains(&(a.min(b), a.max(b)))
}

fn latin_gaps(a: &Gap, b: &Gap, place: Place) -> bool {
    use Vowel::{A, E, I};
    match (a.vowel, b.vowel) {
        (a, b) if a == b => true,
        (Some(A), Some(E)) | (Some(E), Some(A)) | (Some(E), Some(I)) | (Some(I), Some(E)) => true,
        // Fahd, Fahad.
        (None, Some(A | E)) | (Some(A | E), None) => place == Place::Middle,
        _ => false,
    }
}

fn mixed_gaps(arabic: &Gap, latin: &Gap, place: Place) -> bool {
    use Vowel::{A, E, I, O};
    match (arabic.vowel, latin.vowel) {
        // Alef and ʿayn begin a word with any vowel.
        (Some(A), vowel) if place == Place::Start => vowel.is_some(),
        (None, vowel) if place == Place::Start => vowel.is_some() == arabic.ayn,
        (Some(A), Some(I | O)) => arabic.ayn && latin.long,
        (Some(A), vowel) => matches!(vowel, Some(A | E)),
        (Some(I), vowel) => matches!(vowel, Some(I | E)),
        // Two letters: one of them is a W, as in Jawad.
        (Some(O), vowel) => vowel == Some(O) && (latin.long || !arabic.long),
        (Some(E), vowel) => vowel.is_some(),
        (None, None | Some(E)) => true,
        (None, Some(A)) => place != Place::End || arabic.ayn,
        // A short vowel is not written.
        (None, Some(I | O)) => !latin.long && place == Place::Middle,
    }
}

fn read_arabic(text: &str) -> (Vec<char>, Vec<Gap>) {
    // The article's alef is not heard behind "servant of".
    let text = text.strip_prefix("عبدال").map_or_else(|| text.to_owned(), |rest| format!("عبدل{rest}"));
    let letters: Vec<char> = text.chars().collect();
    let (mut consonants, mut gaps, mut gap) = (Vec::new(), Vec::new(), Gap::default());
    for (at, letter) in letters.iter().enumerate() {
        let last = at + 1 == letters.len();
        let consonant = match letter {
            'ع' => {
                gap.ayn = true;
                continue;
            }
            'ا' | 'ة' => {
                gap.long |= gap.vowel == Some(Vowel::O);
                gap.vowel = gap.vowel.or(Some(Vowel::A));
                continue;
            }
            // Alef maqsura, or a final ya without its dots.
            'ى' => {
                gap.vowel = gap.vowel.or(Some(if last { Vowel::A } else { Vowel::I }));
                continue;
            }
            // Ta marbuta without its dots, or an O as in ʿAbduh.
            'ه' if last && at > 0 => {
                gap.vowel = gap.vowel.or(Some(Vowel::E));
                continue;
            }
            'و' if at > 0 => {
                gap.long = gap.vowel == Some(Vowel::A);
                gap.vowel = Some(Vowel::O);
                continue;
            }
            'ي' if at > 0 => {
                if gap.vowel != Some(Vowel::O) {
                    gap.vowel = Some(Vowel::I);
                }
                continue;
            }
            'و' => 'w',
            'ي' => 'y',
            'ب' | 'پ' => 'b',
            'ت' | 'ط' | 'ث' => 't',
            'ج' => 'j',
            'ح' | 'ه' => 'h',
            'خ' => 'x',
            'د' | 'ذ' | 'ض' => 'd',
            'ر' => 'r',
            'ز' | 'ظ' => 'z',
            'س' | 'ص' => 's',
            'ش' | 'چ' => 'c',
            'غ' | 'گ' => 'g',
            'ف' | 'ڤ' => 'f',
            'ق' | 'ك' => 'k',
            'ل' => 'l',
            'م' => 'm',
            'ن' => 'n',
            char if char.is_numeric() => *char,
            _ => continue,
        };
        gaps.push(std::mem::take(&mut gap));
        consonants.push(consonant);
    }
    gaps.push(gap);
    (consonants, gaps)
}

fn read_latin(text: &str) -> (Vec<char>, Vec<Gap>) {
    let letters: Vec<char> = text.chars().collect();
    // Digits between letters are the letters of chat: Mo7ammed, 3li.
    let chat = letters.iter().any(|char| char.is_ascii_alphabetic());
    let (mut consonants, mut gaps, mut vowels) = (Vec::new(), Vec::new(), String::new());
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let next = letters.get(at + 1).copied();
        let mut width = 1;
        let found: &[char] = match (letter, next) {
            ('a' | 'e' | 'i' | 'o' | 'u', _) => &[],
            ('y', Some('a' | 'e' | 'i' | 'o' | 'u')) | ('w', _) if at == 0 => {
                if letter == 'y' {
                    &['y']
                } else {
                    &['w']
                }
            }
            ('y' | 'w', _) => &[],
            ('2' | '3', _) if chat => &[],
            ('7', _) if chat => &['h'],
            ('5', _) if chat => &['x'],
            ('k', Some('h')) => {
                width = 2;
                &['x']
            }
            ('g', Some('h')) => {
                width = 2;
                &['g']
            }
            ('s' | 'c', Some('h')) => {
                width = 2;
                &['c']
            }
            ('t', Some('h')) => {
                width = 2;
                &['t']
            }
            ('d', Some('h')) => {
                width = 2;
                &['d']
            }
            ('p', Some('h')) => {
                width = 2;
                &['f']
            }
            ('c', Some('e' | 'i' | 'y')) => &['s'],
            ('c' | 'q', _) => &['k'],
            ('p', _) => &['b'],
            ('v', _) => &['f'],
            ('x', _) => &['k', 's'],
            // Sarah, Fatimah.
            ('h', None) if !vowels.is_empty() => {
                at += 1;
                continue;
            }
            _ => std::slice::from_ref(&letters[at]),
        };
        if found.is_empty() {
            vowels.push(if letter == '2' || letter == '3' { 'a' } else { letter });
        }
        for consonant in found {
            // Doubled letters are one, also where a digraph doubles one: Shaikkh.
            if vowels.is_empty() && consonants.last() == Some(consonant) && !consonant.is_numeric() {
                continue;
            }
            gaps.push(latin_gap(&std::mem::take(&mut vowels)));
            consonants.push(*consonant);
        }
        at += width;
    }
    gaps.push(latin_gap(&vowels));
    (consonants, gaps)
}

fn latin_gap(vowels: &str) -> Gap {
    let has = |letters: &[char]| vowels.contains(letters);
    let vowel = match () {
        () if vowels.is_empty() => None,
        () if has(&['o', 'u', 'w']) => Some(Vowel::O),
        () if has(&['i', 'y']) || vowels.contains("ee") => Some(Vowel::I),
        () if has(&['e']) => Some(Vowel::E),
        () => Some(Vowel::A),
    };
    // "ou" is French for a U that may be short.
    Gap { vowel, long: (vowels.len() > 1 && vowels != "ou") || has(&['w']), ayn: false }
}
