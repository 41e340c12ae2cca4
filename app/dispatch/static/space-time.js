// <space-time>: kilometre × time of a gate. Left of now how fast trucks drove and how far the queue reached, right of it
// how surely the queue will reach a kilometre. The classes differ in lightness alone, so that every eye tells them apart.

import { html } from "lit";
import { api } from "/static/api.js";
import { ChartElement, frame, token } from "/static/charts/chart.js";
import { on } from "/static/events.js";
import { formatClock, formatNumber, t } from "/static/i18n.js";

const ASK_MS = 60_000;
const LABEL_H = 3;
const LABEL_EM = 4.2; // an hour and the room beside it
const HOUR_MS = 3600_000;
/** Upper limits of the classes of speed, km/h; a queue moves below 10, a truck is free from 20 on. */
const PACES = [5, 10, 20, 40, Infinity];
const SURETIES = ["possible (10 %)", "likely (50 %)", "certain (90 % of runs)"];

const paceOf = (kmh) => PACES.findIndex((limit) => kmh < limit);
const paceText = (i) => (i === PACES.length - 1 ? t("{kmh} km/h and more", { kmh: PACES[i - 1] }) : t("under {kmh} km/h", { kmh: PACES[i] }));
const surety = (i) => `color-mix(in srgb, ${token("--ck-forecast")} ${[30, 60, 100][i]}%, ${token("--ck-surface")})`;

/** `<space-time .gate=${{site_id, name}}>` asks while it is shown. */
class SpaceTime extends ChartElement {
  renderer = "canvas";
  engine = null; // heat maps are in the whole of ECharts, which is fetched when the first is shown
  static properties = { gate: { attribute: false }, data: { state: true }, problem: { state: true } };

  connectedCallback() {
    super.connectedCallback();
    this.stop = on("reconnected", () => this.load());
    this.timer = setInterval(() => this.load(), ASK_MS);
    this.seen = new IntersectionObserver(() => this.load());
    this.seen.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.stop();
    clearInterval(this.timer);
    this.seen.disconnect();
  }

  async load() {
    if (!this.gate || !this.clientWidth || document.visibilityState !== "visible") return;
    try {
      this.engine ??= await import("echarts-full");
      this.data = await api("GET", `/api/v1/space-time?gate=${encodeURIComponent(this.gate.site_id)}`);
      this.problem = "";
    } catch (error) {
      this.problem = error.message;
    }
  }

  title() {
    return this.gate ? this.gate.name : "";
  }

  /** The chart in a sentence: the farthest tails behind and ahead. */
  describe() {
    if (!this.data) return this.title();
    const farthest = (values) => formatNumber(Math.max(0, ...values.filter((km) => km !== null)), 1);
    return t("{gate}: in the past day the queue reached km {past}, in the hours ahead most likely km {ahead}", {
      gate: this.title(), past: farthest(this.data.tail_km), ahead: farthest(this.data.forecast_km.map((row) => row[1])),
    });
  }

  render() {
    const { problem } = this;
    return html`${super.render()}${problem ? html`<p class="ck-problem" role="alert">${problem}</p>` : ""}`;
  }

  /** Cells [column, cell, class]: 0 to 4 by speed, 5 to 7 by how surely a queue stands there. */
  cells() {
    const { speed_kmh: speeds, forecast_km: ahead, forecast_column: from, cell_km: cellKm, gate_km: gateKm } = this.data;
    const past = speeds.flatMap((row, column) => row.flatMap((kmh, cell) => (kmh === null ? [] : [[column, cell, paceOf(kmh)]])));
    const begin = speeds.length; // the column of now shows what was seen
    const queued = ahead.flatMap(([low, middle, high], i) => {
      const column = from + i;
      if (column < begin) return [];
      return Array.from({ length: this.data.cells }, (_, cell) => {
        const km = (cell + 0.5) * cellKm;
        const sure = km < gateKm ? 0 : km < low ? 3 : km < middle ? 2 : km < high ? 1 : 0;
        return [column, cell, PACES.length - 1 + sure, sure];
      }).filter((cell) => cell.pop());
    });
    return [...past, ...queued];
  }

  options() {
    if (!this.data) return {};
    const { axis, tooltip, ...rest } = frame();
    const fontSize = Math.round(0.8 * parseFloat(getComputedStyle(this).fontSize));
    const axisLabel = { ...axis.axisLabel, fontSize };
    const { begins_at: begins, step_s: stepS, now, cells, cell_km: cellKm, speed_kmh: speeds, tail_km: tails, forecast_column: from, forecast_km: ahead } = this.data;
    const columns = Math.max(speeds.length, from + ahead.length);
    const labels = (columns * stepS * 1000) / (LABEL_H * HOUR_MS);
    const labelH = this.clientWidth / labels < LABEL_EM * fontSize ? 2 * LABEL_H : LABEL_H; // all that have room, or every other one
    const timeOf = (column) => Date.parse(begins) + column * stepS * 1000;
    const isLabelled = (column) => timeOf(column) % HOUR_MS === 0 && Number(formatClock(timeOf(column)).slice(0, 2)) % labelH === 0;
    const line = { type: "line", symbol: "none", animation: false, silent: true, step: "middle", z: 3 };
    const inCells = (km) => (km === null ? null : km / cellKm - 0.5);
    const present = Math.floor((Date.parse(now) - Date.parse(begins)) / (stepS * 1000));
    const text = ([column, cell, kind]) => {
      const km = `km ${formatNumber(cell * cellKm, 1)}–${formatNumber((cell + 1) * cellKm, 1)}`;
      const what = kind < PACES.length ? `${formatNumber(speeds[column][cell])} km/h` : `${t("Queue")}: ${t(SURETIES[kind - PACES.length])}`;
      return `${formatClock(timeOf(column))} · ${km}\n${what}`;
    };
    return {
      ...rest,
      grid: { left: 3 * fontSize, top: 2 * fontSize, bottom: 2 * fontSize, right: fontSize },
      tooltip: { ...tooltip, trigger: "item", formatter: ({ value }) => text(value) },
      xAxis: {
        type: "category", ...axis, data: Array.from({ length: columns }, (_, column) => column), axisTick: { show: false },
        axisLabel: { ...axisLabel, interval: (column) => isLabelled(column), formatter: (column) => formatClock(timeOf(Number(column))) },
      },
      yAxis: {
        type: "category", ...axis, data: Array.from({ length: cells }, (_, cell) => cell), axisTick: { show: false },
        name: "km", nameGap: 0.6 * fontSize, nameTextStyle: { color: axisLabel.color, fontSize, align: "right" },
        axisLabel: { ...axisLabel, interval: (cell) => (cell * cellKm) % 5 === 0, formatter: (cell) => formatNumber(cell * cellKm) },
      },
      visualMap: {
        type: "piecewise", show: false, seriesIndex: 0, dimension: 2,
        pieces: [...PACES.map((_, i) => ({ value: i, color: token(`--ck-pace-${i}`) })), ...SURETIES.map((_, i) => ({ value: PACES.length + i, color: surety(i) }))],
      },
      series: [
        { type: "heatmap", data: this.cells(), animation: false, progressive: 0, itemStyle: { borderWidth: 0 },
          markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: token("--ck-text"), width: 2, type: "solid" },
            label: { formatter: t("now"), fontSize, color: token("--ck-text"), position: "end", distance: 2, rotate: 0 }, data: [{ xAxis: present }] } },
        { ...line, data: tails.map(inCells), lineStyle: { color: token("--ck-surface"), width: 5 } },
        { ...line, data: tails.map(inCells), lineStyle: { color: token("--ck-text"), width: 2 } },
      ],
    };
  }
}

customElements.define("space-time", SpaceTime);

/** What the colours mean; the same for all gates. */
export const legend = () => html`<ul class="ck-heat-legend" aria-label=${t("Legend")}>
  ${PACES.map((_, i) => html`<li><span class=${`ck-heat-key ck-heat-pace-${i}`}></span>${paceText(i)}</li>`)}
  <li><span class="ck-heat-key"></span>${t("no truck seen")}</li>
  <li><span class="ck-heat-key ck-heat-tail"></span>${t("tail measured")}</li>
  ${SURETIES.map((label, i) => html`<li><span class=${`ck-heat-key ck-heat-sure-${i}`}></span>${t("queue")}: ${t(label)}</li>`)}</ul>`;
