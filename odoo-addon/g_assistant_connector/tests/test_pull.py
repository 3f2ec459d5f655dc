import json

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestPull(BridgeCase):
    def pull(self, *args, **kwargs):
        return json.loads(self.bridge.pull(*args, **kwargs))

    def test_pages(self):
        leads = self.env["crm.lead"].create([{"name": f"P{i}"} for i in range(5)])
        after = leads[0].id - 1
        first = self.pull("crm.lead", after_id=after, limit=2)
        self.assertEqual([r["id"] for r in first["records"]], leads.ids[:2])
        self.assertEqual(first["next"], leads.ids[1])
        self.assertNotIn("total", first)
        last = self.pull("crm.lead", after_id=leads.ids[2], limit=2)
        self.assertEqual([r["id"] for r in last["records"]], leads.ids[3:])
        self.assertIsNone(last["next"])
        whole = self.pull("crm.lead", limit=10_000)
        self.assertEqual(whole["total"], len(whole["records"]))

    def test_archived_are_included(self):
        lead = self.lead()
        lead.action_set_lost()
        page = self.pull("crm.lead", only=[lead.id])
        self.assertEqual([(r["id"], r["active"]) for r in page["records"]], [(lead.id, False)])

    def test_only_and_empty(self):
        lead = self.lead()
        page = self.pull("crm.lead", only=[lead.id, 2**31 - 1])
        self.assertEqual([r["id"] for r in page["records"]], [lead.id])
        self.assertEqual(self.pull("crm.lead", only=[])["records"], [])
        self.assertEqual(
            self.pull("crm.lead", after_id=2**31 - 1),
            {"records": [], "names": {}, "next": None},
        )

    def test_record_rules_of_the_caller_hold(self):
        other = self.env["res.company"].create({"name": "Other company"})
        lead = self.lead(company_id=other.id, user_id=False, team_id=False)
        lead.company_id = other
        self.assertEqual(self.pull("crm.lead", only=[lead.id])["records"], [])
        self.daemon.company_ids += other
        bridge = self.bridge.with_context(allowed_company_ids=self.daemon.company_ids.ids)
        page = json.loads(bridge.pull("crm.lead", only=[lead.id]))
        self.assertEqual(len(page["records"]), 1)

    def test_names(self):
        order = self.env["sale.order"].create(
            {
                "partner_id": self.partner.id,
                "order_line": [(0, 0, {"product_id": self.product.id, "product_uom_qty": 2})],
            }
        )
        page = self.pull("sale.order", only=order.ids)
        (record,) = page["records"]
        self.assertEqual(record["order_line"][0]["product_uom_qty"], 2)
        self.assertEqual(page["names"]["res.partner"][str(self.partner.id)], "Customer")
        self.assertEqual(page["names"]["product.product"][str(self.product.id)], "Filter")

    def test_other_models_are_not_served(self):
        with self.assertRaises(UserError):
            self.bridge.pull("res.users")
