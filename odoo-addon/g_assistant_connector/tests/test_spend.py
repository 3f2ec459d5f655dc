import json
from datetime import date

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import file_open, mute_logger

from .common import BridgeCase

ROW = {
    "day": "2026-11-20",
    "platform": "meta",
    "account": "102030",
    "campaign": "c1",
    "campaign_name": "Villas",
    "adset": "s1",
    "adset_name": None,
    "ad": None,
    "ad_name": None,
    "currency": "GQQ",
    "amount": 100.5,
    "impressions": 18_400,
    "clicks": 312,
}


@tagged("post_install", "-at_install")
class TestSpend(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["g_assistant.spend"].search([]).unlink()
        cls.currency = cls.env["res.currency"].create(
            {
                "name": "GQQ",
                "symbol": "q",
                "rate_ids": [
                    (0, 0, {"name": "2026-11-01", "rate": 4.0}),
                    (0, 0, {"name": "2026-11-20", "rate": 5.0}),
                ],
            }
        )
        cls.boss = new_test_user(cls.env, "g-huda", groups="sales_team.group_sale_manager")

    def told(self, *rows):
        answer = json.loads(self.bridge.spend(json.dumps(rows)))
        self.env.invalidate_all()
        return answer

    @property
    def spends(self):
        return self.env["g_assistant.spend"].search([], order="id")

    def test_told_again_it_is_the_same_row(self):
        [first] = self.told(ROW)
        self.assertEqual(first["status"], "created")
        spend = self.spends
        self.assertEqual((spend.id, spend.amount, spend.clicks), (first["id"], 100.5, 312))
        self.assertEqual(spend.company_id, self.env.company)
        before = spend.write_date
        self.assertEqual(self.told(ROW), [{"status": "known", "id": spend.id}])
        self.assertEqual((self.spends, spend.write_date), (spend, before))
        # Platforms correct their figures for days; names change.
        self.told({**ROW, "amount": 120, "clicks": 400, "campaign_name": "Villas, Riyadh"})
        self.assertEqual(self.spends, spend)
        self.assertEqual(
            (spend.amount, spend.clicks, spend.impressions, spend.campaign_name),
            (120, 400, 18_400, "Villas, Riyadh"),
        )

    def test_what_makes_another_row(self):
        others = {
            "day": "2026-11-19",
            "platform": "tiktok",
            "account": "1",
            "campaign": "c2",
            "adset": "s2",
            "ad": "a1",
        }
        answer = self.told(ROW, *({**ROW, name: value} for name, value in others.items()))
        self.assertEqual([one["status"] for one in answer], ["created"] * 7)
        # Of a campaign without an id, the name.
        named = [{**ROW, "campaign": None, "campaign_name": name} for name in ("A", "B")]
        self.assertEqual([one["status"] for one in self.told(*named)], ["created"] * 2)
        self.assertEqual(len(self.spends), 9)

    def test_bad_rows_do_not_hold_up_the_others(self):
        answer = self.told(
            {**ROW, "day": "20-11-2026"},
            {**ROW, "currency": "XXQ"},
            {**ROW, "platform": ""},
            {**ROW, "amount": -1},
            {**ROW, "clicks": True},
            {**ROW, "campaign": 12},
            "no row",
            ROW,
            {**ROW, "amount": 7},
        )
        self.assertEqual(
            [one["status"] for one in answer], [*["refused"] * 7, "created", "refused"]
        )
        self.assertIn("XXQ", answer[1]["error"])
        self.assertEqual(self.spends.amount, 100.5)

    def test_not_everything_is_taken(self):
        for rows in ("[", "{}", json.dumps([ROW] * 1001)):
            with self.assertRaises(UserError):
                self.bridge.spend(rows)
        with self.assertRaises(AccessError):
            self.env["g_assistant.bridge"].with_user(self.boss).spend("[]")
        wrong = json.loads(self.bridge.spend("[]", database="another"))
        self.assertIn("wrong_database", wrong)
        self.assertTrue(json.loads(self.bridge.hello())["spend"])

    def test_the_rate_of_the_day(self):
        self.told({**ROW, "day": "2026-11-10"}, ROW, {**ROW, "day": "2026-11-21"})
        self.assertEqual(self.spends.mapped("amount_company"), [25.13, 20.1, 20.1])
        # Rates that come later, or are corrected, hold as well.
        rate = self.env["res.currency.rate"].create(
            {"name": "2026-11-21", "rate": 10.0, "currency_id": self.currency.id}
        )
        self.assertEqual(self.spends.mapped("amount_company"), [25.13, 20.1, 10.05])
        rate.rate = 2.0
        self.assertEqual(self.spends.mapped("amount_company"), [25.13, 20.1, 50.25])
        rate.unlink()
        self.assertEqual(self.spends.mapped("amount_company"), [25.13, 20.1, 20.1])

    def test_without_a_rate_it_counts_as_nothing(self):
        self.env.company.currency_id.rate_ids.unlink()
        self.env["res.currency"].create({"name": "GQZ", "symbol": "z"})
        self.told({**ROW, "currency": "GQZ"})
        self.assertEqual((self.spends.amount_company, self.spends.without_rate), (0, True))

    def test_a_manager_imports_a_file_twice(self):
        """The template as it is offered; the second time corrects the first."""
        template = self.env["g_assistant.spend"].get_import_templates()[0]["template"]
        with file_open(template.lstrip("/"), "rb") as file:
            text = file.read()
        spend = self.env["g_assistant.spend"].with_user(self.boss)
        self.env["res.currency"].with_context(active_test=False).search(
            [("name", "=", "SAR")]
        ).active = True
        for amount in (b"420.50", b"430.00"):
            wizard = (
                self.env["base_import.import"]
                .with_user(self.boss)
                .create(
                    {
                        "res_model": "g_assistant.spend",
                        "file": text.replace(b"420.50", amount),
                        "file_type": "text/csv",
                        "file_name": "spend.csv",
                    }
                )
            )
            options = {
                "has_headers": True,
                "quoting": '"',
                "separator": ",",
                "encoding": "utf-8",
                "date_format": "%Y-%m-%d",
                "float_thousand_separator": ",",
                "float_decimal_separator": ".",
            }
            preview = wizard.parse_preview(options)
            columns = [preview["matches"][at][0] for at in range(len(preview["headers"]))]
            result = wizard.execute_import(columns, preview["headers"], options)
            self.assertFalse(result["messages"])
            self.assertEqual(len(spend.search([])), 2)
        self.assertEqual(sorted(spend.search([]).mapped("amount")), [180, 430])
        self.assertEqual(spend.search([("campaign", "=", "22001133445")]).clicks, 141)

    def test_rows_that_are_the_same(self):
        spend = self.env["g_assistant.spend"].with_user(self.boss)
        values = {"day": date(2026, 11, 20), "platform": "meta", "campaign": "c1", "amount": 1}
        spend.create(values)
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError), self.cr.savepoint():
            spend.create(values)
        header = ["day", "platform", "campaign", "amount"]
        row = ["2026-11-22", "meta", "c1", "1"]
        messages = spend.load(header, [row, row])["messages"]
        self.assertIn("the same day", messages[-1]["message"])
        self.assertFalse(spend.search([("day", "=", "2026-11-22")]))

    def test_who_may_do_what(self):
        self.told(ROW)
        model = self.env["g_assistant.spend"]
        for groups, may_read, may_write in (
            ("base.group_user", False, False),
            ("sales_team.group_sale_salesman", False, False),
            ("sales_team.group_sale_salesman_all_leads", True, False),
            ("sales_team.group_sale_manager", True, True),
            ("g_assistant_connector.group_admin", True, False),
        ):
            user = new_test_user(self.env, f"g-{groups}", groups=groups)
            for may, act in (
                (may_read, lambda rows: rows.mapped("amount")),
                (may_write, lambda rows: rows.write({"clicks": 1})),
                (may_write, lambda rows: rows.create({"platform": "x", "amount": 1})),
            ):
                rows = model.with_user(user).browse(self.spends[:1].ids)
                self.env.invalidate_all()
                if may:
                    act(rows)
                else:
                    with self.assertRaises(AccessError, msg=groups):
                        act(rows)

    def test_other_companies_do_not_see_it(self):
        self.told(ROW)
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "g-other",
            groups="sales_team.group_sale_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        for model in ("g_assistant.spend", "g_assistant.campaign.report"):
            self.assertFalse(self.env[model].with_user(user).search([("platform", "=", "meta")]))

    # ---- the analysis ----------------------------------------------------------------

    def test_campaign_report(self):
        self.env["crm.lead"].with_context(active_test=False).search([]).unlink()
        self.told({**ROW, "day": fields.Date.to_string(fields.Date.today())})
        stage = self.env["crm.stage"].search([("is_won", "=", True)], order="sequence", limit=1)
        ad = {"g_assistant_platform": "meta", "g_assistant_campaign": "c1"}
        self.lead(**ad, expected_revenue=10)
        self.lead(**ad, stage_id=stage.id, probability=100, expected_revenue=300)
        self.lead(g_assistant_campaign_name="Villas").action_set_lost()
        report = self.env["g_assistant.campaign.report"].with_user(self.boss)
        measures = ["leads", "qualified", "won", "lost", "revenue", "spend", "clicks"]
        [row] = report._read_group(
            [("campaign_name", "=", "Villas")],
            ["campaign_name"],
            [f"{one}:sum" for one in measures],
        )
        first = self.env["crm.stage"].search([], order="sequence, id", limit=1)
        beyond = 3 if first != self.stage_new else 1
        self.assertEqual(row, ("Villas", 3, beyond, 1, 1, 300, 20.1, 312))
        found = self.env["g_assistant.dashboard"].with_user(self.boss).block("campaigns", {})
        figures = next(one for one in found["rows"] if one["label"] == "Villas (meta)")["figures"]
        for name in ("qualified", "won", "revenue", "spend"):
            self.assertEqual(figures[name]["value"], row[measures.index(name) + 1], name)
        rows = report.search([("campaign_name", "=", "Villas")])
        self.assertEqual((len(rows), len(set(rows.ids))), (4, 4))
        self.assertEqual(sum(rows.mapped("leads")), 3)
