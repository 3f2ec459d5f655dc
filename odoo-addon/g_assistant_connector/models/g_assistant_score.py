from odoo import api, fields, models


class Score(models.Model):
    """A change of a lead's score.

    There is no row for the first score: it is what the oldest row changed, or the lead's own
    while nothing did. So a new lead costs nothing here.
    """

    _name = "g_assistant.score"
    _description = "G-Assistant change of a score"
    _order = "id desc"
    _rec_name = "lead_id"
    _log_access = False

    lead_id = fields.Many2one(
        "crm.lead", required=True, readonly=True, ondelete="cascade", index=True
    )
    previous = fields.Integer("Before", readonly=True)
    score = fields.Integer("After", readonly=True)
    at = fields.Datetime("Changed On", required=True, readonly=True)

    @api.model
    def _note(self, changes):
        """Keep changes: ``(lead id, score before, score now)``."""
        now = fields.Datetime.now()
        self.sudo().create(
            [
                {"lead_id": lead_id, "previous": before or 0, "score": after or 0, "at": now}
                for lead_id, before, after in changes
            ]
        )
