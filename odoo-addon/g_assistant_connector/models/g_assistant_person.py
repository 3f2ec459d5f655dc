"""One page about a customer, and one timeline of all that happened with them.

A customer is a company with its contacts, or a person without a company. What belongs to
them is searched with the rights of who asks; everything else starts from the ids that were
found, so a lead that somebody may not see is in no figure either.
"""

import re
from collections import defaultdict, namedtuple
from html import escape

from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import html2plaintext
from odoo.tools.misc import formatLang

from .g_assistant_conversation import ICONS
from .g_assistant_duplicates import STATE

# How many of each kind are listed; there is a click to all of them.
SHOWN = 5
PAGE = 30
POINTS = 40
TEXT = 2000

# In a text, what says which channel it is, which the timeline has beside it, and what would
# become asterisks or footnotes.
MARKS = re.compile(
    r'<span class="o_g_assistant_channel">.*?</span>|</?(?:a|b|strong|em|i|img)\b[^>]*>'
)

Who = namedtuple("Who", "partner partners leads orders")

# What Odoo's own subtypes of messages say happened.
SUBTYPES = {
    "stage": "crm.mt_lead_stage",
    "won": "crm.mt_lead_won",
    "lost": "crm.mt_lead_lost",
    "restored": "crm.mt_lead_restored",
    "sent": "sale.mt_order_sent",
    # These two are told by the records themselves.
    "created": "crm.mt_lead_create",
    "confirmed": "sale.mt_order_confirmed",
}

# By which way a message `m` of the record `d` came or went; what has none is no message. `g` is
# its row as a messenger's, `c` the conversation, `a` the type of activity that it reports, `s`
# its subtype.
CHANNEL = """CASE
    WHEN c.channel IS NOT NULL THEN c.channel
    WHEN a.category = 'phonecall' THEN 'call'
    WHEN m.message_type = 'sms' THEN 'sms'
    WHEN m.message_type = 'whatsapp_message' THEN 'whatsapp'
    WHEN m.message_type = 'notification' THEN NULL
    WHEN m.message_type IN ('email', 'email_outgoing') THEN 'email'
    WHEN m.is_internal OR s.internal OR s.id IS NULL THEN 'note'
    ELSE 'email' END"""

MESSAGES = """SELECT 'message' AS source, '{model}' AS model, m.res_id, m.id,
        coalesce(m.date, m.create_date) AS at, m.subtype_id, {channel} AS channel,
        CASE WHEN g.direction IS NOT NULL THEN g.direction
             WHEN {channel} IN ('call', 'note') THEN NULL
             WHEN m.author_id IS NULL OR p.partner_share THEN 'in'
             ELSE 'out' END AS direction
    FROM mail_message m
    JOIN {table} d ON d.id = m.res_id
    LEFT JOIN g_assistant_message g ON g.mail_message_id = m.id
    LEFT JOIN g_assistant_conversation c ON c.id = g.conversation_id
    LEFT JOIN mail_activity_type a ON a.id = m.mail_activity_type_id
    LEFT JOIN mail_message_subtype s ON s.id = m.subtype_id
    LEFT JOIN res_partner p ON p.id = m.author_id
    WHERE m.model = '{model}' AND m.res_id = ANY(%({ids})s)
        AND m.message_type <> 'user_notification'
        AND NOT ({created})
        AND (%(text)s IS NULL
            OR m.subject ILIKE %(text)s
            OR regexp_replace(m.body, '<[^>]*>', ' ', 'g') ILIKE %(text)s)"""
# "Created", which the record says itself: of leads by its subtype, of others the first in the
# transaction that made them.
CREATED = """m.message_type = 'notification' AND m.create_date = d.create_date
    AND m.id = (SELECT min(f.id) FROM mail_message f
        WHERE f.model = m.model AND f.res_id = m.res_id AND f.message_type <> 'user_notification')
    AND m.mail_activity_type_id IS NULL
    AND NOT EXISTS (SELECT FROM mail_tracking_value t WHERE t.mail_message_id = m.id)"""
DOCUMENTS = (
    ("crm.lead", "crm_lead", "leads"),
    ("sale.order", "sale_order", "orders"),
    ("res.partner", "res_partner", "partners"),
)
ALL_MESSAGES = " UNION ALL ".join(
    MESSAGES.format(
        model=model,
        table=table,
        ids=ids,
        channel=CHANNEL,
        created="FALSE" if model == "crm.lead" else CREATED,
    )
    for model, table, ids in DOCUMENTS
)
ENTRIES = f"""SELECT source, model, res_id, id, at, channel, direction,
        CASE subtype_id
            WHEN %(stage)s THEN 'stage' WHEN %(won)s THEN 'won' WHEN %(lost)s THEN 'lost'
            WHEN %(restored)s THEN 'restored' WHEN %(sent)s THEN 'sent'
            ELSE CASE WHEN channel IS NULL THEN 'change' ELSE 'message' END END AS kind
    FROM ({ALL_MESSAGES}) AS message
    WHERE subtype_id IS NULL OR subtype_id NOT IN (%(created)s, %(confirmed)s)
    UNION ALL
    SELECT 'lead', 'crm.lead', id, id, create_date, NULL, NULL, 'lead'
    FROM crm_lead WHERE id = ANY(%(leads)s)
    UNION ALL
    SELECT 'quotation', 'sale.order', id, id, least(create_date, date_order),
        NULL, NULL, 'quotation'
    FROM sale_order WHERE id = ANY(%(orders)s)
    UNION ALL
    SELECT 'order', 'sale.order', id, id, date_order, NULL, NULL, 'confirmed'
    FROM sale_order WHERE id = ANY(%(orders)s) AND state IN ('sale', 'done')
    UNION ALL
    SELECT 'score', 'crm.lead', lead_id, id, at, NULL, NULL, 'score'
    FROM g_assistant_score WHERE lead_id = ANY(%(leads)s)"""


class Person(models.AbstractModel):
    _name = "g_assistant.person"
    _description = "G-Assistant page of a customer"

    @api.model
    def page(self, partner_id):
        """All of the page but the further pages of its timeline."""
        who = self._who(partner_id)
        return {
            **self.thread(partner_id, who=who),
            "contact": self._contact(who),
            "leads": self._leads(who),
            "sales": self._sales(who),
            "campaigns": self._campaigns(who),
            "scores": self._scores(who),
        }

    @api.model
    def thread(self, partner_id, show=None, *, who=None):
        """The timeline alone, as the conversation opens it."""
        who = who or self._who(partner_id)
        return {
            "name": who.partner.display_name,
            "currency_id": self.env.company.currency_id.id,
            "channels": self._channels(who),
            "timeline": self._timeline(who, show),
        }

    @api.model
    def timeline(self, partner_id, show=None, text=None, after=None):
        """A page of the timeline, newest first. ``show`` is `message`, `milestone`, a channel
        or nothing, ``text`` what messages are searched for, ``after`` the page before."""
        return self._timeline(self._who(partner_id), show, text, after)

    # ---- what belongs to the customer ------------------------------------------

    @api.model
    def _who(self, partner_id):
        if not self.env.user.has_group("base.group_user"):
            raise AccessError(_("Only employees may see this page."))
        partner = self.env["res.partner"].browse(partner_id)
        partner.read(["name"])
        commercial = partner.sudo().commercial_partner_id
        partners = partner | self._readable(
            "res.partner", [("commercial_partner_id", "=", commercial.id)]
        )
        # Nobody is the customer of a lead yet that came by itself; its address says who it is.
        keys = []
        for name in ("email_normalized", "phone_sanitized"):
            values = [value for value in partners.mapped(name) if value]
            if values:
                keys.append((name, "in", values))
        leads = [("partner_id", "in", partners.ids)]
        if keys:
            found = ["|"] * (len(keys) - 1) + keys
            leads = ["|", *leads, "&", ("partner_id", "=", False), *found]
        return Who(
            partner,
            partners,
            self._readable("crm.lead", leads),
            self._readable("sale.order", [("partner_id", "in", partners.ids)]),
        )

    @api.model
    def _readable(self, model_name, domain):
        records = self.env[model_name].with_context(active_test=False)
        if not self._may_read(model_name):
            return records
        return records.search(domain, order="id desc")

    @api.model
    def _may_read(self, model_name):
        return self.env["ir.model.access"].check(model_name, "read", raise_exception=False)

    @api.model
    def _first(self, ids, model_name):
        """Of many only some: reading one of a thousand would read the thousand."""
        return self.env[model_name].browse(ids[:SHOWN])

    @api.model
    def _query(self, query, params):
        self.env.cr.execute(query, params)
        return self.env.cr.dictfetchall()

    @api.model
    def _in_company_currency(self, amount, company_id):
        currency = self.env["res.company"].browse(company_id).sudo().currency_id
        ours = self.env.company
        if not currency or currency == ours.currency_id:
            return amount
        return currency._convert(amount, ours.currency_id, ours, fields.Date.context_today(self))

    # ---- the blocks of the page ------------------------------------------------

    @api.model
    def _contact(self, who):
        partner = who.partner
        commercial = partner.commercial_partner_id & who.partners
        phones = [partner.phone] + ([partner.mobile] if "mobile" in partner._fields else [])
        others = who.partners - partner - commercial
        return {
            "id": partner.id,
            "name": partner.name or partner.display_name,
            "is_company": partner.is_company,
            "function": partner.function,
            "company": commercial != partner and commercial and self._link(commercial),
            "email": partner.email,
            "phones": [phone for phone in phones if phone],
            "website": partner.website,
            "address": [
                line for line in partner._display_address(without_company=True).splitlines() if line
            ],
            "tags": [{"name": tag.name, "color": tag.color} for tag in partner.category_id],
            "salesperson": partner.sudo().user_id.name,
            "others": [
                {**self._link(one), "detail": one.function or one.email or one.phone}
                for one in self._first(others.ids, "res.partner")
            ],
            "other_ids": others.ids,
        }

    @api.model
    def _link(self, record):
        return {"id": record.id, "name": record.name or record.display_name}

    @api.model
    def _leads(self, who):
        """Leads by what became of them, and the newest."""
        if not self._may_read("crm.lead"):
            return False
        self.env["crm.lead"].flush_model()
        rows = self._query(
            f"SELECT state, company_id, array_agg(id) AS ids, sum(revenue) AS revenue FROM ("
            f" SELECT l.id, l.company_id, l.expected_revenue AS revenue, {STATE} AS state"
            "  FROM crm_lead l LEFT JOIN crm_stage s ON s.id = l.stage_id"
            "  WHERE l.id = ANY(%s)) AS lead GROUP BY state, company_id",
            [who.leads.ids],
        )
        groups = {name: {"ids": [], "amount": 0.0} for name in ("open", "won", "lost", "archived")}
        states = {}
        for row in rows:
            group = groups[row["state"]]
            group["ids"] += row["ids"]
            group["amount"] += self._in_company_currency(row["revenue"] or 0.0, row["company_id"])
            states.update(dict.fromkeys(row["ids"], row["state"]))
        return {
            **groups,
            "ids": who.leads.ids,
            "newest": [
                {
                    **self._link(lead),
                    "state": states[lead.id],
                    "stage": lead.stage_id.name,
                    "salesperson": lead.sudo().user_id.name,
                    "scored": bool(lead.g_assistant_score_reasons),
                    "score": lead.g_assistant_score,
                    "amount": lead.expected_revenue,
                    "currency_id": lead.company_currency.id,
                    "at": fields.Datetime.to_string(lead.create_date),
                }
                for lead in self._first(who.leads.ids, "crm.lead")
            ],
        }

    @api.model
    def _sales(self, who):
        """Open quotations and confirmed orders, without taxes, at the rate of each order."""
        if not self._may_read("sale.order"):
            return False
        self.env["sale.order"].flush_model()
        rows = self._query(
            "SELECT CASE WHEN state IN ('sale', 'done') THEN 'orders'"
            "            WHEN state IN ('draft', 'sent') THEN 'quotations' END AS state,"
            " company_id, array_agg(id ORDER BY id DESC) AS ids,"
            " sum(amount_untaxed / coalesce(nullif(currency_rate, 0), 1))::float AS amount"
            " FROM sale_order WHERE id = ANY(%s) AND state <> 'cancel' GROUP BY 1, 2",
            [who.orders.ids],
        )
        groups = {name: {"ids": [], "amount": 0.0} for name in ("quotations", "orders")}
        for row in rows:
            group = groups[row["state"]]
            group["ids"] += row["ids"]
            group["amount"] += self._in_company_currency(row["amount"] or 0.0, row["company_id"])
        states = dict(self.env["sale.order"]._fields["state"]._description_selection(self.env))
        for group in groups.values():
            group["ids"].sort(reverse=True)
            group["newest"] = [
                {
                    **self._link(order),
                    "state": states.get(order.state, order.state),
                    "salesperson": order.sudo().user_id.name,
                    "amount": order.amount_untaxed,
                    "currency_id": order.currency_id.id,
                    "at": fields.Datetime.to_string(order.date_order),
                }
                for order in self._first(group["ids"], "sale.order")
            ]
        return groups

    @api.model
    def _campaigns(self, who):
        """Which campaigns brought leads, those of the last lead first."""
        groups = defaultdict(lambda: {"ids": [], "won": 0})
        rows = self._query(
            f"SELECT l.id, coalesce(nullif(l.g_assistant_campaign_name, ''), u.title->>%s,"
            f" u.title->>'en_US') AS name, l.g_assistant_platform AS platform,"
            f" {STATE} = 'won' AS won, l.create_date AS at"
            " FROM crm_lead l LEFT JOIN crm_stage s ON s.id = l.stage_id"
            " LEFT JOIN utm_campaign u ON u.id = l.campaign_id"
            " WHERE l.id = ANY(%s) AND (l.g_assistant_campaign_name <> '' OR u.id IS NOT NULL)"
            " ORDER BY l.create_date DESC, l.id DESC",
            [self.env.lang or "en_US", who.leads.ids],
        )
        for row in rows:
            group = groups[row["name"], row["platform"]]
            group["ids"].append(row["id"])
            group["won"] += row["won"]
            group.setdefault("at", fields.Datetime.to_string(row["at"]))
        return [
            {"name": name, "platform": platform, **group}
            for (name, platform), group in groups.items()
        ]

    @api.model
    def _scores(self, who):
        """The scores that leads came with and what they became, oldest first."""
        self.env["g_assistant.score"].flush_model()
        rows = self._query(
            "SELECT * FROM ("
            " SELECT l.id, l.name, l.create_date AS at, 0 AS step, coalesce("
            "  (SELECT previous FROM g_assistant_score WHERE lead_id = l.id ORDER BY id LIMIT 1),"
            "  l.g_assistant_score) AS score"
            " FROM crm_lead l WHERE l.id = ANY(%(leads)s)"
            "  AND coalesce(l.g_assistant_score_reasons, '') <> ''"
            " UNION ALL"
            " SELECT l.id, l.name, h.at, h.id, h.score FROM g_assistant_score h"
            " JOIN crm_lead l ON l.id = h.lead_id WHERE h.lead_id = ANY(%(leads)s)"
            ") AS point ORDER BY at DESC, step DESC, id DESC LIMIT %(most)s",
            {"leads": who.leads.ids, "most": POINTS},
        )
        return [{**row, "at": fields.Datetime.to_string(row["at"])} for row in reversed(rows)]

    @api.model
    def _channels(self, who):
        """How many messages went each way."""
        rows = self._query(
            f"SELECT channel, count(*) AS count FROM ({ALL_MESSAGES}) AS message"
            " WHERE channel IS NOT NULL GROUP BY channel ORDER BY count DESC, channel",
            self._params(who),
        )
        names = self._channel_names()
        return [
            {**row, "name": names[row["channel"]], "icon": ICONS[row["channel"]]} for row in rows
        ]

    @api.model
    def _channel_names(self):
        field = self.env["g_assistant.conversation"]._fields["channel"]
        return {
            **dict(field._description_selection(self.env)),
            "email": _("E-mail"),
            "sms": _("SMS"),
            "call": _("Call"),
            "note": _("Note"),
        }

    # ---- the timeline ----------------------------------------------------------

    @api.model
    def _params(self, who, text=None):
        self.env.flush_all()
        subtypes = {
            name: self.env["ir.model.data"]._xmlid_to_res_id(xmlid) or 0
            for name, xmlid in SUBTYPES.items()
        }
        if text:
            text = escape(text, quote=False)
            for character in "\\%_":
                text = text.replace(character, "\\" + character)
        return {
            **subtypes,
            "leads": who.leads.ids,
            "orders": who.orders.ids,
            "partners": who.partners.ids,
            "text": f"%{text}%" if text else None,
        }

    @api.model
    def _timeline(self, who, show=None, text=None, after=None):
        params = {**self._params(who, text), "show": show, "limit": PAGE + 1}
        conditions = ["TRUE"]
        if text or show == "message":
            conditions.append("channel IS NOT NULL")
        if show == "milestone":
            conditions.append("kind NOT IN ('message', 'change')")
        elif show and show != "message":
            conditions.append("channel = %(show)s")
        if after:
            params["at"], params["source"], params["id"] = after
            conditions.append("(at, source, id) < (%(at)s::timestamp, %(source)s, %(id)s)")
        rows = self._query(
            f"SELECT * FROM ({ENTRIES}) AS entry WHERE {' AND '.join(conditions)}"
            " ORDER BY at DESC, source DESC, id DESC LIMIT %(limit)s",
            params,
        )
        rows, more = rows[:PAGE], len(rows) > PAGE
        return {
            "entries": self._entries(rows),
            "next": [str(rows[-1]["at"]), rows[-1]["source"], rows[-1]["id"]] if more else False,
        }

    @api.model
    def _entries(self, rows):
        found = defaultdict(list)
        for row in rows:
            found[row["source"]].append(row["id"])
            found[row["model"]].append(row["res_id"])
        records = {
            model: self.env[model].browse(dict.fromkeys(found[model]))
            for model, _table, _ids in DOCUMENTS
        }
        titles = {
            (model, record.id): record.display_name
            for model in records
            for record in records[model]
        }
        messages = self._messages(found["message"])
        scores = {
            score.id: {"previous": score.previous, "score": score.score}
            for score in self.env["g_assistant.score"].sudo().browse(found["score"])
        }
        channels = self._channel_names()
        entries = []
        for row in rows:
            entry = {
                "key": f"{row['source']}-{row['id']}",
                "kind": row["kind"],
                "model": row["model"],
                "res_id": row["res_id"],
                "title": titles[row["model"], row["res_id"]],
                "at": fields.Datetime.to_string(row["at"]),
            }
            if row["source"] == "message":
                if row["id"] not in messages:
                    continue
                entry.update(messages[row["id"]])
                if row["kind"] == "change" and not entry["changes"]:
                    entry["kind"] = "log"
                # Odoo makes the record's name the subject of most.
                if entry["subject"].endswith(entry["title"]):
                    entry["subject"] = ""
                if row["channel"]:
                    entry["channel"] = row["channel"]
                    entry["channel_name"] = channels[row["channel"]]
                    entry["icon"] = ICONS[row["channel"]]
                    entry["direction"] = row["direction"]
            elif row["source"] == "score":
                entry.update(scores[row["id"]])
            elif row["source"] == "lead":
                lead = records["crm.lead"].browse(row["id"])
                origin = [lead.g_assistant_platform, lead.g_assistant_campaign_name]
                entry["text"] = " · ".join(filter(None, [*origin, lead.g_assistant_form_name]))
            else:
                order = records["sale.order"].browse(row["id"])
                entry["amount"] = order.amount_untaxed
                entry["currency_id"] = order.currency_id.id
            entries.append(entry)
        return entries

    @api.model
    def _messages(self, ids):
        """What messages say. Odoo's own rules have the last word on who may read them."""
        messages = self.env["mail.message"].search([("id", "in", ids)]).sudo()
        tracked = defaultdict(list)
        values = (
            self.env["mail.tracking.value"]
            .sudo()
            .search([("mail_message_id", "in", messages.ids)], order="id")
        )
        models_ = {message.id: message.model for message in messages}
        labels = {
            model: self.env[model].fields_get(
                [value.field_id.name for value in values if value.field_id.model == model],
                ["string", "type"],
            )
            for model in set(values.field_id.mapped("model"))
        }
        for value in values:
            # Of fields that are gone, or not for everybody, nothing is told.
            label = labels.get(models_[value.mail_message_id.id], {}).get(value.field_id.name)
            if label:
                before, now = (
                    self._display(label["type"], value._format_display_value(label["type"], new)[0])
                    for new in (False, True)
                )
                tracked[value.mail_message_id.id].append(
                    {"field": label["string"], "before": before, "now": now}
                )
        return {
            message.id: {
                "author": message.author_id.name or message.email_from or "",
                "subject": message.subject or "",
                "text": self._text(message.body),
                "files": len(message.attachment_ids),
                "changes": tracked[message.id],
            }
            for message in messages
        }

    @api.model
    def _text(self, body):
        text = html2plaintext(MARKS.sub("", body or ""))
        text = text.strip(" ·\n")
        return text if len(text) <= TEXT else text[:TEXT] + "…"

    @api.model
    def _display(self, kind, value):
        if kind == "boolean":
            return _("Yes") if value else _("No")
        if isinstance(value, float):
            return formatLang(self.env, value)
        return str(value or "")
