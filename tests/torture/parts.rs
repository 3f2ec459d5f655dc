//! The tests of the torture's own parts: an audit that cannot fail, or a proxy that breaks nothing, proves nothing.

#[allow(dead_code)]
mod audit;
#[path = "../support/proxy.rs"]
#[allow(dead_code)]
mod proxy;

use audit::{Change, Event, Evidence, Figures, Save, Verdict};
use serde_json::json;

/// Two leads, two saves, everything as it should be.
fn sound() -> Evidence {
    let lead = |city: &str| json!({"city": city});
    let save = |lead, before, after| Save { lead, before, after };
    let event = |id: &str, change, city| Event { id: id.to_owned(), lead: 1, change, data: lead(city) };
    Evidence {
        acknowledged: [("a", "d1"), ("b", "d2")].map(|(lead, delivery)| (lead.to_owned(), delivery.to_owned())).into(),
        attempted: ["a", "b", "unanswered"].map(str::to_owned).into(),
        deliveries: vec!["d1".to_owned(), "d2".to_owned(), "d3".to_owned()],
        in_odoo: vec!["a".to_owned(), "b".to_owned(), "unanswered".to_owned()],
        saves: vec![
            save(1, None, Some(lead("x"))),
            save(1, Some(lead("x")), Some(lead("y"))),
            // Of something else, and of a lead that came and went.
            save(1, Some(lead("y")), Some(lead("y"))),
            save(2, None, None),
        ],
        events: vec![event("e1", Change::Created, "x"), event("e2", Change::Updated, "y")],
        stored: vec!["e1".to_owned(), "e2".to_owned()],
        mirror: [(1, lead("y"))].into(),
        records: [(1, lead("y"))].into(),
        integrity: "ok".to_owned(),
        ..Evidence::default()
    }
}

fn judged(spoil: impl FnOnce(&mut Evidence)) -> Figures {
    let mut evidence = sound();
    spoil(&mut evidence);
    let verdict = evidence.judge();
    assert!(!verdict.findings.is_empty(), "it must be found: {verdict:?}");
    verdict.figures
}

#[test]
fn what_is_sound_passes() {
    let figures = Figures { acknowledged: 2, in_odoo: 2, events: 2, ..Figures::default() };
    assert_eq!(sound().judge(), Verdict { figures, findings: Vec::new() });
    assert_eq!(figures.to_string(), "audit: 2 acknowledged, 2 in Odoo, 0 lost, 0 doubled, 2 events, 0 lost, 0 doubled");
}

#[test]
fn lost_and_doubled_leads_are_found() {
    let lost = judged(|evidence| evidence.in_odoo.retain(|lead| lead != "b"));
    assert_eq!((lost.in_odoo, lost.lost, lost.doubled), (1, 1, 0));
    let doubled = judged(|evidence| evidence.in_odoo.push("a".to_owned()));
    assert_eq!((doubled.in_odoo, doubled.lost, doubled.doubled), (2, 0, 1));
    let unanswered = judged(|evidence| evidence.in_odoo.push("unanswered".to_owned()));
    assert_eq!(unanswered.doubled, 1, "also of what nobody acknowledged");
    judged(|evidence| evidence.in_odoo.push("from nowhere".to_owned()));
    judged(|evidence| evidence.deliveries.retain(|delivery| delivery != "d2"));
}

#[test]
fn what_a_person_removed_is_not_lost() {
    let mut evidence = sound();
    evidence.in_odoo.retain(|lead| lead != "b");
    evidence.removed.insert("b".to_owned());
    assert_eq!(evidence.judge(), sound().judge());
}

#[test]
fn lost_and_doubled_events_are_found() {
    let unwritten = judged(|evidence| {
        evidence.events.pop();
        evidence.stored.pop();
    });
    assert_eq!((unwritten.events, unwritten.events_lost, unwritten.events_doubled), (1, 1, 0));
    let unstored = judged(|evidence| {
        evidence.stored.pop();
    });
    assert_eq!((unstored.events_lost, unstored.events_doubled), (1, 0));
    let twice = judged(|evidence| {
        evidence.events.push(Event { id: "e3".to_owned(), ..evidence.events[0].clone() });
        evidence.stored.push("e3".to_owned());
    });
    assert_eq!((twice.events_lost, twice.events_doubled), (0, 1));
    let stored_twice = judged(|evidence| evidence.stored.push("e1".to_owned()));
    assert_eq!((stored_twice.events_lost, stored_twice.events_doubled), (0, 1));
}

#[test]
fn events_of_what_was_rolled_back_are_found() {
    let rolled_back = judged(|evidence| {
        let data = json!({"city": "rolled back"});
        evidence.events.push(Event { id: "e3".to_owned(), lead: 1, change: Change::Updated, data });
        evidence.stored.push("e3".to_owned());
    });
    assert_eq!((rolled_back.events_lost, rolled_back.events_doubled), (0, 1));
    let wrong = judged(|evidence| evidence.events[1].data = json!({"city": "z"}));
    assert_eq!((wrong.events_lost, wrong.events_doubled), (1, 1), "an event that says something else is none");
    let unknown_to_odoo = judged(|evidence| evidence.stored.push("e4".to_owned()));
    assert_eq!(unknown_to_odoo.events_doubled, 1);
}

#[test]
fn a_mirror_that_differs_and_jobs_that_failed_are_found() {
    judged(|evidence| evidence.mirror.insert(1, json!({"city": "z"})).map(drop).unwrap_or_default());
    judged(|evidence| evidence.mirror.clear());
    judged(|evidence| evidence.records.clear());
    judged(|evidence| evidence.unfinished.push("job 7 is parked".to_owned()));
    judged(|evidence| evidence.integrity = "row 3 missing from index".to_owned());
}
