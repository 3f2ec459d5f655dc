//! The addon's own fields: written where Odoo has them, else told in the description.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::{FieldValue, Lookup, OWN_FIELDS, Operation};

/// What is told where Odoo has not the fields: in this order, under these names.
const TOLD: &[(&str, &str)] = &[
    ("score", "Score"),
    ("chance", "Chance to be won, %"),
    ("flag_ids", "Flags"),
    ("platform", "Platform"),
    ("form_name", "Form"),
    ("campaign_name", "Ad campaign"),
    ("adset_name", "Ad set"),
    ("ad_name", "Ad"),
    ("click_ids", "Clicks"),
    ("url", "Page"),
    ("consent", "Consent"),
];

/// The operation as this Odoo can take it; `has` says whether it has a field of leads.
pub fn fit<'a>(operation: &'a Operation, has: impl Fn(&str) -> bool) -> Cow<'a, Operation> {
    let lacks = |field: &String| field.starts_with(OWN_FIELDS) && !has(field);
    if !operation.values.keys().any(lacks) {
        return Cow::Borrowed(operation);
    }
    let mut fitted = operation.clone();
    let mut told = Vec::new();
    for (field, label) in TOLD {
        let field = format!("{OWN_FIELDS}{field}");
        if !has(&field)
            && let Some(text) = fitted.values.get(&field).and_then(text)
        {
            told.push(format!("{label}: {text}"));
        }
    }
    fitted.values.retain(|field, _| !lacks(field));
    if !told.is_empty() {
        let description = fitted.values.get("description").and_then(text);
        let all = description.into_iter().chain([told.join("\n")]).collect::<Vec<_>>().join("\n\n");
        fitted.values.insert("description".to_owned(), FieldValue::Plain(all.into()));
    }
    Cow::Owned(fitted)
}

/// A value on one line, if it says something.
fn text(value: &FieldValue) -> Option<String> {
    match value {
        FieldValue::Plain(Value::String(text)) => Some(text.clone()),
        FieldValue::Plain(Value::Number(number)) => Some(number.to_string()),
        FieldValue::Lookups(lookups) if !lookups.is_empty() => {
            let names = lookups.iter().filter_map(|lookup| match lookup {
                Lookup::Flag(code) => Some(code.as_str()),
                _ => None,
            });
            Some(names.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation() -> Operation {
        serde_json::from_value(json!({
            "key": "web:1:0", "model": "crm.lead", "action": "upsert", "ref": "web:1",
            "values": {
                "name": {"plain": "Fleet"}, "description": {"plain": "Hello"}, "g_assistant_score": {"plain": 74},
                "g_assistant_flag_ids": {"lookups": [{"kind": "flag", "key": "SPAM"}]},
                "g_assistant_form": {"plain": "77"},
            },
        }))
        .expect("an operation")
    }

    #[test]
    fn fields_that_odoo_has_are_written() {
        let operation = operation();
        assert!(matches!(fit(&operation, |_| true), Cow::Borrowed(_)));
    }

    #[test]
    fn without_the_addon_what_matters_is_in_the_description() {
        let operation = operation();
        let fitted = fit(&operation, |_| false);
        let expected = json!({
            "name": {"plain": "Fleet"}, "description": {"plain": "Hello\n\nScore: 74\nFlags: SPAM"},
        });
        assert_eq!(json!(fitted.values), expected);
    }
}
