import base64
import binascii
import json

from markupsafe import Markup

from odoo import _, api, models
from odoo.exceptions import UserError


class Message(models.Model):
    """Files of messages, which the daemon brings after the message itself.

    Each is an attachment of the lead on which its message is now, so whoever may read
    the lead may read it, and Odoo takes it along when leads are merged. What became of a
    file is noted in `media`: it is attached once, also if a person has deleted it since.
    """

    _inherit = "g_assistant.message"

    @api.model
    def _attach(self, file, data):
        """What became of a file: `done`, `known` before, or `gone` with its message."""
        row = self._known(file["source"], file["message"])
        if row:
            # One file after the other; whoever read an older state runs again.
            self.env.cr.execute(
                "SELECT id FROM g_assistant_message WHERE id = %s FOR UPDATE",
                [row.id],
                log_exceptions=False,
            )
        posted = row.mail_message_id
        if not posted or row.status == "deleted":
            return "gone"
        files = json.loads(row.media or "[]")
        if not 0 <= file["index"] < len(files):
            raise UserError(_("The message has no file with the number %d.", file["index"]))
        known = files[file["index"]]
        if "attachment" in known or known.get("missing", "") == file.get("missing"):
            return "known"
        if file.get("missing"):
            known["missing"] = file["missing"]
            posted.body += row._line_of_missing(file)
        else:
            known["attachment"] = row._make_attachment(file, data).id
        row.media = json.dumps(files)
        return "done"

    def _make_attachment(self, file, data):
        try:
            raw = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise UserError(_("The file is not Base64: %s", error)) from error
        posted = self.mail_message_id
        values = {
            "name": file["name"],
            "raw": raw,
            "res_model": posted.model,
            "res_id": posted.res_id,
        }
        if file.get("mime"):
            values["mimetype"] = file["mime"]
        # As it came, and never as a page that a browser would run.
        attachment = (
            self.env["ir.attachment"]
            .with_context(image_no_postprocess=True, attachments_mime_plainxml=True)
            .create(values)
        )
        posted.attachment_ids = [(4, attachment.id)]
        if self.kind == "audio" and "discuss.voice.metadata" in self.env:
            # Odoo plays in the chatter what is marked so.
            self.env["discuss.voice.metadata"].create({"attachment_id": attachment.id})
        return attachment

    def _line_of_missing(self, file):
        lead = self.conversation_id.lead_id
        texts = self.with_context(lang=lead.user_id.lang or self.env.user.lang)
        return Markup("<p>%s</p>") % texts._words_for_missing(file)

    def _words_for_missing(self, file):
        words = {
            "gone": _("%s: the platform does not have this file any more.", file["name"]),
            "too_large": _("%s: this file is too large to be fetched.", file["name"]),
            "damaged": _("%s: this file arrived damaged and was not kept.", file["name"]),
        }
        return words[file["missing"]]

    def _drop_files(self):
        """Their sender took them back with the message."""
        self.ensure_one()
        ids = [one["attachment"] for one in json.loads(self.media or "[]") if "attachment" in one]
        self.env["ir.attachment"].browse(ids).exists().unlink()
