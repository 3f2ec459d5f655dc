from odoo import models


class SaleOrderLine(models.Model):
    """A change of a line is a change of its order."""

    _name = "sale.order.line"
    _inherit = ["sale.order.line", "g_assistant.captured"]

    def _captured(self):
        return self.order_id
