/** @odoo-module **/

import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";

/** Shows a hot lead to its salesperson the moment it comes in (`crm_lead_notice.py`). */
export const hotLeadService = {
    dependencies: ["action", "bus_service", "notification"],
    start(env, { action, bus_service, notification }) {
        const shown = {};
        bus_service.subscribe("g_assistant.hot_lead", ({ id, title, message }) => {
            // Its person is back before anybody has looked: what is shown is the newest.
            shown[id]?.();
            const close = notification.add(message, {
                title,
                type: "success",
                sticky: true,
                className: "o_g_assistant_hot_lead",
                buttons: [
                    {
                        name: _t("Open"),
                        primary: true,
                        onClick: () => {
                            close();
                            action.doAction({
                                type: "ir.actions.act_window",
                                res_model: "crm.lead",
                                res_id: id,
                                views: [[false, "form"]],
                            });
                        },
                    },
                ],
            });
            shown[id] = close;
        });
        bus_service.start();
    },
};

registry.category("services").add("g_assistant_hot_lead", hotLeadService);
