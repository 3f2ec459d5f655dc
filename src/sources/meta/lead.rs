//! A fetched lead as the one schema has it: the questions that Meta knows become fields, the others answers in the words
//! and the order of the form.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::super::{ParseError, body, json::Node};
use crate::domain::{Consent, LeadDraft, Origin};

/// How Meta begins what it fills into a test lead.
const DUMMY: &str = "<test lead: dummy data";
const TEST_EMAILS: [&str; 2] = ["test@meta.com", "test@fb.com"];

/// Field of the lead by the name of the question, or its type in lower case.
const FIELDS: [(&str, &str); 19] = [
    ("full_name", "contact_name"),
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("email", "email"),
    ("work_email", "work_email"),
    ("phone_number", "phone"),
    ("phone", "phone"),
    ("work_phone_number", "work_phone"),
    ("company_name", "company"),
    ("job_title", "job_title"),
    ("street_address", "street"),
    ("city", "city"),
    ("post_code", "zip"),
    ("postal_code", "zip"),
    ("zip_code", "zip"),
    ("zip", "zip"),
    ("country", "country"),
    ("website", "website"),
    ("whatsapp_number", "work_phone"),
];

/// Reads `{"lead": …, "form": …, "account": …}`.
pub(super) fn read(root: &Node<'_>, answer: &Node<'_>) -> Result<LeadDraft, ParseError> {
    let text = |pointer: &str| answer.below(pointer).and_then(|node| node.flat());
    let of_form = |pointer: &str| root.below(&format!("/form{pointer}")).and_then(|node| node.flat());
    let form = Form::read(root.value.get("form"));
    let Some(lead_id) = text("/id") else { return Err(answer.invalid("`id` is missing")) };

    let mut fields = Map::new();
    let mut answers = Vec::new();
    for (name, values) in form.in_order(answer) {
        let question = form.questions.get(name);
        match field_of(name, question).filter(|field| !fields.contains_key(*field)) {
            Some(field) => {
                fields.insert(field.to_owned(), values.join(", ").into());
            }
            None => {
                let values: Vec<_> =
                    values.into_iter().map(|value| question.map_or(value, |q| q.label(value))).collect();
                let question = question.and_then(|question| question.label).unwrap_or(name);
                answers.push(json!({"question": question, "answer": values.join(", ")}));
            }
        }
    }
    let mut take = |field: &str| fields.remove(field).and_then(|value| value.as_str().map(str::to_owned));
    let names: Vec<_> = ["first_name", "last_name"].into_iter().filter_map(&mut take).collect();
    let (work_email, work_phone) = (take("work_email"), take("work_phone"));
    if !names.is_empty() {
        fields.entry("contact_name").or_insert(names.join(" ").into());
    }
    let (other_email, other_phone) =
        (first_or_other(&mut fields, "email", work_email), first_or_other(&mut fields, "phone", work_phone));
    if !["contact_name", "company", "email", "phone"].iter().any(|field| fields.contains_key(*field)) {
        fields.insert("name".to_owned(), of_form("/name").unwrap_or_else(|| format!("Lead {lead_id}")).into());
    }
    let organic = answer.value.get("is_organic") == Some(&Value::Bool(true));
    let platform = text("/platform");
    let network = if platform.as_deref() == Some("ig") { "Instagram" } else { "Facebook" };
    fields.insert("source".to_owned(), network.into());
    fields.insert("medium".to_owned(), if organic { "Organic social" } else { "Paid social" }.into());
    fields.insert("external_id".to_owned(), lead_id.clone().into());
    fields.insert("campaign".to_owned(), json!(text("/campaign_name").map(|name| shortened(&name))));
    fields.insert(
        "language".to_owned(),
        json!(of_form("/locale").and_then(|locale| locale.get(..2).map(str::to_lowercase))),
    );
    fields.insert("submitted_at".to_owned(), json!(text("/created_time").and_then(|time| time_of(&time))));
    fields.insert("answers".to_owned(), answers.into());

    let value = Value::Object(fields);
    let node = Node { pointer: answer.pointer.clone(), value: &value, notes: root.notes };
    let mut lead = body::lead::read(node.object()?)?;
    lead.other_emails.extend(other_email);
    lead.other_phones.extend(other_phone);
    lead.consent = consent(answer);
    lead.test = is_test(answer);
    lead.origin = Origin {
        platform: Some("meta".to_owned()),
        lead_id: Some(lead_id),
        form_id: text("/form_id").or_else(|| of_form("/id")),
        form_name: of_form("/name"),
        campaign_id: text("/campaign_id"),
        campaign_name: text("/campaign_name"),
        adset_id: text("/adset_id"),
        adset_name: text("/adset_name"),
        ad_id: text("/ad_id"),
        ad_name: text("/ad_name"),
        page_id: root.below("/account/id").and_then(|node| node.flat()),
        page_name: root.below("/account/name").and_then(|node| node.flat()),
        ..Origin::default()
    };
    Ok(lead)
}

/// The lead's only address of a kind is its first one.
fn first_or_other(fields: &mut Map<String, Value>, field: &str, other: Option<String>) -> Option<String> {
    if fields.contains_key(field) {
        return other;
    }
    fields.extend(other.map(|text| (field.to_owned(), Value::from(text))));
    None
}

/// A campaign is looked up by its name, which must not be too long.
fn shortened(name: &str) -> String {
    name.chars().take(body::lead::MAX_NAME).collect()
}

/// The field that a question fills, by its name and then by its type.
fn field_of(name: &str, question: Option<&Question<'_>>) -> Option<&'static str> {
    let known = |name: &str| {
        let name = name.to_lowercase();
        FIELDS.iter().find(|(question, _)| *question == name).map(|(_, field)| *field)
    };
    known(name).or_else(|| known(question?.kind?))
}

/// `2026-11-20T16:16:51+0000`, or seconds since 1970.
pub(super) fn time_of(text: &str) -> Option<String> {
    let time = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").map(|time| time.to_utc()).ok();
    let time = time.or_else(|| DateTime::from_timestamp(text.parse().ok()?, 0));
    time.map(|time| time.to_rfc3339())
}

fn consent(answer: &Node<'_>) -> Vec<Consent> {
    let boxes = answer.value.get("custom_disclaimer_responses").and_then(Value::as_array);
    let one = |item: &Value| {
        let text = item.get("checkbox_key").and_then(Value::as_str)?.chars().take(500).collect();
        let given = match item.get("is_checked") {
            Some(Value::Bool(given)) => *given,
            Some(Value::String(given)) => matches!(given.as_str(), "1" | "true"),
            Some(Value::Number(given)) => given.as_i64() == Some(1),
            _ => false,
        };
        Some(Consent { text, given })
    };
    boxes.into_iter().flatten().filter_map(one).collect()
}

fn is_test(answer: &Node<'_>) -> bool {
    fields(answer)
        .iter()
        .flat_map(|(_, values)| values)
        .any(|value| value.contains(DUMMY) || TEST_EMAILS.iter().any(|email| value.trim().eq_ignore_ascii_case(email)))
}

/// `field_data`: each question's name and what was answered.
fn fields<'a>(answer: &Node<'a>) -> Vec<(&'a str, Vec<&'a str>)> {
    let list = answer.value.get("field_data").and_then(Value::as_array);
    let one = |item: &'a Value| {
        let values = item.get("values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<_> = values.filter_map(Value::as_str).filter(|value| !value.trim().is_empty()).collect();
        Some((item.get("name")?.as_str()?, values)).filter(|(_, values)| !values.is_empty())
    };
    list.into_iter().flatten().filter_map(one).collect()
}

/// What the form says about a question.
struct Question<'a> {
    place: usize,
    label: Option<&'a str>,
    kind: Option<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Question<'a> {
    /// The words of an option.
    fn label(&self, value: &'a str) -> &'a str {
        self.options.get(value).copied().unwrap_or(value)
    }
}

/// The form's questions by name.
struct Form<'a> {
    questions: BTreeMap<&'a str, Question<'a>>,
}

impl<'a> Form<'a> {
    fn read(form: Option<&'a Value>) -> Self {
        let questions = form.and_then(|form| form.get("questions")).and_then(Value::as_array);
        let text = |value: &'a Value, key: &str| value.get(key).and_then(Value::as_str);
        let one = |(place, value): (usize, &'a Value)| {
            let options = value.get("options").and_then(Value::as_array).into_iter().flatten();
            let options = options.filter_map(|option| Some((text(option, "key")?, text(option, "value")?))).collect();
            let label = text(value, "label").filter(|label| !label.trim().is_empty());
            Some((text(value, "key")?, Question { place, label, kind: text(value, "type"), options }))
        };
        Self { questions: questions.into_iter().flatten().enumerate().filter_map(one).collect() }
    }

    /// What was answered, in the order of the form; what the form does not know comes last.
    fn in_order(&self, answer: &Node<'a>) -> Vec<(&'a str, Vec<&'a str>)> {
        let mut fields = fields(answer);
        fields.sort_by_key(|(name, _)| self.questions.get(name).map_or(usize::MAX, |question| question.place));
        fields
    }
}
