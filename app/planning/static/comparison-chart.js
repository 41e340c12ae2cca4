// Base and variant in one chart: fans of 10 to 90 % with their medians, told apart by colour and by dash.

import { ChartElement, frame, token } from "/static/charts/chart.js";
import { formatNumber, t } from "/static/i18n.js";
import { clockAt, hoursBetween, names, result } from "./result.js";

const MEASURES = {
  queue_veh: { label: "Queue, trucks", scale: 1, digits: 0 },
  wait_s: { label: "Wait, hours", scale: 3600, digits: 1 },
  tail_km: { label: "Tail of the queue, kilometre from the border", scale: 1, digits: 1 },
  occupancy_veh: { label: "trucks inside", scale: 1, digits: 0 },
};
const WORLDS = [
  { world: "base", name: "Base", line: "--ck-forecast", band: "--ck-forecast-band", dash: "solid" },
  { world: "variant", name: "Variant", line: "--ck-variant", band: "--ck-variant-band", dash: [7, 5] },
];
const most = (values) => values.reduce((high, value) => (value !== null && value > high ? value : high), 0);

/** `<comparison-chart place="huu-nghi" measure="queue_veh">` */
class ComparisonChart extends ChartElement {
  static properties = { place: {}, measure: {} };

  get worlds() {
    return (result.gates[this.place] || result.yards[this.place])[this.measure];
  }

  curve(world, row) {
    const { scale } = MEASURES[this.measure];
    return this.worlds[world][row].map((value) => (value === null ? null : value / scale));
  }

  middle(world) {
    return this.curve(world, result.quantiles.findIndex((q) => Math.abs(q - 0.5) < 1e-6));
  }

  text(value) {
    return value === null ? "–" : formatNumber(value, MEASURES[this.measure].digits);
  }

  title() {
    const label = t(MEASURES[this.measure].label);
    return this.measure === "occupancy_veh" ? `${names(this.place)}: ${label}` : label;
  }

  describe() {
    const [base, variant] = WORLDS.map(({ world }) => this.text(most(this.middle(world))));
    return t("{label}: base at most {base}, variant at most {variant}", { label: this.title(), base, variant });
  }

  options() {
    const { axis, tooltip, ...rest } = frame();
    const still = { type: "line", symbol: "none", animation: false, silent: true };
    const series = [];
    for (const { world, band } of WORLDS) {
      const low = this.curve(world, 0);
      const high = this.curve(world, result.quantiles.length - 1);
      const gap = high.map((value, i) => (value === null || low[i] === null ? null : value - low[i]));
      const stack = { ...still, stack: world, lineStyle: { opacity: 0 } };
      series.push({ ...stack, data: pairs(low) }, { ...stack, data: pairs(gap), areaStyle: { color: token(band) } });
    }
    for (const { world, line, dash } of WORLDS) {
      const colour = token(line);
      series.push({
        ...still, silent: false, data: pairs(this.middle(world)), itemStyle: { color: colour },
        lineStyle: { color: colour, width: 2.5, type: dash },
      });
    }
    return {
      ...rest,
      tooltip: { ...tooltip, formatter: (points) => this.tell(points[0].dataIndex) },
      xAxis: {
        type: "value", ...axis, splitLine: { show: false }, max: hoursBetween(this.worlds.base[0].length - 1), min: 0,
        axisLabel: { ...axis.axisLabel, formatter: clockAt }, interval: interval(hoursBetween(this.worlds.base[0].length - 1)),
      },
      yAxis: {
        type: "value", ...axis, min: 0, splitNumber: 4, minInterval: MEASURES[this.measure].digits ? 0 : 1,
        axisLabel: { ...axis.axisLabel, formatter: (value) => formatNumber(value, Number.isInteger(value) ? 0 : 1) },
      },
      series,
    };
  }

  /** What holds at a moment, in both worlds. */
  tell(i) {
    const last = result.quantiles.length - 1;
    const rows = WORLDS.map(({ world, name, line }) => {
      const [low, mid, high] = [this.curve(world, 0)[i], this.middle(world)[i], this.curve(world, last)[i]];
      const range = t("{low} to {high}", { low: this.text(low), high: this.text(high) });
      return `<span style="color:${token(line)}">${world === "base" ? "━" : "╍"}</span> ${t(name)} <b>${this.text(mid)}</b> (${range})`;
    });
    return [clockAt(hoursBetween(i)), ...rows].join("<br>");
  }
}

const pairs = (values) => values.map((value, i) => [hoursBetween(i), value]);

/** A round distance of labels, in hours, for at most eight of them. */
export const interval = (hours) => [1, 2, 3, 6, 12, 24, 48].find((step) => hours / step <= 8) || 48;

customElements.define("comparison-chart", ComparisonChart);
