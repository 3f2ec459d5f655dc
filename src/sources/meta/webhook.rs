//! What Meta posts: batches of changes, each with ids only.

use super::super::{
    ParseError, Reference,
    json::{Node, Object},
};

/// Meta batches up to a thousand updates.
const MAX_ENTRIES: usize = 1_000;
const MAX_ID: usize = 32;

/// Whether this can be an id: it becomes part of an address.
pub(in crate::sources) fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The leads that a body tells of. What is for other products is noted. One lead that cannot be read does not hold up
/// the others: polling finds it.
pub(super) fn read(root: &Node<'_>) -> Result<Vec<Reference>, ParseError> {
    let mut body = root.object()?;
    let entries = body.get("entry").ok_or_else(|| root.invalid("`entry` is missing"))?.items(MAX_ENTRIES)?;
    let mut references = Vec::new();
    let mut wrong = None;
    for entry in entries {
        match changes(&entry) {
            Ok(changes) => {
                for change in changes {
                    match reference(&change) {
                        Ok(reference) => references.extend(reference),
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
            }
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(error) if references.is_empty() => Err(error),
        Some(error) => {
            root.warn(format_args!("one of the leads cannot be read: {error}"));
            Ok(references)
        }
        None => Ok(references),
    }
}

fn changes<'a>(entry: &Node<'a>) -> Result<Vec<Node<'a>>, ParseError> {
    match entry.object()?.get("changes") {
        Some(changes) => changes.items(MAX_ENTRIES),
        None => {
            entry.warn("holds no `changes`: ignored");
            Ok(Vec::new())
        }
    }
}

fn reference(change: &Node<'_>) -> Result<Option<Reference>, ParseError> {
    let mut object = change.object()?;
    if object.name("field", 100)?.as_deref() != Some("leadgen") {
        change.warn("is not about a lead: ignored");
        return Ok(None);
    }
    let value = object.get("value").ok_or_else(|| change.invalid("`value` is missing"))?;
    let mut value = value.object()?;
    let lead_id = id(&mut value, "leadgen_id")?.ok_or_else(|| change.invalid("`leadgen_id` is missing"))?;
    let (account, form_id) = (id(&mut value, "page_id")?, id(&mut value, "form_id")?);
    Ok(Some(Reference { lead_id, account, form_id }))
}

fn id(object: &mut Object<'_>, key: &'static str) -> Result<Option<String>, ParseError> {
    match object.id(key, MAX_ID)? {
        Some(text) if !is_id(&text) => Err(object.node().invalid(format!("`{key}` is not an id of digits"))),
        id => Ok(id),
    }
}
