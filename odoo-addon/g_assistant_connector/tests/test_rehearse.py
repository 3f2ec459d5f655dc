import json
from unittest.mock import patch

from odoo.tests import new_test_user, tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestRehearse(BridgeCase):
    """What would become of an operation, of which nothing stays."""

    def rehearse(self, operation):
        operation = {"key": "k", "model": "crm.lead", "action": "upsert", **operation}
        savepoint = self.env.cr.savepoint()
        # A test must not roll back what it stands on.
        with patch.object(self.env.cr, "rollback", savepoint.rollback):
            answer = json.loads(self.bridge.rehearse(json.dumps([operation])))
        savepoint.close(rollback=True)
        self.env.invalidate_all()
        return answer[0]

    def test_it_tells_whose_turn_it_is_and_takes_none(self):
        sara, omar = (
            new_test_user(self.env, f"g-{name}", name=name, groups="sales_team.group_sale_salesman")
            for name in ("sara", "omar")
        )
        among = [{"id": user.id, "weight": 1} for user in (sara, omar)]
        owner = {"rule": "Riyadh", "sticky": True, "among": among}
        leads = self.env["crm.lead"].search_count([])
        for _again in range(2):
            answer = self.rehearse({"ref": "r", "values": {"name": "A villa"}, "owner": owner})
            self.assertEqual(answer["status"], "created")
            lead = answer["lead"]
            self.assertEqual((lead["name"], lead["salesperson"]), ("A villa", "g-sara"))
            self.assertTrue(lead["owner_reason"])
        self.assertEqual(self.env["crm.lead"].search_count([]), leads)
        self.assertFalse(self.env["g_assistant.turn"].search([]))
        self.assertFalse(self.env["g_assistant.operation"].search([("key", "=", "k")]))
        result = self.upsert("r", {"name": "A villa"}, owner=owner)
        self.assertEqual(result["status"], "created")
        self.assertEqual(self.env["crm.lead"].browse(result["id"]).user_id, sara)

    def test_what_exists_is_told_and_left_as_it_is(self):
        lead = self.env["crm.lead"].browse(self.upsert("r", {"name": "Before"})["id"])
        answer = self.rehearse({"ref": "r", "values": {"name": "After"}})
        self.assertEqual((answer["status"], answer["id"]), ("updated", lead.id))
        self.assertEqual(answer["lead"]["name"], "After")
        self.assertEqual(lead.name, "Before")

    def test_what_would_be_refused(self):
        answer = self.rehearse({"ref": "r", "values": {"no_such_field": 1}})
        self.assertEqual((answer["status"], answer["lead"]), ("refused", None))
