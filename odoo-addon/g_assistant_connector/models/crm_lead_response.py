"""Speed to lead: how long a lead waits until a person does something about it.

What a person does shows in the lead's chatter: a message or note of theirs, an activity
done, a change of stage, salesperson or another tracked field. So it is looked for where
messages are made, and a save that posts nothing costs nothing.
"""

from datetime import timedelta

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import MissingError, UserError
from odoo.release import version_info
from odoo.tools import SQL
from odoo.tools.sql import column_exists

from .. import config
from .crm_lead import OWN

# Posted without anybody having done anything about the lead.
AUTOMATIC = ("user_notification", "auto_comment", "out_of_office")
AVERAGED = {"aggregator" if version_info >= (18,) else "group_operator": "avg"}

MINUTES = "round((extract(epoch FROM ({at} - l.create_date)) / 60)::numeric, 2)"
# To group by: the same for everybody and always, unlike the limits of the colours.
BANDS = [
    ("5", "Within 5 Minutes"),
    ("60", "Within an Hour"),
    ("1440", "Within a Day"),
    ("later", "Later"),
]
BAND = (
    "CASE WHEN {0} <= 5 THEN '5' WHEN {0} <= 60 THEN '60' WHEN {0} <= 1440 THEN '1440'"
    " WHEN {0} > 1440 THEN 'later' END"
)
WRITTEN = [
    "g_assistant_first_action_at",
    "g_assistant_response_minutes",
    "g_assistant_response_band",
]
STATES = ("good", "late", "too_late")


class CrmLead(models.Model):
    _inherit = "crm.lead"

    # In cache whenever a lead is: asked for with each message on it.
    g_assistant_first_action_at = fields.Datetime(
        "First Action On",
        readonly=True,
        copy=False,
        help="When a person first did something about this lead: wrote a message, an e-mail"
        " or a note, finished an activity, or changed its stage, its salesperson or another"
        " field whose changes are shown in the chatter. What the connector, OdooBot and customers"
        " do is no action. A lead that a person enters by hand has been acted on at once.",
    )
    g_assistant_response_minutes = fields.Float(
        "Response Time (Minutes)",
        **OWN,
        **AVERAGED,
        digits=(16, 2),
        help="From the lead's creation to the first action of a person, nights and weekends"
        " included. Leads that a person enters by hand have none, and are in no average.",
    )

    g_assistant_response_band = fields.Selection(BANDS, "Response", **OWN)
    g_assistant_response_state = fields.Selection(
        [("good", "In Time"), ("late", "Late"), ("too_late", "Too Late")],
        string="Speed to Lead",
        compute="_compute_g_assistant_response",
        search="_search_g_assistant_response_state",
        help="How the response time, or the time that the lead has been waiting, compares with"
        " the limits in the settings of G-Assistant.",
    )
    g_assistant_response = fields.Char("Response Time", compute="_compute_g_assistant_response")

    def _auto_init(self):
        known = column_exists(self.env.cr, self._table, "g_assistant_first_action_at")
        result = super()._auto_init()
        if not known:
            self._g_assistant_read_responses()
        return result

    @api.model
    def _g_assistant_read_responses(self):
        """What was done before this was noted, from the messages that there are."""
        # As no change: what the daemon sees of these leads stays as it is.
        self.env["g_assistant.capture"]._drop_triggers()
        self.env.cr.execute(
            SQL(
                f"""
                WITH people AS (
                    SELECT u.id, u.partner_id FROM res_users u
                     WHERE NOT u.share AND u.id <> %(bot)s AND u.id NOT IN (
                           SELECT r.uid FROM res_groups_users_rel r WHERE r.gid = %(daemon)s)
                ), acted AS (
                    SELECT m.res_id, min(m.date) AS at
                      FROM mail_message m JOIN people p ON p.partner_id = m.author_id
                     WHERE m.model = 'crm.lead' AND NOT m.message_type = ANY(%(automatic)s)
                       AND m.subtype_id IS DISTINCT FROM %(created)s
                     GROUP BY m.res_id
                ), found AS (
                    SELECT l.id, p.id IS NOT NULL AS entered, GREATEST(a.at, l.create_date) AS at
                      FROM crm_lead l
                      LEFT JOIN people p ON p.id = l.create_uid
                      LEFT JOIN acted a ON a.res_id = l.id
                     WHERE p.id IS NOT NULL OR a.at IS NOT NULL
                )
                UPDATE crm_lead l
                   SET g_assistant_first_action_at =
                           date_trunc('second', CASE WHEN entered THEN l.create_date ELSE f.at END),
                       g_assistant_response_minutes =
                           CASE WHEN NOT entered THEN {MINUTES.format(at="f.at")} END,
                       g_assistant_response_band =
                           CASE WHEN NOT entered THEN {BAND.format(MINUTES.format(at="f.at"))} END
                  FROM found f WHERE f.id = l.id
                """,
                bot=SUPERUSER_ID,
                daemon=self._g_assistant_id_of("g_assistant_connector.group_daemon"),
                created=self._g_assistant_id_of("crm.mt_lead_create"),
                automatic=list(AUTOMATIC),
            )
        )

    # ---- how it compares -------------------------------------------------------

    # It grows while people look: no field that is stored says when it is another.
    @api.depends_context("lang")
    @api.depends(
        "g_assistant_first_action_at", "g_assistant_response_band", "create_date", "active"
    )
    def _compute_g_assistant_response(self):
        good, late = config.response_minutes(self.env)
        now = fields.Datetime.now()
        for lead in self:
            minutes, text, acted = None, False, lead.g_assistant_first_action_at
            if lead.create_date and (lead.g_assistant_response_band or lead.active and not acted):
                minutes = ((acted or now) - lead.create_date).total_seconds() / 60
                said = _("Answered after %s") if acted else _("Waiting for %s")
                text = said % self._g_assistant_span(minutes)
            lead.g_assistant_response = text
            lead.g_assistant_response_state = minutes is not None and (
                "good" if minutes <= good else "late" if minutes <= late else "too_late"
            )

    @api.model
    def _g_assistant_span(self, minutes):
        if minutes < 90:
            return _("%d min", minutes)
        hours = minutes / 60
        return _("%d h", hours) if hours < 48 else _("%d days", hours / 24)

    @api.model
    def _search_g_assistant_response_state(self, operator, value):
        values = {value} if isinstance(value, str) else set(value or ())
        if operator not in ("=", "in", "!=", "not in") or not values <= set(STATES):
            raise UserError(_("Speed to lead is in time, late or too late."))
        wanted = values if operator in ("=", "in") else set(STATES) - values
        good, late = config.response_minutes(self.env)
        spans = {"good": (None, good), "late": (good, late), "too_late": (late, None)}
        now = fields.Datetime.now()
        parts = []
        for state in wanted:
            above, top = spans[state]
            answered = [("g_assistant_response_band", "!=", False)]
            waiting = [("g_assistant_first_action_at", "=", False), ("active", "=", True)]
            if above is not None:
                answered.append(("g_assistant_response_minutes", ">", above))
                waiting.append(("create_date", "<", now - timedelta(minutes=above)))
            if top is not None:
                answered.append(("g_assistant_response_minutes", "<=", top))
                waiting.append(("create_date", ">=", now - timedelta(minutes=top)))
            parts += [answered, waiting]
        if not parts:
            return [("id", "=", False)]
        joined = [term for part in parts for term in ["&"] * (len(part) - 1) + part]
        return ["|"] * (len(parts) - 1) + joined

    # ---- what counts -----------------------------------------------------------

    @api.model
    def _g_assistant_id_of(self, xmlid):
        return self.env["ir.model.data"]._xmlid_to_res_id(xmlid, raise_if_not_found=False) or None

    @api.model_create_multi
    def create(self, vals_list):
        # Of an imported list nobody has been called yet.
        if not self.env.context.get("import_file") and self.env.user._g_assistant_is_person():
            now = fields.Datetime.now()
            vals_list = [{"g_assistant_first_action_at": now, **vals} for vals in vals_list]
        return super().create(vals_list)

    @api.model
    def _g_assistant_acted(self, times):
        """A person did something about leads, ``{id: when}``; the first time counts."""
        leads = self.browse(times)
        leads.flush_recordset(["g_assistant_first_action_at"])
        # By SQL, as no change of the lead: `write_date` is what people and the daemon go by. But
        # what else this transaction changes is told as the work of who wrote first.
        self.env.cr.execute(
            SQL(
                f"""
                UPDATE crm_lead l
                   SET write_uid = %s,
                       g_assistant_first_action_at = date_trunc('second', a.at),
                       g_assistant_response_minutes = {MINUTES.format(at="a.at")},
                       g_assistant_response_band = {BAND.format(MINUTES.format(at="a.at"))}
                  FROM (SELECT t.id, GREATEST(l.create_date, LEAST(t.at, %s)) AS at
                          FROM unnest(%s::int[], %s::timestamp[]) AS t(id, at)
                          JOIN crm_lead l ON l.id = t.id
                         WHERE l.g_assistant_first_action_at IS NULL) a
                 WHERE a.id = l.id
                """,
                self.env.uid,
                fields.Datetime.now(),
                leads.ids,
                list(times.values()),
            )
        )
        leads.invalidate_recordset(WRITTEN, flush=False)


class ResUsers(models.Model):
    _inherit = "res.users"

    def _g_assistant_is_person(self):
        """Somebody of ours, and not a machine."""
        self.ensure_one()
        return (
            self.id != SUPERUSER_ID
            and not self.share
            and not self.has_group("g_assistant_connector.group_daemon")
        )


class MailMessage(models.Model):
    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, vals_list):
        messages = super().create(vals_list)
        of_leads = {
            message: vals["res_id"]
            for message, vals in zip(messages, vals_list, strict=True)
            if vals.get("model") == "crm.lead" and vals.get("res_id")
        }
        if of_leads:
            self.sudo()._g_assistant_note_action(of_leads)
        return messages

    @api.model
    def _g_assistant_note_action(self, of_leads):
        """The first message of a person on leads that nobody has acted on: ``{message: lead}``."""
        leads = self.env["crm.lead"].browse(set(of_leads.values()))
        try:
            waiting = set(leads.filtered(lambda lead: not lead.g_assistant_first_action_at).ids)
        except MissingError:
            # One that is deleted still gets messages.
            return
        if not waiting:
            return
        created = leads._g_assistant_id_of("crm.mt_lead_create")
        messages = self.browse(one.id for one, lead_id in of_leads.items() if lead_id in waiting)
        times = {
            one.res_id: one.date
            for one in messages.sorted("date", reverse=True)
            if one.message_type not in AUTOMATIC
            and one.subtype_id.id != created
            and one._g_assistant_by_person()
        }
        if times:
            leads._g_assistant_acted(times)

    def _g_assistant_by_person(self):
        """Whether its author is one: mail from outside is posted by OdooBot for them."""
        user = self.env.user
        author = self.author_id
        users = user if author and user.partner_id == author else author.user_ids
        return any(one._g_assistant_is_person() for one in users)
