"""Sends waiting events soon after the commit that made them.

One short thread per process and database, started by ``wake``. It ends when
nothing is left to send; the cron starts it again, at the latest a minute later.
Several processes may be awake: a lock in the database lets one of them send.

A wakeup cannot be lost. ``wake`` marks the sender dirty before it looks whether
a thread runs, and the thread ends only if it is not dirty, under the same lock.
If another process holds the database's lock, we wait until it gives it up, since
it may have looked for events just before ours were committed.
"""

import logging
import threading
import time

import psycopg2

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry

_logger = logging.getLogger(__name__)

WAKE = "g_assistant_connector.wake"

# Any number that nobody else uses for an advisory lock in an Odoo database.
LOCK = 0x67617373
LOCK_POLL_SECONDS = 0.15
# Longer than a request may take: who holds the lock then will look again itself.
LOCK_PATIENCE_SECONDS = 15
# A thread stays for a retry that is nearer than this; the cron does the others.
NAP_SECONDS = 60

BUSY = object()

_senders = {}
_senders_lock = threading.Lock()


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
        while self._start_over():
            self._nap(self._drain())

    def _start_over(self):
        with self._condition:
            self._running = self._dirty
            self._dirty = False
            return self._running

    def _nap(self, seconds):
        """Wait for a retry that is due soon, unless a new change wakes us."""
        if seconds is None or seconds > NAP_SECONDS:
            return
        with self._condition:
            self._condition.wait_for(lambda: self._dirty, timeout=seconds)
            self._dirty = True

    def _drain(self):
        """Send until nothing is left; return the seconds until the next retry, if any."""
        patience = time.monotonic() + LOCK_PATIENCE_SECONDS
        try:
            while True:
                delay = self._send_batch()
                if delay is BUSY:
                    if time.monotonic() > patience:
                        return None
                    time.sleep(LOCK_POLL_SECONDS)
                elif delay != 0:
                    return delay
        except psycopg2.OperationalError as error:
            # The database restarts, is dropped, or somebody else changed the rows.
            _logger.info("Sender interrupted: %s", type(error).__name__)
        except Exception:
            _logger.exception("Sender failed")
        return None

    def _send_batch(self):
        registry = Registry(self._dbname).check_signaling()
        with registry.cursor() as cr:
            # Odoo's default would keep a snapshot from before we had the lock.
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cr.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cr.fetchone()[0]:
                return BUSY
            return api.Environment(cr, SUPERUSER_ID, {})["g_assistant.event"]._send_batch()
