//! From an operation as it waits in the outbox to one that Odoo can take: every name, code and address becomes an id.
//!
//! Pure: what Odoo knows comes in as [`Answers`]. Collecting the questions of a whole batch first ([`questions`]) is
//! what keeps the number of calls independent of the number of operations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::{
    domain::{
        Action, FieldValue, LateFlags, Lookup, Model, Operation, Owner, PartnerDraft, Person, ReadyFlags, Seller,
    },
    intake::duplicates,
    odoo::{Matching, ReadyOperation, ReadyOwner, ReadySeller, Resolved, xmlid_for},
};

/// What must be asked before a batch can be sent.
#[derive(Debug, Default, PartialEq)]
pub struct Questions {
    /// Records known by name or code.
    pub lookups: BTreeSet<Lookup>,
    /// Customers known by address, in the order of their first mention.
    pub partners: Vec<PartnerDraft>,
}

/// Odoo's answers.
#[derive(Debug, Default)]
pub struct Answers {
    /// Lookup → id, or why there is none.
    pub lookups: HashMap<Lookup, Resolved>,
    /// As [`Questions::partners`]; `None` must be created.
    pub partners: Vec<(PartnerDraft, Option<i64>)>,
}

/// Collects what must be asked about `operations`.
pub fn questions<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Questions {
    let mut questions = Questions::default();
    for operation in operations {
        operation.values.values().for_each(|value| ask(value, &mut questions));
        let logins = operation.owner.iter().flat_map(Owner::logins);
        questions.lookups.extend(logins.cloned().map(Lookup::Salesperson));
        let tags = operation.late.iter().flat_map(|late| &late.tag);
        questions.lookups.extend(tags.cloned().map(Lookup::Tag));
    }
    questions
}

fn ask(value: &FieldValue, questions: &mut Questions) {
    match value {
        FieldValue::Plain(_) => {}
        FieldValue::Lookup(lookup) => {
            questions.lookups.insert(lookup.clone());
        }
        FieldValue::Lookups(lookups) => questions.lookups.extend(lookups.iter().cloned()),
        FieldValue::Partner(partner) => {
            partner_country(partner).into_iter().for_each(|country| {
                questions.lookups.insert(country);
            });
            if !questions.partners.contains(partner) {
                questions.partners.push(partner.clone());
            }
        }
        FieldValue::Lines(lines) => lines.iter().flat_map(BTreeMap::values).for_each(|value| ask(value, questions)),
    }
}

fn partner_country(partner: &PartnerDraft) -> Option<Lookup> {
    partner.country.clone().map(Lookup::Country)
}

/// What the caller knows of the record that an operation is about.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Its id, if it was written before.
    pub bound_id: Option<i64>,
    /// What the daemon wrote last.
    pub base: Option<Map<String, Value>>,
    /// Fields that are the daemon's own.
    pub owned: Vec<String>,
    /// A person has looked at it.
    pub reviewed: bool,
}

/// Turns operations into ready ones, in order, customers before the orders that need them.
#[derive(Debug)]
pub struct Preparer<'a> {
    answers: &'a Answers,
    /// Customers that this batch creates, so that two orders of one new customer share it.
    created: Vec<(PartnerDraft, String)>,
}

/// One operation, ready; `customer` must be sent before it.
#[derive(Debug, PartialEq)]
pub struct Prepared {
    /// Creates the customer, if Odoo does not know it yet.
    pub customer: Option<ReadyOperation>,
    /// The operation itself.
    pub operation: ReadyOperation,
}

impl<'a> Preparer<'a> {
    /// A preparer for one batch.
    pub fn new(answers: &'a Answers) -> Self {
        Self { answers, created: Vec::new() }
    }

    /// Resolves one operation. The error says which name Odoo does not know, for the person who parks or corrects it.
    pub fn prepare(&mut self, operation: &Operation, known: Known) -> Result<Prepared, String> {
        let mut values = Map::new();
        let mut customer = None;
        let mut notes = Vec::new();
        for (field, value) in &operation.values {
            match value {
                FieldValue::Partner(partner) => {
                    let (value, create) = self.partner(operation, partner)?;
                    values.insert(field.clone(), value);
                    customer = create;
                }
                FieldValue::Lookup(lookup) if self.is_unneeded(lookup) => {}
                FieldValue::Lookup(lookup) => match self.id(lookup) {
                    Ok(id) => {
                        values.insert(field.clone(), id.into());
                    }
                    Err(reason) if is_essential(operation.model, lookup) => return Err(reason),
                    Err(reason) => notes.push(reason),
                },
                FieldValue::Lookups(lookups) => {
                    let (found, missing): (Vec<_>, Vec<_>) =
                        lookups.iter().map(|lookup| self.id(lookup)).partition(Result::is_ok);
                    // A shorter list would take away on an update what an earlier delivery gave.
                    if missing.is_empty() {
                        let ids: BTreeSet<i64> = found.into_iter().flatten().collect();
                        values.insert(field.clone(), json!(ids));
                    } else if operation.model == Model::Lead {
                        notes.extend(missing.into_iter().filter_map(Result::err));
                    } else {
                        return Err(missing.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; "));
                    }
                }
                FieldValue::Lines(lines) => {
                    values.insert(field.clone(), self.lines(lines)?);
                }
                FieldValue::Plain(value) => {
                    values.insert(field.clone(), value.clone());
                }
            }
        }
        if !notes.is_empty() {
            note_in_description(&mut values, &notes);
        }
        let operation = ReadyOperation {
            key: operation.key.clone(),
            model: operation.model,
            action: operation.action,
            xmlid: xmlid_for(operation.model, &operation.reference),
            reference: operation.reference.clone(),
            values,
            // Whoever writes on does not describe the lead anew: what is empty is filled in.
            base: known.base.filter(|_| operation.message.is_none()),
            owned: if operation.message.is_none() && operation.profile.is_none() { known.owned } else { Vec::new() },
            create_only: operation.create_only.clone(),
            silent: operation.silent,
            matching: operation.person.clone().map(matching),
            message: operation.message.clone(),
            mark: operation.mark.clone(),
            profile: operation.profile.clone(),
            owner: operation.owner.as_ref().map(|owner| self.owner(owner)),
            flags: operation.late.as_ref().map(|late| self.flags(late, known.reviewed)),
            id: None,
            bound_id: known.bound_id,
        };
        Ok(Prepared { customer, operation })
    }

    /// Whoever is not an active user cannot be given anything; there are others.
    fn owner(&self, owner: &Owner) -> ReadyOwner {
        let user = |login: &String| self.id(&Lookup::Salesperson(login.clone())).ok();
        let sellers = |sellers: &[Seller]| {
            let ready = |seller: &Seller| {
                Some(ReadySeller { id: user(&seller.login)?, limit: seller.limit, weight: seller.weight })
            };
            sellers.iter().filter_map(ready).collect()
        };
        let mut unknown: Vec<String> = owner.logins().filter(|login| user(login).is_none()).cloned().collect();
        unknown.dedup();
        ReadyOwner {
            rule: owner.rule.clone(),
            sticky: owner.sticky,
            among: sellers(&owner.among),
            otherwise: sellers(&owner.otherwise),
            away: owner.away.iter().filter_map(user).collect(),
            unknown,
        }
    }

    fn flags(&self, late: &LateFlags, reviewed: bool) -> ReadyFlags {
        let tag = |code: &String| Some((code.clone(), self.id(&Lookup::Tag(code.clone())).ok()?));
        ReadyFlags {
            emails: late.emails.clone(),
            phones: late.phones.clone(),
            tag: late.tag.iter().filter_map(tag).collect(),
            archive: late.archive.clone(),
            hold: late.hold.clone(),
            reviewed,
        }
    }

    fn is_unneeded(&self, lookup: &Lookup) -> bool {
        self.answers.lookups.get(lookup) == Some(&Resolved::Unneeded)
    }

    fn id(&self, lookup: &Lookup) -> Result<i64, String> {
        match self.answers.lookups.get(lookup) {
            Some(Resolved::Id(id)) => Ok(*id),
            Some(Resolved::Missing(reason)) => Err(reason.clone()),
            Some(Resolved::Unneeded) | None => Err(format!("{lookup:?} was not looked up")),
        }
    }

    fn lines(&self, lines: &[BTreeMap<String, FieldValue>]) -> Result<Value, String> {
        lines
            .iter()
            .map(|line| {
                line.iter()
                    .map(|(field, value)| match value {
                        FieldValue::Plain(value) => Ok((field.clone(), value.clone())),
                        FieldValue::Lookup(lookup) => Ok((field.clone(), self.id(lookup)?.into())),
                        _ => Err(format!("`{field}` cannot stand in an order line")),
                    })
                    .collect::<Result<Map<_, _>, _>>()
                    .map(Value::Object)
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array)
    }

    /// The value of a many2one to a customer, and the operation that creates the customer if nobody has yet.
    fn partner(
        &mut self,
        operation: &Operation,
        partner: &PartnerDraft,
    ) -> Result<(Value, Option<ReadyOperation>), String> {
        let answer = self.answers.partners.iter().find(|(asked, _)| asked == partner);
        if let Some(id) = answer.and_then(|(_, id)| *id) {
            return Ok((id.into(), None));
        }
        if let Some((_, reference)) = self.created.iter().find(|(other, _)| same_person(other, partner)) {
            return Ok((json!({ "ref": reference }), None));
        }
        let reference = format!("{}/customer", operation.reference);
        let create = ReadyOperation {
            key: format!("{}/customer", operation.key),
            model: Model::Partner,
            action: Action::Upsert,
            xmlid: xmlid_for(Model::Partner, &reference),
            reference: reference.clone(),
            values: self.partner_values(partner)?,
            base: None,
            owned: Vec::new(),
            create_only: Vec::new(),
            silent: true,
            matching: None,
            message: None,
            mark: None,
            profile: None,
            owner: None,
            flags: None,
            id: None,
            bound_id: None,
        };
        self.created.push((partner.clone(), reference.clone()));
        Ok((json!({ "ref": reference }), Some(create)))
    }

    fn partner_values(&self, partner: &PartnerDraft) -> Result<Map<String, Value>, String> {
        let name = [&partner.name, &partner.email, &partner.phone, &partner.vat]
            .into_iter()
            .flatten()
            .next()
            .ok_or("the customer has neither name, e-mail, phone nor VAT number")?;
        let mut values = Map::new();
        values.insert("name".into(), name.clone().into());
        for (field, value) in [
            ("email", &partner.email),
            ("phone", &partner.phone),
            ("vat", &partner.vat),
            ("street", &partner.street),
            ("city", &partner.city),
            ("zip", &partner.zip),
        ] {
            if let Some(value) = value {
                values.insert(field.into(), value.clone().into());
            }
        }
        if let Some(is_company) = partner.is_company {
            values.insert("is_company".into(), is_company.into());
        }
        // An unknown country is no reason to refuse an order.
        if let Some(Ok(id)) = partner_country(partner).map(|country| self.id(&country)) {
            values.insert("country_id".into(), id.into());
        }
        Ok(values)
    }
}

fn matching(person: Person) -> Matching {
    Matching { keys: duplicates::keys(&person), person, decision: None }
}

/// Whether an operation must not be carried out without this record. A lead is too valuable to wait for somebody to
/// correct a country: what is missing is noted on it. An order is not sold on a guess.
fn is_essential(model: Model, lookup: &Lookup) -> bool {
    model == Model::Order && !matches!(lookup, Lookup::Country(_) | Lookup::Language(_))
}

/// Two drafts that would be found as the same customer.
fn same_person(a: &PartnerDraft, b: &PartnerDraft) -> bool {
    fn same(a: &Option<String>, b: &Option<String>) -> bool {
        a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    }
    same(&a.vat, &b.vat) || same(&a.email, &b.email) || same(&a.phone, &b.phone)
}

/// What could not be mapped stays readable for the salesperson.
fn note_in_description(values: &mut Map<String, Value>, notes: &[String]) {
    let mut text = values.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    for note in notes {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(note);
    }
    values.insert("description".into(), text.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(reference: &str, values: impl IntoIterator<Item = (&'static str, FieldValue)>) -> Operation {
        Operation {
            key: format!("web:{reference}"),
            model: Model::Order,
            action: Action::Upsert,
            reference: reference.to_owned(),
            values: values.into_iter().map(|(field, value)| (field.to_owned(), value)).collect(),
            create_only: Vec::new(),
            silent: false,
            person: None,
            message: None,
            mark: None,
            profile: None,
            owner: None,
            late: None,
            traits: Vec::new(),
        }
    }

    fn customer(email: &str) -> PartnerDraft {
        PartnerDraft { name: Some("Sara".into()), email: Some(email.into()), ..PartnerDraft::default() }
    }

    #[test]
    fn asks_each_question_once() {
        let product = || {
            FieldValue::Lines(vec![BTreeMap::from([(
                "product_id".to_owned(),
                FieldValue::Lookup(Lookup::Product("DESK".into())),
            )])])
        };
        let orders = [
            operation("a", [("partner_id", FieldValue::Partner(customer("s@x.sa"))), ("order_line", product())]),
            operation("b", [("partner_id", FieldValue::Partner(customer("s@x.sa"))), ("order_line", product())]),
        ];
        let questions = questions(&orders);
        assert_eq!(questions.partners.len(), 1);
        assert_eq!(questions.lookups, BTreeSet::from([Lookup::Product("DESK".into())]));
    }

    #[test]
    fn two_orders_of_a_new_customer_create_one() {
        let answers = Answers { partners: vec![(customer("s@x.sa"), None)], ..Answers::default() };
        let mut preparer = Preparer::new(&answers);
        let first = operation("a", [("partner_id", FieldValue::Partner(customer("s@x.sa")))]);
        let second = operation("b", [("partner_id", FieldValue::Partner(customer("S@x.sa")))]);
        let first = preparer.prepare(&first, Known::default()).expect("prepared");
        let second = preparer.prepare(&second, Known::default()).expect("prepared");
        assert_eq!(first.customer.expect("created").reference, "a/customer");
        assert_eq!(second.customer, None);
        assert_eq!(second.operation.values["partner_id"], json!({"ref": "a/customer"}));
    }

    #[test]
    fn an_unknown_product_refuses_and_an_unknown_country_is_noted() {
        let unknown = |what: &str| Resolved::Missing(format!("Odoo knows no {what}"));
        let answers = Answers {
            lookups: HashMap::from([
                (Lookup::Product("X".into()), unknown("product `X`")),
                (Lookup::Country("XX".into()), unknown("country `XX`")),
            ]),
            ..Answers::default()
        };
        let mut preparer = Preparer::new(&answers);
        let order = operation("a", [("x", FieldValue::Lookup(Lookup::Product("X".into())))]);
        assert_eq!(preparer.prepare(&order, Known::default()), Err("Odoo knows no product `X`".to_owned()));

        let mut lead = operation(
            "b",
            [
                ("description", FieldValue::Plain("Hello".into())),
                ("country_id", FieldValue::Lookup(Lookup::Country("XX".into()))),
            ],
        );
        lead.model = Model::Lead;
        let ready = preparer.prepare(&lead, Known::default()).expect("prepared").operation;
        assert_eq!(ready.values["description"], "Hello\nOdoo knows no country `XX`");
        assert!(!ready.values.contains_key("country_id"));
    }
}
