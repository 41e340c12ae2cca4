// Gates and yards on the map: shapes that fill with their occupancy. Far out a gate and its yards are one mark.

import { Marker } from "maplibre-gl";
import { html, nothing, render, svg } from "lit";
import { formatClock, formatNumber, language, t } from "/static/i18n.js";

const APART_ZOOM = 12.8; // closer than this, yards stand for themselves
const APART_PX = 4;
const nameOf = (site) => site.name[language] || site.name.vi;

/** Share of places taken, and how that is told: ok, tight, full or unknown. */
export function fullness(inside, capacity) {
  if (inside == null || capacity == null) return { share: 0, level: "unknown" };
  const share = capacity ? inside / capacity : 1; // closed: there is no place
  return { share, level: share >= 1 ? "full" : share >= 0.85 ? "tight" : "ok" };
}

const heightOf = (share) => Math.round(Math.min(1, Math.max(0, share)) * 20);

/** The most that a yard's forecast (as the API has it) expects inside, by its middle quantile, and when; null: none. */
export function peakOf(forecast) {
  const middle = forecast?.occupancy_veh[forecast.quantiles.indexOf(0.5)];
  if (!middle?.length) return null;
  const most = Math.max(...middle);
  return { most, at: Date.parse(forecast.made_at) + middle.indexOf(most) * forecast.step_s * 1000 };
}

/** A yard as a box filled from below, with its numbers; a dashed line and a number say the most that is expected. */
export function yardShape({ inside, free = null, capacity, peak = null }) {
  const onlyFree = inside == null && free != null; // as of the past: how many places were told to be free
  const { share, level } = fullness(onlyFree ? capacity - free : inside, capacity);
  const height = heightOf(share);
  const most = Math.round(peak?.most ?? 0);
  const rises = capacity && most > (inside ?? most);
  const ahead = 22 - heightOf(most / (capacity || 1));
  const told = rises ? t("{count} expected at {time}", { count: formatNumber(most), time: formatClock(peak.at) }) : nothing;
  return html`<span class="ck-fill ck-fill-${level}" title=${told}>
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <rect class="ck-fill-level" x="2" y=${22 - height} width="20" height=${height}></rect>
      ${rises ? svg`<line class="ck-fill-ahead" x1="2" x2="22" y1=${ahead} y2=${ahead}></line>` : nothing}
      <rect class="ck-fill-edge" x="2" y="2" width="20" height="20" rx="3"></rect>
    </svg>
    ${onlyFree ? html`<b>${t("{count} free", { count: formatNumber(free) })}</b>` : html`<b>${inside == null ? "–" : formatNumber(inside)}</b><span class="ck-fill-of">${capacity === 0 ? ` · ${t("closed now")}` : `/${formatNumber(capacity)}`}</span>`}
    ${rises ? html`<span class="ck-fill-peak"><i class="ti ti-arrow-up-right" aria-hidden="true"></i>${formatNumber(most)}${most >= capacity ? " !" : ""}</span>` : nothing}
  </span>`;
}

export class SiteMarks {
  /** `onPick(site)` is called when somebody presses a mark. */
  constructor(corridor, onPick) {
    this.corridor = corridor;
    this.onPick = onPick;
    this.yards = new Map();
    this.queues = new Map();
    this.marks = [];
    this.apart = null;
  }

  attach(map) {
    this.map = map;
    const middle = (this.corridor.gates.reduce((sum, gate) => sum + gate.lonlat[0], 0) / this.corridor.gates.length) || 0;
    this.marks = this.corridor.sites.filter(({ kind }) => kind === "gate" || kind === "yard").map((site) => {
      const element = document.createElement("button");
      element.type = "button";
      element.className = `ck-mark ck-mark-${site.kind}`;
      element.dataset.testid = `map-${site.kind}-${site.site_id}`;
      element.addEventListener("click", (event) => {
        event.stopPropagation();
        this.onPick(site);
      });
      const toRight = site.kind === "yard" ? site.lonlat[0] >= middle : site.lonlat[0] > middle;
      const anchor = `${site.kind === "yard" ? "top" : "bottom"}-${toRight ? "left" : "right"}`;
      const offset = [toRight ? 14 : -14, site.kind === "yard" ? 4 : -12];
      const marker = new Marker({ element, anchor, offset }).setLngLat(site.lonlat).addTo(map);
      return { site, element, marker, offset, toRight };
    });
    map.on("zoom", () => this.draw(false));
    map.on("move", () => this.spread());
    this.draw(true);
  }

  /** Occupancy of the yards: `{yard_id: {inside, free, capacity, peak}}`, `peak` as `peakOf` says it; `free` is shown where `inside` is null. */
  setYards(yards) {
    this.yards = new Map(Object.entries(yards));
    this.draw(true);
  }

  /** Trucks that wait at each gate: `{gate_id: number | null}`. */
  setQueues(queues) {
    this.queues = new Map(Object.entries(queues));
    this.draw(true);
  }

  yard(site) {
    return { capacity: site.attributes.capacity_veh, inside: null, ...this.yards.get(site.site_id) };
  }

  /**
   * Marks of what is seen stay whole on the map, beside its buttons. Those that would cover each other go apart, up or
   * down: the nearest free place, on the map if there is one.
   */
  spread() {
    const placed = [];
    const container = this.map.getContainer();
    const { clientWidth: right, clientHeight: bottom } = container;
    const left = container.querySelector(".maplibregl-ctrl-top-left")?.offsetWidth ?? 0; // its buttons
    for (const { site, element, marker, offset, toRight } of this.marks) {
      if (element.hidden) continue;
      const { offsetWidth: width, offsetHeight: height } = element;
      const point = this.map.project(site.lonlat);
      const wantedX = point.x + offset[0] - (toRight ? 0 : width);
      const isSeen = point.x >= 0 && point.x <= right;
      const x = isSeen ? Math.max(Math.min(wantedX, right - width - APART_PX), left + APART_PX) : wantedX;
      const wanted = point.y + offset[1] - (site.kind === "yard" ? 0 : height);
      const beside = placed.filter((one) => x < one.x + one.width && one.x < x + width);
      const isFree = (y) => beside.every((one) => y >= one.y + one.height || one.y >= y + height);
      const cost = (y) => Math.abs(y - wanted) + (y < 0 || y + height > bottom ? bottom : 0);
      const places = [wanted, ...beside.flatMap((one) => [one.y - height - APART_PX, one.y + one.height + APART_PX])];
      const y = places.filter(isFree).sort((a, b) => cost(a) - cost(b))[0] ?? wanted;
      marker.setOffset([offset[0] + x - wantedX, offset[1] + y - wanted]);
      placed.push({ x, y, width, height });
    }
  }

  draw(all) {
    const apart = this.map && this.map.getZoom() >= APART_ZOOM;
    if (!all && apart === this.apart) return;
    this.apart = apart;
    for (const { site, element } of this.marks) {
      const isGate = site.kind === "gate";
      element.hidden = !isGate && !apart;
      const yards = isGate && !apart
        ? this.corridor.sites.filter(({ kind, gate_id: gate }) => kind === "yard" && gate === site.site_id)
        : [];
      const queue = this.queues.get(site.site_id);
      render(isGate
        ? html`<span class="ck-mark-name"><i class="ti ti-building-arch" aria-hidden="true"></i>${nameOf(site)}</span>
            <span class="ck-mark-row"><b>${queue == null ? "–" : formatNumber(queue)}</b> ${t("waiting")}</span>
            ${yards.map((yard) => html`<span class="ck-mark-row" title=${nameOf(yard)}>${yardShape(this.yard(yard))}</span>`)}`
        : html`<span class="ck-mark-name">${nameOf(site)}</span>${yardShape(this.yard(site))}`, element);
    }
    if (this.map) this.spread();
  }
}
