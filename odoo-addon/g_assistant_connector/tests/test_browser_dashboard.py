from odoo.tests import tagged

from .test_browser import BrowserCase
from .test_dashboard import DashboardCase

# A figure of a block, by the row's name and the column's.
FIGURE = """
    const figure = (block, row, column) => until(`${block} ${row} ${column}`, () =>
        all(`[data-block=${block}] tr`, row).map((one) =>
            one.querySelector(`[data-figure=${column}] button`))[0]);
    const opened = async (count) => {
        await until(`${count} records`, () => all(".o_list_view .o_data_row").length === count);
        await click(".breadcrumb-item a, .o_back_button", "");
        await see("[data-block=pipeline] table");
    };
"""


@tagged("post_install", "-at_install")
class TestBrowserDashboard(BrowserCase, DashboardCase):
    """What people see of the dashboard, and where a click leads."""

    def open_dashboard(self, steps, login):
        action = self.env.ref("g_assistant_connector.g_assistant_dashboard_action")
        self.run_steps(f"/web#action={action.id}", FIGURE + steps, login)

    def test_figures_open_their_records(self):
        self.spend(campaign_name="Villas", amount=100)
        self.open_dashboard(
            """
            const tile = await see(".o_g_assistant_tiles [data-figure=received]", "8");
            tile.click();
            await opened(8);
            (await figure("pipeline", "g-Meta", "open")).click();
            await opened(2);
            const cost = await figure("campaigns", "Villas (meta)", "cost");
            check(cost.textContent.includes("20"), cost.textContent);
            (await figure("campaigns", "Villas (meta)", "spend")).click();
            await until("spend", () => all(".o_list_view .o_data_row", "Villas").length === 1);
            await click(".breadcrumb-item a, .o_back_button", "");

            const cells = await until("the week", () => all("[data-block=week] button").length
                && all("[data-block=week] button"));
            const count = cells.map((one) => Number(one.title.split(": ").pop()));
            check(count.reduce((a, b) => a + b) === 8, "all leads are in the week: " + count);
            cells[0].click();
            await opened(count[0]);

            // Charts are drawn: something is on the canvas.
            await until("charts", () => all("[data-block] canvas").length === 4);
            for (const canvas of all("[data-block] canvas")) {
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                check(data.some((part) => part), "an empty chart");
            }
            // By keyboard: the bars of a chart, too.
            const flow = all("[data-block=flow] canvas")[0];
            const press = (key) => flow.dispatchEvent(new KeyboardEvent("keydown", { key }));
            const heard = [];
            for (let day = 0; day < 30; day++) {
                press("ArrowRight");
                heard.push(Number(flow.getAttribute("aria-label").split(": ").pop()));
            }
            check(heard.reduce((a, b) => a + b) === 8, "all leads are in the chart: " + heard);
            while (!Number(flow.getAttribute("aria-label").split(": ").pop())) {
                press("ArrowLeft");
            }
            const bar = Number(flow.getAttribute("aria-label").split(": ").pop());
            press("Enter");
            await opened(bar);
            // Everything that opens something is a button.
            check(!all("[data-figure] a, td[data-figure][tabindex]").length, "buttons only");

            const team = await see("select[name=user_id]");
            team.value = [...team.options].find((one) => one.text.includes("g-sara")).value;
            team.dispatchEvent(new Event("change", { bubbles: true }));
            await see(".o_g_assistant_tiles [data-figure=received]", "3");
            await see("[data-block=campaigns]", "costs are shown without a team or salesperson");
            await gone("[data-block=campaigns] [data-figure=spend]");

            const period = all("select[name=period]")[0];
            period.value = "custom";
            period.dispatchEvent(new Event("change", { bubbles: true }));
            const first = await see("input[name=first]");
            first.value = "2020-01-01";
            first.dispatchEvent(new Event("change", { bubbles: true }));
            await see(".o_g_assistant_tiles [data-figure=received]", "4");

            await click("button", "Analyse Campaigns");
            await see(".o_pivot th", "Villas");
            localStorage.clear();
            """,
            "g-huda",
        )

    def test_own_leads_only(self):
        self.open_dashboard(
            """
            await see(".o_g_assistant_tiles [data-figure=received]", "5");
            check(!all("select[name=user_id]").length, "nobody else to choose");
            check(!all("button", "Analyse Campaigns").length, "for managers");
            await see("[data-block=campaigns] th", "Revenue");
            check(!all("[data-block=campaigns] th", "Spend").length, "no spend");
            // A page that is left while charts are loaded says so in the log.
            await until("charts", () => all("[data-block] canvas").length === 4);
            """,
            "g-sara",
        )

    def test_nothing_yet(self):
        self.env["crm.lead"].with_context(active_test=False).search([]).unlink()
        self.open_dashboard(
            """
            await see(".o_view_nocontent_smiling_face", "No leads in this period");
            """,
            "g-huda",
        )
