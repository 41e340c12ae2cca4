// <fan-chart>: quantiles over time as a line in a band, of one forecast or of a base and its variant.
//
// Properties: `fan`, the data as maps/static/fan-option.js describes it (as an attribute: JSON), with `made_at`
// (RFC 3339) or `start` ("HH:MM"), and `now`, a moment (RFC 3339 or ms) where a dashed line stands, with `now_text` ("now"); `label`, what the
// chart shows, for those who hear it; `heading`, the same above the chart. Include CHART_STRINGS of chart.html.
// In HTML that is swapped, say hx-morph-skip-children.

import { formatClock, formatNumber, t } from "../i18n.js";
import { clockOf, curves, fanOption, hoursOf, peakOf } from "../maps/fan-option.js";
import { ChartElement, colours, token } from "./chart.js";

const band = (name) => ({ line: token(`--ck-${name}`), band: token(`--ck-${name}-band`) });

/** The colours of a fan in the present theme. */
const looks = () => ({
  ...colours(), level: token("--ck-severity-alarm"), counted: token("--ck-state-yard"),
  fans: { base: band("forecast"), variant: band("variant") },
});

class FanChart extends ChartElement {
  static properties = { fan: { type: Object }, label: {}, heading: {} };

  /** The data as it is drawn: local start, hours to now. */
  get drawn() {
    const { made_at: madeAt, now, now_text: _, ...fan } = this.fan;
    if (!madeAt) return fan;
    const nowH = now == null ? null : (new Date(now) - new Date(madeAt)) / 3600e3;
    return { ...fan, start: formatClock(madeAt), now_h: nowH };
  }

  /** A time so many hours after midnight; a scenario's names the day, a forecast's is of the next hours. */
  get day() {
    return this.fan.made_at ? () => "" : (day) => t("+{day} d", { day });
  }

  title() {
    return this.heading || "";
  }

  text(value) {
    const { digits = 0, unit = "" } = this.fan;
    return value == null ? "–" : `${formatNumber(value, digits)} ${unit}`.trim();
  }

  /** The chart in a sentence. */
  describe() {
    const label = this.label || this.heading || "";
    if (!this.isDrawable) return label;
    const [base, variant] = curves(this.fan).map(({ median }) => ({ median, peak: peakOf(median) }));
    const peak = this.text(base.median[base.peak]);
    if (variant) return t("{label}: base at most {base}, variant at most {variant}", { label, base: peak, variant: this.text(variant.median[variant.peak]) });
    const { start, step_s: stepS } = this.drawn;
    const time = clockOf(hoursOf(start) + (base.peak * stepS) / 3600, this.day);
    return t("{label}: now {now}, at most {peak} at {time}", { label, now: this.text(base.median[0]), peak, time });
  }

  get isDrawable() {
    return Boolean(this.fan?.fans?.[0]?.values?.[0]?.length);
  }

  options() {
    if (!this.isDrawable) return {};
    return fanOption(this.drawn, looks(), {
      number: formatNumber, range: (low, high) => t("{low} to {high}", { low, high }), day: this.day, now: this.fan.now_text ?? t("now"),
    });
  }
}

customElements.define("fan-chart", FanChart);
