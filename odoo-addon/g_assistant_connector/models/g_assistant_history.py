import json
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import MissingError, UserError
from odoo.tools import SQL
from odoo.tools.misc import format_amount, format_date, format_datetime, formatLang, get_lang

from .. import config, kinds
from .g_assistant_mirror import WANTED

LINES = "order_line"
LEFT_TO_RIGHT = "\u200e"
# How many old rows one statement removes.
PRUNED_AT_ONCE = 50_000


class Link(fields.Many2one):
    """A link without a foreign key. That would lock each changed lead for the time of the
    insertion, and make it fail where the lead is deleted meanwhile."""

    def update_db_foreign_key(self, model, column):
        pass


class History(models.Model):
    """Who changed which field of a lead or an order, when, and from what to what.

    Written with the events, after the user's commit; kept much longer than they are. The
    fields are those of the mirror.
    """

    _name = "g_assistant.history"
    _description = "G-Assistant change"
    _order = "id desc"
    _rec_name = "record_name"
    _log_access = False

    model = fields.Char(required=True, readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="model", readonly=True)
    # For the rules. Empty when the record has been deleted.
    lead_id = Link("crm.lead", readonly=True)
    order_id = Link("sale.order", readonly=True)
    record_name = fields.Char(string="Name", readonly=True, help="The record's name then.")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    timestamp = fields.Datetime(string="When", required=True, readonly=True)
    user_id = fields.Many2one("res.users", string="Who", readonly=True, ondelete="set null")
    origin = fields.Selection(
        [
            ("person", "Person"),
            ("restore", "Restored"),
            ("import", "Import"),
            ("daemon", "G-Assistant"),
            ("customer", "Customer"),
            ("automation", "Automatic"),
        ],
        string="How",
        required=True,
        readonly=True,
    )
    source = fields.Char(readonly=True, help="The daemon's source that it came from.")
    kind = fields.Selection(list(kinds.LABELS.items()), string="Event", readonly=True)
    # None where the record as a whole was created, merged or deleted.
    field = fields.Selection(selection="_field_labels", readonly=True)
    # What people read is made of these: they are in nobody's language and hide nothing.
    old_value = fields.Text(readonly=True, groups="base.group_system")
    new_value = fields.Text(readonly=True, groups="base.group_system")
    names = fields.Text(readonly=True, groups="base.group_system")
    old_text = fields.Text(string="Before", compute="_compute_texts")
    new_text = fields.Text(string="After", compute="_compute_texts")

    def init(self):
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS g_assistant_history_lead_index"
            " ON g_assistant_history (lead_id, id) WHERE lead_id IS NOT NULL;"
            "CREATE INDEX IF NOT EXISTS g_assistant_history_order_index"
            " ON g_assistant_history (order_id, id) WHERE order_id IS NOT NULL;"
            "CREATE INDEX IF NOT EXISTS g_assistant_history_timestamp_index"
            " ON g_assistant_history (timestamp)"
        )

    # ---- writing it down -------------------------------------------------------

    @api.model
    def _keep(self, rows):
        """Write down the ``(model, id, kind, changes, net)`` of a digest."""
        parts = [
            (model_name, res_id, kind, net, *change)
            for model_name, res_id, kind, changes, net in rows
            for change in self._changes(model_name, changes, net)
        ]
        if not parts:
            return
        names = self._names_then(parts)
        columns = zip(
            *(
                (
                    model_name,
                    res_id,
                    net.record.get("name"),
                    net.record.get("company_id"),
                    net.at,
                    net.user_id,
                    net.origin,
                    net.operation and net.operation.split(":", 1)[0],
                    kind,
                    field,
                    json.dumps(old),
                    json.dumps(new),
                    self._names_of(model_name, field, (old, new), names),
                )
                for model_name, res_id, kind, net, field, old, new in parts
            ),
            strict=True,
        )
        self.env.cr.execute(
            """
            INSERT INTO g_assistant_history (
                model, res_id, lead_id, order_id, record_name, company_id, timestamp, user_id,
                origin, source, kind, field, old_value, new_value, names
            )
            SELECT h.model, h.res_id,
                   CASE WHEN h.model = 'crm.lead' THEN h.res_id END,
                   CASE WHEN h.model = 'sale.order' THEN h.res_id END,
                   h.name, c.id, h.at, u.id,
                   COALESCE(h.origin, CASE WHEN u.id IS NULL OR u.id = %s THEN 'automation'
                                           WHEN u.share THEN 'customer'
                                           ELSE 'person' END),
                   h.source, h.kind, h.field, h.old, h.new, h.names
              FROM unnest(
                %s::varchar[], %s::int[], %s::varchar[], %s::int[], %s::timestamp[], %s::int[],
                %s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[],
                %s::text[], %s::text[], %s::text[]
              ) WITH ORDINALITY AS h(
                model, res_id, name, company_id, at, user_id, origin, source, kind, field,
                old, new, names, n
              )
              LEFT JOIN res_users u ON u.id = h.user_id
              LEFT JOIN res_company c ON c.id = h.company_id
             ORDER BY h.n
            """,
            [self.env.ref("base.user_root").id, *map(list, columns)],
        )
        self._forget_links(rows)

    @api.model
    def _changes(self, model_name, changes, net):
        """The ``(field, before, after)`` of one transaction and record."""
        if not changes:
            return [(None, None, None)]
        if net.after is None:
            return [(None, None, changes["merged_into"]["new"])]
        if model_name == kinds.LEAD and _is_predicted(net.before) and _is_predicted(net.after):
            # Odoo computes it anew, each night for all leads.
            changes = {name: change for name, change in changes.items() if name != "probability"}
        return [
            (name, *other_lines(change["old"], change["new"]))
            if name == LINES
            else (name, change["old"], change["new"])
            for name, change in changes.items()
        ]

    @api.model
    def _names_then(self, parts):
        """``{model: {"id": name}}`` of what these changes link to: when it is gone one day,
        people still read what it was."""
        links = {}
        for model_name, _id, _kind, _net, field, old, new in parts:
            comodel = self._comodel(model_name, field)
            if comodel:
                links.setdefault(comodel, set()).update(_ids(old), _ids(new))
        links = {comodel: ids for comodel, ids in links.items() if ids}
        return self.env["g_assistant.mirror"]._names([links]) if links else {}

    @api.model
    def _names_of(self, model_name, field, both, names):
        known = names.get(self._comodel(model_name, field), {})
        linked = {str(one) for value in both for one in _ids(value)} if known else ()
        found = {one: known[one] for one in linked if one in known}
        return json.dumps(found) if found else None

    @api.model
    def _comodel(self, model_name, field):
        """What a field links to. The lines of an order are not links."""
        if field == LINES:
            return None
        return self.env["g_assistant.mirror"]._shape(model_name).relations.get(field)

    @api.model
    def _forget_links(self, rows):
        for model_name, column in (("crm.lead", "lead_id"), ("sale.order", "order_id")):
            gone = [row[1] for row in rows if row[0] == model_name and row[4].after is None]
            if gone:
                column = SQL.identifier(column)
                self.env.cr.execute(
                    SQL(
                        "UPDATE g_assistant_history SET %s = NULL WHERE %s = ANY(%s)",
                        column,
                        column,
                        gone,
                    )
                )

    @api.autovacuum
    def _gc_old(self):
        """Remove what is older than the administrator wants. In batches: on Odoo 19 as many
        in a row as there are, before that one each night."""
        self.env.cr.execute(
            "DELETE FROM g_assistant_history WHERE id IN ("
            "SELECT id FROM g_assistant_history WHERE timestamp < %s ORDER BY timestamp LIMIT %s)",
            [
                fields.Datetime.now() - timedelta(days=config.history_days(self.env)),
                PRUNED_AT_ONCE,
            ],
        )
        removed = self.env.cr.rowcount
        self.invalidate_model()
        return removed, removed == PRUNED_AT_ONCE

    # ---- reading it ------------------------------------------------------------

    @api.model
    def _field_labels(self):
        """What each field is called, in the user's language."""
        labels = {}
        for model_name, names in WANTED.items():
            told = self._told(model_name)
            for name in names:
                if name in told:
                    label = told[name]["string"]
                    known = labels.setdefault(name, label)
                    if label not in known.split(" / "):
                        labels[name] = f"{known} / {label}"
        return list(labels.items())

    @api.model
    def _told(self, model_name):
        """What `fields_get` says of the fields that this user may see."""
        model = self.env[model_name]
        wanted = [name for name in WANTED[model_name] if name in model._fields]
        return model.fields_get(wanted, ["string", "type", "selection", "currency_field"])

    @api.model
    def _search(self, domain, *args, **kwargs):
        """Without the changes of fields that the user may not see."""
        for model_name, names in self._hidden().items():
            domain = ["|", ("model", "!=", model_name), ("field", "not in", names), *domain]
        return super()._search(domain, *args, **kwargs)

    @api.model
    def _hidden(self):
        hidden = {}
        for model_name, names in () if self.env.su else WANTED.items():
            known = self.env[model_name]._fields
            guarded = [name for name in names if name in known and known[name].groups]
            told = self._told(model_name) if guarded else ()
            names = [name for name in guarded if name not in told]
            if names:
                hidden[model_name] = names
        return hidden

    def _of_readable(self):
        """These without the changes of records that the user may not read, whatever rules
        there are. What has been deleted has no rights of its own: only ours."""
        if self.env.su:
            return self
        readable = {}
        for model_name in kinds.NOUNS:
            ids = self.filtered(lambda one, name=model_name: one.model == name).mapped("res_id")
            records = self.env[model_name].with_context(active_test=False)
            readable[model_name] = set(records.search([("id", "in", ids)]).ids if ids else ())
        return self.filtered(
            lambda one: (
                one.res_id in readable[one.model] or not (one.sudo().lead_id or one.sudo().order_id)
            )
        )

    @api.depends("old_value", "new_value")
    @api.depends_context("lang", "tz", "uid", "allowed_company_ids")
    def _compute_texts(self):
        self.old_text = self.new_text = False
        readable = self._of_readable()
        kind_labels = dict(self._fields["kind"]._description_selection(self.env))
        told = {name: self._told(name) for name in set(readable.mapped("model"))}
        parsed, links = {}, {}
        for change in readable:
            stored = change.sudo()
            values = json.loads(stored.old_value), json.loads(stored.new_value)
            if not change.field:
                merged = values[1] and _("Merged into lead %s", values[1])
                change.new_text = merged or kind_labels[change.kind]
                continue
            if change.field not in told[change.model]:
                continue
            parsed[change] = values
            comodel = self._comodel(change.model, change.field)
            if comodel:
                links.setdefault(comodel, set()).update(*map(_ids, values))
        links = {comodel: ids for comodel, ids in links.items() if ids}
        mirror = self.env["g_assistant.mirror"].with_context(lang=self.env.lang)
        names = mirror._names([links]) if links else {}
        for change, (old, new) in parsed.items():
            show = change.sudo()._shower(told[change.model][change.field], names)
            change.old_text, change.new_text = show(old), show(new)

    def _show(self, told, both):
        """Two values of this change's field as text."""
        comodel = self._comodel(self.model, self.field)
        ids = {one for value in both for one in _ids(value)} if comodel else None
        mirror = self.env["g_assistant.mirror"].with_context(lang=self.env.lang)
        names = mirror._names([{comodel: ids}]) if ids else {}
        show = self.sudo()._shower(told, names)
        return tuple(map(show, both))

    def _shower(self, told, names):
        """What turns a value of this change into text; ``names`` are today's."""
        self.ensure_one()
        kind = told["type"]
        comodel = self._comodel(self.model, self.field)
        if comodel:
            now, then = names.get(comodel, {}), json.loads(self.names or "{}")

            def show(value):
                return ", ".join(self._named(str(one), now, then) for one in _ids(value))

        elif self.field == LINES:

            def show(value):
                return "\n".join(self._show_line(line) for line in value)

        elif kind == "selection":
            labels = dict(told["selection"])

            def show(value):
                return labels.get(value, value)

        elif kind == "monetary":
            currency = self._currency(told["currency_field"])

            def show(value):
                return format_amount(self.env, value or 0, currency)

        else:

            def show(value):
                return self._show_plain(kind, value)

        return lambda value: None if value is None else show(value)

    def _show_plain(self, kind, value):
        if kind == "boolean":
            return _("Yes") if value else _("No")
        if kind == "float":
            return formatLang(self.env, value)
        if kind == "date":
            return format_date(self.env, value)
        if kind == "datetime":
            return format_datetime(self.env, value)
        text = str(value)
        # A number's plus stays in front of it, also among Arabic.
        is_number = text.startswith("+") and get_lang(self.env).direction == "rtl"
        return LEFT_TO_RIGHT + text if is_number else text

    @api.model
    def _named(self, one, now, then):
        if one in now:
            return now[one]
        return _("%s (deleted)", then.get(one, one))

    def _show_line(self, line):
        text = " ".join((line["name"] or "").split())
        if not line["product_id"]:
            return text
        text = "{} × {} · {}".format(
            formatLang(self.env, line["product_uom_qty"]),
            text,
            format_amount(self.env, line["price_unit"], self._currency("currency_id")),
        )
        if line["discount"]:
            text += f" (−{formatLang(self.env, line['discount'])} %)"
        return text

    def _currency(self, field):
        company = self.company_id or self.env.company
        try:
            return (self.lead_id or self.order_id)[field] or company.currency_id
        except MissingError:
            return company.currency_id

    # ---- what people do --------------------------------------------------------

    def action_open(self):
        self.ensure_one()
        record = self.env[self.model].browse(self.res_id)
        if not record.exists():
            raise UserError(_("This record has been deleted."))
        return {
            "type": "ir.actions.act_window",
            "res_model": self.model,
            "res_id": self.res_id,
            "view_mode": "form",
            "views": [(False, "form")],
        }

    def action_restore(self):
        return self.env["g_assistant.restore"]._open(self)


def _is_predicted(lead):
    return lead.get("probability") == lead.get("automated_probability")


def _ids(value):
    if isinstance(value, list):
        return value
    return [value] if value else []


def other_lines(old, new):
    """The lines that are not the same before and after."""
    return [line for line in old if line not in new], [line for line in new if line not in old]
