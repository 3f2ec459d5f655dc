"""Has changes sent soon. Triggers notice them (`g_assistant.capture`), whatever made them."""

from odoo import api, models

from .. import sender


class Captured(models.AbstractModel):
    _name = "g_assistant.captured"
    _description = "Record whose changes the daemon hears of"

    @api.model_create_multi
    def create(self, vals_list):
        sender.wake_after_commit(self.env)
        records = super().create(vals_list)
        if self.env.context.get("import_file"):
            records._note_import()
        return records

    def write(self, vals):
        sender.wake_after_commit(self.env)
        if self.env.context.get("import_file"):
            self._note_import()
        return super().write(vals)

    def unlink(self):
        sender.wake_after_commit(self.env)
        # Who did it is in no column, as it is after a write.
        records = self._captured()
        notes = {record.id: {} for record in records}
        self.env["g_assistant.capture"]._note(records._name, notes)
        return super().unlink()

    def _note_import(self):
        records = self._captured()
        notes = {record.id: {"origin": "import"} for record in records}
        self.env["g_assistant.capture"]._note(records._name, notes)

    def _captured(self):
        """The records whose change it is."""
        return self

    def _compute_field_value(self, field):
        # Stored computed fields change without a write().
        if field.store:
            sender.wake_after_commit(self.env)
        return super()._compute_field_value(field)
