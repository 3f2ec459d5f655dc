from collections import defaultdict
from datetime import date, datetime, time, timedelta

import pytz

from odoo import _, api, fields, models
from odoo.tools import SQL, date_utils

# The longest list of a block; what is beyond is one row.
MOST_ROWS = 50
EARLIEST = date(2000, 1, 1)
OPEN = [("type", "=", "opportunity"), ("active", "=", True), ("probability", "<", 100)]
LOST = [("active", "=", False), ("probability", "=", 0)]


class Figure:
    """A number of records, or the sum (`money`) or the median (`minutes`) of a field of them."""

    def __init__(self, name, domain, kind, field, apart, hidden):
        self.name = name
        self.domain = domain
        self.kind = kind
        self.field = field
        self.apart = apart
        self.hidden = hidden

    @property
    def nothing(self):
        return None if self.kind == "minutes" else 0

    def value(self, factor):
        column = SQL.identifier("crm_lead", self.field or "id")
        if self.kind == "money":
            return SQL("SUM(%s * %s)", column, factor)
        if self.kind == "minutes":
            return SQL("percentile_cont(0.5) WITHIN GROUP (ORDER BY %s::float8)", column)
        return SQL("COUNT(*)")


class Figures:
    """Figures of leads, each defined once: by the domain of the records that it is about.

    The same domain is the condition in SQL and what a click opens, so they cannot differ.
    """

    def __init__(self, dashboard, base):
        self.dashboard = dashboard
        self.base = base
        self.columns = []
        self._figures = []

    def add(
        self, name, label, domain, kind="count", field=None, note="", apart=False, hidden=False
    ):
        """One more. ``apart``: with a query of its own, because the condition looks into another
        table or the value needs an order. ``hidden``: not one of the columns."""
        self._figures.append(Figure(name, domain, kind, field, apart, hidden))
        if not hidden:
            self.columns.append(
                {"name": name, "label": label, "kind": kind, "field": field, "note": note}
            )

    def rows(self, *by):
        """``[(group…, figure…)]``: in one query, but for what is apart."""
        found = defaultdict(lambda: [figure.nothing for figure in self._figures])
        together = [figure for figure in self._figures if not figure.apart]
        factor = self.dashboard._factor()
        values = [
            SQL(
                "%s FILTER (WHERE %s)",
                figure.value(factor),
                self.dashboard._condition(figure.domain),
            )
            for figure in together
        ]
        # Only what any of them is about: with an index on dates, that is not the whole table.
        self._fill(found, together, any_of([one.domain for one in together]), by, values)
        for figure in self._figures:
            if figure.apart:
                self._fill(found, [figure], figure.domain, by, [figure.value(factor)])
        return [(*group, *values) for group, values in found.items()]

    def _fill(self, found, figures, domain, by, values):
        places = [self._figures.index(figure) for figure in figures]
        for row in self.dashboard._select(self.base + domain, [*by, *values], len(by)):
            values_of = found[row[: len(by)]]
            for place, value in zip(places, row[len(by) :], strict=True):
                if value is not None:
                    values_of[place] = value

    def overall(self, name):
        """One figure of all records."""
        [figure] = [one for one in self._figures if one.name == name]
        value = figure.value(self.dashboard._factor())
        [[found]] = self.dashboard._select(self.base + figure.domain, [value], 0)
        return found

    def row(self, label, domain, values, hidden=False):
        """A row of a block: each value with the domain of its records."""
        figures = {
            figure.name: {"value": value, "domain": self.base + domain + figure.domain}
            for figure, value in zip(self._figures, values, strict=True)
            if hidden or not figure.hidden
        }
        return {"label": label, "figures": figures}


def any_of(domains):
    """What is in one of these domains, each of several conditions."""
    if not all(domains):
        return []
    either = ["|"] * (len(domains) - 1)
    for domain in domains:
        either += ["&"] * (len(domain) - 1) + domain
    return either


def _sums(rows, groups):
    """Of each column after those that the rows are grouped by."""
    columns = list(zip(*rows, strict=True))[groups:]
    # A median has no sum.
    return [None if None in values else sum(values) for values in columns]


def _where(query):
    return query.where_clause if query.where_clause.code else SQL("TRUE")


class Dashboard(models.AbstractModel):
    """The figures of the dashboard, as whoever asks may see the leads behind them."""

    _name = "g_assistant.dashboard"
    _description = "G-Assistant dashboard"

    # ---- what can be chosen ------------------------------------------------------

    @api.model
    def options(self):
        user = self.env.user
        everything = user.has_group("sales_team.group_sale_salesman_all_leads")
        teams = self.env["crm.team"].search_read([], ["name"], limit=200)
        return {
            "periods": self._periods(),
            "teams": [[team["id"], team["name"]] for team in teams],
            "users": self._salespeople() if everything else [],
            "currency_id": self.env.company.currency_id.id,
            "manager": user.has_group("sales_team.group_sale_manager"),
            "zone": self.env["crm.lead"]._g_assistant_zone(),
            "notes": self._notes(),
        }

    @api.model
    def _periods(self):
        return [
            ["today", _("Today")],
            ["last_7", _("Last 7 Days")],
            ["last_30", _("Last 30 Days")],
            ["last_90", _("Last 90 Days")],
            ["month", _("This Month")],
            ["last_month", _("Last Month")],
            ["quarter", _("This Quarter")],
            ["year", _("This Year")],
            ["last_365", _("Last 365 Days")],
            ["custom", _("From … to …")],
        ]

    @api.model
    def _salespeople(self):
        group = self.env.ref("sales_team.group_sale_salesman")
        users = group.all_user_ids if "all_user_ids" in group._fields else group.users
        ours = users.sudo().filtered(
            lambda one: one.active and one.company_ids & self.env.companies
        )
        return sorted(([one.id, one.name] for one in ours), key=lambda pair: pair[1])

    @api.model
    def _notes(self):
        """What holds for all figures."""
        notes = []
        currencies = self.env.companies.currency_id
        if len(currencies) > 1:
            notes.append(
                _(
                    "Amounts of companies with another currency are converted to %(currency)s"
                    " at today's rate.",
                    currency=self.env.company.currency_id.name,
                )
            )
        return notes

    # ---- what was chosen ---------------------------------------------------------

    @api.model
    def _today(self):
        return fields.Date.context_today(self)

    @api.model
    def _days(self, chosen):
        """The first day of the period, and the day after its last."""
        today = self._today()
        tomorrow = today + timedelta(days=1)
        period = chosen.get("period") or "last_30"
        if period == "custom":
            first = fields.Date.to_date(chosen.get("first") or None) or today
            last = fields.Date.to_date(chosen.get("last") or None) or today
            # A year that is still being typed is one of the first century.
            latest = today + timedelta(days=366)
            first, last = sorted(min(max(day, EARLIEST), latest) for day in (first, last))
            return first, last + timedelta(days=1)
        if period.startswith("last_") and period != "last_month":
            return tomorrow - timedelta(days=int(period[5:])), tomorrow
        if period == "last_month":
            this = date_utils.start_of(today, "month")
            return date_utils.start_of(this - timedelta(days=1), "month"), this
        if period in ("month", "quarter", "year"):
            return date_utils.start_of(today, period), tomorrow
        return today, tomorrow

    @api.model
    def _moments(self, days, hours=(0,)):
        """The beginnings of these hours of the user's days, in UTC."""
        zone = pytz.timezone(self.env["crm.lead"]._g_assistant_zone())
        local = [datetime.combine(day, time()) + timedelta(hours=n) for day in days for n in hours]
        return [zone.localize(at).astimezone(pytz.utc).replace(tzinfo=None) for at in local]

    @api.model
    def _within(self, field, chosen):
        return self._between(field, *self._moments(self._days(chosen)))

    @api.model
    def _between(self, field, start, end):
        as_text = fields.Datetime.to_string
        return [(field, ">=", as_text(start)), (field, "<", as_text(end))]

    @api.model
    def _base(self, chosen):
        """The team and the salesperson that were chosen."""
        names = ("team_id", "user_id")
        return [(name, "=", int(chosen[name])) for name in names if chosen.get(name)]

    # ---- the words of the figures --------------------------------------------------

    @api.model
    def _won(self):
        stages = self.env["crm.stage"].sudo().search([("is_won", "=", True)])
        return [
            ("active", "=", True),
            ("stage_id", "in", stages.ids),
            ("probability", ">=", 100),
        ]

    @api.model
    def _qualified(self):
        """Opportunities beyond the first stage of the pipeline, lost ones too."""
        first = self.env["crm.stage"].sudo().search([], order="sequence, id", limit=1)
        return [
            ("type", "=", "opportunity"),
            ("stage_id", "!=", False),
            ("stage_id", "not in", first.ids),
        ]

    # ---- SQL -----------------------------------------------------------------------

    @api.model
    def _leads(self):
        return self.env["crm.lead"].with_context(active_test=False)

    @api.model
    def _condition(self, domain):
        """A domain on columns of leads as a condition in SQL."""
        return _where(self._leads().sudo()._search(domain))

    @api.model
    def _rates(self):
        """``{company: rate}`` to the currency of the user's company, where it is another one."""
        own, today = self.env.company, self._today()
        return {
            other.id: other.currency_id._convert(1.0, own.currency_id, own, today, round=False)
            for other in self.env.companies
            if other.currency_id != own.currency_id
        }

    @api.model
    def _factor(self, table="crm_lead"):
        """What an amount is multiplied with to be in the currency of the user's company."""
        cases = [SQL("WHEN %s THEN %s", *pair) for pair in self._rates().items()]
        if not cases:
            return SQL("1")
        company = SQL.identifier(table, "company_id")
        return SQL("CASE %s %s ELSE 1 END", company, SQL(" ").join(cases))

    @api.model
    def _select(self, domain, columns, groups, records=None):
        """The rows of a query over the leads (or other records) that the user may see, by its
        first columns."""
        self.env.flush_all()
        query = (self._leads() if records is None else records)._search(domain)
        by = [SQL(str(at + 1)) for at in range(groups)]
        self.env.cr.execute(
            SQL(
                "SELECT %s FROM %s WHERE %s %s",
                SQL(", ").join(columns),
                query.from_clause,
                _where(query),
                SQL("GROUP BY %s", SQL(", ").join(by)) if by else SQL(),
            )
        )
        return self.env.cr.fetchall()

    # ---- blocks --------------------------------------------------------------------

    @api.model
    def block(self, name, chosen):
        """One part of the dashboard; ``chosen`` has period, first, last, team_id, user_id."""
        blocks = {
            "overview": self._overview,
            "pipeline": self._pipeline,
            "campaigns": self._campaigns,
            "flow": self._flow,
            "week": self._week,
            "response": self._response,
            "team": self._team,
            "quality": self._quality,
        }
        return blocks[name](chosen)

    @api.model
    def _overview(self, chosen):
        figures = Figures(self, self._base(chosen))
        received = self._within("create_date", chosen)
        won = self._won() + self._within("date_closed", chosen)
        figures.add("received", _("Leads Received"), received, note=self._note("received"))
        figures.add(
            "qualified",
            _("Qualified"),
            received + self._qualified(),
            note=self._note("qualified"),
        )
        figures.add("won", _("Won"), won, note=self._note("won"))
        figures.add("revenue", _("Revenue Won"), won, "money", "expected_revenue")
        figures.add(
            "lost", _("Lost"), LOST + self._within("date_closed", chosen), note=self._note("lost")
        )
        figures.add("open", _("Open Pipeline"), OPEN, note=self._note("open"))
        figures.add("expected", _("Expected Revenue"), OPEN, "money", "expected_revenue")
        [values] = figures.rows()
        return {"columns": figures.columns, "rows": [figures.row("", [], values)]}

    @api.model
    def _note(self, name):
        return {
            "received": _("Created in the period, lost and archived ones too."),
            "qualified": _("Of the leads received: opportunities beyond the first stage."),
            "won": _("Closed as won in the period, whenever they were created."),
            "lost": _("Closed as lost in the period, whenever they were created."),
            "open": _("Now, whatever the period: neither won nor lost nor archived."),
            "median": _(
                "Half of the answered leads were answered sooner. Leads that people entered"
                " themselves are not counted."
            ),
            "waiting": _("Nobody has done anything about them, and they are still open."),
            "weighted": _("Expected revenue multiplied with the probability."),
        }[name]

    @api.model
    def _by_link(self, figures, field, without):
        """The rows of a block by the records that a field points to, the largest first."""
        rows = figures.rows(SQL.identifier("crm_lead", field))
        total = figures.row(_("Total"), [], _sums(rows, 1), hidden=True) if rows else None
        rows.sort(key=lambda row: (-row[1], row[0] or 0))
        records = self.env[self._leads()._fields[field].comodel_name].sudo()
        shown = [row for row in rows if any(row[1:])]
        shown, rest = shown[:MOST_ROWS], shown[MOST_ROWS:]
        found = records.with_context(active_test=False).browse([row[0] for row in shown if row[0]])
        names = {record.id: record.display_name for record in found}
        answer = [
            figures.row(names.get(row[0], without), [(field, "=", row[0] or False)], row[1:])
            for row in shown
        ]
        if rest:
            domain = [(field, "in", [row[0] for row in rest])]
            if any(row[0] is None for row in rest):
                domain = ["|", (field, "=", False), *domain]
            answer.append(figures.row(_("Others"), domain, _sums(rest, 1)))
        return {"columns": figures.columns, "rows": answer, "total": total}

    @api.model
    def _pipeline(self, chosen):
        figures = Figures(self, self._base(chosen))
        won = self._won() + self._within("date_closed", chosen)
        figures.add("expected", _("Expected Revenue"), OPEN, "money", "expected_revenue")
        figures.add("open", _("Open Opportunities"), OPEN, note=self._note("open"))
        figures.add(
            "weighted",
            _("Weighted"),
            OPEN,
            "money",
            "prorated_revenue",
            note=self._note("weighted"),
        )
        figures.add("won", _("Won"), won, note=self._note("won"))
        figures.add("revenue", _("Revenue Won"), won, "money", "expected_revenue")
        block = self._by_link(figures, "source_id", _("Without a source"))
        return {**block, "chart": "expected"}

    @api.model
    def _team(self, chosen):
        figures = Figures(self, self._base(chosen))
        today = fields.Date.to_string(self._today())
        figures.add("open", _("Open Opportunities"), OPEN, note=self._note("open"))
        figures.add("expected", _("Expected Revenue"), OPEN, "money", "expected_revenue")
        figures.add(
            "overdue",
            _("With Overdue Activity"),
            OPEN + [("activity_ids.date_deadline", "<", today)],
            apart=True,
        )
        figures.add(
            "idle",
            _("Without Next Activity"),
            OPEN + [("activity_ids", "=", False)],
            apart=True,
        )
        received = self._within("create_date", chosen)
        figures.add("received", _("Leads Received"), received, note=self._note("received"))
        won = self._won() + self._within("date_closed", chosen)
        figures.add("won", _("Won"), won, note=self._note("won"))
        block = self._by_link(figures, "user_id", _("Without a salesperson"))
        return {**block, "chart": "open"}

    # ---- when leads come -----------------------------------------------------------

    @api.model
    def _flow(self, chosen):
        """Leads received per hour, day, week or month, by the length of the period."""
        edges, labels, unit = self._buckets(chosen)
        starts = [fields.Datetime.to_string(edge) for edge in edges]
        base = self._base(chosen)
        at = SQL("width_bucket(crm_lead.create_date, %s::timestamp[])", starts)
        columns = [at, SQL("COUNT(*)")]
        counts = dict(self._select(base + self._within("create_date", chosen), columns, 1))
        points = []
        for number, label in enumerate(labels, 1):
            domain = base + self._between("create_date", edges[number - 1], edges[number])
            points.append({"label": label, "value": counts.get(number, 0), "domain": domain})
        return {"unit": unit, "points": points}

    @api.model
    def _buckets(self, chosen):
        first, after = self._days(chosen)
        days = (after - first).days
        if days <= 2:
            edges = self._moments([first], range(24 * days + 1))
            labels = [f"{hour % 24:02}:00" for hour in range(24 * days)]
            return edges, labels, "hour"
        weekday = self._first_weekday()
        cuts = {first, after}
        unit = "day" if days <= 92 else "week" if days <= 731 else "month"
        day = first
        while day < after:
            if (
                unit == "day"
                or (unit == "week" and day.isoweekday() == weekday)
                or (unit == "month" and day.day == 1)
            ):
                cuts.add(day)
            day += timedelta(days=1)
        cuts = sorted(cuts)
        return self._moments(cuts), [str(cut) for cut in cuts[:-1]], unit

    @api.model
    def _first_weekday(self):
        """The day on which the week begins, by the user's language: 1 is Monday."""
        code = self.env.context.get("lang") or self.env.user.lang
        language = self.env["res.lang"].sudo().search([("code", "=", code)], limit=1)
        return int(language.week_start or 1)

    @api.model
    def _week(self, chosen):
        """Leads received by weekday and hour."""
        leads = self.env["crm.lead"]
        base = self._base(chosen) + self._within("create_date", chosen)
        parts = [leads._g_assistant_created(part) for part in ("isodow", "hour")]
        found = self._select(base, [*parts, SQL("COUNT(*)")], 2)
        counts = {(day, hour): count for day, hour, count in found}
        names = dict(leads._fields["g_assistant_weekday"]._description_selection(self.env))
        first = self._first_weekday()
        days = [(first - 1 + step) % 7 + 1 for step in range(7)]
        rows = [
            {
                "label": names[str(day)],
                "cells": [
                    {
                        "value": counts.get((day, hour), 0),
                        "domain": base
                        + [("g_assistant_weekday", "=", str(day)), ("g_assistant_hour", "=", hour)],
                    }
                    for hour in range(24)
                ],
            }
            for day in days
        ]
        return {"rows": rows, "most": max(counts.values(), default=0)}

    # ---- how quickly people answer ---------------------------------------------------

    @api.model
    def _response(self, chosen):
        """Of the leads received: when a person first did something about them."""
        figures = Figures(self, self._base(chosen) + self._within("create_date", chosen))
        minutes = "g_assistant_response_minutes"
        # None at all, of leads that people entered themselves, is as good as 0.
        answered = [(minutes, ">", 0)]
        waiting = [
            ("g_assistant_first_action_at", "=", False),
            ("active", "=", True),
            ("probability", "<", 100),
        ]
        figures.add("received", _("Leads Received"), [], note=self._note("received"))
        figures.add("answered", _("Answered"), answered)
        figures.add(
            "median",
            _("Median Response"),
            answered,
            "minutes",
            minutes,
            note=self._note("median"),
            apart=True,
        )
        figures.add("quick", _("Within 5 Minutes"), answered + [(minutes, "<=", 5)])
        figures.add("waiting", _("Still Waiting"), waiting, note=self._note("waiting"))
        spread, over = [], 0
        for limit, label in (
            (5, _("Up to 5 minutes")),
            (15, _("5 to 15 minutes")),
            (60, _("15 to 60 minutes")),
            (240, _("1 to 4 hours")),
            (1440, _("4 to 24 hours")),
        ):
            within = [(minutes, ">", over), (minutes, "<=", limit)]
            figures.add(f"to_{limit}", label, within, hidden=True)
            spread.append((f"to_{limit}", label))
            over = limit
        later = [(minutes, ">", over)]
        figures.add("later", _("More than a day"), later, hidden=True)
        spread.append(("later", _("More than a day")))
        spread.append(("waiting", _("Still Waiting")))
        block = self._by_link(figures, "user_id", _("Without a salesperson"))
        if not block["total"]:
            return {**block, "points": []}
        total = block["total"]["figures"]
        points = [{"label": label, **total[name]} for name, label in spread]
        # A median is no sum.
        total["median"]["value"] = figures.overall("median")
        return {**block, "points": points}

    # ---- how good the data is --------------------------------------------------------

    @api.model
    def _quality(self, chosen):
        base = self._base(chosen) + self._within("create_date", chosen)
        figures = Figures(self, base)
        leads = self.env["crm.lead"]

        def without(*names):
            # `mobile` is gone in 19.
            return [(name, "=", False) for name in names if name in leads._fields]

        figures.add("received", _("Leads Received"), [])
        figures.add("phone", _("No phone number"), without("phone", "mobile"))
        figures.add("email", _("No e-mail address"), without("email_from"))
        figures.add(
            "neither", _("Neither phone nor e-mail"), without("phone", "mobile", "email_from")
        )
        figures.add("source", _("No source"), without("source_id"))
        figures.add("user", _("No salesperson"), without("user_id"))
        figures.add("country", _("No country"), without("country_id"))
        [values] = figures.rows()
        row = figures.row("", [], values)["figures"]
        items = [
            {"label": column["label"], **row[column["name"]]} for column in figures.columns[1:]
        ]
        return {"received": row["received"], "items": items + self._flagged(base)}

    @api.model
    def _flagged(self, base):
        """Per flag, how many leads have it."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "SELECT flag_id, COUNT(*) FROM g_assistant_lead_flag_rel"
                " WHERE lead_id IN %s GROUP BY flag_id",
                self._leads()._search(base).subselect(),
            )
        )
        counts = dict(self.env.cr.fetchall())
        return [
            {
                "label": flag.name,
                "flag": True,
                "value": counts.get(flag.id, 0),
                "domain": base + [("g_assistant_flag_ids", "=", flag.id)],
            }
            for flag in self.env["g_assistant.flag"].search([])
        ]
