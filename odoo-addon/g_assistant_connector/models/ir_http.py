from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self):
        """Whether the mark in the bar at the top concerns this user: others need not even ask."""
        return {
            **super().session_info(),
            "g_assistant_admin": self.env.user.has_group("g_assistant_connector.group_admin"),
        }
