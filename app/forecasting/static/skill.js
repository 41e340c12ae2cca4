// <skill-chart>: errors of the forecast beside “it stays as it is”, or the share inside the band.
//
// Attributes: `kind`, "errors" or "inside"; `data`, JSON {x, published, persistence | raw}; `label`; `unit`.

import { formatNumber, t } from "../i18n.js";
import { ChartElement, frame, token } from "../charts/chart.js";

const RIGHT = { low: 75, high: 85 }; // what an 80 % band should hold

class SkillChart extends ChartElement {
  static properties = { kind: {}, data: { type: Object }, label: {}, unit: {} };

  describe() {
    const values = this.data.published.map((value, i) => `${this.data.x[i]} ${formatNumber(value, 1)}`).join(", ");
    return t("{label}: {values}", { label: this.label, values });
  }

  options() {
    const { axis, ...looks } = frame();
    const isShare = this.kind === "inside";
    const line = (name, data, color, type) => ({
      name, type: "line", data, symbolSize: 7, itemStyle: { color }, lineStyle: { color, width: type === "solid" ? 3 : 2, type }, connectNulls: true,
    });
    const zone = {
      silent: true, itemStyle: { color: token("--ck-ok-soft") }, data: [[{ yAxis: RIGHT.low }, { yAxis: RIGHT.high }]],
    };
    const own = line(isShare ? t("Inside the band") : t("Forecast"), this.data.published, token("--ck-forecast"), "solid");
    const other = isShare
      ? line(t("Before calibration"), this.data.raw, token("--ck-text-muted"), "dotted")
      : line(t("“It stays as it is”"), this.data.persistence, token("--ck-variant"), "dashed");
    return {
      ...looks,
      grid: { left: 48, right: 14, top: 34, bottom: 26 },
      legend: { top: 0, itemGap: 28, textStyle: { color: token("--ck-text") } },
      tooltip: { ...looks.tooltip, valueFormatter: (value) => (value == null ? "–" : `${formatNumber(value, 1)} ${isShare ? t("in 100") : this.unit}`) },
      xAxis: { type: "category", data: this.data.x, ...axis },
      yAxis: { type: "value", min: 0, ...(isShare ? { max: 100 } : {}), ...axis, axisLabel: { ...axis.axisLabel, formatter: (value) => formatNumber(value, value % 1 ? 1 : 0) } },
      series: [isShare ? { ...own, markArea: zone } : own, other],
    };
  }
}

customElements.define("skill-chart", SkillChart);
