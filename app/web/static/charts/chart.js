// What every chart shares: an element that draws with ECharts, follows the theme and the size of its box.
// The box is `--ck-chart-height` high (240px).

import * as echarts from "echarts";
import { LitElement, html } from "lit";
import { frame as frameOf } from "/static/maps/fan-option.js";

/** A colour of the theme. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Draws into the page; a subclass gives `options()`, and `describe()` for those who hear the chart. One that draws
 * thousands of things has `renderer = "canvas"`; one that needs more of ECharts sets `engine` once it has come.
 */
export class ChartElement extends LitElement {
  renderer = "svg";
  engine = echarts;

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.themed = () => this.draw();
    document.addEventListener("theme", this.themed);
    if (this.renderer === "canvas") document.fonts.addEventListener("loadingdone", this.themed); // what stands in it keeps the typeface it was drawn with
    this.sizes = new ResizeObserver(() => this.chart?.resize());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("theme", this.themed);
    document.fonts.removeEventListener("loadingdone", this.themed);
    this.sizes.disconnect();
    this.chart?.dispose();
    this.chart = null;
  }

  /** The heading above the chart; "" for none. */
  title() {
    return "";
  }

  render() {
    const title = this.title();
    return html`${title ? html`<p class="ck-chart-title">${title}</p>` : ""}
      <div class="ck-chart" role="img" aria-label=${this.describe()}></div>`;
  }

  updated() {
    this.draw();
  }

  draw() {
    const canvas = this.querySelector(".ck-chart");
    if (!canvas || !this.engine) return;
    if (!this.chart) {
      this.chart = this.engine.init(canvas, null, { renderer: this.renderer, devicePixelRatio: devicePixelRatio * (this.currentCSSZoom ?? 1) });
      this.sizes.observe(canvas); // not the element: laid out as a line of text it has no size that could change
    }
    const options = this.options();
    if (this.renderer === "canvas") options.textStyle = { ...options.textStyle, fontFamily: getComputedStyle(this).fontFamily }; // which it does not inherit
    this.chart.setOption(options, true);
  }
}

/** The colours of charts in the present theme. */
export const colours = () => ({
  ink: token("--ck-text"), muted: token("--ck-text-muted"), line: token("--ck-line"), surface: token("--ck-surface-raised"),
});

/** Looks of axes and tooltip in the present theme. */
export const frame = () => frameOf(colours());
