from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .common import BridgeCase

PHONE = {"phones": ["01234567"]}


@tagged("post_install", "-at_install")
class TestDuplicateUndo(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        own = "sales_team.group_sale_salesman"
        cls.seller = new_test_user(cls.env, "g-seller", groups=own)
        cls.other = new_test_user(cls.env, "g-other", groups=own)

    def setUp(self):
        super().setUp()
        self.see_own_transaction()
        self.sara = self.lead(contact_name="Sara", phone="0501234567", user_id=self.seller.id)

    def decide(self, ref, verb, lead, state="open", values=None, **more):
        decision = {
            "do": verb,
            "id": lead.id,
            "reason": "same mobile number",
            "seen": [[lead.id, state]],
        }
        came = {"name": "Shop", "phone": "+966501234567", "contact_name": "Omar", "zip": "12211"}
        result = self.upsert(
            ref,
            {**came, **(values or {})},
            match={**PHONE, "decision": decision},
            create_only=["name"],
            flags={"phones": [], "emails": []},
            **more,
        )
        self.assertFalse(result["error"], result)
        return self.env["crm.lead"].browse(result["id"])

    def undo(self, lead, user=None):
        decision = lead.g_assistant_duplicate_ids[0]
        action = decision.with_user(user or self.seller).action_undo()
        self.end_transaction()
        return decision, self.env["crm.lead"].browse(action.get("res_id") or [])

    def test_attached_it_is_a_lead_of_its_own_again(self):
        before = self.sara.copy_data()[0]
        self.decide("a", "attach", self.sara)
        self.assertEqual((self.sara.contact_name, self.sara.zip), ("Sara", "12211"))
        self.assertIn("DUPLICATE", self.sara.g_assistant_flag_ids.mapped("code"))
        decision, own = self.undo(self.sara)
        self.assertEqual(decision.state, "undone")
        self.assertEqual((decision.undone_by, decision.result_id), (self.seller, own))
        self.assertEqual(
            (own.name, own.contact_name, own.zip, own.phone, own.user_id),
            ("Shop", "Omar", "12211", "+966501234567", self.seller),
        )
        self.assertFalse(own.g_assistant_flag_ids)
        self.assertFalse(own.g_assistant_duplicate_decision)
        self.assertEqual(self.sara.copy_data()[0], before)
        self.assertFalse(self.sara.g_assistant_flag_ids)
        self.assertFalse(self.sara.g_assistant_duplicate_decision)
        self.assertIn("a lead of its own again", self.sara.message_ids[0].body)
        self.assertEqual(self.sara.message_ids[0].author_id, self.seller.partner_id)
        self.assertIn(self.sara.name, own.message_ids[0].body)

    def test_a_later_delivery_does_not_undo_the_undo(self):
        self.decide("a", "attach", self.sara)
        self.upsert("a", {"zip": "12212", "city": "Jeddah"})
        _decision, own = self.undo(self.sara)
        self.assertEqual((own.zip, own.city), ("12212", "Jeddah"))
        self.assertFalse(self.sara.zip)
        own.contact_name = "Omar Ali"
        self.end_transaction()
        result = self.upsert("a", {"zip": "12213", "contact_name": "Omar", "function": "Boss"})
        self.assertEqual((result["id"], result["kept"]), (own.id, []))
        self.assertEqual((own.zip, own.contact_name, own.function), ("12213", "Omar Ali", "Boss"))
        self.assertFalse(self.sara.function)

    def test_what_people_changed_since_stays(self):
        self.decide("a", "attach", self.sara, values={"city": "Jeddah"})
        self.sara.write({"zip": "55555", "partner_name": "Acme"})
        self.end_transaction()
        self.undo(self.sara)
        self.assertEqual((self.sara.zip, self.sara.partner_name), ("55555", "Acme"))
        self.assertFalse(self.sara.city)

    def test_reopened_it_is_lost_again(self):
        reason = self.env["crm.lost.reason"].create({"name": "Too dear"})
        self.sara.action_set_lost(lost_reason_id=reason.id)
        self.end_transaction()
        self.decide("r", "reopen", self.sara, "lost")
        self.assertTrue(self.sara.active)
        self.assertFalse(self.sara.lost_reason_id)
        _decision, own = self.undo(self.sara)
        self.assertTrue(own.active)
        self.assertFalse(self.sara.active)
        self.assertEqual((self.sara.probability, self.sara.lost_reason_id), (0, reason))

    def test_reopened_and_won_it_stays_won(self):
        self.sara.action_set_lost()
        self.end_transaction()
        self.decide("r", "reopen", self.sara, "lost")
        self.sara.stage_id = self.stage_won
        self.end_transaction()
        self.undo(self.sara)
        self.assertTrue(self.sara.active)
        self.assertEqual(self.sara.stage_id, self.stage_won)

    def test_asked_they_are_two_people(self):
        lead = self.decide("q", "ask", self.sara, values={"user_id": self.seller.id})
        self.assertTrue(lead.activity_ids)
        self.assertIn("DUPLICATE", lead.g_assistant_flag_ids.mapped("code"))
        lead.with_user(self.seller).action_g_assistant_apart()
        self.end_transaction()
        self.assertFalse(lead.activity_ids)
        self.assertFalse(lead.g_assistant_duplicate_decision)
        self.assertFalse(lead.g_assistant_duplicate_id)
        self.assertFalse(lead.g_assistant_flag_ids)
        for one, other in ((lead, self.sara), (self.sara, lead)):
            self.assertIn("Not the person of", one.message_ids[0].body)
            self.assertIn(other.name, one.message_ids[0].body)
        # The daemon says it once more with its next delivery: it is not told again.
        self.upsert("q", {"zip": "1"}, flags={"phones": []})
        self.assertFalse(lead.g_assistant_flag_ids)

    def test_asked_and_merged(self):
        lead = self.decide("q", "ask", self.sara, values={"user_id": self.seller.id})
        decision = lead.g_assistant_duplicate_ids
        action = lead.with_user(self.seller).action_g_assistant_merge()
        self.assertEqual(set(action["context"]["active_ids"]), {lead.id, self.sara.id})
        winner = (lead | self.sara).merge_opportunity()
        self.end_transaction()
        self.assertEqual((decision.state, decision.lead_id), ("merged", winner))
        with self.assertRaises(UserError):
            decision.action_undo()

    def test_two_were_attached_and_one_is_taken_away(self):
        self.decide("a", "attach", self.sara, values={"city": "Jeddah"})
        self.decide("b", "attach", self.sara, values={"function": "Boss"})
        _decision, own = self.undo(self.sara)
        self.assertEqual(own.function, "Boss")
        self.assertEqual(self.sara.city, "Jeddah")
        self.assertFalse(self.sara.function)
        self.assertEqual(self.sara.g_assistant_duplicate_decision, "attach")
        self.assertIn("DUPLICATE", self.sara.g_assistant_flag_ids.mapped("code"))
        self.assertEqual(self.upsert("a", {"street": "1"})["id"], self.sara.id)
        self.assertEqual(self.upsert("b", {"street": "2"})["id"], own.id)

    def test_messages_go_with_their_person(self):
        message = {
            "source": "wa",
            "channel": "whatsapp",
            "account": "1",
            "id": "m1",
            "kind": "text",
            "sent_at": "2026-01-01 10:00:00",
            "text": "Salam",
            "people": ["p1", "p2"],
            "starts": True,
        }
        self.decide("wa:m1", "attach", self.sara, message=message)
        self.upsert("wa:m2", {"name": "M"}, message={**message, "id": "m2", "text": "Still there?"})
        self.assertEqual(self.sara.g_assistant_conversation_ids.person, "p1")
        _decision, own = self.undo(self.sara)
        self.assertFalse(self.sara.g_assistant_conversation_ids)
        self.assertEqual(own.g_assistant_conversation_ids.person, "p1")
        bodies = "".join(own.message_ids.mapped("body"))
        self.assertIn("Salam", bodies)
        self.assertIn("Still there?", bodies)
        self.assertNotIn("Salam", "".join(self.sara.message_ids.mapped("body")))
        later = self.upsert("wa:m3", {"name": "M"}, message={**message, "id": "m3", "text": "Hm"})
        self.assertEqual(later["id"], own.id)

    def test_by_right_and_once(self):
        self.decide("a", "attach", self.sara)
        decision = self.sara.g_assistant_duplicate_ids
        for user in (self.other, new_test_user(self.env, "g-nobody", groups="base.group_user")):
            with self.assertRaises(AccessError):
                decision.with_user(user).action_undo()
            with self.assertRaises(AccessError):
                decision.with_user(user).read(["decision"])
        with self.assertRaises(AccessError):
            decision.with_user(self.seller).read(["came"])
        with self.assertRaises(AccessError):
            decision.with_user(self.seller).write({"state": "stands"})
        self.undo(self.sara)
        with self.assertRaises(UserError):
            decision.with_user(self.seller).action_undo()

    def test_what_was_deleted_since_is_left_out(self):
        tag = self.env["crm.tag"].create({"name": "Gone soon"})
        self.decide("a", "attach", self.sara, values={"tag_ids": [tag.id]})
        tag.unlink()
        self.end_transaction()
        _decision, own = self.undo(self.sara)
        self.assertFalse(own.tag_ids)
