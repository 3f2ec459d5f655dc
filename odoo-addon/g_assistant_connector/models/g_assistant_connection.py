import json
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools import format_datetime, plaintext2html

from .. import config

ADMIN = "g_assistant_connector.group_admin"
ACTIVITY = "mail.mail_activity_data_warning"
# A platform that is away or wants fewer requests comes back by itself: only if that
# takes longer does somebody need to know.
PATIENCE = timedelta(minutes=15)

# What the daemon reports of itself, as its own fields.
REPORTED = (
    "name version started_at waiting parked oldest_seconds"
    " polled_at leads_compared_at leads_count orders_compared_at orders_count"
).split()


class Connection(models.Model):
    """One daemon that works in this database, and how it is, as it says itself."""

    _name = "g_assistant.connection"
    _description = "G-Assistant connection"
    # The thread is for activities that are marked as done; nothing is tracked.
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "name, id"

    name = fields.Char(string="Machine", readonly=True)
    daemon = fields.Char(string="Daemon ID", required=True, readonly=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="cascade")
    version = fields.Char(readonly=True)
    started_at = fields.Datetime(string="Running Since", readonly=True)
    seen_at = fields.Datetime(string="Last Heard Of", readonly=True)
    state = fields.Selection(
        [("ok", "All well"), ("attention", "Needs attention"), ("silent", "Silent")],
        compute="_compute_state",
    )
    problems = fields.Text(compute="_compute_state")
    waiting = fields.Integer(
        readonly=True, help="Deliveries and operations that are on their way into Odoo."
    )
    parked = fields.Integer(
        readonly=True, help="Operations that failed for good and wait for a person."
    )
    oldest_seconds = fields.Integer(
        string="Lag (Seconds)", readonly=True, help="How long the oldest one has waited."
    )
    polled_at = fields.Datetime(string="Changes Fetched", readonly=True)
    leads_compared_at = fields.Datetime(string="Leads Compared", readonly=True)
    leads_count = fields.Integer(string="Leads Known", readonly=True)
    orders_compared_at = fields.Datetime(string="Orders Compared", readonly=True)
    orders_count = fields.Integer(string="Orders Known", readonly=True)
    source_ids = fields.One2many("g_assistant.connection.source", "connection_id", readonly=True)
    form_ids = fields.One2many("g_assistant.connection.form", "connection_id", readonly=True)
    pending_events = fields.Integer(string="Events Waiting", compute="_compute_pending_events")
    told = fields.Text(readonly=True, help="The problems that people have been told of, as JSON.")

    if hasattr(models, "Constraint"):
        _daemon_unique = models.Constraint("unique(daemon)", "This daemon is known already.")
    else:
        _sql_constraints = [("daemon_unique", "unique(daemon)", "This daemon is known already.")]

    @api.depends("seen_at", "parked", "source_ids")
    @api.depends_context("lang")
    def _compute_state(self):
        for connection in self:
            problems = connection._problems()
            connection.problems = "\n".join(problems.values())
            if "silent" in problems:
                connection.state = "silent"
            else:
                connection.state = "attention" if problems else "ok"

    def _compute_pending_events(self):
        self.pending_events = self.env["g_assistant.event"].sudo()._count_pending()

    @api.model
    def _all(self):
        # There is one, rarely more.
        return self.search([], limit=100)

    def _is_silent(self):
        limit = timedelta(minutes=config.silent_minutes(self.env))
        return fields.Datetime.now() - self.seen_at > limit

    def _problems(self):
        """What needs a person now: a code of each problem → what it is, in words."""
        self.ensure_one()
        problems = {}
        if self._is_silent():
            problems["silent"] = _(
                "The daemon on %(machine)s has been silent since %(time)s.",
                machine=self.name,
                time=format_datetime(self.env, self.seen_at),
            )
        if self.parked:
            problems["parked"] = _("Operations that wait for a decision: %d", self.parked)
        for source in self.source_ids:
            problems.update(source._problems())
        return problems

    # ---- what the daemon says --------------------------------------------------

    @api.model
    def _report(self, report):
        """Keep what the daemon says of itself; return what it is asked for in turn."""
        connection = self._of(report["daemon"])
        connection.write(
            {
                **_cleaned(connection, REPORTED, report),
                "seen_at": fields.Datetime.now(),
                "company_id": self.env.company.id,
            }
        )
        connection.source_ids._bring_to(connection, report["sources"])
        connection.form_ids._bring_to(connection, report["forms"])
        answer = self.env["g_assistant.parked"]._compare(connection, report["parked_jobs"])
        connection._watch()
        return answer

    @api.model
    def _of(self, daemon):
        quiet = self.sudo().with_context(tracking_disable=True, mail_create_nosubscribe=True)
        known = quiet.search([("daemon", "=", daemon)])
        return known or quiet.create(
            {
                "daemon": daemon,
                "company_id": self.env.company.id,
                "seen_at": fields.Datetime.now(),
            }
        )

    # ---- who is told -----------------------------------------------------------

    @api.model
    def _cron_watch(self):
        """A daemon that is silent cannot say so itself."""
        self._all()._watch()

    def _watch(self):
        """Tell of problems that are new, and take back what is over."""
        for connection in self.with_context(tracking_disable=True):
            problems = connection._problems()
            told = json.loads(connection.told or "[]")
            if sorted(problems) == told:
                continue
            connection.told = json.dumps(sorted(problems))
            new = [code for code in problems if code not in told]
            for user in connection._people_to_tell() if new else ():
                connection.with_context(lang=user.lang, tz=user.tz)._tell(user, new)
            if not problems:
                connection.activity_unlink([ACTIVITY])
            connection._refresh_screens()

    def _administrators(self):
        group = self.env.ref(ADMIN)
        users = group.all_user_ids if "all_user_ids" in group._fields else group.users
        return users.filtered(lambda user: user.active and self.company_id in user.company_ids)

    def _people_to_tell(self):
        everybody = self._administrators()
        return everybody.browse(config.alert_user_ids(self.env)) & everybody or everybody

    def _tell(self, user, codes):
        """By the ways that the settings name, in the user's own language."""
        ways = config.alert_ways(self.env)
        title = _("G-Assistant needs attention")
        problems = self._problems()
        text = "\n".join(problems[code] for code in codes)
        if "screen" in ways:
            self.env["bus.bus"]._sendone(
                user.partner_id,
                "simple_notification",
                {"title": title, "message": text, "type": "warning", "sticky": True},
            )
        if "activity" in ways:
            self._tell_by_activity(user, title, "\n".join(problems.values()))
        if "mail" in ways and user.email:
            self.env["mail.mail"].sudo().create(
                {
                    "subject": f"{title}: {self.name}",
                    "body_html": plaintext2html(text),
                    "email_to": user.email_formatted,
                    "auto_delete": True,
                }
            )
            # Sent by Odoo's own mail queue: a slow mail server must not hold up the daemon.
            self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    def _tell_by_activity(self, user, title, text):
        note = plaintext2html(text)
        kind = self.env.ref(ACTIVITY)
        known = self.activity_ids.filtered(
            lambda one: one.user_id == user and one.activity_type_id == kind
        )
        if known:
            known.note = note
        else:
            # The activity itself is the message: no mail about it.
            self.with_context(mail_activity_quick_update=True).activity_schedule(
                ACTIVITY, summary=title, note=note, user_id=user.id
            )

    def _refresh_screens(self):
        for user in self._administrators():
            self.env["bus.bus"]._sendone(user.partner_id, "g_assistant.connection", {})

    @api.model
    def attention(self):
        """What the mark in the bar at the top shows. Nothing to those whom it does not concern."""
        if not self.env.user.has_group(ADMIN):
            return []
        found = ((connection, connection.problems) for connection in self._all())
        return [{"id": one.id, "problems": problems} for one, problems in found if problems]

    # ---- what people do --------------------------------------------------------

    def action_parked(self):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "g_assistant_connector.g_assistant_parked_action"
        )
        return {**action, "domain": [("connection_id", "in", self.ids)]}

    def action_events(self):
        return self.env["ir.actions.act_window"]._for_xml_id(
            "g_assistant_connector.g_assistant_event_action"
        )


class Line(models.AbstractModel):
    """One of several things that a report lists."""

    _name = "g_assistant.connection.line"
    _description = "G-Assistant connection line"

    # By what a line is recognised, and what else is said of it.
    _recognised_by = ()
    _says = ()

    connection_id = fields.Many2one(
        "g_assistant.connection", required=True, readonly=True, ondelete="cascade", index=True
    )

    def _bring_to(self, connection, rows):
        """Make these the lines of the report. What is as it was is not written."""
        known = {tuple(line[name] for name in self._recognised_by): line for line in self}
        new = []
        for row in rows:
            values = _cleaned(self, (*self._recognised_by, *self._says), row)
            line = known.pop(tuple(values[name] for name in self._recognised_by), None)
            if line is None:
                new.append({**values, "connection_id": connection.id})
            else:
                changed = {name: value for name, value in values.items() if line[name] != value}
                if changed:
                    line.write(changed)
        self.create(new)
        self.browse([line.id for line in known.values()]).unlink()


class Source(models.Model):
    """A source of leads, and how its platform is."""

    _name = "g_assistant.connection.source"
    _description = "G-Assistant source"
    _inherit = "g_assistant.connection.line"
    _order = "source, account, id"
    _rec_name = "source"
    _recognised_by = ("source", "account")
    _says = (
        "kind state since detail hint warnings token_expires_at reconciled_at received_at"
    ).split()

    source = fields.Char(required=True, readonly=True)
    account = fields.Char(readonly=True, help="The account on the platform, such as a page.")
    kind = fields.Char(readonly=True)
    state = fields.Selection(
        [
            ("ok", "Works"),
            ("unreachable", "Unreachable"),
            ("limited", "Limited"),
            ("denied", "Refused"),
            ("other", "Trouble"),
        ],
        required=True,
        readonly=True,
    )
    since = fields.Datetime(readonly=True)
    detail = fields.Text(string="Platform's Words", readonly=True)
    hint = fields.Text(string="What to Do", readonly=True)
    warnings = fields.Text(readonly=True)
    token_expires_at = fields.Datetime(string="Token Expires", readonly=True)
    reconciled_at = fields.Datetime(string="Last Compared", readonly=True)
    received_at = fields.Datetime(string="Last Delivery", readonly=True)

    def _problems(self):
        self.ensure_one()
        name = f"{self.source} {self.account}" if self.account else self.source
        key = f"{self.source}/{self.account or ''}"
        problems = {}
        passes = self.state in ("unreachable", "limited")
        lasts = not passes or (self.since and fields.Datetime.now() - self.since > PATIENCE)
        if self.state != "ok" and lasts:
            words = "; ".join(filter(None, [self.detail, self.hint]))
            problems[f"{self.state}:{key}"] = f"{name}: {words}"
        if self.warnings:
            problems[f"warning:{key}"] = f"{name}: {self.warnings}"
        return problems


class Form(models.Model):
    """One form on one day: how many leads its platform lists, and how many are in Odoo."""

    _name = "g_assistant.connection.form"
    _description = "G-Assistant form count"
    _inherit = "g_assistant.connection.line"
    _order = "day desc, source, form"
    _rec_name = "form"
    _recognised_by = ("source", "form_key", "day")
    _says = ("form", "platform", "odoo")

    source = fields.Char(required=True, readonly=True)
    form_key = fields.Char(string="Form ID", required=True, readonly=True)
    form = fields.Char(readonly=True)
    day = fields.Date(required=True, readonly=True)
    platform = fields.Integer(string="On the Platform", readonly=True)
    odoo = fields.Integer(string="In Odoo", readonly=True)
    missing = fields.Integer(compute="_compute_missing")

    @api.depends("platform", "odoo")
    def _compute_missing(self):
        for form in self:
            form.missing = form.platform - form.odoo


def _cleaned(model, names, row):
    """The values of a report as the fields have them, so that they can be compared."""
    return {name: _value(model._fields[name], row.get(name)) for name in names}


def _value(field, value):
    if field.type == "integer":
        # Odoo's integers have 32 bits.
        return min(int(value or 0), 2**31 - 1)
    if not value:
        return False
    if field.type == "datetime":
        return fields.Datetime.to_datetime(value)
    if field.type == "date":
        return fields.Date.to_date(value)
    if field.type == "selection":
        # A newer daemon may know more than we do.
        return value if value in dict(field.selection) else "other"
    return str(value)
