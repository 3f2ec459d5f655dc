//! Turns names, codes and addresses into ids, for a whole batch at once.
//!
//! Hits are cached for ten minutes, misses never. One search per kind and batch; what may be created (UTM names and
//! tags) is created in one call per kind, after a search that ignores case and outer blanks, because Odoo itself
//! would add a second one under a suffixed name. Anything ambiguous is refused rather than guessed.

mod kind;
mod partners;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use self::kind::{Kind, Pick};
use super::{Call, Class, Client, OdooError};
use crate::domain::{Lookup, PartnerDraft};

/// How long a hit is believed.
const TTL: Duration = Duration::from_secs(600);

/// Most hits that are remembered.
const CACHE_SIZE: usize = 20_000;

/// Most keys in one search: each is a condition of its own.
const KEYS_PER_SEARCH: usize = 200;

/// What became of one lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Found, or created.
    Id(i64),
    /// Not there, or ambiguous: the reason, for people.
    Missing(String),
    /// Not there, and not needed: the field is left to Odoo.
    Unneeded,
}

/// Resolves lookups against one database.
#[derive(Debug)]
pub struct Resolver {
    client: Client,
    /// Held while Odoo is asked: two batches must not both create what both miss.
    asking: tokio::sync::Mutex<()>,
    /// Held for moments only, never while Odoo is asked.
    cache: Mutex<HashMap<Lookup, (i64, Instant)>>,
    partner_fields: tokio::sync::OnceCell<partners::Fields>,
    company_currency: tokio::sync::OnceCell<String>,
}

impl Resolver {
    /// A resolver with an empty cache.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            asking: tokio::sync::Mutex::default(),
            cache: Mutex::default(),
            partner_fields: tokio::sync::OnceCell::new(),
            company_currency: tokio::sync::OnceCell::new(),
        }
    }

    /// Resolves all of them; labels that are missing are created, if they may. Every lookup of the input is a key of the
    /// result.
    pub async fn resolve(&self, lookups: &[Lookup], may_create: bool) -> Result<HashMap<Lookup, Resolved>, OdooError> {
        let resolved = self.remembered(lookups);
        if lookups.iter().all(|lookup| resolved.contains_key(lookup)) {
            return Ok(resolved);
        }
        let _asking = self.asking.lock().await;
        // Another batch may have asked meanwhile.
        let mut resolved = self.remembered(lookups);
        let mut open: BTreeMap<Kind, Vec<&Lookup>> = BTreeMap::new();
        for lookup in lookups.iter().filter(|lookup| !resolved.contains_key(lookup)) {
            let asked = open.entry(Kind::of(lookup).0).or_default();
            if !asked.contains(&lookup) {
                asked.push(lookup);
            }
        }
        for (kind, lookups) in open {
            for lookups in lookups.chunks(KEYS_PER_SEARCH) {
                let keys: Vec<&str> = lookups.iter().map(|lookup| Kind::of(lookup).1).collect();
                let answers = self.ask(kind, &keys, may_create && kind.is_label()).await?;
                resolved.extend(lookups.iter().map(|&lookup| lookup.clone()).zip(answers));
            }
        }
        self.spare_company_currency(&mut resolved).await?;
        self.remember(&resolved);
        Ok(resolved)
    }

    /// Odoo has no price lists until that feature is switched on, and needs none for the company's own currency.
    async fn spare_company_currency(&self, resolved: &mut HashMap<Lookup, Resolved>) -> Result<(), OdooError> {
        for (lookup, answer) in resolved {
            if let (Lookup::Currency(code), Resolved::Missing(_)) = (lookup, &*answer) {
                let own = self.company_currency.get_or_try_init(|| self.ask_company_currency()).await?;
                if own.eq_ignore_ascii_case(code) {
                    *answer = Resolved::Unneeded;
                }
            }
        }
        Ok(())
    }

    /// The code of the currency of the company that the daemon works in.
    async fn ask_company_currency(&self) -> Result<String, OdooError> {
        let user = vec![self.client.info().uid];
        let company = match self.client.company() {
            Some(company) => company,
            None => {
                let users = self.client.read("res.users", user, &["company_id".to_owned()]).await?;
                users.first().and_then(|user| user.get("company_id")?.get(0)?.as_i64()).unwrap_or_default()
            }
        };
        let companies = self.client.read("res.company", vec![company], &["currency_id".to_owned()]).await?;
        let name = companies.first().and_then(|company| company.get("currency_id")?.get(1)?.as_str());
        Ok(name.unwrap_or_default().to_owned())
    }

    /// Finds existing customers, in the order of the drafts; `None` where there is no match.
    ///
    /// By VAT number, else by e-mail address, else by phone number. Of several matches, the one that is a company if
    /// the draft is (or a person if it is one) is taken, else a company, else the oldest.
    pub async fn find_partners(&self, drafts: &[PartnerDraft]) -> Result<Vec<Option<i64>>, OdooError> {
        let fields = self.partner_fields.get_or_try_init(|| partners::Fields::load(&self.client)).await?;
        partners::find(&self.client, fields, drafts).await
    }

    /// Answers for the keys, in order. What Odoo does not let the user see or create is missing.
    async fn ask(&self, kind: Kind, keys: &[&str], may_create: bool) -> Result<Vec<Resolved>, OdooError> {
        let found = match self.client.search_read(kind.search(keys)).await {
            Ok(found) => found,
            Err(error) if error.class() == Class::Permanent => {
                return Ok(keys.iter().map(|_| Resolved::Missing(error.to_string())).collect());
            }
            Err(error) => return Err(error),
        };
        let picks: Vec<Pick> = keys.iter().map(|key| kind.pick(key, &found)).collect();
        let mut created = HashMap::new();
        if may_create {
            let missing = keys.iter().zip(&picks).filter(|(_, pick)| **pick == Pick::None).map(|(key, _)| *key);
            created = self.create(kind, missing).await?;
        }
        Ok(keys
            .iter()
            .zip(picks)
            .map(|(key, pick)| match pick {
                Pick::One(id) => Resolved::Id(id),
                Pick::Many(which) => {
                    Resolved::Missing(format!("Odoo has more than one {} {key:?}: {which}", kind.noun()))
                }
                Pick::None => created
                    .get(&kind::fold(key))
                    .cloned()
                    .unwrap_or_else(|| Resolved::Missing(format!("Odoo has no {} {key:?}", kind.noun()))),
            })
            .collect())
    }

    /// Creates what is missing, each once whatever its spelling. By folded key.
    async fn create(
        &self,
        kind: Kind,
        missing: impl Iterator<Item = &str>,
    ) -> Result<HashMap<String, Resolved>, OdooError> {
        // An empty name is none.
        let names: BTreeMap<String, &str> =
            missing.map(|key| (kind::fold(key), key.trim())).filter(|(folded, _)| !folded.is_empty()).collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let values: Vec<Value> = names.values().map(|name| json!({ "name": name })).collect();
        match self.client.call(Call::new(kind.model(), "create").arg("vals_list", values)).await {
            Ok(ids) => {
                let ids = ids.as_array().into_iter().flatten().filter_map(Value::as_i64).map(Resolved::Id);
                Ok(names.into_keys().zip(ids).collect())
            }
            Err(error) if error.class() == Class::Permanent => {
                let reason = Resolved::Missing(format!("Odoo refuses to create a {}: {error}", kind.noun()));
                Ok(names.into_keys().map(|name| (name, reason.clone())).collect())
            }
            Err(error) => Err(error),
        }
    }

    fn remembered(&self, lookups: &[Lookup]) -> HashMap<Lookup, Resolved> {
        let cache = self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = |lookup: &Lookup| cache.get(lookup).filter(|(_, since)| since.elapsed() < TTL).map(|(id, _)| *id);
        lookups.iter().filter_map(|lookup| Some((lookup.clone(), Resolved::Id(fresh(lookup)?)))).collect()
    }

    fn remember(&self, resolved: &HashMap<Lookup, Resolved>) {
        let mut cache = self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.len() + resolved.len() > CACHE_SIZE {
            cache.clear();
        }
        let now = Instant::now();
        for (lookup, answer) in resolved {
            if let Resolved::Id(id) = answer {
                // A hit from the cache keeps its age.
                let entry = cache.entry(lookup.clone()).or_insert((*id, now));
                if entry.1.elapsed() >= TTL {
                    *entry = (*id, now);
                }
            }
        }
    }
}

/// A pattern that `=ilike` takes literally.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// A domain that is true where any of the conditions is.
fn any_of(conditions: Vec<Value>) -> Vec<Value> {
    let operators = conditions.len().saturating_sub(1);
    std::iter::repeat_n(json!("|"), operators).chain(conditions).collect()
}

/// A text field of a record; empty if it has none.
fn text<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}
