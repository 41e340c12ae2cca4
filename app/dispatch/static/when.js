// When an order holds: counted from the moment it is sent, or until a fixed time.

import { html, nothing } from "lit";
import { formatClock, t } from "/static/i18n.js";
import { fromLocal, toLocal } from "./local-time.js";

const MINUTE_MS = 60e3;
const HOURS = [1, 2, 4, 8];

/** Two hours from when it is sent. */
export const usualTime = () => ({ start_min: 0, hold_min: 120, until: null });

/** The times of a draft that was written elsewhere: a beginning in the future, a fixed end. */
export function timeOf({ valid_from: from, valid_to: to }, now) {
  const ahead = from ? Math.round((Date.parse(from) - now) / MINUTE_MS) : 0;
  return { ...usualTime(), start_min: Math.max(0, ahead), ...(to ? { until: Date.parse(to) } : {}) };
}

/** `valid_from` (left out: at once) and `valid_to` of an order sent at `now`. */
export function resolveTime({ start_min: start, hold_min: hold, until }, now) {
  const from = now + start * MINUTE_MS;
  return {
    ...(start > 0 ? { valid_from: new Date(from).toISOString() } : {}),
    valid_to: new Date(until ?? from + hold * MINUTE_MS).toISOString(),
  };
}

/** The fields; `change` takes what was changed. */
export function renderWhen(when, now, change) {
  const { start_min: start, hold_min: hold, until } = when;
  const number = (name, label, value, min, factor = 1) => html`<label class="form-label">${label}<input type="number" class="form-control" min=${min} step="any"
    data-testid=${`when-${name}`} .value=${String(value / factor)} @change=${(event) => event.target.value !== ""
      && change({ [name]: Math.max(min * factor, Math.round(Number(event.target.value) * factor)), ...(name === "hold_min" ? { until: null } : {}) })}></label>`;
  return html`<fieldset class="ck-when"><legend>${t("When")}</legend>
    ${number("start_min", t("Begins after, minutes (0: at once)"), start, 0)}
    ${until == null ? number("hold_min", t("Holds for, hours"), hold, 1 / 60, 60) : html`<label class="form-label">${t("Holds until")}<input type="datetime-local" class="form-control"
      data-testid="when-until" .value=${toLocal(until)} @change=${(event) => event.target.value && change({ until: fromLocal(event.target.value) })}></label>`}
    <div class="ck-tools-row">${HOURS.map((hours) => html`<button type="button" class="btn btn-sm" aria-pressed=${until == null && hold === hours * 60}
      @click=${() => change({ hold_min: hours * 60, until: null })}>${t("{hours} h", { hours })}</button>`)}
      <button type="button" class="btn btn-sm" aria-pressed=${until != null} data-testid="when-fixed"
        @click=${() => change({ until: until == null ? now + (start + hold) * MINUTE_MS : null })}>${t("until a time…")}</button></div>
    ${until == null ? html`<p class="ck-muted ck-wide" data-testid="when-now">${t("Sent now: {from} to {to}", {
      from: formatClock(now + start * MINUTE_MS), to: formatClock(now + (start + hold) * MINUTE_MS) })}</p>` : nothing}</fieldset>`;
}
