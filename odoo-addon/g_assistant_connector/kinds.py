"""The kinds of events, and which kind a net change is."""

LEAD = "crm.lead"
ORDER = "sale.order"

NOUNS = {LEAD: "lead", ORDER: "order"}

LABELS = {
    "lead.created": "Lead created",
    "lead.updated": "Lead updated",
    "lead.won": "Lead won",
    "lead.lost": "Lead lost",
    "lead.restored": "Lead restored",
    "lead.merged": "Lead merged",
    "lead.deleted": "Lead deleted",
    "order.created": "Quotation created",
    "order.updated": "Order updated",
    "order.sent": "Quotation sent",
    "order.confirmed": "Order confirmed",
    "order.cancelled": "Order cancelled",
    "order.deleted": "Order deleted",
}


def changed_kind(model, before, after, won_stages):
    """The kind of a change of a record that exists before and after."""
    if model == LEAD:
        return _lead_kind(before, after, won_stages)
    return _order_kind(before, after)


def _lead_kind(before, after, won_stages):
    if _won(after, won_stages) and not _won(before, won_stages):
        return "lead.won"
    if _lost(after) and not _lost(before):
        return "lead.lost"
    if after["active"] and not before["active"]:
        return "lead.restored"
    return "lead.updated"


def _won(lead, won_stages):
    return lead["active"] and lead["stage_id"] in won_stages and (lead["probability"] or 0) >= 100


def _lost(lead):
    return not lead["active"] and (lead["probability"] or 0) <= 0


def _order_kind(before, after):
    if before["state"] == after["state"]:
        return "order.updated"
    # "done" is how Odoo up to 16 calls a locked order; it never is a first state.
    return {
        "sent": "order.sent",
        "sale": "order.confirmed",
        "cancel": "order.cancelled",
    }.get(after["state"], "order.updated")
