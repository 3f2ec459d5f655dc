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

    def test_a_neutralised_database_is_refused(self):
        uuid = self.env["ir.config_parameter"].get_param("database.uuid")
        self.env["ir.config_parameter"].set_param("database.is_neutralized", "True")
        self.env.flush_all()
        self.assertTrue(self.apply(uuid)["neutralized"])
        self.assertFalse(self.count())
