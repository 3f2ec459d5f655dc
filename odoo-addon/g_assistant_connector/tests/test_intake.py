from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user, tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestIntake(BridgeCase):
    """The daemon's own fields on a lead."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.spam = cls.env.ref("g_assistant_connector.flag_spam")

    def lead_values(self, **values):
        return {
            "name": "From an ad",
            "g_assistant_score": 74,
            "g_assistant_score_reasons": "data quality 25/25: valid phone",
            "g_assistant_flag_ids": [self.spam.id],
            "g_assistant_platform": "meta",
            "g_assistant_platform_lead": "1001",
            **values,
        }

    def send(self, key, **values):
        operation = {"key": key, "ref": "meta:1001", "values": self.lead_values(**values)}
        operation["owned"] = [
            name for name in operation["values"] if name.startswith("g_assistant_")
        ]
        result = self.apply(operation)[0]
        self.assertIsNone(result["error"])
        return self.env["crm.lead"].browse(result["id"])

    def test_the_daemon_writes_its_fields_and_they_stay_its_own(self):
        lead = self.send("i1")
        self.assertEqual(lead.g_assistant_score, 74)
        self.assertEqual(lead.g_assistant_flag_ids, self.spam)
        lead.g_assistant_score = 3
        again = self.send("i2", g_assistant_score=80, g_assistant_flag_ids=[])
        self.assertEqual(again, lead)
        self.assertEqual(lead.g_assistant_score, 80)
        self.assertFalse(lead.g_assistant_flag_ids)

    def test_a_worse_score_needs_a_reason(self):
        lead = self.send("w1", g_assistant_flag_ids=[], g_assistant_chance=40)
        # Says less: the score of what is known stays, with its reasons and its chance.
        worse = {"g_assistant_score": 10, "g_assistant_chance": 5}
        worse["g_assistant_score_reasons"] = "less"
        self.send("w2", g_assistant_flag_ids=[], g_assistant_platform="google", **worse)
        self.assertEqual((lead.g_assistant_score, lead.g_assistant_chance), (74, 40))
        self.assertEqual(lead.g_assistant_score_reasons, "data quality 25/25: valid phone")
        self.assertEqual(lead.g_assistant_platform, "google")
        # Says more.
        self.send("w3", g_assistant_flag_ids=[], g_assistant_score=90, g_assistant_chance=35)
        self.assertEqual((lead.g_assistant_score, lead.g_assistant_chance), (90, 35))
        # That the person is known is no reason; that it is spam is one.
        duplicate = self.env.ref("g_assistant_connector.flag_duplicate")
        self.send("w4", g_assistant_flag_ids=[duplicate.id], **worse)
        self.assertEqual(lead.g_assistant_score, 90)
        self.send("w5", g_assistant_flag_ids=[self.spam.id, duplicate.id], **worse)
        self.assertEqual((lead.g_assistant_score, lead.g_assistant_chance), (10, 5))
        self.assertEqual(lead.g_assistant_score_reasons, "less")

    def test_they_are_no_events(self):
        lead = self.send("i3")
        self.end_transaction()
        self.env["g_assistant.event"].search([]).unlink()
        lead.g_assistant_score_reasons = "another reason"
        self.assertFalse(self.new_events())

    def test_leads_are_found_and_grouped_by_flag(self):
        lead = self.send("i4")
        flagged = self.env["crm.lead"].search([("g_assistant_flag_ids.code", "=", "SPAM")])
        self.assertIn(lead, flagged)
        groups = self.env["crm.lead"]._read_group(
            [("id", "=", lead.id)], ["g_assistant_flag_ids"], ["__count"]
        )
        self.assertEqual(groups, [(self.spam, 1)])

    def test_there_is_a_flag_for_each_code(self):
        codes = self.env["g_assistant.flag"].search([]).mapped("code")
        self.assertEqual(
            codes,
            [
                "INVALID_EMAIL",
                "INVALID_PHONE",
                "DISPOSABLE_EMAIL",
                "SUSPICIOUS_DOMAIN",
                "DNC_LIST",
                "TEST_LEAD",
                "SPAM",
                "NO_CONSENT",
                "DUPLICATE",
            ],
        )

    def test_a_salesperson_reads_them_in_the_form(self):
        user = new_test_user(
            self.env, "g-assistant-sales", groups="sales_team.group_sale_salesman_all_leads"
        )
        lead = self.send("i5").with_user(user)
        with Form(lead) as form:
            self.assertEqual(form.g_assistant_score, 74)
            self.assertEqual(form.g_assistant_flag_ids.ids, self.spam.ids)
        with self.assertRaises(AccessError):
            self.spam.with_user(user).name = "Ham"
