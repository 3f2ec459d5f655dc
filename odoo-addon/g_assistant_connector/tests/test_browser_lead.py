from odoo.tests import new_test_user, tagged

from .common import BridgeCase
from .test_browser import BrowserCase

SCORED = {
    "g_assistant_score": 82,
    "g_assistant_score_reasons": "source 18/25: a paid campaign\ncontact 22/25: phone checked",
    "g_assistant_platform": "meta",
    "g_assistant_campaign_name": "Q4 villas",
    "g_assistant_answers": '[["Rooms?", "Four"], ["Budget", "2 M"]]',
}


@tagged("post_install", "-at_install")
class TestBrowserLead(BrowserCase, BridgeCase):
    """Score, flags, origin and the undo, as a salesperson sees them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env,
            "g-assistant-lead",
            groups="sales_team.group_sale_salesman,crm.group_use_lead",
        )

    def steps(self, steps):
        self.run_steps(self.menu("crm.crm_menu_root"), steps, login="g-assistant-lead")

    def test_from_the_pipeline_to_the_undo(self):
        self.see_own_transaction()
        spam = self.env.ref("g_assistant_connector.flag_spam")
        given = {"type": "opportunity", "user_id": self.seller.id, "stage_id": self.stage_new.id}
        values = {"name": "Villa", "contact_name": "Sara", "phone": "0501234567", **given}
        flagged = {"g_assistant_flag_ids": [spam.id]}
        result = self.upsert("villa", {**values, **SCORED, **flagged})
        lead = self.env["crm.lead"].browse(result["id"])
        decision = {
            "do": "attach",
            "id": lead.id,
            "reason": "same mobile number",
            "seen": [[lead.id, "open"]],
        }
        shop = {"name": "Shop", "phone": "0501234567", "zip": "12211", **given}
        match = {"phones": ["01234567"], "decision": decision}
        self.upsert("shop", shop, match=match, create_only=["name"])
        self.assertEqual(lead.zip, "12211")
        self.steps(
            """
            const card = await see(".o_kanban_record", "Villa");
            const badge = card.querySelector(".o_g_assistant_score");
            check(badge.classList.contains("text-bg-success"), "green");
            check(card.textContent.includes("Spam"), "the flag is on the card");
            badge.click();
            await see(".o_popover .o_g_assistant_reasons", "source 18/25: a paid campaign");
            badge.click();
            await gone(".o_popover");

            await click(".o_switch_view.o_list");
            await see(".o_data_row .o_g_assistant_score", "82");
            check(all(".o_data_row", "Spam").length, "the flag is in the list");
            await click(".o_data_row [name=name]", "Villa");

            const score = await see(".o_g_assistant_badges .o_g_assistant_score", "82");
            await see(".o_g_assistant_badges [name=g_assistant_response]", "Waiting for 0 min");
            await see(".o_g_assistant_badges", "Spam");
            score.focus();
            score.click();
            await see(".o_popover", "contact 22/25");
            score.click();
            await click(".nav-link", "G-Assistant");
            await see("[name=g_assistant_path]", "Q4 villas");
            const answers = (await see("[name=g_assistant_answers_html]", "Rooms?")).textContent;
            check(answers.indexOf("Rooms?") < answers.indexOf("Budget"), "in order");

            await see("[name=g_assistant_duplicate_ids] .o_data_row", "same mobile number");
            await click("[name=g_assistant_duplicate_ids] button[name=action_undo]");
            await click(".modal footer .btn-primary");
            const titles = () => all("[name=name] textarea").map((one) => one.value);
            await until("the own lead", () => titles().includes("Shop"));
            """
        )
        self.env.invalidate_all()
        self.assertFalse(lead.zip)
        self.assertEqual(lead.g_assistant_duplicate_ids.state, "undone")
        self.assertEqual(lead.g_assistant_duplicate_ids.undone_by, self.seller)

    def test_leads_and_their_filters(self):
        given = {"type": "lead", "user_id": self.seller.id}
        self.upsert("waits", {"name": "Waits", **given, **SCORED})
        answered = self.upsert("answered", {"name": "Answered", **given})
        lead = self.env["crm.lead"].browse(answered["id"])
        lead.with_user(self.seller).message_post(body="Called")
        self.end_transaction()
        action = self.env.ref("crm.crm_lead_all_leads").id
        self.run_steps(
            f"/web#action={action}",
            """
            await see(".o_data_row .o_g_assistant_score", "82");
            await see(".o_data_row", "Answered");
            await click(".o_searchview_dropdown_toggler");
            await click(".o_filter_menu .o_menu_item", "Not Yet Answered");
            await until("the answered one is gone", () => !all(".o_data_row", "Answered").length);
            await see(".o_data_row", "Waits");
            await click(".o_group_by_menu .o_menu_item", "Score");
            await see(".o_group_header", "70 and More");
            """,
            login="g-assistant-lead",
        )
