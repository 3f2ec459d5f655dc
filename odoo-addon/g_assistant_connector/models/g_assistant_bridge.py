import importlib.util
import json

from odoo import _, api, fields, models, release
from odoo.exceptions import AccessError, UserError

from .. import kinds

PROTOCOL = 1
MAX_PAGE = 10_000
MAX_SPEND = 1_000


class Bridge(models.AbstractModel):
    """The daemon's way in: see docs/BRIDGE.md.

    Each method takes and returns JSON text, so that XML-RPC and JSON-2 carry the same.
    """

    _name = "g_assistant.bridge"
    _description = "G-Assistant bridge"

    @api.model
    def hello(self):
        self._check_daemon()
        mirror = self.env["g_assistant.mirror"]
        uuid, neutralized = self._database()
        module = (
            self.env["ir.module.module"]
            .sudo()
            .search([("name", "=", "g_assistant_connector")], limit=1)
        )
        return json.dumps(
            {
                "protocol": PROTOCOL,
                # Odoo puts the series before the addon's own version.
                "addon": ".".join(module.installed_version.split(".")[-3:]),
                "series": release.series,
                "database": uuid,
                "neutralized": neutralized,
                "time": fields.Datetime.to_string(fields.Datetime.now()),
                "pending_events": self._count_pending(),
                "reports": True,
                "spend": True,
                "files": True,
                "phonenumbers": importlib.util.find_spec("phonenumbers") is not None,
                "fields": {model: list(mirror._shape(model).columns) for model in kinds.NOUNS},
            }
        )

    @api.model
    def apply(self, ops, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        return json.dumps(self.env["g_assistant.applier"]._apply(self._operations(ops)))

    @api.model
    def rehearse(self, ops, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        results = self.env["g_assistant.applier"]._apply(self._operations(ops))
        leads = self.env[kinds.LEAD].browse(
            result["id"] for result in results if result["model"] == kinds.LEAD and result["id"]
        )
        told = {
            lead.id: {
                "name": lead.name,
                "salesperson": lead.user_id.login or None,
                "team": lead.team_id.name or None,
                "owner_reason": lead.g_assistant_owner_reason or None,
                "flags": lead.g_assistant_flag_ids.mapped("code"),
            }
            for lead in leads
        }
        answer = [{**result, "lead": told.get(result["id"])} for result in results]
        # Not a savepoint: what is to happen after the commit would outlive it.
        self.env.cr.rollback()
        return json.dumps(answer)

    @api.model
    def _operations(self, ops):
        try:
            return json.loads(ops)
        except ValueError as error:
            raise UserError(_("The operations are not JSON: %s", error)) from error

    @api.model
    def pull(self, model, after_id=0, limit=2000, only=None):
        self._check_daemon()
        if model not in kinds.NOUNS:
            raise UserError(_("Model “%s” is not served.", model))
        records = self.env[model].with_context(active_test=False)
        following = None
        if only is not None:
            ids = records.search([("id", "in", only)]).ids
        else:
            # One more than asked for tells whether there is a next page.
            limit = max(1, min(limit, MAX_PAGE))
            ids = records.search([("id", ">", after_id)], order="id", limit=limit + 1).ids
            if len(ids) > limit:
                ids = ids[:limit]
                following = ids[-1]
        records.flush_model()
        mirror = self.env["g_assistant.mirror"].with_context(lang=self.env.user.lang)
        names = mirror._names([mirror._page_links(model, ids)])
        answer = {"names": names, "next": following}
        if only is None and after_id == 0:
            answer["total"] = records.search_count([])
        # The records are JSON already: parsing them here would cost more than the query.
        return '{"records":' + mirror._page(model, ids) + "," + json.dumps(answer)[1:]

    @api.model
    def events(self, limit=500, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        event_model = self.env["g_assistant.event"].sudo()
        limit = max(1, min(limit, MAX_PAGE))
        event_model._digest_for(limit)
        events = event_model._oldest_pending(limit)
        return json.dumps(
            {
                "events": events._payload(),
                "pending": self._count_pending(),
                "wishes": self.env["g_assistant.parked"].sudo()._has_wishes(),
            }
        )

    @api.model
    def ack(self, uuids, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        events = (
            self.env["g_assistant.event"]
            .sudo()
            .search([("uuid", "in", uuids), ("state", "=", "pending")])
        )
        events._mark_delivered()
        return json.dumps({"acked": len(events)})

    @api.model
    def report(self, report, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        return json.dumps(self.env["g_assistant.connection"].sudo()._report(json.loads(report)))

    @api.model
    def operations(self, daemon, jobs, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        jobs = json.loads(jobs)
        self.env["g_assistant.parked"].sudo()._told_of(daemon, jobs)
        return json.dumps({"kept": len(jobs)})

    @api.model
    def spend(self, rows, database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        try:
            rows = json.loads(rows)
        except ValueError as error:
            raise UserError(_("The rows are not JSON: %s", error)) from error
        if not isinstance(rows, list) or len(rows) > MAX_SPEND:
            raise UserError(_("The rows are a list of at most %d.", MAX_SPEND))
        return json.dumps(self.env["g_assistant.spend"].sudo()._told(rows))

    @api.model
    def attach(self, file, data="", database=None):
        self._check_daemon()
        wrong = self._wrong_database(database)
        if wrong:
            return wrong
        try:
            file = json.loads(file)
        except ValueError as error:
            raise UserError(_("The file's description is not JSON: %s", error)) from error
        return json.dumps({"status": self.env["g_assistant.message"].sudo()._attach(file, data)})

    @api.model
    def _wrong_database(self, database):
        """The answer to a daemon that means another database, or not a copy."""
        uuid, neutralized = self._database()
        if database and (neutralized or database != uuid):
            # Not an error of what was asked for: the daemon keeps all of it and stops.
            return json.dumps({"wrong_database": uuid, "neutralized": neutralized})
        return None

    @api.model
    def _database(self):
        """Which database this is, and whether it is neutralised.

        Read from the table: a restored copy must be recognised before Odoo's caches
        have noticed that they belong to another database.
        """
        self.env.cr.execute(
            "SELECT key, value FROM ir_config_parameter"
            " WHERE key IN ('database.uuid', 'database.is_neutralized')"
        )
        values = dict(self.env.cr.fetchall())
        return values.get("database.uuid"), bool(values.get("database.is_neutralized"))

    @api.model
    def _count_pending(self):
        return self.env["g_assistant.event"].sudo()._count_pending()

    @api.model
    def _check_daemon(self):
        if not self.env.user.has_group("g_assistant_connector.group_daemon"):
            raise AccessError(_("Only the G-Assistant daemon's user may call the bridge."))
