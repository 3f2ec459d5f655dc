//! Records as they come out of Odoo, in the normal form of `docs/BRIDGE.md`.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// One record: field → value, `id` included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(pub Map<String, Value>);

impl Record {
    /// The record's id, or `None` if Odoo sent none.
    pub fn id(&self) -> Option<i64> {
        self.0.get("id").and_then(Value::as_i64)
    }

    /// A hash of the content, equal for equal content: field order, `write_date` and the way that a whole number was
    /// written (`5` or `5.0`) do not count.
    pub fn content_hash(&self) -> [u8; 16] {
        let sorted: BTreeMap<_, _> = self.0.iter().filter(|(field, _)| *field != "write_date").collect();
        let mut hasher = Sha256::new();
        for (field, value) in sorted {
            hasher.update(field.as_bytes());
            hash_value(&mut hasher, value);
        }
        let digest = hasher.finalize();
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        hash
    }
}

fn hash_value(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update([0]),
        Value::Bool(flag) => hasher.update([1, u8::from(*flag)]),
        Value::Number(number) => {
            hasher.update([2]);
            hasher.update(number.as_f64().unwrap_or_default().to_bits().to_be_bytes());
        }
        Value::String(text) => {
            hasher.update([3]);
            hasher.update(text.len().to_be_bytes());
            hasher.update(text.as_bytes());
        }
        Value::Array(items) => {
            hasher.update([4]);
            hasher.update(items.len().to_be_bytes());
            items.iter().for_each(|item| hash_value(hasher, item));
        }
        Value::Object(fields) => {
            hasher.update([5]);
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            for (field, item) in sorted {
                hasher.update(field.as_bytes());
                hash_value(hasher, item);
            }
        }
    }
}

/// Display names of related records: model → id → name.
pub type Names = HashMap<String, HashMap<i64, String>>;

/// The model that a relational field of a mirrored record, or of one of its lines, points to.
pub fn relation_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "stage_id" => "crm.stage",
        "user_id" => "res.users",
        "team_id" => "crm.team",
        "company_id" => "res.company",
        "partner_id" | "partner_invoice_id" | "partner_shipping_id" => "res.partner",
        "state_id" => "res.country.state",
        "country_id" => "res.country",
        "lang_id" => "res.lang",
        "tag_ids" => "crm.tag",
        "campaign_id" => "utm.campaign",
        "medium_id" => "utm.medium",
        "source_id" => "utm.source",
        "lost_reason_id" | "lost_reason" => "crm.lost.reason",
        "currency_id" => "res.currency",
        "pricelist_id" => "product.pricelist",
        "payment_term_id" => "account.payment.term",
        "product_id" => "product.product",
        "title" => "res.partner.title",
        "opportunity_id" => "crm.lead",
        _ => return None,
    })
}

/// One page of a pull.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Page {
    /// The records, ascending by id.
    pub records: Vec<Record>,
    /// Names of the records that they point to.
    #[serde(default)]
    pub names: Names,
    /// Where the next page starts; `None` after the last.
    #[serde(default)]
    pub next: Option<i64>,
    /// How many records there are in all; on the first page only.
    #[serde(default)]
    pub total: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Record;

    fn record(value: serde_json::Value) -> Record {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn hash_ignores_write_date_and_number_form() {
        let a = record(json!({"id": 1, "x": 5, "write_date": "2026-01-01 00:00:00", "l": [{"q": 1.0}]}));
        let b = record(json!({"l": [{"q": 1}], "write_date": "2026-02-01 00:00:00", "x": 5.0, "id": 1}));
        assert_eq!(a.content_hash(), b.content_hash());
    }

    #[test]
    fn hash_sees_every_value() {
        let base = record(json!({"id": 1, "x": null, "y": ["a", "b"]}));
        for other in [
            json!({"id": 1, "x": false, "y": ["a", "b"]}),
            json!({"id": 1, "x": null, "y": ["ab"]}),
            json!({"id": 1, "x": null, "y": ["b", "a"]}),
            json!({"id": 2, "x": null, "y": ["a", "b"]}),
        ] {
            assert_ne!(base.content_hash(), record(other).content_hash());
        }
    }
}
