"""Notices changes, in the transaction that makes them.

Before a record changes for the first time in a transaction, its watched values
are read from the database; just before commit they are compared (see
`g_assistant.event`). Nothing else happens in the user's transaction.
"""

from odoo import api, models


class Captured(models.AbstractModel):
    _name = "g_assistant.captured"
    _description = "Record whose changes the daemon hears of"

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        self.env["g_assistant.event"]._note_created(records)
        return records

    def write(self, vals):
        self.env["g_assistant.event"]._note_change(self)
        return super().write(vals)

    def unlink(self):
        self.env["g_assistant.event"]._note_deletion(self)
        return super().unlink()

    def _compute_field_value(self, field):
        # Stored computed fields change without a write().
        if field.store:
            watched = self.env["g_assistant.mirror"]._shape(self._name).watched
            if any(computed.name in watched for computed in self.pool.field_computed[field]):
                self.env["g_assistant.event"]._note_change(self)
        return super()._compute_field_value(field)
