import functools
import hashlib
import json
import logging
import random
import time
from datetime import timedelta

import requests

from odoo import api, fields, models

from .. import config, kinds, sender, signing, transaction

_logger = logging.getLogger(__name__)

BATCH_SIZE = 100
TIMEOUT_SECONDS = 10
# Seconds to the next try after the first, second, … failure; the last one repeats.
BACKOFF = (5, 30, 120, 600, 1800, 3600)


class Event(models.Model):
    """The change outbox: one row per record and transaction, written with the change
    and therefore neither lost nor sent for a change that was rolled back."""

    _name = "g_assistant.event"
    _description = "G-Assistant event"
    _order = "id desc"
    _rec_name = "kind"
    _log_access = False

    uuid = fields.Char(string="Event ID", required=True, readonly=True)
    kind = fields.Selection(list(kinds.LABELS.items()), required=True, readonly=True)
    model = fields.Char(required=True, readonly=True)
    res_id = fields.Many2oneReference(string="Record", model_field="model", readonly=True)
    data = fields.Text(readonly=True)
    changes = fields.Text(readonly=True)
    operation = fields.Char(readonly=True, help="The daemon's own operation, if it was one.")
    user_id = fields.Many2one("res.users", readonly=True, ondelete="set null")
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    timestamp = fields.Datetime(readonly=True)
    state = fields.Selection(
        [("pending", "Waiting"), ("delivered", "Delivered")], required=True, readonly=True
    )
    delivered_at = fields.Datetime(readonly=True)
    attempts = fields.Integer(string="Failed Attempts", readonly=True)
    retry_at = fields.Datetime(string="Next Try", readonly=True)
    error = fields.Char(string="Last Error", readonly=True)

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_event_uuid_uniq"
            " ON g_assistant_event (uuid);"
            "CREATE INDEX IF NOT EXISTS g_assistant_event_pending_index"
            " ON g_assistant_event (id) WHERE state = 'pending'"
        )

    # ---- noticing changes ------------------------------------------------------

    @api.model
    def _note_change(self, records):
        """Remember what these records were before this transaction, at first touch."""
        if not config.enabled(self.env):
            return
        ids = [record_id for record_id in records._ids if record_id]
        noted = transaction.of_model(self.env.cr, records._name)
        new_ids = [record_id for record_id in ids if record_id not in noted]
        if new_ids:
            # Straight from the database: what the cache holds may be changed already.
            before = self.env["g_assistant.mirror"]._watched_values(records._name, new_ids)
            for record_id, values in before.items():
                noted[record_id] = transaction.Change(self.env.uid, values)
        self._schedule_capture(records._name, ids)

    @api.model
    def _note_created(self, records):
        if not config.enabled(self.env):
            return
        noted = transaction.of_model(self.env.cr, records._name)
        for record_id in records.ids:
            noted[record_id] = transaction.Change(self.env.uid)
        self._schedule_capture(records._name, records.ids)

    @api.model
    def _note_deletion(self, records):
        if not config.enabled(self.env):
            return
        self._note_change(records)
        noted = transaction.of_model(self.env.cr, records._name)
        snapshots = self.env["g_assistant.mirror"]._snapshots(records._name, records.ids)
        for record_id, snapshot in snapshots.items():
            noted[record_id].deleted = snapshot

    @api.model
    def _note_merge(self, losers, winner):
        self._note_change(losers)
        noted = transaction.of_model(self.env.cr, losers._name)
        for loser_id in losers.ids:
            if loser_id in noted:
                noted[loser_id].merged_into = winner.id

    @api.model
    def _schedule_capture(self, model_name, ids):
        precommit = self.env.cr.precommit
        if transaction.KEY not in precommit.data:
            precommit.data[transaction.KEY] = {}
            precommit.add(self.sudo()._capture)
        precommit.data[transaction.KEY].setdefault(model_name, set()).update(ids)

    @api.model
    def _note_operation(self, records, key):
        """These records' changes are the daemon's own operation."""
        noted = transaction.of_model(self.env.cr, records._name)
        for record_id in records.ids:
            if record_id in noted:
                noted[record_id].operation = key
                # The change may be stored already, at a savepoint.
                self._schedule_capture(records._name, [record_id])

    # ---- storing the net change ------------------------------------------------

    def _capture(self):
        """Before commit, and at each savepoint: store the net change so far.

        A savepoint that is rolled back takes its rows with it; what comes later in
        the transaction updates the row that is there.
        """
        pending = self.env.cr.precommit.data.pop(transaction.KEY, {})
        for model_name, ids in pending.items():
            self.env[model_name].flush_model()
            self._capture_model(model_name, ids)

    def _capture_model(self, model_name, ids):
        noted = transaction.of_model(self.env.cr, model_name)
        ids = [record_id for record_id in sorted(ids) if record_id in noted]
        snapshots = self.env["g_assistant.mirror"]._snapshots(model_name, ids)
        muted = config.muted(self.env)
        rows, undone = [], []
        for record_id in ids:
            change = noted[record_id]
            after, record = snapshots.get(record_id) or (None, None)
            kind, diff = self._net_change(model_name, change, after)
            if kind and kind not in muted:
                change.stored = True
                values, record = (after, record) if record else change.deleted
                rows.append((record_id, change, kind, diff, values, record))
            elif change.stored:
                undone.append(change.uuid)
        if undone:
            self.env.cr.execute("DELETE FROM g_assistant_event WHERE uuid = ANY(%s)", [undone])
        if rows:
            self._store(model_name, rows)
            self._wake_sender_after_commit()

    @api.model
    def _net_change(self, model_name, change, after):
        """The kind of event and the ``changes``; no kind if nothing is left of it."""
        noun = kinds.NOUNS[model_name]
        if after is None:
            if change.created or change.deleted is None:
                return None, {}
            if change.merged_into:
                return "lead.merged", {"merged_into": {"old": None, "new": change.merged_into}}
            return noun + ".deleted", {}
        if change.created:
            return noun + ".created", {}
        if change.before == after:
            return None, {}
        mirror = self.env["g_assistant.mirror"]
        watched = mirror._shape(model_name).watched
        changed = {
            name: {
                "old": mirror._normal(model_name, name, old),
                "new": mirror._normal(model_name, name, new),
            }
            for name, old, new in zip(watched, change.before, after, strict=True)
            if old != new
        }
        kind = kinds.changed_kind(
            model_name,
            dict(zip(watched, change.before, strict=True)),
            dict(zip(watched, after, strict=True)),
        )
        # What only tells the kind, or differs in the stored form alone, is no change.
        diff = {
            name: values
            for name, values in changed.items()
            if name in self.env[model_name]._fields and values["old"] != values["new"]
        }
        return (kind, diff) if diff else (None, {})

    @api.model
    def _store(self, model_name, rows):
        """Insert the events in one statement, or update those of an earlier savepoint."""
        company = self.env["g_assistant.mirror"]._shape(model_name).watched.index("company_id")
        columns = zip(
            *(
                (
                    change.uuid,
                    record_id,
                    kind,
                    json.dumps(diff),
                    change.operation,
                    change.user_id,
                    values[company],
                    record,
                )
                for record_id, change, kind, diff, values, record in rows
            ),
            strict=True,
        )
        self.env.cr.execute(
            """
            INSERT INTO g_assistant_event (
                model, state, attempts, timestamp,
                uuid, res_id, kind, changes, operation, user_id, company_id, data
            )
            SELECT %s, 'pending', 0, clock_timestamp() AT TIME ZONE 'UTC', e.*
              FROM unnest(
                %s::varchar[], %s::int[], %s::varchar[], %s::text[],
                %s::varchar[], %s::int[], %s::int[], %s::text[]
              ) AS e
            ON CONFLICT (uuid) DO UPDATE
               SET kind = EXCLUDED.kind,
                   changes = EXCLUDED.changes,
                   operation = EXCLUDED.operation,
                   company_id = EXCLUDED.company_id,
                   data = EXCLUDED.data
            """,
            [model_name, *map(list, columns)],
        )

    @api.model
    def _wake_sender_after_commit(self):
        postcommit = self.env.cr.postcommit
        if not self.pool.ready or not config.url(self.env):
            return
        if not postcommit.data.get(sender.WAKE):
            postcommit.data[sender.WAKE] = True
            postcommit.add(functools.partial(sender.wake, self.env.cr.dbname))

    # ---- delivering ------------------------------------------------------------

    @api.model
    def _cron_send(self):
        sender.wake(self.env.cr.dbname)

    @api.model
    def _oldest_pending(self, limit):
        return self.search([("state", "=", "pending")], order="id", limit=limit)

    @api.model
    def _send_batch(self):
        """Post the oldest waiting events.

        Return the seconds to wait before the next call: 0 if there may be more to
        send now, ``None`` if there is nothing to do before the next change.
        """
        if not config.url(self.env) or not self.env["g_assistant.secret"]._valid_values():
            return None
        batch = self._oldest_pending(BATCH_SIZE)
        if not batch:
            return None
        retry_at = batch[0].retry_at
        if retry_at and retry_at > fields.Datetime.now():
            return (retry_at - fields.Datetime.now()).total_seconds()
        try:
            response = batch._post(TIMEOUT_SECONDS)
        except requests.RequestException as error:
            return batch._note_failure(type(error).__name__)
        if 200 <= response.status_code < 300:
            batch._mark_delivered()
            return 0
        return batch._note_failure(
            f"HTTP {response.status_code}", response.headers.get("Retry-After")
        )

    def _mark_delivered(self):
        self.write(
            {
                "state": "delivered",
                "delivered_at": fields.Datetime.now(),
                "retry_at": False,
                "error": False,
            }
        )

    def _note_failure(self, reason, retry_after=None):
        """Nothing is dropped: the batch is tried again, by whichever process comes
        first after ``retry_at``."""
        attempts = self[0].attempts + 1
        delay = BACKOFF[min(attempts, len(BACKOFF)) - 1] * random.uniform(0.9, 1.1)
        if retry_after and retry_after.isdigit():
            delay = int(retry_after)
        delay = max(1, min(delay, BACKOFF[-1]))
        self.write(
            {
                "attempts": attempts,
                "retry_at": fields.Datetime.now() + timedelta(seconds=delay),
                "error": reason,
            }
        )
        _logger.warning("%d events not accepted (%s), next try in %d s", len(self), reason, delay)
        return delay

    def _post(self, timeout):
        """POST these events, signed; also an empty batch, which tests the connection."""
        body = json.dumps(
            {"database": self._database_uuid(), "events": self._payload()}, ensure_ascii=False
        ).encode()
        # The same events have the same id however often they are sent.
        fingerprint = hashlib.sha256(" ".join(self.mapped("uuid")).encode()).hexdigest()[:32]
        message_id = f"events_{fingerprint}" if self else f"test_{time.time_ns()}"
        headers = signing.headers(
            self.env["g_assistant.secret"]._valid_values(), message_id, int(time.time()), body
        )
        return requests.post(
            config.url(self.env),
            data=body,
            headers={**headers, "content-type": "application/json"},
            timeout=timeout,
            allow_redirects=False,
        )

    @api.model
    def _database_uuid(self):
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    def _payload(self):
        """These events as the protocol has them."""
        mirror = self.env["g_assistant.mirror"].sudo().with_context(lang=self._names_lang())
        records = [json.loads(event.data) for event in self]
        links = [
            mirror._links(event.model, data) for event, data in zip(self, records, strict=True)
        ]
        names = mirror._names(links)
        database = self._database_uuid()
        return [
            event._payload_of_one(data, _names_for(names, linked), database)
            for event, data, linked in zip(self, records, links, strict=True)
        ]

    def _payload_of_one(self, data, names, database):
        if self.model == kinds.LEAD:
            data["stage_name"] = names.get("crm.stage", {}).get(str(data["stage_id"]))
        return {
            "id": self.uuid,
            "seq": self.id,
            "event": self.kind,
            "timestamp": self.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "model": self.model,
            "record_id": self.res_id,
            "operation": self.operation or None,
            "data": data,
            "names": names,
            "changes": json.loads(self.changes),
            "user": _id_and_name(self.user_id),
            "company": _id_and_name(self.company_id),
            "database": database,
        }

    @api.model
    def _names_lang(self):
        """The language of the daemon's user: names are to be the same in a page that
        it pulls and in an event that it is sent."""
        group = self.env.ref("g_assistant_connector.group_daemon").sudo()
        users = group.user_ids if "user_ids" in group._fields else group.users
        return users.sorted("id")[:1].lang or "en_US"

    @api.autovacuum
    def _gc_delivered(self):
        limit = fields.Datetime.now() - timedelta(days=config.retention_days(self.env))
        self.sudo().search(
            [("state", "=", "delivered"), ("delivered_at", "<", limit)], limit=100_000
        ).unlink()


def _names_for(names, links):
    """The part of ``names`` that one record refers to."""
    part = {}
    for model_name, ids in links.items():
        known = names.get(model_name, {})
        found = {str(one): known[str(one)] for one in sorted(ids) if str(one) in known}
        if found:
            part[model_name] = found
    return part


def _id_and_name(record):
    return {"id": record.id, "name": record.display_name} if record else None
