//! What the addon adds to a save: the same saves on two databases, one with it, one without, in the same Odoo code.
//!
//! In-process, so that no protocol dilutes the difference, and with the commit, where the addon does its work. Events
//! are recorded, as after an installation.

use serde_json::{Value, json};

use crate::{
    Scale, leads,
    odoo::{Database, Template},
    plot::{Bar, Plot},
    python::{Script, addons},
    report::{self, Measured, median, percentile, ratio},
};

const KINDS: [&str; 3] = ["create", "write_untracked", "write_tracked"];

/// Milliseconds of each kind of save, with and without the addon, a list per round.
#[derive(Default)]
struct Saves {
    with: [Vec<Vec<f64>>; 3],
    without: [Vec<Vec<f64>>; 3],
}

impl Saves {
    fn keep(&mut self, with: bool, answer: &Value) {
        let into = if with { &mut self.with } else { &mut self.without };
        for (list, kind) in into.iter_mut().zip(KINDS) {
            list.push(match &answer[kind] {
                Value::Array(times) => times.iter().filter_map(Value::as_f64).collect(),
                time => vec![time.as_f64().expect("a time")],
            });
        }
    }

    /// With the addon ÷ without: the median of the rounds' medians.
    fn ratio(&self, kind: usize) -> f64 {
        let medians = |rounds: &Vec<Vec<f64>>| rounds.iter().map(|round| median(round)).collect::<Vec<_>>();
        ratio(&medians(&self.with[kind]), &medians(&self.without[kind]))
    }

    fn describe(&self) -> Value {
        let side = |lists: &[Vec<Vec<f64>>; 3]| -> Value {
            let kinds = KINDS.iter().zip(lists).map(|(kind, rounds)| {
                let all = rounds.concat();
                let value = json!({
                    "samples": all.len(), "p50_ms": median(&all), "p90_ms": percentile(&all, 0.9), "rounds_ms":
                    rounds.iter().map(|round| median(round)).collect::<Vec<_>>(),
                });
                ((*kind).to_owned(), value)
            });
            Value::Object(kinds.collect())
        };
        let ratios = KINDS.iter().enumerate().map(|(at, kind)| ((*kind).to_owned(), json!(self.ratio(at))));
        json!({
            "with_addon": side(&self.with), "without_addon": side(&self.without),
            "ratio": ratios.collect::<serde_json::Map<_, _>>(),
        })
    }

    fn p50(&self, with: bool, kind: usize) -> f64 {
        median(&if with { &self.with } else { &self.without }[kind].concat())
    }
}

pub async fn measure(scale: Scale) -> Measured {
    let with_addon = Database::fresh(Template::Addon);
    let without_addon = Database::fresh(Template::Plain);
    let mut with = Script::in_process(&with_addon, "admin", &addons());
    let mut without = Script::in_process(&without_addon, "admin", "");
    let file = report::folder().join("leads-saves.json");

    let (rounds, block) = scale.pick((20, 25), (3, 10));
    let (large_rounds, many) = scale.pick((7, 1000), (2, 200));
    let (mut one, mut thousand) = (Saves::default(), Saves::default());
    leads::write(&file, "warm", 20);
    for script in [&mut with, &mut without] {
        script.run("saves", json!({"leads": file}));
        script.run("save_many", json!({"leads": file}));
    }
    println!("    {rounds} × {block} single saves, {large_rounds} × {many} at once, on either side");
    for round in 0..rounds.max(large_rounds) {
        // Who goes first takes turns, too.
        let mut sides = [(true, &mut with), (false, &mut without)];
        if round % 2 == 1 {
            sides.reverse();
        }
        if round < rounds {
            leads::write(&file, &format!("s{round}"), block);
            for (is_with, script) in &mut sides {
                one.keep(*is_with, &script.run("saves", json!({"leads": file})));
            }
        }
        if round < large_rounds {
            leads::write(&file, &format!("m{round}"), many);
            for (is_with, script) in &mut sides {
                thousand.keep(*is_with, &script.run("save_many", json!({"leads": file})));
            }
        }
    }
    let recorded =
        with_addon.count("select (select count(*) from g_assistant_change) + count(*) from g_assistant_event");
    assert!(recorded > 0, "the addon recorded nothing: this would measure nothing");

    let writes = |saves: &Saves| (saves.ratio(1) + saves.ratio(2)) / 2.0;
    let mut bars = Vec::new();
    for (at, label) in ["create", "write, untracked fields", "write, a tracked field"].iter().enumerate() {
        let plain = one.p50(false, at);
        bars.push(Bar::subject(format!("{label}, with the addon"), one.p50(true, at)).target(1.05 * plain));
        bars.push(Bar::baseline(format!("{label}, without"), plain));
    }
    Measured {
        samples: json!({
            "rounds": rounds, "saves_per_round": block, "large_rounds": large_rounds, "leads_at_once": many,
            "changes_recorded": recorded, "one": one.describe(), "at_once": thousand.describe(),
            "write_overhead_is": "the mean of the ratios of write_untracked and write_tracked",
        }),
        summary: vec![
            ("addon_create_overhead", one.ratio(0)),
            ("addon_write_overhead", writes(&one)),
            ("addon_create_1000_overhead", thousand.ratio(0)),
            ("addon_write_1000_overhead", writes(&thousand)),
        ],
        plot: Plot {
            title: "A save of one lead, commit included".to_owned(),
            unit: "milliseconds, median".to_owned(),
            logarithmic: false,
            bars,
        },
    }
}
