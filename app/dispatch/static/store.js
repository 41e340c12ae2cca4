// What the control room knows: fetched once, then kept up by events. Elements listen by `subscribe`.

import { api } from "/static/api.js";
import { on } from "/static/events.js";
import { t } from "/static/i18n.js";
import { names } from "/static/vocabulary.js";
import { expectedInside, isCurrent, isOld, stepAt, valuesAt, valuesNow } from "/static/forecasting/forecast.js";
import { Past } from "./past.js";

const SEVERITIES = Object.keys(names("Severity")); // least first
const REFRESH_MS = 60_000; // events come at once; this mends what a lost event would leave wrong

const PREPARING_MS = 5_000; // while there is no forecast at all

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
    this.past = new Past(gateIds);
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

  /** Whether the time slider stands in the past: nothing shown may then be of now. */
  get isPast() {
    return this.moment !== null && this.moment.getTime() <= this.now();
  }

  /** Queue, wait and tail of a gate, each [p10, p50, p90], at the moment shown; null where nothing is known. */
  valuesOf(gate) {
    const forecast = this.currentForecast(gate);
    if (this.moment === null) return valuesNow(this.forecasts[gate], this.now());
    const step = forecast ? stepAt(forecast, this.moment) : null;
    if (step !== null) return valuesAt(forecast, step);
    return this.isPast ? this.past.valuesOf(gate, this.moment.getTime()) : null;
  }

  /** The newest forecast of a gate, null if it says nothing of the present any more. */
  currentForecast(gate) {
    const forecast = this.forecasts[gate];
    return isCurrent(forecast, this.now()) ? forecast : null;
  }

  takeYard(event) {
    const yard = this.yards?.find(({ yard_id: id }) => id === event.yard_id);
    if (!yard || (new Date(event.as_of) > new Date(yard.as_of) && (event.capacity ?? yard.capacity) !== yard.capacity)) {
      this.load("yards"); // another yard, or one with other places: closed or opened again
      return;
    }
    if (event.as_of && yard.as_of && new Date(event.as_of) < new Date(yard.as_of)) return; // told late
    if (event.as_of) yard.as_of = event.as_of;
    if (event.inside !== undefined) yard.inside = event.inside;
    if (event.free !== undefined) yard.free = event.free;
    this.changed();
  }

  /**
   * The yards at the moment shown: `inside`, `free`, `capacity` and `forecast` as far as they are known of it. Of the
   * past that is how many places were told to be free, of the hours ahead how many trucks are expected inside.
   */
  get yardsShown() {
    const known = this.yards || [];
    if (this.moment === null) return known;
    const moment = this.moment.getTime();
    return known.map((yard) => {
      const bare = { ...yard, inside: null, free: null, forecast: null };
      return this.isPast ? { ...bare, ...this.past.yardOf(yard.yard_id, moment) } : { ...bare, inside: expectedInside(yard.forecast, moment) };
    });
  }

  yardsOf(gate, kind = "yard") {
    return this.yardsShown.filter((yard) => yard.gate_id === gate && (yard.kind || "yard") === kind);
  }

  /** Open advice, the worst first; that trucks may go again comes after every danger. */
  get openAdvice() {
    const known = this.isPast ? this.past.adviceAt(this.moment.getTime()) : (this.advisories || []).filter(({ status }) => status === "open");
    return known
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
