"""Leads that may be about a person who is known already.

The daemon compares people; this finds whom it should compare. A creation comes with
keys (`match`): e-mail addresses, last digits of phone numbers, words of the company's
name. If leads with one of them exist that the daemon has not seen, or that are in
another state than it saw, the operation is left `undecided`, and its answer carries
them. The daemon compares and sends it again with its decision. So a creation that
meets nobody costs no call more, and a lead that appears meanwhile is never missed.
"""

import hashlib
from contextlib import contextmanager

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.tools import SQL

from .. import kinds
from ..values import Unfit
from .crm_lead import OWN

KEYS = ("emails", "phones", "words", "pairs")
# Many have them: two who meet in one of these need not wait for each other.
WEAK = ("words", "incomplete")
VERBS = ("create", "attach", "reopen", "ask")
# Of each key, the newest leads: a mailbox may be on thousands.
MOST = 20

DIGITS = "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹"
# What is indexed; src/intake/duplicates makes the keys in the same forms.
EMAIL = (
    "replace(split_part(split_part(lower({0}), '@', 1), '+', 1), '.', '')"
    " || '@' || split_part(lower({0}), '@', 2)"
).format("email_normalized")


def phone_sql(column):
    """Last eight digits of a phone number, Arabic ones too, without its extension."""
    digits = f"translate(lower({column}), '{DIGITS}', '01234567890123456789')"
    line = f"regexp_replace({digits}, '(ext|x|#|تحويلة|تحويله|داخلي|/|,|;|،).*$', '')"
    return f"right(regexp_replace({line}, '[^0-9]', '', 'g'), 8)"


# Alef without hamza, ya with dots, ta marbuta without; no vowel signs, no tatweel.
FOLDED = "translate(lower(partner_name), 'أإآٱىةؤئًٌٍَُِّْـ', 'اااايهوي')"
WORDS = rf"regexp_split_to_array({FOLDED}, '[\s\-_.,;:/&()،؛]+')"

# A company alone is not a person; and whoever can be reached in both ways is not taken
# for somebody else who can, by the company's name alone.
NAMED = "partner_name IS NOT NULL AND contact_name IS NOT NULL"
INCOMPLETE = "(email_normalized IS NULL OR phone IS NULL)"

# What became of a lead `l` in the stage `s`.
STATE = (
    "CASE WHEN s.is_won AND l.probability >= 100 THEN 'won'"
    " WHEN l.active THEN 'open'"
    " WHEN coalesce(l.probability, 0) <= 0 THEN 'lost'"
    " ELSE 'archived' END"
)


class Duplicates(models.AbstractModel):
    _name = "g_assistant.duplicates"
    _description = "G-Assistant search for known people"

    @api.model
    def _index(self):
        """Made when a lead model's table is; not by Odoo, which indexes columns."""
        columns = ["phone"] + (["mobile"] if "mobile" in self.env["crm.lead"]._fields else [])
        statements = [
            "CREATE INDEX IF NOT EXISTS g_assistant_lead_email_index"
            f" ON crm_lead (({EMAIL})) WHERE email_normalized IS NOT NULL",
            "CREATE INDEX IF NOT EXISTS g_assistant_lead_words_index"
            f" ON crm_lead USING gin (({WORDS})) WHERE {NAMED}",
            "CREATE INDEX IF NOT EXISTS g_assistant_lead_incomplete_index"
            f" ON crm_lead USING gin (({WORDS})) WHERE {NAMED} AND {INCOMPLETE}",
        ]
        for column in columns:
            statements.append(
                f"CREATE INDEX IF NOT EXISTS g_assistant_lead_{column}_index"
                f" ON crm_lead (({phone_sql(column)})) WHERE {column} IS NOT NULL"
            )
        for statement in statements:
            self.env.cr.execute(statement)

    @api.model
    def _uninstall(self):
        for name in ("email", "words", "incomplete", "phone", "mobile"):
            index = SQL.identifier(f"g_assistant_lead_{name}_index")
            self.env.cr.execute(SQL("DROP INDEX IF EXISTS %s", index))

    @api.model
    def _check_form(self, match):
        if match is None:
            return
        lists = isinstance(match, dict) and [match.get(name, []) for name in KEYS]
        if not lists or not all(
            isinstance(keys, list) and all(isinstance(key, str) for key in keys) for keys in lists
        ):
            raise Unfit("'match' has lists of texts: " + ", ".join(KEYS))
        decision = match.get("decision")
        if decision is None:
            return
        if not isinstance(decision, dict) or decision.get("do") not in VERBS:
            raise Unfit("a decision does one of: " + ", ".join(VERBS))
        if decision["do"] in ("attach", "reopen") and not isinstance(decision.get("id"), int):
            raise Unfit("a decision to attach or reopen needs the 'id' of a lead")

    @api.model
    def _settle(self, operations, bound):
        """Finish the undecided ones; return ``{operation: lead}`` of those that belong to
        a lead that is there. All others create one."""
        new = [
            operation
            for operation in operations
            if operation.match is not None
            and not operation.result
            and operation.model == kinds.LEAD
            and operation.action == "upsert"
            and (operation.model, operation.ref) not in bound
        ]
        keys = {operation: self._keys(operation.match) for operation in new}
        new = [operation for operation in new if keys[operation] or operation.before]
        if not new:
            return {}
        companies = {operation: self._company(operation, bound) for operation in new}
        self._lock({(companies[operation], *key) for operation in new for key in keys[operation]})
        self.env["crm.lead"].flush_model()
        with self._latest() as cr:
            found = self._find(cr, [(keys[operation], companies[operation]) for operation in new])
        targets, taken, refs = {}, set(), set()
        for operation, candidates in zip(new, found, strict=True):
            if (operation.model, operation.ref) in refs:
                # An update of what the first one makes.
                continue
            mine = {(companies[operation], *key) for key in keys[operation] if key[0] not in WEAK}
            if mine & taken:
                # The one before it in this batch is not there to be compared yet.
                self._leave(operation, [])
                continue
            if operation.before:
                candidates = candidates | {operation.before}
            decision = operation.match.get("decision")
            seen = {tuple(one) for one in decision.get("seen", [])} if decision else set()
            if not candidates <= seen:
                self._leave(operation, candidates)
                continue
            if decision and decision["do"] in ("attach", "reopen"):
                if decision["id"] in {lead_id for lead_id, _state in candidates}:
                    targets[operation] = decision["id"]
                else:
                    self._leave(operation, candidates)
                    continue
            refs.add((operation.model, operation.ref))
            taken |= mine
        self._describe([one for one in new if one.result])
        return targets

    @api.model
    def _states(self, lead_ids):
        """What became of each of these leads; those that are gone have no state."""
        if not lead_ids:
            return {}
        self.env["crm.lead"].flush_model()
        self.env.cr.execute(
            f"SELECT l.id, {STATE} FROM crm_lead l LEFT JOIN crm_stage s ON s.id = l.stage_id"
            " WHERE l.id = ANY(%s)",
            [list(lead_ids)],
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _keys(self, match):
        keys = {(name, key) for name in KEYS for key in match.get(name, [])}
        if match.get("complete"):
            keys = {("incomplete" if name == "words" else name, key) for name, key in keys}
        return keys

    @api.model
    def _company(self, operation, bound):
        """The company that the lead will belong to."""
        given = operation.values
        for field, model in (("company_id", "res.company"), ("team_id", "crm.team")):
            if isinstance(given.get(field), int):
                record = self.env[model].sudo().browse(given[field]).exists()
                company = record if model == "res.company" else record.company_id
                if company:
                    return company.id
        return self.env.company.id

    @api.model
    def _lock(self, keys):
        """Until the end of the transaction; sorted, so that two cannot wait for each other."""
        numbers = sorted(
            {
                int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], signed=True)
                for key in keys
                if key[1] not in WEAK
            }
        )
        self.env.cr.execute(
            "SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) WITH ORDINALITY u(n, o)"
            " ORDER BY o",
            [numbers],
        )

    @contextmanager
    def _latest(self):
        """What is committed by now: our own transaction sees what was when it began,
        before whoever held the locks made their leads."""
        with self.env.registry.cursor() as cr:
            yield cr

    @api.model
    def _find(self, cr, wanted):
        """For each ``(keys, company)`` the ``{(id, state)}`` of the leads that have one."""
        phones = ["phone"] + (["mobile"] if "mobile" in self.env["crm.lead"]._fields else [])
        # One query for each index.
        queries = [("emails", f"{EMAIL} = w.key AND email_normalized IS NOT NULL")]
        queries += [
            ("phones", f"{phone_sql(column)} = w.key AND {column} IS NOT NULL") for column in phones
        ]
        named = f"{WORDS} @> ARRAY[w.key] AND {NAMED}"
        queries += [("words", named), ("incomplete", f"{named} AND {INCOMPLETE}")]
        askers = {}
        for number, (keys, company) in enumerate(wanted):
            for kind, key in keys:
                askers.setdefault((kind, key, company), []).append(number)
        found = [set() for _one in wanted]
        for kind, condition in queries:
            some = sorted((key, company) for one, key, company in askers if one == kind)
            if not some:
                continue
            cr.execute(
                f"""
                SELECT w.key, w.company, l.id, {STATE}
                  FROM unnest(%s::text[], %s::int[]) AS w(key, company)
                 CROSS JOIN LATERAL (
                       SELECT id, active, probability, stage_id FROM crm_lead
                        WHERE {condition}
                          AND (company_id = w.company OR company_id IS NULL)
                        ORDER BY id DESC LIMIT {MOST}) l
                  LEFT JOIN crm_stage s ON s.id = l.stage_id
                """,
                [list(column) for column in zip(*some, strict=True)],
            )
            for key, company, lead_id, state in cr.fetchall():
                for number in askers[kind, key, company]:
                    found[number].add((lead_id, state))
        return found

    @api.model
    def _leave(self, operation, candidates):
        operation.finish("undecided")
        operation.result["candidates"] = sorted(candidates)

    @api.model
    def _describe(self, operations):
        """Who the candidates are about. Only those that the daemon's user may see."""
        ids = {one[0] for operation in operations for one in operation.result["candidates"]}
        if not ids:
            return
        with self._latest() as cr:
            leads = self.env(cr=cr)["crm.lead"].with_context(active_test=False)
            visible = leads.search([("id", "in", list(ids))])
            people = {lead.id: self._person(lead) for lead in visible}
        for operation in operations:
            operation.result["candidates"] = [
                {
                    "id": lead_id,
                    "state": state,
                    # Surely the same person: it was in the same conversation.
                    **({"same": True} if (operation.before or [None])[0] == lead_id else {}),
                    **people.get(lead_id, {}),
                }
                for lead_id, state in operation.result["candidates"]
            ]

    @api.model
    def _person(self, lead):
        partner = lead.partner_id.sudo()
        company = partner.commercial_company_name or lead.partner_id.commercial_partner_id.name
        name = lead.contact_name or (partner.name if partner and not partner.is_company else None)
        return {
            "name": name or None,
            "company": lead.partner_name or (company if partner.is_company else None) or None,
            "emails": [lead.email_from] if lead.email_from else [],
            "phones": [
                lead[name] for name in ("phone", "mobile") if name in lead._fields and lead[name]
            ],
            "city": lead.city or None,
            "country": (lead.country_id or lead.company_id.country_id).code or None,
        }

    # ---- telling people --------------------------------------------------------

    @api.model
    def _note_created(self, created):
        """Say on new leads whose person was recognised, and ask where it is not sure."""
        for operation, record in created:
            decision = (operation.match or {}).get("decision") or {}
            other = self.env["crm.lead"].browse(decision.get("id") or []).exists()
            if not other:
                continue
            record.write(self._fields_of(decision, other))
            texts = self._in_language_of(record)
            record._message_log(body=texts._body_created(decision, other))
            user = record.user_id or record.team_id.user_id
            activity = None
            if decision["do"] == "ask" and user and not operation.silent:
                activity = record.activity_schedule(
                    "mail.mail_activity_data_todo",
                    summary=texts._summary_ask(),
                    note=texts._body_created(decision, other),
                    user_id=user.id,
                )
            decisions = self.env["g_assistant.duplicate"]
            decisions._remember(operation, record, other, activity=activity)

    @api.model
    def _note_attached(self, operation, record, parsed):
        """Say on the lead what came; its salesperson hears of it."""
        decision = operation.match["decision"]
        record.write(self._fields_of(decision, record.browse()))
        texts = self._in_language_of(record)
        body = texts._body_attached(decision, record.with_env(texts.env), parsed)
        record.message_post(
            body=body,
            subtype_xmlid="mail.mt_note",
            partner_ids=[] if operation.silent else record.user_id.partner_id.ids,
        )

    @api.model
    def _reopen(self, record):
        """An archived or lost lead is open again, as if a person had restored it."""
        if record.active:
            return
        record.action_unarchive()
        if not record.probability:
            record.probability = record.automated_probability

    @api.model
    def _fields_of(self, decision, other):
        return {
            "g_assistant_duplicate_decision": decision["do"],
            "g_assistant_duplicate_id": other.id,
            "g_assistant_duplicate_evidence": str(decision.get("reason") or "")[:255],
        }

    @api.model
    def _in_language_of(self, record):
        return self.with_context(lang=record.sudo().user_id.lang or self.env.user.lang)

    @api.model
    def _summary_ask(self):
        return _("Perhaps a duplicate")

    @api.model
    def _body_created(self, decision, other):
        link = Markup('<a href="#" data-oe-model="crm.lead" data-oe-id="%d">%s</a>') % (
            other.id,
            other.display_name,
        )
        if decision["do"] == "ask":
            text = _(
                "This may be the person of %(lead)s (%(reason)s)."
                " Please look, and merge them if so."
            )
        else:
            text = _("The person of %(lead)s is back (%(reason)s).")
        return self._filled(text, lead=link, reason=self._in_words(decision))

    @api.model
    def _body_attached(self, decision, record, parsed):
        if decision["do"] == "reopen":
            text = _("The same person wrote again (%(reason)s): the lead is open again. What came:")
        else:
            text = _("The same person wrote again (%(reason)s). What came:")
        # That it was known is what the note says.
        parsed = self.env["g_assistant.flag"]._without_duplicate(parsed)
        labels = record.fields_get(list(parsed), ["string", "type"])
        applier = self.env["g_assistant.applier"]
        lines = Markup().join(
            Markup("<li>%s: %s</li>")
            % (
                labels[name]["string"],
                Markup(value)
                if labels[name]["type"] == "html"
                else applier._display(record, name, value),
            )
            for name, value in parsed.items()
            if value not in (None, "", [])
        )
        return Markup("%s<ul>%s</ul>") % (
            self._filled(text, reason=self._in_words(decision)),
            lines,
        )

    @api.model
    def _filled(self, text, **parts):
        return Markup.escape(text) % parts

    @api.model
    def _in_words(self, decision):
        """The daemon's reason in the reader's language."""
        return self.env["crm.lead"]._g_assistant_say_each(decision.get("reason"))


class CrmLead(models.Model):
    _inherit = "crm.lead"

    g_assistant_duplicate_decision = fields.Selection(
        [
            ("create", "Own lead"),
            ("attach", "Attached here"),
            ("reopen", "Reopened"),
            ("ask", "Perhaps a duplicate"),
        ],
        string="Known Person",
        **OWN,
        help="What was done when G-Assistant last recognised the person of this lead.",
    )
    g_assistant_duplicate_id = fields.Many2one(
        "crm.lead", string="Same Person As", **OWN, index="btree_not_null"
    )
    # The daemon's words, in English: a list of a few known parts.
    g_assistant_duplicate_evidence = fields.Char(**OWN)
    g_assistant_duplicate_reason = fields.Char(
        string="Recognised By", compute="_compute_g_assistant_duplicate_reason"
    )

    def init(self):
        result = super().init()
        self.env["g_assistant.duplicates"]._index()
        return result

    @api.depends_context("lang")
    @api.depends("g_assistant_duplicate_evidence")
    def _compute_g_assistant_duplicate_reason(self):
        for lead in self:
            lead.g_assistant_duplicate_reason = self._g_assistant_say_each(
                lead.g_assistant_duplicate_evidence
            )
