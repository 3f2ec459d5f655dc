from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import BridgeCase

ADDON = "g_assistant_connector"
MODES = {"r": "read", "w": "write", "c": "create", "d": "unlink"}

ROLES = {
    "nobody": "base.group_user",
    "portal": "base.group_portal",
    "viewer": f"{ADDON}.group_viewer",
    "salesperson": "sales_team.group_sale_salesman",
    "all_leads": "sales_team.group_sale_salesman_all_leads",
    "manager": "sales_team.group_sale_manager",
    "admin": f"{ADDON}.group_admin",
    "daemon": f"{ADDON}.group_daemon",
    "system": "base.group_system",
}

# What each role may do with each model of the addon (read, write, create, delete); who is
# not named may do nothing. The daemon has Odoo's own sales group, and works through the
# bridge. A new model needs an entry, or the test fails.
SALES = ("salesperson", "all_leads", "manager", "daemon")
READERS = ("viewer", *SALES)


def may(*roles, rights="r"):
    return dict.fromkeys(roles, rights)


MODELS = {
    "g_assistant.binding": may("admin", "system"),
    "g_assistant.campaign.report": may(
        "viewer", "all_leads", "manager", "daemon", "admin", "system"
    ),
    "g_assistant.connection": may("admin", "system", rights="rd"),
    "g_assistant.connection.form": may("admin", "system"),
    "g_assistant.connection.source": may("admin", "system"),
    "g_assistant.conversation": may("admin", "system", *READERS),
    "g_assistant.duplicate": may("admin", "system", *READERS),
    "g_assistant.event": may("admin", "system"),
    "g_assistant.flag": {**may(*READERS), **may("admin", "system", rights="rw")},
    "g_assistant.history": may(*READERS),
    "g_assistant.message": may("admin", "system"),
    "g_assistant.operation": may("admin", "system"),
    "g_assistant.parked": may("admin", "system"),
    "g_assistant.parked.edit": may("admin", "system", rights="rwcd"),
    "g_assistant.restore": may(*SALES, rights="rwc"),
    "g_assistant.restore.line": may(*SALES, rights="rwc"),
    "g_assistant.score": may("admin", "system", *READERS),
    "g_assistant.secret": may("system"),
    "g_assistant.secret.new": may("system", rights="rwcd"),
    "g_assistant.spend": {
        **may("viewer", "all_leads", "daemon", "admin", "system"),
        **may("manager", rights="rwcd"),
    },
    "g_assistant.turn": may("admin", "system"),
}

# Models without a rule for everybody, and why.
NO_RULE = {
    "g_assistant.flag": "a vocabulary",
    "g_assistant.operation": "keys and results, of no company",
    "g_assistant.secret": "the database's own",
}

# What a viewer reads besides, and must not change.
SALES_MODELS = ("crm.lead", "crm.tag", "crm.stage", "crm.team", "sale.order", "sale.order.line")


@tagged("post_install", "-at_install", "g_assistant")
class TestRoles(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            role: new_test_user(cls.env, f"role-{role}", groups=groups)
            for role, groups in ROLES.items()
        }

    def own_models(self):
        """The addon's models that have a table."""
        found = self.env["ir.model.data"].search(
            [("module", "=", ADDON), ("model", "=", "ir.model")]
        )
        names = self.env["ir.model"].browse(found.mapped("res_id")).mapped("model")
        return sorted(
            name
            for name in names
            if name.startswith("g_assistant.") and not self.env[name]._abstract
        )

    def rights(self, model_name, role):
        access = self.env["ir.model.access"].with_user(self.users[role])
        return "".join(
            short
            for short, mode in MODES.items()
            if access.check(model_name, mode, raise_exception=False)
        )

    def test_each_model_for_each_role(self):
        self.assertEqual(self.own_models(), sorted(MODELS), "a model without an entry above?")
        for model_name, expected in MODELS.items():
            for role in ROLES:
                with self.subTest(model=model_name, role=role):
                    self.assertEqual(self.rights(model_name, role), expected.get(role, ""))

    def test_each_model_has_a_rule_for_everybody(self):
        rules = self.env["ir.rule"].search([("groups", "=", False)])
        ruled = set(rules.mapped("model_id.model"))
        self.assertFalse(set(MODELS) - ruled - set(NO_RULE))
        self.assertFalse(set(NO_RULE) & ruled, "has one by now")

    def test_own_and_all(self):
        leads = {
            owner: self.lead(user_id=user and user.id)
            for owner, user in (
                ("own", self.users["salesperson"]),
                ("other", self.users["manager"]),
                ("nobody's", None),
            )
        }
        conversations = self.env["g_assistant.conversation"]
        for owner, lead in leads.items():
            lead.city = "Riyadh"
            conversations.create(
                {
                    "source": "wa",
                    "channel": "whatsapp",
                    "account": "1",
                    "person": owner,
                    "lead_id": lead.id,
                }
            )
        self.end_transaction()
        ids = [lead.id for lead in leads.values()]
        everything = set(leads)
        for role, seen in {
            "viewer": everything,
            "salesperson": {"own", "nobody's"},
            "all_leads": everything,
            "manager": everything,
            "daemon": everything,
        }.items():
            for model_name in ("g_assistant.conversation", "g_assistant.history"):
                with self.subTest(role=role, model=model_name):
                    records = self.env[model_name].with_user(self.users[role])
                    found = records.search([("lead_id", "in", ids)]).sudo().mapped("lead_id")
                    self.assertEqual({name for name in leads if leads[name] in found}, seen)

    def test_another_company(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        lead = self.lead(user_id=False, team_id=False, company_id=other.id)
        lead.city = "Riyadh"
        self.end_transaction()
        conversation = self.env["g_assistant.conversation"].create(
            {
                "source": "wa",
                "channel": "whatsapp",
                "account": "1",
                "person": "1",
                "lead_id": lead.id,
            }
        )
        message = self.env["g_assistant.message"].create(
            {"source": "wa", "message": "1", "conversation_id": conversation.id}
        )
        stranger = new_test_user(
            self.env, "stranger", company_id=other.id, company_ids=[(6, 0, [other.id])]
        )
        turn = self.env["g_assistant.turn"].create({"rule": "r", "user_id": stranger.id})
        history = self.env["g_assistant.history"].search([("lead_id", "=", lead.id)])
        event = self.env["g_assistant.event"].search([("res_id", "=", lead.id)])
        self.assertTrue(history and event)
        for role, records in (
            ("viewer", lead),
            ("viewer", conversation),
            ("viewer", history),
            ("manager", conversation),
            ("manager", history),
            ("admin", conversation),
            ("admin", message),
            ("admin", turn),
            ("admin", event),
        ):
            with self.subTest(role=role, model=records._name):
                found = records.with_user(self.users[role]).search([("id", "in", records.ids)])
                self.assertFalse(found)
                with self.assertRaises(AccessError):
                    records.with_user(self.users[role]).read(["display_name"])

    def test_a_viewer_reads_and_changes_nothing(self):
        viewer = self.users["viewer"]
        lead = self.lead(user_id=self.users["manager"].id, partner_id=self.partner.id)
        order = self.env["sale.order"].create(
            {
                "partner_id": self.partner.id,
                "opportunity_id": lead.id,
                "order_line": [(0, 0, {"product_id": self.product.id})],
            }
        )
        for model_name in SALES_MODELS:
            with self.subTest(model=model_name):
                self.assertEqual(self.rights(model_name, "viewer"), "r")
        for record in (lead, order):
            with self.subTest(model=record._name):
                record = record.with_user(viewer)
                for view_type in ("form", "list", "kanban", "search"):
                    shown = record.get_view(view_type=view_type)["models"][record._name]
                    if view_type != "search":
                        visible = record.fields_get()
                        record.read([name for name in shown if name in visible])
                with self.assertRaises(AccessError):
                    record.name = "Mine now"
                with self.assertRaises(AccessError):
                    record.message_post(body="Hello")
                with self.assertRaises(AccessError):
                    record.activity_schedule("mail.mail_activity_data_todo")
                with self.assertRaises(AccessError):
                    record.copy()
        for action in ("action_set_won", "action_set_lost"):
            with self.assertRaises(AccessError):
                getattr(lead.with_user(viewer), action)()
        with self.assertRaises(AccessError):
            order.with_user(viewer).action_confirm()
        self.end_transaction()
        change = self.env["g_assistant.history"].search([("lead_id", "=", lead.id)])[:1]
        with self.assertRaises(AccessError):
            change.with_user(viewer).action_restore()

    def test_a_salesperson_who_may_view_all_writes_their_own(self):
        both = new_test_user(
            self.env,
            "role-both",
            groups=f"{ROLES['viewer']},{ROLES['salesperson']}",
        )
        own, other = self.lead(user_id=both.id), self.lead(user_id=self.users["manager"].id)
        self.assertEqual(other.with_user(both).name, "A lead")
        own.with_user(both).name = "Better"
        with self.assertRaises(AccessError):
            other.with_user(both).name = "Worse"

    def test_what_a_viewer_finds_in_the_menus(self):
        menus = self.env["ir.ui.menu"]
        for role, seen in (("viewer", True), ("nobody", False)):
            visible = menus.with_user(self.users[role])._visible_menu_ids()
            for xmlid in (
                "crm.crm_menu_root",
                "crm.crm_menu_report",
                "sale.menu_sale_quotations",
                "sale.menu_sale_order",
                f"{ADDON}.menu_history",
            ):
                with self.subTest(role=role, menu=xmlid):
                    self.assertEqual(self.env.ref(xmlid).id in visible, seen)
        visible = menus.with_user(self.users["viewer"])._visible_menu_ids()
        for xmlid in ("crm.crm_menu_config", f"{ADDON}.menu_root"):
            self.assertNotIn(self.env.ref(xmlid).id, visible)

    def test_groups_are_on_the_users_form(self):
        for name in ("viewer", "admin", "daemon"):
            group = self.env.ref(f"{ADDON}.group_{name}")
            heading = (
                group.category_id
                if "category_id" in group._fields
                else group.privilege_id.category_id
            )
            self.assertEqual(heading.name, "G-Assistant")
