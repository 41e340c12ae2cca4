// Fan charts: the median as a line, 10 to 90 % as a band, now as a line across.

import * as echarts from "echarts";
import { LitElement, html } from "lit";
import { formatClock, formatNumber, t } from "/static/i18n.js";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `<fan-chart .times .low .median .high .now .unit .observed>`: times in ms, values of the same length. */
class FanChart extends LitElement {
  static properties = {
    times: { attribute: false }, low: { attribute: false }, median: { attribute: false }, high: { attribute: false },
    observed: { attribute: false }, now: { attribute: false }, unit: {}, label: {}, digits: { type: Number },
  };

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.themed = () => this.draw();
    document.addEventListener("theme", this.themed);
    this.sizes = new ResizeObserver(() => this.chart?.resize());
    this.sizes.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("theme", this.themed);
    this.sizes.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }

  render() {
    return html`<div class="ck-fan-canvas" role="img" aria-label=${this.describe()}></div>`;
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

  updated() {
    this.draw();
  }

  draw() {
    const canvas = this.querySelector(".ck-fan-canvas");
    if (!canvas || !this.times?.length) return;
    this.chart ??= echarts.init(canvas, null, { renderer: "svg" });
    const [ink, muted, lineColour] = ["--ck-text", "--ck-text-muted", "--ck-line"].map(token);
    const [median, band] = ["--ck-forecast", "--ck-forecast-band"].map(token);
    const pairs = (values) => values.map((value, i) => [this.times[i], value]);
    const gap = this.high.map((value, i) => value - this.low[i]);
    const still = { type: "line", symbol: "none", animation: false, silent: true };
    this.chart.setOption({
      animation: false,
      grid: { left: 42, right: 12, top: 10, bottom: 22 },
      textStyle: { fontFamily: "inherit", color: ink },
      tooltip: {
        trigger: "axis", confine: true, backgroundColor: token("--ck-surface-raised"), borderColor: lineColour,
        textStyle: { color: ink, fontSize: 12 },
        formatter: (points) => {
          const i = points[0].dataIndex;
          return `${formatClock(this.times[i])}<br><b>${this.text(this.median[i])}</b> (${formatNumber(this.low[i], this.digits || 0)}–${formatNumber(this.high[i], this.digits || 0)})`;
        },
      },
      xAxis: {
        type: "time", axisLabel: { formatter: (time) => formatClock(time), color: muted, hideOverlap: true, fontSize: 11 },
        axisLine: { lineStyle: { color: lineColour } }, splitLine: { show: false }, minInterval: 3600e3,
      },
      yAxis: {
        type: "value", min: 0, splitNumber: 3, minInterval: this.digits ? 0 : 1,
        axisLabel: { color: muted, fontSize: 11 }, splitLine: { lineStyle: { color: lineColour } },
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
    }, true);
  }
}

customElements.define("fan-chart", FanChart);
