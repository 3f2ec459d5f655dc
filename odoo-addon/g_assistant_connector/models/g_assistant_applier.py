"""Runs a batch of the daemon's operations in one transaction.

1. Claim the keys: what the ledger knows is answered from it.
2. In rounds, as operations may build on one another: create what is new, all
   records of a kind at once; then update what exists.
3. Store results and bindings. All of it commits together; of two transactions that
   create the same reference, one fails and is run again.
"""

import json

import psycopg2
from markupsafe import Markup

from odoo import _, api, exceptions, models
from odoo.exceptions import UserError, ValidationError

from .. import kinds, merge, values
from ..values import Unfit
from .g_assistant_operation import OPEN_ENDS

MODELS = (kinds.LEAD, kinds.ORDER, "res.partner")
ACTIONS = ("upsert", "update", "confirm", "cancel", "mark")
# What a `mark` is about: no record of a reference, but a message on its platform.
MESSAGE = "g_assistant.message"
MAX_OPERATIONS = 500
XMLID_MODULE = "__gassist__"

# Not the operation's fault: the whole call fails, and Odoo or the daemon repeats it.
TRANSIENT = (psycopg2.OperationalError, psycopg2.InterfaceError) + (
    (exceptions.ConcurrencyError,) if hasattr(exceptions, "ConcurrencyError") else ()
)

LIVE_CONTEXT = {"mail_create_nosubscribe": True, "mail_create_nolog": True}
SILENT_CONTEXT = {
    **LIVE_CONTEXT,
    "tracking_disable": True,
    "mail_notrack": True,
    "mail_auto_subscribe_no_notify": True,
}


class Operation:
    """One operation of a batch, and what became of it."""

    def __init__(self, raw):
        self.key = raw.get("key")
        self.model = raw.get("model")
        self.action = raw.get("action")
        self.ref = raw.get("ref")
        self.id = raw.get("id")
        self.xmlid = raw.get("xmlid")
        self.values = raw.get("values") or {}
        self.base = raw.get("base") or {}
        self.owned = set(raw.get("owned") or ())
        self.create_only = set(raw.get("create_only") or ())
        self.silent = bool(raw.get("silent"))
        self.match = raw.get("match")
        # What a person wrote on a messenger, and what became of a message there.
        self.message = raw.get("message")
        self.mark = raw.get("mark")
        # Who the person of a messenger is, as their platform said when it was asked.
        self.profile = raw.get("profile")
        # The lead of a message's person, and its state, if it is not open any more.
        self.before = None
        self.owner = raw.get("owner")
        self.late = raw.get("flags")
        # Whose turn it was, if it was anybody's.
        self.turn = None
        # The person was known: the record is another's, and this is added to it.
        self.attached = False
        # The values, checked, of one that is attached: to tell apart later what it brought.
        self.came = {}
        # The lead was hot before: only what makes it so is told.
        self.was_hot = False
        # Lead, score before, score now: if this changes the score.
        self.rescored = None
        self.result = None

    def finish(self, status, res_id=None, kept=(), error=None):
        self.result = {
            "key": self.key,
            "status": status,
            "id": res_id,
            "model": self.model,
            "kept": sorted(kept),
            "error": error,
            "replayed": False,
        }

    def refuse(self, error):
        name = "ValidationError" if isinstance(error, Unfit) else type(error).__name__
        message = str(error.args[0]) if error.args else str(error)
        self.finish("refused", error={"type": name, "message": message})

    @property
    def context(self):
        return SILENT_CONTEXT if self.silent else LIVE_CONTEXT


class Bound:
    """A record that a reference stands for, and what we wrote to it."""

    def __init__(self, res_id, text="{}", changed=False):
        self.res_id = res_id
        # JSON; most are only stored or only there, and never parsed.
        self._text = text
        self._written = None
        # Only what changed is stored: an order must not block on its customer's row.
        self.changed = changed

    @property
    def written(self):
        if self._written is None:
            self._written = json.loads(self._text)
        return self._written

    @property
    def text(self):
        return self._text if self._written is None else json.dumps(self._written)

    def agree(self, record, names):
        """The record holds there what came in."""
        for name in names:
            value = values.held(record, name)
            if name not in self.written or self.written[name] != value:
                self.written[name] = value
                self.changed = True


class Bindings(dict):
    """``{(model, ref): Bound}`` of a batch, growing as it creates records."""

    def __init__(self, env, known):
        super().__init__(known)
        self._env = env
        self._existing = set()

    def know(self, pairs, res_id):
        """Several references stand for one record."""
        for pair in pairs:
            binding = self.get(pair)
            if not binding or binding.res_id != res_id:
                self[pair] = Bound(res_id, changed=True)

    def resolve(self, model_name, link):
        """The id that a value refers to; PostgreSQL would not say which field is wrong."""
        if values.is_reference(link):
            binding = self.get((model_name, link["ref"]))
            if not binding:
                raise Unfit(f"nothing is known under the reference {link['ref']!r}")
            link = binding.res_id
        if (model_name, link) not in self._existing:
            if not self._env[model_name].sudo().browse(link).exists():
                raise Unfit(f"there is no {model_name} {link}")
            self._existing.add((model_name, link))
        return link


def _is_name(value):
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


class Applier(models.AbstractModel):
    _name = "g_assistant.applier"
    _description = "G-Assistant batch of operations"

    @api.model
    def _apply(self, raw_operations):
        """One result per operation, in order."""
        if not isinstance(raw_operations, list) or len(raw_operations) > MAX_OPERATIONS:
            raise UserError(_("Expected a list of at most %d operations.", MAX_OPERATIONS))
        operations = [Operation(raw if isinstance(raw, dict) else {}) for raw in raw_operations]
        for operation in operations:
            self._check_form(operation)
        first = {}
        for operation in operations:
            if not operation.result:
                first.setdefault(operation.key, operation)
        ledger = self.env["g_assistant.operation"]
        known = ledger._claim(first)
        fresh = [operation for key, operation in first.items() if key not in known]
        self._run(fresh)
        ledger._settle([operation.result for operation in fresh])
        for operation in operations:
            if operation.key in known and not operation.result:
                operation.result = {**known[operation.key], "replayed": True}
            elif not operation.result:
                result = first[operation.key].result
                operation.result = {**result, "replayed": result["status"] not in OPEN_ENDS}
        return [operation.result for operation in operations]

    @api.model
    def _check_form(self, operation):
        try:
            if not _is_name(operation.key):
                raise Unfit("an operation needs a key of 1 to 255 printable characters")
            if operation.model not in (*MODELS, MESSAGE):
                raise Unfit(f"model {operation.model!r} is not served")
            if operation.action not in ACTIONS:
                raise Unfit(f"there is no action {operation.action!r}")
            if (operation.action == "mark") != (operation.model == MESSAGE):
                raise Unfit("a message can be marked, and nothing else")
            if operation.action == "mark":
                self.env["g_assistant.message"]._check_mark(operation.mark)
                return
            if operation.action in ("confirm", "cancel") and operation.model != kinds.ORDER:
                raise Unfit("only an order can be confirmed or cancelled")
            if not isinstance(operation.values, dict) or not isinstance(operation.base, dict):
                raise Unfit("'values' and 'base' must be objects")
            if operation.ref is None and (operation.action == "upsert" or not operation.id):
                raise Unfit("an operation needs a 'ref' or, except upsert, an 'id'")
            if operation.ref is not None and not _is_name(operation.ref):
                raise Unfit("a 'ref' has 1 to 255 printable characters")
            if operation.id is not None and not isinstance(operation.id, int):
                raise Unfit("an 'id' is a number")
            if operation.xmlid is not None and not _is_name(operation.xmlid):
                raise Unfit("an 'xmlid' has 1 to 255 printable characters")
            self.env["g_assistant.duplicates"]._check_form(operation.match)
            self.env["g_assistant.conversation"]._check_form(operation.message)
            if operation.message and (operation.model, operation.action) != (kinds.LEAD, "upsert"):
                raise Unfit("a message is for the lead of its person")
            self.env["g_assistant.conversation"]._check_profile(operation.profile)
            if operation.profile and (operation.model, operation.action) != (kinds.LEAD, "update"):
                raise Unfit("a profile is for the lead of its person")
            self.env["g_assistant.owner"]._check_form(operation.owner)
            self.env["g_assistant.flag"]._check_form(operation.late)
        except Unfit as error:
            operation.refuse(error)

    # ---- the batch -------------------------------------------------------------

    @api.model
    def _run(self, operations):
        bindings = self.env["g_assistant.binding"]
        conversations = self.env["g_assistant.conversation"]
        self.env["g_assistant.message"]._finish_known(operations)
        self._run_marks([operation for operation in operations if operation.action == "mark"])
        operations = [operation for operation in operations if not operation.result]
        pairs = {(operation.model, operation.ref) for operation in operations if operation.ref}
        pairs |= self._referred(operations)
        for operation in operations:
            pairs |= {(kinds.LEAD, ref) for ref in conversations._references(operation)}
        bound = Bindings(
            self.env,
            {pair: Bound(res_id, text) for pair, (res_id, text) in bindings._load(pairs).items()},
        )
        self._adopt(operations, bound)
        self._find_by_id(operations, bound)
        conversations._find_leads(operations, bound)
        conversations._call_known(operations, bound)
        self._settle_duplicates(operations, bound)
        self.env["g_assistant.flag"]._raise_late(operations, bound)
        waiting = [operation for operation in operations if not operation.result]
        while waiting:
            ready, waiting = self._ready(waiting, bound)
            self._run_round(ready, bound)
        self._store(bound)

    @api.model
    def _run_marks(self, operations):
        def run(some):
            for one in some:
                self.env["g_assistant.message"].sudo()._mark(one)
            return []

        self._together(operations, run)

    @api.model
    def _referred(self, operations):
        """``(model, ref)`` of the records that values refer to."""
        pairs = set()
        for operation in operations:
            for name, ref in values.references(operation.values):
                model_name = self._comodel(operation.model, name)
                if model_name in MODELS:
                    pairs.add((model_name, ref))
        return pairs

    @api.model
    def _comodel(self, model_name, name):
        field = self.env[model_name]._fields.get(name)
        return field.comodel_name if field is not None and field.relational else None

    @api.model
    def _adopt(self, operations, bound):
        """Bind what was created without this addon, under an external id."""
        wanted = {}
        for operation in operations:
            module, _dot, name = (operation.xmlid or "").partition(".")
            pair = (operation.model, operation.ref)
            if module == XMLID_MODULE and operation.ref and pair not in bound:
                wanted[operation.model, name] = pair
        if not wanted:
            return
        self.env["ir.model.data"].flush_model()
        self.env.cr.execute(
            "SELECT model, name, res_id FROM ir_model_data WHERE module = %s AND name = ANY(%s)",
            [XMLID_MODULE, [name for _model, name in wanted]],
        )
        for model_name, name, res_id in self.env.cr.fetchall():
            pair = wanted.get((model_name, name))
            if pair:
                bound[pair] = Bound(res_id, changed=True)

    @api.model
    def _find_by_id(self, operations, bound):
        """An operation on a record that has a reference is one on that reference."""
        by_id = [operation for operation in operations if not operation.ref]
        pairs = {(operation.model, operation.id) for operation in by_id}
        known = self.env["g_assistant.binding"]._load_by_record(pairs)
        for operation in by_id:
            if (operation.model, operation.id) in known:
                operation.ref, text = known[operation.model, operation.id]
                bound.setdefault((operation.model, operation.ref), Bound(operation.id, text))

    @api.model
    def _settle_duplicates(self, operations, bound):
        """A creation for a person who is known becomes an update of their lead, of
        which we wrote nothing: what people made of it stays."""
        targets = self.env["g_assistant.duplicates"]._settle(operations, bound)
        for operation, lead_id in targets.items():
            operation.attached = True
            operation.base = {}
            bound[operation.model, operation.ref] = Bound(lead_id, changed=True)
            self._know_person(operation, lead_id, bound)

    @api.model
    def _know_person(self, operation, lead_id, bound):
        references = self.env["g_assistant.conversation"]._references(operation)
        bound.know([(kinds.LEAD, ref) for ref in references], lead_id)

    @api.model
    def _ready(self, waiting, bound):
        """The operations that can run now: the first on each record, unless it refers
        to one that an earlier operation is still to create."""
        ready, later, busy = [], [], set()
        for operation in waiting:
            lane = self._lane(operation, bound)
            needs = {
                (self._comodel(operation.model, name), ref)
                for name, ref in values.references(operation.values)
            }
            (later if lane in busy or needs & busy else ready).append(operation)
            busy.add(lane)
        return ready, later

    @api.model
    def _lane(self, operation, bound):
        binding = bound.get((operation.model, operation.ref))
        if binding:
            return operation.model, binding.res_id
        return operation.model, operation.ref or operation.id

    @api.model
    def _store(self, bound):
        rows = {}
        for (model_name, ref), binding in bound.items():
            if binding.changed:
                row = (ref, binding.res_id, binding.text)
                rows.setdefault(model_name, []).append(row)
        for model_name in sorted(rows):
            self.env["g_assistant.binding"]._store(model_name, rows[model_name])

    @api.model
    def _run_round(self, operations, bound):
        groups = {}
        existing = []
        for operation in operations:
            if operation.action == "upsert" and (operation.model, operation.ref) not in bound:
                groups.setdefault((operation.model, operation.silent), []).append(operation)
            else:
                existing.append(operation)
        for group in groups.values():
            self._create(group, bound)
        for model_name in MODELS:
            group = [operation for operation in existing if operation.model == model_name]
            self._run_on_existing(model_name, group, bound)

    @api.model
    def _parse(self, operation, bound):
        """The operation's values, checked and with references resolved."""
        model = self.env[operation.model]
        return {
            name: values.parse(model, name, value, bound.resolve)
            for name, value in operation.values.items()
        }

    @api.model
    def _refuse(self, operation, error):
        if isinstance(error, psycopg2.Error):
            error = ValidationError(self._database_message(operation, error))
        operation.refuse(error)

    @api.model
    def _database_message(self, operation, error):
        model = self.env[operation.model]
        if hasattr(model, "_sql_error_to_message"):
            return model._sql_error_to_message(error)
        return error.diag.message_primary or str(error)

    @api.model
    def _together(self, operations, run):
        """``run(operations)`` in one savepoint; if that fails, in halves, until the bad
        one stands alone. A savepoint for each would lose Odoo's batch speed.

        Return what ``run`` returned for those that went well.
        """
        if not operations:
            return []
        try:
            with self.env.cr.savepoint():
                return run(operations)
        except TRANSIENT:
            raise
        except Exception as error:
            if len(operations) == 1:
                self._refuse(operations[0], error)
                return []
        middle = len(operations) // 2
        first = self._together(operations[:middle], run)
        return first + self._together(operations[middle:], run)

    # ---- creating --------------------------------------------------------------

    @api.model
    def _create(self, operations, bound):
        prepared = {}
        for operation in operations:
            try:
                prepared[operation] = self._create_values(operation, bound)
            except (Unfit, UserError) as error:
                operation.refuse(error)
        self.env["g_assistant.owner"]._choose(prepared)
        for operation, create_values in prepared.items():
            self._add_defaults(operation.model, create_values)

        def create(some):
            model = self.env[some[0].model].with_context(**some[0].context)
            records = model.create([dict(prepared[operation]) for operation in some])
            self._note_operations(zip(some, records, strict=True))
            for operation, record in zip(some, records, strict=True):
                if operation.message:
                    self.env["g_assistant.conversation"]._post(operation, record)
            return list(zip(some, records, strict=True))

        created = self._together(list(prepared), create)
        if not created:
            return
        records = created[0][1].browse(record.id for _op, record in created)
        texts = self._written_texts(records, [operation.values for operation, _record in created])
        for operation, record in created:
            text = texts[record.id]
            bound[operation.model, operation.ref] = Bound(record.id, text, changed=True)
            self._know_person(operation, record.id, bound)
            operation.finish("created", record.id)
        self.env["g_assistant.owner"]._note(created)
        self.env["g_assistant.duplicates"]._note_created(created)
        if records._name == kinds.LEAD and not operations[0].silent:
            records._g_assistant_arrived()

    @api.model
    def _written_texts(self, records, came):
        """What bindings keep of new records, by id, in JSON text: all that Odoo holds, so that
        a default does not look like a person's change later. ``came``: the values of each."""
        mirror = self.env["g_assistant.mirror"]
        mirrored = records._name in kinds.NOUNS
        held = mirror._held(records) if mirrored else {}
        known = mirror._shape(records._name).held if mirrored else ()
        texts = {}
        for record, names in zip(records, came, strict=True):
            rest = [name for name in names if name not in known]
            text = json.dumps({name: values.held(record, name) for name in rest})
            whole = held.get(record.id)
            if whole:
                text = whole[:-1] + "," + text[1:] if rest else whole
            texts[record.id] = text
        return texts

    @api.model
    def _create_values(self, operation, bound):
        model = self.env[operation.model]
        return {
            name: values.to_orm(model, name, value)
            for name, value in self._parse(operation, bound).items()
        }

    @api.model
    def _add_defaults(self, model_name, create_values):
        """Odoo would make the calling user, a machine, the salesperson."""
        if model_name == kinds.LEAD:
            create_values.setdefault("user_id", False)
            if not create_values["user_id"] and not create_values.get("team_id"):
                # Otherwise Odoo takes the company from the salesperson or the team.
                create_values.setdefault("company_id", self.env.company.id)
        elif model_name == kinds.ORDER:
            partner = self.env["res.partner"].browse(create_values.get("partner_id"))
            salesperson = partner.user_id or partner.commercial_partner_id.user_id
            create_values.setdefault("user_id", salesperson.id)

    # ---- updating --------------------------------------------------------------

    @api.model
    def _bindings(self, model_name, operations, bound):
        """``{operation: Bound}`` of those whose record is known; the others end here."""
        bindings = {}
        for operation in operations:
            binding = bound.get((model_name, operation.ref))
            if operation.profile:
                self.env["g_assistant.conversation"].sudo()._introduce(operation.profile)
            if binding or operation.id:
                bindings[operation] = binding or Bound(operation.id)
            elif operation.profile:
                operation.finish("unchanged")
            else:
                operation.refuse(Unfit(f"nothing is known under the reference {operation.ref!r}"))
        return bindings

    @api.model
    def _run_on_existing(self, model_name, operations, bound):
        bindings = self._bindings(model_name, operations, bound)
        records = self.env[model_name].browse(binding.res_id for binding in bindings.values())
        existing = set(records.sudo().exists().ids)
        prepared = {}
        for operation, binding in bindings.items():
            if binding.res_id not in existing:
                operation.finish("gone", binding.res_id)
                continue
            try:
                parsed = self._parse(operation, bound)
            except Unfit as error:
                operation.refuse(error)
                continue
            if operation.attached:
                operation.came = parsed
            parsed = {n: v for n, v in parsed.items() if n not in operation.create_only}
            record = records.browse(binding.res_id).with_prefetch(records.ids)
            if model_name == kinds.LEAD:
                parsed = record._g_assistant_keep_score(parsed)
                operation.was_hot = record.sudo()._g_assistant_is_hot()
            prepared[operation] = (record.with_context(**operation.context), binding, parsed)

        def run(some):
            return [(one, self._run_one(one, *prepared[one])) for one in some]

        arrived, rescored = records.browse(), []
        for operation, (done, kept, agreed) in self._together(list(prepared), run):
            record, binding, _parsed = prepared[operation]
            binding.agree(record, agreed)
            self._know_person(operation, record.id, bound)
            if model_name == kinds.LEAD and not operation.silent:
                known = operation.was_hot and not record.g_assistant_notice_due
                if operation.attached or not known:
                    arrived |= record
            if operation.rescored:
                rescored.append(operation.rescored)
            operation.finish("updated" if done else "unchanged", record.id, kept)
        if arrived:
            arrived._g_assistant_arrived()
        if rescored:
            self.env["g_assistant.score"]._note(rescored)

    @api.model
    def _run_one(self, operation, record, binding, parsed):
        """Return whether the record changed, the fields where a person's value was
        kept, and those where Odoo now holds what came in."""
        if operation.action in ("confirm", "cancel"):
            done, kept, agreed = self._change_state(operation.action, record), [], []
        else:
            if operation.attached:
                before = self.env["g_assistant.duplicate"]._before(record, parsed)
                if operation.match["decision"]["do"] == "reopen":
                    self.env["g_assistant.duplicates"]._reopen(record)
            done, kept, agreed = self._update(operation, record, binding, parsed)
        if operation.attached:
            self.env["g_assistant.duplicate"]._remember(operation, record, record.browse(), before)
            self.env["g_assistant.owner"]._adopt(operation, record)
            self.env["g_assistant.duplicates"]._note_attached(
                operation, record, {} if operation.message else parsed
            )
            done = True
        if operation.message:
            done = self.env["g_assistant.conversation"]._post(operation, record) or done
        if done:
            self._note_operations([(operation, record)])
        return done, kept, agreed

    @api.model
    def _note_operations(self, done):
        """What these operations did to their records is the daemon's own doing."""
        by_model = {}
        for operation, record in done:
            notes = by_model.setdefault(record._name, {})
            notes[record.id] = {"operation": operation.key}
        for model_name, notes in by_model.items():
            if model_name in kinds.NOUNS:
                self.env["g_assistant.capture"]._note(model_name, notes)

    @api.model
    def _change_state(self, action, order):
        # "done" is what a locked order is up to 16.
        if order.state in (("sale", "done") if action == "confirm" else ("cancel",)):
            return False
        if action == "confirm":
            order.action_confirm()
        else:
            order.with_context(disable_cancel_warning=True).action_cancel()
        return True

    @api.model
    def _update(self, operation, record, binding, parsed):
        # Whoever writes on does not describe the lead anew: what is empty is filled in.
        fills = bool(operation.message)
        owned = set() if fills else operation.owned
        known = {} if fills else {**operation.base, **binding.written}
        now = {name: values.held(record, name) for name in parsed}
        decisions = {
            name: merge.decide(known.get(name, merge.UNKNOWN), now[name], new, name in owned)
            for name, new in parsed.items()
        }
        to_write = [name for name, decision in decisions.items() if decision == merge.WRITE]
        kept = [name for name, decision in decisions.items() if decision == merge.KEEP]
        agreed = [name for name in parsed if merge.same(now[name], parsed[name])]
        if to_write:
            self._check_open(record)
            record.write({name: values.to_orm(record, name, parsed[name]) for name in to_write})
            if "g_assistant_score" in to_write:
                score = "g_assistant_score"
                operation.rescored = (record.id, now[score], parsed[score])
        if fills:
            return bool(to_write), [], []
        # Whom a person has named is called so.
        if kept and not operation.silent and not operation.attached and not operation.profile:
            self._note_kept(record, {name: (now[name], parsed[name]) for name in kept})
        return bool(to_write), kept, to_write + agreed

    @api.model
    def _check_open(self, record):
        if record._name == kinds.ORDER and record.state not in ("draft", "sent"):
            raise UserError(_("The order is not a quotation any more."))

    # ---- telling people --------------------------------------------------------

    @api.model
    def _note_kept(self, record, kept):
        """Say on the record what was not taken over, in its salesperson's language."""
        lang = (record.sudo().user_id if "user_id" in record._fields else self.env.user).lang
        applier = self.with_context(lang=lang or self.env.user.lang)
        record._message_log(body=applier._kept_body(record.with_env(applier.env), kept))

    @api.model
    def _kept_body(self, record, kept):
        labels = record.fields_get(list(kept), ["string"])
        lines = Markup().join(
            Markup("<li>%s</li>")
            % _(
                "%(field)s: yours %(theirs)s, incoming %(incoming)s",
                field=labels[name]["string"],
                theirs=self._display(record, name, theirs),
                incoming=self._display(record, name, incoming),
            )
            for name, (theirs, incoming) in kept.items()
        )
        return Markup("%s<ul>%s</ul>") % (_("G-Assistant kept your values:"), lines)

    @api.model
    def _display(self, record, name, value):
        field = record._fields[name]
        if (record._name, name) == values.LINES:
            return _("%d lines", len(value))
        if value is None or value == []:
            return _("(empty)")
        if field.type in ("many2one", "many2many"):
            linked = self.env[field.comodel_name].sudo().browse(value).exists()
            return ", ".join(linked.mapped("display_name"))
        if field.type == "selection":
            return dict(field._description_selection(record.env)).get(value, value)
        return str(value)
