// Time × kilometre: how surely the queue reaches a kilometre, base above, variant below.
// The tail's quantiles tell it: nine runs of ten have the tail beyond the 10 % quantile, half beyond the median.

import { html } from "lit";
import { ChartElement, frame, token } from "/static/charts/chart.js";
import { formatNumber, t } from "/static/i18n.js";
import { labelInterval } from "/static/maps/fan-option.js";
import { clockAt, hoursBetween, result } from "./result.js";

const WORLDS = [["base", "Base"], ["variant", "Variant"]];
const SURETIES = ["possible (10 %)", "likely (50 %)", "certain (90 % of runs)"];
const ROWS = 24;
const COLUMNS = 150;

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

  /** Samples from one column to the next, and how many columns that makes. */
  get columns() {
    const length = this.tails.base[0].length;
    const stride = Math.ceil(length / COLUMNS);
    return { stride, count: Math.floor((length - 1) / stride) + 1 };
  }

  /** Cells [column, row, surety 1 to 3] of one world; cells that no queue reaches are left out. */
  cells(world) {
    const [near, far] = this.extent;
    const { stride, count } = this.columns;
    const cells = [];
    for (let column = 0; column < count; column += 1) {
      const [low, mid, high] = [0, 1, 2].map((row) => this.tails[world][row][column * stride] ?? near);
      for (let row = 0; row < ROWS; row += 1) {
        const km = near + ((far - near) * (row + 0.5)) / ROWS;
        const surety = km < low ? 3 : km < mid ? 2 : km < high ? 1 : 0;
        if (surety) cells.push([column, row, surety]);
      }
    }
    return cells;
  }

  options() {
    const { axis, tooltip, grid, ...rest } = frame();
    const [near, far] = this.extent;
    const { stride, count } = this.columns;
    const hourOf = (column) => hoursBetween(column * stride);
    const every = Math.max(1, Math.round(labelInterval(hourOf(count - 1)) / hourOf(1)));
    const kmOf = (row) => near + ((far - near) * (Number(row) + 0.5)) / ROWS;
    const bands = [{ ...grid, bottom: "54%" }, { ...grid, top: "50%", bottom: 26 }];
    return {
      ...rest,
      grid: bands,
      tooltip: {
        ...tooltip, trigger: "item",
        formatter: ({ seriesName, value }) =>
          `${seriesName} · ${clockAt(hourOf(value[0]))} · km ${formatNumber(kmOf(value[1]), 1)}\n${t(SURETIES[value[2] - 1])}`,
      },
      xAxis: [0, 1].map((gridIndex) => ({
        type: "category", gridIndex, ...axis, data: Array.from({ length: count }, (_, column) => hourOf(column)), axisTick: { show: false },
        axisLabel: { ...axis.axisLabel, show: gridIndex === 1, interval: every - 1, formatter: (hour) => clockAt(Number(hour)) },
      })),
      yAxis: [0, 1].map((gridIndex) => ({
        type: "category", gridIndex, ...axis, data: Array.from({ length: ROWS }, (_, row) => row), name: t(WORLDS[gridIndex][1]),
        nameLocation: "middle", nameGap: 34, nameTextStyle: { color: token("--ck-text"), fontWeight: 600, fontSize: 11 },
        axisTick: { show: false }, axisLabel: { ...axis.axisLabel, interval: 7, formatter: (row) => formatNumber(kmOf(row), 0) },
      })),
      visualMap: {
        type: "piecewise", show: false,
        pieces: SURETIES.map((_, i) => ({ value: i + 1, color: shade(i) })),
      },
      series: WORLDS.map(([world, name], index) => ({
        type: "heatmap", name: t(name), xAxisIndex: index, yAxisIndex: index, data: this.cells(world), animation: false, progressive: 0,
      })),
    };
  }
}

/** Three steps from the surface to the colour of a queue. */
function shade(step) {
  return `color-mix(in srgb, ${token("--ck-road-queue")} ${[25, 60, 100][step]}%, ${token("--ck-surface")})`;
}

customElements.define("queue-strip", QueueStrip);
