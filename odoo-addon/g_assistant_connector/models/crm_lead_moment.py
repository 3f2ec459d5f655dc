from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

# As PostgreSQL counts them.
WEEKDAYS = [
    ("1", "Monday"),
    ("2", "Tuesday"),
    ("3", "Wednesday"),
    ("4", "Thursday"),
    ("5", "Friday"),
    ("6", "Saturday"),
    ("7", "Sunday"),
]


class CrmLead(models.Model):
    """When in the week a lead came, in the user's time zone: to search for, nothing is stored."""

    _inherit = "crm.lead"

    g_assistant_weekday = fields.Selection(
        WEEKDAYS,
        string="Weekday of Creation",
        compute="_compute_g_assistant_moment",
        search="_search_g_assistant_weekday",
    )
    g_assistant_hour = fields.Integer(
        string="Hour of Creation",
        compute="_compute_g_assistant_moment",
        search="_search_g_assistant_hour",
    )

    @api.depends("create_date")
    @api.depends_context("tz")
    def _compute_g_assistant_moment(self):
        for lead in self:
            at = lead.create_date and fields.Datetime.context_timestamp(lead, lead.create_date)
            lead.g_assistant_weekday = at and str(at.isoweekday())
            lead.g_assistant_hour = at.hour if at else 0

    def _search_g_assistant_weekday(self, operator, value):
        return self._g_assistant_created_on("isodow", operator, value)

    def _search_g_assistant_hour(self, operator, value):
        return self._g_assistant_created_on("hour", operator, value)

    @api.model
    def _g_assistant_created_on(self, part, operator, value):
        if operator not in ("=", "in", "!=", "not in"):
            raise UserError(_("Weekdays and hours can only be compared by = and !=."))
        values = [value] if operator in ("=", "!=") else value
        wanted = [int(one) for one in values if one is not False]
        leads = self.sudo().with_context(active_test=False)._search([])
        leads.add_where(SQL("%s = ANY(%s)", self._g_assistant_created(part), wanted))
        return [("id", "in" if operator in ("=", "in") else "not in", leads)]

    @api.model
    def _g_assistant_created(self, part):
        """A part of the time of creation, in the user's time zone, as SQL."""
        return SQL(
            "EXTRACT(%s FROM crm_lead.create_date AT TIME ZONE 'UTC' AT TIME ZONE %s)::int",
            SQL(part),
            self._g_assistant_zone(),
        )

    @api.model
    def _g_assistant_zone(self):
        return self.env.context.get("tz") or self.env.user.tz or "UTC"
