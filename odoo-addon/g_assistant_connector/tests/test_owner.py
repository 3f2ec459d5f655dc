from datetime import timedelta

from odoo import fields
from odoo.tests import new_test_user, tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestOwner(BridgeCase):
    """Who gets a new lead."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sara, cls.omar, cls.huda = (
            new_test_user(cls.env, f"g-{name}", name=name, groups="sales_team.group_sale_salesman")
            for name in ("sara", "omar", "huda")
        )
        cls.number = 0

    def owner(self, *sellers, **more):
        among = [
            {"weight": 1, **(seller if isinstance(seller, dict) else {"id": seller.id})}
            for seller in sellers
        ]
        return {"rule": "Riyadh", "sticky": True, "among": among, **more}

    def give(self, owner, count=1, **values):
        """The leads of one batch."""
        operations = []
        for _number in range(count):
            type(self).number += 1
            ref = f"o{self.number}"
            operations.append({"ref": ref, "values": {"name": ref, **values}, "owner": owner})
        results = self.apply(*operations)
        self.assertEqual([result["status"] for result in results], ["created"] * count, results)
        return self.env["crm.lead"].browse(result["id"] for result in results)

    def names(self, leads):
        return [lead.user_id.name for lead in leads]

    def test_in_turn_within_a_batch_and_across(self):
        owner = self.owner(self.sara, self.omar, self.huda)
        self.assertEqual(self.names(self.give(owner, 4)), ["sara", "omar", "huda", "sara"])
        self.assertEqual(self.names(self.give(owner, 2)), ["omar", "huda"])
        # The order in which they are offered does not matter once everybody has had a turn.
        self.assertEqual(
            self.names(self.give(self.owner(self.huda, self.omar, self.sara))), ["sara"]
        )
        other = {**owner, "rule": "Jeddah"}
        self.assertEqual(
            self.names(self.give(other, 2)), ["sara", "omar"], "turns are a rule's own"
        )

    def test_weights_are_turns(self):
        owner = self.owner({"id": self.sara.id, "weight": 3}, self.omar, self.huda)
        names = self.names(self.give(owner, 50))
        counts = {name: names.count(name) for name in set(names)}
        self.assertEqual(counts, {"sara": 30, "omar": 10, "huda": 10})

    def test_who_comes_back_does_not_make_up_for_it(self):
        both = self.owner(self.sara, self.omar)
        self.give(self.owner(self.sara), 20)
        self.assertEqual(self.names(self.give(both, 3)), ["omar", "sara", "omar"])

    def test_limits_are_those_of_open_leads(self):
        for _n in range(2):
            self.lead(user_id=self.sara.id)
        won = self.lead(user_id=self.omar.id, stage_id=self.stage_won.id)
        lost = self.lead(user_id=self.omar.id)
        lost.action_set_lost()
        self.end_transaction()
        self.assertTrue(won.stage_id.is_won)
        owner = self.owner({"id": self.sara.id, "limit": 2}, {"id": self.omar.id, "limit": 2})
        leads = self.give(owner, 2)
        self.assertEqual(self.names(leads), ["omar", "omar"])
        self.assertIn("At the limit: sara", leads[0].g_assistant_owner_reason)
        self.assertIn("Open leads: 0 of 2", leads[0].g_assistant_owner_reason)
        # Then the default's; then, since no lead is left alone, the least overburdened.
        otherwise = [{"id": self.huda.id, "weight": 1}]
        self.assertEqual(self.names(self.give({**owner, "otherwise": otherwise})), ["huda"])
        owner["among"][1]["limit"] = 20
        self.lead(user_id=self.sara.id)
        owner["among"][1]["limit"] = 1
        full = self.give(owner)
        self.assertEqual(self.names(full), ["sara"], "3 of 2 is less than 2 of 1")
        self.assertIn("Everybody has reached the limit", full.g_assistant_owner_reason)

    def test_who_is_not_there_gets_nothing(self):
        self.omar.active = False
        owner = self.owner(
            self.sara, self.omar, self.huda, away=[self.sara.id], unknown=["ali@x.sa"]
        )
        leads = self.give(owner, 2)
        self.assertEqual(self.names(leads), ["huda", "huda"])
        reason = leads[0].g_assistant_owner_reason
        for text in (
            "Next of 1 in turn",
            "Away: sara",
            "Not active: omar",
            "No active user: ali@x.sa",
        ):
            self.assertIn(text, reason)

    def test_time_off_where_the_app_is_installed(self):
        if "hr.leave" not in self.env:
            self.skipTest("needs hr_holidays")
        employee = self.env["hr.employee"].create({"name": "Sara", "user_id": self.sara.id})
        kind = self.env["hr.leave.type"].create(
            {
                "name": "Annual",
                "requires_allocation": False,
                "leave_validation_type": "no_validation",
            }
        )
        today = fields.Date.today()
        leave = self.env["hr.leave"].create(
            {
                "name": "Holiday",
                "employee_id": employee.id,
                "holiday_status_id": kind.id,
                "request_date_from": today - timedelta(days=3),
                "request_date_to": today + timedelta(days=3),
            }
        )
        self.assertEqual(leave.state, "validate")
        self.end_transaction()
        leads = self.give(self.owner(self.sara, self.omar), 2)
        self.assertEqual(self.names(leads), ["omar", "omar"])
        self.assertIn("On leave: sara", leads[0].g_assistant_owner_reason)

    def test_nobody_left(self):
        leader = new_test_user(
            self.env, "g-leader", name="leader", groups="sales_team.group_sale_manager"
        )
        team = self.env["crm.team"].create({"name": "Gulf", "user_id": leader.id})
        gone = self.owner(self.sara, away=[self.sara.id])
        lead = self.give(gone, team_id=team.id)
        self.assertEqual(
            (lead.user_id, lead.g_assistant_owner_reason.split(".")[0][:11]),
            (leader, "Nobody else"),
        )
        # A team that is to share its leads itself owns them.
        lead = self.give(self.owner(), team_id=team.id)
        self.assertFalse(lead.user_id)
        self.assertEqual(lead.team_id, team)
        # Neither people nor team: somebody has it all the same.
        self.assertTrue(self.give(self.owner()).user_id)

    def test_who_had_the_person_keeps_them(self):
        # By comparison, in any spelling.
        earlier = self.lead(phone="0501234567", user_id=self.huda.id)
        match = {
            "phones": [],
            "decision": {"do": "create", "id": earlier.id, "reason": "x", "seen": []},
        }
        operation = {
            "ref": "k1",
            "values": {"name": "K"},
            "owner": self.owner(self.sara, self.omar),
        }
        result = self.apply({**operation, "match": match})[0]
        lead = self.env["crm.lead"].browse(result["id"])
        self.assertEqual(lead.user_id, self.huda)
        self.assertEqual(lead.g_assistant_owner_reason, "Has the person's earlier lead")
        # Where duplicates are not looked for, by the same address.
        owner = self.owner(self.sara, self.omar)
        self.lead(email_from="Back@Example.com", user_id=self.huda.id)
        self.assertEqual(self.names(self.give(owner, email_from="back@example.com")), ["huda"])
        # A customer's salesperson.
        self.env["res.partner"].create(
            {"name": "C", "email": "customer@example.com", "user_id": self.huda.id}
        )
        lead = self.give(owner, email_from="customer@example.com")
        self.assertEqual(lead.user_id, self.huda)
        self.assertEqual(lead.g_assistant_owner_reason, "Is the salesperson of this customer")
        # Not if they are not there, or it is not wanted.
        away = {**owner, "away": [self.huda.id]}
        lead = self.give(away, email_from="customer@example.com")
        self.assertEqual(lead.user_id, self.sara)
        self.assertIn("Away: huda", lead.g_assistant_owner_reason)
        lead = self.give({**owner, "sticky": False}, email_from="customer@example.com")
        self.assertEqual(lead.user_id, self.omar)

    def test_a_lead_that_names_its_salesperson_has_one(self):
        lead = self.give(self.owner(self.sara), user_id=self.omar.id)
        self.assertEqual(lead.user_id, self.omar)
        self.assertFalse(lead.g_assistant_owner_reason)

    def test_a_reopened_lead_of_somebody_who_left(self):
        lead = self.lead(phone="0501234567", user_id=self.huda.id)
        self.huda.active = False
        self.end_transaction()
        decision = {"do": "attach", "id": lead.id, "reason": "x", "seen": [[lead.id, "open"]]}
        self.see_own_transaction()
        match = {"phones": ["01234567"], "decision": decision}
        operation = {
            "ref": "r1",
            "values": {"name": "R"},
            "owner": self.owner(self.sara, self.omar),
        }
        self.apply({**operation, "match": match})
        self.assertEqual(lead.user_id, self.sara)
        # Who is there keeps it.
        operation["ref"] = "r2"
        self.apply({**operation, "match": match})
        self.assertEqual(lead.user_id, self.sara)

    def test_updates_take_nobodys_lead(self):
        lead = self.give(self.owner(self.sara))
        ref = f"o{self.number}"
        lead.user_id = self.omar
        self.end_transaction()
        self.upsert(ref, {"city": "Riyadh"}, owner=self.owner(self.huda))
        self.assertEqual(lead.user_id, self.omar)

    def test_another_form_is_refused(self):
        for owner in (
            "x",
            {"among": []},
            {"rule": "r", "among": [{"id": "1"}]},
            {"rule": "r", "away": ["x"]},
            {"rule": "r", "unknown": [1]},
        ):
            with self.subTest(owner=owner):
                self.assertEqual(self.upsert("f", {"name": "F"}, owner=owner)["status"], "refused")

    def test_old_turns_are_forgotten(self):
        turns = self.env["g_assistant.turn"]
        self.give(self.owner(self.sara, self.omar), 6)
        from ..models import g_assistant_owner

        self.patch(g_assistant_owner, "KEPT_TURNS", 2)
        turns._gc_old()
        self.assertEqual(turns.search_count([("rule", "=", "Riyadh")]), 2)
