from odoo import _, api, fields, models
from odoo.tools import SQL

from .g_assistant_dashboard import MOST_ROWS, Figures, any_of

# What a lead says of its campaign: the platform's own words, and the tag of a link.
SAYS = ("g_assistant_platform", "g_assistant_campaign", "g_assistant_campaign_name", "campaign_id")


class Campaign:
    """What leads and spend say of one campaign, put together."""

    def __init__(self, platform, number, name):
        self.platform = platform
        self.number = number
        self.name = name
        # The leads and the spend that it is about: one domain of several.
        self.leads = []
        self.spends = []
        self.values = None
        self.amount = 0.0

    @property
    def label(self):
        name = self.name or self.number or ""
        return f"{name} ({self.platform})" if self.platform else name

    def add(self, domain, values):
        if domain not in self.leads:
            self.leads.append(domain)
        known = self.values or [0] * len(values)
        self.values = [a + b for a, b in zip(known, values, strict=True)]


class Campaigns:
    """The campaigns that leads and spend speak of: by platform and id, else by name."""

    def __init__(self):
        self._by_id = {}
        self._by_name = {}

    def of(self, platform, number, name):
        """By the id; without one, the campaign that is called so, if only one is."""
        if number:
            found = self._by_id.setdefault((platform, number), Campaign(platform, number, name))
            found.name = found.name or name
            return found
        called = [
            one
            for one in self._by_id.values()
            if name
            and one.name
            and one.name.casefold() == name.casefold()
            and platform in (None, one.platform)
        ]
        if len(called) == 1:
            return called[0]
        key = (platform, (name or "").casefold())
        return self._by_name.setdefault(key, Campaign(platform if name else None, None, name))

    def all(self):
        return [*self._by_id.values(), *self._by_name.values()]


class Dashboard(models.AbstractModel):
    _inherit = "g_assistant.dashboard"

    @api.model
    def _campaigns(self, chosen):
        """What became of the leads of the period, by campaign, and what they cost."""
        figures = Figures(self, self._base(chosen) + self._within("create_date", chosen))
        won = self._won()
        of_them = _("Of the leads received in the period, until now.")
        figures.add("received", _("Leads"), [], note=self._note("received"))
        figures.add("qualified", _("Qualified"), self._qualified(), note=self._note("qualified"))
        figures.add("won", _("Won"), won, note=of_them)
        figures.add("revenue", _("Revenue"), won, "money", "expected_revenue", note=of_them)
        groups = figures.rows(*(SQL.identifier("crm_lead", name) for name in SAYS))
        spends = self._spends(chosen)
        found = self._put_together(groups, spends or []).all()
        for one in found:
            one.values = one.values or [0] * len(figures.columns)
        found.sort(key=lambda one: (-one.amount, -one.values[0], one.label))

        def row(label, some, leads, spent):
            values = _sums([one.values for one in some])
            answer = figures.row(label, leads, values)
            if spends is not None:
                amount = sum(one.amount for one in some)
                self._add_costs(answer["figures"], amount, self._spend_domain(chosen) + spent)
            return answer

        nowhere = _("Without a campaign")
        rows = [
            row(one.label or nowhere, [one], _any(one.leads), _any(one.spends))
            for one in found[:MOST_ROWS]
        ]
        rest = found[MOST_ROWS:]
        if rest:
            leads = [domain for one in found[:MOST_ROWS] for domain in one.leads]
            spent = [domain for one in found[:MOST_ROWS] for domain in one.spends]
            rows.append(row(_("Others"), rest, _none(leads), _none(spent)))
        total = row(_("Total"), found, [], []) if found else None
        columns = figures.columns + (self._cost_columns() if spends is not None else [])
        note = None
        if spends is None and self._may_see_spend():
            note = _("Spend is of all teams: costs are shown without a team or salesperson chosen.")
        return {"columns": columns, "rows": rows, "total": total, "note": note}

    @api.model
    def _put_together(self, groups, spends):
        campaigns = Campaigns()
        tags = self.env["utm.campaign"].sudo().browse({group[3] for group in groups if group[3]})
        tag_names = {tag.id: tag.name for tag in tags}
        for platform, number, name, amount in spends:
            one = campaigns.of(platform, number, name)
            one.amount += amount
            own = [("platform", "=", platform), ("campaign", "=", number or False)]
            one.spends.append(own if number else [*own, ("campaign_name", "=", name or False)])
        # Those with an id first: they say what a mere name stands for.
        for group in sorted(groups, key=lambda group: not group[1]):
            says, values = group[: len(SAYS)], group[len(SAYS) :]
            platform, number, name, tag = says
            one = campaigns.of(platform, number, name or tag_names.get(tag))
            leaves = [(field, "=", said or False) for field, said in zip(SAYS, says, strict=True)]
            one.add(leaves[:2] if number else leaves, values)
        return campaigns

    # ---- spend -------------------------------------------------------------------

    @api.model
    def _may_see_spend(self):
        return self.env["ir.model.access"].check("g_assistant.spend", "read", raise_exception=False)

    @api.model
    def _spend_domain(self, chosen):
        first, after = self._days(chosen)
        as_text = fields.Date.to_string
        return [("day", ">=", as_text(first)), ("day", "<", as_text(after))]

    @api.model
    def _spends(self, chosen):
        """``[(platform, campaign, name, amount)]`` of the period; nothing at all where it could
        not be compared with the leads."""
        if self._base(chosen) or not self._may_see_spend():
            return None
        column = SQL.identifier
        table = "g_assistant_spend"
        columns = [
            column(table, "platform"),
            column(table, "campaign"),
            SQL("CASE WHEN campaign IS NULL THEN campaign_name END"),
            SQL("MAX(campaign_name)"),
            SQL("SUM(amount_company * %s)", self._factor(table)),
        ]
        spend = self.env["g_assistant.spend"]
        rows = self._select(self._spend_domain(chosen), columns, 3, spend)
        return [
            (platform, number, name or some_name, float(amount))
            for platform, number, name, some_name, amount in rows
        ]

    @api.model
    def _cost_columns(self):
        model = "g_assistant.spend"
        return [
            {
                "name": "spend",
                "label": _("Spend"),
                "kind": "money",
                "field": "amount_company",
                "model": model,
                "note": _("As platforms report it, at the exchange rate of each day."),
            },
            {
                "name": "cost",
                "label": _("Cost per Lead"),
                "kind": "ratio_money",
                "note": _("Spend divided by the leads received."),
            },
            {
                "name": "return",
                "label": _("Return"),
                "kind": "times",
                "note": _("Revenue divided by spend."),
            },
        ]

    @api.model
    def _add_costs(self, figures, amount, domain):
        leads, revenue = figures["received"], figures["revenue"]
        figures["spend"] = {"value": amount, "domain": domain, "model": "g_assistant.spend"}
        if amount:
            if leads["value"]:
                figures["cost"] = {**leads, "value": amount / leads["value"]}
            figures["return"] = {**revenue, "value": revenue["value"] / amount}


def _sums(rows):
    return [sum(values) for values in zip(*rows, strict=True)]


def _any(domains):
    return any_of(domains) if domains else [("id", "=", False)]


def _none(domains):
    """What is in none of these domains."""
    return ["!", *_any(domains)] if domains else []
