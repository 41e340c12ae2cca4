// Fan charts: the median as a line, 10 to 90 % as a band, now as a line across.

import { html } from "lit";
import { ChartElement, frame, token } from "/static/charts/chart.js";
import { formatClock, formatNumber, t } from "/static/i18n.js";

/** `<fan-chart .times .low .median .high .now .unit .observed>`: times in ms, values of the same length. */
class FanChart extends ChartElement {
  static properties = {
    times: { attribute: false }, low: { attribute: false }, median: { attribute: false }, high: { attribute: false },
    observed: { attribute: false }, now: { attribute: false }, unit: {}, label: {}, digits: { type: Number },
  };

  render() {
    return html`<div class="pl-chart" role="img" aria-label=${this.describe()}></div>`;
  }

  /** The chart in a sentence, for those who hear it. */
  describe() {
    if (!this.median?.length) return this.label || "";
    const peak = this.median.indexOf(Math.max(...this.median));
    return t("{label}: now {now}, at most {peak} at {time}", {
      label: this.label, now: this.text(this.median[0]), peak: this.text(this.median[peak]), time: formatClock(this.times[peak]),
    });
  }

  text(value) {
    return `${formatNumber(value, this.digits || 0)} ${this.unit || ""}`.trim();
  }

  options() {
    if (!this.times?.length) return {};
    const { axis, grid, tooltip, ...looks } = frame();
    const ink = token("--ck-text");
    const [median, band] = ["--ck-forecast", "--ck-forecast-band"].map(token);
    const pairs = (values) => values.map((value, i) => [this.times[i], value]);
    const gap = this.high.map((value, i) => value - this.low[i]);
    const still = { type: "line", symbol: "none", animation: false, silent: true };
    return {
      ...looks,
      grid: { ...grid, left: 42, bottom: 22 },
      tooltip: {
        ...tooltip,
        formatter: (points) => {
          const i = points[0].dataIndex;
          return `${formatClock(this.times[i])}<br><b>${this.text(this.median[i])}</b> (${formatNumber(this.low[i], this.digits || 0)}–${formatNumber(this.high[i], this.digits || 0)})`;
        },
      },
      xAxis: {
        ...axis, type: "time", splitLine: { show: false }, minInterval: 3600e3,
        axisLabel: { ...axis.axisLabel, formatter: (time) => formatClock(time) },
      },
      yAxis: {
        ...axis, type: "value", min: 0, splitNumber: 3, minInterval: this.digits ? 0 : 1, axisLine: { show: false },
        axisTick: { show: false },
      },
      series: [
        { ...still, stack: "band", data: pairs(this.low), lineStyle: { opacity: 0 } },
        { ...still, stack: "band", data: pairs(gap), lineStyle: { opacity: 0 }, areaStyle: { color: band } },
        {
          ...still, silent: false, data: pairs(this.median), lineStyle: { color: median, width: 2.5 }, itemStyle: { color: median },
          markLine: {
            silent: true, symbol: "none", animation: false,
            data: [{ xAxis: this.now }],
            lineStyle: { color: ink, width: 1, type: "dashed" },
            label: { formatter: t("now"), color: ink, fontSize: 11, position: "end", align: "left", distance: [4, -10] },
          },
        },
      ],
    };
  }
}

customElements.define("fan-chart", FanChart);
