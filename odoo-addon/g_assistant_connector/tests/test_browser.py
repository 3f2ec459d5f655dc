from unittest.mock import patch

from odoo.tests import HttpCase, new_test_user, tagged

from .. import config, signing
from .test_sender import SenderCase

# Plain DOM code instead of a tour, because tours differ from series to series.
HELPERS = """
const all = (selector, text = "") =>
    [...document.querySelectorAll(selector)].filter((found) => found.textContent.includes(text));
const until = async (what, found) => {
    for (let tries = 0; tries < 300; tries++) {
        const result = found();
        if (result) {
            return result;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`never happened: ${what}`);
};
const see = (selector, text = "") => until(`${selector} "${text}"`, () => all(selector, text)[0]);
const gone = (selector) => until(`no ${selector}`, () => !all(selector).length);
const click = async (selector, text) => (await see(selector, text)).click();
const check = (truth, what) => {
    if (!truth) {
        throw new Error(`not true: ${what}`);
    }
};
const everything = () =>
    document.documentElement.outerHTML + all("input, textarea").map((input) => input.value).join();
const openSettings = () => click(".settings_tab .tab[data-key=g_assistant_connector]");
"""


class BrowserCase(HttpCase):
    """What people see and click, in a real browser.

    Odoo skips these tests where there is no Chromium, and fails them at any error
    on the browser's console.
    """

    def run_steps(self, url, steps, login="g-assistant-browser"):
        # `void`: the driver must not wait for the result, as a step may leave the page.
        self.browser_js(
            url,
            f"void (async () => {{ {HELPERS} {steps} }})().then("
            '() => console.log("test successful"), (error) => console.error(error.message))',
            login=login,
            timeout=90,
        )

    def menu(self, xmlid):
        return f"/web#menu_id={self.env.ref(xmlid).id}"


@tagged("post_install", "-at_install")
class TestBrowser(BrowserCase, SenderCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = new_test_user(
            cls.env,
            "g-assistant-browser",
            groups="base.group_system,sales_team.group_sale_manager",
        )

    def test_administrator(self):
        params = self.env["ir.config_parameter"]
        params.set_param(config.ENABLED, False)
        params.set_param(config.URL, False)
        self.env["g_assistant.secret"].search([]).unlink()
        settings = self.menu("base.menu_administration")

        # Saving loads the page again, which ends the steps.
        self.run_steps(
            settings,
            f"""
            await openSettings();
            check(!all("button", "events waiting").length, "no list while switched off");
            await click("[name=g_assistant_enabled] input");
            const url = await see("[name=g_assistant_url] input");
            url.value = "{self.url}";
            url.dispatchEvent(new Event("input", {{ bubbles: true }}));
            url.dispatchEvent(new Event("change", {{ bubbles: true }}));
            await see("button", "events waiting");
            const left = new Promise((resolve) => addEventListener("beforeunload", resolve));
            await click(".o_form_button_save");
            await left;
            """,
        )
        self.env.invalidate_all()
        self.assertEqual(config.url(self.env), self.url)

        secret = signing.new_secret()
        self.assertTrue(secret.startswith("whsec_"))
        with patch.object(signing, "new_secret", return_value=secret):
            self.run_steps(
                settings,
                f"""
                await openSettings();
                check((await see("[name=g_assistant_enabled] input")).checked, "switched on");
                await click("button", "Test connection");
                await see(".o_notification", "Generate a signing secret first.");

                await click("button", "Generate secret");
                await see(".modal [name=value]", "{secret}");
                await click(".modal footer button", "Done");
                await gone(".modal");
                await see("button", "Replace secret");
                check(!everything().includes("{secret}"), "the secret is shown once");

                await click("button", "Test connection");
                await see(".o_notification", "Reached, signature accepted.");
                """,
            )
        headers, body = self.server.received[-1]
        self.assertSigned(headers, body, secret)

        self.server.shutdown()
        self.server.server_close()
        self.lead()
        self.run_steps(
            settings,
            f"""
            await openSettings();
            await see("button", "Replace secret");
            check(!everything().includes("{secret}"), "the secret is shown once");
            await click("button", "Test connection");
            await see(".o_notification", "Nothing listens there: is the daemon running");
            await click("button", "events waiting");
            await see(".o_data_row [name=kind]", "Lead created");
            await see(".o_data_row [name=state]", "Waiting");
            """,
        )

    def test_sales_manager_sees_none_of_it(self):
        new_test_user(self.env, "g-assistant-sales", groups="sales_team.group_sale_manager")
        crm = self.menu("crm.crm_menu_root")
        steps = """
            await click(".o_menu_sections button", "Configuration");
            await see(".o-dropdown--menu .dropdown-item", "Sales Teams");
            check(all(".o-dropdown--menu", "G-Assistant").length === %d, "menu");
            await click(".o_navbar_apps_menu button");
            await see(".o-dropdown--menu .dropdown-item", "CRM");
            check(all(".o-dropdown--menu .dropdown-item", "Settings").length === %d, "settings");
        """
        self.run_steps(crm, steps % (1, 1))
        self.run_steps(crm, steps % (0, 0), login="g-assistant-sales")

    def test_arabic(self):
        self.env["res.lang"]._activate_lang("ar_001")
        module = self.env["ir.module.module"].search([("name", "=", "g_assistant_connector")])
        module._update_translations(["ar_001"])
        self.admin.lang = "ar_001"
        # The direction itself comes from rtlcss, which not every server has.
        self.run_steps(
            self.menu("base.menu_administration"),
            """
            await openSettings();
            check(document.body.classList.contains("o_rtl"), "from right to left");
            await see(".o_setting_box", "تسجيل التغييرات");
            await see("button", "اختبار الاتصال");
            await see("label", "إنشاء عميل محتمل");
            """,
        )
