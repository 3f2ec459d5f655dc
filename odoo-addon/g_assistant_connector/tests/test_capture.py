from odoo.tests import new_test_user, tagged

from .. import config
from .common import BridgeCase


class Undo(Exception):
    pass


@tagged("post_install", "-at_install")
class TestCapture(BridgeCase):
    def test_create_and_write_in_one_transaction_is_created(self):
        lead = self.env["crm.lead"].create({"name": "A"})
        lead.name = "B"
        self.env["crm.lead"].browse(lead.id).write({"city": "Riyadh"})
        (event,) = self.new_events()
        self.assertEqual((event["event"], event["record_id"]), ("lead.created", lead.id))
        self.assertEqual((event["data"]["name"], event["data"]["city"]), ("B", "Riyadh"))
        self.assertEqual(event["changes"], {})
        self.assertEqual(event["data"]["stage_name"], lead.stage_id.name)

    def test_create_and_unlink_in_one_transaction_is_nothing(self):
        self.env["crm.lead"].create({"name": "A"}).unlink()
        self.assertEqual(self.new_events(), [])

    def test_net_change_of_several_writes(self):
        lead = self.lead(name="A", city="Riyadh")
        self.new_events()
        lead.name = "B"
        self.env.flush_all()
        lead.write({"name": "C", "city": "Jeddah"})
        lead.city = "Riyadh"
        (event,) = self.new_events()
        self.assertEqual(event["event"], "lead.updated")
        self.assertEqual(event["changes"], {"name": {"old": "A", "new": "C"}})
        self.assertEqual(event["user"], {"id": self.env.uid, "name": self.env.user.name})
        self.assertEqual(event["operation"], None)

    def test_no_change_is_no_event(self):
        lead = self.lead(name="A")
        self.new_events()
        lead.name = "A"
        lead.name = "B"
        self.env.flush_all()
        lead.name = "A"
        lead.message_post(body="Hello")
        self.assertEqual(self.new_events(), [])

    def test_a_change_of_tags(self):
        tag = self.env["crm.tag"].create({"name": "GA hot"})
        lead = self.lead()
        self.new_events()
        lead.tag_ids = tag
        (event,) = self.new_events()
        self.assertEqual(event["changes"], {"tag_ids": {"old": [], "new": [tag.id]}})
        self.assertEqual(event["names"]["crm.tag"], {str(tag.id): "GA hot"})

    def test_won_lost_restored(self):
        lead = self.lead()
        self.new_events()
        lead.action_set_won()
        (event,) = self.new_events()
        self.assertEqual(event["event"], "lead.won")
        # A consequence that no write() names.
        self.assertEqual(event["changes"]["probability"]["new"], 100.0)
        lead.stage_id = self.stage_new
        self.assertEqual(self.kinds(), ["lead.updated"])
        lead.action_set_lost()
        self.assertEqual(self.kinds(), ["lead.lost"])
        lead.action_unarchive()
        self.assertEqual(self.kinds(), ["lead.restored"])
        lead.action_archive()
        lead.probability = 30
        self.assertEqual(self.kinds(), ["lead.updated"])

    def test_deleted(self):
        lead = self.lead(name="Short-lived")
        self.new_events()
        lead.name = "Shorter-lived"
        lead.unlink()
        (event,) = self.new_events()
        self.assertEqual((event["event"], event["changes"]), ("lead.deleted", {}))
        self.assertEqual(event["record_id"], event["data"]["id"])

    def test_merged(self):
        one, two = self.lead(name="One", city="Riyadh"), self.lead(name="Two", function="Boss")
        self.new_events()
        winner = (one + two).merge_opportunity()
        loser_id = ({one.id, two.id} - {winner.id}).pop()
        events = {event["event"]: event for event in self.new_events()}
        merged = events["lead.merged"]
        self.assertEqual(merged["record_id"], loser_id)
        self.assertEqual(set(events), {"lead.merged", "lead.updated"})
        self.assertEqual(events["lead.updated"]["record_id"], winner.id)
        self.assertEqual(merged["changes"], {"merged_into": {"old": None, "new": winner.id}})

    def test_savepoints(self):
        lead = self.lead(name="A")
        self.new_events()
        lead.name = "B"
        with self.assertRaises(Undo), self.env.cr.savepoint():
            lead.name = "C"
            self.env["crm.lead"].create({"name": "Never"})
            raise Undo
        with self.env.cr.savepoint():
            lead.city = "Riyadh"
        (event,) = self.new_events()
        self.assertEqual(
            event["changes"],
            {"name": {"old": "A", "new": "B"}, "city": {"old": None, "new": "Riyadh"}},
        )

    def test_a_change_undone_after_a_savepoint_leaves_nothing(self):
        lead = self.lead(name="A")
        self.new_events()
        with self.env.cr.savepoint():
            lead.name = "B"
        lead.name = "A"
        self.assertEqual(self.new_events(), [])
        with self.assertRaises(Undo), self.env.cr.savepoint():
            lead.unlink()
            raise Undo
        self.assertEqual(self.new_events(), [])

    def test_the_daemons_own_change_carries_its_key(self):
        created = self.upsert("c1", {"name": "Mine"})
        (event,) = self.new_events()
        self.assertEqual(event["operation"], created["key"])
        self.assertEqual(event["user"]["id"], self.daemon.id)
        updated = self.upsert("c1", {"name": "Mine too"})
        (event,) = self.new_events()
        self.assertEqual((event["event"], event["operation"]), ("lead.updated", updated["key"]))

    def next_transaction(self):
        """What was noticed so far was another transaction, of which no event was made yet."""
        self.env.flush_all()
        self.env.cr.execute("UPDATE g_assistant_change SET txid = txid - 1")

    def test_transactions_that_wait_together_keep_their_own_state(self):
        tags = self.env["crm.tag"].create([{"name": "GA one"}, {"name": "GA two"}])
        lead = self.lead(name="A", city="Riyadh")
        self.new_events()
        lead.write({"name": "B", "tag_ids": [(4, tags[0].id)]})
        self.next_transaction()
        lead.action_set_won()
        self.next_transaction()
        lead.write({"name": "C", "stage_id": self.stage_new.id, "tag_ids": [(6, 0, tags[1:].ids)]})
        self.next_transaction()
        lead.unlink()
        events = self.new_events()
        self.assertEqual(
            [event["event"] for event in events],
            ["lead.updated", "lead.won", "lead.updated", "lead.deleted"],
        )
        self.assertEqual([event["data"]["name"] for event in events], ["B", "B", "C", "C"])
        self.assertEqual(
            [event["data"]["tag_ids"] for event in events],
            [tags[:1].ids, tags[:1].ids, tags[1:].ids, tags[1:].ids],
        )
        self.assertEqual(events[0]["changes"]["name"], {"old": "A", "new": "B"})
        self.assertNotIn("name", events[1]["changes"])
        self.assertEqual(events[1]["data"]["probability"], 100.0)
        self.assertEqual(
            events[2]["changes"]["tag_ids"], {"old": tags[:1].ids, "new": tags[1:].ids}
        )

    def test_sql_behind_the_orm(self):
        lead = self.lead(city="Riyadh")
        self.new_events()
        self.env.cr.execute("UPDATE crm_lead SET city = 'Abha' WHERE id = %s", [lead.id])
        (event,) = self.new_events()
        self.assertEqual(event["changes"], {"city": {"old": "Riyadh", "new": "Abha"}})

    def test_many_records_in_one_statement(self):
        leads = self.env["crm.lead"].create([{"name": f"Many {i}"} for i in range(450)])
        created = self.new_events()
        self.assertEqual([event["record_id"] for event in created], leads.ids)
        leads.write({"city": "Riyadh"})
        changes = [event["changes"] for event in self.new_events()]
        self.assertEqual(changes, [{"city": {"old": None, "new": "Riyadh"}}] * 450)

    def test_who_deleted_it(self):
        manager = new_test_user(
            self.env, "g-assistant-deleter", groups="sales_team.group_sale_manager"
        )
        lead = self.lead()
        self.new_events()
        lead.with_user(manager).unlink()
        self.assertEqual(self.new_events()[0]["user"]["id"], manager.id)

    def test_a_deleted_user_or_company_does_not_hold_events_up(self):
        user = new_test_user(
            self.env, "g-assistant-leaver", groups="sales_team.group_sale_salesman"
        )
        lead = self.lead(name="A")
        self.new_events()
        # Odoo keeps the column right; between the change and its event it may not be.
        self.env.cr.execute("ALTER TABLE crm_lead DROP CONSTRAINT crm_lead_write_uid_fkey")
        self.env.cr.execute(
            "UPDATE crm_lead SET city = 'B', write_uid = %s WHERE id = %s",
            [user.id + 10**6, lead.id],
        )
        (event,) = self.new_events()
        self.assertIsNone(event["user"])

    def triggers(self):
        self.env.cr.execute(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'g\\_assistant\\_%'),"
            " (SELECT count(*) FROM pg_proc WHERE proname LIKE 'g\\_assistant\\_%'),"
            " to_regclass('g_assistant_change') IS NOT NULL"
        )
        return self.env.cr.fetchone()

    def test_triggers_are_kept_as_the_fields_are_and_leave_nothing_behind(self):
        capture = self.env["g_assistant.capture"]
        lead = self.lead()
        self.new_events()
        there = self.triggers()
        self.assertEqual(there, (13, 13, True))
        field = self.env["ir.model.fields"]._get("crm.lead", "city")
        field._drop_column()
        self.assertEqual(self.triggers(), (0, 0, True))
        self.env.cr.execute("ALTER TABLE crm_lead ADD COLUMN city varchar")
        capture._install()
        self.assertEqual(self.triggers(), there)
        lead.function = "Buyer"
        self.assertEqual(self.kinds(), ["lead.updated"])
        capture._uninstall()
        self.assertEqual(self.triggers(), (0, 0, False))
        lead.function = "Seller"
        self.env.flush_all()

    def test_muted_kinds_and_disabled_connector(self):
        params = self.env["ir.config_parameter"]
        params.set_param(config.MUTED, "lead.updated")
        lead = self.lead()
        lead.name = "Muted"
        self.assertEqual(self.kinds(), ["lead.created"])
        params.set_param(config.ENABLED, False)
        self.assertEqual(self.triggers(), (0, 0, True))
        lead.action_set_won()
        self.assertEqual(self.new_events(), [])
        params.set_param(config.ENABLED, "True")
        lead.unlink()
        self.assertEqual(self.kinds(), ["lead.deleted"])

    def test_a_plain_salesman_can_save(self):
        seller = new_test_user(
            self.env, "g-assistant-plain", groups="sales_team.group_sale_salesman"
        )
        lead = self.env["crm.lead"].with_user(seller).create({"name": "Mine"})
        lead.name = "Still mine"
        (event,) = self.new_events()
        self.assertEqual(event["user"]["id"], seller.id)

    def test_json_of_the_database_equals_what_the_orm_holds(self):
        """Two ways to the normal form: SQL for the mirror, the ORM for the merge."""
        from .. import values

        tag = self.env["crm.tag"].create({"name": "GA form"})
        lead = self.lead(
            expected_revenue=12.5,
            tag_ids=[(6, 0, tag.ids)],
            date_deadline="2026-12-01",
            email_from="a@example.com",
            country_id=self.env.ref("base.sa").id,
        )
        (event,) = self.new_events()
        record = lead.with_user(self.daemon)
        for name, value in event["data"].items():
            if name not in ("stage_name", "id"):
                self.assertEqual(values.held(record, name), value, name)
