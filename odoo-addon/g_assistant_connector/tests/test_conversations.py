from markupsafe import Markup

from odoo.tests import new_test_user, tagged

from .common import ConversationCase


@tagged("post_install", "-at_install")
class TestConversations(ConversationCase):
    def test_messages_of_one_person_are_on_one_lead_in_order(self):
        results = [self.send(number, f"text {number}") for number in range(3)]
        self.assertEqual([one["status"] for one in results], ["created", "updated", "updated"])
        self.assertEqual(len({one["id"] for one in results}), 1)
        lead = self.env["crm.lead"].browse(results[0]["id"])
        posted = self.posted(lead)
        self.assertEqual(len(posted), 3)
        for number, one in enumerate(posted):
            self.assertIn(f"text {number}", one.body)
            # The channel's mark: its icon and its name.
            self.assertIn('<i class="fa fa-whatsapp"></i> WhatsApp</span>', one.body)
            self.assertEqual(str(one.date), f"2026-11-20 10:00:0{number}")
            self.assertEqual(one.email_from, "Sara")
        conversation = lead.g_assistant_conversation_ids
        self.assertEqual(conversation.display_name, "WhatsApp · Sara")
        self.assertEqual(str(conversation.last_inbound), "2026-11-20 10:00:02")
        rows = self.env["g_assistant.message"].search([("conversation_id", "=", conversation.id)])
        self.assertEqual(rows.mapped("status"), ["received"] * 3)

    def test_a_message_is_there_once_even_when_the_ledger_has_forgotten_it(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        self.assertTrue(self.send(1)["replayed"])
        self.env["g_assistant.operation"].search([]).unlink()
        again = self.send(1)
        self.assertEqual((again["status"], again["id"]), ("unchanged", lead.id))
        self.assertEqual(len(self.posted(lead)), 1)

    def test_nobody_is_sent_an_email_and_nothing_is_html(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        seller = new_test_user(self.env, "g-seller", groups="sales_team.group_sale_salesman")
        seller.notification_type = "email"
        contact = self.env["res.partner"].create({"name": "Sara Ali", "email": "s@example.com"})
        lead.write({"partner_id": contact.id, "user_id": seller.id})
        lead.message_subscribe([seller.partner_id.id, contact.id])
        self.end_transaction()
        before = self.env["mail.mail"].search_count([])
        self.send(2, "<script>alert(1)</script>\nsecond line")
        posted = self.posted(lead)[-1]
        self.assertEqual(posted.author_id, contact)
        self.assertIn(Markup("&lt;script&gt;alert(1)&lt;/script&gt;<br>second line"), posted.body)
        self.assertFalse(posted.notified_partner_ids)
        self.assertEqual(self.env["mail.mail"].search_count([]), before)
        self.assertNotIn(self.daemon.partner_id, lead.message_partner_ids)

    def test_people_stay_known_when_their_ids_change(self):
        first = self.send(1, people=["966501234567"])
        # From now on they are told by another id, then by that alone.
        for number, people in ((2, ["SA.1", "966501234567"]), (3, ["SA.1"])):
            self.assertEqual(self.send(number, people=people)["id"], first["id"])
        lead = self.env["crm.lead"].browse(first["id"])
        self.assertEqual(lead.g_assistant_conversation_ids.person, "SA.1")
        # Under an older id alone, and then under both.
        for number, people in ((5, ["966501234567"]), (6, ["SA.1", "966501234567"])):
            self.assertEqual(self.send(number, people=people)["id"], first["id"])
        self.env["g_assistant.conversation"].search([("person", "!=", "SA.1")]).unlink()
        # Another number of ours: another conversation on the same lead.
        self.assertEqual(self.send(4, account="107")["id"], first["id"])
        self.assertEqual(len(lead.g_assistant_conversation_ids), 2)

    def test_what_is_missing_is_filled_in_and_nothing_else(self):
        lead = self.env["crm.lead"].browse(self.send(1, values={"city": "Riyadh"})["id"])
        lead.contact_name = "Mrs Sara"
        self.end_transaction()
        more = {"city": "Jeddah", "phone": "+966501234567", "g_assistant_ad_name": "Villas"}
        result = self.send(2, values=more)
        self.assertEqual(result["kept"], [])
        self.assertEqual((lead.contact_name, lead.city), ("Mrs Sara", "Riyadh"))
        self.assertEqual((lead.phone, lead.g_assistant_ad_name), ("+966501234567", "Villas"))
        self.assertFalse(lead.message_ids.filtered(lambda one: "kept your values" in one.body))

    def test_of_a_lead_that_is_not_open_the_daemon_decides(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        lead.action_set_lost()
        self.end_transaction()
        undecided = self.send(2)
        self.assertEqual(undecided["status"], "undecided")
        (candidate,) = undecided["candidates"]
        self.assertEqual(
            (candidate["id"], candidate["state"], candidate["same"]), (lead.id, "lost", True)
        )
        self.assertEqual(len(self.posted(lead)), 1)
        decision = {
            "do": "reopen",
            "id": lead.id,
            "reason": "same conversation",
            "seen": [[lead.id, "lost"]],
        }
        done = self.send(2, match={"decision": decision})
        self.assertEqual((done["status"], done["id"]), ("updated", lead.id))
        self.assertTrue(lead.active)
        self.assertEqual(len(self.posted(lead)), 2)
        # Won: a lead of its own, and the conversation goes on there.
        lead.action_set_won()
        self.end_transaction()
        decision = {
            "do": "create",
            "id": lead.id,
            "reason": "same conversation",
            "seen": [[lead.id, "won"]],
        }
        new = self.send(3, match={"decision": decision})
        self.assertEqual(new["status"], "created")
        self.assertEqual(self.send(4)["id"], new["id"])
        new = self.env["crm.lead"].browse(new["id"])
        self.assertEqual(new.g_assistant_duplicate_id, lead)
        self.assertEqual((len(self.posted(lead)), len(self.posted(new))), (2, 2))
        self.assertEqual(new.g_assistant_conversation_ids.lead_id, new)

    def test_without_a_policy_it_is_a_new_lead(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        lead.active = False
        self.end_transaction()
        operation = self.operation(self.message(2))
        del operation["match"]
        new = self.apply(operation)[0]
        self.assertEqual(new["status"], "created")
        self.assertNotEqual(new["id"], lead.id)

    def test_who_is_known_by_phone_needs_no_second_lead(self):
        sara = self.lead(contact_name="Sara", phone="0501234567")
        match = {"phones": ["01234567"]}
        undecided = self.send(1, match=match)
        self.assertEqual([one["id"] for one in undecided["candidates"]], [sara.id])
        self.assertNotIn("same", undecided["candidates"][0])
        decision = {
            "do": "attach",
            "id": sara.id,
            "reason": "same mobile number",
            "seen": [[sara.id, "open"]],
        }
        self.assertEqual(self.send(1, match=match | {"decision": decision})["id"], sara.id)
        # From now on by the conversation.
        self.assertEqual(self.send(2, match=match)["id"], sara.id)
        self.assertEqual(len(self.posted(sara)), 2)

    def test_merged_and_deleted_leads(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        winner = self.lead(name="Winner", contact_name="Sara", probability=90)
        (lead | winner).merge_opportunity()
        self.end_transaction()
        left = (lead | winner).exists()
        self.assertEqual(self.send(2)["id"], left.id)
        self.assertEqual(left.g_assistant_conversation_ids.lead_id, left)
        self.assertEqual(len(self.posted(left)), 2)
        left.unlink()
        self.end_transaction()
        new = self.send(3)
        self.assertEqual(new["status"], "created")
        self.assertEqual(self.send(4)["id"], new["id"])

    def test_several_in_one_call(self):
        operations = [self.operation(self.message(number, f"t{number}")) for number in range(4)]
        results = self.apply(*operations, operations[1])
        self.assertEqual(len({one["id"] for one in results}), 1)
        bodies = self.posted(self.env["crm.lead"].browse(results[0]["id"])).mapped("body")
        self.assertEqual([f"t{number}" in bodies[number] for number in range(4)], [True] * 4)

    def test_a_message_that_odoo_refuses_leaves_no_lead(self):
        bad = self.operation(self.message(1), values={"stage_id": 0})
        good = self.operation(self.message(2, people=["SA.2"]))
        results = self.apply(bad, good)
        self.assertEqual([one["status"] for one in results], ["refused", "created"])
        self.assertFalse(self.env["g_assistant.conversation"].search([("person", "=", "SA.1")]))

    def test_replies_and_reactions(self):
        self.assertEqual(self.send(1, "👍", kind="reaction", starts=False)["status"], "unchanged")
        self.assertFalse(self.env["g_assistant.conversation"].search([]))
        lead = self.env["crm.lead"].browse(self.send(2)["id"])
        lead.action_set_lost()
        self.end_transaction()
        # One needs no decision: it is no inquiry.
        result = self.send(3, "👍", kind="reaction", starts=False, reply_to="m2")
        self.assertEqual(result["id"], lead.id)
        self.assertFalse(lead.active)
        first, reaction = self.posted(lead)
        self.assertIn("Reaction", reaction.body)
        self.assertEqual(reaction.parent_id, first)

    def test_statuses_only_grow(self):
        results = [self.mark(id="out1", status=status) for status in ("delivered", "sent", "read")]
        self.assertEqual([one["status"] for one in results], ["created", "unchanged", "updated"])
        row = self.env["g_assistant.message"].search([("message", "=", "out1")])
        self.assertEqual((row.direction, row.status), ("out", "read"))
        self.mark(id="out2", status="failed", error="131047 Re-engagement message")
        failed = self.env["g_assistant.message"].search([("message", "=", "out2")])
        self.assertEqual((failed.status, failed.error), ("failed", "131047 Re-engagement message"))

    def test_all_up_to_a_time_are_read(self):
        people = ["SA.1"]
        self.assertEqual(self.mark(people=people, status="read")["status"], "unchanged")
        self.send(1, people=people)
        self.mark(id="out1", people=people, status="delivered")
        out = self.env["g_assistant.message"].search([("message", "=", "out1")])
        out.sent_at = "2026-11-20 10:30:00"
        self.mark(people=people, status="read")
        self.assertEqual(out.status, "read")
        self.assertEqual(str(out.conversation_id.read_until), "2026-11-20 11:00:00")
        incoming = self.env["g_assistant.message"].search([("message", "=", "m1")])
        self.assertEqual(incoming.status, "received")

    def test_what_was_taken_back_is_not_shown_any_more(self):
        lead = self.env["crm.lead"].browse(self.send(1, "a secret")["id"])
        self.mark(id="m1", status="deleted")
        self.assertNotIn("secret", self.posted(lead).body)
        self.assertIn("deleted by its sender", self.posted(lead).body)
        # Also if it is told first.
        self.mark(id="m2", status="deleted")
        self.send(2, "another secret")
        self.assertNotIn("secret", self.posted(lead)[-1].body)

    def test_salespeople_see_conversations_of_their_leads(self):
        lead = self.env["crm.lead"].browse(self.send(1)["id"])
        seller, other = (
            new_test_user(self.env, login, groups="sales_team.group_sale_salesman")
            for login in ("g-seller", "g-other")
        )
        lead.user_id = seller
        conversations = self.env["g_assistant.conversation"]
        self.assertEqual(len(conversations.with_user(seller).search([])), 1)
        self.assertFalse(conversations.with_user(other).search([]))

    def test_what_has_another_form_is_refused(self):
        good = self.message(1)
        bad = [
            "x",
            {},
            good | {"people": []},
            good | {"people": [1]},
            good | {"channel": "fax"},
            good | {"sent_at": "yesterday"},
            good | {"text": 5},
            good | {"id": ""},
        ]
        for message in bad:
            with self.subTest(message=message):
                operation = {"ref": "wa:SA.1", "values": {"name": "x"}, "message": message}
                self.assertEqual(self.apply(operation)[0]["status"], "refused")
        for mark in ({"id": "x"}, {"status": "read"}, {"id": "x", "status": "lost"}):
            with self.subTest(mark=mark):
                self.assertEqual(self.mark(**mark)["status"], "refused")
        order = self.operation(good) | {"model": "sale.order"}
        self.assertEqual(self.apply(order)[0]["status"], "refused")
        self.assertFalse(self.env["g_assistant.message"].search([]))

    def nameless(self, number, **more):
        """A message of a messenger that tells no name."""
        page = {"source": "ms", "channel": "messenger", "account": "9", "people": ["7"]}
        message = self.message(number, **(page | more), name=None, phone=None)
        values = {"name": f"Messenger {message['people'][0]}", "contact_name": None}
        operation = self.operation(message, values)
        operation |= {"key": f"ms:{number}", "ref": f"ms:{message['people'][0]}"}
        operation["values"].pop("contact_name")
        return self.apply(operation)[0]

    def introduce(self, key="ms:who", person="7", who="Sara Ali", **names):
        profile = {"source": "ms", "account": "9", "people": [person], "name": who} | names
        operation = {
            "key": key,
            "action": "update",
            "ref": f"ms:{person}",
            "values": {"name": who, "contact_name": who},
            "profile": profile,
        }
        return self.apply(operation)[0]

    def test_who_is_introduced_is_called_so(self):
        lead = self.env["crm.lead"].browse(self.nameless(1)["id"])
        self.assertEqual((lead.name, lead.contact_name), ("Messenger 7", False))
        result = self.introduce(username="sara.ali")
        self.assertEqual((result["status"], result["id"]), ("updated", lead.id))
        self.assertEqual((lead.name, lead.contact_name), ("Sara Ali", "Sara Ali"))
        conversation = lead.g_assistant_conversation_ids
        self.assertEqual(conversation.display_name, "Messenger · Sara Ali")
        self.assertEqual(conversation.username, "sara.ali")
        self.assertTrue(self.introduce()["replayed"])
        # What they write from then on is theirs, and does not take the name away.
        self.nameless(2)
        self.assertEqual((lead.name, conversation.name), ("Sara Ali", "Sara Ali"))
        self.assertEqual(self.posted(lead).mapped("email_from"), ["Messenger", "Sara Ali"])

    def test_what_a_person_has_named_stays_so(self):
        lead = self.env["crm.lead"].browse(self.nameless(1)["id"])
        self.end_transaction()
        lead.write({"name": "Villa in the north"})
        self.end_transaction()
        result = self.introduce()
        self.assertEqual((result["status"], result["kept"]), ("updated", ["name"]))
        self.assertEqual((lead.name, lead.contact_name), ("Villa in the north", "Sara Ali"))
        self.assertEqual(lead.g_assistant_conversation_ids.name, "Sara Ali")
        lead.write({"contact_name": "Umm Khalid"})
        self.end_transaction()
        self.assertEqual(self.introduce("ms:again", who="Sara A.")["status"], "unchanged")
        self.assertEqual((lead.name, lead.contact_name), ("Villa in the north", "Umm Khalid"))
        self.assertFalse(lead.message_ids.filtered(lambda one: "kept your values" in one.body))

    def test_a_further_lead_has_the_name_that_was_told_before(self):
        first = self.env["crm.lead"].browse(self.nameless(1)["id"])
        self.introduce()
        first.unlink()
        self.end_transaction()
        second = self.env["crm.lead"].browse(self.nameless(2)["id"])
        self.assertEqual((second.name, second.contact_name), ("Sara Ali", "Sara Ali"))
        self.assertEqual(self.posted(second).email_from, "Sara Ali")
        # Of another person nothing is known, and one without a lead needs no name.
        other = self.nameless(3, people=["8"])
        other = self.env["crm.lead"].browse(other["id"])
        self.assertEqual((other.name, other.contact_name), ("Messenger 8", False))
        self.assertEqual(self.introduce("ms:nobody", person="99")["status"], "unchanged")

    def test_a_profile_has_a_form(self):
        profile = {"source": "ms", "account": "9", "people": ["7"], "name": "Sara"}
        update = {"key": "ms:bad", "action": "update", "ref": "ms:7", "values": {}}
        for bad in (
            update | {"profile": "Sara"},
            update | {"profile": profile | {"people": []}},
            update | {"profile": profile | {"name": 7}},
            update | {"profile": profile | {"account": None}},
            update | {"profile": profile, "action": "upsert"},
            update | {"profile": profile, "model": "res.partner"},
        ):
            self.assertEqual(self.apply(bad)[0]["status"], "refused", bad)
