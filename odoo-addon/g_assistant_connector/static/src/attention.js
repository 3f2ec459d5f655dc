/** @odoo-module **/

import { Component, onWillStart, onWillUnmount, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { session } from "@web/session";

// The bus tells of every change; this is for browsers that it does not reach.
const LOOK_MS = 5 * 60 * 1000;

/** A mark in the bar at the top, for connector administrators, while something needs them. */
export class Attention extends Component {
    static template = "g_assistant_connector.Attention";
    static props = {};

    setup() {
        this.orm = useService("orm");
        this.action = useService("action");
        const bus = useService("bus_service");
        this.state = useState({ found: [] });
        const look = () => this.look();
        bus.subscribe("g_assistant.connection", look);
        bus.start();
        const timer = setInterval(() => document.hidden || look(), LOOK_MS);
        // Not waited for: the bar must not be late because of it.
        onWillStart(() => void look());
        onWillUnmount(() => {
            bus.unsubscribe("g_assistant.connection", look);
            clearInterval(timer);
        });
    }

    async look() {
        try {
            this.state.found = await this.orm.silent.call("g_assistant.connection", "attention", []);
        } catch {
            // Odoo says itself when it cannot be reached; the next look is soon.
        }
    }

    get title() {
        const problems = this.state.found.map((one) => one.problems);
        return [_t("G-Assistant needs attention"), ...problems].join("\n");
    }

    open() {
        const [first, ...others] = this.state.found;
        const form = {
            type: "ir.actions.act_window",
            res_model: "g_assistant.connection",
            res_id: first.id,
            views: [[false, "form"]],
        };
        const list = "g_assistant_connector.g_assistant_connection_action";
        this.action.doAction(others.length ? list : form);
    }
}

if (session.g_assistant_admin) {
    registry.category("systray").add("g_assistant_connector.attention", { Component: Attention }, { sequence: 30 });
}
