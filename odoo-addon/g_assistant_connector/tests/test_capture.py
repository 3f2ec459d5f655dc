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

    def test_muted_kinds_and_disabled_connector(self):
        params = self.env["ir.config_parameter"]
        params.set_param(config.MUTED, "lead.updated")
        lead = self.lead()
        lead.name = "Muted"
        self.assertEqual(self.kinds(), ["lead.created"])
        params.set_param(config.ENABLED, False)
        lead.action_set_won()
        self.assertEqual(self.new_events(), [])

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
