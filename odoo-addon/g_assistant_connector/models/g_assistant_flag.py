from odoo import api, fields, models, tools

from .. import kinds
from ..values import Unfit

# Flags that only Odoo can raise.
LATE = ("DNC_LIST", "DUPLICATE")


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
        _sql_constraints = [("code_unique", "unique(code)", "A flag of this code exists already.")]

    # ---- flags that only Odoo can raise ------------------------------------------

    @api.model
    def _check_form(self, late):
        if late is None:
            return
        lists = isinstance(late, dict) and [
            late.get(name, []) for name in ("emails", "phones", "hold", "archive")
        ]
        if not lists or not all(
            isinstance(some, list) and all(isinstance(one, str) for one in some) for some in lists
        ):
            raise Unfit("'flags' has lists of texts: emails, phones, hold, archive")
        tags = late.get("tag", {})
        if not isinstance(tags, dict) or not all(isinstance(tag, int) for tag in tags.values()):
            raise Unfit("'tag' of 'flags' has the id of a tag for each flag")

    @api.model
    def _raise_late(self, operations, bound):
        """Who is on Odoo's blacklists, and whose person is known, in the values of their
        operations. What is to be held for review ends here."""
        asked = [
            operation
            for operation in operations
            if operation.late
            and not operation.result
            and operation.model == kinds.LEAD
            and operation.action == "upsert"
        ]
        if not asked:
            return
        emails = {operation: self._emails(operation.late) for operation in asked}
        listed = self._listed("mail.blacklist", "email", emails.values())
        phones = {operation: operation.late.get("phones", []) for operation in asked}
        listed |= self._listed("phone.blacklist", "number", phones.values())
        duplicates = self._told_before(asked, bound)
        ids = {flag.code: flag.id for flag in self.sudo().search([("code", "in", LATE)])}
        for operation in asked:
            raised = {}
            on_list = [one for one in phones[operation] + emails[operation] if one in listed]
            if on_list:
                raised["DNC_LIST"] = f"`{on_list[0]}` is on a blacklist of Odoo"
            decision = (operation.match or {}).get("decision") or {}
            new = (operation.model, operation.ref) not in bound
            before = duplicates.get(operation)
            if decision.get("do") in ("attach", "reopen", "ask") and (new or operation.attached):
                raised["DUPLICATE"] = str(decision.get("reason") or "")
            hold = [code for code in raised if code in operation.late.get("hold", [])]
            if hold and not operation.late.get("reviewed"):
                if operation.attached:
                    del bound[operation.model, operation.ref]
                operation.finish("held")
                operation.result["held"] = hold
                continue
            if before is not None:
                raised.setdefault("DUPLICATE", before)
            if raised:
                self._put(operation, raised, new, ids)

    @api.model
    def _emails(self, late):
        return [
            email
            for email in (tools.email_normalize(one) for one in late.get("emails", []))
            if email
        ]

    @api.model
    def _listed(self, model_name, column, lists):
        keys = {key for keys in lists for key in keys}
        if not keys or model_name not in self.env:
            return set()
        model = self.env[model_name]
        model.flush_model()
        self.env.cr.execute(
            f"SELECT {column} FROM {model._table} WHERE active AND {column} = ANY(%s)",
            [sorted(keys)],
        )
        return {row[0] for row in self.env.cr.fetchall()}

    @api.model
    def _told_before(self, operations, bound):
        """``{operation: reason}`` of updates of leads that are flagged as duplicates: what
        is told of a delivery that comes later says nothing about that."""
        ids = {
            operation: bound[operation.model, operation.ref].res_id
            for operation in operations
            if (operation.model, operation.ref) in bound
        }
        leads = self.env["crm.lead"].with_context(active_test=False)
        flagged = (
            leads.search(
                [("id", "in", list(ids.values())), ("g_assistant_flag_ids.code", "=", "DUPLICATE")]
            )
            if ids
            else leads
        )
        reasons = {}
        for lead in flagged:
            lines = (lead.g_assistant_flag_reasons or "").splitlines()
            told = [line for line in lines if line.startswith("DUPLICATE: ")]
            reasons[lead.id] = told[0].partition(": ")[2] if told else ""
        return {op: reasons[lead_id] for op, lead_id in ids.items() if lead_id in reasons}

    @api.model
    def _without_duplicate(self, parsed):
        """What was found out about a delivery itself."""
        flags = self.sudo().browse(parsed.get("g_assistant_flag_ids") or [])
        others = flags.filtered(lambda flag: flag.code != "DUPLICATE")
        lines = (parsed.get("g_assistant_flag_reasons") or "").splitlines()
        reasons = [line for line in lines if not line.startswith("DUPLICATE: ")]
        return {
            **parsed,
            "g_assistant_flag_ids": others.ids,
            "g_assistant_flag_reasons": "\n".join(reasons),
        }

    @api.model
    def _put(self, operation, raised, new, ids):
        """Add the flags to the operation, as if the daemon had found them; ``ids`` by code."""
        values = operation.values
        flags = {ids[code] for code in raised if code in ids}
        values["g_assistant_flag_ids"] = sorted(
            {*(values.get("g_assistant_flag_ids") or []), *flags}
        )
        lines = (values.get("g_assistant_flag_reasons") or "").splitlines()
        told = [line.partition(":")[0] for line in lines]
        lines += [f"{code}: {reason}" for code, reason in raised.items() if code not in told]
        values["g_assistant_flag_reasons"] = "\n".join(lines)
        operation.owned |= {"g_assistant_flag_ids", "g_assistant_flag_reasons"}
        tags = [tag for code, tag in operation.late.get("tag", {}).items() if code in raised]
        if tags:
            values["tag_ids"] = sorted({*(values.get("tag_ids") or []), *tags})
        if new and any(code in operation.late.get("archive", []) for code in raised):
            values["active"] = False
