from odoo.tests import tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestBindings(BridgeCase):
    def binding(self, ref):
        return self.env["g_assistant.binding"].search([("ref", "=", ref)])

    def test_a_merge_moves_the_losers_bindings(self):
        one = self.upsert("b1", {"name": "One", "type": "opportunity"})
        two = self.upsert("b2", {"name": "Two", "type": "opportunity"})
        leads = self.env["crm.lead"].browse([one["id"], two["id"]])
        winner = leads.merge_opportunity()
        self.end_transaction()
        self.assertEqual((self.binding("b1") + self.binding("b2")).mapped("res_id"), winner.ids * 2)
        result = self.upsert("b2", {"function": "Buyer"})
        self.assertEqual((result["status"], result["id"]), ("updated", winner.id))

    def test_an_external_id_is_adopted(self):
        lead = self.lead(name="Loaded", function="Engineer")
        self.env["ir.model.data"].create(
            {
                "module": "__gassist__",
                "name": "web_778",
                "model": "crm.lead",
                "res_id": lead.id,
            }
        )
        result = self.upsert(
            "web:778",
            {"function": "Manager", "city": "Riyadh"},
            xmlid="__gassist__.web_778",
            base={"function": "Engineer"},
        )
        self.assertEqual((result["status"], result["id"]), ("updated", lead.id))
        self.assertEqual((lead.function, lead.city), ("Manager", "Riyadh"))
        self.assertEqual(self.binding("web:778").res_id, lead.id)
        again = self.upsert("web:778", {"city": "Jeddah"})
        self.assertEqual((again["id"], again["kept"]), (lead.id, []))

    def test_other_modules_external_ids_are_not_adopted(self):
        result = self.upsert("p1", {"name": "Mine"}, model="res.partner", xmlid="base.main_partner")
        self.assertEqual(result["status"], "created")

    def test_an_operation_by_id_is_one_on_the_binding(self):
        created = self.upsert("i1", {"name": "By id", "city": "Riyadh"})
        result = self.apply({"action": "update", "id": created["id"], "values": {"city": "Abha"}})
        self.assertEqual(result[0]["status"], "updated")
        self.assertEqual(self.upsert("i1", {"city": "Taif"})["kept"], [])

    def test_company_of_a_binding(self):
        self.upsert("c1", {"name": "Mine"})
        self.assertEqual(self.binding("c1").company_id, self.daemon.company_id)
