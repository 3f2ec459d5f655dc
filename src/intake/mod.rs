//! From what a source sent to operations on Odoo. Pure: the same delivery gives the same operations, so the intake job
//! can be run again at any time.
//!
//! The steps, in their order:
//!
//! 1. `normalise`: one spelling for what people typed in many
//! 2. `flags`: what is odd about a lead, and what follows from that
//! 3. duplicates: Odoo alone knows them, so they are looked for where the operation is carried out
//! 4. `score`: how promising it is, and why; `learned`: its chance by the shop's own won and lost leads
//! 5. `route`: who gets it
//! 6. `identity`: the reference of the record, the key of the operation
//! 7. `lead`, `own`, `order`: Odoo's fields, and the addon's own

#[cfg(test)]
mod dictionary;
pub mod duplicates;
mod flags;
mod identity;
mod lead;
pub mod learned;
mod normalise;
mod order;
mod own;
mod route;
mod score;
mod values;

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::{
    flags::{DncList, Raised},
    learned::{Chance, Model, Report as LearnedReport},
    normalise::{Normalised, e164},
    route::Route,
    score::{Part, Score},
};
use crate::{
    config::{self, Config, FlagAction},
    domain::{Action, Draft, HELD, LeadDraft, Mark, Message, MessageDraft, Operation, OrderState, Person, Profile},
};
use identity::Identity;

/// What the operations depend on beside the delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntakeContext {
    /// A back-fill: nobody is notified.
    pub silent: bool,
    /// When the delivery arrived.
    pub received_at: DateTime<Utc>,
    /// Domains that take no mail, as far as that was asked.
    pub no_mail: BTreeSet<String>,
}

/// An operation for the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPush {
    /// What to do in Odoo.
    pub operation: Operation,
    /// Operations with the same key run one after another.
    pub record_key: String,
    /// What it is, without personal data.
    pub summary: String,
    /// Why it must wait for a person, if it must.
    pub held: Option<String>,
}

/// What the steps found out about a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Examined {
    /// With one spelling for each value.
    pub normalised: Normalised,
    /// What is odd.
    pub flags: Vec<Raised>,
    /// How promising it is.
    pub score: Score,
    /// What the model knows it by.
    pub traits: Vec<String>,
    /// Its learned chance to be won, if a model is in use.
    pub chance: Option<Chance>,
    /// Who gets it.
    pub route: Route,
}

/// The steps as they are configured.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    settings: config::Intake,
    flags: config::Flags,
    scoring: config::Scoring,
    routing: config::Routing,
    dnc: DncList,
    learned: Arc<RwLock<Option<Arc<Model>>>>,
}

impl Intake {
    /// The steps as configured; `dnc` is what the files of `[flags]` hold.
    pub fn new(config: &Config, dnc: DncList) -> Self {
        Self {
            settings: config.intake.clone(),
            flags: config.flags.clone(),
            scoring: config.scoring,
            routing: route::prepared(config.routing.clone()),
            dnc,
            learned: Arc::default(),
        }
    }

    /// From now on, chances are those of this model, or there are none.
    pub fn learn(&self, model: Option<Model>) {
        *self.learned.write().unwrap_or_else(PoisonError::into_inner) = model.map(Arc::new);
    }

    fn model(&self) -> Option<Arc<Model>> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings of what is learned, and of the clock that it goes by.
    pub fn learning(&self) -> (config::Learned, &config::Hours) {
        (self.scoring.learned, &self.routing.hours)
    }

    /// Plans the operations for a delivery, in the order in which they must run.
    pub fn plan(&self, source_id: &str, delivery_key: &str, drafts: Vec<Draft>, ctx: &IntakeContext) -> Vec<NewPush> {
        let country = self.settings.country_of(source_id);
        let mut pushes = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            let identity = Identity::new(source_id, delivery_key, index, &draft);
            match draft {
                Draft::Lead(lead) => {
                    let mut examined = self.examine(source_id, identity.reference(), lead, ctx);
                    let mut push = push(&identity, &examined, ctx);
                    push.operation.traits = mem::take(&mut examined.traits);
                    let lead = &examined.normalised.lead;
                    // A lead that names its team or salesperson has an owner.
                    let named = lead.team.is_some() || lead.salesperson.is_some();
                    push.operation.owner = examined.route.owner().filter(|_| !named);
                    push.operation.late = Some(flags::late(lead, &self.flags));
                    push.operation.person = self.settings.duplicates.enabled.then(|| person(lead, country));
                    pushes.push(push);
                }
                Draft::Message(draft) => pushes.push(self.message(source_id, &identity, *draft, ctx)),
                Draft::Mark(mark) => {
                    let mut push = identity.push(Action::Mark, Default::default(), ctx);
                    push.operation.mark = Some(Mark { source: source_id.to_owned(), ..mark });
                    pushes.push(push);
                }
                Draft::Profile(profile) => {
                    let contact_name = profile.name.clone().or_else(|| profile.username.clone());
                    let lead = LeadDraft { contact_name, ..LeadDraft::default() };
                    let mut push = identity.push(Action::Update, lead::name(&normalise::lead(lead, country).lead), ctx);
                    push.operation.profile = Some(Profile { source: source_id.to_owned(), ..profile });
                    pushes.push(push);
                }
                Draft::Order(order) => {
                    let order = &normalise::order(order, country);
                    let mut push = |action, values| pushes.push(identity.push(action, values, ctx));
                    // An order that is cancelled before it was ever here needs all of its parts to be created at all.
                    let complete = order.customer.is_some() && order.lines.is_some();
                    if order.state != OrderState::Cancelled || complete {
                        push(Action::Upsert, order::values(order));
                    }
                    match order.state {
                        OrderState::Quotation => {}
                        OrderState::Confirmed => push(Action::Confirm, Default::default()),
                        OrderState::Cancelled => push(Action::Cancel, Default::default()),
                    }
                }
            }
        }
        pushes
    }

    /// A message brings a lead along, for whoever has none; what is written stays out of the lead's description.
    fn message(&self, source_id: &str, identity: &Identity, draft: MessageDraft, ctx: &IntakeContext) -> NewPush {
        let MessageDraft { lead, message, .. } = draft;
        let examined = self.examine(source_id, identity.reference(), lead, ctx);
        let mut push = push(identity, &examined, ctx);
        push.operation.values.remove("description");
        let lead = &examined.normalised.lead;
        // What people call themselves on a messenger speaks neither for nor against their being somebody.
        let person = || Person { name: None, ..person(lead, self.settings.country_of(source_id)) };
        push.operation.person = self.settings.duplicates.enabled.then(person);
        // The person's number may be in the reference.
        push.summary = format!("message {}", push.operation.key);
        // One without a time was written when it came, as far as anybody knows.
        let sent_at = if message.sent_at == DateTime::UNIX_EPOCH { ctx.received_at } else { message.sent_at };
        push.operation.message = Some(Message { source: source_id.to_owned(), sent_at, ..message });
        push
    }

    /// Everything that is found out about a lead before it goes to Odoo.
    pub fn examine(&self, source_id: &str, reference: &str, lead: LeadDraft, ctx: &IntakeContext) -> Examined {
        let country = self.settings.country_of(source_id);
        let normalised = normalise::lead(lead, country);
        let lead = &normalised.lead;
        let flags = flags::raise(lead, country, &self.flags, &self.dnc, &ctx.no_mail);
        let score = score::score(lead, &flags, &self.scoring);
        let learns = self.scoring.learned.enabled;
        let received_at = ctx.received_at;
        let traits = if learns { learned::of_lead(lead, &flags, received_at, &self.routing.hours) } else { Vec::new() };
        let chance = self.model().map(|model| model.chance(&traits));
        let percent = chance.as_ref().map(|chance| chance.percent);
        let subject = route::Subject { lead, source_id, reference, score: score.total, chance: percent, received_at };
        let route = route::route(&subject, &self.routing);
        Examined { normalised, flags, score, traits, chance, route }
    }
}

/// The operation that brings a lead to Odoo.
fn push(identity: &Identity, examined: &Examined, ctx: &IntakeContext) -> NewPush {
    let mut push = identity.push(Action::Upsert, lead::values(examined), ctx);
    push.operation.create_only = lead::create_only(examined);
    push.operation.create_only.retain(|field| push.operation.values.contains_key(field));
    push.operation.values.extend(own::values(examined));
    let held = |raised: &&Raised| raised.action == FlagAction::Hold;
    let reasons: Vec<_> = examined.flags.iter().filter(held).map(|raised| raised.flag.code()).collect();
    push.held = (!reasons.is_empty()).then(|| format!("{HELD}{}", reasons.join(", ")));
    push
}

/// Who a lead is about.
fn person(lead: &LeadDraft, country: Option<&str>) -> Person {
    let all = |first: &Option<String>, others: &[String]| first.iter().chain(others).cloned().collect();
    Person {
        name: lead.contact_name.clone(),
        company: lead.company.clone(),
        emails: all(&lead.email, &lead.other_emails),
        phones: all(&lead.phone, &lead.other_phones),
        city: lead.city.clone(),
        country: lead.country.clone().or_else(|| country.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{LeadDraft, Model, OrderDraft, OrderLineDraft, PartnerDraft};

    fn lead(external_id: Option<&str>) -> Draft {
        let external_id = external_id.map(str::to_owned);
        Draft::Lead(LeadDraft { external_id, email: Some("sara@example.com".to_owned()), ..LeadDraft::default() })
    }

    fn order(state: OrderState, complete: bool) -> Draft {
        Draft::Order(OrderDraft {
            external_id: "SO-1".to_owned(),
            state,
            customer: complete.then(PartnerDraft::default),
            lines: complete.then(|| vec![OrderLineDraft::default()]),
            ..OrderDraft::default()
        })
    }

    fn plan_one(draft: Draft) -> Vec<NewPush> {
        Intake::default().plan("web", "msg_1", vec![draft], &IntakeContext::default())
    }

    #[test]
    fn leads_get_a_reference_and_a_key() {
        let pushes = Intake::default().plan(
            "web",
            "msg_1",
            vec![lead(Some("778")), lead(None)],
            &IntakeContext { silent: true, ..IntakeContext::default() },
        );
        let ids: Vec<_> = pushes.iter().map(|p| (&*p.operation.reference, &*p.operation.key, &*p.record_key)).collect();
        assert_eq!(
            ids,
            [("web:778", "web:msg_1:0", "crm.lead|web:778"), ("web:msg_1:1", "web:msg_1:1", "crm.lead|web:msg_1:1"),]
        );
        assert_eq!(pushes[0].summary, "crm.lead upsert web:778");
        assert!(pushes.iter().all(|push| push.operation.silent && push.operation.model == Model::Lead));
    }

    #[test]
    fn the_state_of_an_order_is_a_second_operation_on_the_same_record() {
        let actions = |state, complete| -> Vec<_> {
            let pushes = plan_one(order(state, complete));
            assert!(pushes.iter().all(|push| push.record_key == "sale.order|web:SO-1"));
            pushes.iter().map(|push| (push.operation.action, push.operation.key.clone())).collect()
        };
        let key = |suffix: &str| format!("web:msg_1:0{suffix}");
        let upsert = (Action::Upsert, key(""));
        assert_eq!(actions(OrderState::Quotation, false), std::slice::from_ref(&upsert));
        assert_eq!(actions(OrderState::Confirmed, false), [upsert.clone(), (Action::Confirm, key(":confirm"))]);
        assert_eq!(actions(OrderState::Cancelled, false), [(Action::Cancel, key(":cancel"))]);
        assert_eq!(actions(OrderState::Cancelled, true), [upsert, (Action::Cancel, key(":cancel"))]);
    }

    #[test]
    fn a_profile_names_a_lead_and_makes_none() {
        let profile = |name: Option<&str>| {
            let (name, username) = (name.map(str::to_owned), Some("sara.ali".to_owned()));
            let (source, account) = (String::new(), "9".to_owned());
            Draft::Profile(Profile { source, account, people: vec!["71".to_owned()], name, username })
        };
        for (name, called) in [(Some(" Sara  Ali "), "Sara Ali"), (None, "sara.ali")] {
            let push = plan_one(profile(name)).remove(0);
            let Operation { key, action, reference, values, profile, person, owner, .. } = push.operation;
            assert_eq!((action, key.as_str()), (Action::Update, "web:msg_1:0:update"));
            assert_eq!((reference.as_str(), push.record_key.as_str()), ("web:71", "crm.lead|web:71"));
            let plain = |text: &str| crate::domain::FieldValue::Plain(text.into());
            let expected = [("contact_name", called), ("name", called)];
            assert!(values.into_iter().eq(expected.map(|(field, value)| (field.to_owned(), plain(value)))));
            assert_eq!(profile.expect("a profile").source, "web");
            assert_eq!((person, owner, push.held), (None, None, None));
        }
    }

    proptest! {
        #[test]
        fn keys_fit_and_differ(delivery in "\\PC{1,255}", external in proptest::option::of("\\PC{1,180}"), n in 1..4usize) {
            let drafts: Vec<_> = (0..n).map(|_| lead(external.as_deref())).chain([order(OrderState::Confirmed, true)]).collect();
            let pushes = Intake::default().plan(&"s".repeat(64), &delivery, drafts, &IntakeContext::default());
            let mut keys: Vec<_> = pushes.iter().map(|push| push.operation.key.clone()).collect();
            prop_assert!(keys.iter().all(|key| key.chars().count() <= 255));
            prop_assert!(pushes.iter().all(|push| push.operation.reference.chars().count() <= 255));
            keys.sort();
            keys.dedup();
            prop_assert_eq!(keys.len(), pushes.len());
        }
    }
}
