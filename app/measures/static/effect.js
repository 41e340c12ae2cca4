// <order-effect>: queue and wait at the gates that a draft touches, without and with the order, before it is sent.
//
// `draft` is a body of `POST /api/v1/orders`, or null. A changed draft ends what is being computed and begins again.

import { LitElement, html, nothing } from "lit";
import { stream } from "/static/api.js";
import { formatDuration, formatNumber, t } from "/static/i18n.js";
import "/static/charts/fan-chart.js";

const SETTLED_MS = 700; // a draft that changes no more for so long is computed
const LONG_WAIT_S = 3 * 3600;
const QUANTILES = [0.1, 0.5, 0.9];

class OrderEffect extends LitElement {
  static properties = { draft: { attribute: false }, share: { state: true }, effect: { state: true }, problem: { state: true } };

  createRenderRoot() {
    return this;
  }

  willUpdate(changed) {
    if (!changed.has("draft")) return;
    const key = this.draft && JSON.stringify({ ...this.draft, text: null });
    if (key === this.key) return;
    this.key = key;
    this.stop();
    this.effect = null;
    this.problem = "";
    this.share = this.draft ? 0 : null;
    if (this.draft) this.timer = setTimeout(() => this.load(this.draft), SETTLED_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.stop();
  }

  stop() {
    clearTimeout(this.timer);
    this.aborter?.abort();
  }

  async load(draft) {
    this.aborter = new AbortController();
    const { signal } = this.aborter;
    try {
      await stream("/api/v1/measures/effect", draft, {
        signal,
        on: (name, data) => {
          if (signal.aborted) return;
          if (name === "progress") this.share = data.share;
          if (name === "effect") this.effect = data;
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error.message;
    }
    if (!signal.aborted) this.share = null;
  }

  render() {
    if (!this.key) return nothing;
    return html`<fieldset class="ck-effect" data-testid="effect"><legend>${t("What the order would bring")}</legend>
      ${this.problem ? html`<p class="ck-muted" role="alert">${t("Could not be computed: {reason}", { reason: this.problem })}</p>`
        : this.effect ? this.renderEffect(this.effect)
          : html`<label class="ck-muted">${t("Computing without and with the order…")} <progress max="1" .value=${this.share || 0} data-testid="effect-progress"></progress></label>`}
    </fieldset>`;
  }

  renderEffect(effect) {
    const { missing, text, room, reached, recipients } = effect;
    if (missing) return html`<p class="ck-muted" data-testid="effect-missing"><i class="ti ti-eye-off" aria-hidden="true"></i> ${text}</p>`;
    return html`<p data-testid="effect-saved"><b>${text}</b></p>
      ${reached < recipients ? html`<p class="ck-muted">${t("{reached} of {recipients} trucks can still do it.", { reached, recipients })}</p>` : nothing}
      ${room ? this.renderRoom(room) : nothing}
      <p class="ck-effect-key"><span class="ck-effect-without">━ ${t("without the order")}</span> <span class="ck-effect-with">╍ ${t("with the order")}</span></p>
      ${effect.gates.map((gate) => this.renderGate(gate, effect))}`;
  }

  renderRoom({ name, capacity, left }) {
    const figures = { site: name, capacity: formatNumber(capacity) };
    return left < 0
      ? html`<p class="ck-severity ck-severity-warning" data-testid="effect-room"><i class="ti ti-alert-triangle" aria-hidden="true"></i> ${t("{site}: {missing} places too few of {capacity}", { ...figures, missing: formatNumber(-left) })}</p>`
      : html`<p data-testid="effect-room"><i class="ti ti-parking" aria-hidden="true"></i> ${t("{site}: {left} of {capacity} places left", { ...figures, left: formatNumber(left) })}</p>`;
  }

  renderGate(gate, { made_at: madeAt, step_s: stepS }) {
    const words = [{ name: t("without the order") }, { name: t("with the order"), look: "variant" }];
    const chart = (series, label, unit, scale, peaks) => html`<figure><figcaption>${label}
        <span class="ck-effect-peak">${t("Peak")} <b>${peaks[0]} → ${peaks[1]}</b></span></figcaption>
      <fan-chart .label=${label} .fan=${{
    made_at: madeAt, step_s: stepS, quantiles: QUANTILES, unit, scale, digits: 0,
    fans: words.map((look, i) => ({ ...look, values: [series.without, series.with][i] })),
  }}></fan-chart></figure>`;
    return html`<div data-testid=${`effect-${gate.gate_id}`}>
      ${chart(gate.queue_veh, t("{name}: queue, trucks", { name: gate.name }), t("trucks"), 1, gate.peak_veh.map((veh) => formatNumber(Math.round(veh))))}
      ${this.renderWait(gate, chart)}</div>`;
  }

  /** A wait of more than a few hours reads better in hours. */
  renderWait({ name, wait_s: waits, peak_wait_s: peaks }, chart) {
    const isLong = Math.max(...peaks) > LONG_WAIT_S;
    const label = isLong ? t("{name}: wait, hours", { name }) : t("{name}: wait, minutes", { name });
    return chart(waits, label, isLong ? t("h") : t("min"), isLong ? 3600 : 60, peaks.map((wait) => formatDuration(wait)));
  }
}

customElements.define("order-effect", OrderEffect);
