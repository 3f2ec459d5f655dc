//! What intake costs: from drafts to operations on one core, with every step switched on: normalising, all flags with a
//! list of those who must not be contacted, score, twenty rules of routing of which the last one fits.
//!
//! What would make it lie: leads that are all alike, so that something is remembered. Each has its own phone number,
//! address and answers; half of the numbers are typed as people type them.

use std::{fmt::Write, path::Path, time::Instant};

use g_assistant::{
    config::Config,
    domain::{Draft, LeadDraft},
    intake::{DncList, Intake, IntakeContext},
};
use serde_json::json;

use crate::{
    Scale, leads,
    plot::{Bar, Plot},
    report::{Measured, median},
};

pub async fn measure(scale: Scale) -> Measured {
    let (rounds, count) = scale.pick((15, 20_000), (3, 2_000));
    let intake = intake();
    let drafts: Vec<Draft> = (0..count).map(draft).collect();
    let context = IntakeContext::default();
    // The first number loads the tables of all countries.
    let planned = intake.plan("website", "warm", drafts.clone(), &context);
    assert!(planned.iter().all(|push| push.operation.values.contains_key("team_id")), "the last rule fits");
    println!("    {rounds} rounds of {count} drafts");
    let mut per_second = Vec::new();
    for round in 0..rounds {
        let (key, drafts) = (format!("round-{round}"), drafts.clone());
        let began = Instant::now();
        let planned = intake.plan("website", &key, drafts, &context);
        per_second.push(count as f64 / began.elapsed().as_secs_f64());
        assert_eq!(planned.len(), count);
    }
    let middle = median(&per_second);
    Measured {
        samples: json!({ "drafts": count, "drafts_per_second": per_second }),
        summary: vec![("intake_drafts_per_second", middle)],
        plot: Plot {
            title: "From drafts to operations: normalise, flags, score, route".to_owned(),
            unit: "drafts per second on one core".to_owned(),
            logarithmic: false,
            bars: vec![Bar::subject("intake", middle).target(20_000.0)],
        },
    }
}

fn intake() -> Intake {
    let mut config = String::from(
        "[odoo]\nurl = \"https://odoo.example.com\"\ndatabase = \"x\"\nlogin = \"x\"\nsecret = { env = \"X\" }\n\
         [intake]\ncountry = \"SA\"\n[routing]\nrules = [\n",
    );
    for number in 0..19 {
        let _ = writeln!(config, "{{ city = \"Taif\", campaign = \"Other {number}*\", team = \"T\" }},");
    }
    config.push_str("{ language = \"ar\", min_score = 10, team = \"Gulf\", salespeople = [\"a\", \"b\", \"c\"] }]\n");
    let config = Config::parse(&config, Path::new("bench.toml")).unwrap_or_else(|error| panic!("{error}"));
    let listed: String = (0..10_000).fold(String::new(), |mut list, number| {
        let _ = writeln!(list, "nobody{number}@example.com");
        list
    });
    Intake::new(&config, DncList::new(&listed, Some("SA")))
}

fn draft(number: usize) -> Draft {
    let mut lead: LeadDraft = serde_json::from_value(leads::lead("intake", number)).expect("a lead");
    if number.is_multiple_of(2) {
        lead.phone = Some(format!("05{:08}", number % 100_000_000));
    }
    lead.language = Some("ar_001".to_owned());
    lead.answers = vec![("How many cars?".to_owned(), number.to_string()), ("When?".to_owned(), "May".to_owned())];
    lead.origin.platform = Some("meta".to_owned());
    lead.origin.lead_id = Some(number.to_string());
    lead.origin.ad_name = Some("Ad 7".to_owned());
    lead.origin.click_ids.insert("fbclid".to_owned(), format!("click-{number}"));
    Draft::Lead(lead)
}
