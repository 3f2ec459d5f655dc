import base64
import hashlib
import hmac
import json
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import config, signing
from .common import BridgeCase

LOGGER = "odoo.addons.g_assistant_connector.models.g_assistant_event"


class Daemon(HTTPServer):
    """A receiver that answers `status` and keeps what it got."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.received = []
        self.status = 200
        self.headers = {}
        self.answer = {"status": "stored"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())

    def log_message(self, *args):
        pass


class SenderCase(BridgeCase):
    """A real receiver. Odoo's tests forbid requests to the outside; this is none."""

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        if request.url.startswith("http://127.0.0.1:"):
            return _REAL_SEND(session, request, **kwargs)
        return super()._request_handler(session, request, **kwargs)

    def setUp(self):
        super().setUp()
        self.server = Daemon()
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/webhooks/odoo"
        self.env["ir.config_parameter"].set_param(config.URL, self.url)
        self.env["g_assistant.secret"].search([]).unlink()
        self.secret = self.env["g_assistant.secret"].generate()
        self.events = self.env["g_assistant.event"]

    def assertSigned(self, headers, body, secret):
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        self.assertIn("v1," + expected, headers["webhook-signature"].split(" "))


_REAL_SEND = requests.Session.send


@tagged("post_install", "-at_install")
class TestSender(SenderCase):
    def test_vector_of_the_specification(self):
        self.assertEqual(
            signing.sign(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1614265330,
                b'{"test": 2432232314}',
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        )

    def test_sends_in_order_and_marks_delivered(self):
        leads = self.env["crm.lead"].create([{"name": f"عميل {i}"} for i in range(120)])
        self.end_transaction()
        self.assertEqual(self.events._send_batch(), 0)
        self.assertEqual(self.events._send_batch(), 0)
        self.assertIsNone(self.events._send_batch())
        sent = []
        for headers, body in self.server.received:
            self.assertSigned(headers, body, self.secret)
            self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
            self.assertEqual(headers["content-type"], "application/json")
            sent.append([e["record_id"] for e in json.loads(body)["events"]])
        self.assertEqual([len(batch) for batch in sent], [100, 20])
        self.assertEqual(sum(sent, []), leads.ids)
        self.assertFalse(self.events.search([("state", "=", "pending")]))

    @mute_logger(LOGGER)
    def test_failure_waits_longer_each_time_and_drops_nothing(self):
        self.lead()
        self.server.status = 503
        event = self.events.search([])
        for attempt, (least, most) in enumerate([(4, 6), (27, 33), (108, 132), (540, 660)], 1):
            delay = self.events._send_batch()
            self.assertTrue(least <= delay <= most, delay)
            self.assertEqual((event.attempts, event.error), (attempt, "HTTP 503"))
            waiting = self.events._send_batch()
            self.assertTrue(0 < waiting <= most)
            event.retry_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(len(self.server.received), 4)
        ids = {headers["webhook-id"] for headers, _body in self.server.received}
        self.assertEqual(len(ids), 1, "a retry is the same message")
        self.server.status = 202
        self.assertEqual(self.events._send_batch(), 0)
        self.assertEqual((event.state, event.retry_at), ("delivered", False))

    @mute_logger(LOGGER)
    def test_only_the_daemons_own_answer_counts(self):
        self.lead()
        event = self.events.search([])
        for answer in ({}, {"status": "ok"}, ["stored"], "<html>Log in</html>"):
            self.server.answer = answer
            self.assertGreater(self.events._send_batch(), 0)
            self.assertEqual((event.state, event.error), ("pending", "not the daemon's answer"))
            event.retry_at = False
        self.server.answer = {"status": "stored", "new": 1, "known": 0}
        self.assertEqual(self.events._send_batch(), 0)
        self.assertEqual(event.state, "delivered")

    @mute_logger(LOGGER)
    def test_retry_after_is_honoured_and_clamped(self):
        self.lead()
        event = self.events.search([])
        self.server.status = 429
        for header, expected in (("17", 17), ("999999", 3600), ("0", 1)):
            self.server.headers = {"Retry-After": header}
            self.assertEqual(self.events._send_batch(), expected)
            event.retry_at = False

    @mute_logger(LOGGER)
    def test_redirects_are_not_followed(self):
        self.lead()
        self.server.status = 302
        self.server.headers = {"Location": self.url}
        self.assertGreater(self.events._send_batch(), 0)
        self.assertEqual(len(self.server.received), 1)

    @mute_logger(LOGGER)
    def test_nobody_there(self):
        self.lead()
        self.env["ir.config_parameter"].set_param(config.URL, "http://127.0.0.1:9/")
        self.assertGreater(self.events._send_batch(), 0)
        self.assertEqual(self.events.search([]).error, "ConnectionError")

    def test_rotation_signs_with_both_secrets_until_the_overlap_is_over(self):
        new = self.env["g_assistant.secret"].generate()
        self.lead()
        self.events._send_batch()
        headers, body = self.server.received[0]
        self.assertSigned(headers, body, self.secret)
        self.assertSigned(headers, body, new)
        previous = self.env["g_assistant.secret"].search([("expires_at", "!=", False)])
        previous.expires_at = fields.Datetime.now()
        self.assertEqual(self.env["g_assistant.secret"]._valid_values(), [new])
        previous._gc_expired()
        self.assertFalse(previous.exists())

    def test_without_url_or_secret_events_wait(self):
        self.lead()
        self.env["g_assistant.secret"].search([]).unlink()
        self.assertIsNone(self.events._send_batch())
        self.assertEqual(len(self.events.search([("state", "=", "pending")])), 1)
