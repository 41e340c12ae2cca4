// <release-plan>: how many of the trucks held for a gate to let go in each quarter of an hour, and the orders for it.
//
// `gate` is the gate's id; `take(draft)` takes an area's plan into the order composer.

import { LitElement, html, nothing } from "lit";
import { api } from "/static/api.js";
import { formatClock, formatNumber, t } from "/static/i18n.js";
import "/static/charts/fan-chart.js";

const QUANTILES = [0.1, 0.5, 0.9];

class ReleasePlan extends LitElement {
  static properties = { gate: {}, take: { attribute: false }, plan: { state: true }, problem: { state: true }, busy: { state: true } };

  createRenderRoot() {
    return this;
  }

  async load() {
    this.busy = true;
    this.problem = "";
    try {
      this.plan = await api("GET", `/api/v1/measures/release-plan?gate=${encodeURIComponent(this.gate)}`);
    } catch (error) {
      this.problem = error.message;
    }
    this.busy = false;
  }

  render() {
    return html`<button type="button" class="btn btn-sm" data-testid=${`release-plan-${this.gate}`} ?disabled=${this.busy} @click=${() => this.load()}>
        <i class="ti ti-chart-bar" aria-hidden="true"></i> ${this.busy ? t("Computing the release plan…") : t("Release plan")}</button>
      ${this.problem ? html`<p class="ck-muted" role="alert">${t("Could not be computed: {reason}", { reason: this.problem })}</p>` : nothing}
      ${this.plan && !this.busy ? this.renderPlan(this.plan) : nothing}`;
  }

  renderPlan(plan) {
    if (plan.missing) return html`<p class="ck-muted" data-testid="release-plan-missing">${plan.text}</p>`;
    const label = t("Queue with the plan, trucks");
    return html`<div class="ck-plan" data-testid="release-plan">
      <p>${plan.text}</p>
      ${plan.areas.map((area) => this.renderArea(area, plan))}
      <figure><figcaption>${label}</figcaption><fan-chart .label=${label} .fan=${{
    made_at: plan.made_at, step_s: plan.step_s, quantiles: QUANTILES, unit: t("trucks"), digits: 0,
    level: plan.limit_veh, fans: [{ values: plan.queue_veh }],
  }}></fan-chart></figure></div>`;
  }

  renderArea({ site_id: siteId, name, held, release_veh: release, draft }, { made_at: madeAt, slot_s: slotS }) {
    const most = Math.max(1, ...release);
    const time = (slot) => formatClock(Date.parse(madeAt) + slot * slotS * 1000);
    const words = release.map((veh, slot) => [veh, slot]).filter(([veh]) => veh).map(([veh, slot]) => `${time(slot)}: ${veh}`).join(", ");
    return html`<figure><figcaption><span>${t("{name}: {held} trucks held, let go in each quarter of an hour", { name, held: formatNumber(held) })}</span></figcaption>
      <div class="ck-plan-bars" role="img" aria-label=${words || "0"}>${release.map((veh, slot) => html`<span title=${`${time(slot)}: ${veh}`}>
        <b>${veh || ""}</b><i .style=${`height:${(48 * veh) / most}px`}></i>${slot % 4 ? nothing : html`<small>${time(slot)}</small>`}</span>`)}</div>
      <button type="button" class="btn btn-sm btn-primary ck-act" data-testid=${`release-order-${siteId}`} @click=${() => this.take(draft)}>
        <i class="ti ti-send" aria-hidden="true"></i> ${t("Order")}</button></figure>`;
  }
}

customElements.define("release-plan", ReleasePlan);
