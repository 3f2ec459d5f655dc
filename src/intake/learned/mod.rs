//! A lead's chance to be won, learned from those that the shop has won and lost.
//!
//! It learns from the older leads and is examined on the newest that came in, which it has not seen: half of them to turn
//! its sums into chances, half to compare it with the weights of `[scoring]`. It is used only if it is less surprised than
//! they are by more than luck would explain, and ranks better. All of it is arithmetic on what is given: the same leads
//! give the same model.

mod fit;
mod judge;
mod traits;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(super) use self::traits::of_lead;
pub use self::traits::of_record;
use self::{
    fit::{Calibration, Fitted, fit, sigmoid},
    judge::{auc, beats, log_loss},
};

/// Most leads that are looked at, the newest: the bound of its memory.
pub const MOST_LEADS: usize = 50_000;
/// A value that fewer leads have says nothing.
const LEAST_OF_A_VALUE: usize = 10;
/// How much of the leads that came in it does not learn from.
const HELD_OUT: f64 = 0.4;
/// Of both, won and lost, so many to learn from; half as many to be examined on.
const LEAST_OF_BOTH: usize = 20;
/// What changes the odds by less is not told.
const TELLING: f64 = 0.05;

/// Leads that were won or lost, in little space.
#[derive(Debug, Default)]
pub struct Examples {
    names: HashMap<String, u32>,
    leads: Vec<Example>,
}

#[derive(Debug)]
struct Example {
    at: i64,
    won: bool,
    /// The weights' score, of those that came in here.
    score: Option<u8>,
    traits: Box<[u32]>,
}

impl Examples {
    /// Adds a lead; `score` is what the weights gave it, if it came in here.
    pub fn add(&mut self, at: i64, won: bool, score: Option<u8>, traits: &[String]) {
        let names = &mut self.names;
        let traits = traits.iter().map(|name| match names.get(name) {
            Some(known) => *known,
            None => {
                let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                names.insert(name.clone(), next);
                next
            }
        });
        let traits = traits.collect();
        self.leads.push(Example { at, won, score, traits });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.leads.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leads.is_empty()
    }
}

/// How good chances are: on leads that they were not made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The mean surprise, lower is better.
    pub log_loss: f64,
    /// How often a won lead is ranked above a lost one.
    pub auc: f64,
    /// How far chances and what became of it are apart on average, in ten groups.
    pub calibration_error: f64,
}

/// What a training found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// When.
    pub trained_at: DateTime<Utc>,
    /// Why the model is not used; `None` if it is.
    pub unused: Option<String>,
    /// Leads that are won or lost.
    pub leads: usize,
    /// Those of them that came in here, and so have a score by weights.
    pub came_in: usize,
    /// Those that were won.
    pub won: usize,
    /// Leads that it was examined on.
    pub examined_on: usize,
    /// How the model did.
    pub model: Option<Figures>,
    /// How the weights did.
    pub weights: Option<Figures>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unused {
            None => f.write_str("in use")?,
            Some(why) => write!(f, "not in use: {why}")?,
        }
        write!(f, "; trained {}", self.trained_at.format("%Y-%m-%d %H:%M UTC"))?;
        write!(f, " on {} leads ({} won, {} came in here)", self.leads, self.won, self.came_in)?;
        if let (Some(model), Some(weights)) = (self.model, self.weights) {
            write!(
                f,
                "; on {} later ones log loss {:.3} (weights {:.3}), AUC {:.2} (weights {:.2}), off by {:.1} %",
                self.examined_on,
                model.log_loss,
                weights.log_loss,
                model.auc,
                weights.auc,
                model.calibration_error * 100.0
            )?;
        }
        Ok(())
    }
}

/// What was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The log odds of a lead of which nothing is known.
    base: f64,
    /// By factor: what its values weigh on average.
    means: BTreeMap<String, f64>,
    /// What each value weighs.
    weights: BTreeMap<String, f64>,
}

/// A chance with its reasons.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Chance {
    /// Of a hundred leads like this one, so many are won.
    pub percent: u8,
    /// Of a hundred average ones.
    pub average: u8,
    /// By how much each factor raises or lowers the odds, the strongest first.
    pub factors: Vec<(String, f64)>,
}

impl Chance {
    /// The reasons as people read them, one factor per line.
    pub fn reasons(&self) -> String {
        let factor = |(name, odds): &(String, f64)| format!("{}: odds × {odds:.2}", name.replacen('=', " ", 1));
        let average = format!("average lead {} %", self.average);
        std::iter::once(average).chain(self.factors.iter().map(factor)).collect::<Vec<_>>().join("\n")
    }
}

impl Model {
    /// The chance of a lead with these factors.
    pub fn chance(&self, traits: &[String]) -> Chance {
        let average = self.base + traits.iter().filter_map(|name| self.means.get(factor(name))).sum::<f64>();
        let mut odds = average;
        let mut factors: Vec<(String, f64)> = Vec::new();
        for name in traits {
            let mean = self.means.get(factor(name)).copied().unwrap_or_default();
            let weight = self.weights.get(name).copied().unwrap_or_default() - mean;
            odds += weight;
            if weight.abs() >= TELLING {
                factors.push((name.clone(), weight));
            }
        }
        factors.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        factors.iter_mut().for_each(|(_, weight)| *weight = weight.exp());
        let percent = |odds| (sigmoid(odds) * 100.0).round() as u8;
        Chance { percent: percent(odds), average: percent(average), factors }
    }

    fn new(fitted: &Fitted, calibration: Calibration, names: &[&str], rows: &[&[u32]]) -> Self {
        let mut counts = vec![0usize; names.len()];
        rows.iter().flat_map(|row| row.iter()).for_each(|index| counts[*index as usize] += 1);
        let (mut means, mut weights, mut of_factor) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, count) in names.iter().zip(&counts) {
            *of_factor.entry(factor(name)).or_insert(0) += count;
        }
        for ((name, count), weight) in names.iter().zip(&counts).zip(&fitted.weights) {
            let weight = weight * calibration.slope;
            let share = *count as f64 / (*of_factor.get(factor(name)).unwrap_or(&1)).max(1) as f64;
            *means.entry(factor(name).to_owned()).or_insert(0.0) += share * weight;
            if weight != 0.0 {
                weights.insert((*name).to_owned(), weight);
            }
        }
        Self { base: fitted.intercept * calibration.slope + calibration.shift, means, weights }
    }
}

fn factor(name: &str) -> &str {
    name.split('=').next().unwrap_or(name)
}

/// Learns, and examines what was learned. The model is there only if it is to be used.
pub fn train(mut examples: Examples, least: usize, now: DateTime<Utc>) -> (Report, Option<Model>) {
    examples.leads.sort_by_key(|lead| lead.at);
    let leads = examples.leads.as_slice();
    let came_in: Vec<&Example> = leads.iter().filter(|lead| lead.score.is_some()).collect();
    let mut report = Report {
        trained_at: now,
        leads: leads.len(),
        came_in: came_in.len(),
        won: leads.iter().filter(|lead| lead.won).count(),
        ..Report::default()
    };
    if came_in.len() < least {
        report.unused = Some(format!("it takes {least} leads that came in here and were won or lost"));
        return (report, None);
    }
    let held_out = came_in.len() - (came_in.len() as f64 * HELD_OUT) as usize;
    let (_, later) = came_in.split_at(held_out);
    let (tuning, exam) = later.split_at(later.len() / 2);
    let cut = later.first().map_or(i64::MAX, |lead| lead.at);
    let older: Vec<&Example> = leads.iter().filter(|lead| lead.at < cut).collect();
    for (some, needed) in [(&older[..], LEAST_OF_BOTH), (tuning, LEAST_OF_BOTH / 2), (exam, LEAST_OF_BOTH / 2)] {
        let won = some.iter().filter(|lead| lead.won).count();
        if won.min(some.len() - won) < needed {
            report.unused = Some("too few of them were won, or too few lost".to_owned());
            return (report, None);
        }
    }

    let fields = Vocabulary::new(&examples.names, &older);
    let rows: Vec<Vec<u32>> = older.iter().map(|lead| fields.row(lead)).collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    let fitted = fit(&rows, &won_of(&older), fields.names.len());
    let margins =
        |some: &[&Example]| -> Vec<f64> { some.iter().map(|lead| fitted.margin(&fields.row(lead))).collect() };
    let scores = |some: &[&Example]| -> Vec<f64> {
        some.iter().map(|lead| f64::from(lead.score.unwrap_or_default()) / 100.0).collect()
    };
    let calibration = Calibration::fit(&margins(tuning), &won_of(tuning));
    let by_weights = Calibration::fit(&scores(tuning), &won_of(tuning));
    let won = won_of(exam);
    let chances: Vec<f64> = margins(exam).into_iter().map(|margin| calibration.chance(margin)).collect();
    let others: Vec<f64> = scores(exam).into_iter().map(|score| by_weights.chance(score)).collect();
    let (own, theirs) = (figures(&chances, &won), figures(&others, &won));
    report.examined_on = exam.len();
    (report.model, report.weights) = (Some(own), Some(theirs));
    if !beats(&chances, &others, &won) || own.auc <= theirs.auc {
        report.unused = Some("it is not better than the weights".to_owned());
        return (report, None);
    }
    (report, Some(Model::new(&fitted, calibration, &fields.names, &rows)))
}

fn won_of(leads: &[&Example]) -> Vec<bool> {
    leads.iter().map(|lead| lead.won).collect()
}

fn figures(chances: &[f64], won: &[bool]) -> Figures {
    Figures {
        log_loss: log_loss(chances, won),
        auc: auc(chances, won),
        calibration_error: judge::calibration_error(chances, won),
    }
}

/// The values that enough leads have, numbered by their names, so that their order is always the same.
struct Vocabulary<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<u32, u32>,
}

impl<'a> Vocabulary<'a> {
    fn new(names: &'a HashMap<String, u32>, leads: &[&Example]) -> Self {
        let mut counts = vec![0usize; names.len()];
        leads.iter().flat_map(|lead| lead.traits.iter()).for_each(|number| counts[*number as usize] += 1);
        let mut kept: Vec<(&str, u32)> = names
            .iter()
            .filter(|(_, number)| counts[**number as usize] >= LEAST_OF_A_VALUE)
            .map(|(name, number)| (name.as_str(), *number))
            .collect();
        kept.sort_unstable();
        let numbers = kept.iter().zip(0..).map(|((_, number), index)| (*number, index)).collect();
        Self { names: kept.into_iter().map(|(name, _)| name).collect(), numbers }
    }

    fn row(&self, lead: &Example) -> Vec<u32> {
        lead.traits.iter().filter_map(|number| self.numbers.get(number).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// What really makes a lead be won here, in log odds.
    fn truth(source: usize, answers: usize, phone: bool) -> f64 {
        -1.0 + [1.5, 0.0, -1.5][source] + [-0.8, 0.0, 0.8][answers] + if phone { 0.5 } else { -0.5 }
    }

    /// Leads whose fate follows `odds`, with a score that says little.
    fn examples(count: usize, seed: u64, odds: impl Fn(usize, usize, bool) -> f64) -> Examples {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut examples = Examples::default();
        for at in 0..count {
            let (source, answers, phone) = (dice.random_range(0..3), dice.random_range(0..3), dice.random_bool(0.5));
            let traits = [
                format!("source={}", ["google", "meta", "fair"][source]),
                format!("answers={}", ["none", "1-2", "3-5"][answers]),
                format!("phone={}", if phone { "valid" } else { "none" }),
                format!("weekday={}", dice.random_range(0..7)),
                format!("campaign={}", dice.random_range(0..500)),
            ];
            let won = dice.random_bool(sigmoid(odds(source, answers, phone)));
            let score = if phone { 60 } else { 40 } + dice.random_range(0..20);
            examples.add(at as i64, won, Some(score), &traits);
        }
        examples
    }

    fn traits(source: &str, answers: &str, phone: &str) -> Vec<String> {
        [("source", source), ("answers", answers), ("phone", phone), ("weekday", "1"), ("campaign", "new")]
            .map(|(factor, value)| format!("{factor}={value}"))
            .into()
    }

    #[test]
    fn it_finds_what_is_true_and_says_chances_that_are_right() {
        let (report, model) = train(examples(6000, 1, truth), 200, DateTime::UNIX_EPOCH);
        let model = model.unwrap_or_else(|| panic!("{report}"));
        let (own, weights) = (report.model.expect("figures"), report.weights.expect("figures"));
        assert!(own.log_loss < weights.log_loss - 0.05 && own.auc > weights.auc + 0.1, "{report}");
        assert!(own.calibration_error < 0.05, "{report}");
        for (source, s) in [("google", 0), ("meta", 1), ("fair", 2)] {
            for (answers, a) in [("none", 0), ("3-5", 2)] {
                let chance = model.chance(&traits(source, answers, "valid"));
                let expected = sigmoid(truth(s, a, true)) * 100.0;
                assert!(
                    (f64::from(chance.percent) - expected).abs() < 8.0,
                    "{source} {answers}: {chance:?}, {expected}"
                );
            }
        }
        let best = model.chance(&traits("google", "3-5", "valid"));
        assert_eq!(best.factors[0].0, "source=google", "{best:?}");
        assert!(best.reasons().starts_with("average lead "), "{}", best.reasons());
        // The same leads, the same model.
        assert_eq!(train(examples(6000, 1, truth), 200, DateTime::UNIX_EPOCH), (report, Some(model)));
    }

    #[test]
    fn what_is_chance_is_not_used() {
        for seed in 0..20 {
            let (report, model) = train(examples(1500, seed, |_, _, _| -1.0), 200, DateTime::UNIX_EPOCH);
            assert!(model.is_none(), "{seed}: {report}");
            assert_eq!(report.unused.as_deref(), Some("it is not better than the weights"));
        }
    }

    #[test]
    fn weights_that_are_as_good_stay() {
        let mut examples = Examples::default();
        let mut dice = StdRng::seed_from_u64(7);
        for at in 0..2000 {
            let score: u8 = dice.random_range(0..=100);
            let won = dice.random_bool(f64::from(score) / 100.0);
            examples.add(at, won, Some(score), &[format!("band={}", score / 50)]);
        }
        let (report, model) = train(examples, 200, DateTime::UNIX_EPOCH);
        assert!(model.is_none(), "{report}");
    }

    #[test]
    fn few_leads_are_not_learned_from() {
        let (report, model) = train(examples(199, 1, truth), 200, DateTime::UNIX_EPOCH);
        assert!(model.is_none() && report.to_string().contains("it takes 200"), "{report}");
        let (report, model) = train(examples(400, 1, |_, _, _| -9.0), 200, DateTime::UNIX_EPOCH);
        assert!(model.is_none() && report.to_string().contains("too few of them"), "{report}");
    }
}
