from odoo import fields, models


class CampaignReport(models.Model):
    """Leads and spend side by side, to be grouped, filtered and exported: a row of each lead,
    and one of each row of spend."""

    _name = "g_assistant.campaign.report"
    _description = "Campaign analysis"
    _auto = False
    _order = "date desc, id"
    _rec_name = "campaign_name"
    _depends = {
        "crm.lead": [
            "active",
            "campaign_id",
            "company_id",
            "create_date",
            "expected_revenue",
            "probability",
            "source_id",
            "stage_id",
            "team_id",
            "type",
            "user_id",
            "g_assistant_campaign",
            "g_assistant_campaign_name",
            "g_assistant_platform",
        ],
        "crm.stage": ["is_won", "sequence"],
        "g_assistant.spend": [
            "amount_company",
            "campaign",
            "campaign_name",
            "clicks",
            "company_id",
            "day",
            "impressions",
            "platform",
        ],
        "utm.campaign": ["name"],
    }

    date = fields.Datetime(
        readonly=True, help="When the lead was created, or the day of the spend."
    )
    platform = fields.Char(readonly=True)
    campaign = fields.Char(string="Ad Campaign ID", readonly=True)
    campaign_name = fields.Char(string="Campaign", readonly=True)
    source_id = fields.Many2one("utm.source", readonly=True)
    team_id = fields.Many2one("crm.team", string="Sales Team", readonly=True)
    user_id = fields.Many2one("res.users", string="Salesperson", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    leads = fields.Integer(readonly=True)
    qualified = fields.Integer(
        readonly=True, help="Opportunities beyond the first stage, lost ones too."
    )
    won = fields.Integer(readonly=True)
    lost = fields.Integer(readonly=True)
    revenue = fields.Monetary(readonly=True, help="Expected revenue of what was won.")
    spend = fields.Monetary(readonly=True)
    impressions = fields.Integer(readonly=True)
    clicks = fields.Integer(readonly=True)

    @property
    def _table_query(self):
        # Amounts are converted as in the dashboard.
        own = self.env.company
        factor = self.env["g_assistant.dashboard"]._rates()
        case = " ".join(
            f"WHEN {int(company)} THEN {float(rate)!r}" for company, rate in factor.items()
        )

        def converted(amount, company):
            return f"{amount} * CASE {company} {case} ELSE 1 END" if case else amount

        won = "l.active AND stage.is_won AND l.probability >= 100"
        return f"""
            SELECT l.id::bigint * 2 AS id,
                   l.create_date AS date,
                   l.g_assistant_platform AS platform,
                   l.g_assistant_campaign AS campaign,
                   COALESCE(names.name, l.g_assistant_campaign_name, tag.name,
                            l.g_assistant_campaign) AS campaign_name,
                   l.source_id, l.team_id, l.user_id, l.company_id,
                   {own.currency_id.id} AS currency_id,
                   1 AS leads,
                   COALESCE(l.type = 'opportunity' AND l.stage_id <> first.id, FALSE)::int
                       AS qualified,
                   COALESCE({won}, FALSE)::int AS won,
                   (NOT l.active AND COALESCE(l.probability, 0) = 0)::int AS lost,
                   CASE WHEN {won} THEN {converted("l.expected_revenue", "l.company_id")} END
                       AS revenue,
                   0.0 AS spend, 0 AS impressions, 0 AS clicks
              FROM crm_lead l
              LEFT JOIN crm_stage stage ON stage.id = l.stage_id
              LEFT JOIN utm_campaign tag ON tag.id = l.campaign_id
              LEFT JOIN (SELECT platform, campaign, MAX(campaign_name) AS name
                           FROM g_assistant_spend WHERE campaign IS NOT NULL
                          GROUP BY platform, campaign) names
                ON names.platform = l.g_assistant_platform
               AND names.campaign = l.g_assistant_campaign
             CROSS JOIN (SELECT id FROM crm_stage ORDER BY sequence, id LIMIT 1) first
             UNION ALL
            SELECT s.id::bigint * 2 + 1, s.day + interval '12 hours', s.platform, s.campaign,
                   COALESCE(s.campaign_name, s.campaign),
                   NULL, NULL, NULL, s.company_id, {own.currency_id.id},
                   0, 0, 0, 0, 0.0,
                   {converted("s.amount_company", "s.company_id")}, s.impressions, s.clicks
              FROM g_assistant_spend s
        """
