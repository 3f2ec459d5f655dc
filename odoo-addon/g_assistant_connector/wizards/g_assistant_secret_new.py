from odoo import fields, models


class SecretNew(models.TransientModel):
    """Shows a new secret once. It is never saved: the form is filled by the context."""

    _name = "g_assistant.secret.new"
    _description = "New G-Assistant signing secret"

    value = fields.Char(string="Secret", store=False)
    expires_at = fields.Datetime(string="Previous secret valid until", store=False)
