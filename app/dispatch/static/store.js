// What the control room knows: fetched once, then kept up by events. Elements listen by `subscribe`.

import { api } from "/static/api.js";
import { on } from "/static/events.js";
import { t } from "/static/i18n.js";
import { names } from "/static/vocabulary.js";
import { isOld, stepAt, stepNow, valuesAt } from "./forecast.js";

const SEVERITIES = Object.keys(names("Severity")); // least first
const REFRESH_MS = 60_000; // events come at once; this mends what a lost event would leave wrong

const PREPARING_MS = 5_000; // while there is no forecast at all
const DAY_MS = 24 * 3600_000;
const KEPT_MS = 10 * 60_000; // kept forecasts are asked for again after this, and hold for a moment this near

export class Store {
  /** `now()` is the platform's present in ms. */
  constructor(gateIds, now) {
    this.gateIds = gateIds;
    this.now = now;
    this.forecasts = {};
    this.yards = null;
    this.advisories = null;
    this.measures = {};
    this.record = "";
    this.orders = null;
    this.kept = {};
    this.problems = {};
    this.moment = null; // null is live, else the Date that the time slider shows
    this.listeners = new Set();
    this.waiting = 0;
    this.reloading = new Map();
  }

  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      for (const listener of this.listeners) listener();
    });
  }

  async start() {
    on("forecast", (event) => this.load("forecasts", event?.gate_id));
    on("yard", (event) => this.takeYard(event));
    on("advisory", () => this.load("advisories"));
    on("order", () => this.load("orders"));
    on("order_response", () => this.load("orders"));
    for (const type of ["resync", "reconnected"]) on(type, () => this.loadAll());
    setInterval(() => document.visibilityState === "visible" && this.loadAll(), REFRESH_MS);
    await this.loadAll();
  }

  loadAll() {
    return Promise.all(["forecasts", "yards", "advisories", "orders"].map((what) => this.load(what)));
  }

  /** Fetch one thing again. Many calls at once become one that runs and one that waits. */
  load(what) {
    const present = this.reloading.get(what);
    if (present) {
      present.again = true;
      return present.promise;
    }
    const run = { again: false };
    run.promise = this.fetch(what).finally(() => {
      this.reloading.delete(what);
      if (run.again) setTimeout(() => this.load(what), 250);
    });
    this.reloading.set(what, run);
    return run.promise;
  }

  async fetch(what) {
    try {
      if (what === "forecasts") await this.fetchForecasts();
      else if (what === "yards") this.yards = (await api("GET", "/api/v1/yards")).items;
      else if (what === "advisories") await this.fetchAdvisories();
      else this.orders = (await api("GET", "/api/v1/orders?limit=50")).items;
      delete this.problems[what];
    } catch (error) {
      this.problems[what] = error.message;
    }
    this.changed();
  }

  async fetchForecasts() {
    await Promise.all(this.gateIds.map(async (gate) => {
      try {
        this.forecasts[gate] = await api("GET", `/api/v1/forecasts/latest?gate=${encodeURIComponent(gate)}`);
      } catch (error) {
        if (error.status !== 404) throw error;
        this.forecasts[gate] = null; // none made yet
        this.whyNone = error.message;
      }
    }));
    clearTimeout(this.preparing);
    if (this.gateIds.some((gate) => this.forecasts[gate] === null)) this.preparing = setTimeout(() => this.load("forecasts"), PREPARING_MS);
  }

  /** Advice, and the acts that were tried against each risk by its id. */
  async fetchAdvisories() {
    const [advice, tried] = await Promise.all([api("GET", "/api/v1/advisories"), api("GET", "/api/v1/measures")]);
    this.record = tried.record;
    this.measures = Object.fromEntries(tried.items.map((one) => [one.advisory_id, one]));
    this.advisories = advice.items;
  }

  /** The forecasts kept of the past day: what was measured when each was made. */
  async loadKept(now) {
    if (now - this.keptAt < KEPT_MS) return;
    this.keptAt = now;
    const span = `from=${encodeURIComponent(new Date(now - DAY_MS).toISOString())}&to=${encodeURIComponent(new Date(now).toISOString())}`;
    await Promise.all(this.gateIds.map(async (gate) => {
      const { items, lead_s: leadS } = await api("GET", `/api/v1/forecasts?gate=${encodeURIComponent(gate)}&${span}&every=5`);
      this.kept[gate] = items;
      this.keptReachS = leadS.at(-1);
    }));
    this.changed();
  }

  /** Queue, wait and tail of a gate, each [p10, p50, p90], at the moment shown; null where nothing is known. */
  valuesOf(gate) {
    const forecast = this.forecasts[gate];
    const isLive = this.moment === null;
    const step = !forecast ? null : isLive ? stepNow(forecast, this.now()) : stepAt(forecast, this.moment);
    if (step !== null) {
      const values = valuesAt(forecast, step);
      if (!isLive) return values;
      const measured = forecast.now; // null: not of late, and nobody is shown a guess in its place
      return { ...values, queue: Array(3).fill(measured?.queue_veh ?? null), tail_km: Array(3).fill(measured?.tail_km ?? null) };
    }
    const distance = (kept) => Math.abs(Date.parse(kept.made_at) - this.moment);
    const nearest = (this.kept[gate] || []).reduce((best, kept) => (!best || distance(kept) < distance(best) ? kept : best), null);
    if (isLive || !nearest || distance(nearest) > KEPT_MS) return null;
    const first = (name) => nearest[name].map((row) => row[0]);
    return { queue: first("queue_veh"), wait_s: first("wait_s"), tail_km: first("tail_km"), severity: nearest.severity[0], reach_s: this.keptReachS };
  }

  takeYard(event) {
    const yard = this.yards?.find(({ yard_id: id }) => id === event.yard_id);
    if (!yard) {
      this.load("yards");
      return;
    }
    if (event.inside !== undefined) yard.inside = event.inside;
    if (event.free !== undefined) yard.free = event.free;
    this.changed();
  }

  yardsOf(gate, kind = "yard") {
    return (this.yards || []).filter((yard) => yard.gate_id === gate && (yard.kind || "yard") === kind);
  }

  /** Open advice, the worst first; that trucks may go again comes after every danger. */
  get openAdvice() {
    return (this.advisories || [])
      .filter(({ status }) => status === "open")
      .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity)
        || (a.kind === "release") - (b.kind === "release") || b.probability - a.probability);
  }

  /** Open advice as one story a gate: its worst, with what else is advised there. */
  get stories() {
    const open = this.openAdvice;
    const gates = [...new Set(open.map(({ gate_id: gate }) => gate))];
    return gates.map((gate) => open.filter((one) => one.gate_id === gate)).map(([main, ...also]) => ({ main, also }));
  }

  /** What to say where nothing is advised; silence is good news only while forecasts come in. */
  calm(now) {
    const { advisories, problems, forecasts } = this;
    const blind = { level: "warning", icon: "eye-off" };
    if (problems.advisories) return { ...blind, text: t("Advice could not be loaded.") };
    const known = this.gateIds.map((gate) => forecasts[gate]);
    if (!advisories || known.includes(undefined)) return { level: "notice", icon: "loader", text: t("Loading…") };
    if (known.includes(null)) {
      const text = t("There is no forecast yet: danger cannot be judged.");
      return { ...blind, text: this.whyNone ? `${text} ${this.whyNone}` : text };
    }
    if (known.some((forecast) => isOld(forecast, now))) return { ...blind, text: t("The forecast is out of date: danger cannot be judged.") };
    return { level: "ok", icon: "circle-check", text: t("No danger foreseen") };
  }

  setMoment(moment) {
    this.moment = moment;
    this.changed();
  }

  problemText(what) {
    return this.problems[what] ? t("Could not be loaded: {reason}", { reason: this.problems[what] }) : "";
  }
}
