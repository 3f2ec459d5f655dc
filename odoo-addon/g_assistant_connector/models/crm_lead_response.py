"""Speed to lead: how long a lead waits until a person does something about it.

What a person does shows in the lead's chatter: a message or note of theirs, an activity
done, a change of stage, salesperson or another tracked field. So it is looked for where
messages are made, and a save that posts nothing costs nothing.
"""

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import MissingError
from odoo.release import version_info
from odoo.tools import SQL
from odoo.tools.sql import column_exists

# Posted without anybody having done anything about the lead.
AUTOMATIC = ("user_notification", "auto_comment", "out_of_office")
AVERAGED = {"aggregator" if version_info >= (18,) else "group_operator": "avg"}
OWN = {"readonly": True, "copy": False}

MINUTES = "round((extract(epoch FROM ({at} - l.create_date)) / 60)::numeric, 2)"


class CrmLead(models.Model):
    _inherit = "crm.lead"

    # In cache whenever a lead is: asked for with each message on it.
    g_assistant_first_action_at = fields.Datetime(
        "First Action On",
        **OWN,
        help="When a person first did something about this lead: wrote a message or a note, was"
        " mailed through, finished an activity, or changed its stage, its salesperson or another"
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
                           CASE WHEN NOT entered THEN {MINUTES.format(at="f.at")} END
                  FROM found f WHERE f.id = l.id
                """,
                bot=SUPERUSER_ID,
                daemon=self._g_assistant_id_of("g_assistant_connector.group_daemon"),
                created=self._g_assistant_id_of("crm.mt_lead_create"),
                automatic=list(AUTOMATIC),
            )
        )

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
        # By SQL, as no change of the lead: `write_date` is what people and the daemon go by.
        self.env.cr.execute(
            SQL(
                f"""
                UPDATE crm_lead l
                   SET g_assistant_first_action_at = date_trunc('second', a.at),
                       g_assistant_response_minutes = {MINUTES.format(at="a.at")}
                  FROM (SELECT t.id, GREATEST(l.create_date, LEAST(t.at, %s)) AS at
                          FROM unnest(%s::int[], %s::timestamp[]) AS t(id, at)
                          JOIN crm_lead l ON l.id = t.id
                         WHERE l.g_assistant_first_action_at IS NULL) a
                 WHERE a.id = l.id
                """,
                fields.Datetime.now(),
                leads.ids,
                list(times.values()),
            )
        )
        leads.invalidate_recordset(
            ["g_assistant_first_action_at", "g_assistant_response_minutes"], flush=False
        )


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
        if any(vals.get("model") == "crm.lead" for vals in vals_list):
            messages._g_assistant_note_action()
        return messages

    def _g_assistant_note_action(self):
        """The first of a person's messages on a lead that nobody has acted on."""
        messages = self.sudo().filtered(
            lambda one: one.model == "crm.lead"
            and one.res_id
            and one.author_id
            and one.message_type not in AUTOMATIC
        )
        leads = self.env["crm.lead"].sudo().browse(messages.mapped("res_id"))
        try:
            waiting = set(leads.filtered(lambda lead: not lead.g_assistant_first_action_at).ids)
        except MissingError:
            # One that is deleted still gets messages.
            return
        messages = messages.filtered(lambda one: one.res_id in waiting)
        if not messages:
            return
        created = leads._g_assistant_id_of("crm.mt_lead_create")
        times = {
            one.res_id: one.date
            for one in messages.sorted("date", reverse=True)
            if one.subtype_id.id != created and one._g_assistant_by_person()
        }
        if times:
            leads._g_assistant_acted(times)

    def _g_assistant_by_person(self):
        """Whether its author is one: mail from outside is posted by OdooBot for them."""
        user = self.env.user
        users = user if user.partner_id == self.author_id else self.author_id.user_ids
        return any(one._g_assistant_is_person() for one in users)
