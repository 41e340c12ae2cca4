// <live-map>: the corridor with its trucks, queues, gates and yards. Shared by all pages that show a map.
//
// Attributes: `live` loads /api/v1/positions and follows the event stream; `compact` starts without the legend
// and is for small maps; `label` is the accessible name; `trip-href` links trips, as "/enterprise/trips/{trip_id}".
// Methods: setTrucks(features), patchTrucks(list), setYards({id: {inside, free, capacity, peak}}), setQueues({gate: n}),
// setTails({gate: {now_km, p10_km, p50_km, p90_km, when}}), mark(ids), setSelection(selection), setTrail([[lon, lat]]),
// startTool(kind), stopTool(), finishTool(), fitCorridor(), showGate(id), showTruck(id), showStretch(road, kmA, kmB).
// Properties: `trucks` (a Trucks), `corridor`, `tool`, `past` (greys trucks and says so), `ready` (a promise), `cardMore`
// (a function (truck, trip) → what a page adds to a truck's card).
// Events: map-ready, trucks-change {count}, truck-open {truck}, site-open {site}, selection-change {selection, done},
// tool-change {tool}. Include map/live-map.css, vendor maplibre-gl.css, and MAP_STRINGS of map_strings.html.

import { AttributionControl, Map as GlMap, NavigationControl, ScaleControl } from "maplibre-gl";
import { LitElement, html, nothing } from "lit";
import { api } from "/static/api.js";
import { on } from "/static/events.js";
import { language, t } from "/static/i18n.js";
import { BinLayer } from "./bins.js";
import { loadCorridor } from "./corridor.js";
import { FlowLayer, flowByEdge } from "./flow.js";
import { addImages, shapeOf } from "./icons.js";
import { SiteMarks } from "./marks.js";
import { SatelliteControl } from "./satellite.js";
import { loadStyle } from "./style.js";
import { tailFeatures } from "./tails.js";
import { Tool, selectionFeatures } from "./tools.js";
import { renderTruckCard } from "./truck-card.js";
import { Trucks } from "./trucks.js";

const FLOW_MS = 2000;
const HUSH_MS = 60_000;
const UNHEARD_MS = 5000;
const SOURCES_MS = 8000;
const LEGEND_KEPT = "ck-legend";
const BIN_OPACITIES = [["truck-bin", "circle-opacity"], ["truck-bin", "circle-stroke-opacity"], ["truck-bin-count", "text-opacity"]];
const AT_GATE = new Set(["queued", "in_the_yard"]);
const RETRY_MS = 10_000;
const paper = matchMedia("print");
const collection = (features) => ({ type: "FeatureCollection", features });

export class LiveMap extends LitElement {
  static properties = {
    live: { type: Boolean },
    compact: { type: Boolean },
    label: {},
    past: { attribute: false },
    tool: { state: true },
    opened: { state: true },
    legendOpen: { state: true },
    problem: { state: true },
    legend: { state: true },
    count: { state: true },
    notice: { state: true },
    trip: { state: true },
    queuePlace: { state: true },
    tripHref: { attribute: "trip-href" },
  };

  constructor() {
    super();
    this.trucks = new Trucks(() => this.trucksChanged(), () => !this.bins.hidesTrucks);
    this.flow = new FlowLayer();
    this.bins = new BinLayer(() => Boolean(this.tool), () => this.trucks.schedule(true));
    this.tails = {};
    this.selection = null;
    this.trail = [];
    this.past = "";
    this.count = null;
    this.stops = [];
    this.ready = new Promise((resolve) => { this.becomeReady = resolve; });
  }

  createRenderRoot() {
    return this; // page styles apply; parts are found by their test ids
  }

  connectedCallback() {
    super.connectedCallback();
    // On paper a dark map is turned light as it stands (live-map.css): a style would come too late for the printer.
    this.themeListener = () => this.map && !paper.matches && document.documentElement.dataset.bsTheme !== this.dataset.drawn && this.restyle();
    document.addEventListener("theme", this.themeListener);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    document.removeEventListener("theme", this.themeListener);
    for (const stop of this.stops) stop();
    clearInterval(this.hushTimer);
    clearTimeout(this.retry);
    clearTimeout(this.unheardTimer);
    clearTimeout(this.foldTimer);
    this.map?.remove();
  }

  firstUpdated() {
    this.legendOpen = !this.compact && (localStorage.getItem(LEGEND_KEPT) ?? (matchMedia("(min-width: 1800px)").matches ? "open" : "")) === "open";
    this.open();
  }

  async open() {
    this.problem = "";
    try {
      const fonts = document.fonts.load("600 16px 'Be Vietnam Pro'", "Đồng Đăng"); // labels are drawn from it
      const [corridor, style] = await Promise.all([loadCorridor(), loadStyle(), fonts.catch(() => null)]);
      this.corridor = corridor;
      this.begin(style);
      if (this.live) await this.follow();
    } catch (error) {
      this.problem = error.message;
    }
  }

  begin(style) {
    this.dataset.drawn = style.metadata["cuakhau:theme"];
    this.map = new GlMap({
      container: this.querySelector(".ck-map-canvas"),
      style,
      bounds: this.corridor.bounds,
      fitBoundsOptions: { padding: this.padding() },
      attributionControl: false,
      maxZoom: 18,
      minZoom: 6,
      pixelRatio: devicePixelRatio * (this.currentCSSZoom ?? 1),
      dragRotate: false,
      pitchWithRotate: false,
      fadeDuration: 0,
      locale: {
        "NavigationControl.ZoomIn": t("Zoom in"), "NavigationControl.ZoomOut": t("Zoom out"),
        "Map.Title": this.label || t("Map of the corridor"), "AttributionControl.ToggleAttribution": t("Sources"),
      },
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-left");
    if (style.sources.satellite) this.map.addControl(new SatelliteControl(), "top-right");
    this.map.addControl(new ScaleControl({ maxWidth: 90 }), "bottom-left");
    this.map.addControl(new AttributionControl({ compact: true }), "bottom-left");
    this.map.once("load", () => { this.foldTimer = setTimeout(() => this.foldAttribution(), this.clientWidth < 600 ? 0 : SOURCES_MS); });
    this.map.on("error", ({ error }) => console.warn("map:", error?.message));
    this.map.on("webglcontextlost", () => { this.problem = t("The map lost its graphics. Reload the page."); });
    this.legend = style.metadata["cuakhau:legend"];
    this.marks = new SiteMarks(this.corridor, (site) => this.emit("site-open", { site }));
    this.marks.attach(this.map);
    this.map.on("click", "truck", (event) => this.clickTruck(event));
    this.map.on("mouseenter", "truck", () => { this.map.getCanvas().style.cursor = "pointer"; });
    this.map.on("mouseleave", "truck", () => { this.map.getCanvas().style.cursor = ""; });
    this.map.on("style.load", () => this.dress());
    this.map.once("load", () => {
      this.becomeReady(this.map);
      this.dataset.ready = "true";
      performance.mark("map-ready");
      this.emit("map-ready");
    });
    this.hushTimer = setInterval(() => !this.past && this.trucks.hush(), HUSH_MS);
  }

  /** The sources fold to their button: at once on a phone, elsewhere when they have been seen. */
  foldAttribution() {
    const element = this.querySelector(".maplibregl-ctrl-attrib");
    element?.removeAttribute("open");
    element?.classList.remove("maplibregl-compact-show");
  }

  /** What a fresh style lacks: images and live data. */
  dress() {
    addImages(this.map, this.legend);
    this.flow.reset();
    this.trucks.attach(this.map);
    this.bins.attach(this.map);
    this.drawTails();
    this.setSelection(this.selection);
    this.showPast();
  }

  async restyle() {
    const style = await loadStyle();
    this.legend = style.metadata["cuakhau:legend"];
    this.dataset.drawn = style.metadata["cuakhau:theme"];
    this.map.setStyle(style, { diff: false });
  }

  async follow() {
    const load = async () => {
      clearTimeout(this.retry);
      try {
        const { features } = await api("GET", "/api/v1/positions");
        this.notice = "";
        if (!this.past) this.setTrucks(features);
      } catch (error) {
        this.notice = t("Positions could not be loaded: {reason}", { reason: error.message });
        this.retry = setTimeout(load, RETRY_MS);
      }
    };
    this.stops = [
      on("positions", (list) => this.past || this.patchTrucks(list)),
      on("resync", load),
      on("forecast", () => this.loadQueuePlace()),
      on("reconnected", load),
      on("trip", ({ vehicle_id: id, stage }) => this.followUnheard(id, stage, load)),
    ];
    await load();
  }

  /** A truck without GPS sends no positions: that it came to a gate or left it is seen when all are loaded again. */
  followUnheard(id, stage, load) {
    const known = this.trucks.byId.get(id);
    const isConcerned = known ? known.state === "here_silent" : AT_GATE.has(stage);
    if (!isConcerned || this.past || this.unheardTimer) return;
    this.unheardTimer = setTimeout(() => {
      this.unheardTimer = 0;
      load();
    }, UNHEARD_MS);
  }

  emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }

  trucksChanged() {
    this.count = this.trucks.byId.size;
    const now = performance.now();
    if (!(now - this.flowAt < FLOW_MS)) {
      this.flowAt = now;
      this.flow.show(this.map, flowByEdge(this.trucks.byId.values(), this.corridor.freeSpeedMps, this.legend));
      this.bins.show([...this.trucks.byId.values()]);
    }
    if (this.opened) this.opened = this.trucks.byId.get(this.opened.vehicle_id) || this.opened;
    this.emit("trucks-change", { count: this.count });
  }

  setTrucks(features) {
    this.trucks.replace(features);
    this.flowAt = 0;
    this.count = features.length;
  }

  patchTrucks(list) {
    this.trucks.patch(list);
  }

  setYards(yards) {
    this.marks?.setYards(yards);
  }

  setQueues(queues) {
    this.marks?.setQueues(queues);
  }

  setTails(tails) {
    if (JSON.stringify(tails) === JSON.stringify(this.tails)) return;
    this.tails = tails;
    this.drawTails();
  }

  drawTails() {
    const features = Object.entries(this.tails).flatMap(([gateId, tail]) => {
      const gate = this.corridor?.site(gateId);
      return gate ? tailFeatures(this.corridor, gate, tail) : [];
    });
    this.map?.getSource("tail")?.setData(collection(features));
  }

  mark(ids) {
    this.trucks.mark(ids);
  }

  setSelection(selection) {
    this.selection = selection;
    this.map?.getSource("selection")?.setData(collection([...selectionFeatures(this.corridor, selection), ...this.trail]));
  }

  /** Where the truck of the open card was; it goes with the card. */
  setTrail(coordinates) {
    this.trail = coordinates.length > 1 ? [{ type: "Feature", properties: { what: "trail" }, geometry: { type: "LineString", coordinates } }] : [];
    this.setSelection(this.selection);
  }

  startTool(kind) {
    this.stopTool();
    this.tool = kind;
    this.opened = null;
    this.activeTool = new Tool(kind, this.map, this.corridor, {
      selection: this.selection,
      onChange: (selection, done) => {
        this.setSelection(selection);
        this.emit("selection-change", { selection, done });
      },
      onEnd: () => {
        this.activeTool = null;
        this.tool = "";
        this.emit("tool-change", { tool: "" });
      },
    });
    this.emit("tool-change", { tool: kind });
    this.map.getCanvas().focus();
  }

  stopTool() {
    this.activeTool?.stop();
  }

  finishTool() {
    this.activeTool?.finish();
  }

  padding() {
    if (this.compact) return { top: 84, right: 96, bottom: 44, left: 64 };
    return this.clientWidth < 600 ? { top: 160, right: 112, bottom: 60, left: 40 } : { top: 136, right: 60, bottom: 76, left: 60 };
  }

  fitCorridor() {
    this.map.fitBounds(this.corridor.bounds, { padding: this.padding(), duration: 600 });
  }

  showGate(gateId) {
    const gate = this.corridor.site(gateId);
    this.map.easeTo({ center: gate.lonlat, zoom: 13.4, duration: 600 });
  }

  showTruck(vehicleId) {
    const truck = this.trucks.byId.get(vehicleId);
    if (!truck) return;
    this.openCard(truck);
    this.map.easeTo({ center: [truck.lon, truck.lat], zoom: Math.max(this.map.getZoom(), 13), duration: 600 });
  }

  showStretch(road, kmA, kmB) {
    const line = this.corridor.between(road, kmA, kmB);
    const [lons, lats] = [0, 1].map((i) => line.map((point) => point[i]));
    const bounds = [[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]];
    this.map.fitBounds(bounds, { padding: 90, maxZoom: 14, duration: 600 });
  }

  clickTruck(event) {
    if (this.tool) return;
    const truck = this.trucks.byId.get(event.features.at(-1).properties.vehicle_id);
    if (!truck) return;
    this.openCard(truck);
  }

  openCard(truck) {
    this.opened = truck;
    this.emit("truck-open", { truck });
    this.loadQueuePlace();
    if (this.trip?.trip_id === truck.trip_id) return;
    this.trip = null;
    if (!truck.trip_id) return;
    api("GET", `/api/v1/trips/${truck.trip_id}`).then((trip) => { this.trip = trip; }, () => null); // the card stands without it
  }

  /** The place in the queue of the truck that is open: there is none where it does not wait. */
  async loadQueuePlace() {
    const id = this.opened?.trip_id;
    const place = id ? await api("GET", `/api/v1/outlooks/${id}/queue-place`).catch(() => null) : null;
    if (this.opened?.trip_id === id) this.queuePlace = place;
  }

  showPast() {
    if (!this.map?.getLayer("truck")) return;
    const opacity = this.past === "forecast" ? 0.25 : this.past ? 0.8 : 1;
    this.map.setPaintProperty("truck", "icon-opacity", opacity);
    for (const [layer, property] of BIN_OPACITIES) this.map.setPaintProperty(layer, property, opacity);
    this.map.setPaintProperty("road", "line-opacity", this.past === "forecast" ? 0.45 : 1);
  }

  updated(changed) {
    if (changed.has("past")) this.showPast();
    if (!changed.has("opened")) return;
    this.trucks.setFocus(this.opened?.vehicle_id ?? null);
    if (this.trail.length && changed.get("opened")?.vehicle_id !== this.opened?.vehicle_id) this.setTrail([]);
  }

  nameOf(entry) {
    return entry.name[language] || entry.name.vi;
  }

  render() {
    return html`
      <div class="ck-map-canvas" data-testid="map-canvas"></div>
      ${this.tool ? this.renderHint() : nothing}
      ${this.legend && !this.problem ? this.renderLegend() : nothing}
      ${this.opened ? renderTruckCard(this, this.opened) : nothing}
      ${this.notice ? html`<p class="ck-map-note" data-testid="map-notice" role="alert"><i class="ti ti-alert-circle" aria-hidden="true"></i> ${this.notice}</p>` : nothing}
      ${this.live && this.count === 0 && !this.past && !this.notice ? html`<p class="ck-map-note" data-testid="map-empty" role="status">
        <i class="ti ti-truck-off" aria-hidden="true"></i> ${t("No truck reports its position now.")}</p>` : nothing}
      ${this.problem ? html`<div class="ck-map-problem" data-testid="map-error" role="alert">
        <i class="ti ti-map-off" aria-hidden="true"></i><p>${t("The map could not be loaded.")} ${this.problem}</p>
        <button type="button" class="btn btn-primary" @click=${() => location.reload()}>${t("Try again")}</button></div>` : nothing}`;
  }

  renderHint() {
    const hints = {
      stretch: t("Drag along the road, or press its two ends. Esc cancels."),
      polygon: t("Press the corners of the area; press the first again to close it. Esc cancels."),
      list: t("Press trucks to add or remove them."),
    };
    return html`<div class="ck-map-hint" data-testid="map-hint" role="status">
      <span>${hints[this.tool]}</span>
      ${this.tool === "stretch" ? nothing : html`<button type="button" class="btn btn-sm btn-primary"
        data-testid="tool-done" @click=${() => this.finishTool()}>${t("Done")}</button>`}
      <button type="button" class="btn btn-sm" data-testid="tool-cancel" @click=${() => this.stopTool()}>${t("Cancel")}</button>
    </div>`;
  }

  renderLegend() {
    const { trucks, roads, overlays } = this.legend;
    return html`<details class="ck-map-legend" data-testid="map-legend" ?open=${this.legendOpen}
      @toggle=${({ target }) => localStorage.setItem(LEGEND_KEPT, target.open ? "open" : "folded")}>
      <summary><i class="ti ti-list-details" aria-hidden="true"></i> ${t("Legend")}</summary>
      <ul>${trucks.map((truck) => html`<li>${shapeOf(truck)} ${this.nameOf(truck)}</li>`)}</ul>
      <ul>${roads.map((road) => html`<li><span class=${`ck-map-line ck-map-line-${road.flow}`}
        .style=${`--colour:${road.colour};--width:${road.width}px`}></span> ${this.nameOf(road)}</li>`)}
      ${overlays.map((overlay) => html`<li><span class=${`ck-map-line ck-map-line-${overlay.overlay}`}
        .style=${`--colour:${overlay.colour};--width:4px`}></span> ${this.nameOf(overlay)}</li>`)}</ul>
    </details>`;
  }

  siteName(siteId) {
    const site = this.corridor.site(siteId);
    return site ? this.nameOf(site) : siteId;
  }

  /** The newest fix of all, or now: a demonstration's clock may run faster than this machine's. */
  newestTime() {
    let newest = 0;
    for (const { time } of this.trucks.byId.values()) newest = Math.max(newest, Date.parse(time) || 0);
    return Math.abs(newest - Date.now()) > 120_000 ? newest : Math.max(newest, Date.now());
  }
}

customElements.define("live-map", LiveMap);
