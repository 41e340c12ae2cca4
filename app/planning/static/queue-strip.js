// Time × kilometre: how surely the queue reaches a kilometre, base above, variant below.
// The tail's quantiles tell it: nine runs of ten have the tail beyond the 10 % quantile, half beyond the median.

import { html } from "lit";
import { ChartElement, frame, token } from "/static/charts/chart.js";
import { formatNumber, t } from "/static/i18n.js";
import { labelInterval } from "/static/maps/fan-option.js";
import { clockAt, hoursBetween, result } from "./result.js";

const WORLDS = [["base", "Base"], ["variant", "Variant"]];
const SURETIES = ["possible (10 %)", "likely (50 %)", "certain (90 % of runs)"];

/** `<queue-strip place="huu-nghi">` */
class QueueStrip extends ChartElement {
  static properties = { place: {} };

  get tails() {
    return result.gates[this.place].tail_km;
  }

  get extent() {
    const values = WORLDS.flatMap(([world]) => this.tails[world].flat()).filter((value) => value !== null);
    return [Math.min(...values), Math.max(...values)];
  }

  title() {
    return t("Where the queue stands");
  }

  describe() {
    return this.title();
  }

  render() {
    return html`${super.render()}<p class="pl-surety">
      ${SURETIES.map((label, i) => html`<span class="pl-surety-${i}">${t(label)}</span>`)}</p>`;
  }

  /** How surely the queue stands at kilometres, stacked: [time in hours, certain, likely, possible]. */
  bands(world) {
    const [near] = this.extent;
    const [low, mid, high] = this.tails[world].map((row) => row.map((km) => km ?? near));
    return [low, mid.map((km, i) => Math.max(0, km - low[i])), high.map((km, i) => Math.max(0, km - mid[i]))];
  }

  options() {
    const { axis, tooltip, grid, ...rest } = frame();
    const [near, far] = this.extent;
    const times = this.tails.base[0].map((_, index) => hoursBetween(index));
    const every = Math.max(1, Math.round(labelInterval(times.at(-1)) / hoursBetween(1)));
    return {
      ...rest,
      grid: [{ ...grid, bottom: "54%" }, { ...grid, top: "50%", bottom: 26 }],
      tooltip: { ...tooltip, trigger: "axis", formatter: (points) => this.tell(points[0].axisIndex, points[0].dataIndex) },
      xAxis: [0, 1].map((gridIndex) => ({
        type: "category", gridIndex, ...axis, data: times, boundaryGap: false, axisTick: { show: false },
        axisLabel: { ...axis.axisLabel, show: gridIndex === 1, interval: every - 1, formatter: (hour) => clockAt(Number(hour)) },
      })),
      yAxis: [0, 1].map((gridIndex) => ({
        type: "value", gridIndex, ...axis, min: Math.floor(near), max: Math.ceil(far), minInterval: 1, name: t(WORLDS[gridIndex][1]),
        nameLocation: "middle", nameGap: 34, nameTextStyle: { color: token("--ck-text"), fontWeight: 600, fontSize: 11 },
        axisTick: { show: false }, axisLabel: { ...axis.axisLabel, formatter: (km) => formatNumber(km, 0) },
      })),
      series: WORLDS.flatMap(([world, name], index) => this.bands(world).map((data, band) => ({
        type: "line", name: t(name), xAxisIndex: index, yAxisIndex: index, stack: world, data, step: "middle", symbol: "none",
        animation: false, lineStyle: { width: 0 }, areaStyle: { origin: "start", opacity: 1, color: shade(SURETIES.length - 1 - band) },
      }))),
    };
  }

  /** One moment of one world in words. */
  tell(worldIndex, at) {
    const [world, name] = WORLDS[worldIndex];
    const lines = SURETIES.map((label, i) => `${t(label)}: km ${formatNumber(this.tails[world][SURETIES.length - 1 - i][at] ?? this.extent[0], 1)}`);
    return [`${t(name)} · ${clockAt(hoursBetween(at))}`, ...lines].join("\n");
  }
}

/** Three steps from the surface to the colour of a queue. */
function shade(step) {
  return `color-mix(in srgb, ${token("--ck-road-queue")} ${[25, 60, 100][step]}%, ${token("--ck-surface")})`;
}

customElements.define("queue-strip", QueueStrip);
