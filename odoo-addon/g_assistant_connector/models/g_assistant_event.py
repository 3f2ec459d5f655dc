import functools
import hashlib
import json
import logging
import random
import time
import uuid
from datetime import timedelta

import requests

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from .. import config, kinds, sender, signing

_logger = logging.getLogger(__name__)

BATCH_SIZE = 100
TIMEOUT_SECONDS = 10
# Seconds to the next try after the first, second, … failure; the last one repeats.
BACKOFF = (5, 30, 120, 600, 1800, 3600)

# What is read of an event to send it.
SENT = (
    "uuid kind model res_id data changes operation user_id company_id timestamp attempts retry_at"
).split()

# Keeps connections open between batches.
_session = requests.Session()


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
    age = fields.Float(string="Waiting", compute="_compute_age")

    def init(self):
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS g_assistant_event_uuid_uniq"
            " ON g_assistant_event (uuid);"
            "CREATE INDEX IF NOT EXISTS g_assistant_event_pending_index"
            " ON g_assistant_event (id) WHERE state = 'pending'"
        )

    # ---- what the triggers noticed ---------------------------------------------

    @api.model
    def _digest(self):
        """Make events of what committed transactions left; return whether there is more.

        The net change of each record and transaction is one event. After the user's
        commit, since nobody waits for it there.
        """
        nets, more = self.env["g_assistant.capture"]._take()
        if not config.enabled(self.env):
            return more
        mirror = self.env["g_assistant.mirror"]
        muted = config.muted(self.env)
        won_stages = self._won_stages() if nets else ()
        rows = []
        for model_name, res_id, net in nets:
            watched = mirror._shape(model_name).watched
            kind, changes = net.event(model_name, watched, won_stages)
            if kind:
                rows.append((model_name, res_id, kind, changes, net))
        if rows:
            self.env["g_assistant.history"]._keep(rows)
        rows = [row for row in rows if row[2] not in muted]
        if rows:
            self._store(rows)
        return more

    @api.model
    def _won_stages(self):
        self.env.cr.execute("SELECT id FROM crm_stage WHERE is_won")
        return {row[0] for row in self.env.cr.fetchall()}

    @api.model
    def _store(self, rows):
        columns = zip(
            *(
                (
                    str(uuid.uuid4()),
                    model_name,
                    res_id,
                    kind,
                    net.at,
                    json.dumps(changes),
                    json.dumps(net.record),
                    net.operation,
                    net.user_id,
                    net.record.get("company_id"),
                )
                for model_name, res_id, kind, changes, net in rows
            ),
            strict=True,
        )
        # A user or company may have been deleted since.
        self.env.cr.execute(
            """
            INSERT INTO g_assistant_event (
                state, attempts, uuid, model, res_id, kind, timestamp, changes, data,
                operation, user_id, company_id
            )
            SELECT 'pending', 0, e.uuid, e.model, e.res_id, e.kind, e.at, e.changes, e.data,
                   e.operation, u.id, c.id
              FROM unnest(
                %s::varchar[], %s::varchar[], %s::int[], %s::varchar[], %s::timestamp[],
                %s::text[], %s::text[], %s::varchar[], %s::int[], %s::int[]
              ) WITH ORDINALITY AS e(
                uuid, model, res_id, kind, at, changes, data, operation, user_id, company_id, n
              )
              LEFT JOIN res_users u ON u.id = e.user_id
              LEFT JOIN res_company c ON c.id = e.company_id
             ORDER BY e.n
            """,
            list(map(list, columns)),
        )

    @api.model
    def _digest_for(self, wanted):
        """Have at least ``wanted`` events ready, if there are so many. If another
        transaction makes events at this moment, leave it to that."""
        self.env.cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [sender.DIGEST_LOCK])
        if not self.env.cr.fetchone()[0]:
            return
        waiting = [("state", "=", "pending")]
        while self.search_count(waiting, limit=wanted) < wanted and self._digest():
            pass

    @api.model
    def _count_pending(self):
        undigested = self.env["g_assistant.capture"]._count()
        return self.search_count([("state", "=", "pending")]) + undigested

    # ---- what people do --------------------------------------------------------

    @api.depends("state", "timestamp")
    def _compute_age(self):
        now = fields.Datetime.now()
        for event in self:
            waits = event.state == "pending" and event.timestamp
            event.age = (now - event.timestamp).total_seconds() / 3600 if waits else 0

    def action_deliver_now(self):
        """Try again at once. All that waits goes, since events leave in order."""
        if not self.env.user.has_group("g_assistant_connector.group_admin"):
            raise AccessError(_("Only a G-Assistant administrator may do this."))
        if not config.url(self.env):
            raise UserError(_("No daemon URL is set: the daemon fetches events itself."))
        waiting = self.sudo().search([("state", "=", "pending"), ("retry_at", "!=", False)])
        waiting.retry_at = False
        sender.wake_after_commit(self.env)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "message": _("What waits is being delivered now."),
                "type": "info",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    # ---- delivering ------------------------------------------------------------

    @api.model
    def _cron_send(self):
        sender.wake(self.env.cr.dbname)
        self.env["g_assistant.connection"]._cron_watch()

    @api.model
    def _oldest_pending(self, limit):
        return self.search_fetch([("state", "=", "pending")], SENT, order="id", limit=limit)

    @api.model
    def _send_batch(self):
        """Post the oldest waiting events.

        Return the seconds to wait before the next call: 0 if there may be more to
        send now, ``None`` if there is nothing to do before the next change.
        """
        secrets = config.url(self.env) and self.env["g_assistant.secret"]._valid_values()
        if not secrets:
            return None
        batch = self._oldest_pending(BATCH_SIZE)
        retry_at = batch and batch[0].retry_at
        if retry_at and retry_at > fields.Datetime.now():
            return (retry_at - fields.Datetime.now()).total_seconds()
        wishes = self.env["g_assistant.parked"]._take_untold()
        if not batch and not wishes:
            return None
        try:
            response = batch._post(secrets, TIMEOUT_SECONDS, wishes)
        except requests.RequestException as error:
            return batch._note_failure(type(error).__name__)
        if 200 <= response.status_code < 300:
            if _is_stored(response):
                batch._mark_delivered()
                return 0
            return batch._note_failure("not the daemon's answer")
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
        if not self:
            # It only told of wishes, which the daemon finds by itself.
            return None
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

    def _post(self, secrets, timeout, wishes=False):
        """POST these events, signed; also an empty batch, which tests the connection or
        says that there are wishes."""
        content = {"database": self._database_uuid(), "events": self._payload()}
        if wishes:
            content["wishes"] = True
        body = json.dumps(content, ensure_ascii=False).encode()
        # The same events have the same id however often they are sent.
        fingerprint = hashlib.sha256(" ".join(self.mapped("uuid")).encode()).hexdigest()[:32]
        message_id = f"events_{fingerprint}" if self else f"test_{time.time_ns()}"
        headers = signing.headers(secrets, message_id, int(time.time()), body)
        post = functools.partial(
            _session.post,
            config.url(self.env),
            data=body,
            headers={**headers, "content-type": "application/json"},
            timeout=timeout,
            allow_redirects=False,
        )
        try:
            return post()
        except requests.ConnectionError:
            # A connection that was kept may have been closed over there.
            return post()

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
        people = {"res.users": set(self.user_id.ids), "res.company": set(self.company_id.ids)}
        names = mirror._names([*links, people])
        database = self._database_uuid()
        return [
            event._payload_of_one(data, names, linked, database)
            for event, data, linked in zip(self, records, links, strict=True)
        ]

    def _payload_of_one(self, data, names, links, database):
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
            "names": _names_for(names, links),
            "changes": json.loads(self.changes),
            "user": _id_and_name(self.user_id, names),
            "company": _id_and_name(self.company_id, names),
            "database": database,
        }

    @api.model
    def _names_lang(self):
        """The language of the daemon's user: names are to be the same in a page that
        it pulls and in an event that it is sent."""
        self.env.cr.execute(
            "SELECT p.lang FROM res_groups_users_rel r"
            " JOIN res_users u ON u.id = r.uid AND u.active"
            " JOIN res_partner p ON p.id = u.partner_id"
            " WHERE r.gid = %s ORDER BY u.id LIMIT 1",
            [self.env.ref("g_assistant_connector.group_daemon").id],
        )
        found = self.env.cr.fetchone()
        return found and found[0] or "en_US"

    @api.autovacuum
    def _gc_delivered(self):
        # Rows that nobody else writes any more: one statement, and nobody waits for it.
        self.env.cr.execute(
            "DELETE FROM g_assistant_event WHERE state = 'delivered' AND delivered_at < %s",
            [fields.Datetime.now() - timedelta(days=config.retention_days(self.env))],
        )
        self.invalidate_model()


def _is_stored(response):
    """Whether the daemon says so: a page of a proxy or a portal may come with 200, too."""
    try:
        return response.json().get("status") == "stored"
    except (ValueError, AttributeError):
        return False


def _names_for(names, links):
    """The part of ``names`` that one record refers to."""
    part = {}
    for model_name, ids in links.items():
        known = names.get(model_name, {})
        found = {str(one): known[str(one)] for one in sorted(ids) if str(one) in known}
        if found:
            part[model_name] = found
    return part


def _id_and_name(record, names):
    return {"id": record.id, "name": names[record._name].get(str(record.id))} if record else None
