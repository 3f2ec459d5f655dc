import json
import os
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import file_open

from .. import config
from .common import BridgeCase
from .test_sender import SenderCase

REPORT = {
    "daemon": "d-1",
    "name": "crm-box",
    "version": "0.1.0",
    "started_at": "2026-11-21 10:00:00",
    "waiting": 3,
    "parked": 0,
    "oldest_seconds": 12,
    "polled_at": "2026-11-21 10:05:00",
    "leads_compared_at": None,
    "leads_count": 200,
    "orders_compared_at": None,
    "orders_count": 5_000_000_000,
    "sources": [{"source": "website", "kind": "generic", "account": None, "state": "ok"}],
    "forms": [],
    "parked_jobs": [],
}
META = {
    "source": "meta",
    "kind": "meta",
    "account": "1020",
    "state": "denied",
    "since": "2026-11-21 10:01:00",
    "detail": "refuses: 190 Session has expired",
    "hint": "make a new token",
}
JOB = {
    "kind": "push",
    "key": "website:lead:1:0",
    "state": "parked",
    "job": 7,
    "tries": 1,
    "source": "website",
    "summary": "crm.lead upsert website:1",
    "error": "there is no sales team “Riyadh”",
    "created_at": "2026-11-21 10:00:00",
    "parked_at": "2026-11-21 10:00:01",
    "payload": '{"name": {"plain": "Villa"}}',
    "editable": True,
}
NAME = {"kind": "push", "key": JOB["key"]}


class ConnectionCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        params = cls.env["ir.config_parameter"]
        for name in (config.SILENT_MINUTES, config.ALERT_USERS, config.ALERT_WAYS):
            params.set_param(name, False)
        cls.admin = new_test_user(
            cls.env,
            "g-assistant-admin",
            groups="g_assistant_connector.group_admin",
            email="admin@example.com",
        )
        cls.sales = new_test_user(
            cls.env, "g-assistant-sales", groups="sales_team.group_sale_manager"
        )
        params.set_param(config.ALERT_USERS, str(cls.admin.id))
        # What the database of a developer may hold already.
        cls.env["g_assistant.connection"].search([]).unlink()

    def report(self, **changes):
        return json.loads(self.bridge.report(json.dumps({**REPORT, **changes})))

    def operations(self, *jobs):
        self.bridge.operations("d-1", json.dumps(jobs))
        self.env.invalidate_all()

    @property
    def connection(self):
        return self.env["g_assistant.connection"].search([])

    @property
    def parked(self):
        return self.env["g_assistant.parked"].search([])

    def park(self, **changes):
        self.assertEqual(
            self.report(parked=1, parked_jobs=[["push", JOB["key"], 1]])["asked"], [NAME]
        )
        self.operations({**JOB, **changes})
        return self.parked.with_user(self.admin)

    def activities(self):
        return self.env["mail.activity"].search([("res_model", "=", "g_assistant.connection")])


@tagged("post_install", "-at_install")
class TestConnection(ConnectionCase):
    def test_one_row_however_often_it_reports(self):
        self.assertEqual(self.report(), {"asked": [], "wishes": []})
        first = self.connection
        self.assertEqual(first.state, "ok")
        source = first.source_ids
        written = source.write_date
        self.report(waiting=0, version="0.2.0")
        self.assertEqual(self.connection, first)
        self.assertEqual(
            (first.waiting, first.version, first.orders_count), (0, "0.2.0", 2**31 - 1)
        )
        self.assertEqual((first.source_ids, source.write_date), (source, written), "as it was")
        self.assertFalse(first.message_ids, "no chatter")
        self.report(daemon="d-2", name="other")
        self.assertEqual(len(self.connection), 2)

    def test_sources_and_forms_follow_the_report(self):
        forms = [
            {
                "source": "meta",
                "form_key": "9",
                "form": "فلل",
                "day": "2026-11-20",
                "platform": 214,
                "odoo": 213,
            }
        ]
        self.report(sources=[*REPORT["sources"], META], forms=forms)
        meta, website = self.env["g_assistant.connection.source"].search([])
        self.assertEqual((meta.state, meta.detail), ("denied", META["detail"]))
        self.assertEqual(website.state, "ok")
        form = self.connection.form_ids
        self.assertEqual((form.form, form.platform, form.odoo, form.missing), ("فلل", 214, 213, 1))
        forms[0]["odoo"] = 214
        self.report(sources=[{**META, "state": "from the future", "detail": None}], forms=forms)
        self.assertEqual(self.connection.source_ids, meta, "the other is gone")
        self.assertEqual((meta.state, meta.detail), ("other", False))
        self.assertEqual((self.connection.form_ids, form.missing), (form, 0))
        self.report(sources=[], forms=[])
        self.assertFalse(self.connection.source_ids or self.connection.form_ids)

    def test_only_the_daemon_reports_and_only_to_its_own_database(self):
        for user in (self.admin, self.sales):
            bridge = self.bridge.with_user(user)
            with self.assertRaises(AccessError):
                bridge.report(json.dumps(REPORT))
            with self.assertRaises(AccessError):
                bridge.operations("d-1", "[]")
        answer = json.loads(self.bridge.report(json.dumps(REPORT), database="another"))
        self.assertIn("wrong_database", answer)
        self.assertFalse(self.connection)

    def test_who_may_see(self):
        self.park()
        self.report(parked=1, parked_jobs=[["push", JOB["key"], 1]], sources=[META], forms=[])
        models = ("", ".source", ".form")
        names = [*(f"g_assistant.connection{name}" for name in models), "g_assistant.parked"]
        for name in names:
            self.env[name].with_user(self.admin).search([])
            for user in (self.sales, self.daemon):
                with self.assertRaises(AccessError):
                    self.env[name].with_user(user).search([])
            for user in (self.admin, self.sales, self.daemon):
                with self.assertRaises(AccessError):
                    self.env[name].with_user(user).create({})
        self.assertEqual(self.connection.with_user(self.admin).state, "attention")
        with self.assertRaises(AccessError):
            self.connection.with_user(self.admin).write({"name": "mine"})
        with self.assertRaises(AccessError):
            self.parked.with_user(self.admin).write({"state": "done"})
        with self.assertRaises(AccessError):
            self.parked.with_user(self.sales).action_retry()
        attention = self.env["g_assistant.connection"].attention
        self.assertFalse(self.env["g_assistant.connection"].with_user(self.sales).attention())
        self.assertTrue(attention())

    def test_another_company_is_another_matter(self):
        other = self.env["res.company"].create({"name": "Another"})
        parked = self.park()
        stranger = new_test_user(
            self.env,
            "g-assistant-stranger",
            groups="g_assistant_connector.group_admin",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        for name in (
            "g_assistant.connection",
            "g_assistant.connection.source",
            "g_assistant.parked",
        ):
            self.assertTrue(self.env[name].with_user(self.admin).search([]), name)
            self.assertFalse(self.env[name].with_user(stranger).search([]), name)
        self.assertEqual(self.env["g_assistant.connection"].with_user(stranger).attention(), [])
        with self.assertRaises(UserError):
            parked.with_user(stranger).action_retry()
        self.assertEqual(parked.state, "parked")

    def test_neutralize(self):
        self.report(sources=[META])
        self.assertTrue(self.activities())
        self.env.flush_all()
        with file_open(os.path.join("g_assistant_connector", "data", "neutralize.sql")) as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(self.connection)
        self.assertFalse(self.activities())


@tagged("post_install", "-at_install")
class TestTold(ConnectionCase):
    def toasts(self):
        """What was sent to screens in this transaction."""
        values = self.env.cr.precommit.data.get("bus.bus.values", [])
        sent = [json.loads(value["message"]) for value in values]
        values.clear()
        return [one["payload"]["message"] for one in sent if one["type"] == "simple_notification"]

    def test_a_problem_is_told_once_and_taken_back(self):
        self.report(sources=[META])
        activity = self.activities()
        self.assertEqual(activity.user_id, self.admin)
        self.assertIn("190 Session has expired", activity.note)
        toast = self.toasts()
        self.assertEqual(len(toast), 1)
        self.assertIn("make a new token", toast[0])
        self.report(sources=[META], waiting=9)
        self.assertEqual((self.activities(), self.toasts()), (activity, []), "it was told")

        self.park()
        self.assertEqual(self.activities(), activity, "one activity for all of it")
        self.assertIn("wait for a decision", activity.note)
        self.assertEqual(len(self.toasts()), 1)
        self.report()
        self.assertFalse(self.activities().filtered("active"))
        self.assertEqual(self.connection.state, "ok")

    def test_a_platform_that_is_away_is_told_of_if_it_stays_away(self):
        now = fields.Datetime.now()
        for minutes, state in ((1, "ok"), (20, "attention")):
            since = fields.Datetime.to_string(now - timedelta(minutes=minutes))
            self.report(sources=[{**META, "state": "unreachable", "since": since}])
            self.assertEqual(self.connection.state, state, f"{minutes} minutes")
        self.report(sources=[{**META, "state": "ok", "warnings": "the token expires soon"}])
        self.assertIn("the token expires soon", self.connection.problems)

    def test_silence_is_noticed_without_the_daemon(self):
        self.report()
        self.env["g_assistant.event"]._cron_send()
        self.assertFalse(self.activities())
        connection = self.connection
        connection.seen_at = fields.Datetime.now() - timedelta(minutes=6)
        self.env["g_assistant.event"]._cron_send()
        self.assertIn("crm-box", self.activities().note)
        self.assertEqual(connection.state, "silent")
        found = self.env["g_assistant.connection"].with_user(self.admin).attention()
        self.assertEqual([one["id"] for one in found], connection.ids)
        self.env["ir.config_parameter"].set_param(config.SILENT_MINUTES, "10")
        connection.invalidate_recordset()
        self.assertEqual(connection.state, "ok")
        self.env["ir.config_parameter"].set_param(config.SILENT_MINUTES, False)
        self.report()
        self.assertFalse(self.activities().filtered("active"))
        self.assertEqual(self.env["g_assistant.connection"].with_user(self.admin).attention(), [])

    def test_people_and_ways_are_those_of_the_settings(self):
        settings = self.env["res.config.settings"].create({})
        self.assertEqual(settings.g_assistant_alert_user_ids, self.admin)
        ways = [settings[f"g_assistant_alert_{way}"] for way in config.WAYS]
        self.assertEqual(ways, [True, True, False])
        settings.g_assistant_alert_user_ids = self.admin | self.sales
        settings.g_assistant_alert_activity = False
        settings.g_assistant_alert_mail = True
        settings.execute()
        self.report(sources=[META])
        self.assertFalse(self.activities())
        mail = self.env["mail.mail"].search([("subject", "like", "G-Assistant")])
        self.assertIn("admin@example.com", mail.email_to)
        self.assertIn("190 Session has expired", mail.body_html)
        self.assertEqual(len(self.toasts()), 1, "who may not see it is not told")

        settings = self.env["res.config.settings"].create({})
        for way in config.WAYS:
            settings[f"g_assistant_alert_{way}"] = False
        settings.execute()
        self.report(daemon="d-3", sources=[META])
        self.assertEqual((self.toasts(), len(self.activities())), ([], 0))

    def test_in_ones_own_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        module = self.env["ir.module.module"].search([("name", "=", "g_assistant_connector")])
        module._update_translations(["ar_001"])
        self.admin.lang = "ar_001"
        self.park()
        self.assertIn("عمليات", self.activities().note)


@tagged("post_install", "-at_install")
class TestParked(ConnectionCase):
    def listed(self, tries=1):
        return self.report(parked=1, parked_jobs=[["push", JOB["key"], tries]])

    def test_a_wish_waits_until_it_is_carried_out_and_told_once(self):
        parked = self.park()
        self.assertEqual(self.listed(), {"asked": [], "wishes": []}, "nothing is unknown")
        parked.action_retry()
        self.assertEqual((parked.state, parked.wished_by), ("asked", self.admin))
        self.assertTrue(json.loads(self.bridge.events())["wishes"])
        wish = {**NAME, "tries": 1, "do": "retry", "payload": None}
        self.assertEqual(self.listed()["wishes"], [wish])
        self.assertEqual(self.listed()["wishes"], [wish], "until the daemon says that it did")
        self.operations(JOB)
        self.assertEqual(parked.state, "asked", "said before it was carried out")

        self.operations({**JOB, "state": "ready"})
        self.assertEqual(parked.state, "running")
        self.assertFalse(json.loads(self.bridge.events())["wishes"])
        self.assertEqual(self.report()["asked"], [NAME], "how did it end?")
        self.operations({**JOB, "state": "done", "model": "crm.lead", "id": self.lead().id})
        self.assertEqual((parked.state, parked.res_model), ("done", "crm.lead"))
        self.assertFalse(parked.payload, "what it was about is in the lead")
        self.assertEqual(self.report(), {"asked": [], "wishes": []})
        with self.assertRaises(UserError):
            parked.action_retry()

    def test_refused_once_more(self):
        parked = self.park()
        parked.action_retry()
        self.operations({**JOB, "state": "leased"})
        self.assertEqual(self.listed(tries=2)["asked"], [NAME])
        self.operations({**JOB, "tries": 2, "error": "still no team"})
        self.assertEqual((parked.state, parked.error, parked.tries), ("parked", "still no team", 2))
        parked.action_discard()
        self.assertEqual(self.listed(tries=2)["wishes"][0]["do"], "discard")
        self.operations({**JOB, "state": "discarded"})
        self.assertEqual(parked.state, "discarded")

    def test_edit_and_retry(self):
        parked = self.park()
        action = parked.action_edit()
        wizards = self.env[action["res_model"]].with_user(self.admin)

        def apply(payload):
            wizard = Form(wizards.with_context(**action["context"]))
            self.assertEqual((wizard.payload, wizard.error), (JOB["payload"], JOB["error"]))
            wizard.payload = payload
            wizard.save().action_apply()

        for nonsense in ("{'name': 1}", "[1]"):
            with self.assertRaises(UserError):
                apply(nonsense)
        self.assertEqual(parked.state, "parked")
        apply('{"name": {"plain": "شقة"}}')
        wish = self.listed()["wishes"][0]
        self.assertEqual(wish["do"], "edit")
        self.assertEqual(json.loads(wish["payload"]), {"name": {"plain": "شقة"}})
        self.operations({**JOB, "refused": "the values cannot be read"})
        self.assertEqual((parked.state, parked.answer), ("parked", "the values cannot be read"))

    def test_a_decision_may_be_taken_back_or_overtaken(self):
        parked = self.park()
        parked.action_discard()
        parked.action_withdraw()
        self.assertEqual((parked.state, self.listed()["wishes"]), ("parked", []))
        parked.action_discard()
        # Somebody retried it at the daemon's own command line.
        self.operations({**JOB, "tries": 2})
        self.assertEqual((parked.state, self.listed(tries=2)["wishes"]), ("parked", []))
        self.operations({**JOB, "state": "gone"})
        self.assertFalse(self.parked)

    def test_it_works_while_the_daemon_is_silent(self):
        parked = self.park()
        self.assertFalse(parked.silent_since)
        self.connection.seen_at = fields.Datetime.now() - timedelta(hours=1)
        parked.invalidate_recordset()
        self.assertEqual(parked.silent_since, self.connection.seen_at)
        parked.action_retry()
        self.assertEqual(self.listed()["wishes"][0]["do"], "retry", "when it is back")

    def test_much_at_once_comes_in_parts_and_a_newer_kind_is_left_alone(self):
        jobs = [["push", f"website:{n}", 1] for n in range(150)]
        asked = self.report(parked=151, parked_jobs=[*jobs, ["teleport", "x", 1]])["asked"]
        self.assertEqual(len(asked), 100)
        self.operations(*({**JOB, **name} for name in asked))
        asked = self.report(parked=151, parked_jobs=[*jobs, ["teleport", "x", 1]])["asked"]
        self.assertEqual(len(asked), 50)

    def test_what_ended_long_ago_is_forgotten(self):
        parked = self.park()
        self.operations({**JOB, "state": "discarded"})
        parked._gc_ended()
        self.assertTrue(parked.exists())
        parked.sudo().ended_at = fields.Datetime.now() - timedelta(days=91)
        parked._gc_ended()
        self.assertFalse(parked.exists())


@tagged("post_install", "-at_install")
class TestNudge(SenderCase, ConnectionCase):
    def test_the_daemon_is_told_at_once_that_there_are_wishes(self):
        parked = self.park()
        self.assertIsNone(self.events._send_batch())
        self.assertEqual(self.server.received, [])
        parked.action_retry()
        self.assertEqual(self.events._send_batch(), 0)
        headers, body = self.server.received[0]
        self.assertSigned(headers, body, self.secret)
        self.assertEqual(json.loads(body)["wishes"], True)
        self.assertIsNone(self.events._send_batch())
        self.assertEqual(len(self.server.received), 1, "once")

        # With a change, and not again if nobody listens.
        parked.action_discard()
        self.lead()
        self.assertEqual(self.events._send_batch(), 0)
        content = json.loads(self.server.received[1][1])
        self.assertEqual((content["wishes"], len(content["events"])), (True, 1))
        parked.action_retry()
        self.server.status = 503
        self.assertIsNone(self.events._send_batch())
        self.assertEqual(len(self.server.received), 3)
        self.assertIsNone(self.events._send_batch())
        self.assertEqual(len(self.server.received), 3, "it finds them by itself")

    def test_deliver_now(self):
        lead = self.lead()
        self.server.status = 503
        self.assertTrue(self.events._send_batch())
        event = self.events.search([("res_id", "=", lead.id)])
        self.assertTrue(event.retry_at)
        event.timestamp -= timedelta(hours=2)
        self.assertAlmostEqual(event.age, 2, delta=0.1)
        with self.assertRaises(AccessError):
            event.with_user(self.sales).action_deliver_now()
        event.with_user(self.admin).action_deliver_now()
        self.assertFalse(event.retry_at)
        self.server.status = 200
        self.assertEqual(self.events._send_batch(), 0)
        self.assertEqual((event.state, event.age), ("delivered", 0))
        self.env["ir.config_parameter"].set_param(config.URL, False)
        with self.assertRaises(UserError):
            event.with_user(self.admin).action_deliver_now()
