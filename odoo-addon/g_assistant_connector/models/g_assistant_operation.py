import json
from datetime import timedelta

from odoo import api, fields, models

from .. import config

# Not done, and not in the ledger: to be corrected, decided or looked at first.
OPEN_ENDS = ("refused", "undecided", "held")


class Operation(models.Model):
    """The ledger: an operation whose key is here is not run again."""

    _name = "g_assistant.operation"
    _description = "G-Assistant operation"
    _order = "id desc"
    _rec_name = "key"
    _log_access = False

    key = fields.Char(required=True, readonly=True)
    model = fields.Char(readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="model", readonly=True)
    status = fields.Char(readonly=True)
    result = fields.Text(readonly=True)
    create_date = fields.Datetime(string="Applied On", readonly=True)

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_operation_key_uniq"
            " ON g_assistant_operation (key);"
            # Room beside each claimed key for its result: its indexes stay as they are.
            "ALTER TABLE g_assistant_operation SET (fillfactor = 40)"
        )

    @api.model
    def _claim(self, keys):
        """Insert the keys; return ``{key: stored result}`` of those that were there.

        A key that another open transaction inserts at this moment makes us wait
        for it and then fail with a serialisation error, upon which Odoo runs the
        whole call again and finds the result. Sorted, so that two calls with the
        same keys cannot lock each other out.
        """
        keys = sorted(keys)
        if not keys:
            return {}
        self.env.cr.execute(
            "INSERT INTO g_assistant_operation (key, create_date)"
            " SELECT k, now() AT TIME ZONE 'UTC' FROM unnest(%s) k"
            " ON CONFLICT (key) DO NOTHING RETURNING key",
            [keys],
            log_exceptions=False,
        )
        claimed = {row[0] for row in self.env.cr.fetchall()}
        known = [key for key in keys if key not in claimed]
        if not known:
            return {}
        self.env.cr.execute(
            "SELECT key, result FROM g_assistant_operation WHERE key = ANY(%s)", [known]
        )
        return {key: json.loads(result) for key, result in self.env.cr.fetchall()}

    @api.model
    def _settle(self, results):
        """Store what became of the claimed operations; forget those that are still to do."""
        refused = [result["key"] for result in results if result["status"] in OPEN_ENDS]
        if refused:
            self.env.cr.execute("DELETE FROM g_assistant_operation WHERE key = ANY(%s)", [refused])
        done = [result for result in results if result["status"] not in OPEN_ENDS]
        self.env.cr.execute(
            "UPDATE g_assistant_operation o"
            " SET model = r.model, res_id = r.res_id, status = r.status, result = r.result"
            " FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[], %s::text[])"
            " AS r(key, model, res_id, status, result) WHERE o.key = r.key",
            [
                *([result[name] for result in done] for name in ("key", "model", "id", "status")),
                [json.dumps(result) for result in done],
            ],
        )
        self.invalidate_model()

    @api.autovacuum
    def _gc_old(self):
        self.env.cr.execute(
            "DELETE FROM g_assistant_operation WHERE create_date < %s",
            [fields.Datetime.now() - timedelta(days=config.retention_days(self.env))],
        )
        self.invalidate_model()
