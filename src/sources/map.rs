//! `[sources.<id>.map]`: how JSON of any shape becomes the documented lead.
//!
//! Every key is a field of the lead, every value says where it comes from in an item of the body:
//! `"/contact/email"` (a JSON pointer), `["/mobile", "/phone"]` (the first that holds something),
//! `{ join = ["/first", "/last"] }` (all, with spaces between) or `{ value = "Website" }` (always this).
//! The items are the list at `items`, or the body itself. What no key points to is not read.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::{
    ParseError,
    body::{MAX_ITEMS, lead},
    fields::truth,
    json::{Node, Origins},
};
use crate::{
    config::{
        Reader,
        expect::{Expect, Fault, list, string},
        reader::Item,
    },
    domain::LeadDraft,
};

/// What the lead wants of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    Texts,
    /// Passed on as it is.
    Whole,
    Flag,
}

/// The fields that can be mapped.
const FIELDS: [(&str, Shape); 31] = [
    ("external_id", Shape::Text),
    ("name", Shape::Text),
    ("contact_name", Shape::Text),
    ("company", Shape::Text),
    ("email", Shape::Text),
    ("phone", Shape::Text),
    ("website", Shape::Text),
    ("job_title", Shape::Text),
    ("street", Shape::Text),
    ("city", Shape::Text),
    ("zip", Shape::Text),
    ("country", Shape::Text),
    ("language", Shape::Text),
    ("message", Shape::Text),
    ("expected_revenue", Shape::Number),
    ("priority", Shape::Number),
    ("source", Shape::Text),
    ("medium", Shape::Text),
    ("campaign", Shape::Text),
    ("referred", Shape::Text),
    ("team", Shape::Text),
    ("salesperson", Shape::Text),
    ("submitted_at", Shape::Text),
    ("tags", Shape::Texts),
    ("answers", Shape::Whole),
    ("other_emails", Shape::Texts),
    ("other_phones", Shape::Texts),
    ("utm_content", Shape::Text),
    ("utm_term", Shape::Text),
    ("consent", Shape::Whole),
    ("test", Shape::Flag),
];

/// Whether a lead has this field.
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(field, _)| *field == name)
}

/// The fields of `origin`, which can be mapped in a section of its own.
const ORIGIN: [&str; 14] = [
    "platform",
    "lead_id",
    "form_id",
    "form_name",
    "account_id",
    "campaign_id",
    "campaign_name",
    "adset_id",
    "adset_name",
    "ad_id",
    "ad_name",
    "page_id",
    "page_name",
    "url",
];

/// The ids of clicks, which are mapped beside them.
const CLICK_IDS: [&str; 8] = ["gclid", "gbraid", "wbraid", "fbclid", "ttclid", "sccid", "li_fat_id", "msclkid"];

/// A map, as configured.
#[derive(Debug, Clone)]
pub(super) struct LeadMap {
    items: String,
    fields: Vec<(&'static str, Shape, Pick)>,
    origin: Vec<(&'static str, Pick)>,
    click_ids: Vec<(&'static str, Pick)>,
}

/// Where a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pick {
    First(Vec<String>),
    Join(Vec<String>),
    Value(String),
}

impl LeadMap {
    /// Reads the section. `None` if it is not there.
    pub(super) fn read(mut section: Reader<'_>) -> Option<Self> {
        let present = section.is_present();
        let items = section.or("items", pointer("\"/data/leads\""), String::new());
        let fields = FIELDS.iter().filter_map(|(field, shape)| {
            let pick = section.optional(field, pick())?;
            if *shape == Shape::Whole && !matches!(pick, Pick::First(_)) {
                let hint = format!("for example `{field} = \"/form/{field}\"`");
                section.problem(field, "must point to a place in the body", Some(hint));
            }
            Some((*field, *shape, pick))
        });
        let fields = fields.collect();
        let mut below = section.table("origin");
        let mut picks = |keys: &[&'static str]| -> Vec<_> {
            keys.iter().filter_map(|key| Some((*key, below.optional(key, pick())?))).collect()
        };
        let (origin, click_ids) = (picks(&ORIGIN), picks(&CLICK_IDS));
        below.finish();
        let map = Self { items, fields, origin, click_ids };
        section.finish();
        present.then_some(map)
    }

    /// Reads the leads of a body.
    pub(super) fn leads(&self, root: &Node<'_>) -> Result<Vec<LeadDraft>, ParseError> {
        let missing = || root.invalid(format!("nothing at `{}`, where `map.items` says the leads are", self.items));
        let found = root.below(&self.items).ok_or_else(missing)?;
        let items = if found.value.is_array() { found.items(MAX_ITEMS)? } else { vec![found] };
        items.iter().map(|item| self.lead(item)).collect()
    }

    fn lead(&self, item: &Node<'_>) -> Result<LeadDraft, ParseError> {
        let (mut fields, mut origins) = (Map::new(), Origins::new());
        for (field, shape, pick) in &self.fields {
            let Some((value, pointer)) = pick.find(item, *shape) else { continue };
            fields.insert((*field).to_owned(), shape.fit(value));
            origins.insert(field, pointer);
        }
        let texts = |picks: &[(&'static str, Pick)]| -> Map<String, Value> {
            let text = |(key, pick): &(&'static str, Pick)| {
                Some(((*key).to_owned(), Shape::Text.fit(pick.find(item, Shape::Text)?.0)))
            };
            picks.iter().filter_map(text).collect()
        };
        let (mut origin, click_ids) = (texts(&self.origin), texts(&self.click_ids));
        if !click_ids.is_empty() {
            origin.insert("click_ids".to_owned(), click_ids.into());
        }
        if !origin.is_empty() {
            fields.insert("origin".to_owned(), origin.into());
        }
        let fields = Value::Object(fields);
        lead::read(Node { value: &fields, ..item.clone() }.object()?.with_origins(origins))
    }
}

impl Pick {
    /// The value and where it was, or `None` if there is none.
    fn find(&self, item: &Node<'_>, shape: Shape) -> Option<(Value, String)> {
        let filled = |pointer: &String| item.below(pointer).filter(|node| !is_blank(node.value));
        match self {
            Pick::First(pointers) => {
                let node = pointers.iter().find_map(filled)?;
                Some((node.value.clone(), node.pointer))
            }
            Pick::Join(pointers) => {
                let nodes: Vec<_> = pointers.iter().filter_map(filled).collect();
                let pointer = nodes.first()?.pointer.clone();
                let texts: Vec<_> = nodes.iter().filter_map(Node::flat).collect();
                let joined = match shape {
                    Shape::Texts => texts.into(),
                    _ => texts.join(" ").into(),
                };
                Some((joined, pointer))
            }
            Pick::Value(text) => Some((text.clone().into(), item.pointer.clone())),
        }
    }
}

impl Shape {
    /// The value in the type that the lead wants, where nothing is lost by it. What does not fit is left for the
    /// lead to refuse.
    fn fit(self, value: Value) -> Value {
        match (self, value) {
            (Shape::Text, Value::Number(number)) if is_exact(&number) => number.to_string().into(),
            (Shape::Text, Value::Bool(flag)) => flag.to_string().into(),
            (Shape::Number, Value::String(text)) => match text.trim().parse::<Number>() {
                Ok(number) => number.into(),
                Err(_) => text.into(),
            },
            (Shape::Texts, Value::String(text)) => vec![text].into(),
            (Shape::Flag, Value::String(text)) => truth(&text).map_or(text.into(), Value::Bool),
            (_, value) => value,
        }
    }
}

/// Whether the number is still the one that was sent: beyond this, JSON numbers are rounded.
fn is_exact(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.abs() < 1e15)
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn pointer(example: &str) -> Expect<String> {
    let pointer = Expect::new("a JSON pointer", example, |item| Ok(text(item)?.to_owned()));
    pointer.try_map(|pointer| check(&pointer).map(|()| pointer))
}

fn pick() -> Expect<Pick> {
    Expect::new(
        "a JSON pointer, a list of them, `{ join = […] }` or `{ value = \"…\" }`",
        "\"/contact/email\"",
        |item| {
            if let Some(items) = item.items() {
                let pointers = items.iter().map(|item| Ok(text(item)?.to_owned())).collect::<Result<Vec<_>, _>>()?;
                pointers.iter().try_for_each(|pointer| check(pointer)).map_err(Fault::Invalid)?;
                return Ok(Pick::First(pointers));
            }
            if let Some(mut table) = item.table() {
                let value = table.optional("value", string()).map(Pick::Value);
                let join = table.optional("join", list(pointer("[\"/first\", \"/last\"]"))).map(Pick::Join);
                table.finish();
                return value.xor(join).ok_or(Fault::Unexpected { found: None, hint: None });
            }
            let pointer = text(item)?.to_owned();
            check(&pointer).map_err(Fault::Invalid)?;
            Ok(Pick::First(vec![pointer]))
        },
    )
}

fn text<'a>(item: &Item<'a>) -> Result<&'a str, Fault> {
    match item.value() {
        DeValue::String(text) => Ok(text),
        _ => Err(Fault::Unexpected { found: None, hint: None }),
    }
}

/// Whether a JSON pointer (RFC 6901) is well formed.
fn check(pointer: &str) -> Result<(), String> {
    let escapes = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if escapes && (pointer.is_empty() || pointer.starts_with('/')) {
        Ok(())
    } else {
        Err("is not a JSON pointer: it starts with `/`, and `~` is written `~0`".to_owned())
    }
}
