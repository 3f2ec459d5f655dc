//! What LinkedIn posts: that something became of a lead.

use super::{
    super::{ParseError, Reference, json::Node},
    urn,
};

const MAX_URN: usize = 300;

/// The lead that a body tells of. What is for other products is noted.
pub(super) fn read(root: &Node<'_>) -> Result<Option<Reference>, ParseError> {
    let mut body = root.object()?;
    let kind = body.name("type", MAX_URN)?;
    if kind.as_deref().is_some_and(|kind| kind != "LEAD_ACTION") {
        root.warn("is not about a lead: ignored");
        return Ok(None);
    }
    let Some(lead) = body.name("leadGenFormResponse", MAX_URN)? else {
        return Err(root.invalid("`leadGenFormResponse` is missing"));
    };
    let lead_id = urn::id(&lead, "leadGenFormResponse")
        .ok_or_else(|| root.invalid("`leadGenFormResponse` is not the URN of a lead"))?;
    if body.name("leadAction", MAX_URN)?.as_deref() == Some("DELETED") {
        // Whether a person's data have to go is for a person to decide.
        return Err(root.invalid(format!(
            "the member has deleted lead {lead_id} at LinkedIn: delete it in Odoo too if you have to, then discard this"
        )));
    }
    let form_id = body.name("leadGenForm", MAX_URN)?.and_then(|form| urn::form(&form).map(str::to_owned));
    let account = owner(root);
    Ok(Some(Reference { lead_id: lead_id.to_owned(), account, form_id }))
}

/// The URN of the owner, which `owner` holds under the name of its kind.
pub(super) fn owner(node: &Node<'_>) -> Option<String> {
    let owner = node.value.get("owner")?.as_object()?;
    owner.values().find_map(|urn| urn::Owner::parse(urn.as_str()?)).map(|owner| owner.urn().to_owned())
}
