import json
from contextlib import contextmanager

from odoo.tests import TransactionCase, new_test_user

from .. import config


class BridgeCase(TransactionCase):
    """A daemon's user, and transactions that end although tests never commit."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        params = cls.env["ir.config_parameter"]
        params.set_param(config.ENABLED, "True")
        params.set_param(config.URL, False)
        params.set_param(config.MUTED, False)
        cls.daemon = new_test_user(
            cls.env,
            "g-assistant-daemon",
            groups="g_assistant_connector.group_daemon",
            company_id=cls.env.company.id,
        )
        cls.bridge = cls.env["g_assistant.bridge"].with_user(cls.daemon)
        cls.product = cls.env["product.product"].create(
            {"name": "Filter", "list_price": 40.0, "taxes_id": False}
        )
        cls.partner = cls.env["res.partner"].create({"name": "Customer"})
        stages = cls.env["crm.stage"]
        cls.stage_new = stages.create({"name": "Fresh", "sequence": 1})
        cls.stage_won = stages.create({"name": "Deal", "sequence": 99, "is_won": True})
        cls.keys = 0

    def setUp(self):
        super().setUp()
        self.end_transaction()
        self.env["g_assistant.event"].search([]).unlink()

    def end_transaction(self):
        """What commit does, without committing: events are made, start over."""
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.env.cr.postcommit.clear()
        while self.env["g_assistant.event"]._digest():
            pass
        self.env.invalidate_all()

    def new_events(self):
        """End the transaction and return its events as the daemon gets them."""
        self.end_transaction()
        events = json.loads(self.bridge.events())["events"]
        self.bridge.ack([event["id"] for event in events])
        return events

    def kinds(self):
        return [event["event"] for event in self.new_events()]

    def apply(self, *operations):
        """Apply in a transaction of its own; keys are added where they are missing."""
        complete = []
        for operation in operations:
            type(self).keys += 1
            complete.append(
                {"key": f"key-{self.keys}", "model": "crm.lead", "action": "upsert", **operation}
            )
        results = json.loads(self.bridge.apply(json.dumps(complete)))
        self.end_transaction()
        return results

    def see_own_transaction(self):
        """Nothing is committed in a test: what is latest is what this transaction sees."""

        @contextmanager
        def latest(model):
            yield model.env.cr

        self.patch(type(self.env["g_assistant.duplicates"]), "_latest", latest)

    def upsert(self, ref, values, **more):
        return self.apply({"ref": ref, "values": values, **more})[0]

    def lead(self, **values):
        lead = self.env["crm.lead"].create(
            {"name": "A lead", "type": "opportunity", "stage_id": self.stage_new.id, **values}
        )
        self.end_transaction()
        return lead


class ConversationCase(BridgeCase):
    """Messages as the daemon sends them."""

    def setUp(self):
        super().setUp()
        self.see_own_transaction()

    def message(self, number, text="Hello", people=("SA.1", "966501234567"), **more):
        given = {
            "source": "wa",
            "channel": "whatsapp",
            "account": "106",
            "people": list(people),
            "id": f"m{number}",
            "kind": "text",
            "text": text,
            "name": "Sara",
            "phone": "+966501234567",
            "sent_at": f"2026-11-20 10:00:{number:02}",
        }
        return given | more

    def operation(self, message, values=None, match=None):
        return {
            "key": f"wa:message:{message['id']}",
            "ref": f"wa:{message['people'][0]}",
            "values": {"name": "Sara", "contact_name": "Sara", **(values or {})},
            "match": {} if match is None else match,
            "message": message,
        }

    def send(self, number, text="Hello", values=None, match=None, **more):
        return self.apply(self.operation(self.message(number, text, **more), values, match))[0]

    def mark(self, **mark):
        given = {
            "source": "wa",
            "channel": "whatsapp",
            "account": "106",
            "at": "2026-11-20 11:00:00",
        }
        operation = {
            "model": "g_assistant.message",
            "action": "mark",
            "ref": "wa:x",
            "mark": given | mark,
        }
        return self.apply(operation)[0]

    def posted(self, lead):
        subtype = self.env.ref("g_assistant_connector.mt_message")
        return lead.message_ids.filtered(lambda one: one.subtype_id == subtype).sorted("id")
