import json

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL
from odoo.tools.misc import format_datetime

from .. import values
from ..models.g_assistant_history import LINES, other_lines

# Of an order that is no quotation any more: what changes nothing that was agreed.
NOT_AGREED = {
    "user_id",
    "team_id",
    "tag_ids",
    "campaign_id",
    "medium_id",
    "source_id",
    "opportunity_id",
    "origin",
    "client_order_ref",
}
QUOTATION = ("draft", "sent")
# Who signed an order and when is not for us to say.
NEVER = {"signed_by", "signed_on"}


class Restore(models.TransientModel):
    """Gives fields of a lead or an order the values that they had before a change.

    A normal write by the user, with all that follows from one; only marked as what it is.
    """

    _name = "g_assistant.restore"
    _description = "Restore a version"

    change_id = fields.Many2one("g_assistant.history", required=True, ondelete="cascade")
    record_name = fields.Char(related="change_id.record_name", related_sudo=False)
    timestamp = fields.Datetime(related="change_id.timestamp", related_sudo=False)
    user_id = fields.Many2one(related="change_id.user_id", related_sudo=False)
    line_ids = fields.One2many("g_assistant.restore.line", "restore_id")

    @api.model
    def _open(self, changes):
        """For a change, or for several of one record: back to before the first of them."""
        if len({(change.model, change.res_id) for change in changes}) != 1:
            raise UserError(_("Choose changes of one record."))
        restore = self.create({"change_id": min(changes.ids)})
        restore._fill(set(changes.mapped("field")))
        return {
            "type": "ir.actions.act_window",
            "name": _("Restore a Version"),
            "res_model": self._name,
            "res_id": restore.id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
        }

    def _fill(self, wanted):
        """List the fields that are not as they were, ``wanted`` ones first and chosen."""
        record = self._record()
        told = self.change_id._told(record._name)
        lines = []
        for name, (change, then) in self._before(record).items():
            held = _held(record, name)
            if name not in told or _is_same(held, then):
                continue
            if name not in wanted and not _is_ours(record, name):
                continue
            blocked, problem = self._problem(record, told[name], name, then, change)
            # Of many lines, those that differ.
            pair = other_lines(held, then) if name == LINES else (held, then)
            now_text, then_text = change._show(told[name], pair)
            lines.append(
                {
                    "restore_id": self.id,
                    "field": name,
                    "label": told[name]["string"],
                    "now": now_text,
                    "then": then_text,
                    "blocked": blocked,
                    "problem": problem,
                    "chosen": name in wanted and not blocked,
                }
            )
        self.line_ids.create(sorted(lines, key=lambda line: line["field"] not in wanted))

    def action_apply(self):
        self.ensure_one()
        record = self._record()
        told = self.change_id._told(record._name)
        before = self._before(record)
        vals, labels = {}, []
        for line in self.line_ids.filtered("chosen"):
            # What is written is what the history says, not what came back from a form.
            change, then = before[line.field]
            blocked, problem = self._problem(record, told[line.field], line.field, then, change)
            if blocked:
                raise UserError(_("%(field)s: %(problem)s", field=line.label, problem=problem))
            vals[line.field] = _to_orm(record, line.field, then)
            labels.append(line.label)
        if not vals:
            raise UserError(_("Choose at least one field."))
        self.env["g_assistant.capture"]._note(record._name, {record.id: {"origin": "restore"}})
        record.write(vals)
        record.message_post(
            body=_(
                "Restored as before %(time)s: %(fields)s",
                time=format_datetime(self.env, self.timestamp),
                fields=", ".join(labels),
            )
        )
        return {"type": "ir.actions.act_window_close"}

    def _record(self):
        """The record, if this user may restore it: who may write it and has it, or manages
        all."""
        record = self.env[self.change_id.model].browse(self.change_id.res_id)
        if not record.exists():
            raise UserError(_("This record has been deleted."))
        if hasattr(record, "check_access"):
            record.check_access("write")
        else:  # up to 17
            record.check_access_rights("write")
            record.check_access_rule("write")
        manager = self.env.user.has_group("sales_team.group_sale_manager")
        if not manager and record.user_id not in (self.env["res.users"], self.env.user):
            raise AccessError(
                _("Only a sales manager may restore what belongs to another salesperson.")
            )
        return record

    def _before(self, record):
        """``{field: (change, value)}``: what each field was before the transaction of our
        change, and the change that says so."""
        record.flush_recordset()
        column = "lead_id" if record._name == "crm.lead" else "order_id"
        self.env.cr.execute(
            SQL(
                """
                SELECT id, field FROM g_assistant_history
                 WHERE %(column)s = %(id)s AND field IS NOT NULL AND id >= (
                     SELECT min(same.id)
                       FROM g_assistant_history same
                       JOIN g_assistant_history one USING (model, res_id, timestamp)
                      WHERE one.id = %(change)s AND same.%(column)s = %(id)s
                 )
                 ORDER BY id DESC
                """,
                column=SQL.identifier(column),
                id=record.id,
                change=self.change_id.id,
            )
        )
        found = self.env.cr.fetchall()
        changes = self.env["g_assistant.history"].browse([one for one, _field in found])
        before = {}
        for change in changes:
            stored = change.sudo()
            value = json.loads(stored.old_value)
            if change.field == LINES:
                later = before[LINES][1] if LINES in before else _held(record, LINES)
                value = _lines_before(later, value, json.loads(stored.new_value))
            before[change.field] = change, value
        return before

    def _problem(self, record, told, name, then, change):
        """Whether this cannot be restored, and why, or what is to be known."""
        if not _is_ours(record, name):
            return True, _("Odoo sets this field itself.")
        order = record if record._name == "sale.order" else None
        if order and order.state not in QUOTATION and name not in NOT_AGREED:
            return True, _("The order is no quotation any more.")
        if name == LINES:
            gone = self._gone("product.product", [one["product_id"] for one in then])
            texts = [one["name"] or "" for one in then if one["product_id"] in gone]
        elif told["type"] == "selection":
            if then is not None and then not in dict(told["selection"]):
                return True, _("“%s” no longer exists.", then)
            return False, False
        else:
            comodel = change._comodel(record._name, name)
            linked = then if isinstance(then, list) else [then]
            gone = self._gone(comodel, linked) if comodel else ()
            names = json.loads(change.sudo().names or "{}")
            texts = [names.get(str(one), str(one)) for one in sorted(gone)]
        if not gone:
            return False, False
        if told["type"] == "many2many":
            return False, _("“%s” no longer exists and is left out.", ", ".join(texts))
        return True, _("“%s” no longer exists.", ", ".join(texts))

    @api.model
    def _gone(self, comodel, ids):
        ids = {one for one in ids if one}
        return ids - set(self.env[comodel].sudo().browse(ids).exists().ids)


class RestoreLine(models.TransientModel):
    _name = "g_assistant.restore.line"
    _description = "Field of a version to restore"

    restore_id = fields.Many2one(
        "g_assistant.restore", string="Version", required=True, ondelete="cascade"
    )
    field = fields.Char(string="Technical Name", readonly=True)
    label = fields.Char(string="Field", readonly=True)
    now = fields.Text(readonly=True)
    then = fields.Text(string="Before the Change", readonly=True)
    problem = fields.Char(string="Note", readonly=True)
    blocked = fields.Boolean(readonly=True)
    chosen = fields.Boolean(string="Restore")


def _is_ours(record, name):
    """Whether a person may write the field."""
    return not record._fields[name].readonly and name not in NEVER


def _held(record, name):
    """What the record holds, as the history has it."""
    if name != LINES:
        return values.held(record, name)
    return [
        {"id": line.id, **{part: values.held(line, part) for part in values.LINE_FIELDS}}
        for line in record.order_line
    ]


def _is_same(now, then):
    """Whatever the order of lines."""
    if isinstance(now, list) and isinstance(then, list):
        return all(one in then for one in now) and all(one in now for one in then)
    return now == then


def _lines_before(lines, old, new):
    """An order's lines before a change that replaced the lines ``new`` by ``old``."""
    changed = {line["id"] for line in (*old, *new)}
    kept = [line for line in lines if line["id"] not in changed]
    # A subtotal follows from the rest.
    parts = ("id", *values.LINE_FIELDS)
    return kept + [{part: line[part] for part in parts} for line in old]


def _to_orm(record, name, then):
    if name == LINES:
        return _line_commands(_held(record, LINES), then)
    if record._fields[name].type == "many2many":
        comodel = record[name].sudo().browse(then)
        return [(6, 0, comodel.exists().ids)]
    return values.to_orm(record, name, then)


def _line_commands(now, then):
    there = {line["id"]: line for line in now}
    kept = {line["id"] for line in then}
    commands = [(2, one) for one in there if one not in kept]
    for line in then:
        vals = {part: line[part] for part in values.LINE_FIELDS}
        if line["id"] in there:
            before = there[line["id"]]
            vals = {part: value for part, value in vals.items() if value != before[part]}
            commands += [(1, line["id"], vals)] if vals else []
        elif line["product_id"]:
            commands.append((0, 0, vals))
        else:
            commands.append((0, 0, {"display_type": "line_note", "name": line["name"]}))
    return commands
