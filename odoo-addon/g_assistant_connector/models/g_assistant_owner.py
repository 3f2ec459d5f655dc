"""Who gets a new lead.

The daemon says among whom (`owner`); who of them it is depends on what Odoo holds at the
moment of creation: who has had the person's earlier lead, whose turn it is, how many open
leads everybody has, who is on leave. So it is decided here, in the transaction that
creates the lead, for the whole batch with a fixed number of queries.
"""

import json

from odoo import _, api, fields, models, tools

from .. import kinds
from ..values import Unfit
from .crm_lead import OWN

# So many of the last turns of a rule are looked at, or two rounds if they are longer.
LEAST_TURNS = 100
KEPT_TURNS = 5000


class Turn(models.Model):
    """A lead was given to somebody in their turn. Only ever added to, so that batches that
    run at the same time need not wait for each other."""

    _name = "g_assistant.turn"
    _description = "G-Assistant turn of a salesperson"
    _order = "id desc"
    _log_access = False

    rule = fields.Char(required=True, readonly=True)
    user_id = fields.Many2one("res.users", required=True, readonly=True, ondelete="cascade")

    def init(self):
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS g_assistant_turn_rule_index ON g_assistant_turn (rule, id);"
            "CREATE INDEX IF NOT EXISTS g_assistant_partner_email_index ON res_partner"
            " (email_normalized) WHERE user_id IS NOT NULL;"
            "CREATE INDEX IF NOT EXISTS g_assistant_partner_phone_index ON res_partner"
            " (phone_sanitized) WHERE user_id IS NOT NULL"
        )

    @api.autovacuum
    def _gc_old(self):
        self.env.cr.execute(
            "DELETE FROM g_assistant_turn t USING ("
            "  SELECT id, row_number() OVER (PARTITION BY rule ORDER BY id DESC) AS place"
            "    FROM g_assistant_turn) n"
            " WHERE n.id = t.id AND n.place > %s",
            [KEPT_TURNS],
        )
        self.invalidate_model()


class Present:
    """What a batch needs to know, asked once and kept up to date while it gives leads away."""

    def __init__(self, turns, open_leads, active, on_leave):
        self.turns = turns
        self.open = open_leads
        self.active = active
        self.on_leave = on_leave

    def why_not(self, user_id, away):
        """Why somebody gets no lead now, whatever their turn."""
        if user_id not in self.active:
            return "inactive"
        if user_id in away:
            return "away"
        if user_id in self.on_leave:
            return "leave"
        return None

    def is_full(self, seller):
        return "limit" in seller and self.open.get(seller["id"], 0) >= seller["limit"]

    def next_of(self, rule, sellers):
        """Whose turn it is. Of the last turns, one fewer than one round has, everybody should
        have had as many as they weigh: the one who lacks the most of theirs is next, and of
        several the one who has waited the longest. With equal weights they simply alternate;
        who is new or was away has one turn like everybody, and does not make up for more.
        """
        ids = {seller["id"] for seller in sellers}
        turns = [user_id for user_id in self.turns.get(rule, []) if user_id in ids]
        last = turns[: sum(seller.get("weight", 1) for seller in sellers) - 1]

        def due(seller):
            weight = seller.get("weight", 1)
            user_id = seller["id"]
            waited = turns.index(user_id) if user_id in turns else len(turns)
            return 1 - last.count(user_id) / weight, waited, weight

        return max(sellers, key=due)

    def give(self, rule, user_id, in_turn):
        self.open[user_id] = self.open.get(user_id, 0) + 1
        if in_turn:
            self.turns.setdefault(rule, []).insert(0, user_id)


class Owner(models.AbstractModel):
    _name = "g_assistant.owner"
    _description = "G-Assistant choice of a salesperson"

    @api.model
    def _uninstall(self):
        for name in ("email", "phone"):
            index = tools.SQL.identifier(f"g_assistant_partner_{name}_index")
            self.env.cr.execute(tools.SQL("DROP INDEX IF EXISTS %s", index))

    @api.model
    def _check_form(self, owner):
        if owner is None:
            return
        if not isinstance(owner, dict) or not isinstance(owner.get("rule"), str):
            raise Unfit("'owner' names its 'rule'")
        for name in ("among", "otherwise"):
            sellers = owner.get(name, [])
            if not isinstance(sellers, list) or not all(
                isinstance(seller, dict)
                and isinstance(seller.get("id"), int)
                and isinstance(seller.get("weight", 1), int)
                and isinstance(seller.get("limit", 1), int)
                for seller in sellers
            ):
                raise Unfit(f"'{name}' of an 'owner' is a list of {{'id', 'weight', 'limit'}}")
        for name, kind in (("away", int), ("unknown", str)):
            some = owner.get(name, [])
            if not isinstance(some, list) or not all(isinstance(one, kind) for one in some):
                raise Unfit(f"'{name}' of an 'owner' is a list")

    @api.model
    def _choose(self, prepared):
        """Fill in the salesperson in the values of new leads: ``{operation: values}``."""
        wanted = {
            operation: values
            for operation, values in prepared.items()
            if operation.owner and operation.model == kinds.LEAD and not values.get("user_id")
        }
        if not wanted:
            return
        known = self._known(wanted)
        present = self._present(wanted, known)
        for operation, values in wanted.items():
            user_id, evidence, in_turn = self._decide(
                operation.owner, known.get(operation), values.get("team_id"), present
            )
            operation.turn = user_id if in_turn else None
            if not user_id:
                continue
            present.give(operation.owner["rule"], user_id, in_turn)
            values["user_id"] = user_id
            values["g_assistant_owner_evidence"] = json.dumps(evidence)
            among = {seller["id"] for seller in operation.owner.get("among", [])}
            if among and user_id not in among:
                # The team of the rule is not theirs; Odoo knows which is.
                values.pop("team_id", None)

    @api.model
    def _decide(self, owner, known, team_id, present):
        """``(user, why, whether that was their turn)``; nobody if a team is to own it."""
        away = set(owner.get("away", []))
        skipped = {}
        if known and owner.get("sticky"):
            user_id, kind = known
            why_not = present.why_not(user_id, away)
            if not why_not:
                return user_id, {"why": kind}, False
            skipped[user_id] = why_not
        full = []
        for name in ("among", "otherwise"):
            free = []
            for seller in owner.get(name, []):
                why_not = present.why_not(seller["id"], away)
                if why_not:
                    skipped[seller["id"]] = why_not
                elif present.is_full(seller):
                    skipped[seller["id"]] = "full"
                    full.append(seller)
                else:
                    free.append(seller)
            if free:
                best = present.next_of(owner["rule"], free)
                evidence = {"why": "turn" if name == "among" else "otherwise", "of": len(free)}
                return best["id"], self._evidence(evidence, best, present, skipped, owner), True
        if full:
            best = min(full, key=lambda one: present.open.get(one["id"], 0) / one["limit"])
            skipped = {user: why for user, why in skipped.items() if why != "full"}
            evidence = self._evidence({"why": "full"}, best, present, skipped, owner)
            return best["id"], evidence, True
        if team_id and not owner.get("among") and not owner.get("unknown"):
            return None, None, False
        last = self._last_resort(team_id)
        return last.id, self._evidence({"why": "last"}, None, present, skipped, owner), False

    @api.model
    def _evidence(self, evidence, seller, present, skipped, owner):
        if seller and "limit" in seller:
            evidence["open"] = [present.open.get(seller["id"], 0), seller["limit"]]
        away = set(owner.get("away", []))
        named = {seller["id"] for name in ("among", "otherwise") for seller in owner.get(name, [])}
        skipped = {**skipped, **{user: "away" for user in away & (named | set(skipped))}}
        if skipped:
            evidence["skipped"] = sorted(skipped.items())
        if owner.get("unknown"):
            evidence["unknown"] = owner["unknown"]
        return evidence

    @api.model
    def _last_resort(self, team_id):
        """A leader, so that no lead is left alone."""
        teams = self.env["crm.team"].sudo()
        team = teams.browse(team_id or [])
        if team.user_id.active:
            return team.user_id
        company = team.company_id or self.env.company
        domain = [("company_id", "in", [False, company.id]), ("user_id.active", "=", True)]
        led = teams.search(domain, limit=1)
        if led:
            return led.user_id
        managers = self.env.ref("sales_team.group_sale_manager")
        domain = [("company_ids", "in", company.ids), ("share", "=", False)]
        field = "all_group_ids" if "all_group_ids" in self.env["res.users"]._fields else "groups_id"
        domain.append((field, "in", managers.ids))
        return self.env["res.users"].sudo().search(domain, order="id", limit=1)

    # ---- what Odoo holds now ---------------------------------------------------

    @api.model
    def _known(self, wanted):
        """``{operation: (user, "lead" or "partner")}``: who has had the person before."""
        sticky = [operation for operation in wanted if operation.owner.get("sticky")]
        known = {}
        # Compared by the daemon already, in any spelling.
        decided = {
            operation: operation.match["decision"]["id"]
            for operation in sticky
            if ((operation.match or {}).get("decision") or {}).get("id")
        }
        leads = self.env["crm.lead"].sudo().browse(set(decided.values())).exists()
        owners = {lead.id: lead.user_id.id for lead in leads}
        for operation, lead_id in decided.items():
            if owners.get(lead_id):
                known[operation] = (owners[lead_id], "lead")
        rest = [operation for operation in sticky if operation not in known]
        unmatched = [operation for operation in rest if not operation.match]
        for table, kind, some in (
            ("crm_lead", "lead", unmatched),
            ("res_partner", "partner", rest),
        ):
            keys = {
                operation: self._addresses(wanted[operation])
                for operation in some
                if operation not in known
            }
            for column in ("email_normalized", "phone_sanitized"):
                owners = self._owners(
                    table, column, {key[column] for key in keys.values() if key[column]}
                )
                for operation, key in keys.items():
                    if operation not in known and key[column] in owners:
                        known[operation] = (owners[key[column]], kind)
        return known

    @api.model
    def _addresses(self, values):
        email, phone = values.get("email_from"), values.get("phone")
        return {
            "email_normalized": tools.email_normalize(email) if email else None,
            "phone_sanitized": phone or None,
        }

    @api.model
    def _owners(self, table, column, keys):
        """``{key: user}`` of the newest record with each key, in this company."""
        if not keys:
            return {}
        self.env["crm.lead" if table == "crm_lead" else "res.partner"].flush_model()
        self.env.cr.execute(
            f"""
            SELECT w.key, r.user_id FROM unnest(%s) AS w(key)
             CROSS JOIN LATERAL (
                   SELECT user_id FROM {table}
                    WHERE {column} = w.key AND user_id IS NOT NULL
                      AND (company_id = %s OR company_id IS NULL)
                    ORDER BY id DESC LIMIT 1) r
            """,
            [sorted(keys), self.env.company.id],
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _present(self, wanted, known):
        sellers = [
            seller
            for operation in wanted
            for name in ("among", "otherwise")
            for seller in operation.owner.get(name, [])
        ]
        users = {seller["id"] for seller in sellers} | {user for user, _kind in known.values()}
        active = (
            self.env["res.users"]
            .sudo()
            .search([("id", "in", list(users)), ("share", "=", False), ("active", "=", True)])
        )
        limited = {seller["id"] for seller in sellers if "limit" in seller}
        rules = {operation.owner["rule"] for operation in wanted}
        round_ = sum({seller["id"]: seller.get("weight", 1) for seller in sellers}.values())
        return Present(
            self._turns(rules, max(LEAST_TURNS, 2 * round_)),
            self._open_leads(limited),
            set(active.ids),
            self._on_leave(users),
        )

    @api.model
    def _turns(self, rules, most):
        """``{rule: users}``, the last turn first."""
        self.env.cr.execute(
            """
            SELECT r.rule, t.user_id FROM unnest(%s) AS r(rule)
             CROSS JOIN LATERAL (
                   SELECT id, user_id FROM g_assistant_turn WHERE rule = r.rule
                    ORDER BY id DESC LIMIT %s) t
             ORDER BY t.id DESC
            """,
            [sorted(rules), min(most, KEPT_TURNS)],
        )
        turns = {}
        for rule, user_id in self.env.cr.fetchall():
            turns.setdefault(rule, []).append(user_id)
        return turns

    @api.model
    def _open_leads(self, users):
        if not users:
            return {}
        self.env["crm.lead"].flush_model()
        self.env.cr.execute(
            "SELECT l.user_id, count(*) FROM crm_lead l"
            " LEFT JOIN crm_stage s ON s.id = l.stage_id"
            " WHERE l.active AND l.user_id = ANY(%s) AND s.is_won IS NOT TRUE GROUP BY l.user_id",
            [list(users)],
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _on_leave(self, users):
        """Whose time off is approved for now, where the app is installed."""
        if "hr.leave" not in self.env:
            return set()
        now = fields.Datetime.now()
        leaves = (
            self.env["hr.leave"]
            .sudo()
            .search(
                [
                    ("state", "=", "validate"),
                    ("holiday_status_id.time_type", "=", "leave"),
                    ("date_from", "<=", now),
                    ("date_to", ">=", now),
                    ("user_id", "in", list(users)),
                ]
            )
        )
        return set(leaves.user_id.ids)

    # ---- what became of it -----------------------------------------------------

    @api.model
    def _note(self, created):
        """Remember whose turn it was."""
        turns = [
            (operation.owner["rule"], operation.turn)
            for operation, _record in created
            if operation.turn
        ]
        if turns:
            self.env.cr.execute(
                "INSERT INTO g_assistant_turn (rule, user_id)"
                " SELECT * FROM unnest(%s::text[], %s::int[])",
                [list(column) for column in zip(*turns, strict=True)],
            )

    @api.model
    def _adopt(self, operation, record):
        """A known person's lead whose salesperson is gone gets another one."""
        if not operation.owner or record.user_id.active:
            return
        values = {"email_from": record.email_from, "phone": record.phone_sanitized}
        values["team_id"] = record.team_id.id
        prepared = {operation: values}
        self._choose(prepared)
        chosen = {
            name: values[name]
            for name in ("user_id", "g_assistant_owner_evidence")
            if values.get(name)
        }
        if chosen:
            record.write(chosen)
            self._note([(operation, record)])


class CrmLead(models.Model):
    _inherit = "crm.lead"

    # Why this salesperson: JSON, read by the field below.
    g_assistant_owner_evidence = fields.Char(**OWN)
    g_assistant_owner_reason = fields.Char(
        string="Given Because", compute="_compute_g_assistant_owner_reason"
    )

    @api.depends_context("lang")
    @api.depends("g_assistant_owner_evidence")
    def _compute_g_assistant_owner_reason(self):
        for lead in self:
            evidence = json.loads(lead.g_assistant_owner_evidence or "{}")
            lead.g_assistant_owner_reason = (
                ". ".join(self._g_assistant_owner_words(evidence)) or False
            )

    @api.model
    def _g_assistant_owner_words(self, evidence):
        # Most leads have none, and translating all these words takes time.
        if not evidence:
            return []
        why = {
            "lead": _("Has the person's earlier lead"),
            "partner": _("Is the salesperson of this customer"),
            "turn": _("Next of %s in turn", evidence.get("of")),
            "otherwise": _(
                "Next of %s in turn by the default: nobody of the rule could", evidence.get("of")
            ),
            "full": _("Everybody has reached the limit; the one who is the least above it"),
            "last": _("Nobody else could: a leader, so that the lead is not left alone"),
        }
        words = [why[evidence["why"]]] if evidence.get("why") in why else []
        if "open" in evidence:
            words.append(
                _(
                    "Open leads: %(open)s of %(limit)s",
                    open=evidence["open"][0],
                    limit=evidence["open"][1],
                )
            )
        reasons = {
            "away": _("Away"),
            "leave": _("On leave"),
            "inactive": _("Not active"),
            "full": _("At the limit"),
        }
        skipped = {}
        for user_id, reason in evidence.get("skipped", []):
            skipped.setdefault(reason, []).append(user_id)
        for reason, label in reasons.items():
            users = self.env["res.users"].sudo().browse(skipped.get(reason, [])).exists()
            if users:
                words.append(f"{label}: {', '.join(users.mapped('name'))}")
        if evidence.get("unknown"):
            label = _("No active user")
            words.append(f"{label}: {', '.join(evidence['unknown'])}")
        return words
