from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .. import config
from .common import BridgeCase


class HistoryCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        salesman = "sales_team.group_sale_salesman"
        cls.sara = new_test_user(cls.env, "history-sara", groups=salesman, name="Sara")
        cls.omar = new_test_user(cls.env, "history-omar", groups=salesman, name="Omar")
        cls.all_leads = new_test_user(cls.env, "history-all", groups=salesman + "_all_leads")
        cls.manager = new_test_user(
            cls.env, "history-manager", groups="sales_team.group_sale_manager"
        )
        cls.stage_next = cls.env["crm.stage"].create({"name": "Qualified", "sequence": 2})

    def changes(self, record, field=None):
        column = "lead_id" if record._name == "crm.lead" else "order_id"
        domain = [(column, "=", record.id)]
        if field:
            domain.append(("field", "=", field))
        return self.env["g_assistant.history"].search(domain)

    def texts(self, record, field, user=None):
        change = self.changes(record, field)[:1].with_user(user or self.env.user)
        return change.old_text, change.new_text

    def change(self, record, user, values):
        record.with_user(user).write(values)
        self.end_transaction()
        return self.changes(record)

    def restore(self, changes, user, choose=()):
        """Open the wizard on these changes, tick further fields, apply."""
        action = changes.with_user(user).action_restore()
        wizard = self.env[action["res_model"]].with_user(user).browse(action["res_id"])
        wizard.line_ids.filtered(lambda line: line.field in choose).chosen = True
        wizard.action_apply()
        self.end_transaction()
        return wizard

    def order(self, **values):
        order = self.env["sale.order"].create(
            {
                "partner_id": self.partner.id,
                "user_id": self.sara.id,
                "order_line": [
                    (0, 0, {"product_id": self.product.id, "product_uom_qty": 2}),
                    (0, 0, {"display_type": "line_note", "name": "By crane"}),
                ],
                **values,
            }
        )
        self.end_transaction()
        return order


@tagged("post_install", "-at_install", "g_assistant")
class TestHistory(HistoryCase):
    def test_who_changed_what_and_when(self):
        lead = self.lead(user_id=self.sara.id, phone="+966501111111")
        self.change(lead, self.sara, {"phone": "+966502222222", "city": "Riyadh"})
        self.change(lead, self.manager, {"city": "Jeddah"})
        self.assertEqual(
            [(one.field, one.user_id.name, one.origin) for one in self.changes(lead)],
            [
                ("city", self.manager.name, "person"),
                ("city", "Sara", "person"),
                ("phone", "Sara", "person"),
                (False, self.env.user.name, "automation"),
            ],
        )
        self.assertEqual(self.texts(lead, "city"), ("Riyadh", "Jeddah"))
        self.assertEqual(self.texts(lead, "phone"), ("+966501111111", "+966502222222"))
        self.assertEqual(self.changes(lead)[-1].new_text, "Lead created")
        self.assertEqual(self.changes(lead)[0].record_name, "A lead")

    def test_where_it_came_from(self):
        self.upsert("website:7", {"name": "Villa", "city": "Abha"}, key="website:lead:7:0")
        lead = self.env["crm.lead"].search([("name", "=", "Villa")])
        created = self.changes(lead)
        self.assertEqual((created.origin, created.source), ("daemon", "website"))

        lead.with_context(import_file=True).load(
            ["id", "city"], [[lead.export_data(["id"])["datas"][0][0], "Taif"]]
        )
        self.end_transaction()
        self.assertEqual(self.changes(lead, "city").origin, "import")
        load = self.env["crm.lead"].with_user(self.sara).with_context(import_file=True).load
        ids = load(["name"], [["Imported"]])["ids"]
        self.end_transaction()
        self.assertEqual(self.changes(lead.browse(ids)).origin, "import")

        portal = new_test_user(self.env, "history-portal", groups="base.group_portal")
        lead.with_user(portal).sudo().write({"city": "Tabuk"})
        self.end_transaction()
        self.assertEqual(self.changes(lead, "city")[0].origin, "customer")

    def test_values_as_people_read_them(self):
        tags = self.env["crm.tag"].create([{"name": "VIP"}, {"name": "Export"}])
        lead = self.lead(user_id=self.sara.id, expected_revenue=1000, priority="0")
        self.change(
            lead,
            self.sara,
            {
                "stage_id": self.stage_next.id,
                "tag_ids": [(6, 0, tags.ids)],
                "priority": "2",
                "expected_revenue": 2500.5,
                "date_deadline": "2026-11-30",
            },
        )
        self.assertEqual(self.texts(lead, "stage_id"), ("Fresh", "Qualified"))
        self.assertEqual(self.texts(lead, "tag_ids", self.sara), ("", "VIP, Export"))
        self.assertEqual(self.texts(lead, "priority"), ("Low", "High"))
        money = self.texts(lead, "expected_revenue")
        self.assertIn("1,000.00", money[0])
        self.assertIn("2,500.50", money[1])
        self.assertIn(self.env.company.currency_id.symbol, money[1])
        self.assertEqual(self.texts(lead, "date_deadline"), (False, "11/30/2026"))

    def test_in_the_users_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        self.stage_next.with_context(lang="ar_001").name = "مؤهل"
        lead = self.lead(user_id=self.sara.id)
        self.change(lead, self.sara, {"stage_id": self.stage_next.id, "phone": "+966501234567"})
        arabic = self.changes(lead).with_context(lang="ar_001")
        texts = {change.field: change.new_text for change in arabic}
        self.assertEqual(texts["stage_id"], "مؤهل")
        self.assertEqual(texts["phone"], "\u200e+966501234567")
        self.assertEqual(self.texts(lead, "phone")[1], "+966501234567")
        self.stage_next.name = "Renamed"
        self.env.flush_all()
        self.assertEqual(self.texts(lead, "stage_id")[1], "Renamed")

    def test_what_is_gone_keeps_its_name(self):
        lead = self.lead(user_id=self.sara.id)
        self.change(lead, self.sara, {"stage_id": self.stage_next.id})
        self.change(lead, self.sara, {"stage_id": self.stage_new.id})
        self.stage_next.unlink()
        self.assertEqual(self.texts(lead, "stage_id"), ("Qualified (deleted)", "Fresh"))

    def test_lines_of_an_order(self):
        order = self.order()
        self.change(
            order, self.sara, {"order_line": [(1, order.order_line[0].id, {"product_uom_qty": 3})]}
        )
        old, new = self.texts(order, "order_line")
        self.assertRegex(old, r"^2\.00 × Filter · .*40\.00")
        self.assertRegex(new, r"^3\.00 × Filter · .*40\.00")
        # The line that stayed the same is not in it.
        self.assertNotIn("crane", old + new)

    def test_a_probability_that_odoo_predicts_is_no_history(self):
        lead = self.lead(user_id=self.sara.id)
        self.env.cr.execute(
            "UPDATE crm_lead SET probability = 33, automated_probability = 33 WHERE id = %s",
            [lead.id],
        )
        self.end_transaction()
        self.assertFalse(self.changes(lead, "probability"))
        self.change(lead, self.sara, {"probability": 70})
        self.assertEqual(self.texts(lead, "probability"), ("33.00", "70.00"))

    def test_what_the_daemon_does_not_hear_is_history_all_the_same(self):
        self.env["ir.config_parameter"].set_param(config.MUTED, "lead.updated")
        lead = self.lead(user_id=self.sara.id)
        self.change(lead, self.sara, {"city": "Riyadh"})
        self.assertTrue(self.changes(lead, "city"))
        self.assertFalse(
            self.env["g_assistant.event"].search_count([("kind", "=", "lead.updated")])
        )

    def test_own_leads_all_leads(self):
        lead = self.lead(user_id=self.sara.id)
        order = self.order()
        for record in (lead, order):
            changes = self.change(
                record, self.sara, {"user_id": self.sara.id, **self._some(record)}
            )
            changes = changes.filtered("field")
            self.assertTrue(changes)
            for user, seen in (
                (self.sara, 1),
                (self.omar, 0),
                (self.all_leads, 1),
                (self.manager, 1),
            ):
                found = changes.with_user(user).search([("id", "in", changes.ids)])
                self.assertEqual(bool(found), bool(seen), user.login)
            with self.assertRaises(AccessError):
                changes.with_user(self.omar).mapped("new_text")

    def _some(self, record):
        return {"city": "Riyadh"} if record._name == "crm.lead" else {"client_order_ref": "X"}

    def test_a_lost_lead_has_its_history(self):
        lead = self.lead(user_id=self.sara.id)
        self.change(lead, self.sara, {"active": False, "probability": 0})
        changes = self.changes(lead, "active").with_user(self.sara)
        self.assertEqual((changes.old_text, changes.new_text), ("Yes", "No"))
        self.assertTrue(changes.search([("id", "=", changes.id)]))

    def test_deleted_leads_are_for_managers(self):
        lead = self.lead(user_id=self.sara.id)
        created = self.changes(lead)
        lead.unlink()
        self.end_transaction()
        changes = self.env["g_assistant.history"].search([("res_id", "=", lead.id)])
        self.assertEqual(changes.mapped("kind"), ["lead.deleted", "lead.created"])
        self.assertFalse(changes.lead_id)
        self.assertTrue(changes.with_user(self.manager).search([("id", "in", changes.ids)]))
        self.assertFalse(changes.with_user(self.all_leads).search([("id", "in", changes.ids)]))
        with self.assertRaises(UserError):
            created.with_user(self.manager).action_open()

    def test_a_merged_lead(self):
        winner = self.lead(user_id=self.sara.id)
        loser = self.lead(user_id=self.sara.id, name="Other")
        (winner | loser).merge_opportunity()
        self.end_transaction()
        merged = self.env["g_assistant.history"].search([("kind", "=", "lead.merged")])
        kept = (winner | loser).exists()
        self.assertEqual(merged.new_text, f"Merged into lead {kept.id}")

    def test_other_companies(self):
        company = self.env["res.company"].create({"name": "Other Company"})
        lead = self.lead(user_id=False, team_id=False, company_id=company.id)
        lead.city = "Riyadh"
        self.end_transaction()
        changes = self.changes(lead, "city")
        self.assertTrue(changes)
        self.assertFalse(changes.with_user(self.manager).search([("id", "=", changes.id)]))

    def test_fields_that_a_user_may_not_see(self):
        lead = self.lead(user_id=self.sara.id)
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        self.patch(self.env["crm.lead"]._fields["city"], "groups", "base.group_system")
        self.assertFalse(changes.with_user(self.sara).search([("id", "in", changes.ids)]))
        self.assertFalse(changes.with_user(self.sara).new_text)
        with self.assertRaises(AccessError):
            changes.with_user(self.sara).read(["new_value"])

    def test_rules_that_are_not_ours_hide_the_values(self):
        lead = self.lead(user_id=self.sara.id)
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        self.env["ir.rule"].create(
            {
                "name": "Nothing of this lead",
                "model_id": self.env["ir.model"]._get_id("crm.lead"),
                "domain_force": f"[('id', '!=', {lead.id})]",
            }
        )
        self.assertFalse(changes.with_user(self.sara).new_text)

    def test_reading_a_page_costs_the_same_for_one_and_for_many(self):
        leads = self.env["crm.lead"].create(
            [
                {"name": f"Lead {n}", "user_id": self.sara.id, "stage_id": self.stage_new.id}
                for n in range(20)
            ]
        )
        self.end_transaction()
        for lead in leads:
            lead.write({"stage_id": self.stage_next.id, "expected_revenue": 10})
        self.end_transaction()
        history = self.env["g_assistant.history"].with_user(self.sara)
        changes = history.search([("lead_id", "in", leads.ids), ("field", "!=", False)])
        self.assertGreaterEqual(len(changes), 40)

        def queries(some):
            self.env.invalidate_all()
            some = history.browse(some.ids)
            before = self.env.cr.sql_log_count
            some.mapped("new_text")
            return self.env.cr.sql_log_count - before

        queries(changes)
        self.assertLessEqual(queries(changes), queries(changes[:2]) + 2)

    def test_old_history_is_removed_and_what_waits_stays(self):
        lead = self.lead(user_id=self.sara.id)
        self.change(lead, self.sara, {"city": "Riyadh"})
        self.env["ir.config_parameter"].set_param(config.HISTORY_DAYS, "30")
        history = self.env["g_assistant.history"]
        city = self.changes(lead, "city")
        for age, left in ((29, True), (31, False)):
            self.env.cr.execute(
                "UPDATE g_assistant_history SET timestamp = %s WHERE id = %s",
                [fields.Datetime.now() - timedelta(days=age), city.id],
            )
            history._gc_old()
            self.assertEqual(bool(city.exists()), left)
        self.assertTrue(self.changes(lead))
        waiting = self.env["g_assistant.event"].search([("res_id", "=", lead.id)])
        self.assertEqual(set(waiting.mapped("state")), {"pending"})


@tagged("post_install", "-at_install", "g_assistant")
class TestRestore(HistoryCase):
    def test_a_field_gets_back_what_it_was(self):
        lead = self.lead(user_id=self.sara.id, city="Abha", phone="+966501111111")
        self.change(lead, self.sara, {"city": "Riyadh", "phone": "+966502222222"})
        self.change(lead, self.sara, {"city": "Jeddah"})
        self.new_events()
        first = self.changes(lead, "city")[-1]
        lead.message_ids.unlink()
        self.restore(first, self.sara)
        self.assertEqual((lead.city, lead.phone), ("Abha", "+966502222222"))
        self.assertEqual(self.changes(lead)[0].origin, "restore")
        self.assertEqual(self.changes(lead)[0].user_id, self.sara)
        self.assertIn("City", lead.message_ids[0].body)
        event = self.new_events()[0]
        self.assertEqual(event["changes"], {"city": {"old": "Jeddah", "new": "Abha"}})

    def test_a_version_with_further_fields(self):
        lead = self.lead(user_id=self.sara.id, city="Abha", phone="+966501111111")
        self.change(lead, self.sara, {"city": "Riyadh", "phone": "+966502222222"})
        tag = self.env["crm.tag"].create({"name": "VIP"})
        self.change(lead, self.sara, {"tag_ids": [(4, tag.id)], "stage_id": self.stage_next.id})
        city = self.changes(lead, "city")
        wizard = self.restore(city, self.sara, choose=("phone", "stage_id", "tag_ids"))
        self.assertEqual(lead.city, "Abha")
        self.assertEqual(lead.phone, "+966501111111")
        self.assertEqual(lead.stage_id, self.stage_new)
        self.assertFalse(lead.tag_ids)
        self.assertEqual(wizard.line_ids[0].label, "City")

    def test_several_changes_of_one_record_only(self):
        lead = self.lead(user_id=self.sara.id, city="Abha")
        other = self.lead(user_id=self.sara.id, city="Abha")
        self.change(lead, self.sara, {"city": "Riyadh"})
        self.change(lead, self.sara, {"website": "https://example.com"})
        self.change(other, self.sara, {"city": "Riyadh"})
        changes = self.changes(lead, "city") | self.changes(lead, "website")
        with self.assertRaises(UserError):
            (changes | self.changes(other, "city")).with_user(self.sara).action_restore()
        self.restore(changes, self.sara)
        self.assertEqual((lead.city, lead.website), ("Abha", False))

    def test_by_right(self):
        lead = self.lead(user_id=self.sara.id, city="Abha")
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        for user in (self.omar, self.all_leads):
            with self.assertRaises(AccessError):
                changes.with_user(user).action_restore()
        self.restore(changes, self.manager)
        self.assertEqual(lead.city, "Abha")

    def test_a_wizard_made_by_hand_gives_no_more_than_the_history(self):
        lead = self.lead(user_id=self.sara.id, city="Abha")
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        wizards = self.env["g_assistant.restore"]
        wizard = wizards.with_user(self.omar).create({"change_id": changes.id})
        with self.assertRaises(AccessError):
            wizard.record_name  # noqa: B018
        with self.assertRaises(AccessError):
            wizard.action_apply()
        action = changes.with_user(self.sara).action_restore()
        wizard = wizards.with_user(self.sara).browse(action["res_id"])
        wizard.line_ids.then = "Elsewhere"
        wizard.action_apply()
        self.assertEqual(lead.city, "Abha")

    def test_what_is_gone_is_said(self):
        lead = self.lead(user_id=self.sara.id, stage_id=self.stage_next.id)
        tags = self.env["crm.tag"].create([{"name": "Old"}, {"name": "Kept"}])
        lead.tag_ids = tags
        self.end_transaction()
        self.change(lead, self.sara, {"stage_id": self.stage_new.id, "tag_ids": [(5,)]})
        self.stage_next.unlink()
        tags[0].unlink()
        action = self.changes(lead, "stage_id").with_user(self.sara).action_restore()
        wizard = self.env["g_assistant.restore"].with_user(self.sara).browse(action["res_id"])
        stage = wizard.line_ids.filtered(lambda line: line.field == "stage_id")
        self.assertEqual(stage.problem, "“Qualified” no longer exists.")
        self.assertTrue(stage.blocked)
        self.assertFalse(stage.chosen)
        stage.chosen = True
        with self.assertRaisesRegex(UserError, "no longer exists"):
            wizard.action_apply()
        stage.chosen = False
        tag_line = wizard.line_ids.filtered(lambda line: line.field == "tag_ids")
        self.assertIn("“Old”", tag_line.problem)
        tag_line.chosen = True
        wizard.action_apply()
        self.assertEqual(lead.tag_ids, tags[1])

    def test_lines_of_a_quotation(self):
        order = self.order()
        product, note = order.order_line
        self.change(
            order,
            self.sara,
            {
                "order_line": [
                    (1, product.id, {"product_uom_qty": 5, "price_unit": 35}),
                    (2, note.id),
                    (0, 0, {"product_id": self.product.id, "product_uom_qty": 7}),
                ]
            },
        )
        self.change(order, self.sara, {"order_line": [(1, product.id, {"discount": 10})]})
        self.restore(self.changes(order, "order_line")[-1], self.sara)
        lines = [
            (line.product_uom_qty, line.price_unit, line.discount, line.name)
            for line in order.order_line
        ]
        self.assertEqual(sorted(lines), [(0, 0, 0, "By crane"), (2, 40, 0, "Filter")])
        self.assertEqual(order.order_line.filtered("product_id"), product)

    def test_an_agreed_order_is_not_turned_back(self):
        order = self.order()
        self.change(
            order,
            self.sara,
            {
                "order_line": [(1, order.order_line[0].id, {"product_uom_qty": 5})],
                "client_order_ref": "PO-1",
            },
        )
        order.action_confirm()
        self.end_transaction()
        changes = self.changes(order, "order_line") | self.changes(order, "client_order_ref")
        action = changes.with_user(self.sara).action_restore()
        wizard = self.env["g_assistant.restore"].with_user(self.sara).browse(action["res_id"])
        told = {line.field: (line.blocked, line.chosen) for line in wizard.line_ids}
        self.assertEqual(told["order_line"], (True, False))
        self.assertEqual(told["client_order_ref"], (False, True))
        state = self.changes(order, "state").with_user(self.sara).action_restore()
        wizard = self.env["g_assistant.restore"].with_user(self.sara).browse(state["res_id"])
        line = wizard.line_ids.filtered(lambda line: line.field == "state")
        self.assertIn("itself", line.problem)

    def test_a_deleted_record_says_so(self):
        lead = self.lead(user_id=self.sara.id, city="Abha")
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        lead.unlink()
        self.end_transaction()
        with self.assertRaisesRegex(UserError, "deleted"):
            changes.with_user(self.manager).action_restore()

    def test_nothing_differs(self):
        lead = self.lead(user_id=self.sara.id, city="Abha")
        changes = self.change(lead, self.sara, {"city": "Riyadh"}).filtered("field")
        self.change(lead, self.sara, {"city": "Abha"})
        action = changes.with_user(self.sara).action_restore()
        wizard = self.env["g_assistant.restore"].with_user(self.sara).browse(action["res_id"])
        self.assertFalse(wizard.line_ids.filtered(lambda line: line.field == "city"))
        with self.assertRaises(UserError):
            wizard.action_apply()
