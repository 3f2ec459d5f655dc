/** @odoo-module **/

import { Component, onWillStart, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { usePopover } from "@web/core/popover/popover_hook";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const FIELDS = ["g_assistant_score_words", "g_assistant_chance", "g_assistant_chance_words", "g_assistant_flag_words"];
const COLORS = { hot: "text-bg-success", warm: "text-bg-warning", cold: "text-bg-secondary" };
const BAND = "g_assistant_score_band";

/** Why a lead has its score. Fetched when it is asked for: lists and kanbans have many leads. */
export class ScoreReasons extends Component {
    static template = "g_assistant_connector.ScoreReasons";
    static props = { leadId: Number, score: Number, close: { type: Function, optional: true } };

    setup() {
        const orm = useService("orm");
        this.state = useState({ parts: [] });
        onWillStart(async () => {
            const [lead] = await orm.silent.read("crm.lead", [this.props.leadId], FIELDS);
            const lines = (text) => (text || "").split("\n").filter(Boolean);
            this.state.parts = [
                { title: _t("Score: %s", this.props.score), lines: lines(lead.g_assistant_score_words) },
                {
                    title: _t("Chance to be won: %s %", lead.g_assistant_chance),
                    lines: lines(lead.g_assistant_chance_words),
                },
                { title: _t("Flags"), lines: lines(lead.g_assistant_flag_words) },
            ].filter((part) => part.lines.length);
        });
    }
}

/** A lead's score in its colour; hovering, tapping or Enter says why. */
export class ScoreBadge extends Component {
    static template = "g_assistant_connector.ScoreBadge";
    static props = { ...standardFieldProps };

    setup() {
        this.popover = usePopover(ScoreReasons, { position: "bottom", onClose: () => (this.clicked = false) });
        this.clicked = false;
    }

    get score() {
        return this.props.record.data[this.props.name];
    }

    get color() {
        return COLORS[this.props.record.data[BAND]];
    }

    get title() {
        return _t("Score: %s", this.score);
    }

    open(ev) {
        if (this.popover.isOpen || !this.props.record.resId) {
            return;
        }
        this.popover.open(ev.currentTarget, { leadId: this.props.record.resId, score: this.score });
    }

    onEnter(ev) {
        const target = ev.currentTarget;
        // Not for whoever only passes over it.
        this.timer = setTimeout(() => target.isConnected && this.open({ currentTarget: target }), 300);
    }

    onLeave() {
        clearTimeout(this.timer);
        if (!this.clicked) {
            this.popover.close();
        }
    }

    onClick(ev) {
        clearTimeout(this.timer);
        if (this.clicked) {
            this.popover.close();
        } else {
            this.open(ev);
            this.clicked = true;
        }
    }
}

registry.category("fields").add("g_assistant_score", {
    component: ScoreBadge,
    displayName: _t("Score with its reasons"),
    supportedTypes: ["integer"],
    fieldDependencies: [{ name: BAND, type: "selection" }],
});
