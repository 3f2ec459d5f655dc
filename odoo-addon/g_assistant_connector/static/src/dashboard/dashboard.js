/** @odoo-module **/

import { Component, onWillStart, useState } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { formatFloat, formatInteger, formatMonetary } from "@web/views/fields/formatters";

import { BarChart } from "./chart";

const { DateTime } = luxon;

// What was chosen is still chosen when one comes back from a list.
const REMEMBERED = "g_assistant.dashboard";
const SHOWN = ["pipeline", "campaigns", "flow", "week", "quality", "response", "team"];
const SHORT = 8;
const CHART_ROWS = 10;
const ANALYSES = {
    campaigns: "g_assistant_connector.g_assistant_campaign_report_action",
    spend: "g_assistant_connector.g_assistant_spend_action",
};

/** The figures of a block, a row per source, campaign or person. */
class FigureTable extends Component {
    static template = "g_assistant_connector.FigureTable";
    static props = { block: Object, first: String, format: Function, onOpen: Function };

    setup() {
        this.state = useState({ all: false });
    }

    get rows() {
        const { rows } = this.props.block;
        return this.state.all ? rows : rows.slice(0, SHORT);
    }

    get hidden() {
        return this.props.block.rows.length - this.rows.length;
    }

    get more() {
        return _t("Show %s more", this.hidden);
    }
}

/** Everything that is shown is a number of records, and a click opens exactly these. */
export class Dashboard extends Component {
    static template = "g_assistant_connector.Dashboard";
    static components = { Layout, BarChart, FigureTable };
    static props = ["*"];

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.display = { controlPanel: {} };
        this.titles = {
            pipeline: _t("Pipeline by Source"),
            campaigns: _t("Campaign Performance"),
            flow: _t("Leads Received"),
            week: _t("When Leads Come"),
            response: _t("Response Time"),
            team: _t("Team Load"),
            quality: _t("Data Quality"),
        };
        this.firsts = {
            pipeline: _t("Source"),
            campaigns: _t("Campaign"),
            response: _t("Salesperson"),
            team: _t("Salesperson"),
        };
        this.shown = SHOWN;
        this.hours = [...Array(24).keys()];
        this.state = useState({ options: null, chosen: this.remembered(), blocks: {} });
        this.asked = 0;
        onWillStart(async () => {
            this.state.options = await this.orm.call("g_assistant.dashboard", "options", []);
            this.forgetWhatIsGone();
            // Not waited for: each block appears when it is there.
            this.load();
        });
        this.format = this.format.bind(this);
        this.count = (value) => formatInteger(value);
    }

    // ---- what is chosen ----------------------------------------------------------

    remembered() {
        const nothing = { period: "last_30", first: "", last: "", team_id: 0, user_id: 0 };
        try {
            return { ...nothing, ...JSON.parse(browser.localStorage.getItem(REMEMBERED)) };
        } catch {
            return nothing;
        }
    }

    forgetWhatIsGone() {
        const { chosen, options } = this.state;
        for (const [name, list] of [
            ["team_id", options.teams],
            ["user_id", options.users],
        ]) {
            if (!list.some(([id]) => id === chosen[name])) {
                chosen[name] = 0;
            }
        }
    }

    choose(name, value) {
        const { chosen } = this.state;
        chosen[name] = name.endsWith("_id") ? Number(value) : value;
        if (chosen.period === "custom" && !chosen.first) {
            chosen.last = DateTime.local().toISODate();
            chosen.first = DateTime.local().minus({ days: 29 }).toISODate();
        }
        browser.localStorage.setItem(REMEMBERED, JSON.stringify(chosen));
        this.load();
    }

    load() {
        const asked = ++this.asked;
        const chosen = { ...this.state.chosen };
        for (const name of ["overview", ...SHOWN]) {
            this.loadBlock(name, chosen, asked);
        }
    }

    async loadBlock(name, chosen, asked) {
        const block = await this.orm.call("g_assistant.dashboard", "block", [name, chosen]);
        // What was chosen since is on its way.
        if (asked === this.asked) {
            this.state.blocks[name] = block;
        }
    }

    // ---- what is shown -----------------------------------------------------------

    format(value, kind) {
        if (value === null || value === undefined) {
            return "–";
        }
        switch (kind) {
            case "money":
            case "ratio_money":
                return formatMonetary(value, {
                    currencyId: this.state.options.currency_id,
                    digits: kind === "money" ? [16, 0] : undefined,
                });
            case "times":
                return `${formatFloat(value, { digits: [16, 1] })}×`;
            case "minutes":
                return this.duration(value);
        }
        return formatInteger(value);
    }

    duration(minutes) {
        if (minutes < 60) {
            return _t("%s min", formatFloat(minutes, { digits: [16, minutes < 10 ? 1 : 0] }));
        }
        if (minutes < 24 * 60) {
            return _t("%s h", formatFloat(minutes / 60, { digits: [16, 1] }));
        }
        return _t("%s days", formatFloat(minutes / 60 / 24, { digits: [16, 1] }));
    }

    get isEmpty() {
        const overview = this.state.blocks.overview?.rows[0].figures;
        return overview && !this.hasFilters && Object.values(overview).every((figure) => !figure.value);
    }

    get notes() {
        const { zone, notes } = this.state.options;
        return [_t("Times are those of %s. Every figure opens the records that it counts.", zone), ...notes];
    }

    get hasFilters() {
        const { team_id, user_id } = this.state.chosen;
        return Boolean(team_id || user_id);
    }

    tiles() {
        const { columns, rows } = this.state.blocks.overview;
        return columns.map((column) => ({ ...column, ...rows[0].figures[column.name] }));
    }

    chartOf(name) {
        const { columns, rows, chart, points } = this.state.blocks[name];
        if (points) {
            return { label: this.titles[name], points };
        }
        const { label } = columns.find((one) => one.name === chart);
        const largest = rows
            .map((row) => ({ label: row.label, ...row.figures[chart] }))
            .filter((point) => point.value)
            .slice(0, CHART_ROWS);
        return { label, points: largest };
    }

    flowPoints() {
        const { points, unit } = this.state.blocks.flow;
        const forms = { month: { month: "short", year: "numeric" }, hour: null };
        const form = forms[unit] === undefined ? { month: "short", day: "numeric" } : forms[unit];
        return points.map((point) => ({
            ...point,
            label: form ? DateTime.fromISO(point.label).toLocaleString(form) : point.label,
        }));
    }

    /** How dark a cell of the week is. */
    shade(cell) {
        const { most } = this.state.blocks.week;
        return cell.value ? `--o-g-assistant-shade: ${Math.round(15 + (85 * cell.value) / most)}%` : "";
    }

    cellTitle(row, hour, cell) {
        return _t("%(day)s %(hour)s:00: %(count)s", {
            day: row.label,
            hour: String(hour).padStart(2, "0"),
            count: formatInteger(cell.value),
        });
    }

    share(item) {
        const all = this.state.blocks.quality.received.value;
        return all ? (100 * item.value) / all : 0;
    }

    percent(item) {
        return `${formatFloat(this.share(item), { digits: [16, 1] })} %`;
    }

    // ---- what a click does ---------------------------------------------------------

    open(figure, ...names) {
        const model = figure.model || "crm.lead";
        return this.action.doAction({
            type: "ir.actions.act_window",
            name: names.filter(Boolean).join(" · "),
            res_model: model,
            views: ["list", "pivot", "graph", "form"].map((kind) => [false, kind]),
            domain: figure.domain,
            // Lost and archived ones are in some of the figures: the domain says which.
            context: { active_test: false, create: false },
        });
    }

    analyse(what) {
        return this.action.doAction(ANALYSES[what]);
    }
}

registry.category("actions").add("g_assistant_dashboard", Dashboard);
