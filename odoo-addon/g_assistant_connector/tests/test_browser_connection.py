from odoo.tests import new_test_user, tagged

from .test_browser import BrowserCase
from .test_connection import JOB, META, ConnectionCase


@tagged("post_install", "-at_install")
class TestBrowserConnection(BrowserCase, ConnectionCase):
    """The mark in the bar, the connection, and what is decided about a parked operation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.boss = new_test_user(
            cls.env,
            "g-assistant-boss",
            groups="g_assistant_connector.group_admin,sales_team.group_sale_manager",
        )

    def steps(self, steps, login="g-assistant-boss"):
        crm = self.menu("crm.crm_menu_root")
        self.run_steps(crm, f"const mark = '.o_g_assistant_attention button'; {steps}", login)

    def test_from_the_mark_to_the_decision(self):
        self.report()
        self.steps(
            """
            await see(".o_menu_systray .o_g_assistant_attention");
            check(!all(mark).length, "all is well");
            """
        )
        parked = self.park()
        self.report(parked=1, parked_jobs=[["push", JOB["key"], 1]], sources=[META])
        self.steps(
            """
            const title = (await see(mark)).title;
            check(title.includes("190 Session has expired"), title);
            check(title.includes("wait for a decision: 1"), title);
            await click(mark);
            await see(".alert", "190 Session has expired");
            await see("[name=source_ids] .o_data_row [name=state]", "Refused");
            await see("[name=source_ids] .o_data_row [name=hint]", "make a new token");
            await click(".oe_stat_button", "Parked");
            await click(".o_data_row [name=error]", "Riyadh");
            await see(".o_form_view pre", "Villa");

            await click("button[name=action_retry]");
            await see(".o_arrow_button_current", "Asked of the daemon");
            await click("button[name=action_withdraw]");
            await see(".o_arrow_button_current", "Waits for you");
            await click("button[name=action_edit]");
            const values = await see(".modal [name=payload] textarea");
            check(values.value.includes("Villa"), values.value);
            values.value = '{"name": {"plain": "Flat"}}';
            values.dispatchEvent(new Event("input", { bubbles: true }));
            values.dispatchEvent(new Event("change", { bubbles: true }));
            await click(".modal button", "Retry with These");
            await gone(".modal");
            await see(".o_arrow_button_current", "Asked of the daemon");
            """
        )
        self.assertEqual((parked.wish, parked.wished_by), ("edit", self.boss))
        self.assertIn("Flat", parked.wished_payload)

        # In the same test, because each builds the web client anew.
        new_test_user(self.env, "g-assistant-manager", groups="sales_team.group_sale_manager")
        self.steps(
            """
            await see(".o_menu_systray .o_user_menu");
            check(!all(".o_g_assistant_attention").length, "it concerns nobody else");
            """,
            login="g-assistant-manager",
        )
