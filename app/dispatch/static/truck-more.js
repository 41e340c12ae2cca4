// <truck-more>: what the police have beside a truck's place: when it arrives, whom to call, where it was today, an order.

import { LitElement, html, nothing } from "lit";
import { api } from "/static/api.js";
import { on } from "/static/events.js";
import { formatClock, formatWait, t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";

const DAY_MS = 24 * 3600_000;
const GATHER_MS = 1000;

class TruckMore extends LitElement {
  static properties = {
    truck: { attribute: false }, trip: { attribute: false }, console: { attribute: false },
    outlook: { state: true }, booking: { state: true }, telephone: { state: true }, hasTrail: { state: true }, busy: { state: true },
  };

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.stops = ["forecast", "booking", "resync", "reconnected"].map((type) => on(type, () => this.renew()));
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const stop of this.stops) stop();
    clearTimeout(this.renewing);
  }

  /** What lies ahead is made again each minute, with the forecasts of all gates. */
  renew() {
    clearTimeout(this.renewing);
    this.renewing = setTimeout(() => {
      this.loadOutlook(this.truck.trip_id);
      this.loadBooking(this.truck.trip_id);
    }, GATHER_MS);
  }

  willUpdate(changed) {
    if (!changed.has("truck") || changed.get("truck")?.vehicle_id === this.truck.vehicle_id) return;
    this.outlook = null;
    this.booking = null;
    this.telephone = null;
    this.hasTrail = false;
    this.loadOutlook(this.truck.trip_id);
    this.loadBooking(this.truck.trip_id);
  }

  async loadOutlook(tripId) {
    if (!tripId) return;
    const { items } = await api("GET", `/api/v1/outlooks?trip_id=${tripId}`).catch(() => ({ items: [] })); // the card stands without it
    if (this.truck.trip_id === tripId) this.outlook = items[0] ?? null;
  }

  async loadBooking(tripId) {
    if (!tripId) return;
    const { items } = await api("GET", `/api/v1/bookings?trip_id=${tripId}`).catch(() => ({ items: [] })); // the card stands without it
    if (this.truck.trip_id === tripId) this.booking = items.find((each) => each.is_shown) ?? null;
  }

  async call() {
    const { trip_id: tripId } = this.truck;
    const found = await this.attempt(() => api("GET", `/api/v1/trips/${tripId}/driver`));
    if (found && this.truck.trip_id === tripId) this.telephone = found.telephone;
  }

  async toggleTrail() {
    const { map } = this.console;
    if (this.hasTrail) {
      map.setTrail([]);
      this.hasTrail = false;
      return;
    }
    const { vehicle_id: id } = this.truck;
    const now = this.console.now();
    const span = [now - DAY_MS, now].map((time) => encodeURIComponent(new Date(time).toISOString()));
    const track = await this.attempt(() => api("GET", `/api/v1/vehicles/${id}/track?from=${span[0]}&to=${span[1]}`));
    if (!track || this.truck.vehicle_id !== id) return;
    if (track.geometry?.type !== "LineString") {
      toast(t("No position of the last 24 hours is kept."), "info");
      return;
    }
    map.setTrail(track.geometry.coordinates);
    this.hasTrail = true;
  }

  async attempt(ask) {
    this.busy = true;
    try {
      return await ask();
    } catch (error) {
      toast(error.message, "danger");
      return null;
    } finally {
      this.busy = false;
    }
  }

  order() {
    this.console.compose({ vehicle: this.truck.vehicle_id });
    this.console.map.opened = null;
  }

  render() {
    const { arrive_at: arrive, wait_s: wait, yard } = this.outlook ?? {};
    return html`<dl>
        ${this.trip?.driver ? html`<dt>${t("Driver")}</dt><dd>${this.trip.driver}<br>${this.renderTelephone()}</dd>` : nothing}
        ${arrive?.[1] ? html`<dt>${t("Arrival at the queue")}</dt><dd data-testid="truck-arrival">${formatClock(arrive[1])}</dd>` : nothing}
        ${wait ? html`<dt>${t("Expected wait")}</dt><dd>${formatWait(wait)}</dd>` : nothing}
        ${yard ? html`<dt>${t("Place in a yard")}</dt><dd data-testid="truck-yard">${yard.yard_id ? html`${this.console.nameOfSite(yard.yard_id)}<br>${yard.text}<br>` : nothing}<span class="ck-muted">${yard.reason}</span></dd>` : nothing}
        ${this.renderBooking()}
      </dl>
      <p class="ck-truck-acts">
        <button type="button" class="btn btn-sm btn-primary ck-act" data-testid="truck-order" @click=${this.order}><i class="ti ti-send" aria-hidden="true"></i> ${t("Order to this truck")}</button>
        <button type="button" class="btn btn-sm" data-testid="truck-trail" aria-pressed=${String(Boolean(this.hasTrail))} ?disabled=${this.busy} @click=${this.toggleTrail}>
          <i class="ti ti-route" aria-hidden="true"></i> ${t("Trail of 24 h")}</button></p>`;
  }

  renderBooking() {
    const { booking } = this;
    if (!booking) return nothing;
    return html`<dt>${t("Booking")}</dt><dd data-testid="truck-booking"><strong>${booking.state_text}</strong><br>${booking.yard_id ? `${this.console.nameOfSite(booking.yard_id)} · ` : ""}${formatClock(booking.starts_at)}–${formatClock(booking.until)}${booking.text ? html`<br><span class="ck-muted">${booking.text}</span>` : nothing}</dd>`;
  }

  renderTelephone() {
    if (this.telephone) return html`<a href=${`tel:${this.telephone.replace(/[^+\d]/g, "")}`} data-testid="truck-telephone">${this.telephone}</a>`;
    if (this.telephone === "") return html`<span class="ck-muted">${t("no telephone on file")}</span>`;
    return html`<button type="button" class="btn btn-sm ck-act" data-testid="truck-call" ?disabled=${this.busy} @click=${this.call}>
      <i class="ti ti-phone" aria-hidden="true"></i> ${t("Show telephone")}</button>`;
  }
}

customElements.define("truck-more", TruckMore);
