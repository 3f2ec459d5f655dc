import json

from odoo.tests import tagged

from .common import BridgeCase


@tagged("post_install", "-at_install", "g_assistant")
class TestGuard(BridgeCase):
    """Operations meant for another database are not carried out."""

    def apply(self, database):
        op = {
            "key": "guard:1",
            "model": "crm.lead",
            "action": "upsert",
            "ref": "guard:1",
            "xmlid": "__gassist__.guard",
            "values": {"name": "Guarded"},
        }
        return json.loads(self.bridge.apply(json.dumps([op]), database))

    def count(self):
        return self.env["crm.lead"].search_count([("name", "=", "Guarded")])

    def test_another_database_is_refused(self):
        answer = self.apply("some-other-database")
        uuid = self.env["ir.config_parameter"].get_param("database.uuid")
        self.assertEqual(answer, {"wrong_database": uuid, "neutralized": False})
        self.assertFalse(self.count())
        self.assertEqual(self.apply(uuid)[0]["status"], "created")
        self.assertEqual(self.count(), 1)

    def test_the_events_of_another_database_stay_as_they_are(self):
        uuid = self.env["ir.config_parameter"].get_param("database.uuid")
        event = self.env["g_assistant.event"].create(
            {
                "uuid": "guard",
                "kind": "lead.created",
                "model": "crm.lead",
                "res_id": 1,
                "data": '{"id": 1, "stage_id": null}',
                "changes": "{}",
                "timestamp": "2026-11-21 10:00:00",
                "state": "pending",
                "attempts": 0,
            }
        )
        refusal = {"wrong_database": uuid, "neutralized": False}
        self.assertEqual(json.loads(self.bridge.events(10, "some-other-database")), refusal)
        self.assertEqual(json.loads(self.bridge.ack(["guard"], "some-other-database")), refusal)
        self.assertEqual(event.state, "pending")
        self.assertIn("guard", self.bridge.events(10_000, uuid))
        self.assertEqual(json.loads(self.bridge.ack(["guard"], uuid)), {"acked": 1})
        self.assertEqual(event.state, "delivered")

    def test_a_neutralised_database_is_refused(self):
        uuid = self.env["ir.config_parameter"].get_param("database.uuid")
        self.env["ir.config_parameter"].set_param("database.is_neutralized", "True")
        self.env.flush_all()
        self.assertTrue(self.apply(uuid)["neutralized"])
        self.assertFalse(self.count())
