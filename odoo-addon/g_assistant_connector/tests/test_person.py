import logging
import time

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import BridgeCase

_logger = logging.getLogger(__name__)


@tagged("post_install", "-at_install")
class TestPerson(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        partners = cls.env["res.partner"]
        cls.company = partners.create({"name": "Najd Trading", "is_company": True})
        cls.sara = partners.create(
            {"name": "Sara", "parent_id": cls.company.id, "email": "sara@example.com"}
        )
        cls.seller, cls.other = (
            new_test_user(cls.env, login, groups="sales_team.group_sale_salesman")
            for login in ("g-person-seller", "g-person-other")
        )
        cls.manager = new_test_user(
            cls.env, "g-person-manager", groups="sales_team.group_sale_salesman_all_leads"
        )

        cls.viewer = new_test_user(
            cls.env, "g-person-viewer", groups="g_assistant_connector.group_viewer"
        )

    def page(self, user=None, partner=None):
        people = self.env["g_assistant.person"].with_user(user or self.manager)
        return people.page((partner or self.sara).id)

    def timeline(self, *args, user=None):
        people = self.env["g_assistant.person"].with_user(user or self.manager)
        return people.timeline(self.sara.id, *args)

    def order(self, price=100.0, **values):
        line = {"product_id": self.product.id, "price_unit": price, "tax_ids": False}
        if "tax_ids" not in self.env["sale.order.line"]._fields:
            line["tax_id"] = line.pop("tax_ids")
        return self.env["sale.order"].create(
            {"partner_id": self.sara.id, "order_line": [Command.create(line)], **values}
        )

    def kinds_of(self, page):
        return [entry["kind"] for entry in page["entries"]]

    # ---- what belongs to the customer ------------------------------------------

    def test_nothing_yet(self):
        page = self.page()
        self.assertEqual(page["name"], self.sara.display_name)
        self.assertEqual(page["leads"]["ids"], [])
        self.assertEqual(page["sales"]["orders"], {"ids": [], "amount": 0.0, "newest": []})
        self.assertEqual((page["campaigns"], page["scores"]), ([], []))
        self.assertEqual(page["timeline"], {"entries": [], "next": False})

    def test_a_company_and_its_contacts_are_one_customer(self):
        brother = self.env["res.partner"].create({"name": "Ali", "parent_id": self.company.id})
        stranger = self.env["res.partner"].create({"name": "Stranger"})
        leads = [self.lead(partner_id=one.id) for one in (self.company, self.sara, brother)]
        self.lead(partner_id=stranger.id)
        for partner in (self.company, self.sara, brother):
            page = self.page(partner=partner)
            self.assertEqual(sorted(page["leads"]["ids"]), sorted(lead.id for lead in leads))
        contact = self.page()["contact"]
        self.assertEqual(contact["company"]["name"], "Najd Trading")
        self.assertEqual(contact["other_ids"], [brother.id])

    def test_leads_without_a_customer_are_known_by_their_address(self):
        mine = self.lead(email_from="Sara <SARA@example.com>")
        self.lead(email_from="somebody@example.com")
        taken = self.lead(email_from="sara@example.com", partner_id=self.partner.id)
        self.assertEqual(self.page()["leads"]["ids"], [mine.id])
        self.assertNotIn(taken.id, self.page()["leads"]["ids"])

    def test_figures(self):
        won, lost, archived, open_ = (
            self.lead(partner_id=self.sara.id, expected_revenue=amount)
            for amount in (100, 200, 300, 400)
        )
        won.action_set_won()
        lost.action_set_lost()
        archived.write({"active": False, "probability": 20})
        self.order(price=70).action_confirm()
        self.order(price=30).action_confirm()
        self.order(price=50)
        self.order(price=9).state = "cancel"
        self.end_transaction()
        page = self.page()
        for name, lead in (("won", won), ("lost", lost), ("archived", archived), ("open", open_)):
            self.assertEqual(page["leads"][name]["ids"], [lead.id], name)
            self.assertEqual(page["leads"][name]["amount"], lead.expected_revenue, name)
        sales = page["sales"]
        self.assertEqual((len(sales["orders"]["ids"]), sales["orders"]["amount"]), (2, 100))
        self.assertEqual((len(sales["quotations"]["ids"]), sales["quotations"]["amount"]), (1, 50))

    def test_revenue_is_in_the_company_s_currency(self):
        foreign = self.env["res.currency"].create({"name": "GAC", "symbol": "G"})
        self.env["res.currency.rate"].create({"currency_id": foreign.id, "rate": 4.0})
        pricelist = self.env["product.pricelist"].create({"name": "G", "currency_id": foreign.id})
        order = self.order(price=100, pricelist_id=pricelist.id)
        order.action_confirm()
        self.assertEqual(order.amount_untaxed, 100)
        self.end_transaction()
        self.assertAlmostEqual(self.page()["sales"]["orders"]["amount"], 25.0)

    def test_campaigns_that_touched_them(self):
        campaign = self.env["utm.campaign"].create({"title": "Newsletter"})
        first = self.lead(partner_id=self.sara.id, campaign_id=campaign.id)
        ads = [
            self.lead(
                partner_id=self.sara.id,
                g_assistant_campaign_name="Villas",
                g_assistant_platform="meta",
            )
            for _n in range(2)
        ]
        self.lead(partner_id=self.sara.id)
        ads[0].action_set_won()
        self.end_transaction()
        found = {one["name"]: one for one in self.page()["campaigns"]}
        self.assertEqual(set(found), {"Newsletter", "Villas"})
        self.assertEqual(found["Newsletter"]["ids"], [first.id])
        self.assertEqual(sorted(found["Villas"]["ids"]), sorted(lead.id for lead in ads))
        self.assertEqual((found["Villas"]["won"], found["Villas"]["platform"]), (1, "meta"))

    # ---- score history ---------------------------------------------------------

    def test_changes_of_a_score_are_kept(self):
        def send(score):
            values = {
                "name": "Scored",
                "g_assistant_score": score,
                "g_assistant_score_reasons": "x",
            }
            owned = ["g_assistant_score", "g_assistant_score_reasons"]
            return self.upsert("scored", values, owned=owned)["id"]

        lead = self.env["crm.lead"].browse(send(40))
        lead.partner_id = self.sara
        rows = self.env["g_assistant.score"].search([("lead_id", "=", lead.id)])
        self.assertFalse(rows)
        self.assertEqual([one["score"] for one in self.page()["scores"]], [40])
        send(55)
        send(55)
        send(80)
        # Worse, and nothing new is known: the score stays.
        send(10)
        rows = self.env["g_assistant.score"].search([("lead_id", "=", lead.id)], order="id")
        self.assertEqual([(row.previous, row.score) for row in rows], [(40, 55), (55, 80)])
        page = self.page()
        self.assertEqual([one["score"] for one in page["scores"]], [40, 55, 80])
        changes = [one for one in page["timeline"]["entries"] if one["kind"] == "score"]
        self.assertEqual([(one["previous"], one["score"]) for one in changes], [(55, 80), (40, 55)])

    # ---- the timeline ----------------------------------------------------------

    def test_timeline_of_a_deal(self):
        lead = self.lead(partner_id=self.sara.id, name="Villa")
        self.env.cr.execute(
            "UPDATE crm_lead SET create_date = create_date - interval '1 day' WHERE id = %s",
            [lead.id],
        )
        self.track(lead, lambda: lead.write({"stage_id": self.stage_won.id}))
        order = self.order(price=100)
        self.track(order, lambda: order.write({"state": "sent"}))
        order.action_confirm()
        self.end_transaction()
        page = self.timeline("milestone")
        self.assertEqual(
            sorted(self.kinds_of(page)), ["confirmed", "lead", "quotation", "sent", "won"]
        )
        won = next(entry for entry in page["entries"] if entry["kind"] == "won")
        self.assertEqual(
            (won["model"], won["res_id"], won["title"]), ("crm.lead", lead.id, "Villa")
        )
        stage = [change for change in won["changes"] if change["now"] == "Deal"]
        self.assertEqual(stage[0]["before"], "Fresh")
        self.assertEqual(self.kinds_of(page)[-1], "lead")
        ats = [entry["at"] for entry in page["entries"]]
        self.assertEqual(ats, sorted(ats, reverse=True))

    def test_what_was_tracked_is_told_as_odoo_shows_it(self):
        lead = self.lead(partner_id=self.sara.id, expected_revenue=100)

        def change():
            lead.write({"expected_revenue": 2500.5, "user_id": self.seller.id})
            lead.action_set_lost()

        self.track(lead, change)
        lead._message_log(body="Seen by the customer")
        entries = self.timeline()["entries"]
        (logged,) = [entry for entry in entries if entry["kind"] == "log"]
        self.assertEqual(logged["text"], "Seen by the customer")
        told = {one["field"]: one for entry in entries for one in entry.get("changes", ())}
        names = lead.fields_get(["expected_revenue", "user_id", "active"], ["string"])
        revenue, user, active = (
            told[names[name]["string"]] for name in ("expected_revenue", "user_id", "active")
        )
        self.assertEqual((revenue["before"], revenue["now"]), ("100.00", "2,500.50"))
        self.assertEqual((user["before"], user["now"]), (self.env.user.name, self.seller.name))
        self.assertEqual((active["before"], active["now"]), ("Yes", "No"))

    def track(self, record, change):
        """A tracked change, as another transaction than that of the creation makes it."""
        record.env.cr.precommit.clear()
        change()
        record.env.flush_all()
        record.env.cr.precommit.run()

    def test_messages_by_channel_and_direction(self):
        self.see_own_transaction()
        lead = self.lead(partner_id=self.sara.id)
        lead.message_post(
            body="Dear Sara",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            author_id=self.seller.partner_id.id,
        )
        lead.message_post(
            body="Thank you",
            message_type="email",
            subtype_xmlid="mail.mt_comment",
            author_id=self.sara.id,
        )
        lead.message_post(
            body="Likes corners", message_type="comment", author_id=self.seller.partner_id.id
        )
        self.sara.message_post(
            body="On the contact", message_type="comment", author_id=self.seller.partner_id.id
        )
        activity = lead.activity_schedule("mail.mail_activity_data_call", user_id=self.seller.id)
        activity.action_feedback(feedback="Wants to see it")
        self.env["g_assistant.binding"]._store("crm.lead", [("wa:SA.1", lead.id, "{}")])
        self.apply(self.whatsapp())
        page = self.page()
        found = {one["channel"]: (one["count"], one["name"]) for one in page["channels"]}
        self.assertEqual(
            found,
            {
                "email": (2, "E-mail"),
                "note": (2, "Note"),
                "call": (1, "Call"),
                "whatsapp": (1, "WhatsApp"),
            },
        )
        said = {entry.get("channel"): entry for entry in self.timeline("message")["entries"]}
        self.assertIn("Wants to see it", said["call"]["text"])
        self.assertEqual(said["whatsapp"]["text"], "Is it free?")
        self.assertEqual(
            (said["whatsapp"]["direction"], said["whatsapp"]["icon"]), ("in", "fa-whatsapp")
        )
        self.assertEqual((said["call"]["direction"], said["note"]["direction"]), (None, None))
        mails = self.timeline("email")["entries"]
        self.assertEqual(
            {(entry["text"], entry["direction"]) for entry in mails},
            {("Dear Sara", "out"), ("Thank you", "in")},
        )
        self.assertEqual(
            [one["text"] for one in self.timeline(None, "CORNERS")["entries"]], ["Likes corners"]
        )
        self.assertEqual(self.timeline("email", "corners")["entries"], [])
        lead.message_post(body="Sand & sea <here>", message_type="comment")
        (found,) = self.timeline(None, "sand & sea <")["entries"]
        self.assertEqual(found["text"], "Sand & sea <here>")
        # What is searched for are words: neither wildcards nor the markup around them.
        for text in ("%", "c_rners", "<p>"):
            self.assertEqual(self.timeline(None, text)["entries"], [], text)

    def whatsapp(self):
        message = {
            "source": "wa",
            "channel": "whatsapp",
            "account": "106",
            "people": ["SA.1"],
            "id": "m1",
            "kind": "text",
            "text": "Is it free?",
            "sent_at": "2026-11-20 10:00:00",
        }
        return {"ref": "wa:SA.1", "values": {"name": "Sara"}, "message": message}

    def test_pages_of_the_timeline_miss_nothing(self):
        lead = self.lead(partner_id=self.sara.id)
        for number in range(70):
            lead.message_post(body=f"note {number}", message_type="comment")
        self.end_transaction()
        seen, after = [], None
        while after is not False:
            page = self.timeline(None, None, after)
            seen += [entry["key"] for entry in page["entries"]]
            after = page["next"]
        self.assertEqual((len(seen), len(set(seen))), (71, 71))

    # ---- who may see what ------------------------------------------------------

    def test_each_role_sees_what_odoo_lets_it_see(self):
        mine = self.lead(partner_id=self.sara.id, user_id=self.seller.id, expected_revenue=10)
        others = self.lead(partner_id=self.sara.id, user_id=self.other.id, expected_revenue=20)
        for lead in (mine, others):
            lead.message_post(body=f"about {lead.id}", message_type="comment")
        orders = [self.order(user_id=user.id) for user in (self.seller, self.other)]
        self.end_transaction()
        for user, leads, quotations in (
            (self.seller, [mine], orders[:1]),
            (self.other, [others], orders[1:]),
            (self.manager, [mine, others], orders),
            (self.viewer, [mine, others], orders),
        ):
            with self.subTest(user=user.login):
                page = self.page(user)
                self.assertEqual(sorted(page["leads"]["ids"]), [lead.id for lead in leads])
                self.assertEqual(
                    page["leads"]["open"]["amount"], sum(lead.expected_revenue for lead in leads)
                )
                self.assertEqual(
                    sorted(page["sales"]["quotations"]["ids"]), [order.id for order in quotations]
                )
                entries = self.timeline(user=user)["entries"]
                documents = {(one["model"], one["res_id"]) for one in entries}
                expected = {("crm.lead", lead.id) for lead in leads}
                self.assertEqual(
                    documents, expected | {("sale.order", order.id) for order in quotations}
                )
                notes = self.timeline("note", user=user)["entries"]
                self.assertEqual(
                    {one["text"] for one in notes}, {f"about {lead.id}" for lead in leads}
                )
                self.assertEqual(page["channels"][0]["count"], len(leads))

    def test_scores_follow_the_lead(self):
        lead = self.lead(partner_id=self.sara.id, user_id=self.seller.id)
        self.env["g_assistant.score"]._note([(lead.id, 1, 2)])
        scores = self.env["g_assistant.score"]
        self.assertEqual(len(scores.with_user(self.seller).search([])), 1)
        for user in (self.manager, self.viewer):
            self.assertEqual(len(scores.with_user(user).search([])), 1)
        self.assertFalse(scores.with_user(self.other).search([]))
        with self.assertRaises(AccessError):
            scores.with_user(self.manager).create({"lead_id": lead.id, "at": "2026-01-01"})

    def test_who_sells_nothing_sees_the_contact_alone(self):
        clerk = new_test_user(self.env, "g-person-clerk", groups="base.group_user")
        self.lead(partner_id=self.sara.id).message_post(body="secret", message_type="comment")
        self.order()
        page = self.page(clerk)
        self.assertEqual((page["leads"], page["sales"]), (False, False))
        self.assertEqual((page["campaigns"], page["scores"], page["channels"]), ([], [], []))
        self.assertEqual(page["timeline"]["entries"], [])

    def test_customers_do_not_see_it(self):
        portal = new_test_user(self.env, "g-person-portal", groups="base.group_portal")
        for method in ("page", "thread", "timeline"):
            with self.assertRaises(AccessError):
                getattr(self.env["g_assistant.person"].with_user(portal), method)(
                    portal.partner_id.id
                )

    def test_other_companies_stay_apart(self):
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        lead = self.lead(partner_id=self.sara.id, company_id=elsewhere.id, user_id=False)
        self.assertNotIn(lead.id, self.page()["leads"]["ids"])
        self.manager.company_ids |= elsewhere
        people = self.env["g_assistant.person"].with_user(self.manager)
        both = people.with_context(allowed_company_ids=[self.env.company.id, elsewhere.id])
        self.assertIn(lead.id, both.page(self.sara.id)["leads"]["ids"])

    # ---- how fast it is --------------------------------------------------------

    def test_two_thousand_records_open_in_less_than_a_second(self):
        few = self.related(10)
        with self.count_queries() as counted:
            self.page(partner=few)
        queries_of_few = counted()
        many = self.related(2000)
        with self.count_queries() as counted:
            began = time.monotonic()
            page = self.page(partner=many)
            took = time.monotonic() - began
        total = len(page["leads"]["ids"]) + len(page["sales"]["orders"]["ids"])
        total += len(page["sales"]["quotations"]["ids"]) + page["channels"][0]["count"]
        self.assertGreaterEqual(total, 2000)
        self.assertLess(took, 1.0)
        # However much there is, it takes the same queries.
        self.assertLessEqual(counted(), queries_of_few + 2)
        _logger.info(
            "customer 360 of %d records: %.0f ms, %d queries", total, took * 1000, counted()
        )

    def count_queries(self):
        self.env.flush_all()
        self.env.invalidate_all()
        start = self.env.cr.sql_log_count

        class Counted:
            def __enter__(counted):
                return lambda: self.env.cr.sql_log_count - start

            def __exit__(counted, *args):
                pass

        return Counted()

    def related(self, number):
        """A customer with so many leads, orders and messages."""
        partner = self.env["res.partner"].create({"name": f"Customer of {number}"})
        leads = (
            self.env["crm.lead"]
            .with_context(tracking_disable=True)
            .create(
                [
                    {
                        "name": f"lead {n}",
                        "partner_id": partner.id,
                        "stage_id": self.stage_new.id,
                        "expected_revenue": n,
                        "g_assistant_score": n % 100,
                        "g_assistant_score_reasons": "x",
                        "g_assistant_campaign_name": f"Campaign {n % 7}",
                    }
                    for n in range(number // 5)
                ]
            )
        )
        self.env["sale.order"].with_context(tracking_disable=True).create(
            [
                {"partner_id": partner.id, "state": "sale" if n % 2 else "draft"}
                for n in range(number // 5)
            ]
        )
        self.env["mail.message"].create(
            [
                {
                    "model": "crm.lead",
                    "res_id": leads[n % len(leads)].id,
                    "body": f"<p>message {n}</p>",
                    "message_type": "comment",
                    "subtype_id": self.env.ref("mail.mt_comment").id,
                }
                for n in range(number - 2 * (number // 5))
            ]
        )
        self.end_transaction()
        return partner
