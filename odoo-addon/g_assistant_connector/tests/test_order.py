from odoo.tests import tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestOrder(BridgeCase):
    def order_operation(self, ref, **values):
        return {
            "model": "sale.order",
            "ref": ref,
            "values": {
                "partner_id": self.partner.id,
                "order_line": [{"product_id": self.product.id, "product_uom_qty": 2}],
                **values,
            },
        }

    def test_partner_and_order_in_one_batch(self):
        order, partner, lead = self.apply(
            self.order_operation("so1", partner_id={"ref": "cust"}, opportunity_id={"ref": "opp"}),
            {"model": "res.partner", "ref": "cust", "values": {"name": "New customer"}},
            {"ref": "opp", "values": {"name": "The lead", "type": "opportunity"}},
        )
        # The order came first: its references were not known then.
        self.assertEqual(order["status"], "refused")
        order = self.apply(
            self.order_operation("so1", partner_id={"ref": "cust"}, opportunity_id={"ref": "opp"})
        )[0]
        record = self.env["sale.order"].browse(order["id"])
        self.assertEqual(record.partner_id.id, partner["id"])
        self.assertEqual(record.opportunity_id.id, lead["id"])
        self.assertEqual(record.amount_untaxed, 80.0)
        self.assertFalse(record.user_id)

    def test_order_after_its_customer(self):
        results = self.apply(
            {"model": "res.partner", "ref": "cust2", "values": {"name": "New customer"}},
            self.order_operation("so2", partner_id={"ref": "cust2"}),
            {"model": "sale.order", "action": "confirm", "ref": "so2"},
        )
        self.assertEqual([r["status"] for r in results], ["created", "created", "updated"])
        self.assertEqual(self.env["sale.order"].browse(results[1]["id"]).state, "sale")

    def test_life_of_an_order(self):
        created = self.apply(self.order_operation("so3"))[0]
        order = self.env["sale.order"].browse(created["id"])
        event = self.new_events()[0]
        self.assertEqual((event["event"], event["operation"]), ("order.created", created["key"]))
        line = event["data"]["order_line"][0]
        self.assertEqual((line["product_id"], line["price_subtotal"]), (self.product.id, 80.0))

        same = self.apply(self.order_operation("so3"))[0]
        self.assertEqual((same["status"], self.kinds()), ("unchanged", []))

        lines = [{"product_id": self.product.id, "product_uom_qty": 3, "price_unit": 30}]
        changed = self.apply(self.order_operation("so3", order_line=lines))[0]
        self.assertEqual((changed["status"], order.amount_untaxed), ("updated", 90.0))
        event = self.new_events()[0]
        self.assertEqual(event["event"], "order.updated")
        self.assertEqual(event["changes"]["amount_untaxed"], {"old": 80.0, "new": 90.0})
        self.assertEqual(event["names"]["product.product"][str(self.product.id)], "Filter")

        order.action_quotation_sent()
        self.assertEqual(self.kinds(), ["order.sent"])

        confirm = {"model": "sale.order", "action": "confirm", "ref": "so3"}
        self.assertEqual(self.apply(confirm)[0]["status"], "updated")
        self.assertEqual(self.kinds(), ["order.confirmed"])
        self.assertEqual(self.apply(confirm)[0]["status"], "unchanged")

        late = self.apply(self.order_operation("so3", client_order_ref="PO 7"))[0]
        self.assertEqual(late["status"], "refused")

        cancel = {"model": "sale.order", "action": "cancel", "ref": "so3"}
        self.assertEqual(self.apply(cancel)[0]["status"], "updated")
        self.assertEqual(self.kinds(), ["order.cancelled"])
        self.assertEqual(self.apply(cancel)[0]["status"], "unchanged")

        order.with_context(disable_cancel_warning=True).unlink()
        self.assertEqual(self.kinds(), ["order.deleted"])
        self.assertEqual(self.apply(confirm)[0]["status"], "gone")

    def test_a_persons_lines_are_kept(self):
        created = self.apply(self.order_operation("so4"))[0]
        order = self.env["sale.order"].browse(created["id"])
        order.order_line.product_uom_qty = 5
        self.end_transaction()
        lines = [{"product_id": self.product.id, "product_uom_qty": 9}]
        result = self.apply(self.order_operation("so4", order_line=lines))[0]
        self.assertEqual(result["kept"], ["order_line"])
        self.assertEqual(order.order_line.product_uom_qty, 5)

    def test_a_changed_line_is_a_changed_order(self):
        created = self.apply(self.order_operation("so5"))[0]
        order = self.env["sale.order"].browse(created["id"])
        self.new_events()
        order.order_line.name = "A better filter"
        event = self.new_events()[0]
        self.assertEqual((event["event"], event["record_id"]), ("order.updated", order.id))
        self.assertEqual(event["changes"]["order_line"]["new"][0]["name"], "A better filter")
        self.env["sale.order.line"].create({"order_id": order.id, "product_id": self.product.id})
        self.assertEqual(self.kinds(), ["order.updated"])
        order.order_line[0].unlink()
        self.assertEqual(self.kinds(), ["order.updated"])

    def test_lines_as_they_were(self):
        created = self.apply(self.order_operation("so7"))[0]
        order = self.env["sale.order"].browse(created["id"])
        before = self.new_events()[0]["data"]["order_line"]
        order.order_line[0].product_uom_qty = 7
        other = self.env["sale.order.line"].create(
            {"order_id": order.id, "product_id": self.product.id, "sequence": 1}
        )
        (event,) = self.new_events()
        self.assertEqual(event["changes"]["order_line"]["old"], before)
        self.assertEqual(len(event["data"]["order_line"]), len(before) + 1)
        now = event["data"]["order_line"]
        other.unlink()
        (event,) = self.new_events()
        self.assertEqual(event["changes"]["order_line"]["old"], now)
        self.assertEqual(event["user"]["id"], self.env.uid)

    def test_bad_lines_are_refused(self):
        for lines in ("all", [1], [{"product_id": self.product.id, "tax": 5}]):
            result = self.apply(self.order_operation("so6", order_line=lines))[0]
            self.assertEqual(result["status"], "refused")
            self.assertIn("line", result["error"]["message"])
