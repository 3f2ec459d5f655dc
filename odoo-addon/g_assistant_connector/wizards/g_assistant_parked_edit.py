import json

from odoo import _, fields, models
from odoo.exceptions import UserError


class ParkedEdit(models.TransientModel):
    """Changes the values of a parked operation before it is tried again."""

    _name = "g_assistant.parked.edit"
    _description = "Edit a G-Assistant parked operation"

    parked_id = fields.Many2one("g_assistant.parked", required=True, ondelete="cascade")
    error = fields.Text(string="Reason", related="parked_id.error")
    payload = fields.Text(string="Values", required=True)

    def action_apply(self):
        self.ensure_one()
        try:
            values = json.loads(self.payload)
        except ValueError as error:
            raise UserError(_("The values are not JSON: %s", error)) from error
        if not isinstance(values, dict):
            raise UserError(_("The values must be a JSON object: { … }"))
        self.parked_id._wish("edit", json.dumps(values, ensure_ascii=False, indent=2))
