from odoo import Command
from odoo.tests import new_test_user, tagged

from .common import BridgeCase
from .test_browser import BrowserCase


@tagged("post_install", "-at_install")
class TestBrowserPerson(BrowserCase, BridgeCase):
    """The page of a customer, its timeline, and the conversation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env, "g-person-browser", groups="sales_team.group_sale_salesman_all_leads"
        )
        cls.sara = cls.env["res.partner"].create(
            {"name": "Sara Ali", "email": "sara@example.com", "phone": "+966501234567"}
        )

    def open(self, record, steps, path="web#id={id}&model={model}&view_type=form"):
        url = "/" + path.format(id=record.id, model=record._name)
        self.run_steps(url, steps, login="g-person-browser")

    def test_from_the_contact(self):
        for number in range(7):
            self.lead(
                partner_id=self.sara.id,
                active=False,
                g_assistant_campaign_name=f"C{number}",
            )
        leads = [
            self.lead(
                name=name,
                partner_id=self.sara.id,
                user_id=self.seller.id,
                g_assistant_campaign_name="Villas",
                g_assistant_score=score,
                g_assistant_score_reasons="x",
            )
            for name, score in (("First villa", 40), ("Second villa", 80))
        ]
        for number in range(35):
            leads[0].message_post(body=f"note {number}", message_type="comment")
        leads[1].message_post(
            body="The garden is lovely",
            message_type="email",
            subtype_xmlid="mail.mt_comment",
            author_id=self.sara.id,
        )
        line = {"product_id": self.product.id, "price_unit": 150.0}
        self.env["sale.order"].create(
            {"partner_id": self.sara.id, "order_line": [Command.create(line)]}
        )
        self.open(
            self.sara,
            """
            const page = ".o_g_assistant_person";
            await click(".oe_stat_button", "Customer 360");
            await see(`${page} .o_g_assistant_contact`, "Sara Ali");
            await see(`${page} [data-name=quotations]`, "150.00");
            check((await see(`${page} [data-name=revenue]`)).disabled, "no order");
            await see(`${page} .o_g_assistant_orders`, "No order has been confirmed yet.");
            const campaigns = `${page} .o_g_assistant_campaigns .list-group-item`;
            await see(campaigns, "Villas");
            check(all(campaigns).length === 5, "the latest campaigns");
            await click(`${page} .o_g_assistant_campaigns header button`, "8");
            await see(campaigns, "C0");
            check(all(`${page} .o_g_assistant_bars button`).length === 2, "two scores");

            const entries = `${page} .o_g_assistant_entry`;
            check(all(entries).length === 30, `a page of ${all(entries).length}`);
            await click(`${page} .o_g_assistant_more`);
            await until("all of it", () => all(entries).length === 46);
            check(!all(`${page} .o_g_assistant_more`).length, "no more");
            await click(`${page} [data-show=email]`);
            await until("one e-mail", () => all(entries).length === 1);
            const mail = await see(entries, "The garden is lovely");
            check(mail.dataset.direction === "in", "from her");
            await click(`${page} [data-show=milestone]`);
            await until("milestones", () => all(entries).length === 10);
            await click(`${page} [data-show='']`);
            const search = await see(`${page} input[type=search]`);
            search.value = "garden";
            search.dispatchEvent(new Event("input", { bubbles: true }));
            await until("found", () => all(entries).length === 1);

            await click(`${page} [data-name=open]`);
            await until("both leads", () => all(".o_list_view .o_data_row").length === 2);
            await click(".o_breadcrumb a", "Customer 360");
            await click(`${page} .o_g_assistant_leads button`, "Second villa");
            await see(".o_form_view [name=name]");
            // A lead has many buttons: what is too much for the screen is under More.
            await see(".oe_stat_button");
            if (!all(".oe_stat_button", "Conversation").length) {
                await click(".o_button_more", "");
            }
            await click(".oe_stat_button", "Conversation");
            await see(`${page} .o_g_assistant_timeline h4`, "Sara Ali");
            await until("what was said", () => all(entries).length === 30);
            check(!all(`${page} .o_g_assistant_tiles`).length, "the timeline alone");
            // The address has the customer, not the lead: loaded again, it is the same page.
            check(/[/]ID[/]action-|active_id=ID/.test(location.href), location.href);
            """.replace("ID", str(self.sara.id)),
        )

    def test_nothing_yet_in_arabic(self):
        self.env["res.lang"]._activate_lang("ar_001")
        module = self.env["ir.module.module"].search([("name", "=", "g_assistant_connector")])
        module._update_translations(["ar_001"])
        self.seller.lang = "ar_001"
        self.open(
            self.sara,
            """
            await click(".oe_stat_button", "ملف العميل الشامل");
            const page = ".o_g_assistant_person";
            check(document.body.classList.contains("o_rtl"), "from right to left");
            await see(`${page} .o_g_assistant_entries`, "لم يحدث شيء بعد.");
            await see(`${page} .o_g_assistant_quotations`, "لا يوجد عرض سعر ينتظر ردًا.");
            """,
        )
