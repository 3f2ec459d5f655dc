//! Which fields a model has on this series, in this database, for this user: asked, never guessed.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Client, OdooError};
use crate::domain::Model;

/// The kinds of field that make a difference to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `boolean`
    Boolean,
    /// `char`, `text`, `selection`, `reference`: text as it is
    Text,
    /// `html`
    Html,
    /// `integer`
    Integer,
    /// `float`, `monetary`
    Float,
    /// `date`
    Date,
    /// `datetime`
    Datetime,
    /// `many2one`
    Many2one,
    /// `many2many`
    Many2many,
    /// `one2many`
    One2many,
    /// Anything else (`binary`, `properties` …).
    Other,
}

/// What is known of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldType {
    /// Its kind.
    pub kind: FieldKind,
    /// The model that it points to.
    pub relation: Option<String>,
    /// Odoo's own `readonly`.
    pub readonly: bool,
    /// What people see it called.
    pub label: String,
}

/// The fields of one model, as far as the daemon wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// What the mirror reads, in a fixed order, `id` first.
    pub readable: Vec<String>,
    /// Every field that the user may see.
    pub types: HashMap<String, FieldType>,
    /// What the mirror wants and this database does not have.
    pub missing: Vec<String>,
}

/// Fields of `crm.lead` for the mirror, as the addon has them too. Texts of arbitrary size are left out. Of names
/// joined by `|`, those of different series, the first that exists is taken.
const LEAD: &str = "id name type active stage_id user_id team_id company_id partner_id contact_name partner_name \
    email_from email_cc email_normalized phone mobile phone_sanitized website function title street street2 city zip \
    state_id country_id lang_id priority tag_ids campaign_id medium_id source_id referred expected_revenue probability \
    automated_probability won_status lost_reason_id|lost_reason date_deadline date_open date_closed date_conversion \
    date_last_stage_update create_date write_date";

/// The same for `sale.order`.
const ORDER: &str = "id name state locked partner_id partner_invoice_id partner_shipping_id date_order validity_date \
    user_id team_id company_id currency_id pricelist_id payment_term_id amount_untaxed amount_tax amount_total \
    invoice_status opportunity_id client_order_ref origin reference tag_ids campaign_id medium_id source_id \
    commitment_date signed_by signed_on order_line create_date write_date";

/// Fields that Odoo fills itself.
const PROTECTED: [&str; 6] = ["id", "create_date", "create_uid", "write_date", "write_uid", "display_name"];

fn wanted(model: Model) -> impl Iterator<Item = &'static str> {
    match model {
        Model::Lead => LEAD,
        Model::Order => ORDER,
        Model::Partner | Model::Message => "",
    }
    .split_whitespace()
}

impl FieldMap {
    /// Asks Odoo.
    pub async fn load(client: &Client, model: Model) -> Result<Self, OdooError> {
        Ok(Self::new(model, &client.fields_get(model.as_str()).await?))
    }

    fn new(model: Model, answer: &Map<String, Value>) -> Self {
        let types: HashMap<_, _> =
            answer.iter().map(|(name, attributes)| (name.clone(), FieldType::from_json(attributes))).collect();
        let (mut readable, mut missing) = (Vec::new(), Vec::new());
        for names in wanted(model) {
            match names.split('|').find(|name| types.contains_key(*name)) {
                Some(name) => readable.push(name.to_owned()),
                None => missing.push(names.split('|').next().unwrap_or(names).to_owned()),
            }
        }
        Self { readable, types, missing }
    }

    /// The kind of a field that the user may see.
    pub fn kind(&self, field: &str) -> Option<FieldKind> {
        self.types.get(field).map(|field| field.kind)
    }

    /// Whether the daemon may try to write the field. Odoo's own `readonly` does not count: in older series it only
    /// speaks of the form.
    pub fn writable(&self, field: &str) -> bool {
        self.types.contains_key(field) && !PROTECTED.contains(&field)
    }

    /// A value in the normal form of `docs/BRIDGE.md`: Odoo says `False` for empty, and `[id, name]` for a many2one.
    pub(super) fn normal(&self, field: &str, value: Value) -> Value {
        match (self.kind(field), value) {
            (Some(FieldKind::Boolean), value) => value,
            (Some(FieldKind::Many2many | FieldKind::One2many), Value::Array(mut ids)) => {
                ids.sort_by_key(Value::as_i64);
                Value::Array(ids)
            }
            (Some(FieldKind::Many2one), Value::Array(pair)) => pair.into_iter().next().unwrap_or_default(),
            (_, Value::Bool(false)) => Value::Null,
            (_, Value::String(text)) if text.is_empty() => Value::Null,
            (_, value) => value,
        }
    }

    /// Makes plain text fit the fields: in HTML, what is text to the daemon becomes a paragraph.
    pub(super) fn fit(&self, values: &mut Map<String, Value>) {
        for (field, value) in values {
            if let (Some(FieldKind::Html), Value::String(text)) = (self.kind(field), &value) {
                *value = if text.trim().is_empty() { Value::Null } else { Value::String(paragraph(text)) };
            }
        }
    }
}

impl FieldType {
    fn from_json(attributes: &Value) -> Self {
        let kind = match attributes["type"].as_str().unwrap_or_default() {
            "boolean" => FieldKind::Boolean,
            "char" | "text" | "selection" | "reference" => FieldKind::Text,
            "html" => FieldKind::Html,
            "integer" => FieldKind::Integer,
            "float" | "monetary" => FieldKind::Float,
            "date" => FieldKind::Date,
            "datetime" => FieldKind::Datetime,
            "many2one" => FieldKind::Many2one,
            "many2many" => FieldKind::Many2many,
            "one2many" => FieldKind::One2many,
            _ => FieldKind::Other,
        };
        Self {
            kind,
            relation: attributes["relation"].as_str().map(str::to_owned),
            readonly: attributes["readonly"].as_bool().unwrap_or_default(),
            label: attributes["string"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// Text as HTML, in the very form that Odoo's sanitiser leaves alone.
pub(super) fn paragraph(text: &str) -> String {
    let escaped = escape_html(text);
    format!("<p>{}</p>", escaped.trim_end().replace("\r\n", "\n").replace('\n', "<br>"))
}

/// The text without meaning for HTML.
pub(super) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(model: Model, fields: Value) -> FieldMap {
        FieldMap::new(model, fields.as_object().expect("an object"))
    }

    #[test]
    fn takes_what_exists_under_the_name_it_has() {
        let fields = |reason: &str| {
            map(Model::Lead, json!({"id": {"type": "integer"}, "name": {"type": "char"}, reason: {"type": "many2one"}}))
        };
        assert_eq!(fields("lost_reason").readable, ["id", "name", "lost_reason"]);
        let later = fields("lost_reason_id");
        assert_eq!(later.readable, ["id", "name", "lost_reason_id"]);
        assert!(later.missing.contains(&"mobile".to_owned()) && !later.missing.contains(&"lost_reason_id".to_owned()));
    }

    #[test]
    fn only_existing_fields_that_are_not_odoos_own_are_writable() {
        let fields = map(Model::Lead, json!({"id": {"type": "integer"}, "name": {"type": "char", "readonly": true}}));
        assert!(fields.writable("name") && !fields.writable("id") && !fields.writable("mobile"));
    }

    #[test]
    fn values_take_their_normal_form() {
        let fields = map(
            Model::Lead,
            json!({
                "active": {"type": "boolean"}, "name": {"type": "char"}, "stage_id": {"type": "many2one"},
                "tag_ids": {"type": "many2many"}, "probability": {"type": "float"}, "date_open": {"type": "datetime"},
            }),
        );
        for (field, raw, normal) in [
            ("active", json!(false), json!(false)),
            ("name", json!(false), json!(null)),
            ("name", json!(""), json!(null)),
            ("name", json!("x"), json!("x")),
            ("stage_id", json!([4, "Won"]), json!(4)),
            ("stage_id", json!(false), json!(null)),
            ("tag_ids", json!([3, 1]), json!([1, 3])),
            ("probability", json!(0.0), json!(0.0)),
            ("date_open", json!(false), json!(null)),
        ] {
            assert_eq!(fields.normal(field, raw), normal, "{field}");
        }
    }

    #[test]
    fn text_becomes_html_only_in_html_fields() {
        let text = "a < b & \"c\"\r\nd\n";
        for (kind, sent, expected) in [
            ("text", json!(text), json!(text)),
            ("html", json!(text), json!("<p>a &lt; b &amp; \"c\"<br>d</p>")),
            ("html", json!(" "), json!(null)),
            ("html", json!(null), json!(null)),
        ] {
            let fields = map(Model::Lead, json!({"description": {"type": kind}}));
            let mut values = Map::from_iter([("description".to_owned(), sent)]);
            fields.fit(&mut values);
            assert_eq!(values["description"], expected);
        }
    }
}
