from odoo import fields
from odoo.tests import new_test_user, tagged

from .. import config
from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestResponse(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, "g-seller", groups="sales_team.group_sale_salesman_all_leads"
        )

    def setUp(self):
        super().setUp()
        self.came = self.arrived()

    def arrived(self, ref="came", minutes=30, **values):
        """A lead that the daemon brought a while ago."""
        result = self.upsert(ref, {"name": "A lead", "type": "opportunity", **values})
        lead = self.env["crm.lead"].browse(result["id"])
        self.env.cr.execute(
            "UPDATE crm_lead SET create_date = now() AT TIME ZONE 'UTC' - %s * interval '1 minute'"
            " WHERE id = %s",
            [minutes, lead.id],
        )
        lead.invalidate_recordset()
        return lead

    def assertActed(self, lead, minutes=30):
        self.env.invalidate_all()
        self.assertTrue(lead.g_assistant_first_action_at)
        self.assertAlmostEqual(lead.g_assistant_response_minutes, minutes, delta=1)

    def assertWaiting(self, lead):
        self.env.invalidate_all()
        self.assertFalse(lead.g_assistant_first_action_at)
        self.assertFalse(lead.g_assistant_response_minutes)

    def test_what_a_person_does_counts(self):
        activity = {"activity_type_id": self.env.ref("mail.mail_activity_data_call").id}
        customer = self.env["res.partner"].create({"name": "C", "email": "c@example.com"})
        doings = {
            "note": lambda lead: lead.message_post(body="Called", subtype_xmlid="mail.mt_note"),
            "mail": lambda lead: lead.message_post(
                body="Hello", message_type="comment", partner_ids=customer.ids
            ),
            "activity": lambda lead: lead.activity_schedule(
                user_id=self.seller.id, **activity
            ).action_feedback(),
            "stage": lambda lead: lead.write({"stage_id": self.stage_won.id}),
            "owner": lambda lead: lead.write({"user_id": self.seller.id}),
            "lost": lambda lead: lead.action_set_lost(),
        }
        for number, (name, do) in enumerate(doings.items()):
            with self.subTest(doing=name):
                lead = self.arrived(name, 10 + number, stage_id=self.stage_new.id)
                do(lead.with_user(self.seller))
                self.end_transaction()
                self.assertActed(lead, 10 + number)

    def test_what_machines_and_customers_do_does_not(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@example.com"})
        self.came.with_user(self.daemon).message_post(body="From the daemon")
        self.came.with_user(self.env.ref("base.user_root")).write({"user_id": self.seller.id})
        self.came.message_post(body="I am waiting", author_id=customer.id, message_type="email")
        self.came.message_post(body="Me too", email_from="x@example.com", author_id=False)
        self.end_transaction()
        self.upsert("came", {"stage_id": self.stage_won.id}, owned=["stage_id"])
        self.came.with_user(self.seller).message_notify(
            partner_ids=self.seller.partner_id.ids, body="Look"
        )
        self.end_transaction()
        self.assertWaiting(self.came)

    def test_an_activity_planned_is_not_done(self):
        self.came.with_user(self.seller).activity_schedule("mail.mail_activity_data_call")
        self.end_transaction()
        self.assertWaiting(self.came)

    def test_an_answer_from_a_mail_program_counts(self):
        self.came.with_user(self.env.ref("base.user_root")).message_post(
            body="Dear customer", author_id=self.seller.partner_id.id, message_type="email"
        )
        self.assertActed(self.came)

    def test_only_the_first_time_counts(self):
        self.came.with_user(self.seller).message_post(body="Called")
        self.assertActed(self.came)
        before = fields.Datetime.now().replace(year=2001)
        self.env.cr.execute(
            "UPDATE crm_lead SET g_assistant_first_action_at = %s WHERE id = %s",
            [before, self.came.id],
        )
        self.env.invalidate_all()
        self.came.with_user(self.seller).message_post(body="Called again")
        self.env.invalidate_all()
        self.assertEqual(self.came.g_assistant_first_action_at, before)

    def test_it_is_no_change_of_the_lead(self):
        self.new_events()
        written = self.came.write_date
        self.came.with_user(self.seller).message_post(body="Called")
        self.assertFalse(self.new_events())
        self.assertEqual(self.came.write_date, written)

    def test_back_dated_and_future_messages(self):
        post = self.came.with_user(self.seller).message_post
        post(body="Before it came", date=self.came.create_date.replace(year=2001))
        self.assertActed(self.came, 0)
        later = self.arrived("later")
        later.with_user(self.seller).message_post(
            body="Clock goes wrong", date=later.create_date.replace(year=2099)
        )
        self.assertActed(later)

    def test_entered_by_hand_it_was_acted_on(self):
        leads = self.env["crm.lead"].with_user(self.seller)
        by_hand = leads.create({"name": "Walked in"})
        self.assertTrue(by_hand.g_assistant_first_action_at)
        self.assertFalse(by_hand.g_assistant_response_minutes)
        aggregates = ["g_assistant_response_minutes:avg"]
        self.assertFalse(leads._read_group([("id", "=", by_hand.id)], [], aggregates)[0][0])
        self.env.cr.execute(
            "SELECT g_assistant_response_minutes FROM crm_lead WHERE id = %s", [by_hand.id]
        )
        self.assertIsNone(self.env.cr.fetchone()[0])
        imported = leads.with_context(import_file=True).create({"name": "From a list"})
        self.end_transaction()
        self.assertWaiting(imported)
        by_bot = self.env["crm.lead"].create({"name": "Web form"})
        self.assertWaiting(by_bot)

    def test_what_was_done_before_the_addon_came(self):
        waiting, by_hand = self.arrived("waiting"), self.arrived("hand", 7)
        self.came.with_user(self.seller).message_post(body="Called")
        self.env.cr.execute(
            "UPDATE crm_lead SET create_uid = %s WHERE id = %s", [self.seller.id, by_hand.id]
        )
        self.env.cr.execute(
            "UPDATE crm_lead SET g_assistant_first_action_at = NULL,"
            " g_assistant_response_minutes = NULL WHERE id = ANY(%s)",
            [(self.came | waiting | by_hand).ids],
        )
        self.env.invalidate_all()
        self.env["crm.lead"]._g_assistant_read_responses()
        self.env["g_assistant.capture"]._install()
        self.assertActed(self.came)
        self.assertWaiting(waiting)
        self.assertEqual(
            by_hand.g_assistant_first_action_at, by_hand.create_date.replace(microsecond=0)
        )
        self.assertFalse(by_hand.g_assistant_response_minutes)

    def test_a_message_on_an_answered_lead_costs_no_query(self):
        lead = self.came.with_user(self.seller)
        lead.message_post(body="Called")
        self.end_transaction()
        message = lead.message_post(body="Called again")
        with self.assertQueryCount(0):
            message.sudo()._g_assistant_note_action({message: lead.id})

    def test_colours(self):
        params = self.env["ir.config_parameter"]
        for minutes, state in ((2, "good"), (30, "late"), (300, "too_late")):
            lead = self.arrived(f"waiting{minutes}", minutes)
            self.assertEqual(lead.g_assistant_response_state, state)
            self.assertFalse(lead.g_assistant_response_band)
            found = self.env["crm.lead"].search
            here = [("id", "=", lead.id)]
            self.assertTrue(found(here + [("g_assistant_response_state", "=", state)]))
            self.assertFalse(found(here + [("g_assistant_response_state", "!=", state)]))
            lead.with_user(self.seller).message_post(body="Called")
            self.env.invalidate_all()
            self.assertEqual(lead.g_assistant_response_state, state)
            self.assertTrue(found(here + [("g_assistant_response_state", "in", [state])]))
            others = [one for one in ("good", "late", "too_late") if one != state]
            self.assertFalse(found(here + [("g_assistant_response_state", "in", others)]))
        self.assertEqual(lead.g_assistant_response_band, "1440")
        self.assertEqual(lead.g_assistant_response, "Answered after 5 h")
        params.set_param(config.RESPONSE_LATE, "600")
        self.env.invalidate_all()
        self.assertEqual(lead.g_assistant_response_state, "late")
        waiting = self.arrived("archived", 300)
        waiting.active = False
        self.assertFalse(waiting.g_assistant_response_state)
        self.assertFalse(self.env["crm.lead"].new({}).g_assistant_response)
