//! Records as they come out of Odoo, in the normal form of `docs/BRIDGE.md`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, value::RawValue};
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
}

/// One record as text, with what the mirror asks of it. Thousands of them are in memory at once, and a [`Record`] takes
/// ten times as much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    /// The record's id.
    pub id: i64,
    /// Odoo's `write_date`.
    pub write_date: Option<String>,
    /// Equal for equal content: field order, `write_date` and the way that a whole number was written (`5` or `5.0`)
    /// do not count.
    pub hash: [u8; 16],
    /// The JSON object.
    pub json: Box<str>,
}

impl RecordText {
    fn parse(json: Box<str>) -> serde_json::Result<Self> {
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(&json)?;
        let value = |field: &RawValue| serde_json::from_str::<Value>(field.get());
        let field = |name| fields.get(name).map_or(Ok(Value::Null), |field| value(field));
        let id = field("id")?.as_i64().ok_or_else(|| de::Error::custom("a record without an id"))?;
        let write_date = field("write_date")?.as_str().map(str::to_owned);
        let hash = content_hash(fields.iter().map(|(name, field)| Ok((*name, Cow::Owned(value(field)?)))))?;
        Ok(Self { id, write_date, hash, json })
    }
}

impl<'de> Deserialize<'de> for RecordText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(json.into()).map_err(de::Error::custom)
    }
}

impl TryFrom<&Record> for RecordText {
    type Error = serde_json::Error;

    /// Fails if the record has no id.
    fn try_from(record: &Record) -> serde_json::Result<Self> {
        let sorted: BTreeMap<&String, &Value> = record.0.iter().collect();
        Ok(Self {
            id: record.id().ok_or_else(|| de::Error::custom("a record without an id"))?,
            write_date: record.0.get("write_date").and_then(Value::as_str).map(str::to_owned),
            hash: content_hash(sorted.into_iter().map(|(name, value)| Ok((name.as_str(), Cow::Borrowed(value)))))?,
            json: serde_json::to_string(record)?.into(),
        })
    }
}

/// Of fields that are sorted by name.
fn content_hash<'a>(
    fields: impl Iterator<Item = serde_json::Result<(&'a str, Cow<'a, Value>)>>,
) -> serde_json::Result<[u8; 16]> {
    let mut hasher = Sha256::new();
    for field in fields {
        let (name, value) = field?;
        if name != "write_date" {
            hasher.update(name.as_bytes());
            hash_value(&mut hasher, &value);
        }
    }
    let digest = hasher.finalize();
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[..16]);
    Ok(hash)
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
    pub records: Vec<RecordText>,
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
    use serde_json::{Value, json};

    use super::{Record, RecordText};

    fn text(value: &Value) -> RecordText {
        serde_json::from_str(&value.to_string()).expect("an object with an id")
    }

    #[test]
    fn text_and_parsed_record_say_the_same() {
        let value = json!({"id": 1, "name": "محمد \"A\"", "x": [1, null], "write_date": "2026-01-01 00:00:00"});
        let record: Record = serde_json::from_value(value.clone()).expect("an object");
        let text = text(&value);
        assert_eq!(RecordText::try_from(&record).expect("the same"), text);
        assert_eq!((text.id, text.write_date.as_deref()), (1, Some("2026-01-01 00:00:00")));
        assert_eq!(serde_json::from_str::<Value>(&text.json).expect("JSON"), value);
    }

    #[test]
    fn a_record_without_an_id_is_refused() {
        for wrong in [json!({"name": "x"}), json!({"id": "1"}), json!([1])] {
            assert!(serde_json::from_value::<RecordText>(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(RecordText::try_from(&Record::default()).is_err());
    }

    #[test]
    fn hash_ignores_write_date_and_number_form() {
        let a = text(&json!({"id": 1, "x": 5, "write_date": "2026-01-01 00:00:00", "l": [{"q": 1.0}]}));
        let b = text(&json!({"l": [{"q": 1}], "write_date": "2026-02-01 00:00:00", "x": 5.0, "id": 1}));
        assert_eq!(a.hash, b.hash);
    }

    #[test]
    fn hash_sees_every_value() {
        let base = text(&json!({"id": 1, "x": null, "y": ["a", "b"]}));
        for other in [
            json!({"id": 1, "x": false, "y": ["a", "b"]}),
            json!({"id": 1, "x": null, "y": ["ab"]}),
            json!({"id": 1, "x": null, "y": ["b", "a"]}),
            json!({"id": 2, "x": null, "y": ["a", "b"]}),
        ] {
            assert_ne!(base.hash, text(&other).hash);
        }
    }
}
