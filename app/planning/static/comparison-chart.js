// Base and variant of the run's result in one fan chart.

import "/static/charts/fan-chart.js";
import { LitElement, html } from "lit";
import { t } from "/static/i18n.js";
import { names, result } from "./result.js";

const MEASURES = {
  queue_veh: { label: "Queue, trucks", scale: 1, digits: 0 },
  wait_s: { label: "Wait, hours", scale: 3600, digits: 1 },
  tail_km: { label: "Tail of the queue, kilometre from the border", scale: 1, digits: 1 },
  occupancy_veh: { label: "trucks inside", scale: 1, digits: 0 },
};
const DAYS = { label: "Wait, days", scale: 86400, digits: 1 };
const DAYS_FROM_S = 48 * 3600; // as times in words
const WORLDS = { base: "Base", variant: "Variant" };

/** `<comparison-chart place="huu-nghi" measure="queue_veh">` */
class ComparisonChart extends LitElement {
  static properties = { place: {}, measure: {} };

  createRenderRoot() {
    return this;
  }

  render() {
    const worlds = (result.gates[this.place] || result.yards[this.place])[this.measure];
    const isLong = this.measure === "wait_s" && Object.values(worlds).flat(2).some((wait_s) => wait_s >= DAYS_FROM_S);
    const { label, scale, digits } = isLong ? DAYS : MEASURES[this.measure];
    const { quantiles, step_s, start } = result;
    const fans = Object.entries(WORLDS).map(([look, name]) => ({ look, name: t(name), values: worlds[look] }));
    const heading = this.measure === "occupancy_veh" ? `${names(this.place)}: ${t(label)}` : t(label);
    return html`<fan-chart .fan=${{ quantiles, step_s, start, fans, scale, digits }} .heading=${heading}></fan-chart>`;
  }
}

customElements.define("comparison-chart", ComparisonChart);
