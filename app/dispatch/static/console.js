// The control room: wires the live map, the panel's parts and the time slider together.

import { html } from "lit";
import { api } from "/static/api.js";
import { formatClock, language } from "/static/i18n.js";
import { settings } from "/static/settings.js";
import { toast } from "/static/toasts.js";
import "/static/map/live-map.js";
import { loadCorridor } from "/static/map/corridor.js";
import { peakOf } from "/static/map/marks.js";
import { stepAt, timesOf, valuesAt, worstStep } from "/static/forecasting/forecast.js";
import { Store } from "./store.js";
import { AWAY } from "./road-strip.js";
import "./heat.js";
import "./strip.js";
import "./situation.js";
import "./composer.js";
import "./orders.js";
import "./timeline.js";
import "./find.js";
import "./truck-more.js";

const HISTORY_CACHE = 60; // moments of the past kept ready
const TYPED_INTO = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, dialog"; // keys belong to it
const byId = (id) => document.getElementById(id);

class Console {
  constructor(map) {
    this.map = map;
    this.data = JSON.parse(byId("police-data").textContent);
    this.opened = performance.timeOrigin + performance.getEntriesByType("navigation")[0].responseEnd;
    this.parts = ["strip", "road", "heat", "situation", "composer", "orders", "timeline", "find"].map((name) => byId(`police-${name}`));
    this.history = new Map();
    this.tool = "";
    this.tab = "situation";
  }

  async start() {
    this.corridor = await loadCorridor();
    const named = (kinds) => this.corridor.sites.filter(({ kind }) => kinds.includes(kind)).map((site) => [site.site_id, this.nameOfSite(site.site_id)]);
    this.gates = this.corridor.gates.map((gate) => ({ ...gate, name: this.nameOfSite(gate.site_id) }));
    this.staging = named(["staging"]);
    this.yards = named(["yard", "temporary_yard"]);
    this.stops = named(["staging", "gate", "yard", "temporary_yard"]);
    this.roads = [...this.corridor.axes.keys()];
    this.choices = {
      ...this.data, goodsList: Object.entries(this.data.goods), regimeList: Object.entries(this.data.regimes),
    };
    this.store = new Store(this.gates.map(({ site_id: id }) => id), () => this.now());
    this.store.subscribe(() => this.drawMap());
    for (const part of this.parts) Object.assign(part, { console: this, store: this.store });
    this.map.cardMore = (truck, trip) => html`<truck-more .truck=${truck} .trip=${trip} .console=${this}></truck-more>`;
    this.composer = byId("police-composer");
    this.composer.begin();
    this.listen();
    await Promise.all([this.store.start(), this.map.ready]);
    this.drawMap();
    document.body.dataset.ready = "true";
  }

  listen() {
    this.map.addEventListener("selection-change", ({ detail }) => {
      if (detail.done || detail.selection?.type === "list") this.composer.takeSelection(detail.selection);
    });
    this.map.addEventListener("tool-change", ({ detail }) => {
      this.tool = detail.tool;
      this.composer.requestUpdate();
      if (!detail.tool) this.sheet(this.sheetBefore ?? "open");
    });
    this.map.addEventListener("site-open", ({ detail }) => {
      this.open("situation");
      byId("police-situation").querySelector(`[data-testid="gate-${detail.site.gate_id}"]`)?.scrollIntoView({ block: "start" });
    });
    this.map.addEventListener("trucks-change", () => this.countQueues());
    for (const tab of document.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => this.pressTab(tab.dataset.tab));
    byId("police-fit").addEventListener("click", () => this.map.fitCorridor());
    byId("police-heat-toggle").addEventListener("click", () => byId("police-heat").toggle());
    byId("police-keys-open").addEventListener("click", () => byId("police-keys").showModal());
    document.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("click", ({ target }) => {
      const shown = target.closest("[data-show-vehicle]");
      if (shown) this.showTruck(Number(shown.dataset.showVehicle));
    });
    setInterval(() => byId("police-timeline").requestUpdate(), 10_000);
  }

  // Time

  /** The platform's present in ms, by its clock as the page brought it: goes on though nothing new comes in. */
  now() {
    const { now_ms: then, speed } = this.data.clock;
    return then + (Date.now() - this.opened) * speed;
  }

  async goTo(moment) {
    this.store.setMoment(moment);
    if (moment.getTime() > this.now()) {
      await this.leavePast();
      this.map.past = "forecast";
    } else {
      this.map.past = "past";
      this.showsHistory = true;
      await this.store.past.load(this.now()).catch((error) => toast(error.message, "danger"));
      await this.loadPast(moment);
    }
    this.drawMap();
  }

  async goLive() {
    this.store.setMoment(null);
    await this.leavePast();
    this.map.past = "";
    this.drawMap();
  }

  async leavePast() {
    if (!this.showsHistory) return;
    this.showsHistory = false;
    try {
      this.map.setTrucks((await api("GET", "/api/v1/positions")).features);
    } catch (error) {
      toast(error.message, "danger");
    }
  }

  async loadPast(moment) {
    const key = moment.toISOString();
    this.wanted = key;
    try {
      if (!this.history.has(key)) {
        this.history.set(key, await api("GET", `/api/v1/history/positions?at=${encodeURIComponent(key)}`));
        if (this.history.size > HISTORY_CACHE) this.history.delete(this.history.keys().next().value);
      }
      if (this.wanted === key && this.showsHistory) {
        this.map.setTrucks(this.history.get(key).features.map(({ properties, geometry }) => this.asOfThen(properties, geometry)));
      }
    } catch (error) {
      toast(error.message, "danger");
    }
  }

  /** A position of the past as one of now: stored fixes carry a speed, but no state. */
  asOfThen(properties, { coordinates: [lon, lat] }) {
    const { road, km, direction, speed_mps: speed } = properties;
    const { stopped_mps: stoppedMps, free_mps: freeMps } = settings.motion;
    const isFree = speed == null || speed >= freeMps;
    const state = isFree ? "moving" : this.isInQueue(road, km, direction) ? "queued" : speed < stoppedMps ? "stopped" : "slow";
    return { ...properties, lon, lat, state: properties.state || state, edge_id: km == null ? null : this.corridor.edgeAt(road, km, direction) };
  }

  /** Whether a place lies in a gate's queue as it was measured at the moment shown. */
  isInQueue(road, km, direction) {
    if (km == null || direction === AWAY) return false;
    return this.gates.some((gate) => {
      const tail = gate.road === road ? this.store.valuesOf(gate.site_id)?.tail_km[1] : null;
      return tail != null && km >= gate.km && km <= tail;
    });
  }

  // The map

  drawMap() {
    if (!this.map.map) return;
    const { store } = this;
    const tails = {};
    for (const { site_id: gate } of this.gates) {
      const forecast = store.currentForecast(gate);
      const values = store.valuesOf(gate);
      if (!values) continue;
      const shown = forecast && (store.moment === null ? worstStep(forecast) : stepAt(forecast, store.moment));
      tails[gate] = { now_km: store.moment === null || shown == null ? values.tail_km[1] : null };
      if (shown == null) continue;
      const [p10, p50, p90] = valuesAt(forecast, shown).tail_km;
      Object.assign(tails[gate], { p10_km: p10, p50_km: p50, p90_km: p90, when: formatClock(timesOf(forecast)[shown]) });
    }
    this.map.setTails(tails);
    byId("police-road").drawSoon();
    this.countQueues();
    this.map.setYards(Object.fromEntries(store.yardsShown.map(({ yard_id: id, inside, free, capacity, forecast }) => [id, { inside, free, capacity, peak: peakOf(forecast) }])));
    document.body.classList.toggle("ck-shows-past", store.isPast);
    byId("police-forecast-note").hidden = this.map.past !== "forecast";
    byId("police-past-note").hidden = this.map.past !== "past";
    byId("tab-advice-count").textContent = store.openAdvice.length || "";
    byId("tab-orders-count").textContent = (store.orders || []).filter(({ status }) => status === "active").length || "";
    this.announce();
  }

  /** Say new alarms aloud to those who do not look, and their number in the title; those of the past are none. */
  announce() {
    if (this.store.isPast) return;
    const { openAdvice } = this.store;
    document.title = document.title.replace(/^(\(\d+\) )?/, openAdvice.length ? `(${openAdvice.length}) ` : "");
    const worst = openAdvice[0];
    const text = worst && worst.severity !== "notice" ? worst.text : "";
    if (text !== byId("police-announcer").textContent) byId("police-announcer").textContent = text;
  }

  /** Trucks waiting at each gate at the moment shown: the number that every page shows, or none; nothing is counted here. */
  countQueues() {
    this.map.setQueues(Object.fromEntries(this.gates.map(({ site_id: id }) => [id, this.store.valuesOf(id)?.queue[1] ?? null])));
  }

  mark(ids) {
    this.map.mark(ids);
  }

  showSelection(selection) {
    this.map.setSelection(selection);
  }

  startTool(kind) {
    if (this.tool === kind) {
      this.map.stopTool();
      return;
    }
    this.goLiveFirst();
    this.map.startTool(kind);
    this.sheetBefore = byId("police-panel").dataset.sheet;
    this.sheet("peek");
  }

  goLiveFirst() {
    if (this.store.moment !== null) this.goLive();
  }

  showGate(gateId) {
    this.map.showGate(gateId);
  }

  showTruck(vehicleId) {
    this.goLiveFirst();
    this.map.showTruck(vehicleId);
    this.sheet("peek");
  }

  /** The trucks on the map now. */
  trucks() {
    return this.map.trucks.byId.values();
  }

  nameOfSite(siteId) {
    const site = this.corridor.site(siteId);
    return site ? site.name[language] || site.name.vi : siteId;
  }

  // The panel

  open(tab) {
    if (!document.querySelector(`[data-tab="${tab}"]`)) return; // not there for who only reads
    this.tab = tab;
    for (const button of document.querySelectorAll("[data-tab]")) {
      const isChosen = button.dataset.tab === tab;
      button.setAttribute("aria-selected", String(isChosen));
      button.classList.toggle("active", isChosen);
      button.tabIndex = isChosen ? 0 : -1;
      byId(`pane-${button.dataset.tab}`).hidden = !isChosen;
    }
    this.sheet("open");
  }

  /** On a phone a second press on the open tab folds the sheet away. */
  pressTab(tab) {
    const { sheet } = byId("police-panel").dataset;
    if (tab === this.tab && sheet === "open") this.sheet("peek");
    else this.open(tab);
  }

  sheet(state) {
    byId("police-panel").dataset.sheet = state;
  }

  compose(origin) {
    this.composer.begin(origin);
    this.open("composer");
    const { stretch } = this.composer.draft.selection;
    if (stretch) this.map.showStretch(stretch.road, stretch.km_from, stretch.km_to);
  }

  sent(order) {
    this.map.setSelection(null);
    this.mark([]);
    this.open("orders");
    this.store.load("orders").then(() => byId("police-orders").show(order.order_id));
    this.store.load("advisories");
  }

  decideAdvisory(advisory, status, reason) {
    return api("POST", `/api/v1/advisories/${advisory.advisory_id}/${status === "taken" ? "take" : "dismiss"}`, { reason });
  }

  cancelOrder(order) {
    return api("POST", `/api/v1/orders/${order.order_id}/cancel`, {}, { headers: { "If-Match": `"${order.version}"` } });
  }

  approveOrder(order) {
    return api("POST", `/api/v1/orders/${order.order_id}/approve`, {}, { headers: { "If-Match": `"${order.version}"` } });
  }

  // Keys

  press(event) {
    if (event.key === "Escape") {
      if (this.tool) this.map.stopTool();
      else if (this.map.opened) this.map.opened = null;
      else if (this.composer.confirming) this.composer.confirming = false;
      else if (this.store.moment !== null) this.goLive();
      else this.sheet("peek");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPED_INTO)) return;
    const gate = this.gates?.[Number(event.key) - 1];
    const actions = {
      a: () => this.open("situation"), n: () => this.compose({}), o: () => this.open("orders"), l: () => this.goLive(),
      h: () => byId("police-heat").toggle(), 0: () => this.map.fitCorridor(), "?": () => byId("police-keys").showModal(),
      "/": () => byId("police-find").focusField(),
      ",": () => byId("police-timeline").step(-15), ".": () => byId("police-timeline").step(15),
    };
    const action = gate ? () => this.showGate(gate.site_id) : actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

const control = new Console(byId("police-map"));
control.start().catch((error) => toast(error.message, "danger"));
