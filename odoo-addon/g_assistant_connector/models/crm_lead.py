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
        notes = {loser.id: {"merged_into": winner.id} for loser in losers}
        self.env["g_assistant.capture"]._note(losers._name, notes)
        return winner
