from odoo import api, fields, models

from ..values import Unfit, is_time

# What each follows: an earlier state that is told later changes nothing.
STATUSES = ["received", "sent", "delivered", "read", "failed", "deleted"]


class Message(models.Model):
    """A message on its platform: which one it is there, and what became of it.

    Its text is on the lead (`mail.message`). A status may be told before the message
    that it is about, or of one that somebody else sent: it is kept all the same.
    """

    _name = "g_assistant.message"
    _description = "G-Assistant message"
    _order = "id desc"
    _rec_name = "message"

    source = fields.Char(required=True, readonly=True)
    message = fields.Char(string="Message ID", required=True, readonly=True)
    conversation_id = fields.Many2one(
        "g_assistant.conversation", readonly=True, ondelete="cascade", index="btree_not_null"
    )
    direction = fields.Selection([("in", "Incoming"), ("out", "Outgoing")], readonly=True)
    kind = fields.Char(readonly=True)
    mail_message_id = fields.Many2one(
        "mail.message",
        string="Chatter Message",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
    )
    sent_at = fields.Datetime(readonly=True)
    status = fields.Selection(
        [
            ("received", "Received"),
            ("sent", "Sent"),
            ("delivered", "Delivered"),
            ("read", "Read"),
            ("failed", "Failed"),
            ("deleted", "Deleted"),
        ],
        readonly=True,
    )
    status_at = fields.Datetime(readonly=True)
    error = fields.Char(readonly=True)
    media = fields.Text(
        readonly=True, help="Where pictures and files are on the platform, as JSON."
    )

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_message_uniq"
            " ON g_assistant_message (source, message)"
        )

    @api.model
    def _claim(self, source, message):
        """The row of a message, and whether it is new."""
        known = self._known(source, message)
        if known:
            return known, False
        self.env.cr.execute(
            "INSERT INTO g_assistant_message (source, message, create_date)"
            " VALUES (%s, %s, now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (source, message) DO NOTHING RETURNING id",
            [source, message],
            log_exceptions=False,
        )
        return self.browse(self.env.cr.fetchone()[0]), True

    @api.model
    def _known(self, source, message):
        if not message:
            return self.browse()
        return self.search([("source", "=", source), ("message", "=", message)], limit=1)

    @api.model
    def _finish_known(self, operations):
        """A message that is here is not posted again, however it is delivered, and however
        long ago the ledger has forgotten it."""
        waiting = {
            (operation.message["source"], operation.message["id"]): operation
            for operation in operations
            if operation.message and not operation.result
        }
        if not waiting:
            return
        sources, messages = zip(*waiting, strict=True)
        rows = self.sudo().search(
            [("source", "in", sources), ("message", "in", messages), ("direction", "=", "in")]
        )
        for row in rows:
            operation = waiting.get((row.source, row.message))
            if operation:
                operation.finish("unchanged", row.conversation_id.lead_id.id or None)

    # ---- statuses --------------------------------------------------------------

    @api.model
    def _check_mark(self, mark):
        if not isinstance(mark, dict):
            raise Unfit("a 'mark' is an object")
        conversations = self.env["g_assistant.conversation"]
        conversations._check_texts(mark, ("source", "channel", "account", "at"), ("id", "error"))
        if mark.get("status") not in STATUSES or not is_time(mark["at"]):
            raise Unfit("a 'mark' has a status and a time")
        if mark.get("people") or not mark.get("id"):
            conversations._check_people(mark)

    @api.model
    def _mark(self, operation):
        """Note what became of one message, or of all up to a time."""
        mark = operation.mark
        conversation = (
            self.env["g_assistant.conversation"]._known(mark) if mark.get("people") else None
        )
        if mark.get("id"):
            row, fresh = self._claim(mark["source"], mark["id"])
            if fresh:
                row.write({"direction": "out" if mark["status"] != "deleted" else False})
            if conversation and not row.conversation_id:
                row.conversation_id = conversation
            changed = row._become(mark)
            operation.finish("created" if fresh else "updated" if changed else "unchanged", row.id)
            return
        if not conversation:
            operation.finish("unchanged")
            return
        at = fields.Datetime.to_datetime(mark["at"])
        if not conversation.read_until or conversation.read_until < at:
            conversation.read_until = at
        rows = self.search(
            [
                ("conversation_id", "=", conversation.id),
                ("direction", "=", "out"),
                ("sent_at", "<=", at),
                # Most have been read long since.
                ("status", "in", (False, *STATUSES[: STATUSES.index(mark["status"])])),
            ]
        )
        for row in rows:
            row._become(mark)
        operation.finish("updated")

    def _become(self, mark):
        self.ensure_one()
        if self.status and STATUSES.index(mark["status"]) <= STATUSES.index(self.status):
            return False
        self.write(
            {"status": mark["status"], "status_at": mark["at"], "error": mark.get("error") or False}
        )
        if mark["status"] == "deleted" and self.mail_message_id:
            conversations = self.env["g_assistant.conversation"]
            lead = self.conversation_id.lead_id
            texts = conversations.with_context(lang=lead.user_id.lang or self.env.user.lang)
            self.mail_message_id.body = texts._body({}, self.conversation_id.channel)
            self._drop_files()
        return True
