from odoo.tests import tagged

from .test_browser import BrowserCase
from .test_history import HistoryCase


@tagged("post_install", "-at_install")
class TestBrowserHistory(BrowserCase, HistoryCase):
    """From the form to its history, and back to what a field was."""

    def test_from_the_form_to_what_was_before(self):
        lead = self.lead(user_id=self.sara.id, city="Abha", phone="+966501111111")
        self.change(lead, self.sara, {"city": "Riyadh", "phone": "+966502222222"})
        self.run_steps(
            f"/web#id={lead.id}&model=crm.lead&view_type=form&menu_id={self.env.ref('crm.crm_menu_root').id}",
            """
            await click(".oe_stat_button", "History");
            const row = await see(".o_data_row", "Abha");
            check(row.textContent.includes("Riyadh") && row.textContent.includes("City"), row.textContent);
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
