// The card of a truck on the live map: what is known of it now, its place in the queue, and what the page adds (`cardMore`).

import { html, nothing } from "lit";
import { formatClock, formatDayClock, formatDuration, formatNumber, t } from "/static/i18n.js";
import { shapeOf } from "./icons.js";

/** The card of the truck that is open on `map`, a <live-map>. */
export function renderTruckCard(map, truck) {
  const state = map.legend.trucks.find((entry) => entry.state === truck.state);
  const age = Math.max(0, (map.newestTime() - Date.parse(truck.time)) / 1000);
  const trip = map.trip?.trip_id === truck.trip_id ? map.trip : null;
  const code = trip?.code || `#${truck.trip_id}`;
  const at = truck.km == null ? (truck.place ? null : t("off the road")) : `${truck.road || ""} km ${formatNumber(truck.km, 1)}`;
  const place = [at, truck.site ? map.siteName(truck.site) : null].filter(Boolean).join(" · ");
  return html`<section class="ck-map-card" data-testid="truck-card" aria-label=${truck.plate}>
    <header><span class="ck-plate">${truck.plate}</span>
      <button type="button" class="btn-close" aria-label=${t("Close")} @click=${() => { map.opened = null; }}></button></header>
    <p class="ck-map-card-state">${state ? html`${shapeOf(state)} ${map.nameOf(state)}` : truck.state}</p>
    ${truck.gps_overdue_s ? html`<p class="ck-severity ck-severity-warning" data-testid="gps-overdue"><i class="ti ti-wifi-off" aria-hidden="true"></i>
      ${t("A position is overdue by {time}", { time: formatDuration(truck.gps_overdue_s) })}</p>` : nothing}
    <dl>
      <dt>${t("Place")}</dt><dd>${place || "–"}</dd>
      <dt>${t("Speed")}</dt><dd>${truck.speed_mps == null ? "–" : `${formatNumber(truck.speed_mps * 3.6)} km/h`}</dd>
      <dt>${t("Gate")}</dt><dd>${truck.gate ? map.siteName(truck.gate) : "–"}</dd>
      <dt>${t("Goods")}</dt><dd>${trip?.goods || truck.goods_class || "–"}${truck.perishable ? html` <span
        class="badge bg-orange-lt"><i class="ti ti-snowflake" aria-hidden="true"></i> ${t("perishable")}</span>` : nothing}${trip?.hazard_classes?.length ? html`<br><span class="ck-severity-alarm" data-testid="truck-hazard"><i
        class="ti ti-alert-triangle" aria-hidden="true"></i> ${t("Dangerous goods, class {classes}", { classes: trip.hazard_classes.join(", ") })}</span>` : nothing}</dd>
      <dt>${t("Last fix")}</dt><dd>${age < 86400 ? t("{age} ago", { age: age < 60 ? `${Math.round(age)} s` : formatDuration(age) }) : formatDayClock(truck.time)}</dd>
      ${truck.trip_id ? html`<dt>${t("Trip")}</dt><dd data-testid="truck-trip">${map.tripHref
        ? html`<a href=${map.tripHref.replace("{trip_id}", truck.trip_id)}>${code}</a>` : code}${trip ? html`<br><small>${trip.organisation}</small>` : nothing}</dd>` : nothing}
    </dl>
    ${map.past || map.queuePlace?.trip_id !== truck.trip_id ? nothing : renderQueuePlace(map.queuePlace)}
    ${map.cardMore?.(truck, trip) ?? nothing}
    ${truck.simulated ? html`<p class="ck-source"><i class="ti ti-flask" aria-hidden="true"></i> ${t("Simulated truck")}</p>` : nothing}
  </section>`;
}

function renderQueuePlace(place) {
  return html`<div class="ck-map-card-queue" data-testid="queue-place">
    <p><strong data-testid="queue-number">${place.headline}</strong></p>
    <p data-testid="queue-ahead">${place.ahead_text}</p>
    <p data-testid="queue-expected"><i class="ti ti-clock" aria-hidden="true"></i> ${place.expected_text}</p>
    ${place.notes.map((note) => html`<p class="ck-muted">${note}</p>`)}
    ${place.moves.length ? html`<ul class="ck-moves" aria-label=${t("Why the place moved")}>${place.moves.map((move) => html`<li data-testid="queue-move"><i
      class=${`ti ti-${move.icon}`} aria-hidden="true"></i> <span>${move.text}</span> <small class="ck-muted">${formatClock(move.at)}</small></li>`)}</ul>` : nothing}
  </div>`;
}
