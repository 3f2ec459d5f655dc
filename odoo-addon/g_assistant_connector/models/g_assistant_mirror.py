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
LINE_COLUMNS = ("order_id", "sequence", *LINE)
# Literals, so that the whole is text without parameters.
LINES = SQL(
    "COALESCE(json_agg(json_build_object(%s) ORDER BY l.sequence, l.id), '[]')",
    SQL(", ").join(SQL(f"'{key}', {sql}") for key, sql in LINE.items()),
)

# The SQL of the normal form of each type.
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

# Where `display_name` is the name, or (partners) the stored complete name, unless the
# context asks for more.
PLAIN_NAMES = (
    "odoo.models",
    "odoo.orm.models",
    "odoo.addons.base.models.res_partner",
    "odoo.addons.crm.models.res_users",
)

# columns: field -> SQL of its normal form, the record being `t`; stored: those of them that are
# columns of the table; record: SQL of the JSON object of all; watched: names of those whose
# change is an event; links: of the many2many fields; lines: of an order's lines, if it has
# some; relations: field -> model it links to
Shape = namedtuple("Shape", "columns stored record watched links lines relations")
# A many2many field and its table: the columns are those of the record and of the other one
Link = namedtuple("Link", "field table column other")
# stored: columns to look at; record: SQL of the JSON list of all lines, a line being `l`
Lines = namedtuple("Lines", "field table stored record")


class Mirror(models.AbstractModel):
    _name = "g_assistant.mirror"
    _description = "Records as the daemon sees them"

    @api.model
    @tools.ormcache("model_name")
    def _shape(self, model_name):
        model = self.env[model_name]
        columns, stored, links, lines, relations = {}, [], [], None, {}
        for name in WANTED[model_name]:
            field = model._fields.get(name)
            if not field or not field.store or field.translate:
                continue
            columns[name] = self._column(field)
            if name == "order_line":
                lines = Lines(name, self.env[field.comodel_name]._table, LINE_COLUMNS, LINES)
                relations[name] = "product.product"
                continue
            if field.type == "many2many":
                links.append(Link(name, field.relation, field.column1, field.column2))
            else:
                stored.append(name)
            if field.relational:
                relations[name] = field.comodel_name
        watched = frozenset(columns) - UNWATCHED
        named = [SQL("%s AS %s", sql, SQL.identifier(name)) for name, sql in columns.items()]
        record = SQL("(SELECT to_json(r) FROM (SELECT %s) r)", SQL(", ").join(named))
        return Shape(columns, stored, record, watched, links, lines, relations)

    @api.model
    def _column(self, field):
        """The SQL of one field of ``t`` in normal form."""
        if field.name == "order_line":
            return SQL("(SELECT %s FROM sale_order_line l WHERE l.order_id = t.id)", LINES)
        if field.type == "many2many":
            return SQL(
                "ARRAY(SELECT r.%s FROM %s r WHERE r.%s = t.id ORDER BY 1)",
                SQL.identifier(field.column2),
                SQL.identifier(field.relation),
                SQL.identifier(field.column1),
            )
        return SQL(TEMPLATES[field.type], SQL.identifier("t", field.name))

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
        # The link of a line is its product, of any other field its own value.
        tables = {link.field: (link.table, link.column, link.other) for link in shape.links}
        if shape.lines:
            tables[shape.lines.field] = (shape.lines.table, "order_id", "product_id")
        parts = [
            SQL(
                "(SELECT array_agg(DISTINCT %s) FROM %s WHERE %s = ANY(%s))",
                SQL.identifier(other),
                SQL.identifier(table),
                SQL.identifier(column),
                list(ids),
            )
            for table, column, other in tables.values()
        ]
        names = [name for name in shape.relations if name not in tables]
        parts += [SQL("array_agg(DISTINCT %s)", shape.columns[name]) for name in names]
        table = SQL.identifier(self.env[model_name]._table)
        self.env.cr.execute(
            SQL("SELECT %s FROM %s t WHERE t.id = ANY(%s)", SQL(", ").join(parts), table, list(ids))
        )
        links = {}
        for name, linked in zip([*tables, *names], self.env.cr.fetchone(), strict=True):
            links.setdefault(shape.relations[name], set()).update(linked or ())
        return {comodel: linked - {None} for comodel, linked in links.items()}

    @api.model
    def _names(self, all_links):
        """``{model: {"id": name}}`` for a list of ``{model: ids}``; what is gone has none.

        In sudo: a name is shown with the record that refers to it, as Odoo does.
        """
        together = {}
        for links in all_links:
            for model_name, ids in links.items():
                together.setdefault(model_name, set()).update(ids)
        names, by_sql = {}, []
        for model_name, ids in together.items():
            name = self._name_column(model_name)
            if name:
                by_sql.append(self._name_query(model_name, name, ids))
                continue
            records = self.env[model_name].sudo().browse(sorted(ids)).exists()
            if records:
                names[model_name] = {str(record.id): record.display_name for record in records}
        if by_sql:
            self.env.cr.execute(SQL(" UNION ALL ").join(by_sql))
            names.update(self.env.cr.fetchall())
        return names

    @api.model
    @tools.ormcache("model_name")
    def _name_column(self, model_name):
        """The SQL of the `display_name` of a record ``t``, with its translations if it has
        some; ``None`` if some module computes it in Python."""
        model = self.env[model_name]
        for cls in type(model).mro():
            method = cls.__dict__.get("_compute_display_name")
            if method and not method.__module__.startswith(PLAIN_NAMES):
                return None
        name = "complete_name" if model_name == "res.partner" else model._rec_name
        field = model._fields.get(name)
        if field is not None and field.inherited:
            parent = model._fields[field.related.split(".")[0]]
            via = SQL.identifier("t", parent.name)
            table = SQL.identifier(self.env[parent.comodel_name]._table)
            return SQL("(SELECT p.name FROM %s p WHERE p.id = %s)", table, via)
        if field is None or not field.store or field.type != "char" or callable(field.translate):
            return None
        return SQL("%s", SQL.identifier("t", name))

    @api.model
    def _name_query(self, model_name, name, ids):
        model = self.env[model_name]
        if model._fields.get(model._rec_name).translate:
            name = SQL("COALESCE(%s->>%s, %s->>'en_US')", name, self.env.lang or "en_US", name)
        return SQL(
            "SELECT %s, json_object_agg(t.id, COALESCE(%s, '') ORDER BY t.id)"
            " FROM %s t WHERE t.id = ANY(%s) HAVING count(*) > 0",
            model_name,
            name,
            SQL.identifier(model._table),
            list(ids),
        )
