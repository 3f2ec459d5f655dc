"""What was decided about a person who was known already, and how to take it back.

Each decision of the daemon's leaves a row: what came, and what it changed on the lead
that was there. With it what came becomes a lead of its own again, and the other one is
what it was, but for what people did on it since.
"""

import json

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .. import kinds, merge, values
from .crm_lead import OWN

# What `reopen` changes, beside the values that came. Taken back together or not at all.
STATE = ("active", "stage_id", "probability", "lost_reason_id")
ATTACHED = ("attach", "reopen")


class Duplicate(models.Model):
    _name = "g_assistant.duplicate"
    _description = "G-Assistant decision about a known person"
    _order = "id desc"
    _rec_name = "decision"

    lead_id = fields.Many2one(
        "crm.lead", required=True, readonly=True, ondelete="cascade", index=True
    )
    other_id = fields.Many2one(
        "crm.lead", string="Same Person As", readonly=True, index="btree_not_null"
    )
    decision = fields.Selection(
        selection=lambda self: (
            self.env["crm.lead"]
            ._fields["g_assistant_duplicate_decision"]
            ._description_selection(self.env)
        ),
        required=True,
        readonly=True,
    )
    reference = fields.Char(readonly=True, help="Which delivery it was.")
    evidence = fields.Char(readonly=True)
    reason = fields.Char(string="Recognised By", compute="_compute_reason")
    state = fields.Selection(
        [("stands", "Stands"), ("undone", "Undone"), ("merged", "Merged")],
        default="stands",
        required=True,
        readonly=True,
    )
    undone_by = fields.Many2one("res.users", readonly=True)
    undone_at = fields.Datetime(readonly=True)
    result_id = fields.Many2one(
        "crm.lead",
        string="Own Lead",
        readonly=True,
        index="btree_not_null",
        help="What came, as a lead of its own.",
    )
    activity_id = fields.Many2one("mail.activity", readonly=True, ondelete="set null")
    # JSON. All references that the delivery stands for; the values that it brought; field ->
    # what the lead held before and after.
    references = fields.Text(readonly=True, groups="g_assistant_connector.group_admin")
    came = fields.Text(readonly=True, groups="g_assistant_connector.group_admin")
    changed = fields.Text(readonly=True, groups="g_assistant_connector.group_admin")

    @api.depends_context("lang")
    @api.depends("evidence")
    def _compute_reason(self):
        for one in self:
            one.reason = self.env["crm.lead"]._g_assistant_say_each(one.evidence)

    # ---- what the applier notes ------------------------------------------------

    @api.model
    def _before(self, record, names):
        """What a lead holds that a delivery is about to be added to."""
        return {name: values.held(record, name) for name in (*names, *STATE)}

    @api.model
    def _remember(self, operation, record, other, before=None, activity=None):
        decision = operation.match["decision"]
        after = self._before(record, set(before or ()) - set(STATE)) if before else {}
        self.sudo().create(
            {
                "lead_id": record.id,
                "other_id": other.id,
                "decision": decision["do"],
                "reference": operation.ref,
                "evidence": str(decision.get("reason") or "")[:255],
                "activity_id": activity and activity.id,
                "references": json.dumps(
                    self.env["g_assistant.conversation"]._references(operation) or [operation.ref]
                ),
                "came": json.dumps(operation.came),
                "changed": json.dumps(
                    {
                        name: [before[name], value]
                        for name, value in after.items()
                        if not merge.same(before[name], value)
                    }
                ),
            }
        )

    # ---- undo ------------------------------------------------------------------

    def action_undo(self):
        """By whoever may change the lead. What came is a lead of its own again; of a
        lead that is one already, that it is somebody else's."""
        self.ensure_one()
        lead = self.lead_id
        if hasattr(lead, "check_access"):
            lead.check_access("write")
        else:
            lead.check_access_rights("write")
            lead.check_access_rule("write")
        decision = self.sudo()
        if decision.state != "stands":
            raise UserError(_("This has been undone, or the leads have been merged."))
        decision.write(
            {"state": "undone", "undone_by": self.env.uid, "undone_at": fields.Datetime.now()}
        )
        if decision.decision not in ATTACHED:
            decision._set_apart()
            return {"type": "ir.actions.client", "tag": "soft_reload"}
        own = decision._detach()
        return {
            "type": "ir.actions.act_window",
            "res_model": "crm.lead",
            "res_id": own.id,
            "views": [[False, "form"]],
        }

    def action_merge(self):
        """Odoo's own merging of the two."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("crm.action_merge_opportunities")
        action["context"] = {"active_ids": (self.lead_id | self.other_id).ids}
        return action

    def _set_apart(self):
        """The lead and the one that it was taken for are two people's."""
        lead, other = self.lead_id, self.other_id
        self.activity_id.unlink()
        self._forget(lead)
        if other:
            lead._message_log(body=self._say(_("Not the person of %(lead)s."), other))
            other._message_log(body=self._say(_("Not the person of %(lead)s."), lead))

    def _detach(self):
        lead = self.lead_id
        own = self._make_own(lead)
        written = self._bind(lead, own)
        self._take_back(lead, written)
        self._move_messages(lead, own)
        self._forget(lead)
        self.result_id = own
        lead._message_log(
            body=self._say(
                _("What had come from another person is a lead of its own again: %(lead)s."), own
            )
        )
        own._message_log(
            body=self._say(_("This had been attached to %(lead)s, of another person."), lead)
        )
        return own

    def _make_own(self, lead):
        """What came, with what later deliveries said."""
        came = {**json.loads(self.came), **self._written()}
        came = self.env["g_assistant.flag"]._without_duplicate(came)
        model = lead.with_context(mail_create_nosubscribe=True, mail_create_nolog=True)
        given = {
            name: values.to_orm(lead, name, self._existing(lead, name, value))
            for name, value in came.items()
            if name in lead._fields
        }
        given.setdefault("name", lead.name)
        given.setdefault("type", lead.type)
        if not given.get("user_id"):
            given["user_id"] = lead.user_id.id
            given.setdefault("team_id", lead.team_id.id)
        given.setdefault("company_id", lead.company_id.id)
        return model.create(given)

    def _existing(self, lead, name, value):
        """Without links to what was deleted since."""
        field = lead._fields[name]
        if field.type not in ("many2one", "many2many") or not value:
            return value
        there = self.env[field.comodel_name].browse(value).exists().ids
        return there if field.type == "many2many" else there and there[0] or None

    def _binding(self):
        bindings = self.env["g_assistant.binding"]
        return bindings.search([("model", "=", kinds.LEAD), ("ref", "=", self.reference)], limit=1)

    def _written(self):
        """What the delivery, and those that updated it, brought the lead to."""
        binding = self._binding()
        if binding.res_id != self.lead_id.id:
            return {}
        return json.loads(binding.written or "{}")

    def _bind(self, lead, own):
        """Later deliveries go to the lead that is their own; return what was known."""
        written = self._written()
        bindings = self.env["g_assistant.binding"].search(
            [
                ("model", "=", kinds.LEAD),
                ("ref", "in", json.loads(self.references)),
                ("res_id", "=", lead.id),
            ]
        )
        text = self.env["g_assistant.applier"]._written_texts(own, [json.loads(self.came)])[own.id]
        bindings.write({"res_id": own.id, "written": text, "company_id": own.company_id.id})
        return written

    def _take_back(self, lead, written):
        """What the delivery filled in, where nobody has changed it since."""
        changed = json.loads(self.changed)
        back = {}
        for name, (before, after) in changed.items():
            now = values.held(lead, name)
            if name not in STATE and (
                merge.same(now, after) or (name in written and merge.same(now, written[name]))
            ):
                back[name] = before
        state = {name: changed[name] for name in STATE if name in changed}
        # Its probability is Odoo's own reckoning, and moves.
        fixed = [name for name in ("active", "stage_id") if name in state]
        if fixed and lead.active and not lead.stage_id.is_won:
            if all(merge.same(values.held(lead, name), state[name][1]) for name in fixed):
                back |= {name: before for name, (before, _after) in state.items()}
        if back:
            lead.write(
                {
                    name: values.to_orm(lead, name, self._existing(lead, name, before))
                    for name, before in back.items()
                }
            )

    def _move_messages(self, lead, own):
        """The person's conversations, and what they wrote since."""
        references = set(json.loads(self.references))
        conversations = (
            self.env["g_assistant.conversation"]
            .search([("lead_id", "=", lead.id)])
            .filtered(lambda one: f"{one.source}:{one.person}" in references)
        )
        if not conversations:
            return
        conversations.lead_id = own
        messages = self.env["g_assistant.message"].search(
            [("conversation_id", "in", conversations.ids), ("create_date", ">=", self.create_date)]
        )
        posted = messages.mail_message_id.filtered(
            lambda one: one.model == lead._name and one.res_id == lead.id
        )
        posted.res_id = own.id

    def _forget(self, lead):
        """The lead shows the newest of its decisions that stand."""
        standing = self.search([("lead_id", "=", lead.id), ("state", "=", "stands")], limit=1)
        fields_of = {
            "g_assistant_duplicate_decision": standing.decision,
            "g_assistant_duplicate_id": standing.other_id.id,
            "g_assistant_duplicate_evidence": standing.evidence,
        }
        if not standing:
            told = {
                "g_assistant_flag_ids": lead.g_assistant_flag_ids.ids,
                "g_assistant_flag_reasons": lead.g_assistant_flag_reasons,
            }
            left = self.env["g_assistant.flag"]._without_duplicate(told)
            fields_of["g_assistant_flag_ids"] = [(6, 0, left["g_assistant_flag_ids"])]
            fields_of["g_assistant_flag_reasons"] = left["g_assistant_flag_reasons"] or False
        lead.write(fields_of)

    def _say(self, text, lead):
        return Markup.escape(text) % {"lead": lead._get_html_link()}


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_duplicate_ids = fields.One2many(
        "g_assistant.duplicate", "lead_id", string="Decisions", **OWN
    )

    def _merge_dependences(self, opportunities):
        """What was decided about leads that are one now is settled; the rest is the winner's."""
        result = super()._merge_dependences(opportunities)
        merged = (self | opportunities).ids
        rows = self.env["g_assistant.duplicate"].sudo()
        rows = rows.search(["|", ("lead_id", "in", merged), ("other_id", "in", merged)])
        for row in rows:
            if row.lead_id.id in merged and row.other_id.id in merged and row.state == "stands":
                row.state = "merged"
            if row.lead_id in opportunities:
                row.lead_id = self
            if row.other_id in opportunities:
                row.other_id = self
        return result

    def action_g_assistant_apart(self):
        return self._g_assistant_asked().action_undo()

    def action_g_assistant_merge(self):
        return self._g_assistant_asked().action_merge()

    def _g_assistant_asked(self):
        self.ensure_one()
        return self.g_assistant_duplicate_ids.filtered(
            lambda one: one.state == "stands" and one.decision == "ask"
        )[:1]
