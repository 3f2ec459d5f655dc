from datetime import timedelta
from statistics import median

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

BLOCKS = ("overview", "pipeline", "campaigns", "flow", "week", "response", "team", "quality")
RIYADH = "Asia/Riyadh"


class DashboardCase(TransactionCase):
    """A few leads of every kind, and who may see which."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What the database of a developer may hold already.
        cls.env["crm.lead"].with_context(active_test=False).search([]).unlink()
        cls.env["g_assistant.spend"].search([]).unlink()
        cls.team = cls.env["crm.team"].search([], limit=1)
        cls.first, cls.second, cls.won = cls.stages()
        cls.sara = cls.user("g-sara", "sales_team.group_sale_salesman")
        cls.omar = cls.user("g-omar", "sales_team.group_sale_salesman_all_leads")
        cls.boss = cls.user("g-huda", "sales_team.group_sale_manager")
        cls.meta, cls.google = cls.env["utm.source"].create(
            [{"name": "g-Meta"}, {"name": "g-Google"}]
        )
        cls.tag = cls.env["utm.campaign"].create({"name": "Villas"})
        cls.now = fields.Datetime.now()
        cls.leads = cls.some_leads()

    @classmethod
    def stages(cls):
        stages = cls.env["crm.stage"].search([])
        return stages[0], stages[1], stages.filtered("is_won")[:1]

    @classmethod
    def user(cls, login, groups, **values):
        values.setdefault("company_id", cls.env.company.id)
        return new_test_user(cls.env, login, groups=groups, tz=RIYADH, **values)

    @classmethod
    def lead(cls, days=0, minutes=None, **values):
        """A lead of so many days ago, first touched after so many minutes."""
        values = {"name": "A lead", "type": "opportunity", "user_id": False, **values}
        values.setdefault("stage_id", cls.first.id)
        values.setdefault("company_id", cls.env.company.id)
        lost = values.pop("lost", False)
        closed = values.pop("closed", days)
        lead = cls.env["crm.lead"].with_context(tracking_disable=True).create(values)
        if lost:
            lead.action_set_lost()
        if values["stage_id"] == cls.won.id:
            lead.probability = 100
        lead.flush_recordset()
        at = cls.now - timedelta(days=days)
        cls.env.cr.execute(
            "UPDATE crm_lead SET create_date = %s, date_closed = CASE WHEN date_closed IS NULL"
            " THEN NULL ELSE %s END, g_assistant_first_action_at = %s,"
            " g_assistant_response_minutes = %s WHERE id = %s",
            [
                at,
                cls.now - timedelta(days=closed),
                at + timedelta(minutes=minutes) if minutes else None,
                minutes,
                lead.id,
            ],
        )
        lead.invalidate_recordset()
        return lead

    @classmethod
    def some_leads(cls):
        sara, omar = cls.sara.id, cls.omar.id
        ad = {"g_assistant_platform": "meta", "g_assistant_campaign": "c1"}
        spam = cls.env.ref("g_assistant_connector.flag_spam")
        return [
            cls.lead(1, 3, user_id=sara, source_id=cls.meta.id, expected_revenue=1000, **ad),
            cls.lead(
                2,
                20,
                user_id=omar,
                source_id=cls.meta.id,
                expected_revenue=500,
                **ad,
                g_assistant_campaign_name="Villas",
            ),
            cls.lead(3, user_id=sara, source_id=cls.google.id, phone="+966501234567"),
            cls.lead(4, 600, user_id=omar, stage_id=cls.won.id, expected_revenue=7000, **ad),
            cls.lead(5, lost=True, user_id=sara, email_from="a@example.com", **ad),
            cls.lead(6, 90, stage_id=cls.second.id, campaign_id=cls.tag.id, expected_revenue=40.5),
            # Long ago, won now.
            cls.lead(200, 5, closed=1, user_id=sara, stage_id=cls.won.id, expected_revenue=300),
            # Archived, but not lost; and one that is no opportunity yet.
            cls.lead(1, user_id=omar, active=False, probability=30, expected_revenue=99),
            cls.lead(0, type="lead", stage_id=False, g_assistant_flag_ids=[(6, 0, spam.ids)]),
        ]

    def spend(self, **values):
        row = {"platform": "meta", "campaign": "c1", "day": self.now.date() - timedelta(days=1)}
        return self.env["g_assistant.spend"].create({**row, "amount": 1.0, **values})


@tagged("post_install", "-at_install")
class TestDashboard(DashboardCase):
    # ---- figures and what they open --------------------------------------------------

    def figures_in(self, part, columns=()):
        """``(what, column, figure)`` of everything in an answer that has a domain."""
        if isinstance(part, list):
            for one in part:
                yield from self.figures_in(one, columns)
        elif isinstance(part, dict) and "domain" in part:
            yield "", None, part
        elif isinstance(part, dict):
            columns = {one["name"]: one for one in part.get("columns", [])} or columns
            for name, value in part.items():
                if name == "figures":
                    for key, figure in value.items():
                        yield f"{part['label']}/{key}", columns.get(key), figure
                elif isinstance(value, dict | list):
                    yield from self.figures_in(value, columns)

    def expected(self, records, column):
        kind = column["kind"] if column else "count"
        if kind == "count":
            return len(records)
        values = [record[column["field"]] for record in records]
        if kind == "minutes":
            return median(values) if values else None
        own = self.env.company
        return sum(
            record.company_id.currency_id._convert(
                value, own.currency_id, own, fields.Date.context_today(record), round=False
            )
            if record.company_id
            else value
            for record, value in zip(records, values, strict=True)
        )

    def reconcile(self, user, chosen, companies=None):
        """Each figure that the user sees is that of the records that a click opens."""
        env = self.env(user=user)
        context = {"allowed_company_ids": companies.ids} if companies else {}
        dashboard = env["g_assistant.dashboard"].with_context(tz=RIYADH, **context)
        seen = 0
        for name in BLOCKS:
            block = dashboard.block(name, chosen)
            for what, column, figure in self.figures_in(block):
                if column and column["kind"] in ("ratio_money", "times"):
                    continue
                model = dashboard.env[figure.get("model", "crm.lead")]
                records = model.with_context(active_test=False).search(figure["domain"])
                wanted = self.expected(records, column)
                message = f"{user.login} {name} {what} {figure}"
                if wanted is None:
                    self.assertFalse(figure["value"], message)
                else:
                    self.assertAlmostEqual(float(figure["value"]), wanted, 4, message)
                seen += bool(figure["value"])
        return seen

    def block(self, name, user=None, **chosen):
        env = self.env(user=user or self.boss)
        return env["g_assistant.dashboard"].with_context(tz=RIYADH).block(name, chosen)

    def values(self, row):
        return {name: figure["value"] for name, figure in row["figures"].items()}

    def rows(self, name, *args, **chosen):
        block = self.block(name, *args, **chosen)
        return {row["label"]: self.values(row) for row in block["rows"]}

    def test_figures_are_those_of_the_records_behind_them(self):
        self.spend(campaign="c1", campaign_name="Villas", amount=50)
        for user in (self.sara, self.omar, self.boss):
            for period in ("today", "last_7", "last_90", "month", "last_month", "year", "last_365"):
                seen = self.reconcile(user, {"period": period})
                self.assertGreater(seen, 10, period)
            self.reconcile(user, {"team_id": self.team.id})
            self.assertGreater(self.reconcile(user, {"user_id": self.sara.id}), 10)
        long_ago = {"period": "custom", "first": "2020-01-01", "last": "2030-01-01"}
        self.assertGreater(self.reconcile(self.boss, long_ago), 20)

    def test_others_are_the_rest(self):
        sources = self.env["utm.source"].create([{"name": f"g-{n}"} for n in range(60)])
        for number, source in enumerate(sources):
            self.lead(1, source_id=source.id, expected_revenue=number)
            self.lead(1, g_assistant_campaign=str(number), g_assistant_platform="tiktok")
            self.spend(campaign=str(number), platform="tiktok", amount=number)
        for name in ("pipeline", "campaigns"):
            rows = self.block(name)["rows"]
            self.assertEqual((len(rows), rows[-1]["label"]), (51, "Others"))
        self.reconcile(self.boss, {})

    def test_overview(self):
        found = self.values(self.block("overview")["rows"][0])
        self.assertEqual(
            found,
            {
                "received": 8,
                "qualified": 2,
                "won": 2,
                "revenue": 7300,
                "lost": 1,
                "open": 4,
                "expected": 1540.5,
            },
        )
        # A salesperson sees their own and nobody's, as in the pipeline.
        own = self.values(self.block("overview", self.sara)["rows"][0])
        self.assertEqual((own["received"], own["won"], own["revenue"]), (5, 1, 300))

    def test_pipeline_is_that_of_now(self):
        rows = self.rows("pipeline", period="today")
        self.assertEqual(rows["g-Meta"]["expected"], 1500)
        self.assertEqual(rows["g-Meta"]["open"], 2)
        self.assertEqual(rows["Without a source"]["won"], 0)
        self.assertEqual(self.rows("pipeline")["Without a source"]["won"], 2)

    def test_team_load(self):
        late = self.leads[0]
        late.activity_schedule("mail.mail_activity_data_call", self.now.date() - timedelta(days=2))
        rows = self.rows("team")
        self.assertEqual(
            rows[self.sara.name],
            {"open": 2, "expected": 1000, "overdue": 1, "idle": 1, "received": 3, "won": 1},
        )
        self.reconcile(self.boss, {})

    def test_response(self):
        block = self.block("response")
        self.assertEqual(
            {point["label"]: point["value"] for point in block["points"]},
            {
                "Up to 5 minutes": 1,
                "5 to 15 minutes": 0,
                "15 to 60 minutes": 1,
                "1 to 4 hours": 1,
                "4 to 24 hours": 1,
                "More than a day": 0,
                "Still Waiting": 2,
            },
        )
        total = self.values(block["total"])
        self.assertEqual((total["received"], total["answered"], total["median"]), (8, 4, 55))

    def test_quality(self):
        block = self.block("quality")
        found = {item["label"]: item["value"] for item in block["items"]}
        self.assertEqual(block["received"]["value"], 8)
        self.assertEqual((found["No phone number"], found["No e-mail address"]), (7, 7))
        self.assertEqual((found["Neither phone nor e-mail"], found["Spam"]), (6, 1))

    # ---- time ------------------------------------------------------------------------

    def test_days_are_the_users(self):
        """Half past eleven at night in UTC is the next morning in Riyadh."""
        lead = self.lead()
        lead.flush_recordset()
        self.env.cr.execute(
            "UPDATE crm_lead SET create_date = '2026-03-05 21:30:00' WHERE id = %s", [lead.id]
        )
        lead.invalidate_recordset()
        self.assertEqual(lead.with_context(tz=RIYADH).g_assistant_weekday, "5")
        self.assertEqual(lead.with_context(tz=RIYADH).g_assistant_hour, 0)
        self.assertEqual(lead.with_context(tz="UTC").g_assistant_hour, 21)
        chosen = {"period": "custom", "first": "2026-03-01", "last": "2026-03-07"}
        flow = self.block("flow", **chosen)
        self.assertEqual(flow["unit"], "day")
        self.assertEqual(
            {point["label"]: point["value"] for point in flow["points"]}["2026-03-06"], 1
        )
        self.assertEqual(len(flow["points"]), 7)
        hours = self.block("flow", period="custom", first="2026-03-06", last="2026-03-06")
        self.assertEqual([point["value"] for point in hours["points"]], [1] + [0] * 23)
        week = {row["label"]: row["cells"] for row in self.block("week", **chosen)["rows"]}
        self.assertEqual(week["Friday"][0]["value"], 1)
        self.assertEqual(
            self.env["crm.lead"]
            .with_user(self.boss)
            .with_context(tz=RIYADH)
            .search(week["Friday"][0]["domain"]),
            lead,
        )

    def test_clocks_that_change(self):
        """A day of 25 hours is one day, and its hours are counted once."""
        for hour in range(22, 24):
            lead = self.lead()
            self.env.cr.execute(
                "UPDATE crm_lead SET create_date = %s WHERE id = %s",
                [f"2025-10-25 {hour}:30:00", lead.id],
            )
        chosen = {"period": "custom", "first": "2025-10-26", "last": "2025-10-26"}
        dashboard = self.env(user=self.boss)["g_assistant.dashboard"].with_context(
            tz="Europe/Paris"
        )
        points = dashboard.block("flow", chosen)["points"]
        self.assertEqual(sum(point["value"] for point in points), 2)
        self.assertEqual(
            dashboard.block("overview", chosen)["rows"][0]["figures"]["received"]["value"], 2
        )

    def test_longer_periods_have_wider_steps(self):
        for first, unit, points in (
            ("2026-01-01", "day", 31),
            ("2025-06-01", "week", 35),
            ("2023-02-01", "month", 36),
            # While one types the year.
            ("0002-02-01", "month", 313),
        ):
            flow = self.block("flow", period="custom", first=first, last="2026-01-31")
            self.assertEqual((flow["unit"], len(flow["points"])), (unit, points))

    def test_week_begins_as_the_language_says(self):
        language = self.env["res.lang"].search([("code", "=", "en_US")])
        for day, first in (("7", "Sunday"), ("1", "Monday"), ("6", "Saturday")):
            language.week_start = day
            self.assertEqual(self.block("week")["rows"][0]["label"], first)

    # ---- money -----------------------------------------------------------------------

    def test_campaigns_and_what_they_cost(self):
        self.spend(campaign_name="Villas", amount=100)
        self.spend(campaign_name="Villas", amount=60, adset="s1")
        self.spend(campaign="c9", campaign_name="Nobody came", amount=5)
        rows = self.rows("campaigns")
        villas = rows["Villas (meta)"]
        # Four by the id, and the one whose link was tagged with the campaign's name.
        self.assertEqual((villas["received"], villas["won"], villas["revenue"]), (5, 1, 7000))
        self.assertEqual((villas["spend"], villas["cost"], villas["return"]), (160, 32, 43.75))
        self.assertEqual(rows["Nobody came (meta)"]["spend"], 5)
        self.assertNotIn("cost", rows["Nobody came (meta)"])
        # Not comparable with the leads of one salesperson, and not theirs to see.
        self.assertNotIn("spend", self.rows("campaigns", user_id=self.sara.id)["c1 (meta)"])
        self.assertNotIn("spend", self.rows("campaigns", self.sara)["c1 (meta)"])
        self.assertIn("spend", self.rows("campaigns", self.omar)["Villas (meta)"])

    def test_several_companies(self):
        currency = self.env["res.currency"].create(
            {
                "name": "GQQ",
                "symbol": "q",
                "rate_ids": [(0, 0, {"name": "2020-01-01", "rate": 4.0})],
            }
        )
        other = self.env["res.company"].create({"name": "Other", "currency_id": currency.id})
        both = self.env.company | other
        self.boss.company_ids = both
        self.lead(
            1, company_id=other.id, team_id=False, source_id=self.meta.id, expected_revenue=400
        )
        self.reconcile(self.boss, {}, self.env.company)
        self.reconcile(self.boss, {}, both)
        dashboard = self.env(user=self.boss)["g_assistant.dashboard"].with_context(
            tz=RIYADH, allowed_company_ids=both.ids
        )
        alone = dashboard.with_context(allowed_company_ids=self.env.company.ids)
        for one, expected, count in ((dashboard, 1600, 3), (alone, 1500, 2)):
            rows = {row["label"]: self.values(row) for row in one.block("pipeline", {})["rows"]}
            self.assertEqual(
                (rows["g-Meta"]["expected"], rows["g-Meta"]["open"]), (expected, count)
            )
        self.assertTrue(dashboard.options()["notes"])
        self.assertFalse(alone.options()["notes"])

    def test_only_for_who_may_see_leads(self):
        nobody = new_test_user(self.env, "g-nobody", groups="base.group_user")
        for name in BLOCKS:
            with self.assertRaises(AccessError):
                self.block(name, nobody)

    def test_options(self):
        dashboard = self.env["g_assistant.dashboard"]
        own = dashboard.with_user(self.sara).options()
        self.assertFalse(own["users"])
        everything = dashboard.with_user(self.boss).options()
        self.assertIn([self.omar.id, self.omar.name], everything["users"])
        self.assertIn([self.team.id, self.team.name], everything["teams"])

    def test_few_queries(self):
        """The same number for many leads, sources and days as for a few."""
        self.boss.tz = False
        self.env.invalidate_all()
        for name in BLOCKS:
            self.block(name)
            with self.assertQueryCount(8):
                self.block(name)
        for number in range(30):
            source = self.env["utm.source"].create({"name": f"g-q{number}"})
            self.lead(1, source_id=source.id, g_assistant_campaign_name=f"n{number}")
        dashboard = self.env(user=self.boss)["g_assistant.dashboard"].with_context(tz=False)
        for name in BLOCKS:
            with self.assertQueryCount(10):
                dashboard.block(name, {"period": "last_365"})
