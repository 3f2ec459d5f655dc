from unittest.mock import patch

from odoo.tests import new_test_user, tagged

from .. import config
from ..models.crm_lead_notice import NOTICE
from .common import BridgeCase

HOT = {"g_assistant_score": 80, "g_assistant_score_reasons": "all is well"}
COLD = {"g_assistant_score": 20, "g_assistant_score_reasons": "little is known"}


@tagged("post_install", "-at_install")
class TestNotice(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = "sales_team.group_sale_salesman_all_leads"
        cls.seller = new_test_user(cls.env, "g-seller", groups=group)
        cls.other = new_test_user(cls.env, "g-other", groups=group)
        cls.env["ir.config_parameter"].set_param(config.HOT_SCORE, False)

    def setUp(self):
        super().setUp()
        self.told = []

        def send(bus, target, kind, message):
            if kind == NOTICE:
                self.told.append((target, message))

        self.startPatcher(patch.object(type(self.env["bus.bus"]), "_sendone", send))

    def bring(self, ref, values, **more):
        return self.upsert(ref, {"name": "Villa", "user_id": self.seller.id, **values}, **more)

    def assertTold(self, *users):
        self.assertEqual(
            [target for target, _message in self.told], [one.partner_id for one in users]
        )
        self.told.clear()

    def test_a_hot_lead_is_told_to_its_salesperson(self):
        result = self.bring(
            "hot", {**HOT, "expected_revenue": 5000.0, "g_assistant_platform": "meta"}
        )
        [(_target, message)] = self.told
        self.assertEqual(message["id"], result["id"])
        self.assertEqual(message["title"], "Hot lead: Villa")
        for part in ("80", "5,000", "Meta"):
            self.assertIn(part, message["message"])
        self.assertTold(self.seller)

    def test_others_are_not(self):
        self.bring("cold", COLD)
        self.bring("no score", {})
        self.bring("silent", HOT, silent=True)
        self.bring("archived", {**HOT, "active": False})
        self.env["crm.lead"].create({"name": "By hand", "expected_revenue": 1e6})
        self.assertTold()

    def test_limits(self):
        params = self.env["ir.config_parameter"]
        self.bring("at", {**HOT, "g_assistant_score": 70})
        self.bring("below", {**HOT, "g_assistant_score": 69})
        self.assertTold(self.seller)
        params.set_param(config.HOT_SCORE, "101")
        self.bring("never", {**HOT, "g_assistant_score": 100})
        self.assertTold()
        params.set_param(config.HOT_REVENUE, "1000.0")
        self.bring("worth", {"expected_revenue": 1000.0})
        self.bring("not worth", {"expected_revenue": 999.0})
        self.assertTold(self.seller)

    def test_no_notice_twice(self):
        self.bring("twice", HOT)
        self.assertTold(self.seller)
        self.bring("twice", {**HOT, "city": "Riyadh"})
        self.bring("twice", {**HOT, "g_assistant_score": 95})
        self.assertTold()
        operation = {"key": "replayed", "ref": "replayed", "values": {"name": "R", **HOT}}
        operation["values"]["user_id"] = self.seller.id
        self.apply(operation)
        self.apply(operation)
        self.assertTold(self.seller)

    def test_what_makes_it_hot_later(self):
        self.bring("later", COLD)
        self.assertTold()
        self.bring("later", HOT)
        self.assertTold(self.seller)

    def test_whoever_gets_it_first(self):
        lead = self.env["crm.lead"].browse(self.bring("alone", {**HOT, "user_id": None})["id"])
        self.assertTold()
        lead.with_user(self.other).write({"user_id": self.seller.id})
        self.assertTold(self.seller)
        lead.with_user(self.seller).write({"user_id": self.other.id})
        self.assertTold()
        taken = self.env["crm.lead"].browse(self.bring("taken", {**HOT, "user_id": None})["id"])
        taken.with_user(self.seller).write({"user_id": self.seller.id})
        taken.with_user(self.seller).write({"user_id": self.other.id})
        self.assertTold()

    def test_the_person_is_back(self):
        self.see_own_transaction()
        known = self.lead(phone="0501234567", user_id=self.seller.id)
        match = {
            "phones": ["01234567"],
            "decision": {
                "do": "attach",
                "id": known.id,
                "reason": "same mobile number",
                "seen": [[known.id, "open"]],
            },
        }
        for ref in ("back", "back again"):
            self.bring(ref, HOT, match=match)
            self.assertTold(self.seller)

    def test_back_and_given_to_somebody_at_once(self):
        self.see_own_transaction()
        match = {"phones": ["01234567"]}
        phone = {"phone": "0501234567"}
        first = self.bring("first", {**HOT, **phone, "user_id": None}, match=match)["id"]
        lead = self.env["crm.lead"].browse(first)
        self.assertFalse(lead.user_id)
        self.assertTrue(lead.g_assistant_notice_due)
        match["decision"] = {"do": "attach", "id": first, "reason": "", "seen": [[first, "open"]]}
        owner = {"rule": "r", "among": [{"id": self.seller.id}]}
        self.bring("second", {**HOT, **phone, "user_id": None}, match=match, owner=owner)
        self.assertEqual(lead.user_id, self.seller)
        self.assertFalse(lead.g_assistant_notice_due)
        self.assertTold(self.seller)

    def test_given_to_somebody_by_a_later_delivery(self):
        self.bring("given", {**HOT, "user_id": None})
        self.bring("given", {"city": "Riyadh", "user_id": None})
        self.assertTold()
        self.bring("given", {"user_id": self.seller.id})
        self.assertTold(self.seller)
        self.bring("given", {"city": "Jeddah"})
        self.assertTold()

    def test_in_the_salespersons_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        module = self.env["ir.module.module"].search([("name", "=", "g_assistant_connector")])
        module._update_translations(["ar_001"])
        self.seller.lang = "ar_001"
        self.bring("arabic", HOT)
        self.assertNotIn("Hot lead", self.told[0][1]["title"])
