/** @odoo-module **/

import { Component, onWillStart, onWillUnmount, useEffect, useRef } from "@odoo/owl";
import { loadBundle } from "@web/core/assets";
import { localization } from "@web/core/l10n/localization";
import { formatInteger } from "@web/views/fields/formatters";

/** Bars, one per point; a click on one opens what it counts. */
export class BarChart extends Component {
    static template = "g_assistant_connector.BarChart";
    static props = {
        points: Array,
        label: String,
        format: Function,
        onOpen: Function,
        horizontal: { type: Boolean, optional: true },
    };

    setup() {
        this.canvas = useRef("canvas");
        this.chart = null;
        this.at = -1;
        onWillStart(() => loadBundle("web.chartjs_lib"));
        useEffect(
            () => this.draw(),
            () => [this.props.points]
        );
        onWillUnmount(() => this.chart?.destroy());
    }

    /** Arrows go from bar to bar, Enter opens one. */
    onKeydown(ev) {
        const { points, label, format, onOpen } = this.props;
        const back = localization.direction === "rtl" ? "ArrowRight" : "ArrowLeft";
        if (ev.key === "Enter") {
            return this.at >= 0 && onOpen(points[this.at]);
        }
        if (!ev.key.startsWith("Arrow")) {
            return;
        }
        ev.preventDefault();
        const step = [back, "ArrowUp"].includes(ev.key) ? -1 : 1;
        this.at = Math.min(Math.max(this.at + step, 0), points.length - 1);
        const point = points[this.at];
        const active = [{ datasetIndex: 0, index: this.at }];
        this.chart.setActiveElements(active);
        this.chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
        this.chart.update();
        this.canvas.el.setAttribute("aria-label", `${label}, ${point.label}: ${format(point.value)}`);
    }

    draw() {
        this.chart?.destroy();
        this.at = -1;
        const { points, format, horizontal } = this.props;
        const canvas = this.canvas.el;
        const style = getComputedStyle(canvas);
        const text = getComputedStyle(canvas.parentElement).color;
        const short = (value) => formatInteger(value, { humanReadable: true });
        const reverse = localization.direction === "rtl";
        const values = { beginAtZero: true, ticks: { color: text, precision: 0, callback: short } };
        const names = { ticks: { color: text, maxRotation: 0, autoSkip: !horizontal }, grid: { display: false } };
        const [x, y] = horizontal ? [values, names] : [names, values];
        this.chart = new window.Chart(canvas, {
            type: "bar",
            data: {
                labels: points.map((point) => point.label),
                datasets: [
                    {
                        label: this.props.label,
                        data: points.map((point) => point.value),
                        backgroundColor: style.color,
                        borderRadius: 3,
                        maxBarThickness: 36,
                    },
                ],
            },
            options: {
                indexAxis: horizontal ? "y" : "x",
                maintainAspectRatio: false,
                animation: false,
                scales: { x: { ...x, reverse }, y: { ...y, position: reverse ? "right" : "left" } },
                plugins: {
                    legend: { display: false },
                    tooltip: {
                        rtl: reverse,
                        callbacks: { label: (item) => `${this.props.label}: ${format(item.raw)}` },
                    },
                },
                onClick: (_event, [bar]) => bar && this.props.onOpen(points[bar.index]),
                onHover: (event, found) => (event.native.target.style.cursor = found.length ? "pointer" : "default"),
            },
        });
    }
}
