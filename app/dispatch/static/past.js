// What was known in the past day: forecasts as they were made, free places as they were told, advice that stood then.

import { api } from "/static/api.js";
import { valuesAt } from "/static/forecasting/forecast.js";
import { localMidnight, toLocal } from "./local-time.js";

const DAY_MS = 24 * 3600_000;
const REFRESH_MS = 10 * 60_000; // all of it is asked for again after this
const NEAR_MS = 10 * 60_000; // what was known this near to a moment holds for it
const EVERY = 5; // each how many forecasts, one a minute
const STEP_MS = EVERY * 60_000;
const QUANTILES = [0.1, 0.5, 0.9];

/** The entry whose time, as `timeOf` says it in ms, is nearest to a moment; null if none is near. */
function nearest(entries, timeOf, moment) {
  let [best, distance] = [null, NEAR_MS];
  for (const entry of entries) {
    const away = Math.abs(timeOf(entry) - moment);
    if (away <= distance) [best, distance] = [entry, away];
  }
  return best;
}

export class Past {
  constructor(gateIds) {
    this.gateIds = gateIds;
    this.forecasts = {};
    this.yards = new Map();
    this.advisories = [];
    this.tellings = new Map();
  }

  /** Fetch the day before `now`, unless that was done of late. */
  load(now) {
    if (!(now - this.loadedAt < REFRESH_MS)) {
      this.loadedAt = now;
      this.loading = Promise.all([this.loadForecasts(now), this.loadYards(now), this.loadAdvice(now)]).catch((error) => {
        this.loadedAt = undefined;
        throw error;
      });
    }
    return this.loading;
  }

  async loadForecasts(now) {
    const [from, to] = [now - DAY_MS, now].map((time) => encodeURIComponent(new Date(time).toISOString()));
    await Promise.all(this.gateIds.map(async (gate) => {
      const { items, lead_s: leadS } = await api("GET", `/api/v1/forecasts?gate=${encodeURIComponent(gate)}&from=${from}&to=${to}&every=${EVERY}`);
      this.forecasts[gate] = items.map((kept) => ({ ...kept, at: Date.parse(kept.made_at) }));
      this.reachS = leadS.at(-1);
    }));
  }

  /** Free places of every five minutes; of a day of which nothing was kept there are none. */
  async loadYards(now) {
    const days = [now - DAY_MS, now].map((time) => toLocal(localMidnight(time)).slice(0, 10));
    const told = await Promise.all(days.map((day) => api("GET", `/api/v1/open-data/yards/days/${day}?format=geojson`).catch((error) => {
      if (error.status !== 404) throw error;
      return { features: [] };
    })));
    const rows = told.flatMap(({ features }) => features.map(({ properties }) => ({ ...properties, at: Date.parse(properties.as_of) })));
    this.yards = Map.groupBy(rows, ({ yard_id: yard }) => yard);
  }

  async loadAdvice(now) {
    const [from, to] = [now - DAY_MS, now].map((time) => encodeURIComponent(new Date(time).toISOString()));
    const [{ items: advisories }, { items: told }] = await Promise.all([
      api("GET", "/api/v1/advisories?current=false&limit=200"),
      api("GET", `/api/v1/advisories/tellings?from=${from}&to=${to}`),
    ]);
    this.advisories = advisories;
    this.tellings = Map.groupBy(told, ({ advisory_id: id }) => id);
  }

  /** Queue, wait and tail of a gate, each [p10, p50, p90], as a forecast had them when it was made; null: not known. */
  valuesOf(gate, moment) {
    const kept = nearest(this.forecasts[gate] || [], ({ at }) => at, moment);
    if (!kept) return null;
    return { ...valuesAt(kept, 0), reach_s: this.reachS };
  }

  /** A yard's `{free, capacity}` as it was told, {} if nothing was. */
  yardOf(yardId, moment) {
    const told = nearest(this.yards.get(yardId) || [], ({ at }) => at, moment);
    return told ? { free: told.free_veh, capacity: told.capacity_veh } : {};
  }

  /** Advice that stood at a moment, with weight and words of then; `is_later`: only its last words are kept. */
  adviceAt(moment) {
    return this.advisories.filter(({ made_at: from, over_at: to }) => Date.parse(from) <= moment && !(Date.parse(to) <= moment)).map((advisory) => {
      const told = (this.tellings.get(advisory.advisory_id) || []).findLast(({ told_at: at }) => Date.parse(at) <= moment);
      return told ? { ...advisory, ...told } : { ...advisory, is_later: true };
    });
  }

  /** The past day of a gate as data of a fan chart: what was measured, of `queue_veh` or `tail_km`; null: nothing. */
  fanOf(gate, name) {
    const kept = this.forecasts[gate] || [];
    if (kept.length < 2) return null;
    const count = Math.ceil((kept.at(-1).at - kept[0].at) / STEP_MS) + 1;
    const steps = Array.from({ length: count }, (_, i) => nearest(kept, ({ at }) => at, kept[0].at + i * STEP_MS));
    const values = QUANTILES.map((_, q) => steps.map((step) => step?.[name][q][0] ?? null));
    return { made_at: kept[0].made_at, step_s: STEP_MS / 1000, quantiles: QUANTILES, fans: [{ values }] };
  }
}
