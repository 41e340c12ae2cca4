// The acts tried against a risk, the best first: a bar for what each saves and a line for its range.

import { html, nothing } from "lit";
import { formatClock, formatNumber, t } from "/static/i18n.js";
import { names } from "/static/vocabulary.js";

const KINDS = names("MeasureKind");
const share = (value) => `${(100 * value).toFixed(1)}%`;

/** From hours to places on the common axis of all acts, which holds zero. */
function axisOf(items) {
  const low = Math.min(0, ...items.map(({ saved_h: saved }) => saved.low));
  const high = Math.max(1, ...items.map(({ saved_h: saved }) => saved.high));
  return (hours) => (Math.min(high, Math.max(low, hours)) - low) / (high - low);
}

function renderBar({ saved_h: { mean, low, high }, is_sure: isSure }, place) {
  const [zero, to] = [place(0), place(mean)];
  return html`<span class=${`ck-tried-axis ${isSure ? "" : "ck-tried-unsure"}`} aria-hidden="true">
    <span class="ck-tried-bar" .style=${`left:${share(Math.min(zero, to))};width:${share(Math.abs(to - zero))}`}></span>
    <span class="ck-tried-range" .style=${`left:${share(place(low))};width:${share(place(high) - place(low))}`}></span>
    <span class="ck-tried-zero" .style=${`left:${share(zero)}`}></span></span>`;
}

function renderAct(act, place, take, id, i) {
  const hours = (value) => formatNumber(Math.round(value));
  const { mean, low, high } = act.saved_h;
  const [peakBefore, peakAfter] = act.peak_veh.map((value) => formatNumber(Math.round(value)));
  const [beyondBefore, beyondAfter] = act.exceeded_h;
  return html`<li><button type="button" class="ck-tried-act" data-testid=${`advisory-${id}-act-${i}`}
      title=${t("Take into an order: {text}", { text: act.text })} @click=${() => take(act)}>
    <span class="ck-tried-text"><i class=${`ti ti-${KINDS[act.kind].icon}`} aria-hidden="true"></i> ${act.text}</span>
    <i class="ti ti-chevron-right" aria-hidden="true"></i>
    ${renderBar(act, place)}
    <span class="ck-tried-hours">${act.is_sure ? "" : html`<em>${t("no sure benefit")}</em> `}<b>${t("{mean} h ({low} to {high})", { mean: hours(mean), low: hours(low), high: hours(high) })}</b></span>
    <span class="ck-tried-more">${t("queue {without} → {with} trucks", { without: peakBefore, with: peakAfter })}
      ${beyondBefore > 0.05 ? html` · ${t("beyond the limit {without} → {with} h", { without: formatNumber(beyondBefore, 1), with: formatNumber(beyondAfter, 1) })}` : nothing}
      ${act.is_of_gate ? html` · ${t("the gate does this")}` : nothing}</span>
  </button></li>`;
}

/** `tried` as `GET /api/v1/measures` answers it; `take(act)` takes one into the order composer. */
export function renderTried(tried, take) {
  const { items, impossible, runs, weight, made_at: madeAt, advisory_id: id } = tried;
  const place = axisOf(items);
  return html`<div class="ck-tried" data-testid=${`advisory-${id}-acts`}>
    ${items.length ? html`<h4>${t("Truck-hours saved")}</h4><ol>${items.map((act, i) => renderAct(act, place, take, id, i))}</ol>`
      : html`<p>${t("Nothing that can be done now saves time or shortens the queue.")}</p>`}
    ${impossible.length ? html`<details><summary>${t("Not possible now")} (${impossible.length})</summary>
      <ul class="ck-tried-not" data-testid=${`advisory-${id}-not`}>${impossible.map(({ kind, text }) => html`<li><b>${KINDS[kind].label}:</b> ${text}</li>`)}</ul></details>` : nothing}
    ${items.length ? html`<p class="ck-source">${t("{runs} runs of the forecast at {time}, each with and without the act; bars: mean, lines: 8 of 10 runs. An hour of perishable goods counts {weight} times.", { runs, time: formatClock(madeAt), weight: formatNumber(weight, weight % 1 ? 1 : 0) })}</p>` : nothing}
  </div>`;
}
