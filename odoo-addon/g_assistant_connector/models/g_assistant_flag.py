from odoo import fields, models


class Flag(models.Model):
    """Something odd about a lead, as the daemon told it."""

    _name = "g_assistant.flag"
    _description = "G-Assistant flag"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True, readonly=True, help="What the daemon calls it.")
    sequence = fields.Integer()
    color = fields.Integer()

    if hasattr(models, "Constraint"):
        _code_unique = models.Constraint("unique(code)", "A flag of this code exists already.")
    else:
        _sql_constraints = [
            ("code_unique", "unique(code)", "A flag of this code exists already.")
        ]
