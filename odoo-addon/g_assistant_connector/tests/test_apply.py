import json

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestApply(BridgeCase):
    def test_others_are_refused(self):
        manager = new_test_user(
            self.env,
            "g-assistant-manager",
            groups="sales_team.group_sale_manager,base.group_system",
        )
        bridge = self.env["g_assistant.bridge"].with_user(manager)
        for call in (
            bridge.hello,
            bridge.events,
            lambda: bridge.apply("[]"),
            lambda: bridge.pull("crm.lead"),
            lambda: bridge.ack([]),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_hello(self):
        hello = json.loads(self.bridge.hello())
        self.assertEqual((hello["protocol"], hello["addon"]), (1, "1.2.0"))
        self.assertEqual(hello["fields"]["crm.lead"][:2], ["id", "name"])
        self.assertIn("order_line", hello["fields"]["sale.order"])

    def test_a_key_runs_once(self):
        operation = {"key": "once", "ref": "a1", "values": {"name": "Once"}}
        first = self.apply(operation)[0]
        second = self.apply(operation)[0]
        self.assertEqual((first["status"], first["replayed"]), ("created", False))
        self.assertEqual(second, {**first, "replayed": True})
        self.assertEqual(self.env["crm.lead"].search_count([("name", "=", "Once")]), 1)

    def test_a_key_twice_in_one_batch(self):
        operation = {"key": "twice", "ref": "a2", "values": {"name": "Twice"}}
        first, second = self.apply(operation, operation)
        self.assertEqual((first["id"], second["replayed"]), (second["id"], True))
        self.assertEqual(self.env["crm.lead"].search_count([("name", "=", "Twice")]), 1)

    @mute_logger("odoo.sql_db")
    def test_one_bad_operation_does_not_spoil_the_batch(self):
        operations = [{"ref": f"h{i}", "values": {"name": f"Half {i}"}} for i in range(9)]
        operations[3]["values"] = {"name": "Half 3", "type": "no such type"}
        operations[5]["values"] = {"name": "Half 5", "nonsense": 1}
        operations[7]["values"] = {"name": "Half 7", "stage_id": 2**31 - 1}
        results = self.apply(*operations)
        self.assertEqual(
            [result["status"] for result in results],
            ["created"] * 3 + ["refused", "created", "refused", "created", "refused", "created"],
        )
        self.assertIn("nonsense", results[5]["error"]["message"])
        self.assertIn("crm.stage", results[7]["error"]["message"])
        self.assertEqual(self.env["crm.lead"].search_count([("name", "like", "Half ")]), 6)
        # Refused is not remembered: corrected, it runs under the same key and reference.
        operations[3].update(key=results[3]["key"], values={"name": "Half 3"})
        self.assertEqual(self.apply(operations[3])[0]["status"], "created")

    def test_values_of_the_wrong_type_are_refused_with_the_fields_name(self):
        for values in (
            {"expected_revenue": "much"},
            {"active": 1},
            {"stage_id": "New"},
            {"tag_ids": [True]},
            {"date_deadline": "1.12.2026"},
            {"name": 5},
            {"create_date": "2026-01-01 00:00:00"},
            {"user_id": 2**40},
        ):
            with self.subTest(values=values):
                result = self.upsert("t1", {"name": "Type", **values})
                self.assertEqual(result["status"], "refused")
                self.assertEqual(result["error"]["type"], "ValidationError")
                self.assertIn(next(iter(values)), result["error"]["message"])

    def test_malformed_operations_are_refused_alone(self):
        results = self.apply(
            {"model": "res.users", "ref": "x"},
            {"action": "delete", "ref": "x"},
            {"action": "confirm", "ref": "x"},
            {"ref": None},
            {"ref": "x\u0000y"},
            {"key": ""},
            {"key": "fine", "ref": "fine", "values": {"name": "Fine"}},
        )
        self.assertEqual([result["status"] for result in results][:6], ["refused"] * 6)
        self.assertEqual(results[6]["status"], "created")
        with self.assertRaises(UserError):
            self.bridge.apply("{}")
        with self.assertRaises(UserError):
            self.bridge.apply("not json")

    def test_a_reference_twice_in_one_batch_is_created_then_updated(self):
        first, second = self.apply(
            {"ref": "r1", "values": {"name": "First", "city": "Riyadh"}},
            {"ref": "r1", "values": {"city": "Jeddah"}},
        )
        self.assertEqual((first["status"], second["status"]), ("created", "updated"))
        self.assertEqual(first["id"], second["id"])
        self.assertEqual(self.env["crm.lead"].browse(first["id"]).city, "Jeddah")

    def test_a_deleted_record_does_not_come_back(self):
        created = self.upsert("g1", {"name": "Gone"})
        self.env["crm.lead"].browse(created["id"]).unlink()
        self.end_transaction()
        operation = {"key": "gone", "ref": "g1", "values": {"name": "Back"}}
        result = self.apply(operation)[0]
        self.assertEqual((result["status"], result["id"]), ("gone", created["id"]))
        self.assertTrue(self.apply(operation)[0]["replayed"])
        self.assertFalse(self.env["crm.lead"].search([("name", "=", "Back")]))

    def test_an_update_needs_something_to_update(self):
        result = self.apply({"action": "update", "ref": "nobody", "values": {"name": "x"}})[0]
        self.assertEqual(result["status"], "refused")
        self.assertFalse(self.env["g_assistant.binding"].search([("ref", "=", "nobody")]))

    def test_trouble_of_the_database_fails_the_whole_call(self):
        def fail(*_args, **_kwargs):
            raise psycopg2.errors.SerializationFailure

        self.patch(type(self.env["crm.lead"]), "create", fail)
        with self.assertRaises(psycopg2.OperationalError):
            self.upsert("s1", {"name": "Serial"})

    def test_the_daemon_is_neither_salesperson_nor_follower(self):
        created = self.upsert("n1", {"name": "Nobody's"})
        lead = self.env["crm.lead"].browse(created["id"])
        self.assertFalse(lead.user_id)
        self.assertEqual(lead.company_id, self.daemon.company_id)
        self.assertFalse(lead.message_follower_ids)
        self.assertFalse(lead.message_ids)

    def test_silent_operations_notify_nobody(self):
        seller = new_test_user(
            self.env, "g-assistant-seller", groups="sales_team.group_sale_salesman"
        )
        loud = self.upsert("q1", {"name": "Loud", "user_id": seller.id})
        quiet = self.upsert("q2", {"name": "Quiet", "user_id": seller.id}, silent=True)
        leads = self.env["crm.lead"]
        self.assertIn(seller.partner_id, leads.browse(loud["id"]).message_partner_ids)
        self.assertFalse(leads.browse(quiet["id"]).message_ids)

    def test_the_ledger_forgets_what_is_old(self):
        result = self.upsert("o1", {"name": "Old"})
        entry = self.env["g_assistant.operation"].search([("key", "=", result["key"])])
        self.assertEqual(entry.res_id, result["id"])
        entry._gc_old()
        self.assertTrue(entry.exists())
        entry.create_date = "2020-01-01 00:00:00"
        self.env.flush_all()
        entry._gc_old()
        self.assertFalse(entry.exists())
