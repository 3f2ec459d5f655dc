import os

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import file_open

from .. import config
from .test_sender import SenderCase


@tagged("post_install", "-at_install")
class TestSettings(SenderCase):
    def settings(self, **values):
        return self.env["res.config.settings"].create(values)

    def try_connection(self):
        return self.env["res.config.settings"]._g_assistant_try_connection()

    def test_muted_kinds_round_trip(self):
        settings = self.settings()
        self.assertTrue(settings.g_assistant_lead_won)
        settings.g_assistant_lead_won = False
        settings.execute()
        self.assertEqual(config.muted(self.env), {"lead.won"})
        self.assertFalse(self.settings().g_assistant_lead_won)
        self.assertTrue(self.settings().g_assistant_lead_lost)

    def test_limits_of_leads_round_trip(self):
        self.assertEqual(config.response_minutes(self.env), (5, 60))
        self.settings(
            g_assistant_response_good=15,
            g_assistant_response_late=240,
            g_assistant_hot_score=101,
            g_assistant_hot_revenue=2500.5,
        ).execute()
        self.assertEqual(config.response_minutes(self.env), (15, 240))
        self.assertEqual(config.hot_score(self.env), 101)
        self.assertEqual(config.hot_revenue(self.env), 2500.5)
        self.assertEqual(self.settings().g_assistant_hot_revenue, 2500.5)

    def test_saving_tries_failed_events_again(self):
        self.lead()
        event = self.env["g_assistant.event"].search([])
        event.retry_at = "2099-01-01 00:00:00"
        self.settings().execute()
        self.assertFalse(event.retry_at)

    def test_secret_is_shown_once_and_unreadable_afterwards(self):
        action = self.settings().action_g_assistant_generate_secret()
        value = action["context"]["default_value"]
        self.assertTrue(value.startswith("whsec_"))
        self.assertTrue(action["context"]["default_expires_at"])
        admin = new_test_user(self.env, "g-assistant-root", groups="base.group_system")
        secret = self.env["g_assistant.secret"].with_user(admin).search([], limit=1)
        self.assertTrue(secret.read(["expires_at"]))
        with self.assertRaises(AccessError):
            secret.read(["value"])
        with self.assertRaises(AccessError):
            secret.search([("value", "like", "whsec")])
        with self.assertRaises(AccessError):
            self.env["g_assistant.secret"].with_user(self.daemon).generate()

    def test_connection(self):
        self.assertEqual(self.try_connection()[0], True)
        headers, body = self.server.received[0]
        self.assertSigned(headers, body, self.secret)
        self.assertIn(b'"events": []', body)
        action = self.settings().action_g_assistant_test()
        self.assertEqual(action["params"]["type"], "success")

    def test_what_is_wrong_is_said(self):
        self.server.status = 401
        self.server.answer = {"error": "stale_timestamp"}
        success, message = self.try_connection()
        self.assertFalse(success)
        self.assertIn("stale_timestamp", message)
        self.server.status = 404
        self.assertIn("404", self.try_connection()[1])
        self.server.status = 503
        self.server.answer = {"error": {"code": "store_down"}}
        self.assertIn("store_down", self.try_connection()[1])
        self.server.status = 307
        self.assertIn("307", self.try_connection()[1])
        self.env["ir.config_parameter"].set_param(config.URL, "http://127.0.0.1:9/")
        self.assertIn("running", self.try_connection()[1])
        self.env["ir.config_parameter"].set_param(config.URL, "nonsense")
        self.assertFalse(self.try_connection()[0])
        self.env["ir.config_parameter"].set_param(config.URL, False)
        self.assertIn("URL", self.try_connection()[1])

    def test_clock_skew_is_told(self):
        class Response:
            status_code = 200
            headers = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}

        success, message = self.env["res.config.settings"]._g_assistant_explain(Response())
        self.assertFalse(success)
        self.assertIn("clocks", message)

    def test_only_system_administrators_test(self):
        with self.assertRaises(UserError):
            self.env["res.config.settings"].with_user(self.daemon)._g_assistant_try_connection()

    def test_neutralize(self):
        with file_open(os.path.join("g_assistant_connector", "data", "neutralize.sql")) as script:
            self.env.cr.execute(script.read())
        self.env.registry.clear_cache()
        self.env.invalidate_all()
        self.assertFalse(config.url(self.env))
        self.assertFalse(self.env["g_assistant.secret"].search([]))
