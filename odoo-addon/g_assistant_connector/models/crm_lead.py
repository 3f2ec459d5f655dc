from odoo import models


class CrmLead(models.Model):
    _name = "crm.lead"
    _inherit = ["crm.lead", "g_assistant.captured"]

    def _merge_opportunity(self, *args, **kwargs):
        """What the losers were for the daemon, the winner is from now on."""
        before = self
        winner = super()._merge_opportunity(*args, **kwargs)
        losers = before - winner
        self.env["g_assistant.binding"]._follow_merge(losers, winner)
        self.env["g_assistant.event"]._note_merge(losers, winner)
        return winner
