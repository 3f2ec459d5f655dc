import json
from datetime import datetime

from odoo.tests import tagged

from ..models import crm_lead
from .common import BridgeCase


@tagged("post_install", "-at_install")
class TestLeadBadges(BridgeCase):
    def bring(self, ref, **values):
        own = {f"g_assistant_{name}": value for name, value in values.items()}
        result = self.upsert(ref, {"name": "A lead", **own})
        self.assertEqual(result["status"], "created", result)
        return self.env["crm.lead"].browse(result["id"])

    def test_bands(self):
        cases = [
            ({"score": 70, "score_reasons": "r"}, "hot"),
            ({"score": 69, "score_reasons": "r"}, "warm"),
            ({"score": 40, "score_reasons": "r"}, "warm"),
            ({"score": 0, "score_reasons": "no lead at all"}, "cold"),
            ({}, False),
        ]
        leads = self.env["crm.lead"]
        for number, (values, band) in enumerate(cases):
            leads += self.bring(f"band{number}", **values)
            self.assertEqual(leads[-1].g_assistant_score_band, band, values)
        self.assertSameInSql(leads)

    def test_reasons_are_told_in_the_readers_language(self):
        self.env["res.lang"]._activate_lang("ar_001")
        self.env["ir.module.module"]._load_module_terms(["g_assistant_connector"], ["ar_001"])
        spam = self.env["g_assistant.flag"].search([("code", "=", "SPAM")])
        lead = self.bring(
            "told",
            score=8,
            score_reasons="data quality 15/25: good e-mail, something new\n"
            "campaign source 18/30: source Q4, Riyadh, no campaign\nengagement 0/20: nothing known",
            chance=12,
            chance_reasons="average lead 7 %\ncity riyadh: odds × 1.52\nweekday Mon: odds × 0.80",
            flag_reasons="SPAM: 9 links, more than 3\nNEW: `x` is no phone number",
            flag_ids=spam.ids,
        )
        self.assertEqual(lead.g_assistant_score_words, lead.g_assistant_score_reasons)
        self.assertEqual(lead.g_assistant_chance_words, lead.g_assistant_chance_reasons)
        self.assertEqual(
            lead.g_assistant_flag_words,
            "Spam: 9 links, more than 3\nNEW: `x` is no phone number",
        )
        said = lead.with_context(lang="ar_001")
        self.assertEqual(
            said.g_assistant_score_words,
            "جودة البيانات 15/25: بريد إلكتروني سليم, something new\n"
            "مصدر الحملة 18/30: المصدر Q4, Riyadh, بلا حملة\nالتفاعل 0/20: لا شيء معروف",
        )
        self.assertEqual(
            said.g_assistant_chance_words,
            "متوسط العملاء 7 %\nالمدينة riyadh: الأرجحية × 1.52\nاليوم الإثنين: الأرجحية × 0.80",
        )
        self.assertEqual(said.g_assistant_flag_words.splitlines()[1], "NEW: `x` ليس رقم هاتف")
        self.assertFalse(self.bring("silent").g_assistant_score_words)

    def test_consent(self):
        cases = [
            ("✓ Yes", "given"),
            ("✗ No", "refused"),
            ("✓ A\n✗ B", "partly"),
            ("✗ A\n✓ B", "partly"),
        ]
        leads = self.bring("none")
        self.assertFalse(leads.g_assistant_consent_state)
        for text, state in cases:
            leads += self.bring(text.replace("\n", " "), consent=text)
            self.assertEqual(leads[-1].g_assistant_consent_state, state, text)
        self.assertSameInSql(leads)

    def assertSameInSql(self, leads):
        """What an upgrade fills in is what Odoo computes."""
        for name, sql in crm_lead.DERIVED.items():
            self.env.cr.execute(f"SELECT id, {sql} FROM crm_lead WHERE id = ANY(%s)", [leads.ids])
            for lead_id, value in self.env.cr.fetchall():
                self.assertEqual(leads.browse(lead_id)[name] or None, value)

    def test_path(self):
        lead = self.bring(
            "path",
            platform="tiktok",
            campaign="123",
            adset_name="Families",
            adset="9",
            form_name="فلل",
            click_ids="ttclid: x\nfbc: fb.1.1763712000123.AbC",
        )
        isolated = "\u2068TikTok\u2069 › \u2068123\u2069 › \u2068Families\u2069 › \u2068فلل\u2069"
        self.assertEqual(lead.g_assistant_path, isolated)
        self.assertEqual(lead.g_assistant_clicked_at, datetime(2025, 11, 21, 8, 0))
        cookie = self.bring("cookie", platform="google", click_ids="_gcl_aw: GCL.1763712000.Xy")
        self.assertEqual(cookie.g_assistant_clicked_at, datetime(2025, 11, 21, 8, 0))
        self.assertEqual(cookie.g_assistant_path, "\u2068Google\u2069")
        plain = self.bring("plain", click_ids="gclid: 1763712000123")
        self.assertFalse(plain.g_assistant_clicked_at)
        self.assertFalse(plain.g_assistant_path)

    def test_answers(self):
        answers = [["Rooms <b>?", "4\nor 5"], ["الميزانية", "1.5"]]
        lead = self.bring("answers", answers=json.dumps(answers))
        html = str(lead.g_assistant_answers_html)
        self.assertIn("<bdi>Rooms &lt;b&gt;?</bdi>", html)
        self.assertIn("<bdi>4<br/>or 5</bdi>", html)
        self.assertLess(html.index("Rooms"), html.index("الميزانية"))
        self.assertFalse(self.bring("silent").g_assistant_answers_html)

    def test_every_filter_and_group_works(self):
        lead = self.bring(
            "all", platform="meta", score=80, score_reasons="r", consent="✓ Yes", campaign_name="C"
        )
        for xmlid in ("crm.view_crm_case_opportunities_filter", "crm.view_crm_case_leads_filter"):
            view = self.env.ref(xmlid)
            arch = self.env["crm.lead"].get_view(view.id, "search")["arch"]
            for field in (
                "score_band",
                "flag_ids",
                "response_band",
                "platform",
                "campaign_name",
                "adset_name",
                "ad_name",
                "form_name",
                "consent_state",
            ):
                name = f"g_assistant_{field}"
                self.assertIn(f"'group_by': '{name}'", arch)
                groups = self.env["crm.lead"]._read_group(
                    [("id", "=", lead.id)], [name], ["__count"]
                )
                self.assertEqual([count for *_key, count in groups], [1], name)
