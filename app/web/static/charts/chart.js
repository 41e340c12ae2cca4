// What every chart shares: an element that draws with ECharts, follows the theme and the size of its box.

import * as echarts from "echarts";
import { LitElement, html } from "lit";

/** A colour of the theme. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws into the page; a subclass gives `options()`, and `describe()` for those who hear the chart. */
export class ChartElement extends LitElement {
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
    return html`<p class="pl-chart-title">${this.title()}</p>
      <div class="pl-chart" role="img" aria-label=${this.describe()}></div>`;
  }

  updated() {
    this.draw();
  }

  draw() {
    const canvas = this.querySelector(".pl-chart");
    if (!canvas) return;
    this.chart ??= echarts.init(canvas, null, { renderer: "svg" });
    this.chart.setOption(this.options(), true);
  }
}

/** Looks of axes and tooltip in the present theme. */
export function frame() {
  const [ink, muted, line] = ["--ck-text", "--ck-text-muted", "--ck-line"].map(token);
  return {
    animation: false,
    grid: { left: 52, right: 14, top: 10, bottom: 26 },
    textStyle: { fontFamily: "inherit", color: ink },
    tooltip: {
      trigger: "axis", confine: true, backgroundColor: token("--ck-surface-raised"), borderColor: line,
      textStyle: { color: ink, fontSize: 12 },
    },
    axis: {
      axisLabel: { color: muted, fontSize: 11, hideOverlap: true }, axisLine: { lineStyle: { color: line } },
      axisTick: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } },
    },
  };
}
