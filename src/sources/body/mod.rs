//! The documented body (`docs/lead-schema.md`): leads and orders as JSON.
//!
//! Either `{"lead": {…}}`, `{"leads": […]}`, `{"order": {…}}`, `{"orders": […]}` (together, if there is a reason), or
//! the envelope of Standard Webhooks, `{"type": "lead.created", "timestamp": "…", "data": {…}}`. A body is taken as a
//! whole or not at all: one wrong type refuses it, so that a sender's mistake is not half done.

mod answers;
pub(super) mod lead;
mod order;
#[cfg(test)]
mod schema;

use super::{
    ParseError,
    json::{Node, Object},
};
use crate::domain::Draft;

/// Most leads and orders in one delivery.
pub(super) const MAX_ITEMS: usize = 500;

/// Reads the documented body.
pub(super) fn read(root: &Node<'_>) -> Result<Vec<Draft>, ParseError> {
    let mut body = root.object()?;
    let drafts = if body.get("data").is_some() { enveloped(&mut body)? } else { named(&mut body)? };
    body.finish();
    if drafts.len() > MAX_ITEMS {
        return Err(root.invalid(format!("at most {MAX_ITEMS} leads and orders, got {}", drafts.len())));
    }
    Ok(drafts)
}

/// Reads the documented body, or a lead that stands alone.
pub(super) fn read_or_lead(root: &Node<'_>) -> Result<Vec<Draft>, ParseError> {
    let documented = ["lead", "leads", "order", "orders", "data"].iter().any(|key| root.value.get(key).is_some());
    if documented { read(root) } else { Ok(vec![lead_draft(root)?]) }
}

fn named(body: &mut Object<'_>) -> Result<Vec<Draft>, ParseError> {
    let parts: [(&str, Kind, bool); 4] = [
        ("lead", lead_draft, false),
        ("leads", lead_draft, true),
        ("order", order_draft, false),
        ("orders", order_draft, true),
    ];
    let (mut drafts, mut found) = (Vec::new(), false);
    for (key, read, many) in parts {
        let Some(part) = body.get(key) else { continue };
        found = true;
        let items = if many { part.items(MAX_ITEMS)? } else { vec![part] };
        for item in items {
            drafts.push(read(&item)?);
        }
    }
    if found {
        return Ok(drafts);
    }
    let message = "expected `lead`, `leads`, `order` or `orders`, or `type` and `data`";
    Err(body.node().invalid(message))
}

fn enveloped(body: &mut Object<'_>) -> Result<Vec<Draft>, ParseError> {
    let missing = body.node().invalid("`data` needs a `type` beside it, such as `lead.created`");
    let kind = body.name("type", 100)?.ok_or(missing)?;
    let timestamp = body.whole("timestamp", lead::TIME, lead::time)?;
    let read = match kind.split('.').next() {
        Some("lead") => lead_draft,
        Some("order") => order_draft,
        _ => return Err(body.node().invalid("`type` must start with `lead.` or `order.`")),
    };
    let Some(data) = body.get("data") else { return Ok(Vec::new()) };
    let items = if data.value.is_array() { data.items(MAX_ITEMS)? } else { vec![data] };
    let mut drafts = items.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for draft in &mut drafts {
        if let Draft::Lead(lead) = draft {
            lead.submitted_at = lead.submitted_at.or(timestamp);
        }
    }
    Ok(drafts)
}

type Kind = fn(&Node<'_>) -> Result<Draft, ParseError>;

fn lead_draft(node: &Node<'_>) -> Result<Draft, ParseError> {
    Ok(Draft::Lead(lead::read(node.object()?)?))
}

fn order_draft(node: &Node<'_>) -> Result<Draft, ParseError> {
    Ok(Draft::Order(order::read(node.object()?)?))
}
