import json

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestEvents(BridgeCase):
    def test_events_stay_until_acknowledged(self):
        leads = self.env["crm.lead"].create([{"name": f"L{i}"} for i in range(3)])
        self.end_transaction()
        answer = json.loads(self.bridge.events(limit=2))
        self.assertEqual(answer["pending"], 3)
        self.assertEqual([e["record_id"] for e in answer["events"]], leads.ids[:2])
        self.assertLess(answer["events"][0]["seq"], answer["events"][1]["seq"])
        first = answer["events"][0]["id"]
        self.assertEqual(json.loads(self.bridge.ack([first, first, "unknown"])), {"acked": 1})
        self.assertEqual(json.loads(self.bridge.ack([first])), {"acked": 0})
        rest = json.loads(self.bridge.events())
        self.assertEqual([e["record_id"] for e in rest["events"]], leads.ids[1:])

    def test_names_of_what_is_deleted_are_missing_only(self):
        reason = self.env["crm.lost.reason"].create({"name": "Too late"})
        lead = self.lead()
        self.new_events()
        lead.action_set_lost(lost_reason_id=reason.id)
        self.end_transaction()
        lead.lost_reason_id = False
        self.end_transaction()
        reason.unlink()
        lost = json.loads(self.bridge.events())["events"][0]
        self.assertEqual(lost["data"]["lost_reason_id"], reason.id)
        self.assertNotIn("crm.lost.reason", lost["names"])

    def test_names_are_in_the_daemons_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        self.stage_new.with_context(lang="ar_001").name = "جديد"
        self.daemon.lang = "ar_001"
        self.lead()
        event = json.loads(self.bridge.with_context(lang="en_US").events())["events"][0]
        self.assertEqual(event["data"]["stage_name"], "جديد")
        page = json.loads(self.bridge.with_context(lang="en_US").pull("crm.lead"))
        self.assertEqual(page["names"]["crm.stage"][str(self.stage_new.id)], "جديد")

    def test_retention_spares_what_waits(self):
        self.env["crm.lead"].create([{"name": "A"}, {"name": "B"}])
        self.end_transaction()
        one, two = self.env["g_assistant.event"].search([])
        one._mark_delivered()
        (one + two).write({"timestamp": "2020-01-01 00:00:00"})
        one.delivered_at = "2020-01-01 00:00:00"
        self.env.flush_all()
        one._gc_delivered()
        self.assertFalse(one.exists())
        self.assertTrue(two.exists())

    def test_who_may_look(self):
        self.lead()
        event = self.env["g_assistant.event"].search([], limit=1)
        seller = new_test_user(self.env, "g-assistant-eyes", groups="sales_team.group_sale_manager")
        admin = new_test_user(
            self.env, "g-assistant-admin", groups="g_assistant_connector.group_admin"
        )
        with self.assertRaises(AccessError):
            event.with_user(seller).read(["kind"])
        self.assertTrue(event.with_user(admin).read(["kind"]))
        with self.assertRaises(AccessError):
            event.with_user(admin).write({"state": "delivered"})
        event.company_id = self.env["res.company"].create({"name": "Other"})
        self.assertFalse(
            self.env["g_assistant.event"].with_user(admin).search([("id", "=", event.id)])
        )
