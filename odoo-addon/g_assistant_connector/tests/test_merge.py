from odoo.tests import new_test_user, tagged

from .. import merge
from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestMerge(BridgeCase):
    """The table of docs/BRIDGE.md, cell by cell."""

    def test_table(self):
        unknown = merge.UNKNOWN
        for ours, now, new, owned, expected in [
            ("a", "a", "a", False, merge.NOTHING),
            ("a", "a", "b", False, merge.WRITE),
            ("a", "x", "a", False, merge.NOTHING),
            ("a", "x", "b", False, merge.KEEP),
            ("a", "x", "b", True, merge.WRITE),
            ("a", "x", "a", True, merge.WRITE),
            ("a", None, "b", False, merge.WRITE),
            ("a", "b", "b", False, merge.NOTHING),
            (unknown, "x", "b", False, merge.KEEP),
            (unknown, None, "b", False, merge.WRITE),
            (unknown, 0.0, 5.0, False, merge.WRITE),
            (unknown, False, True, False, merge.KEEP),
            (None, "x", None, False, merge.NOTHING),
            ("a", "a", None, False, merge.WRITE),
            ([1], [1], [2], False, merge.WRITE),
            (0.1 + 0.2, 0.3, 0.4, False, merge.WRITE),
        ]:
            with self.subTest(ours=ours, now=now, new=new, owned=owned):
                self.assertEqual(merge.decide(ours, now, new, owned), expected)

    def test_lines_are_compared_on_the_given_keys(self):
        held = [{"product_id": 1, "product_uom_qty": 2.0, "price_unit": 40.0}]
        self.assertTrue(merge.same(held, [{"product_id": 1, "product_uom_qty": 2.0}]))
        self.assertFalse(merge.same(held, [{"product_id": 1, "product_uom_qty": 3.0}]))
        self.assertFalse(merge.same(held, []))

    def test_update_without_change_is_unchanged(self):
        self.upsert("m1", {"name": "Lead", "phone": "+966501234567"})
        result = self.upsert("m1", {"name": "Lead", "phone": "+966501234567"})
        self.assertEqual(result["status"], "unchanged")

    def test_a_persons_value_is_kept_and_noted(self):
        created = self.upsert("m2", {"name": "Lead", "function": "Engineer", "city": "Riyadh"})
        lead = self.env["crm.lead"].browse(created["id"])
        lead.function = "Director"
        self.end_transaction()
        result = self.upsert("m2", {"function": "Manager", "city": "Jeddah"})
        self.assertEqual(result["status"], "updated")
        self.assertEqual(result["kept"], ["function"])
        self.assertEqual((lead.function, lead.city), ("Director", "Jeddah"))
        note = lead.message_ids[0].body
        self.assertIn("Director", note)
        self.assertIn("Manager", note)

    def test_the_note_is_escaped_and_silence_writes_none(self):
        created = self.upsert("m3", {"name": "Lead", "function": "a"})
        lead = self.env["crm.lead"].browse(created["id"])
        lead.function = "b"
        self.end_transaction()
        before = len(lead.message_ids)
        self.upsert("m3", {"function": "<b>c</b>"}, silent=True)
        self.assertEqual(len(lead.message_ids), before)
        self.upsert("m3", {"function": "<b>d</b>"})
        self.assertIn("&lt;b&gt;d&lt;/b&gt;", lead.message_ids[0].body)

    def test_the_note_is_in_the_salespersons_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        seller = new_test_user(
            self.env, "g-assistant-arabic", groups="sales_team.group_sale_salesman", lang="ar_001"
        )
        created = self.upsert("m7", {"name": "Lead", "city": "Riyadh", "user_id": seller.id})
        lead = self.env["crm.lead"].browse(created["id"])
        lead.city = "Jeddah"
        self.end_transaction()
        self.upsert("m7", {"city": "Abha"})
        self.assertIn("القيم التي أدخلتها", lead.message_ids[0].body)

    def test_owned_fields_are_written_whatever_a_person_did(self):
        created = self.upsert("m4", {"name": "Lead", "referred": "ad 1"})
        lead = self.env["crm.lead"].browse(created["id"])
        lead.referred = "a friend"
        self.end_transaction()
        result = self.upsert("m4", {"referred": "ad 2"}, owned=["referred"])
        self.assertEqual((result["kept"], lead.referred), ([], "ad 2"))

    def test_a_field_first_sent_later_is_written_over_its_default(self):
        created = self.upsert("m5", {"name": "Lead"})
        result = self.upsert("m5", {"priority": "2", "expected_revenue": 100.0})
        lead = self.env["crm.lead"].browse(created["id"])
        self.assertEqual((result["kept"], lead.priority), ([], "2"))

    def test_base_serves_where_the_binding_knows_nothing(self):
        lead = self.lead(function="Engineer", city="Riyadh")
        update = {"action": "update", "id": lead.id, "values": {"function": "CEO", "city": "Abha"}}
        result = self.apply({**update, "base": {"function": "Engineer"}})[0]
        self.assertEqual(result["kept"], ["city"])
        self.assertEqual((lead.function, lead.city), ("CEO", "Riyadh"))

    def test_tags_and_links_and_times(self):
        tags = self.env["crm.tag"].create([{"name": "GA one"}, {"name": "GA two"}])
        created = self.upsert("m6", {"name": "Lead", "tag_ids": [tags[1].id, tags[0].id]})
        lead = self.env["crm.lead"].browse(created["id"])
        self.assertEqual(lead.tag_ids, tags)
        result = self.upsert(
            "m6",
            {
                "tag_ids": [tags[0].id],
                "country_id": self.env.ref("base.sa").id,
                "date_deadline": "2026-12-01",
                "date_open": "2026-11-21 10:00:00",
            },
        )
        self.assertEqual((result["status"], lead.tag_ids), ("updated", tags[0]))
        again = self.upsert("m6", {"date_open": "2026-11-21 10:00:00"})
        self.assertEqual(again["status"], "unchanged")
