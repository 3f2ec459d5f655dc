"""What a lead or an order looks like outside Odoo.

One list of fields and one normal form serve `pull`, the events and the change
capture, so that what the daemon mirrors is the same whichever way it came. The
JSON is written by PostgreSQL: many times faster than by the ORM.
"""

from collections import namedtuple

from odoo import api, models, tools
from odoo.tools import SQL

# What the daemon wants to know. What a series does not have, or does not store,
# is left out; so are texts of arbitrary size (description, note). All are fields that
# the daemon's group may read: what SQL writes here, nobody checks again.
WANTED = {
    "crm.lead": (
        "id name type active stage_id user_id team_id company_id partner_id"
        " contact_name partner_name email_from email_cc email_normalized"
        " phone mobile phone_sanitized website function title"
        " street street2 city zip state_id country_id lang_id"
        " priority tag_ids campaign_id medium_id source_id referred"
        " expected_revenue probability automated_probability won_status lost_reason_id"
        " date_deadline date_open date_closed date_conversion date_last_stage_update"
        " create_date write_date"
    ).split(),
    "sale.order": (
        "id name state locked partner_id partner_invoice_id partner_shipping_id"
        " date_order validity_date user_id team_id company_id currency_id pricelist_id"
        " payment_term_id amount_untaxed amount_tax amount_total invoice_status"
        " opportunity_id client_order_ref origin reference tag_ids"
        " campaign_id medium_id source_id commitment_date signed_by signed_on"
        " order_line create_date write_date"
    ).split(),
}

# Consequences of other fields: in the record, but no change on their own.
UNWATCHED = {
    "id",
    "create_date",
    "write_date",
    "automated_probability",
    "email_normalized",
    "phone_sanitized",
    "won_status",
    "date_last_stage_update",
}

# Looked at to tell the kind of a change; not part of the record.
HIDDEN = {
    "crm.lead": {"is_won": "(SELECT s.is_won FROM crm_stage s WHERE s.id = t.stage_id)"},
    "sale.order": {},
}

# The parts of an order line, with the SQL of each.
LINE = {
    "id": "l.id",
    "product_id": "l.product_id",
    "name": "l.name",
    "product_uom_qty": "COALESCE(l.product_uom_qty, 0)::float8",
    "price_unit": "COALESCE(l.price_unit, 0)::float8",
    "discount": "COALESCE(l.discount, 0)::float8",
    "price_subtotal": "COALESCE(l.price_subtotal, 0)::float8",
}

# The SQL of the normal form of each type, and how Python gets there.
TEMPLATES = {
    "boolean": "COALESCE(%s, false)",
    "integer": "COALESCE(%s, 0)",
    "float": "COALESCE(%s, 0)::float8",
    "monetary": "COALESCE(%s, 0)::float8",
    "char": "NULLIF(%s, '')",
    "text": "NULLIF(%s, '')",
    "selection": "NULLIF(%s, '')",
    "date": "to_char(%s, 'YYYY-MM-DD')",
    "datetime": "to_char(%s, 'YYYY-MM-DD HH24:MI:SS')",
    "many2one": "%s",
}
NORMALIZERS = {
    "boolean": bool,
    "integer": lambda value: value or 0,
    "float": lambda value: value or 0.0,
    "monetary": lambda value: value or 0.0,
    "char": lambda value: value or None,
    "text": lambda value: value or None,
    "selection": lambda value: value or None,
    "date": lambda value: value and value.strftime("%Y-%m-%d"),
    "datetime": lambda value: value and value.strftime("%Y-%m-%d %H:%M:%S"),
}

# columns: field -> SQL of its normal form; record: SQL of the JSON object of all;
# watched: names, in the order of `watch`, the SQL that reads them as they are stored;
# relations: field -> model it links to
Shape = namedtuple("Shape", "columns record watched watch relations")


class Mirror(models.AbstractModel):
    _name = "g_assistant.mirror"
    _description = "Records as the daemon sees them"

    @api.model
    @tools.ormcache("model_name")
    def _shape(self, model_name):
        model = self.env[model_name]
        columns, relations = {}, {}
        for name in WANTED[model_name]:
            field = model._fields.get(name)
            if not field or not field.store or field.translate:
                continue
            columns[name] = self._column(field)
            if name == "order_line":
                relations[name] = "product.product"
            elif field.relational:
                relations[name] = field.comodel_name
        watched = [name for name in columns if name not in UNWATCHED]
        # Plain columns: this is read in every user's transaction.
        watch = [
            SQL.identifier("t", name) if model._fields[name].type in TEMPLATES else columns[name]
            for name in watched
        ]
        for name, hidden in HIDDEN[model_name].items():
            watched.append(name)
            watch.append(SQL(hidden))
        named = [SQL("%s AS %s", sql, SQL.identifier(name)) for name, sql in columns.items()]
        record = SQL("(SELECT to_json(r) FROM (SELECT %s) r)", SQL(", ").join(named))
        return Shape(columns, record, tuple(watched), SQL(", ").join(watch), relations)

    @api.model
    def _column(self, field):
        """The SQL of one field of ``t`` in normal form."""
        if field.name == "order_line":
            # Literals, so that the whole is text without parameters.
            pairs = SQL(", ").join(SQL(f"'{key}', {sql}") for key, sql in LINE.items())
            return SQL(
                "COALESCE((SELECT json_agg(json_build_object(%s) ORDER BY l.sequence, l.id)"
                " FROM sale_order_line l WHERE l.order_id = t.id), '[]')",
                pairs,
            )
        if field.type == "many2many":
            return SQL(
                "ARRAY(SELECT r.%s FROM %s r WHERE r.%s = t.id ORDER BY 1)",
                SQL.identifier(field.column2),
                SQL.identifier(field.relation),
                SQL.identifier(field.column1),
            )
        return SQL(TEMPLATES[field.type], SQL.identifier("t", field.name))

    @api.model
    def _watched_values(self, model_name, ids):
        """``{id: values}`` as the database holds them now, in the order of `watched`."""
        rows = self._select(model_name, ids, self._shape(model_name).watch)
        return {row[0]: row[1:] for row in rows}

    @api.model
    def _snapshots(self, model_name, ids):
        """``{id: (watched values, whole record as JSON text)}``."""
        shape = self._shape(model_name)
        rows = self._select(model_name, ids, SQL("%s, %s::text", shape.watch, shape.record))
        return {row[0]: (row[1:-1], row[-1]) for row in rows}

    @api.model
    def _select(self, model_name, ids, columns):
        table = SQL.identifier(self.env[model_name]._table)
        self.env.cr.execute(
            SQL("SELECT t.id, %s FROM %s t WHERE t.id = ANY(%s)", columns, table, list(ids))
        )
        return self.env.cr.fetchall()

    @api.model
    def _normal(self, model_name, name, value):
        """A watched value in normal form."""
        field = self.env[model_name]._fields.get(name)
        normalize = field is not None and NORMALIZERS.get(field.type)
        return normalize(value) if normalize else value

    @api.model
    def _page(self, model_name, ids):
        """JSON text of a list of whole records, ascending by id."""
        self.env.cr.execute(
            SQL(
                "SELECT COALESCE(json_agg(%s ORDER BY t.id), '[]')::text"
                " FROM %s t WHERE t.id = ANY(%s)",
                self._shape(model_name).record,
                SQL.identifier(self.env[model_name]._table),
                list(ids),
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _links(self, model_name, record):
        """``{model: ids}`` that one record in JSON form refers to."""
        links = {}
        for name, comodel in self._shape(model_name).relations.items():
            value = record.get(name)
            if name == "order_line":
                value = [line["product_id"] for line in value if line["product_id"]]
            elif isinstance(value, int):
                value = [value]
            if value:
                links.setdefault(comodel, set()).update(value)
        return links

    @api.model
    def _page_links(self, model_name, ids):
        """``{model: ids}`` that these records refer to."""
        shape = self._shape(model_name)
        # order_line's link is the product of each line, a field's link its own value.
        values = [
            SQL("ARRAY(SELECT l.product_id FROM sale_order_line l WHERE l.order_id = t.id)")
            if name == "order_line"
            else shape.columns[name]
            if self.env[model_name]._fields[name].type == "many2many"
            else SQL("ARRAY[%s]", shape.columns[name])
            for name in shape.relations
        ]
        links = {}
        table = SQL.identifier(self.env[model_name]._table)
        for (_name, comodel), value in zip(shape.relations.items(), values, strict=True):
            self.env.cr.execute(
                SQL(
                    "SELECT DISTINCT v FROM %s t, unnest(%s) v"
                    " WHERE t.id = ANY(%s) AND v IS NOT NULL",
                    table,
                    value,
                    list(ids),
                )
            )
            links.setdefault(comodel, set()).update(row[0] for row in self.env.cr.fetchall())
        return links

    @api.model
    def _names(self, all_links):
        """``{model: {"id": name}}`` for a list of ``{model: ids}``; what is gone has none.

        In sudo: a name is shown with the record that refers to it, as Odoo does.
        """
        together = {}
        for links in all_links:
            for model_name, ids in links.items():
                together.setdefault(model_name, set()).update(ids)
        names = {}
        for model_name, ids in together.items():
            records = self.env[model_name].sudo().browse(sorted(ids)).exists()
            if records:
                names[model_name] = {str(record.id): record.display_name for record in records}
        return names
