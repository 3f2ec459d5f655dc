"""The notice on the screen of a salesperson who has got a hot lead.

Told once for each arrival: when the daemon brings the lead, when its person is back, or
when what comes later makes it hot. One that has no salesperson yet is told to whoever
gets it first, unless they take it themselves.
"""

from odoo import _, fields, models
from odoo.tools import formatLang

from .. import config
from .crm_lead import OWN

NOTICE = "g_assistant.hot_lead"
DAEMON = "g_assistant_connector.group_daemon"


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_notice_due = fields.Boolean(
        "Hot, and Nobody Told", **OWN, help="Whoever is the first to get this lead is told of it."
    )

    def write(self, vals):
        leads = self.browse()
        # What the daemon does it tells itself, when it is done.
        if vals.get("user_id") and not self.env.user.has_group(DAEMON):
            leads = self.sudo().filtered("g_assistant_notice_due")
        result = super().write(vals)
        if leads:
            leads.g_assistant_notice_due = False
            leads.filtered(lambda lead: lead.user_id != self.env.user)._g_assistant_tell_hot()
        return result

    def _g_assistant_is_hot(self):
        self.ensure_one()
        worth = config.hot_revenue(self.env)
        return self.active and (
            bool(self.g_assistant_score_band)
            and self.g_assistant_score >= config.hot_score(self.env)
            or 0 < worth <= self.expected_revenue
        )

    def _g_assistant_arrived(self):
        """Tell of those that are hot; by the bus, that is when the transaction is committed."""
        hot = self.sudo().filtered(lambda lead: lead._g_assistant_is_hot())
        ownerless = hot.filtered(lambda lead: not lead.user_id)
        for lead in hot:
            due = lead in ownerless
            if lead.g_assistant_notice_due != due:
                lead.g_assistant_notice_due = due
        (hot - ownerless)._g_assistant_tell_hot()

    def _g_assistant_tell_hot(self):
        for lead in self:
            user = lead.user_id
            if user.active and not user.share:
                self.env["bus.bus"]._sendone(
                    user.partner_id, NOTICE, lead.with_context(lang=user.lang)._g_assistant_notice()
                )

    def _g_assistant_notice(self):
        parts = []
        if self.g_assistant_score_band:
            parts.append(_("Score: %s", self.g_assistant_score))
        if self.expected_revenue:
            parts.append(
                formatLang(self.env, self.expected_revenue, currency_obj=self.company_currency)
            )
        if self.g_assistant_path:
            # Platform and campaign: there is not room for more.
            parts.append(" › ".join(self.g_assistant_path.split(" › ")[:2]))
        return {
            "id": self.id,
            "title": _("Hot lead: %s", self.name),
            "message": " · ".join(parts),
        }
