import json

from odoo import api, fields, models
from odoo.tools import SQL


class Binding(models.Model):
    """Which record in Odoo a reference of the daemon stands for.

    It stays when the record is deleted, so that a deleted lead does not come
    back, and follows merges.
    """

    _name = "g_assistant.binding"
    _description = "G-Assistant binding"
    _order = "id desc"
    _rec_name = "ref"
    _log_access = False

    model = fields.Char(required=True, readonly=True)
    ref = fields.Char(string="Reference", required=True, readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="model", readonly=True)
    # field -> what Odoo held right after our write, as JSON
    written = fields.Text(readonly=True)
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_binding_ref_uniq"
            " ON g_assistant_binding (model, ref);"
            "CREATE INDEX IF NOT EXISTS g_assistant_binding_record_index"
            " ON g_assistant_binding (model, res_id)"
        )

    @api.model
    def _load(self, pairs):
        """``{(model, ref): (res_id, written)}`` of those that have a record."""
        if not pairs:
            return {}
        self.env.cr.execute(
            "SELECT b.model, b.ref, b.res_id, b.written FROM g_assistant_binding b"
            " JOIN unnest(%s, %s) AS p(model, ref) ON b.model = p.model AND b.ref = p.ref"
            " WHERE b.res_id IS NOT NULL",
            [[model for model, _ref in pairs], [ref for _model, ref in pairs]],
        )
        return {
            (model, ref): (res_id, json.loads(written or "{}"))
            for model, ref, res_id, written in self.env.cr.fetchall()
        }

    @api.model
    def _load_by_record(self, pairs):
        """``{(model, id): (ref, written)}``: the oldest binding of each record."""
        if not pairs:
            return {}
        self.env.cr.execute(
            "SELECT DISTINCT ON (b.model, b.res_id) b.model, b.res_id, b.ref, b.written"
            " FROM g_assistant_binding b"
            " JOIN unnest(%s, %s) AS p(model, res_id) ON b.model = p.model AND b.res_id = p.res_id"
            " ORDER BY b.model, b.res_id, b.id",
            [[model for model, _id in pairs], [res_id for _model, res_id in pairs]],
        )
        return {
            (model, res_id): (ref, json.loads(written or "{}"))
            for model, res_id, ref, written in self.env.cr.fetchall()
        }

    @api.model
    def _store(self, model_name, rows):
        """Store ``(ref, res_id, written)`` of each.

        If another open transaction binds one of the references at this moment, we wait
        for it and then fail with a serialisation error, upon which Odoo runs the whole
        call again and finds it: two transactions cannot both create the record. Sorted,
        so that they cannot lock each other out.
        """
        rows = sorted(rows, key=lambda row: row[0])
        records = self.env[model_name]
        records.flush_model(["company_id"])
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO g_assistant_binding (model, ref, res_id, written, company_id)
                SELECT %s, r.ref, r.res_id, r.written, t.company_id
                  FROM unnest(%s::varchar[], %s::int[], %s::text[]) WITH ORDINALITY
                    AS r(ref, res_id, written, n)
                  LEFT JOIN %s t ON t.id = r.res_id
                 ORDER BY r.n
                ON CONFLICT (model, ref) DO UPDATE
                   SET res_id = EXCLUDED.res_id,
                       written = EXCLUDED.written,
                       company_id = EXCLUDED.company_id
                """,
                model_name,
                *(list(column) for column in zip(*rows, strict=True)),
                SQL.identifier(records._table),
            ),
            log_exceptions=False,
        )
        self.invalidate_model()

    @api.model
    def _follow_merge(self, losers, winner):
        self.sudo().search(
            [("model", "=", losers._name), ("res_id", "in", losers.ids)]
        ).res_id = winner.id
