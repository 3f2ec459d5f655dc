//! The comparison against the labelled pairs of `tests/data/duplicates.csv`.
//!
//! A pair is two people as `name;company;e-mail;phone;city`, and what a careful salesperson would say of them: `same`,
//! `perhaps` (they would have to ask) or `different`.

use std::collections::BTreeMap;

use super::*;

struct Pair {
    line: u64,
    category: String,
    label: Likeness,
    a: Person,
    b: Person,
}

fn person(text: &str) -> Person {
    let mut parts = text.split(';').map(|part| Some(part.trim()).filter(|part| !part.is_empty()).map(str::to_owned));
    let mut next = || parts.next().flatten();
    Person {
        name: next(),
        company: next(),
        emails: next().into_iter().collect(),
        phones: next().into_iter().collect(),
        city: next(),
        country: Some("SA".to_owned()),
    }
}

fn pairs() -> Vec<Pair> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/duplicates.csv");
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file).expect("the labelled pairs");
    let rows = reader.records().map(|row| row.expect("a row"));
    rows.map(|row| Pair {
        line: row.position().expect("a place").line(),
        category: row[0].to_owned(),
        label: match &row[1] {
            "same" => Likeness::Same,
            "perhaps" => Likeness::Perhaps,
            "different" => Likeness::Different,
            label => panic!("line {}: {label:?} is no label", row.position().expect("a place").line()),
        },
        a: person(&row[2]),
        b: person(&row[3]),
    })
    .collect()
}

/// How many pairs were called `Same`, and how many of them rightly; how many should have been.
#[derive(Default)]
struct Tally {
    pairs: usize,
    right: usize,
    wrong: usize,
    missed: usize,
}

impl Tally {
    fn precision(&self) -> f64 {
        ratio(self.right, self.right + self.wrong)
    }

    fn recall(&self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[test]
fn attaches_only_what_is_the_same_and_nearly_all_of_it() {
    let pairs = pairs();
    let mut by_category: BTreeMap<&str, Tally> = BTreeMap::new();
    let (mut all, mut with_key) = (Tally::default(), Tally::default());
    for pair in &pairs {
        let Comparison { likeness, reason } = compare(&pair.a, &pair.b);
        assert_eq!(compare(&pair.b, &pair.a).likeness, likeness, "line {}: order counts", pair.line);
        let shared = strongest_shared(&Known::new(&pair.a, None), &Known::new(&pair.b, None)).is_some();
        let tallies =
            [Some(by_category.entry(&pair.category).or_default()), Some(&mut all), shared.then_some(&mut with_key)];
        for tally in tallies.into_iter().flatten() {
            tally.pairs += 1;
            match (likeness == Likeness::Same, pair.label == Likeness::Same) {
                (true, true) => tally.right += 1,
                (true, false) => tally.wrong += 1,
                (false, true) => tally.missed += 1,
                (false, false) => {}
            }
        }
        if likeness != pair.label {
            println!("line {} ({}): {likeness:?} and not {:?}: {reason}", pair.line, pair.category, pair.label);
        }
    }
    for (category, tally) in
        by_category.iter().map(|(name, tally)| (*name, tally)).chain([("with a shared key", &with_key), ("all", &all)])
    {
        println!("| {category} | {} | {:.3} | {:.3} |", tally.pairs, tally.precision(), tally.recall());
    }
    assert!(pairs.len() >= 600, "{} pairs", pairs.len());
    assert!(all.precision() >= 0.99, "precision {:.3}", all.precision());
    assert!(with_key.recall() >= 0.95, "recall {:.3}", with_key.recall());
}

/// What is the same is found: their keys meet.
#[test]
fn whoever_shares_a_key_is_looked_at() {
    for pair in pairs() {
        let shared = strongest_shared(&Known::new(&pair.a, None), &Known::new(&pair.b, None));
        let (a, b) = (keys(&pair.a), keys(&pair.b));
        let meet = |a: &[String], b: &[String]| a.iter().any(|key| b.contains(key));
        let found = meet(&a.emails, &b.emails) || meet(&a.phones, &b.phones);
        assert!(found || shared.is_none(), "line {}: {a:?} {b:?}", pair.line);
    }
}
