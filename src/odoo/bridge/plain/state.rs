//! Confirming and cancelling orders.

use std::collections::HashMap;

use super::{Batch, PlainBridge, on_records};
use crate::{
    domain::{Action, Model, OpStatus},
    odoo::{Call, OdooError},
};

impl PlainBridge {
    /// Brings orders into their state, all of them with one call per action. What is there already is left alone.
    pub(super) async fn change_state(&self, batch: &mut Batch<'_>, positions: &[usize]) -> Result<(), OdooError> {
        let mut known = Vec::new();
        for &position in positions {
            match batch.id(position) {
                Some(id) => known.push((position, id)),
                None => batch.refuse_unknown(position),
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        let ids = known.iter().map(|(_, id)| *id).collect();
        let orders = self.client.read(Model::Order.as_str(), ids, &["state".to_owned()]).await?;
        let states: HashMap<i64, &str> =
            orders.iter().filter_map(|order| Some((order["id"].as_i64()?, order["state"].as_str()?))).collect();
        let mut due = Vec::new();
        for (position, id) in known {
            let action = batch.operations[position].action;
            match states.get(&id) {
                None => drop(batch.finish(position, OpStatus::Gone, id)),
                Some(state) if is_there(action, state) => drop(batch.finish(position, OpStatus::Unchanged, id)),
                Some(_) => due.push((action, position, id)),
            }
        }
        for (wanted, call) in [
            (Action::Confirm, Call::new(Model::Order.as_str(), "action_confirm")),
            // Up to 18 cancelling may answer with a dialogue instead.
            (Action::Cancel, Call::new(Model::Order.as_str(), "action_cancel").context("disable_cancel_warning", true)),
        ] {
            let orders = || due.iter().filter(|(action, ..)| *action == wanted);
            let ids: Vec<i64> = orders().map(|(_, _, id)| *id).collect();
            if ids.is_empty() {
                continue;
            }
            let mut refused: HashMap<i64, OdooError> = on_records(&self.client, call, ids).await?.into_iter().collect();
            for &(_, position, id) in orders() {
                match refused.remove(&id) {
                    Some(error) => batch.refuse_with(position, error),
                    None => drop(batch.finish(position, OpStatus::Updated, id)),
                }
            }
        }
        Ok(())
    }
}

/// `done` is what a locked order was up to 16.
fn is_there(action: Action, state: &str) -> bool {
    match action {
        Action::Confirm => matches!(state, "sale" | "done"),
        _ => state == "cancel",
    }
}
