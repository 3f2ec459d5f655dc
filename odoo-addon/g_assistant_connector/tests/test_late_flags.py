from odoo.tests import tagged

from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestLateFlags(BridgeCase):
    """Flags that only Odoo can raise."""

    def setUp(self):
        super().setUp()
        self.see_own_transaction()
        self.env["mail.blacklist"].create({"email": "no@example.com"})
        self.env["phone.blacklist"].create({"number": "+966501112222"})
        self.spam = self.env.ref("g_assistant_connector.flag_spam")
        self.tag = self.env["crm.tag"].create({"name": "LATE"})

    def send(self, ref, flags=(), decision=None, values=None, **more):
        flags = {"emails": [], "phones": [], **dict(flags)}
        values = {
            "name": ref,
            "g_assistant_flag_ids": [self.spam.id],
            "g_assistant_flag_reasons": "SPAM: links",
            **(values or {}),
        }
        if decision:
            more["match"] = {"phones": ["01234567"], "decision": decision}
        owned = [name for name in values if name.startswith("g_")]
        result = self.upsert(ref, values, flags=flags, owned=owned, **more)
        return result, self.env["crm.lead"].browse(result["id"] or [])

    def test_who_is_on_a_blacklist_of_odoo(self):
        for late in ({"emails": ["x@y.sa", "No@EXAMPLE.com"]}, {"phones": ["+966501112222"]}):
            with self.subTest(late=late):
                _result, lead = self.send(str(late), {**late, "tag": {"DNC_LIST": self.tag.id}})
                self.assertEqual(lead.g_assistant_flag_ids.mapped("code"), ["DNC_LIST", "SPAM"])
                self.assertIn("is on a blacklist of Odoo", lead.g_assistant_flag_reasons)
                self.assertIn("SPAM: links", lead.g_assistant_flag_reasons)
                self.assertEqual(lead.tag_ids, self.tag)
                self.assertTrue(lead.active)
        _result, lead = self.send(
            "fine", {"emails": ["yes@example.com"], "tag": {"DNC_LIST": self.tag.id}}
        )
        self.assertEqual(lead.g_assistant_flag_ids, self.spam)
        self.assertFalse(lead.tag_ids)
        # Taken off the list.
        self.env["mail.blacklist"]._remove("no@example.com")
        _result, lead = self.send("off", {"emails": ["no@example.com"]})
        self.assertEqual(lead.g_assistant_flag_ids, self.spam)

    def test_archived(self):
        late = {"emails": ["no@example.com"], "archive": ["DNC_LIST"]}
        _result, lead = self.send("arch", late)
        self.assertFalse(lead.active)
        lead.active = True
        self.end_transaction()
        self.send("arch", late, values={"city": "Riyadh"})
        self.assertTrue(lead.active, "only a new lead is archived")
        self.assertEqual(lead.city, "Riyadh")

    def test_held_until_somebody_has_looked(self):
        late = {"emails": ["no@example.com"], "hold": ["DNC_LIST"]}
        operation = {"key": "held", "ref": "held", "values": {"name": "H"}, "flags": late}
        result = self.apply(operation)[0]
        self.assertEqual((result["status"], result["held"]), ("held", ["DNC_LIST"]))
        self.assertFalse(self.env["crm.lead"].search([("name", "=", "H")]))
        self.assertFalse(self.env["g_assistant.operation"].search([("key", "=", "held")]))
        operation["flags"] = {**late, "reviewed": True}
        result = self.apply(operation)[0]
        self.assertEqual(result["status"], "created")
        lead = self.env["crm.lead"].browse(result["id"])
        self.assertEqual(lead.g_assistant_flag_ids.code, "DNC_LIST")

    def test_whose_person_is_known_is_a_duplicate(self):
        earlier = self.lead(phone="0501234567")
        reason = "same mobile number, same name"
        decision = {
            "do": "attach",
            "id": earlier.id,
            "reason": reason,
            "seen": [[earlier.id, "open"]],
        }
        held, _none = self.send("d1", {"hold": ["DUPLICATE"]}, decision)
        self.assertEqual((held["status"], held["held"]), ("held", ["DUPLICATE"]))
        self.assertFalse(self.env["g_assistant.binding"].search([("ref", "=", "d1")]))
        _result, lead = self.send("d1", {"tag": {"DUPLICATE": self.tag.id}}, decision)
        self.assertEqual(lead, earlier)
        self.assertEqual(lead.g_assistant_flag_ids.mapped("code"), ["SPAM", "DUPLICATE"])
        self.assertIn(f"DUPLICATE: {reason}", lead.g_assistant_flag_reasons)
        self.assertEqual(lead.tag_ids, self.tag)
        # What comes later says nothing about that.
        held, lead = self.send("d1", {"hold": ["DUPLICATE"]}, values={"city": "Abha"})
        self.assertEqual(held["status"], "updated")
        self.assertEqual(lead.g_assistant_flag_ids.mapped("code"), ["SPAM", "DUPLICATE"])
        self.assertIn(f"DUPLICATE: {reason}", lead.g_assistant_flag_reasons)
        # Asked: a lead of its own, flagged.
        decision.update(do="ask", seen=[[earlier.id, "open"]])
        _result, lead = self.send("d2", {"archive": ["DUPLICATE"]}, decision)
        self.assertNotEqual(lead, earlier)
        self.assertIn("DUPLICATE", lead.g_assistant_flag_ids.mapped("code"))
        self.assertFalse(lead.active)
        # Who bought before is known, and no duplicate.
        decision.update(do="create", seen=[[earlier.id, "open"], [lead.id, "archived"]])
        _result, lead = self.send("d3", {}, decision, values={"probability": 30})
        self.assertEqual(lead.g_assistant_flag_ids, self.spam, _result)

    def test_another_form_is_refused(self):
        for flags in ("x", {"emails": "x"}, {"tag": {"SPAM": "x"}}, {"hold": [1]}):
            with self.subTest(flags=flags):
                result = self.upsert("f", {"name": "F"}, flags=flags)
                self.assertEqual(result["status"], "refused")
