//! `[routing]`: which lead goes to whom.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, Offset, Utc, Weekday};
use serde::Serialize;
use toml::de::DeValue;

use super::{
    Reader,
    expect::{Expect, Fault, boolean, float, integer, list, one_or_more, string},
    intake::country,
};

/// `[routing]`
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// When somebody is there.
    pub hours: Hours,
    /// Whoever has had a person's lead gets the next one too.
    pub sticky: bool,
    /// Who is not there on which days.
    pub away: Vec<Away>,
    /// In this order: the first that fits decides.
    pub rules: Vec<Rule>,
    /// For leads that no rule fits.
    pub default: Target,
}

impl Default for Routing {
    fn default() -> Self {
        Self { hours: Hours::default(), sticky: true, away: Vec::new(), rules: Vec::new(), default: Target::default() }
    }
}

/// `[[routing.away]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Away {
    /// The salesperson's login.
    pub login: String,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
}

/// Somebody who gets leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salesperson {
    /// Their login in Odoo.
    pub login: String,
    /// No further lead while so many of theirs are open.
    pub limit: Option<u32>,
    /// So many turns where others have one.
    pub weight: u8,
}

/// The working week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    days: Vec<Weekday>,
    from: NaiveTime,
    to: NaiveTime,
    offset: FixedOffset,
}

/// `[[routing.rules]]`: what a lead must be like, and where it goes then. A condition that is absent always holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// One of these sources: the UTM source, the platform, or the `<id>` of `[sources.<id>]`.
    pub source: Vec<String>,
    /// One of these campaigns, by name or id.
    pub campaign: Vec<String>,
    /// One of these forms, by name or id.
    pub form: Vec<String>,
    /// One of these cities.
    pub city: Vec<String>,
    /// One of these countries.
    pub country: Vec<String>,
    /// One of these languages.
    pub language: Vec<String>,
    /// An answer to a question.
    pub answer: Option<Answer>,
    /// At least this score.
    pub min_score: Option<u8>,
    /// At least this learned chance to be won, in percent. Holds only while a model is in use.
    pub min_chance: Option<u8>,
    /// At least this expected revenue.
    pub min_value: Option<f64>,
    /// Arrived in working hours, or out of them.
    pub working_hours: Option<bool>,
    /// Where it goes.
    pub target: Target,
}

/// A question of a form, and the answers that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// One of these.
    pub is: Vec<String>,
}

/// Where a lead goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The sales team's name.
    pub team: Option<String>,
    /// Those who take the leads in turn.
    pub salespeople: Vec<Salesperson>,
    /// Further tags.
    pub tags: Vec<String>,
    /// 0 to 3.
    pub priority: Option<u8>,
}

impl Routing {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let hours = Hours::default();
        let days = list(weekday()).example("[\"Sun\", \"Mon\", \"Tue\", \"Wed\", \"Thu\"]");
        let hours = Hours {
            days: section.or("days", days, hours.days),
            from: section.or("from", time(), hours.from),
            to: section.or("to", time(), hours.to),
            offset: section.or("utc_offset", offset(), hours.offset),
        };
        let sticky = section.or("sticky", boolean(), true);
        let away = section.or("away", list(away()), Vec::new());
        let rules: Vec<Rule> = section.or("rules", list(rule()), Vec::new());
        let mut default_section = section.table("default");
        let default = Target::read(&mut default_section);
        default_section.finish();
        if !rules.is_empty() && default.salespeople.is_empty() && default.team.is_none() {
            let hint = "add [routing.default] with a team or salespeople: it is for leads that no rule fits";
            let message = "a lead that no rule fits goes to the leader of a sales team";
            section.warning("rules", message, Some(hint.to_owned()));
        }
        section.finish();
        Self { hours, sticky, away, rules, default }
    }
}

impl Target {
    fn read(section: &mut Reader<'_>) -> Self {
        Self {
            team: section.optional("team", string()),
            salespeople: section.or("salespeople", one_or_more(salesperson()), Vec::new()),
            tags: section.or("tags", list(string()), Vec::new()),
            priority: section.optional("priority", integer(0..=3)),
        }
    }
}

/// A table of `[[routing.rules]]`.
fn rule() -> Expect<Rule> {
    Expect::new("a rule", "{ source = \"Website\", team = \"Gulf\" }", |item| {
        let Some(mut section) = item.table() else { return Err(Fault::Unexpected { found: None, hint: None }) };
        let words = |section: &mut Reader<'_>, key| section.or(key, one_or_more(string()), Vec::new());
        let rule = Rule {
            name: section.optional("name", string()).unwrap_or_default(),
            source: words(&mut section, "source"),
            campaign: words(&mut section, "campaign"),
            form: words(&mut section, "form"),
            city: words(&mut section, "city"),
            country: section.or("country", one_or_more(country()), Vec::new()),
            language: words(&mut section, "language"),
            answer: section.optional("answer", answer()),
            min_score: section.optional("min_score", integer(0..=100)),
            min_chance: section.optional("min_chance", integer(0..=100)),
            min_value: section.optional("min_value", float(0.0..=1e15)),
            working_hours: section.optional("working_hours", boolean()),
            target: Target::read(&mut section),
        };
        if rule.target == Target::default() {
            let hint = "add `team`, `salespeople`, `tags` or `priority`";
            section.problem("", "a rule without a target does nothing", Some(hint.to_owned()));
        }
        section.finish();
        Ok(rule)
    })
}

/// A login, or a table with it.
fn salesperson() -> Expect<Salesperson> {
    Expect::new("a login", "\"sales@example.com\"", |item| {
        if let DeValue::String(login) = item.value()
            && !login.trim().is_empty()
        {
            return Ok(Salesperson { login: login.to_string(), limit: None, weight: 1 });
        }
        let Some(mut section) = item.table() else { return Err(Fault::Unexpected { found: None, hint: None }) };
        let login = section.required("login", string().example("\"sales@example.com\""));
        let limit = section.optional("limit", integer(1..=100_000));
        let weight = section.or("weight", integer(1..=10), 1);
        section.finish();
        login.map(|login| Salesperson { login, limit, weight }).ok_or(Fault::Reported)
    })
}

/// A table of `[[routing.away]]`.
fn away() -> Expect<Away> {
    Expect::new(
        "an absence",
        "{ login = \"sara@example.com\", from = \"2026-12-01\", until = \"2026-12-14\" }",
        |item| {
            let Some(mut section) = item.table() else { return Err(Fault::Unexpected { found: None, hint: None }) };
            let login = section.required("login", string().example("\"sara@example.com\""));
            let from = section.required("from", date());
            let until = section.required("until", date());
            if from.zip(until).is_some_and(|(from, until)| until < from) {
                section.problem("until", "is before `from`", Some("`until` is the last day of the absence".to_owned()));
            }
            section.finish();
            let (Some(login), Some(from), Some(until)) = (login, from, until) else { return Err(Fault::Reported) };
            Ok(Away { login, from, until })
        },
    )
}

fn answer() -> Expect<Answer> {
    Expect::new("a question and its answers", "{ question = \"Budget\", is = \"100k+\" }", |item| {
        let Some(mut section) = item.table() else { return Err(Fault::Unexpected { found: None, hint: None }) };
        let question = section.required("question", string());
        let is = section.required("is", one_or_more(string()));
        section.finish();
        question.zip(is).map(|(question, is)| Answer { question, is }).ok_or(Fault::Reported)
    })
}

fn weekday() -> Expect<Weekday> {
    string().example("\"Sun\"").try_map(|day: String| {
        day.parse::<Weekday>().map_err(|_| "is no day of the week; write Sun, Mon, Tue, Wed, Thu, Fri or Sat")
    })
}

fn date() -> Expect<NaiveDate> {
    string()
        .example("\"2026-12-01\"")
        .try_map(|date: String| date.parse::<NaiveDate>().map_err(|_| "is no date such as 2026-12-01"))
}

fn time() -> Expect<NaiveTime> {
    string()
        .example("\"09:00\"")
        .try_map(|time: String| NaiveTime::parse_from_str(&time, "%H:%M").map_err(|_| "is no time such as 09:00"))
}

fn offset() -> Expect<FixedOffset> {
    string()
        .example("\"+03:00\"")
        .try_map(|offset: String| offset.parse::<FixedOffset>().map_err(|_| "is no difference from UTC such as +03:00"))
}

impl Default for Hours {
    /// The working week of Riyadh.
    fn default() -> Self {
        let clock = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        Self {
            days: vec![Weekday::Sun, Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu],
            from: clock(9),
            to: clock(18),
            offset: FixedOffset::east_opt(3 * 3600).unwrap_or_else(|| Utc.fix()),
        }
    }
}

impl Hours {
    /// Which day it is there.
    pub fn day(&self, time: DateTime<Utc>) -> NaiveDate {
        self.local(time).date_naive()
    }

    /// What the clocks show there.
    pub fn local(&self, time: DateTime<Utc>) -> DateTime<FixedOffset> {
        time.with_timezone(&self.offset)
    }

    /// Whether somebody is there.
    pub fn contain(&self, time: DateTime<Utc>) -> bool {
        let local = self.local(time);
        let clock = local.time();
        let in_time = if self.from <= self.to {
            (self.from..self.to).contains(&clock)
        } else {
            // Over midnight.
            clock >= self.from || clock < self.to
        };
        in_time && self.days.contains(&local.weekday())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_hours_are_those_of_the_place() {
        let hours = Hours::default();
        for (time, expected) in [
            ("2026-11-22T06:00:00Z", true),
            ("2026-11-22T05:59:59Z", false),
            ("2026-11-22T14:59:59Z", true),
            ("2026-11-22T15:00:00Z", false),
            // A Friday.
            ("2026-11-20T09:00:00Z", false),
        ] {
            assert_eq!(hours.contain(time.parse().expect("a time")), expected, "{time}");
        }
    }
}
