// The status strip: each gate's queue, wait, trend and free yard places, and the worst advice; read in five seconds.

import { html, nothing } from "lit";
import { formatClock, formatNumber, formatWait, t } from "/static/i18n.js";
import { SEVERITY } from "./advice-text.js";
import { ConsoleElement } from "./element.js";
import { isOld, trend } from "/static/forecasting/forecast.js";

const TREND = {
  up: { icon: "trending-up", word: () => t("growing") },
  down: { icon: "trending-down", word: () => t("shrinking") },
  flat: { icon: "minus", word: () => t("steady") },
};

const NONE_THEN = () => ({ level: "notice", icon: "history", text: t("No advice is kept of this moment.") });

class PoliceStrip extends ConsoleElement {
  render() {
    if (!this.store) return nothing;
    return html`
      ${this.renderAdvice()}
      ${this.console.gates.map((gate) => this.renderGate(gate))}`;
  }

  renderAdvice() {
    const { openAdvice } = this.store;
    const worst = openAdvice[0];
    if (!worst) {
      const { level, icon, text } = this.store.isPast ? NONE_THEN() : this.store.calm(this.console.now());
      return html`<button type="button" class=${`ck-strip-advice ck-severity ck-severity-${level}`} data-testid="strip-advice"
        @click=${() => this.console.open("situation")}><i class=${`ti ti-${icon}`} aria-hidden="true"></i><span>${text}</span></button>`;
    }
    const { icon, label } = SEVERITY[worst.severity];
    return html`<button type="button" class=${`ck-strip-advice ck-severity ck-severity-${worst.severity}`}
      data-testid="strip-advice" @click=${() => this.console.open("situation")}>
      <i class=${`ti ti-${icon}`} aria-hidden="true"></i>
      <span><b class="ck-severity-word">${label}</b> ${worst.text}
        ${this.store.openAdvice.length > 1 ? html`<span class="ck-muted">· ${t("{count} more", { count: this.store.openAdvice.length - 1 })}</span>` : nothing}</span>
    </button>`;
  }

  renderGate(gate) {
    const forecast = this.store.forecasts[gate.site_id];
    const values = this.store.valuesOf(gate.site_id);
    const way = forecast && this.store.moment === null ? trend(forecast, this.console.now()) : null;
    const yards = this.store.yardsOf(gate.site_id);
    const known = yards.filter(({ free }) => free != null);
    const free = known.length ? formatNumber(known.reduce((sum, yard) => sum + Math.max(0, yard.free), 0)) : "–";
    const level = values && values.severity !== undefined ? (values.severity ?? "ok") : "";
    return html`<button type="button" class=${`ck-strip-gate ck-strip-${level}`} data-testid=${`strip-${gate.site_id}`}
      @click=${() => this.console.showGate(gate.site_id)}>
      <span class="ck-strip-name">${gate.name}
        ${forecast?.made_at && isOld(forecast, this.console.now()) ? html`<small class="ck-strip-old" data-testid=${`strip-${gate.site_id}-old`}><i class="ti ti-clock-exclamation" aria-hidden="true"></i> ${t("The forecast is old: {time}", { time: formatClock(forecast.made_at) })}</small>` : nothing}</span>
      <span class="ck-strip-figures">
        <span><b class="ck-strip-big">${values ? formatNumber(values.queue[1]) : "–"}</b><small>${t("trucks waiting")}</small></span>
        <span><b>${formatWait(values?.wait_s, values?.reach_s) || "–"}</b><small>${t("wait")}</small></span>
        ${way ? html`<span class=${`ck-trend ck-trend-${way.direction}`}><b><i class=${`ti ti-${TREND[way.direction].icon}`} aria-hidden="true"></i>
          ${way.change > 0 ? "+" : ""}${formatNumber(way.change)}</b><small>${TREND[way.direction].word()} / ${t("{hours} h", { hours: 1 })}</small></span>` : nothing}
        ${this.store.moment === null || this.store.isPast ? html`<span><b>${free}</b><small>${t("free in yards")}</small></span>` : nothing}
      </span>
    </button>`;
  }
}

customElements.define("police-strip", PoliceStrip);
