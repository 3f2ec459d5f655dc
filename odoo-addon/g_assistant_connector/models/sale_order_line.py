from odoo import api, models


class SaleOrderLine(models.Model):
    """A change of a line is a change of its order."""

    _inherit = "sale.order.line"

    @api.model_create_multi
    def create(self, vals_list):
        order_ids = {vals["order_id"] for vals in vals_list if vals.get("order_id")}
        self.env["g_assistant.event"]._note_change(self.env["sale.order"].browse(order_ids))
        return super().create(vals_list)

    def write(self, vals):
        self.env["g_assistant.event"]._note_change(self.order_id)
        return super().write(vals)

    def unlink(self):
        self.env["g_assistant.event"]._note_change(self.order_id)
        return super().unlink()
