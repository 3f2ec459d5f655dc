import json

from odoo import api, fields, models


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
    def _claim(self, pairs):
        """Make sure that each ``(model, ref)`` has a row; a new one has no record.

        As with the ledger's keys, two transactions cannot both get a new one.
        """
        pairs = sorted(pairs)
        if not pairs:
            return
        self.env.cr.execute(
            "INSERT INTO g_assistant_binding (model, ref)"
            " SELECT * FROM unnest(%s, %s)"
            " ON CONFLICT (model, ref) DO NOTHING",
            [[model for model, _ref in pairs], [ref for _model, ref in pairs]],
            log_exceptions=False,
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
    def _settle(self, rows):
        """Store ``{model, ref, res_id, company_id, written}`` of each. A claim that
        came to nothing (no ``res_id``) is forgotten."""
        rows = json.dumps(rows)
        self.env.cr.execute(
            "UPDATE g_assistant_binding b"
            " SET res_id = r.res_id, company_id = r.company_id, written = r.written"
            " FROM json_to_recordset(%s)"
            " AS r(model text, ref text, res_id int, company_id int, written text)"
            " WHERE b.model = r.model AND b.ref = r.ref AND r.res_id IS NOT NULL",
            [rows],
        )
        self.env.cr.execute(
            "DELETE FROM g_assistant_binding b"
            " USING json_to_recordset(%s) AS r(model text, ref text)"
            " WHERE b.model = r.model AND b.ref = r.ref AND b.res_id IS NULL",
            [rows],
        )
        self.invalidate_model()

    @api.model
    def _follow_merge(self, losers, winner):
        self.sudo().search(
            [("model", "=", losers._name), ("res_id", "in", losers.ids)]
        ).res_id = winner.id
