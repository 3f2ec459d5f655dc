import json
from collections import defaultdict

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

TEXTS = ("platform", "account", "campaign", "campaign_name", "adset", "adset_name", "ad", "ad_name")
# What a row is recognised by, besides its company.
KEY = ("day", "platform", "account", "campaign", "adset", "ad")
NUMBERS = ("amount", "impressions", "clicks")


class Loaded:
    """What an import has taken of its file so far: Odoo hands it over in parts."""

    def __init__(self):
        self.keys = set()


class Spend(models.Model):
    """What a campaign cost on one day: by campaign, ad set or ad, as its platform reports it."""

    _name = "g_assistant.spend"
    _description = "Advertising spend"
    _order = "day desc, platform, campaign_name, id"
    _rec_name = "campaign_name"

    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    day = fields.Date(required=True, index=True, default=fields.Date.context_today)
    platform = fields.Char(required=True, help="As leads have it: meta, google, tiktok …")
    account = fields.Char(string="Ad Account ID")
    campaign = fields.Char(string="Ad Campaign ID")
    campaign_name = fields.Char(string="Ad Campaign")
    adset = fields.Char(string="Ad Set ID")
    adset_name = fields.Char(string="Ad Set")
    ad = fields.Char(string="Ad ID")
    ad_name = fields.Char()
    currency_id = fields.Many2one(
        "res.currency", required=True, default=lambda self: self.env.company.currency_id
    )
    amount = fields.Monetary(required=True)
    impressions = fields.Integer()
    clicks = fields.Integer()
    company_currency_id = fields.Many2one(
        related="company_id.currency_id", string="Company Currency"
    )
    amount_company = fields.Monetary(
        string="Amount in Company Currency",
        currency_field="company_currency_id",
        compute="_compute_amount_company",
        store=True,
        help="At the rate of the day.",
    )
    without_rate = fields.Boolean(
        string="Without Exchange Rate",
        compute="_compute_amount_company",
        store=True,
        help="No rate between its currency and the company's is known: it counts as nothing.",
    )
    key = fields.Char(compute="_compute_key", store=True)

    if hasattr(models, "Constraint"):
        _key_unique = models.Constraint(
            "unique(company_id, key)",
            "There is spend of this day, campaign, ad set and ad already.",
        )
    else:
        _sql_constraints = [
            (
                "key_unique",
                "unique(company_id, key)",
                "There is spend of this day, campaign, ad set and ad already.",
            )
        ]

    @api.depends(*KEY, "campaign_name")
    def _compute_key(self):
        for spend in self:
            spend.key = _key(spend)

    @api.depends("amount", "currency_id", "company_id", "day")
    def _compute_amount_company(self):
        groups = defaultdict(self.browse)
        for spend in self:
            groups[spend.currency_id, spend.company_id, spend.day] |= spend
        for (currency, company, day), spends in groups.items():
            rate = self._rate(currency, company, day)
            spends.without_rate = rate is None
            for spend in spends:
                spend.amount_company = spend.amount * (rate or 0.0)

    @api.model
    def _rate(self, currency, company, day):
        """From the currency to the company's; none where Odoo knows of neither."""
        own = company.currency_id
        if not currency or currency == own:
            return 1.0
        if not (currency | own).sudo().rate_ids:
            return None
        return currency._convert(1.0, own, company, day or fields.Date.today(), round=False)

    # ---- rows from outside -----------------------------------------------------

    @api.model
    def get_import_templates(self):
        return [
            {
                "label": _("Import Template for Advertising Spend"),
                "template": "/g_assistant_connector/static/csv/spend.csv",
            }
        ]

    @api.model
    def load(self, fields, data):
        return super(Spend, self.with_context(g_assistant_loaded=Loaded())).load(fields, data)

    def _load_records_create(self, vals_list):
        """A file that is imported again, or the next one with some of its days, corrects what is
        there; but no row of a file corrects another one of it."""
        default = self.default_get(["company_id", "currency_id", "day"])
        rows = [{**default, **values} for values in vals_list]
        loaded = self.env.context.get("g_assistant_loaded") or Loaded()
        if not loaded.keys.isdisjoint(map(_key, rows)):
            raise ValidationError(self._same_rows())
        records, _new = self._upsert(rows)
        loaded.keys.update(map(_key, rows))
        return records

    @api.model
    def _same_rows(self):
        return _("Several rows have the same day, campaign, ad set and ad.")

    @api.model
    def _upsert(self, rows):
        """The records of these values, in their order: made, or brought to them; and those made."""
        keys = [(row["company_id"], _key(row)) for row in rows]
        if len(set(keys)) < len(keys):
            raise ValidationError(self._same_rows())
        companies = {company for company, _text in keys}
        texts = [text for _company, text in keys]
        there = self.search([("company_id", "in", list(companies)), ("key", "in", texts)])
        known = {(spend.company_id.id, spend.key): spend for spend in there}
        new = [row for key, row in zip(keys, rows, strict=True) if key not in known]
        for key, row in zip(keys, rows, strict=True):
            if key in known:
                known[key]._bring_to(row)
        created = self.create(new)
        rest = iter(created)
        return self.browse([(known.get(key) or next(rest)).id for key in keys]), created

    def _bring_to(self, row):
        def cached(name, value):
            return self._fields[name].convert_to_cache(value, self)

        self.ensure_one()
        changed = {
            name: value
            for name, value in row.items()
            if cached(name, value) != cached(name, self[name])
        }
        if changed:
            self.write(changed)

    @api.model
    def _told(self, rows):
        """Keep what the daemon read of a platform; what became of each row, in order."""
        named = [row.get("currency") for row in rows if isinstance(row, dict)]
        currencies = (
            self.env["res.currency"]
            .with_context(active_test=False)
            .search([("name", "in", [name for name in named if isinstance(name, str)])])
        )
        currency_ids = {currency.name: currency.id for currency in currencies}
        taken, results = {}, [{"status": "taken"} for _row in rows]
        for at, row in enumerate(rows):
            try:
                values = _parsed(row, currency_ids)
                if taken.setdefault(_key(values), at) != at:
                    raise ValueError("an earlier row has the same day, campaign, ad set and ad")
            except ValueError as error:
                results[at] = {"status": "refused", "error": str(error)}
            else:
                rows[at] = {**values, "company_id": self.env.company.id}
        good = [at for at, result in enumerate(results) if result["status"] == "taken"]
        spends, new = self._upsert([rows[at] for at in good])
        for at, spend in zip(good, spends, strict=True):
            results[at] = {"status": "created" if spend in new else "known", "id": spend.id}
        return results

    @api.model
    def _convert_again(self, currencies, since):
        """A rate of these currencies has changed: from that day on."""
        spends = self.sudo().search(
            [
                ("day", ">=", since),
                "|",
                ("currency_id", "in", currencies.ids),
                ("company_id.currency_id", "in", currencies.ids),
            ]
        )
        for name in ("amount_company", "without_rate"):
            self.env.add_to_compute(self._fields[name], spends)


class CurrencyRate(models.Model):
    _inherit = "res.currency.rate"

    @api.model_create_multi
    def create(self, vals_list):
        rates = super().create(vals_list)
        rates._g_assistant_changed()
        return rates

    def write(self, vals):
        self._g_assistant_changed()
        result = super().write(vals)
        self._g_assistant_changed()
        return result

    def unlink(self):
        currencies, since = self.currency_id, min(self.mapped("name"), default=None)
        result = super().unlink()
        if since:
            self.env["g_assistant.spend"]._convert_again(currencies, since)
        return result

    def _g_assistant_changed(self):
        if self:
            self.env["g_assistant.spend"]._convert_again(self.currency_id, min(self.mapped("name")))


def _key(values):
    """Text by which a row is recognised; of a campaign without an id, by its name."""
    parts = [str(values[name] or "") if name in values else "" for name in KEY]
    if not parts[3]:
        parts.append(str(values["campaign_name"] or "") if "campaign_name" in values else "")
    return json.dumps(parts, ensure_ascii=False)


def _parsed(row, currency_ids):
    """A row of the bridge as values of a record."""
    if not isinstance(row, dict):
        raise ValueError("a row is an object")
    values = {name: row.get(name) or False for name in TEXTS}
    for name, value in values.items():
        if value and not isinstance(value, str):
            raise ValueError(f"{name!r} is a text")
    if not values["platform"]:
        raise ValueError("a row has a 'platform'")
    try:
        values["day"] = fields.Date.to_date(row.get("day"))
    except (TypeError, ValueError):
        values["day"] = None
    if not values["day"]:
        raise ValueError("'day' is a date such as 2026-11-21")
    values["currency_id"] = currency_ids.get(row.get("currency"))
    if not values["currency_id"]:
        raise ValueError(f"Odoo knows no currency {row.get('currency')!r}")
    for name in NUMBERS:
        value = row.get(name) or 0
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{name!r} is a number from 0 up")
        values[name] = value if name == "amount" else min(int(value), 2**31 - 1)
    return values
