"""Sends waiting events soon after the commit that made them.

One thread per process and database, started by ``wake``. It ends when nothing has
changed for a while; the cron starts it again, at the latest a minute later. Several
processes may be awake: a lock in the database lets one of them send.

It shares the processor with the users of its process, so it does little at a time:
it lets the request that woke it answer first, and after working it rests, the longer
the more there was to do. What changes meanwhile goes with the next batch.

A wakeup cannot be lost. ``wake`` marks the sender dirty before it looks whether
a thread runs, and the thread ends only if it is not dirty, under the same lock.
If another process holds the database's lock, we wait until it gives it up, since
it may have looked for events just before ours were committed.
"""

import functools
import logging
import threading
import time

import psycopg2

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry

from . import config

_logger = logging.getLogger(__name__)

WAKE = "g_assistant_connector.wake"

# Any number that nobody else uses for an advisory lock in an Odoo database.
LOCK = 0x67617373
DIGEST_LOCK = 0x67617375
LOCK_POLL_SECONDS = 0.15
# Longer than a request may take: who holds the lock then will look again itself.
LOCK_PATIENCE_SECONDS = 15
# A thread stays for changes and retries that come sooner than this; the cron does the others.
STAY_SECONDS = 60
# Between a wakeup and the first look.
GATHER_SECONDS = 0.008
# A rest is so many times as long as the work before it, up to a limit.
REST_FACTOR = 20
REST_SECONDS = 0.09

BUSY = object()

_senders = {}
_senders_lock = threading.Lock()


def wake_after_commit(env):
    """Have what this transaction changes sent, if it commits."""
    postcommit = env.cr.postcommit
    if WAKE in postcommit.data or not env.registry.ready:
        return
    postcommit.data[WAKE] = True
    if config.sends(env):
        postcommit.add(functools.partial(wake, env.cr.dbname))


def wake(dbname):
    """Have the events of this database sent, now, by a thread of this process."""
    with _senders_lock:
        sender = _senders.setdefault(dbname, Sender(dbname))
    sender.wake()


class Sender:
    def __init__(self, dbname):
        self._dbname = dbname
        # Guards `_dirty` and `_running`; notified when `_dirty` is set.
        self._condition = threading.Condition()
        # Something may be waiting that no look at the database has seen yet.
        self._dirty = False
        self._running = False

    def wake(self):
        with self._condition:
            self._dirty = True
            self._condition.notify()
            if not self._running:
                self._running = True
                threading.Thread(
                    target=self._run, name=f"g-assistant-sender.{self._dbname}", daemon=True
                ).start()

    def _run(self):
        threading.current_thread().dbname = self._dbname
        due = None
        while self._wait(due):
            due = self._drain()

    def _wait(self, due):
        """Until something changed, or a retry is due in that many seconds. ``False`` if
        neither comes soon: then the thread ends."""
        with self._condition:
            retries = due is not None and due < STAY_SECONDS
            timeout = due if retries else STAY_SECONDS
            if not self._condition.wait_for(lambda: self._dirty, timeout) and not retries:
                self._running = False
                return False
        time.sleep(GATHER_SECONDS)
        with self._condition:
            self._dirty = False
        return True

    def _drain(self):
        """Send until nothing is left; return the seconds until the next retry, if any."""
        patience = time.monotonic() + LOCK_PATIENCE_SECONDS
        try:
            while True:
                started = time.monotonic()
                delay = self._step()
                if delay is BUSY:
                    if time.monotonic() > patience:
                        return None
                    time.sleep(LOCK_POLL_SECONDS)
                    continue
                time.sleep(min(REST_FACTOR * (time.monotonic() - started), REST_SECONDS))
                if delay != 0:
                    return delay
        except psycopg2.OperationalError as error:
            # The database restarts, is dropped, or somebody else changed the rows.
            _logger.info("Sender interrupted: %s", type(error).__name__)
        except Exception:
            _logger.exception("Sender failed")
        return None

    def _step(self):
        """Make events of what was committed, and send a batch."""
        with Registry(self._dbname).check_signaling().cursor() as cr:
            events = api.Environment(cr, SUPERUSER_ID, {})["g_assistant.event"]
            self._begin(cr)
            cr.execute("SELECT pg_advisory_xact_lock(%s)", [DIGEST_LOCK])
            more = events._digest()
            # Committed before they are sent: an event must have one id for ever.
            cr.commit()  # pylint: disable=invalid-commit
            self._begin(cr)
            cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            delay = events._send_batch() if cr.fetchone()[0] else BUSY
            return 0 if more and delay is not BUSY else delay

    def _begin(self, cr):
        # Odoo's default would keep a snapshot from before we had the lock.
        cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
