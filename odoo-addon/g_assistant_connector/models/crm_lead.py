from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.sql import column_exists, create_column

# Read together when one of them is asked for, and not with whatever else Odoo reads: every
# save reads the lead.
OWN = {"readonly": True, "copy": False, "prefetch": "g_assistant"}
# Written together, or not at all.
SCORE = {
    "g_assistant_score",
    "g_assistant_score_reasons",
    "g_assistant_chance",
    "g_assistant_chance_reasons",
}

# A score from here on is good, or not bad.
HOT, WARM = 70, 40
# By whether something was agreed to, and whether something was not.
CONSENT = {(True, False): "given", (True, True): "partly", (False, True): "refused"}
# Stored fields that follow from others.
DERIVED = {
    "g_assistant_score_band": "CASE WHEN g_assistant_score_reasons IS NULL THEN NULL"
    f" WHEN g_assistant_score >= {HOT} THEN 'hot' WHEN g_assistant_score >= {WARM} THEN 'warm'"
    " ELSE 'cold' END",
    "g_assistant_consent_state": "CASE WHEN g_assistant_consent LIKE '%%✓%%✗%%'"
    " OR g_assistant_consent LIKE '%%✗%%✓%%' THEN 'partly'"
    " WHEN g_assistant_consent LIKE '%%✓%%' THEN 'given'"
    " WHEN g_assistant_consent LIKE '%%✗%%' THEN 'refused' END",
}


class CrmLead(models.Model):
    _name = "crm.lead"
    _inherit = ["crm.lead", "g_assistant.captured"]

    # What the daemon found out on the lead's way in. These are its own: it writes
    # them anew with each delivery, and they are neither mirrored nor events.
    g_assistant_score = fields.Integer("Lead Score", **OWN)
    g_assistant_score_reasons = fields.Text("Score Reasons", **OWN)
    g_assistant_score_band = fields.Selection(
        [("hot", "70 and More"), ("warm", "40 to 69"), ("cold", "Below 40")],
        string="Score Band",
        compute="_compute_g_assistant_score_band",
        store=True,
        prefetch="g_assistant",
    )
    g_assistant_chance = fields.Integer("Chance to Be Won (%)", **OWN)
    g_assistant_chance_reasons = fields.Text("Chance Reasons", **OWN)
    g_assistant_flag_ids = fields.Many2many(
        "g_assistant.flag",
        "g_assistant_lead_flag_rel",
        "lead_id",
        "flag_id",
        string="Flags",
        **OWN,
    )
    g_assistant_flag_reasons = fields.Text("Flag Reasons", **OWN)
    g_assistant_route = fields.Char("Routed By", **OWN)
    g_assistant_platform = fields.Char("Platform", **OWN)
    g_assistant_platform_lead = fields.Char("Lead ID", **OWN, index="btree_not_null")
    g_assistant_account = fields.Char("Ad Account ID", **OWN)
    g_assistant_form = fields.Char("Form ID", **OWN)
    g_assistant_form_name = fields.Char("Form", **OWN)
    g_assistant_campaign = fields.Char("Ad Campaign ID", **OWN)
    g_assistant_campaign_name = fields.Char("Ad Campaign", **OWN)
    g_assistant_adset = fields.Char("Ad Set ID", **OWN)
    g_assistant_adset_name = fields.Char("Ad Set", **OWN)
    g_assistant_ad = fields.Char("Ad ID", **OWN)
    g_assistant_ad_name = fields.Char("Ad", **OWN)
    g_assistant_page = fields.Char("Page ID", **OWN)
    g_assistant_page_name = fields.Char("Page", **OWN)
    g_assistant_click_ids = fields.Text("Click IDs", **OWN)
    g_assistant_url = fields.Char("Landing Page", **OWN)
    g_assistant_utm_content = fields.Char("UTM Content", **OWN)
    g_assistant_utm_term = fields.Char("UTM Term", **OWN)
    g_assistant_consent = fields.Text("Consent", **OWN)
    g_assistant_consent_state = fields.Selection(
        [("given", "Given"), ("partly", "Given in Part"), ("refused", "Refused")],
        string="Consent Given",
        compute="_compute_g_assistant_consent_state",
        store=True,
        prefetch="g_assistant",
    )
    g_assistant_answers = fields.Text(
        "Answers", **OWN, help="Questions and answers of the form, in its order, as JSON."
    )
    g_assistant_submitted_at = fields.Datetime("Form Sent On", **OWN)

    def _auto_init(self):
        """By SQL, what Odoo would compute lead by lead for all that there are."""
        cr = self.env.cr
        scored = column_exists(cr, self._table, "g_assistant_score_reasons")
        for name, sql in DERIVED.items():
            if not column_exists(cr, self._table, name):
                create_column(cr, self._table, name, "varchar")
                if scored:
                    self.env["g_assistant.capture"]._drop_triggers()
                    cr.execute(SQL(f"UPDATE crm_lead SET {name} = {sql} WHERE {sql} IS NOT NULL"))
        return super()._auto_init()

    @api.depends("g_assistant_score", "g_assistant_score_reasons")
    def _compute_g_assistant_score_band(self):
        for lead in self:
            score = lead.g_assistant_score
            band = "hot" if score >= HOT else "warm" if score >= WARM else "cold"
            # Without reasons the lead has no score, and its 0 says nothing.
            lead.g_assistant_score_band = band if lead.g_assistant_score_reasons else False

    @api.depends("g_assistant_consent")
    def _compute_g_assistant_consent_state(self):
        for lead in self:
            signs = tuple(sign in (lead.g_assistant_consent or "") for sign in "✓✗")
            lead.g_assistant_consent_state = CONSENT.get(signs, False)

    def _g_assistant_keep_score(self, parsed):
        """Leave out of what a delivery brings a score that is worse than the one that is
        there, unless the delivery has a new flag: most later ones only say less. The chance
        to be won goes with the score."""
        self.ensure_one()
        score = parsed.get("g_assistant_score")
        if score is None or score >= self.g_assistant_score:
            return parsed
        flags = self.env["g_assistant.flag"].browse(parsed.get("g_assistant_flag_ids") or [])
        # That the person was known already says nothing against the lead.
        new = (flags - self.g_assistant_flag_ids).filtered(lambda flag: flag.code != "DUPLICATE")
        if new:
            return parsed
        return {name: value for name, value in parsed.items() if name not in SCORE}

    def _merge_opportunity(self, *args, **kwargs):
        """What the losers were for the daemon, the winner is from now on."""
        before = self
        winner = super()._merge_opportunity(*args, **kwargs)
        losers = before - winner
        self.env["g_assistant.binding"]._follow_merge(losers, winner)
        notes = {loser.id: {"merged_into": winner.id} for loser in losers}
        self.env["g_assistant.capture"]._note(losers._name, notes)
        return winner
