//! From what a source sent to operations on Odoo. Pure: the same delivery gives the same operations, so the intake job
//! can be run again at any time.
//!
//! The steps, one file each; further ones (checking, finding duplicates, scoring, routing) come between them:
//!
//! 1. `normalise`: one spelling for what people typed in many
//! 2. `identity`: the reference of the record, the key of the operation
//! 3. `lead`, `order`: Odoo's fields

pub mod duplicates;
mod identity;
mod lead;
mod normalise;
mod order;
mod values;

pub use normalise::e164;

use crate::{
    config,
    domain::{Action, Draft, LeadDraft, Operation, OrderState, Person},
};
use identity::Identity;

/// What the operations depend on beside the delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntakeContext {
    /// A back-fill: nobody is notified.
    pub silent: bool,
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
}

/// The steps as they are configured.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    settings: config::Intake,
}

impl Intake {
    /// The steps with these settings.
    pub fn new(settings: config::Intake) -> Self {
        Self { settings }
    }

    /// Plans the operations for a delivery, in the order in which they must run.
    pub fn plan(&self, source_id: &str, delivery_key: &str, drafts: Vec<Draft>, ctx: &IntakeContext) -> Vec<NewPush> {
        let country = self.settings.country_of(source_id);
        let mut pushes = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            let identity = Identity::new(source_id, delivery_key, index, &draft);
            match draft {
                Draft::Lead(lead) => {
                    let lead = normalise::lead(lead, country);
                    let mut push = identity.push(Action::Upsert, lead::values(&lead), ctx);
                    push.operation.create_only = lead::create_only(&lead.lead);
                    push.operation.person = self.settings.duplicates.enabled.then(|| person(&lead.lead, country));
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
            &IntakeContext { silent: true },
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
