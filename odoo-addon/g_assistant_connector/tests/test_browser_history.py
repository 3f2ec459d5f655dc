from odoo.tests import new_test_user, tagged

from .test_browser import BrowserCase
from .test_history import HistoryCase


@tagged("post_install", "-at_install")
class TestBrowserHistory(BrowserCase, HistoryCase):
    """From the form to its history, and back to what a field was."""

    def test_from_the_form_to_what_was_before(self):
        lead = self.lead(user_id=self.sara.id, city="Abha", phone="+966501111111")
        self.change(lead, self.sara, {"city": "Riyadh", "phone": "+966502222222"})
        crm = self.env.ref("crm.crm_menu_root").id
        self.run_steps(
            f"/web#id={lead.id}&model=crm.lead&view_type=form&menu_id={crm}",
            """
            await click(".oe_stat_button", "History");
            const row = await see(".o_data_row", "Abha");
            check(row.textContent.includes("Riyadh"), row.textContent);
            check(row.textContent.includes("City"), row.textContent);
            check(row.textContent.includes("Person"), row.textContent);
            row.querySelector("button[name=action_restore]").click();
            const wanted = await see(".modal .o_data_row", "City");
            check(wanted.querySelector("[name=chosen] input").checked, "it is chosen");
            const other = await see(".modal .o_data_row", "Phone");
            check(!other.querySelector("[name=chosen] input").checked, "it is not chosen");
            await click(".modal button", "Restore Chosen Fields");
            await gone(".modal");
            """,
            login="history-sara",
        )
        self.assertEqual((lead.city, lead.phone), ("Abha", "+966502222222"))

    def test_a_viewer_opens_leads_and_quotations(self):
        new_test_user(
            self.env, "history-viewer", groups="g_assistant_connector.group_viewer", name="Viewer"
        )
        lead = self.lead(
            name="Villa", user_id=self.sara.id, city="Abha", partner_id=self.partner.id
        )
        self.change(lead, self.sara, {"city": "Riyadh"})
        order = self.order(opportunity_id=lead.id)
        crm = self.env.ref("crm.crm_menu_root").id
        self.run_steps(
            f"/web#id={lead.id}&model=crm.lead&view_type=form&menu_id={crm}",
            """
            await see(".o_form_view [name=partner_id]");
            check(!all(".o_form_button_create").length, "no new lead");
            const send = all(".o-mail-Chatter button", "Send message");
            check(!send.filter((one) => !one.disabled).length, "no message");
            await click(".oe_stat_button", "History");
            await see(".o_data_row", "Abha");
            check(!all("button[name=action_restore]").length, "nothing to restore");
            """,
            login="history-viewer",
        )
        self.run_steps(
            f"/web#id={order.id}&model=sale.order&view_type=form&menu_id={crm}",
            """
            await see(".o_form_view [name=order_line] .o_data_row", "Filter");
            await see(".oe_stat_button", "History");
            """,
            login="history-viewer",
        )
