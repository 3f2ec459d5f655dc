//! Who gets a new lead, without the addon: who has had the person's earlier lead, else the first in the lead's own order
//! who is not at their limit. How many leads everybody has open is asked once a minute, not for each lead.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Batch, PlainBridge};
use crate::{
    domain::Model,
    odoo::{OdooError, ReadyOperation, ReadyOwner, ReadySeller, Search},
};

/// How long the number of open leads is believed.
const TTL: Duration = Duration::from_secs(60);

/// Most earlier leads that a batch looks at.
const MOST_EARLIER: u32 = 1000;

/// How many leads somebody has open.
#[derive(Debug)]
pub(super) struct Open {
    leads: u64,
    asked: Instant,
}

impl PlainBridge {
    /// The salespeople of new leads, by position.
    pub(super) async fn owners(
        &self,
        batch: &Batch<'_>,
        positions: &[usize],
    ) -> Result<HashMap<usize, i64>, OdooError> {
        let wanted: Vec<(usize, &ReadyOwner)> = positions
            .iter()
            .map(|&position| (position, &batch.operations[position]))
            .filter(|(_, operation)| !operation.values.contains_key("user_id"))
            .filter_map(|(position, operation)| Some((position, operation.owner.as_ref()?)))
            .collect();
        let earlier = self.earlier(batch, &wanted).await?;
        let limited: BTreeSet<i64> = wanted
            .iter()
            .flat_map(|(_, owner)| owner.among.iter().chain(&owner.otherwise))
            .filter(|seller| seller.limit.is_some())
            .map(|seller| seller.id)
            .collect();
        let mut open = self.open.lock().await;
        for user in limited {
            if open.get(&user).is_none_or(|open| open.asked.elapsed() >= TTL) {
                let domain = json!([["user_id", "=", user], ["stage_id.is_won", "=", false]]);
                let leads = self.client.search_count(Model::Lead.as_str(), domain).await?;
                open.insert(user, Open { leads, asked: Instant::now() });
            }
        }
        let mut owners = HashMap::new();
        for (position, owner) in wanted {
            let known = earlier.get(&position).copied().filter(|user| owner.sticky && !owner.away.contains(user));
            let chosen = known.or_else(|| {
                let leads = |user| open.get(&user).map_or(0, |open| open.leads);
                choose(owner, leads)
            });
            if let Some(user) = chosen {
                open.entry(user).and_modify(|open| open.leads += 1);
                owners.insert(position, user);
            }
        }
        Ok(owners)
    }

    /// Who has had the newest lead with the same address, by position.
    async fn earlier(
        &self,
        batch: &Batch<'_>,
        wanted: &[(usize, &ReadyOwner)],
    ) -> Result<HashMap<usize, i64>, OdooError> {
        const KEYS: [(&str, &str); 2] = [("email_from", "email_normalized"), ("phone", "phone_sanitized")];
        let fields = self.fields(Model::Lead)?;
        // Nobody is known who was looked for already, and not decided about.
        let unknown =
            |position: usize| batch.operations[position].matching.as_ref().is_some_and(|it| it.decision.is_none());
        let sticky = wanted.iter().filter(|(position, owner)| owner.sticky && !unknown(*position));
        let sticky: Vec<usize> = sticky.map(|(position, _)| *position).collect();
        let key = |position: usize, field: &str| address(&batch.operations[position], field);
        let mut domain = Vec::new();
        for (field, normal) in KEYS {
            let keys: BTreeSet<String> = sticky.iter().filter_map(|&position| key(position, field)).collect();
            if !keys.is_empty() && fields.kind(normal).is_some() {
                domain.push(json!([normal, "in", keys]));
            }
        }
        if domain.is_empty() {
            return Ok(HashMap::new());
        }
        if domain.len() == 2 {
            domain.insert(0, json!("|"));
        }
        domain.extend([json!(["user_id.active", "=", true]), json!(["active", "in", [true, false]])]);
        let columns = KEYS.iter().map(|(_, normal)| *normal).filter(|normal| fields.kind(normal).is_some());
        let mut search = Search::new(Model::Lead.as_str(), Value::Array(domain)).fields(columns.chain(["user_id"]));
        search.order = "id desc".to_owned();
        search.limit = Some(MOST_EARLIER);
        let found = self.client.search_read(search).await?;
        let owner_of = |position: usize| {
            let same = found.iter().find(|lead| {
                KEYS.iter().any(|(field, normal)| {
                    key(position, field).is_some_and(|key| lead.get(*normal).is_some_and(|value| *value == key))
                })
            })?;
            same["user_id"][0].as_i64()
        };
        Ok(sticky.into_iter().filter_map(|position| Some((position, owner_of(position)?))).collect())
    }
}

/// An address in the form in which Odoo keeps it beside the one that was typed.
fn address(operation: &ReadyOperation, field: &str) -> Option<String> {
    operation.values.get(field).and_then(Value::as_str).map(str::to_lowercase)
}

/// The first who can, else the first at all: no lead is left alone because everybody has enough.
fn choose(owner: &ReadyOwner, leads: impl Fn(i64) -> u64) -> Option<i64> {
    let is_there = |seller: &&ReadySeller| !owner.away.contains(&seller.id);
    let is_free = |seller: &&ReadySeller| seller.limit.is_none_or(|limit| leads(seller.id) < u64::from(limit));
    let mut all = owner.among.iter().chain(&owner.otherwise).filter(is_there);
    let first = all.clone().next();
    all.find(is_free).or(first).map(|seller| seller.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_who_is_there_and_not_at_the_limit() {
        let seller = |id, limit| ReadySeller { id, limit, weight: 1 };
        let owner = ReadyOwner {
            among: vec![seller(1, None), seller(2, Some(5))],
            otherwise: vec![seller(3, Some(5))],
            ..ReadyOwner::default()
        };
        let full = |user| if user == 2 { 5 } else { 0 };
        assert_eq!(choose(&owner, full), Some(1));
        let without = |away: &[i64]| ReadyOwner { away: away.to_vec(), ..owner.clone() };
        assert_eq!(choose(&without(&[1]), full), Some(3));
        assert_eq!(choose(&without(&[1]), |_| 0), Some(2));
        assert_eq!(choose(&without(&[1]), |_| 9), Some(2), "everybody has enough");
        assert_eq!(choose(&without(&[1, 2, 3]), |_| 0), None);
    }
}
