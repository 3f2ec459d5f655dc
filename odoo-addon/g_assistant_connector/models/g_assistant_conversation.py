"""Conversations on messengers: who writes, on which channel, and on which lead it is kept.

A message comes as an operation on its person's lead (`g_assistant.applier`): it makes
the lead or finds it, and is posted on it in the same transaction. Everything here that
two transactions might make at once is inserted by `ON CONFLICT DO NOTHING`: the second
then fails to serialise, is run again by Odoo and finds what the first one made.
"""

import json

from markupsafe import Markup, escape

from odoo import _, api, fields, models

from .. import kinds, values
from ..values import Unfit

CHANNELS = [
    ("whatsapp", "WhatsApp"),
    ("messenger", "Messenger"),
    ("instagram", "Instagram"),
    ("telegram", "Telegram"),
]
# Font Awesome's, which Odoo's web client has anyway.
ICONS = {
    "whatsapp": "fa-whatsapp",
    "messenger": "fa-facebook",
    "instagram": "fa-instagram",
    "telegram": "fa-telegram",
    "email": "fa-envelope-o",
    "sms": "fa-mobile",
    "call": "fa-phone",
    "note": "fa-sticky-note-o",
}
TEXTS = ("source", "channel", "account", "id", "kind", "sent_at")
OPTIONAL = ("text", "name", "username", "phone", "reply_to")
NAMES = ("name", "username")


class Conversation(models.Model):
    """One person's messages with one number, page or bot of ours."""

    _name = "g_assistant.conversation"
    _description = "G-Assistant conversation"
    _order = "last_inbound desc, id desc"

    source = fields.Char(
        required=True, readonly=True, help="The source in the daemon's configuration."
    )
    channel = fields.Selection(CHANNELS, required=True, readonly=True)
    account = fields.Char(
        required=True, readonly=True, help="The number, page or bot that is written to."
    )
    person = fields.Char(string="Person ID", required=True, readonly=True)
    name = fields.Char(readonly=True)
    username = fields.Char(readonly=True)
    phone = fields.Char(readonly=True)
    lead_id = fields.Many2one("crm.lead", readonly=True, ondelete="set null", index=True)
    last_inbound = fields.Datetime(
        string="Last Message",
        readonly=True,
        help="WhatsApp, Messenger and Instagram take answers for 24 hours from then.",
    )
    read_until = fields.Datetime(readonly=True)

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_conversation_person_uniq"
            " ON g_assistant_conversation (source, account, person)"
        )

    @api.depends("channel", "name", "username", "phone", "person")
    def _compute_display_name(self):
        channels = dict(self._fields["channel"]._description_selection(self.env))
        for conversation in self:
            who = conversation.name or conversation.username or conversation.phone
            channel = channels.get(conversation.channel, "")
            conversation.display_name = f"{channel} · {who or conversation.person}"

    # ---- the form of what comes ------------------------------------------------

    @api.model
    def _check_form(self, message):
        if message is None:
            return
        if not isinstance(message, dict):
            raise Unfit("a 'message' is an object")
        self._check_texts(message, TEXTS, OPTIONAL)
        if message["channel"] not in dict(CHANNELS):
            raise Unfit(f"there is no channel {message['channel']!r}")
        self._check_people(message)
        if not values.is_time(message["sent_at"]):
            raise Unfit("'sent_at' is a time")

    @api.model
    def _check_texts(self, given, required, optional):
        for name in required:
            if not isinstance(given.get(name), str) or not given[name]:
                raise Unfit(f"{name!r} is missing")
        for name in optional:
            if not isinstance(given.get(name), str | None):
                raise Unfit(f"{name!r} must be a text")

    @api.model
    def _check_people(self, given):
        people = given.get("people")
        if (
            not isinstance(people, list)
            or not people
            or not all(isinstance(one, str) and one for one in people)
        ):
            raise Unfit("'people' has the ids of one person, the surest first")

    @api.model
    def _check_profile(self, profile):
        if profile is None:
            return
        if not isinstance(profile, dict):
            raise Unfit("a 'profile' is an object")
        self._check_texts(profile, ("source", "account"), NAMES)
        self._check_people(profile)

    # ---- the lead of a message -------------------------------------------------

    @api.model
    def _references(self, operation):
        """The references of the lead of a message's person: one for each of their ids."""
        if not operation.message:
            return []
        source, people = operation.message["source"], operation.message["people"]
        return [operation.ref] + [f"{source}:{one}" for one in people]

    @api.model
    def _find_leads(self, operations, bound):
        """Messages are for the lead of their person while that is open. Of one that is
        not, the daemon has to say what becomes of it; one that was deleted is forgotten,
        since whoever writes waits for an answer."""
        known = {}
        for operation in operations:
            pairs = [(kinds.LEAD, reference) for reference in self._references(operation)]
            bindings = [bound[pair] for pair in pairs if pair in bound]
            if bindings:
                known[operation] = bindings[0].res_id, pairs
        states = self.env["g_assistant.duplicates"]._states({one for one, _pairs in known.values()})
        for operation, (lead_id, pairs) in known.items():
            state = states.get(lead_id)
            if state == "open" or (state and not operation.message.get("starts", True)):
                bound.know(pairs, lead_id)
                continue
            for pair in pairs:
                bound.pop(pair, None)
            if state:
                operation.before = lead_id, state
        for operation in operations:
            if operation.message and not operation.message.get("starts", True):
                # A reaction alone is nobody's inquiry.
                if (operation.model, operation.ref) not in bound:
                    operation.finish("unchanged")

    @api.model
    def _call_known(self, operations, bound):
        """Where messages bring no name, a further lead has the one that was told before."""
        nameless = [
            operation
            for operation in operations
            if operation.message
            and not operation.result
            and (operation.model, operation.ref) not in bound
            and not any(operation.message.get(name) for name in (*NAMES, "phone"))
        ]
        known = self.sudo()._known_all([operation.message for operation in nameless])
        for operation, conversation in zip(nameless, known, strict=True):
            name = conversation.name or conversation.username
            if name:
                operation.values = {**operation.values, "name": name, "contact_name": name}

    @api.model
    def _introduce(self, profile):
        """Keep who a person is with their conversation."""
        names = {name: profile[name] for name in NAMES if profile.get(name)}
        self._known(profile).write(names)

    # ---- messages --------------------------------------------------------------

    @api.model
    def _post(self, operation, lead):
        """Keep the message and show it on the lead; False if it is there already."""
        message = operation.message
        conversation = self.sudo()._of(message)
        row, fresh = self.env["g_assistant.message"].sudo()._claim(message["source"], message["id"])
        if not fresh and row.direction == "in":
            return False
        now = fields.Datetime.now()
        sent_at = min(fields.Datetime.to_datetime(message["sent_at"]), now)
        # One that was taken back before it came is not shown any more.
        deleted = row.status == "deleted"
        answered = (
            self.env["g_assistant.message"]
            .sudo()
            ._known(message["source"], message.get("reply_to"))
        )
        # As one of the customer's: neither sent by e-mail nor followed by whoever has a part in it.
        texts = lead.with_context(lang=lead.sudo().user_id.lang or self.env.user.lang)
        posted = lead.with_context(
            mail_create_nosubscribe=True,
            mail_post_autofollow=False,
            mail_post_autofollow_author_skip=True,
        ).message_post(
            body=texts.env["g_assistant.conversation"]._body(
                {} if deleted else message, message["channel"]
            ),
            message_type="comment",
            subtype_xmlid="g_assistant_connector.mt_message",
            author_id=lead.partner_id.id,
            email_from=lead.partner_id.email_formatted or self._sender(message, conversation),
            parent_id=answered.mail_message_id.id,
            date=sent_at,
        )
        row.write(
            {
                "conversation_id": conversation.id,
                "direction": "in",
                "kind": message["kind"],
                "mail_message_id": posted.id,
                "sent_at": sent_at,
                "status": row.status or "received",
                "media": json.dumps(message["media"]) if message.get("media") else False,
            }
        )
        changes = {"lead_id": lead.id, "person": message["people"][0]}
        changes |= {
            name: message[name] for name in ("name", "username", "phone") if message.get(name)
        }
        if not conversation.last_inbound or conversation.last_inbound < sent_at:
            changes["last_inbound"] = sent_at
        conversation.write(changes)
        return True

    @api.model
    def _of(self, message):
        """The conversation of a message's person, made if it is the first."""
        conversation = self._known(message)
        if conversation:
            return conversation
        self.env.cr.execute(
            "INSERT INTO g_assistant_conversation (source, channel, account, person, create_date)"
            " VALUES (%s, %s, %s, %s, now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (source, account, person) DO NOTHING RETURNING id",
            [message["source"], message["channel"], message["account"], message["people"][0]],
            log_exceptions=False,
        )
        return self.browse(self.env.cr.fetchone()[0])

    @api.model
    def _known(self, message):
        return self._known_all([message])[0]

    @api.model
    def _known_all(self, messages):
        """Of each that of the surest id: people may have written under each of theirs before."""
        found = self.browse()
        if messages:
            found = self.search(
                [
                    ("source", "in", [message["source"] for message in messages]),
                    ("account", "in", [message["account"] for message in messages]),
                    ("person", "in", [one for message in messages for one in message["people"]]),
                ]
            )
        by_id = {(one.source, one.account, one.person): one for one in found}
        return [
            next(
                (
                    by_id[key]
                    for person in message["people"]
                    if (key := (message["source"], message["account"], person)) in by_id
                ),
                self.browse(),
            )
            for message in messages
        ]

    @api.model
    def _sender(self, message, conversation):
        """Who is shown as the author while the lead has no contact."""
        return (
            message.get("name")
            or message.get("username")
            or conversation.name
            or conversation.username
            or message.get("phone")
            or dict(CHANNELS)[message["channel"]]
        )

    @api.model
    def _body(self, message, channel):
        """The channel's mark, what kind of message it is unless that is plain, and its text.

        The mark is in the text, so that it is wherever Odoo shows a message, on each series,
        and is found by searching."""
        name = dict(self._fields["channel"]._description_selection(self.env))[channel]
        marks = [
            Markup('<span class="o_g_assistant_channel"><i class="fa %s"></i> %s</span>')
            % (ICONS[channel], name)
        ]
        if not message:
            marks.append(_("deleted by its sender"))
        elif message["kind"] != "text":
            marks.append(self._kind_labels().get(message["kind"]) or message["kind"])
        text = Markup("<br>").join(
            escape(line) for line in (message.get("text") or "").splitlines()
        )
        body = Markup("<p><strong>%s</strong></p>") % Markup(" · ").join(marks)
        return body + (Markup("<p>%s</p>") % text if text else Markup())

    @api.model
    def _kind_labels(self):
        return {
            "image": _("Image"),
            "video": _("Video"),
            "audio": _("Voice or sound"),
            "document": _("Document"),
            "sticker": _("Sticker"),
            "location": _("Location"),
            "contacts": _("Contact"),
            "button": _("Button"),
            "form": _("Form"),
            "order": _("Order"),
            "reaction": _("Reaction"),
            "edited": _("Corrected"),
            "share": _("Shared"),
            "referral": _("Came by a link"),
            "system": _("Notice"),
            "unsupported": _("A kind of message that cannot be shown"),
        }


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_conversation_ids = fields.One2many(
        "g_assistant.conversation", "lead_id", string="Conversations", readonly=True
    )

    def _merge_opportunity(self, *args, **kwargs):
        conversations = (
            self.env["g_assistant.conversation"].sudo().search([("lead_id", "in", self.ids)])
        )
        winner = super()._merge_opportunity(*args, **kwargs)
        conversations.lead_id = winner
        return winner
