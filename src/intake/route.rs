//! Who gets a lead: the first rule that fits, else the default.
//!
//! Pure, and so it says among whom the salesperson is chosen, not who it is: turns, open leads, time off and who had
//! the person's earlier lead are known to Odoo alone, where the lead is created ([`Owner`]).
//!
//! The order of those who share is by the lead's reference: each has their own mixture of it. It decides where nothing
//! else does, and without the addon it is all there is: the same lead goes to the same person after a restart, on another
//! machine and whenever its job is run again.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::normalise;
use crate::{
    config::{Away, Routing, RoutingRule, RoutingTarget, Salesperson},
    domain::{LeadDraft, Owner, Seller},
};

/// Where a lead goes, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The rule that decided; `None` if no rule fits and there is no default.
    pub rule: Option<String>,
    /// The team's name.
    pub team: Option<String>,
    /// Whoever has had the person's lead gets this one too.
    pub sticky: bool,
    /// Those who take turns, those who are away among them.
    pub among: Vec<Salesperson>,
    /// For when none of them can.
    pub otherwise: Vec<Salesperson>,
    /// Who is away.
    pub away: Vec<Away>,
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
    /// Its learned chance, if there is one in use.
    pub chance: Option<u8>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// The rules with one spelling for their cities, as leads have it.
pub(super) fn prepared(mut routing: Routing) -> Routing {
    let cities = routing.rules.iter_mut().flat_map(|rule| &mut rule.city);
    cities.for_each(|city| *city = normalise::city(city));
    routing
}

/// The route of a lead by [`prepared`] rules.
pub(super) fn route(subject: &Subject<'_>, routing: &Routing) -> Route {
    if routing.rules.is_empty() && routing.default == RoutingTarget::default() {
        return Route::default();
    }
    let found = routing.rules.iter().enumerate().find(|(_, rule)| fits(rule, subject, routing));
    let (rule, target) = match found {
        Some((position, rule)) if rule.name.is_empty() => (format!("rule {}", position + 1), &rule.target),
        Some((_, rule)) => (rule.name.clone(), &rule.target),
        None => ("default".to_owned(), &routing.default),
    };
    let day = routing.hours.day(subject.received_at);
    let away: Vec<Away> = routing.away.iter().filter(|away| (away.from..=away.until).contains(&day)).cloned().collect();
    // Nobody is asked to stand in where a team is to share its leads itself.
    let team_owns = target.salespeople.is_empty() && target.team.is_some();
    Route {
        rule: Some(rule),
        team: target.team.clone(),
        sticky: routing.sticky,
        among: in_order(&target.salespeople, subject.reference),
        otherwise: if team_owns { Vec::new() } else { in_order(&routing.default.salespeople, subject.reference) },
        away,
        tags: target.tags.clone(),
        priority: target.priority,
    }
}

impl Route {
    /// What Odoo is to decide, if there is anything.
    pub(super) fn owner(&self) -> Option<Owner> {
        let sellers = |people: &[Salesperson]| {
            let seller = |person: &Salesperson| Seller {
                login: person.login.clone(),
                limit: person.limit,
                weight: person.weight,
            };
            people.iter().map(seller).collect()
        };
        Some(Owner {
            rule: self.rule.clone()?,
            sticky: self.sticky,
            among: sellers(&self.among),
            otherwise: sellers(&self.otherwise),
            away: self.away.iter().map(|away| away.login.clone()).collect(),
        })
    }
}

/// The order in which this lead is offered to them where nothing else decides.
fn in_order(people: &[Salesperson], reference: &str) -> Vec<Salesperson> {
    let mut people = people.to_vec();
    people.sort_by_cached_key(|person| {
        Reverse(Sha256::new().chain_update(&person.login).chain_update([0]).chain_update(reference).finalize())
    });
    people
}

fn fits(rule: &RoutingRule, subject: &Subject<'_>, routing: &Routing) -> bool {
    let Subject { lead, source_id, .. } = subject;
    let origin = &lead.origin;
    let text = Option::<String>::as_deref;
    let language = lead.language.as_ref().and_then(|code| code.split(['_', '-']).next());
    any(&rule.source, &[text(&lead.source), text(&origin.platform), Some(source_id)])
        && any(&rule.campaign, &[text(&lead.campaign), text(&origin.campaign_name), text(&origin.campaign_id)])
        && any(&rule.form, &[text(&origin.form_name), text(&origin.form_id)])
        && any(&rule.city, &[text(&lead.city)])
        && any(&rule.country, &[text(&lead.country)])
        && any(&rule.language, &[text(&lead.language), language])
        && rule.answer.as_ref().is_none_or(|wanted| {
            let asked = lead.answers.iter().filter(|(question, _)| same(&wanted.question, question));
            asked.into_iter().any(|(_, answer)| any(&wanted.is, &[Some(answer)]))
        })
        && rule.min_score.is_none_or(|least| subject.score >= least)
        && rule.min_chance.is_none_or(|least| subject.chance.is_some_and(|chance| chance >= least))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::RoutingAnswer;

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
        let subject =
            Subject { lead: &lead, source_id: "web", reference: "web:1", score: 70, chance: Some(30), received_at };
        route(&subject, &prepared(routing))
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
            (RoutingRule { min_chance: Some(30), ..rule.clone() }, json!({}), Value::Null),
            (RoutingRule { working_hours: Some(true), ..rule.clone() }, json!({}), Value::Null),
        ] {
            assert_eq!(route_of(fits, vec![rule.clone()]).team.as_deref(), Some("T"), "{rule:?}");
            if fits_not != Value::Null {
                assert_eq!(route_of(fits_not, vec![rule.clone()]).team.as_deref(), Some("Rest"), "{rule:?}");
            }
        }
        for rule in [
            RoutingRule { min_score: Some(71), ..rule.clone() },
            RoutingRule { min_chance: Some(31), ..rule.clone() },
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

    fn person(login: &str) -> Salesperson {
        Salesperson { login: login.to_owned(), limit: None, weight: 1 }
    }

    fn routed(routing: &Routing, reference: &str, received_at: &str) -> Route {
        let lead = LeadDraft::default();
        let received_at = received_at.parse().expect("a time");
        route(&Subject { lead: &lead, source_id: "web", reference, score: 0, chance: None, received_at }, routing)
    }

    fn logins(people: &[Salesperson]) -> Vec<&str> {
        people.iter().map(|person| person.login.as_str()).collect()
    }

    #[test]
    fn everybody_comes_first_equally_often_and_for_good() {
        let people: Vec<_> = ["a@x.sa", "b@x.sa", "c@x.sa", "d@x.sa"].map(person).into();
        let fewer: Vec<_> = ["d@x.sa", "b@x.sa", "a@x.sa"].map(person).into();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..4000 {
            let reference = format!("web:{number}");
            let order = in_order(&people, &reference);
            *counts.entry(order[0].login.clone()).or_default() += 1;
            // Whoever stays keeps what they have.
            let stays: Vec<_> = logins(&order).into_iter().filter(|login| *login != "c@x.sa").collect();
            assert_eq!(logins(&in_order(&fewer, &reference)), stays);
        }
        assert!(counts.len() == 4 && counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn who_is_away_is_so_on_the_days_of_the_place() {
        let date = |text: &str| text.parse().expect("a date");
        let routing = Routing {
            away: vec![Away { login: "Sara@x.sa".to_owned(), from: date("2026-12-01"), until: date("2026-12-02") }],
            default: RoutingTarget { salespeople: vec![person("sara@x.sa"), person("omar@x.sa")], ..to("T") },
            ..Routing::default()
        };
        for (time, away) in [
            // Midnight in Riyadh is at 21:00 UTC.
            ("2026-11-30T20:59:59Z", 0),
            ("2026-11-30T21:00:00Z", 1),
            ("2026-12-02T20:59:59Z", 1),
            ("2026-12-02T21:00:00Z", 0),
        ] {
            let route = routed(&routing, "web:1", time);
            assert_eq!((route.among.len(), route.away.len()), (2, away), "{time}");
        }
    }

    #[test]
    fn the_default_stands_in_but_not_for_a_team() {
        let rule = |target| vec![RoutingRule { target, ..RoutingRule::default() }];
        let of = |target| {
            let default = RoutingTarget { salespeople: vec![person("rest@x.sa")], ..RoutingTarget::default() };
            let routing = Routing { rules: rule(target), default, ..Routing::default() };
            routed(&routing, "web:1", "2026-11-22T09:00:00Z").owner().expect("an owner")
        };
        let people = RoutingTarget { salespeople: vec![person("sara@x.sa")], ..to("T") };
        assert_eq!((of(people.clone()).among.len(), of(people).otherwise.len()), (1, 1));
        assert_eq!((of(to("T")).among.len(), of(to("T")).otherwise.len()), (0, 0), "the team's own");
        let tags = RoutingTarget { tags: names(&["x"]), ..RoutingTarget::default() };
        assert_eq!((of(tags.clone()).among.len(), of(tags).otherwise.len()), (0, 1));
        assert_eq!(Route::default().owner(), None);
    }
}
