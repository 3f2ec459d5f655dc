/** @odoo-module **/

import { Component, onWillStart, useState } from "@odoo/owl";
import { deserializeDateTime, formatDate } from "@web/core/l10n/dates";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { Layout } from "@web/search/layout";
import { formatMonetary } from "@web/views/fields/formatters";
import { standardActionServiceProps } from "@web/webclient/actions/action_service";

const ICONS = {
    lead: "fa-star-o",
    stage: "fa-exchange",
    won: "fa-trophy",
    lost: "fa-times",
    restored: "fa-undo",
    quotation: "fa-file-text-o",
    sent: "fa-paper-plane-o",
    confirmed: "fa-check",
    score: "fa-line-chart",
    change: "fa-pencil",
    log: "fa-info",
};
// How many are shown before somebody wants all.
const CAMPAIGNS = 5;
// Waits for whoever is still typing.
const SEARCH_MS = 300;

/** All about a customer, or, as the action `thread`, only what was said. */
export class Person extends Component {
    static template = "g_assistant_connector.Person";
    static components = { Layout };
    static props = { ...standardActionServiceProps };

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        this.partnerId = this.props.action.context.active_id;
        this.thread = this.props.action.tag === "g_assistant_connector.thread";
        this.display = { controlPanel: {} };
        this.state = useState({
            page: null,
            entries: [],
            next: false,
            show: this.thread ? "message" : "",
            text: "",
            loading: false,
            allCampaigns: false,
        });
        // Answers may come in another order than the questions.
        this.asked = 0;
        onWillStart(async () => {
            if (!this.partnerId) {
                return;
            }
            const page = this.thread
                ? await this.orm.call("g_assistant.person", "thread", [this.partnerId, "message"])
                : await this.orm.call("g_assistant.person", "page", [this.partnerId]);
            this.state.page = page;
            this.state.entries = page.timeline.entries;
            this.state.next = page.timeline.next;
            const what = this.thread ? _t("Conversation") : _t("Customer 360");
            this.env.config.setDisplayName(`${what} · ${page.name}`);
        });
    }

    // ---- the timeline ----

    get filters() {
        const all = this.state.page.channels.reduce((sum, one) => sum + one.count, 0);
        return [
            ...(this.thread
                ? []
                : [
                      { show: "", name: _t("Everything"), icon: "fa-clock-o" },
                      { show: "milestone", name: _t("Milestones"), icon: "fa-flag-o" },
                  ]),
            { show: "message", name: _t("All messages"), icon: "fa-comments-o", count: all },
            ...this.state.page.channels.map((one) => ({
                show: one.channel,
                name: one.name,
                icon: one.icon,
                count: one.count,
            })),
        ];
    }

    async load(after) {
        const asked = ++this.asked;
        this.state.loading = true;
        const { show, text } = this.state;
        try {
            const found = await this.orm.call("g_assistant.person", "timeline", [
                this.partnerId,
                show || false,
                text.trim() || false,
                after,
            ]);
            if (asked === this.asked) {
                this.state.entries = after ? [...this.state.entries, ...found.entries] : found.entries;
                this.state.next = found.next;
            }
        } finally {
            if (asked === this.asked) {
                this.state.loading = false;
            }
        }
    }

    choose(show) {
        this.state.show = show;
        return this.load(false);
    }

    search(text) {
        this.state.text = text;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.load(false), SEARCH_MS);
    }

    /** Entries under the day on which they happened. */
    get days() {
        const days = [];
        for (const entry of this.state.entries) {
            const day = this.date(entry.at);
            if (days.at(-1)?.day !== day) {
                days.push({ day, entries: [] });
            }
            days.at(-1).entries.push(entry);
        }
        return days;
    }

    happened(entry) {
        switch (entry.kind) {
            case "lead":
                return _t("Lead arrived");
            case "stage":
                return _t("Stage changed");
            case "won":
                return _t("Won");
            case "lost":
                return _t("Lost");
            case "restored":
                return _t("Restored");
            case "quotation":
                return _t("Quotation made");
            case "sent":
                return _t("Quotation sent");
            case "confirmed":
                return _t("Order confirmed");
            case "score":
                return _t("Score changed");
            case "change":
                return _t("Changed");
            case "log":
                return _t("Logged");
        }
        return entry.channel_name;
    }

    icon(entry) {
        return entry.icon || ICONS[entry.kind];
    }

    get empty() {
        if (this.state.text) {
            return _t("No message has these words.");
        }
        return this.state.show ? _t("Nothing of this kind yet.") : _t("Nothing has happened yet.");
    }

    // ---- how things look ----

    date(at) {
        return formatDate(deserializeDateTime(at));
    }

    time(at) {
        return deserializeDateTime(at).toFormat(localization.timeFormat.replace(":ss", ""));
    }

    money(amount, currencyId = this.state.page.currency_id) {
        return formatMonetary(amount, { currencyId });
    }

    // ---- the blocks ----

    get tiles() {
        const { leads, sales, channels } = this.state.page;
        const tiles = [];
        if (sales) {
            tiles.push(
                {
                    name: "revenue",
                    label: _t("Revenue"),
                    help: _t("Confirmed orders, without taxes"),
                    value: this.money(sales.orders.amount),
                    count: sales.orders.ids.length,
                    click: () => this.openOrders(_t("Orders"), sales.orders.ids),
                },
                {
                    name: "quotations",
                    label: _t("Open quotations"),
                    help: _t("Without taxes"),
                    value: this.money(sales.quotations.amount),
                    count: sales.quotations.ids.length,
                    click: () => this.openOrders(_t("Open quotations"), sales.quotations.ids),
                }
            );
        }
        if (leads) {
            tiles.push(
                {
                    name: "open",
                    label: _t("Open leads"),
                    help: _t("Expected revenue"),
                    value: this.money(leads.open.amount),
                    count: leads.open.ids.length,
                    click: () => this.openLeads(_t("Open leads"), leads.open.ids),
                },
                {
                    name: "won",
                    label: _t("Won"),
                    help: _t("Expected revenue"),
                    value: this.money(leads.won.amount),
                    count: leads.won.ids.length,
                    click: () => this.openLeads(_t("Won"), leads.won.ids),
                },
                {
                    name: "lost",
                    label: _t("Lost"),
                    help: _t("Expected revenue"),
                    value: this.money(leads.lost.amount),
                    count: leads.lost.ids.length,
                    click: () => this.openLeads(_t("Lost"), leads.lost.ids),
                }
            );
        }
        const count = channels.reduce((sum, one) => sum + one.count, 0);
        tiles.push({
            name: "messages",
            label: _t("Messages"),
            help: _t("Of all channels"),
            value: String(count),
            click: () => this.openThread(),
        });
        return tiles;
    }

    get campaigns() {
        const { campaigns } = this.state.page;
        return this.state.allCampaigns ? campaigns : campaigns.slice(0, CAMPAIGNS);
    }

    get stateNames() {
        return { open: _t("Open"), won: _t("Won"), lost: _t("Lost"), archived: _t("Archived") };
    }

    // ---- clicks ----

    open(model, id) {
        return this.action.doAction({
            type: "ir.actions.act_window",
            res_model: model,
            res_id: id,
            views: [[false, "form"]],
        });
    }

    openRecords(name, model, ids) {
        if (ids.length === 1) {
            return this.open(model, ids[0]);
        }
        return this.action.doAction({
            type: "ir.actions.act_window",
            name: `${name} · ${this.state.page.name}`,
            res_model: model,
            domain: [["id", "in", ids]],
            context: { active_test: false, create: false },
            views: [
                [false, "list"],
                [false, "form"],
            ],
        });
    }

    openLeads(name, ids) {
        return this.openRecords(name, "crm.lead", ids);
    }

    openOrders(name, ids) {
        return this.openRecords(name, "sale.order", ids);
    }

    openThread() {
        return this.action.doAction("g_assistant_connector.g_assistant_thread_action", {
            additionalContext: { active_id: this.partnerId },
        });
    }
}

registry.category("actions").add("g_assistant_connector.person", Person);
registry.category("actions").add("g_assistant_connector.thread", Person);
