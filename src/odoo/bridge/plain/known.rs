//! Known people without the addon: before a lead is created, Odoo is asked who has its addresses.
//!
//! Nothing in Odoo keeps two creations apart here, so of one batch only one lead per address is created at a time: the
//! next finds it. A decision holds for the leads that were compared, in the states that they were in. What Odoo keeps of
//! phone numbers is what people typed, unless it has the Python package `phonenumbers`; so live leads are also looked
//! for by their last digits, whatever stands between them. By company and name nobody is looked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value, json};

use super::{Batch, PlainBridge, on_records, talk::message_id};
use crate::{
    config::Verb,
    domain::{Candidate, LeadState, Model, OpResult, OpStatus, Person},
    intake::duplicates::Decision,
    odoo::{Applied, Call, Matching, OdooError, ReadyOperation, Search, fields::escape_html},
};

/// Most leads that one batch is compared with.
const MOST: u32 = 500;
/// So many last digits of a phone number are one person's.
const LAST_DIGITS: usize = 8;
/// Where Odoo has phone numbers and e-mail addresses of leads; which of them it has differs by series.
const PHONES: [&str; 3] = ["phone_sanitized", "phone", "mobile"];
const EMAIL: &str = "email_normalized";
/// What a lead's person is read from.
const PERSON: [&str; 5] = ["contact_name", "partner_name", "email_from", "city", "stage_id"];

/// New leads, by what is done with them now.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// They become leads of their own.
    pub(super) create: Vec<usize>,
    /// They are added to a lead that is there.
    pub(super) attach: Vec<usize>,
}

impl PlainBridge {
    /// Looks for the people of new leads. Who was found and not decided about is left undecided; who has an address in
    /// common with one before them in the batch waits for the next round.
    pub(super) async fn sort(&self, batch: &mut Batch<'_>, creates: Vec<usize>) -> Result<Sorted, OdooError> {
        let mut sorted = Sorted::default();
        let (mut taken, mut asked) = (BTreeSet::new(), Vec::new());
        for position in creates {
            let Some(matching) = &batch.operations[position].matching else {
                sorted.create.push(position);
                continue;
            };
            let keys: Vec<&String> = matching.keys.emails.iter().chain(&matching.keys.phones).collect();
            if keys.iter().all(|key| !taken.contains(*key)) {
                asked.push((position, matching));
            }
            taken.extend(keys);
        }
        let candidates = self.candidates(batch, &asked).await?;
        for ((position, matching), candidates) in asked.into_iter().zip(candidates) {
            let seen: HashSet<_> = candidates.iter().map(|candidate| (candidate.id, candidate.state)).collect();
            let decision = matching.decision.as_ref();
            let decision = decision.filter(|decision| decision.seen.iter().copied().collect::<HashSet<_>>() == seen);
            match decision {
                None if candidates.is_empty() => sorted.create.push(position),
                None => batch.leave(position, candidates),
                Some(Decision { verb: Verb::Attach | Verb::Reopen, id: Some(id), .. }) => {
                    let operation = &batch.operations[position];
                    batch.ids.insert((operation.model, operation.reference.clone()), *id);
                    sorted.attach.push(position);
                }
                Some(_) => sorted.create.push(position),
            }
        }
        Ok(sorted)
    }

    /// Who has an address of each of these people, by one search for all.
    async fn candidates(
        &self,
        batch: &Batch<'_>,
        asked: &[(usize, &Matching)],
    ) -> Result<Vec<Vec<Candidate>>, OdooError> {
        let none = || asked.iter().map(|_| Vec::new()).collect();
        let fields = self.fields(Model::Lead)?;
        let phones: Vec<&str> = PHONES.into_iter().filter(|field| fields.kind(field).is_some()).collect();
        let emails: Vec<&str> = [EMAIL].into_iter().filter(|field| fields.kind(field).is_some()).collect();
        let mut conditions = Vec::new();
        let all = |of: fn(&Person) -> Vec<String>| -> BTreeSet<String> {
            asked.iter().flat_map(|(_, matching)| of(&matching.person)).collect()
        };
        for (fields, values) in [(&emails, all(addresses)), (&phones, all(|person| person.phones.clone()))] {
            if !values.is_empty() {
                conditions.extend(fields.iter().map(|field| json!([field, "in", values])));
            }
        }
        let live = asked.iter().filter(|(position, _)| !batch.operations[*position].silent);
        let patterns: BTreeSet<String> =
            live.flat_map(|(_, matching)| matching.person.phones.iter().filter_map(|phone| pattern(phone))).collect();
        conditions.extend(patterns.iter().map(|pattern| json!(["phone", "=ilike", pattern])));
        if conditions.is_empty() {
            return Ok(none());
        }
        let mut domain = vec![json!("|"); conditions.len() - 1];
        domain.append(&mut conditions);
        domain.push(json!(["active", "in", [true, false]]));
        if let Some(company) = self.company {
            domain.push(json!(["company_id", "in", [company, false]]));
        }
        let read = PERSON.into_iter().chain(["active", "probability"]).chain(phones.iter().copied()).chain(emails);
        let mut search = Search::new(Model::Lead.as_str(), Value::Array(domain)).fields(read);
        search.order = "id desc".to_owned();
        search.limit = Some(MOST);
        let found = self.client.search_read(search).await?;
        if found.is_empty() {
            return Ok(none());
        }
        let won = Search::new("crm.stage", json!([["is_won", "=", true]])).fields(["id"]);
        let won: BTreeSet<i64> =
            self.client.search_read(won).await?.iter().filter_map(|stage| stage["id"].as_i64()).collect();
        let found: Vec<(Candidate, Vec<String>)> =
            found.iter().filter_map(|lead| Some((candidate(lead, &phones, &won)?, known_by(lead, &phones)))).collect();
        Ok(asked.iter().map(|(_, matching)| of_person(&matching.person, &found)).collect())
    }

    /// Says on leads whose person was known what was done; opens again what was lost; asks where it is not sure. What was
    /// said before a call was lost is not said again.
    pub(super) async fn tell_known(&self, batch: &Batch<'_>, sorted: &Sorted) -> Result<(), OdooError> {
        let mut notes = Vec::new();
        for &position in sorted.create.iter().chain(&sorted.attach) {
            let operation = &batch.operations[position];
            let decision = operation.matching.as_ref().and_then(|matching| matching.decision.as_ref());
            let (Some(decision), Some(lead)) = (decision, batch.lead_of(position)) else { continue };
            if let Some(note) = note(operation, decision) {
                notes.push((position, lead, decision, note));
            }
        }
        let lines = notes.iter().map(|(position, lead, _, note)| {
            json!({
                "model": Model::Lead.as_str(), "res_id": lead, "body": note, "message_type": "comment",
                "is_internal": true, "message_id": message_id(&format!("{}:known", batch.operations[*position].key)),
            })
        });
        // A note is a courtesy: if Odoo refuses it, the operations stand.
        let said = self.post_lines(lines.collect()).await?;
        let mut reopened = Vec::new();
        let mut asked: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for ((position, lead, decision, _), said) in notes.into_iter().zip(said) {
            let user =
                batch.applied[position].as_ref().and_then(|applied| applied.written.as_ref()?.get("user_id")?.as_i64());
            match (decision.verb, user) {
                (Verb::Reopen, _) => reopened.push(lead),
                (Verb::Ask, Some(user)) if matches!(said, Ok(true)) && !batch.operations[position].silent => {
                    asked.entry(user).or_default().push(lead);
                }
                _ => {}
            }
        }
        if !reopened.is_empty() {
            // What is open already is left as it is.
            courtesy(on_records(&self.client, Call::new(Model::Lead.as_str(), "action_unarchive"), reopened).await?);
        }
        for (user, leads) in asked {
            let call = Call::new(Model::Lead.as_str(), "activity_schedule").arg("user_id", user);
            let call = call.arg("act_type_xmlid", "mail.mail_activity_data_todo").arg("summary", "Perhaps a duplicate");
            courtesy(on_records(&self.client, call.arg("note", "See the note in the history."), leads).await?);
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Ends an operation for now: the caller is to compare.
    fn leave(&mut self, position: usize, candidates: Vec<Candidate>) {
        let result = OpResult {
            key: self.operations[position].key.clone(),
            status: OpStatus::Undecided,
            id: None,
            kept: Vec::new(),
            error: None,
            replayed: false,
            candidates,
            held: Vec::new(),
        };
        self.applied[position] = Some(Applied { result, written: None });
    }
}

/// What Odoo refuses here takes nothing from the operation.
fn courtesy(refused: Vec<(i64, OdooError)>) {
    for (lead, error) in refused {
        tracing::debug!(lead, %error, "what is known of a lead's person could not be told in Odoo");
    }
}

/// E-mail addresses as Odoo keeps them for comparison.
fn addresses(person: &Person) -> Vec<String> {
    person.emails.iter().map(|email| email.trim().to_lowercase()).collect()
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// The last digits of a number with anything between them.
fn pattern(phone: &str) -> Option<String> {
    let digits = digits(phone);
    let last = digits.get(digits.len().checked_sub(LAST_DIGITS)?..)?;
    Some(last.chars().fold(String::new(), |pattern, digit| format!("{pattern}%{digit}")))
}

/// The addresses by which a lead was found.
fn known_by(lead: &Map<String, Value>, phones: &[&str]) -> Vec<String> {
    let text = |field: &&str| lead.get(*field).and_then(Value::as_str).map(str::to_owned);
    text(&EMAIL).into_iter().chain(phones.iter().filter_map(text).map(|phone| last_digits(&phone))).collect()
}

fn last_digits(phone: &str) -> String {
    let digits = digits(phone);
    let start = digits.len().saturating_sub(LAST_DIGITS);
    digits.get(start..).unwrap_or_default().to_owned()
}

/// Those of the found that have an address of this person.
fn of_person(person: &Person, found: &[(Candidate, Vec<String>)]) -> Vec<Candidate> {
    let keys: BTreeSet<String> =
        addresses(person).into_iter().chain(person.phones.iter().map(|phone| last_digits(phone))).collect();
    let shared = found.iter().filter(|(_, known_by)| known_by.iter().any(|key| keys.contains(key)));
    shared.map(|(candidate, _)| candidate.clone()).collect()
}

fn candidate(lead: &Map<String, Value>, phones: &[&str], won: &BTreeSet<i64>) -> Option<Candidate> {
    let text = |field: &str| lead.get(field).and_then(Value::as_str).map(str::to_owned);
    let probability = lead.get("probability").and_then(Value::as_f64).unwrap_or_default();
    let is_won =
        lead.get("stage_id").and_then(|stage| stage.get(0)?.as_i64()).is_some_and(|stage| won.contains(&stage));
    let state = match lead.get("active") {
        _ if is_won && probability >= 100.0 => LeadState::Won,
        Some(Value::Bool(false)) if probability <= 0.0 => LeadState::Lost,
        Some(Value::Bool(false)) => LeadState::Archived,
        _ => LeadState::Open,
    };
    let person = Person {
        name: text("contact_name"),
        company: text("partner_name"),
        emails: text("email_from").into_iter().collect(),
        phones: phones.iter().filter_map(|field| text(field)).collect(),
        city: text("city"),
        country: None,
    };
    Some(Candidate { id: lead.get("id")?.as_i64()?, state, same: false, person })
}

/// What people read on the lead; nothing if it is nobody's they know.
fn note(operation: &ReadyOperation, decision: &Decision) -> Option<String> {
    let (id, reason) = (decision.id?, escape_html(&decision.reason));
    let link = format!("<a href=\"#\" data-oe-model=\"crm.lead\" data-oe-id=\"{id}\">lead {id}</a>");
    let came = || -> String {
        let plain = operation.values.iter().filter_map(|(field, value)| Some((field, value.as_str()?)));
        plain.map(|(field, value)| format!("<li>{}: {}</li>", escape_html(field), escape_html(value))).collect()
    };
    Some(match decision.verb {
        Verb::Create => format!("<p>The person of {link} is back ({reason}).</p>"),
        Verb::Ask => format!("<p>This may be the person of {link} ({reason}). Please look, and merge them if so.</p>"),
        Verb::Attach => format!("<p>The same person wrote again ({reason}). What came:</p><ul>{}</ul>", came()),
        Verb::Reopen => {
            format!(
                "<p>The same person wrote again ({reason}): the lead is open again. What came:</p><ul>{}</ul>",
                came()
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_typed() {
        assert_eq!(pattern("+966 50 123 4567").as_deref(), Some("%0%1%2%3%4%5%6%7"));
        assert_eq!(pattern("911"), None, "too short to be one person's");
        assert_eq!(last_digits("050-123 45 67"), last_digits("+966501234567"));
    }

    #[test]
    fn each_is_compared_with_those_of_their_own_addresses() {
        let lead = |id: i64, more: Value| {
            let mut lead = json!({"id": id, "active": true, "probability": 10.0, "stage_id": [1, "New"]});
            lead.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            lead.as_object().expect("an object").clone()
        };
        let found = [
            lead(1, json!({"phone": "050 123 4567"})),
            lead(2, json!({"email_normalized": "sara@example.com", "active": false, "probability": 0.0})),
            lead(3, json!({"email_normalized": "sara@example.com", "active": false})),
            lead(4, json!({"email_normalized": "sara@example.com", "stage_id": [4, "Won"], "probability": 100})),
            lead(5, json!({"phone": false, "email_normalized": false})),
        ];
        let won = BTreeSet::from([4]);
        let found: Vec<_> = found
            .iter()
            .map(|lead| (candidate(lead, &PHONES, &won).expect("a candidate"), known_by(lead, &PHONES)))
            .collect();
        let of = |person: Person| -> Vec<_> {
            of_person(&person, &found).into_iter().map(|candidate| (candidate.id, candidate.state)).collect()
        };
        let by_phone = Person { phones: vec!["+966501234567".to_owned()], ..Person::default() };
        assert_eq!(of(by_phone), [(1, LeadState::Open)]);
        let by_email = Person { emails: vec![" Sara@Example.com".to_owned()], ..Person::default() };
        assert_eq!(of(by_email), [(2, LeadState::Lost), (3, LeadState::Archived), (4, LeadState::Won)]);
        assert_eq!(of(Person::default()), []);
    }
}
