from odoo.tests import new_test_user, tagged

from .common import BridgeCase

PHONE = {"phones": ["01234567"]}


@tagged("post_install", "-at_install")
class TestDuplicates(BridgeCase):
    def setUp(self):
        super().setUp()
        self.see_own_transaction()
        self.sara = self.lead(
            contact_name="Sara", phone="٠٥٠ ١٢٣ ٤٥٦٧", email_from="sara.ali@gmail.com"
        )

    def send(self, ref, match=PHONE, decision=None, **more):
        values = {"name": "Sara", "phone": "+966501234567", **more.pop("values", {})}
        match = {**match, "decision": decision} if decision else match
        return self.upsert(ref, values, match=match, **more)

    def decided(self, verb, lead, state="open", reason="same mobile number, same name"):
        return {"do": verb, "id": lead.id, "reason": reason, "seen": [[lead.id, state]]}

    def test_who_is_unknown_is_created_at_once(self):
        result = self.send("n", {"phones": ["99999999"], "emails": ["x@y.sa"], "words": ["acme"]})
        self.assertEqual(result["status"], "created")
        lead = self.env["crm.lead"].browse(result["id"])
        self.assertFalse(lead.g_assistant_duplicate_decision)
        self.assertFalse(lead.message_ids)

    def test_whoever_shares_a_key_is_told_to_the_daemon(self):
        company = self.lead(contact_name="Omar", partner_name="شركة الفَهْد للتجارة")
        for match, lead in (
            (PHONE, self.sara),
            ({"emails": ["saraali@gmail.com"]}, self.sara),
            ({"words": ["الفهد"]}, company),
        ):
            with self.subTest(match=match):
                result = self.send("k", match)
                self.assertEqual(result["status"], "undecided")
                found = result["candidates"]
                self.assertEqual([(one["id"], one["state"]) for one in found], [(lead.id, "open")])
                self.assertEqual(found[0]["name"], lead.contact_name)
        self.assertFalse(self.env["g_assistant.binding"].search([("ref", "=", "k")]))
        self.assertFalse(self.env["g_assistant.operation"].search([("model", "=", "crm.lead")]))

    def test_all_states_are_looked_at(self):
        self.sara.action_set_lost()
        won = self.lead(phone="0501234567", stage_id=self.stage_won.id)
        archived = self.lead(phone="0501234567", probability=30)
        archived.active = False
        self.end_transaction()
        states = {one["id"]: one["state"] for one in self.send("s")["candidates"]}
        self.assertEqual(states, {self.sara.id: "lost", won.id: "won", archived.id: "archived"})

    def test_another_company_is_left_alone(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        self.sara.write({"company_id": other.id, "team_id": False, "user_id": False})
        self.end_transaction()
        self.assertEqual(self.send("c")["status"], "created")

    def test_attached_nothing_is_overwritten(self):
        seller = new_test_user(self.env, "g-seller", groups="sales_team.group_sale_salesman")
        self.sara.write({"user_id": seller.id, "city": "Riyadh"})
        self.end_transaction()
        values = {
            "contact_name": "سارة",
            "city": "Jeddah",
            "zip": "12211",
            "description": "<p>Hi</p>",
        }
        result = self.send("a", decision=self.decided("attach", self.sara), values=values)
        self.assertEqual((result["status"], result["id"]), ("updated", self.sara.id))
        self.assertEqual(self.sara.contact_name, "Sara")
        self.assertEqual((self.sara.city, self.sara.zip), ("Riyadh", "12211"))
        self.assertEqual(self.sara.g_assistant_duplicate_decision, "attach")
        self.assertEqual(self.sara.g_assistant_duplicate_reason, "same mobile number, same name")
        note = self.sara.message_ids[0]
        for text in ("same mobile number", "سارة", "Jeddah", "Hi"):
            self.assertIn(text, note.body)
        self.assertIn(seller.partner_id, note.notified_partner_ids | note.partner_ids)
        # Its later updates go there, and people's values stay.
        later = self.upsert("a", {"zip": "12212", "city": "Dammam"})
        self.assertEqual((later["id"], later["kept"]), (self.sara.id, ["city"]))
        self.assertEqual((self.sara.city, self.sara.zip), ("Riyadh", "12212"))

    def test_reopened(self):
        self.sara.action_set_lost()
        self.end_transaction()
        result = self.send("r", decision=self.decided("reopen", self.sara, "lost"))
        self.assertEqual(result["id"], self.sara.id)
        self.assertTrue(self.sara.active)
        self.assertGreater(self.sara.probability, 0)
        self.assertFalse(self.sara.lost_reason_id)
        self.assertEqual(self.sara.g_assistant_duplicate_decision, "reopen")

    def test_asked(self):
        seller = new_test_user(self.env, "g-seller", groups="sales_team.group_sale_salesman")
        decision = self.decided("ask", self.sara, reason="same mobile number, other name")
        result = self.send("q", decision=decision, values={"user_id": seller.id})
        lead = self.env["crm.lead"].browse(result["id"])
        self.assertEqual(result["status"], "created")
        self.assertEqual(lead.g_assistant_duplicate_id, self.sara)
        self.assertEqual(lead.g_assistant_duplicate_decision, "ask")
        self.assertEqual(lead.activity_ids.user_id, seller)
        self.assertIn(self.sara.name, lead.message_ids[0].body)

    def test_what_changed_since_is_decided_anew(self):
        decision = self.decided("attach", self.sara)
        self.sara.action_set_lost()
        self.end_transaction()
        self.assertEqual(self.send("d", decision=decision)["status"], "undecided")
        decision = self.decided("attach", self.sara, "lost")
        newer = self.lead(phone="00966501234567")
        result = self.send("d", decision=decision)
        self.assertEqual([one["id"] for one in result["candidates"]], [self.sara.id, newer.id])
        newer.unlink()
        self.sara.unlink()
        self.end_transaction()
        self.assertEqual(self.send("d", decision=decision)["status"], "undecided")
        self.assertEqual(self.send("d")["status"], "created")

    def test_two_of_one_person_in_a_batch(self):
        match = {"phones": ["77777777"]}
        operations = [
            {"ref": f"b{n}", "values": {"name": "B", "phone": "0577777777"}, "match": match}
            for n in range(2)
        ]
        first, second = self.apply(*operations)
        self.assertEqual((first["status"], second["status"]), ("created", "undecided"))
        again = self.apply(operations[1])[0]
        self.assertEqual([one["id"] for one in again["candidates"]], [first["id"]])

    def test_repeated_it_is_what_it_was(self):
        decision = self.decided("attach", self.sara)
        operation = {
            "key": "again",
            "ref": "again",
            "values": {"zip": "1"},
            "match": {**PHONE, "decision": decision},
        }
        first, second = self.apply(operation)[0], self.apply(operation)[0]
        self.assertEqual(second, {**first, "replayed": True})
        self.assertEqual(
            len(self.sara.message_ids.filtered(lambda one: "wrote again" in one.body)), 1
        )

    def test_a_match_of_another_form_is_refused(self):
        for match in (
            "x",
            {"phones": "1"},
            {"decision": {"do": "merge"}},
            {"decision": {"do": "attach"}},
        ):
            with self.subTest(match=match):
                self.assertEqual(self.send("f", match)["status"], "refused")
