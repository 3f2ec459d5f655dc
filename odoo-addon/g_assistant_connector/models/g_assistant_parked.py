from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from .. import config, sender
from .g_assistant_connection import ADMIN

# How much one answer asks of the daemon, and tells it.
ASK_AT_ONCE = 100
FINAL = ("done", "discarded")


class Parked(models.Model):
    """An operation that failed for good at the daemon and waits for a person.

    What people decide here is a wish: it waits until the daemon has carried it out. A
    wish names the attempt that it answers (`tries`), so the daemon does it once.
    """

    _name = "g_assistant.parked"
    _description = "G-Assistant parked operation"
    _order = "parked_at desc, id desc"
    _rec_name = "summary"

    connection_id = fields.Many2one(
        "g_assistant.connection", required=True, readonly=True, ondelete="cascade", index=True
    )
    kind = fields.Selection(
        [("intake", "Delivery"), ("fetch", "Fetch"), ("push", "Into Odoo"), ("media", "File")],
        string="Step",
        required=True,
        readonly=True,
    )
    key = fields.Char(required=True, readonly=True, index=True)
    job = fields.Integer(string="Number at the Daemon", readonly=True)
    tries = fields.Integer(string="Attempts in All", readonly=True)
    source = fields.Char(readonly=True)
    summary = fields.Char(string="What", readonly=True)
    error = fields.Text(string="Reason", readonly=True)
    created_at = fields.Datetime(string="Arrived", readonly=True)
    parked_at = fields.Datetime(string="Parked", readonly=True)
    payload = fields.Text(string="Values", readonly=True)
    delivery = fields.Text(readonly=True, help="What the source sent. Secrets are left out.")
    editable = fields.Boolean(readonly=True)
    state = fields.Selection(
        [
            ("parked", "Waits for you"),
            ("asked", "Asked of the daemon"),
            ("running", "Under way"),
            ("done", "Done"),
            ("discarded", "Discarded"),
        ],
        required=True,
        readonly=True,
        index=True,
    )
    res_model = fields.Char(string="Model", readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="res_model", readonly=True)
    ended_at = fields.Datetime(string="Ended", readonly=True)
    wish = fields.Selection(
        [("retry", "Retry"), ("edit", "Edit and retry"), ("discard", "Discard")],
        string="Decision",
        readonly=True,
    )
    wished_payload = fields.Text(string="New Values", readonly=True)
    wished_by = fields.Many2one("res.users", string="Decided by", readonly=True)
    wished_at = fields.Datetime(string="Decided", readonly=True)
    told = fields.Boolean(readonly=True, help="The daemon has been told that there are wishes.")
    answer = fields.Text(string="Daemon's Answer", readonly=True)
    silent_since = fields.Datetime(compute="_compute_silent_since")

    if hasattr(models, "Constraint"):
        _key_unique = models.Constraint(
            "unique(connection_id, kind, key)", "This operation is known already."
        )
    else:
        _sql_constraints = [
            (
                "key_unique",
                "unique(connection_id, kind, key)",
                "This operation is known already.",
            )
        ]

    def _compute_silent_since(self):
        for parked in self:
            connection = parked.connection_id
            parked.silent_since = connection._is_silent() and connection.seen_at

    # ---- what people decide ----------------------------------------------------

    def action_retry(self):
        self._wish("retry")

    def action_discard(self):
        self._wish("discard")

    def action_withdraw(self):
        asked = self._to_decide().filtered(lambda parked: parked.state == "asked")
        asked.write({"state": "parked", "wish": False, "wished_payload": False})

    def action_edit(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Edit and Retry"),
            "res_model": "g_assistant.parked.edit",
            "view_mode": "form",
            "target": "new",
            "context": {"default_parked_id": self.id, "default_payload": self.payload},
        }

    def _wish(self, wish, payload=False):
        open_ones = self._to_decide().filtered(lambda one: one.state in ("parked", "asked"))
        if not open_ones:
            raise UserError(_("This has been decided already."))
        open_ones.write(
            {
                "state": "asked",
                "wish": wish,
                "wished_payload": payload,
                "wished_by": self.env.uid,
                "wished_at": fields.Datetime.now(),
                "told": False,
                "answer": False,
            }
        )
        sender.wake_after_commit(self.env)

    def _to_decide(self):
        """These, if the user may see them and decide."""
        if not self.env.user.has_group(ADMIN):
            raise AccessError(_("Only a G-Assistant administrator may decide this."))
        return self.search([("id", "in", self.ids)]).sudo()

    # ---- what the daemon hears -------------------------------------------------

    @api.model
    def _has_wishes(self):
        return bool(self.search_count([("state", "=", "asked")], limit=1))

    @api.model
    def _take_untold(self):
        """Whether there are wishes of which the daemon has not been told. It is told once:
        if that fails, it learns of them when it reports."""
        untold = self.search([("state", "=", "asked"), ("told", "=", False)])
        untold.told = True
        return bool(untold)

    @api.model
    def _compare(self, connection, listed):
        """What the daemon is to do and to tell more of, given what is parked there."""
        kinds = dict(self._fields["kind"].selection)
        open_ones = self.sudo().search(
            [("connection_id", "=", connection.id), ("state", "not in", FINAL)], order="id"
        )
        known = {(one.kind, one.key): one for one in open_ones}
        asked = []
        for kind, key, tries in listed:
            if kind not in kinds:
                # Of a newer daemon: its own command line shows it.
                continue
            one = known.pop((kind, key), None)
            if one is None or one.tries != tries or one.state == "running":
                asked.append({"kind": kind, "key": key})
        asked += [{"kind": kind, "key": key} for kind, key in known]
        wishes = open_ones.filtered(lambda one: one.state == "asked")
        return {
            "asked": asked[:ASK_AT_ONCE],
            "wishes": [
                {
                    "kind": one.kind,
                    "key": one.key,
                    "tries": one.tries,
                    "do": one.wish,
                    "payload": one.wished_payload or None,
                }
                for one in wishes[:ASK_AT_ONCE]
            ],
        }

    @api.model
    def _told_of(self, daemon, jobs):
        """Keep how operations stand at the daemon."""
        connection = self.env["g_assistant.connection"]._of(daemon)
        keys = [job["key"] for job in jobs]
        rows = self.sudo().search([("connection_id", "=", connection.id), ("key", "in", keys)])
        known = {(row.kind, row.key): row for row in rows}
        for job in jobs:
            row = known.get((job["kind"], job["key"]))
            if job["state"] == "parked":
                self._keep_parked(connection, row, job)
            elif row and job["state"] in FINAL:
                row.write(
                    {
                        "state": job["state"],
                        "ended_at": fields.Datetime.now(),
                        "res_model": job.get("model"),
                        "res_id": job.get("id"),
                        "error": False,
                        # It is done: what it was about is in the record, and need not be twice.
                        "payload": False,
                        "wished_payload": False,
                        "delivery": False,
                    }
                )
            elif row and job["state"] == "gone":
                row.unlink()
            elif row:
                row.state = "running"

    @api.model
    def _keep_parked(self, connection, row, job):
        refused = job.get("refused")
        values = {
            name: job.get(name) or False
            for name in (
                "kind key job tries source summary error created_at parked_at payload delivery"
                " editable"
            ).split()
        }
        # A decision that the daemon has not seen yet stands, if it is about this attempt.
        stands = row and row.state == "asked" and row.tries == job["tries"] and not refused
        if not stands:
            values.update(state="parked", answer=refused or False)
        if row:
            row.write(values)
        else:
            self.sudo().create({**values, "connection_id": connection.id})

    @api.autovacuum
    def _gc_ended(self):
        limit = fields.Datetime.now() - timedelta(days=config.retention_days(self.env))
        self.sudo().search([("state", "in", FINAL), ("ended_at", "<", limit)]).unlink()
