//! Who gets a lead: the first rule that fits, else the default.
//!
//! Several salespeople share the leads by the lead's reference: each has its own mixture of it, and the highest takes
//! the lead. That needs no memory, so the same lead goes to the same person after a restart, on another machine and
//! whenever its job is run again; and if one of them leaves, only their leads go to others.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::normalise;
use crate::{
    config::{Routing, RoutingRule},
    domain::LeadDraft,
};

/// Where a lead goes, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The rule that decided; `None` if no rule fits and there is no default.
    pub rule: Option<String>,
    /// The team's name.
    pub team: Option<String>,
    /// The salesperson's login.
    pub salesperson: Option<String>,
    /// Those among whom the salesperson was chosen.
    pub among: Vec<String>,
    /// Further tags.
    pub tags: Vec<String>,
    /// 0 to 3.
    pub priority: Option<u8>,
}

/// What a rule may look at.
pub(super) struct Subject<'a> {
    /// The normalised lead.
    pub lead: &'a LeadDraft,
    /// Its source's id.
    pub source_id: &'a str,
    /// Who the lead is.
    pub reference: &'a str,
    /// Its score.
    pub score: u8,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// The route of a lead.
pub(super) fn route(subject: &Subject<'_>, routing: &Routing) -> Route {
    let found = routing.rules.iter().enumerate().find(|(_, rule)| fits(rule, subject, routing));
    let (rule, target) = match found {
        Some((position, rule)) if rule.name.is_empty() => (Some(format!("rule {}", position + 1)), &rule.target),
        Some((_, rule)) => (Some(rule.name.clone()), &rule.target),
        None if routing.default == Default::default() => return Route::default(),
        None => (Some("default".to_owned()), &routing.default),
    };
    Route {
        rule,
        team: target.team.clone(),
        salesperson: chosen(&target.salespeople, subject.reference).cloned(),
        among: target.salespeople.clone(),
        tags: target.tags.clone(),
        priority: target.priority,
    }
}

fn fits(rule: &RoutingRule, subject: &Subject<'_>, routing: &Routing) -> bool {
    let Subject { lead, source_id, .. } = subject;
    let origin = &lead.origin;
    let text = Option::<String>::as_deref;
    let city = lead.city.as_deref();
    let language = lead.language.as_ref().and_then(|code| code.split(['_', '-']).next());
    any(&rule.source, &[text(&lead.source), text(&origin.platform), Some(source_id)])
        && any(&rule.campaign, &[text(&lead.campaign), text(&origin.campaign_name), text(&origin.campaign_id)])
        && any(&rule.form, &[text(&origin.form_name), text(&origin.form_id)])
        && (rule.city.is_empty()
            || city.is_some_and(|city| rule.city.iter().any(|wanted| same(&normalise::city(wanted), city))))
        && any(&rule.country, &[text(&lead.country)])
        && any(&rule.language, &[text(&lead.language), language])
        && rule.answer.as_ref().is_none_or(|wanted| {
            let asked = lead.answers.iter().filter(|(question, _)| same(&wanted.question, question));
            asked.into_iter().any(|(_, answer)| any(&wanted.is, &[Some(answer)]))
        })
        && rule.min_score.is_none_or(|least| subject.score >= least)
        && rule.min_value.is_none_or(|least| lead.expected_revenue.is_some_and(|value| value >= least))
        && rule.working_hours.is_none_or(|wanted| routing.hours.contain(subject.received_at) == wanted)
}

/// Whether one of the values is one of those wanted, or none is wanted. A `*` at the end of what is wanted stands for
/// anything.
fn any(wanted: &[String], values: &[Option<&str>]) -> bool {
    wanted.is_empty() || values.iter().flatten().any(|value| wanted.iter().any(|wanted| same(wanted, value)))
}

fn same(wanted: &str, value: &str) -> bool {
    let (wanted, value) = (wanted.to_lowercase(), value.to_lowercase());
    match wanted.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => wanted == value,
    }
}

fn chosen<'a>(people: &'a [String], reference: &str) -> Option<&'a String> {
    people
        .iter()
        .max_by_key(|person| Sha256::new().chain_update(person).chain_update([0]).chain_update(reference).finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{RoutingAnswer, RoutingTarget};

    fn to(team: &str) -> RoutingTarget {
        RoutingTarget { team: Some(team.to_owned()), ..RoutingTarget::default() }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn route_of(lead: Value, rules: Vec<RoutingRule>) -> Route {
        let lead: LeadDraft = serde_json::from_value(lead).expect("a lead");
        let routing = Routing { rules, default: to("Rest"), ..Routing::default() };
        let received_at = "2026-11-22T09:00:00Z".parse().expect("a time");
        let subject = Subject { lead: &lead, source_id: "web", reference: "web:1", score: 70, received_at };
        route(&subject, &routing)
    }

    #[test]
    fn every_condition_counts() {
        let rule = RoutingRule { target: to("T"), ..RoutingRule::default() };
        let answer = RoutingAnswer { question: "Budget".to_owned(), is: names(&["100k+"]) };
        for (rule, fits, fits_not) in [
            (RoutingRule { source: names(&["google"]), ..rule.clone() }, json!({"source": "Google"}), json!({})),
            (RoutingRule { source: names(&["web"]), ..rule.clone() }, json!({}), Value::Null),
            (
                RoutingRule { source: names(&["meta"]), ..rule.clone() },
                json!({"origin": {"platform": "meta"}}),
                json!({}),
            ),
            (
                RoutingRule { campaign: names(&["Ramadan*"]), ..rule.clone() },
                json!({"campaign": "ramadan 26"}),
                json!({"campaign": "Eid"}),
            ),
            (
                RoutingRule { form: names(&["77"]), ..rule.clone() },
                json!({"origin": {"form_id": "77"}}),
                json!({"origin": {"form_id": "7"}}),
            ),
            (
                RoutingRule { city: names(&["الرياض"]), ..rule.clone() },
                json!({"city": "Riyadh"}),
                json!({"city": "Jeddah"}),
            ),
            (
                RoutingRule { country: names(&["SA", "AE"]), ..rule.clone() },
                json!({"country": "AE"}),
                json!({"country": "KW"}),
            ),
            (
                RoutingRule { language: names(&["ar"]), ..rule.clone() },
                json!({"language": "ar_001"}),
                json!({"language": "en_US"}),
            ),
            (
                RoutingRule { answer: Some(answer), ..rule.clone() },
                json!({"answers": [["budget", "100K+"]]}),
                json!({"answers": [["Size", "100k+"]]}),
            ),
            (
                RoutingRule { min_value: Some(500.0), ..rule.clone() },
                json!({"expected_revenue": 500.0}),
                json!({"expected_revenue": 499.0}),
            ),
            (RoutingRule { min_score: Some(70), ..rule.clone() }, json!({}), Value::Null),
            (RoutingRule { working_hours: Some(true), ..rule.clone() }, json!({}), Value::Null),
        ] {
            assert_eq!(route_of(fits, vec![rule.clone()]).team.as_deref(), Some("T"), "{rule:?}");
            if fits_not != Value::Null {
                assert_eq!(route_of(fits_not, vec![rule.clone()]).team.as_deref(), Some("Rest"), "{rule:?}");
            }
        }
        for rule in [
            RoutingRule { min_score: Some(71), ..rule.clone() },
            RoutingRule { working_hours: Some(false), ..rule.clone() },
            RoutingRule { source: names(&["web2"]), ..rule },
        ] {
            assert_eq!(route_of(json!({}), vec![rule]).team.as_deref(), Some("Rest"));
        }
    }

    #[test]
    fn the_first_rule_decides_and_nobody_is_left_without() {
        let rule =
            |name: &str, team: &str| RoutingRule { name: name.to_owned(), target: to(team), ..RoutingRule::default() };
        let route = route_of(json!({}), vec![rule("", "A"), rule("second", "B")]);
        assert_eq!((route.rule.as_deref(), route.team.as_deref()), (Some("rule 1"), Some("A")));
        assert_eq!(route_of(json!({}), Vec::new()).rule.as_deref(), Some("default"));
    }

    #[test]
    fn salespeople_share_evenly_and_for_good() {
        let people = names(&["a@x.sa", "b@x.sa", "c@x.sa", "d@x.sa"]);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for number in 0..4000 {
            let reference = format!("web:{number}");
            let person = chosen(&people, &reference).expect("somebody");
            *counts.entry(person).or_default() += 1;
            // Whoever stays keeps what they have.
            let fewer = names(&["d@x.sa", "b@x.sa", "a@x.sa"]);
            if person != "c@x.sa" {
                assert_eq!(chosen(&fewer, &reference), Some(person));
            }
        }
        assert!(counts.len() == 4 && counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(chosen(&[], "web:1"), None);
    }
}
