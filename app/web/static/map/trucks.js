// The trucks on the map: one GeoJSON source, changed at most once a second and only where something changed, while
// trucks are drawn one by one or one of them has a ring. A machine that takes long to draw is given longer: a third of
// its time at most goes into drawing, the rest is free for people.

import { settings } from "../settings.js";
import { distanceM } from "./corridor.js";

const FLUSH_MS = 1000;
const MAX_FLUSH_MS = 5000;
const FREE_SHARE = 3;
const SILENT_MS = settings.silent_after_s * 1000;
const DRAWN = ["state", "heading_deg", "plate"];

const lonlatOf = (truck) => [truck.lon, truck.lat];

export class Trucks {
  /** `onChange` is called after each change; `isDrawn()` says whether trucks are drawn one by one. */
  constructor(onChange, isDrawn) {
    this.isDrawn = isDrawn;
    this.byId = new Map();
    this.marked = new Set();
    this.focus = null;
    this.onChange = onChange;
    this.changed = new Set();
    this.removed = new Set();
    this.whole = true;
    this.isAsked = false;
    this.map = null;
    this.timer = 0;
    this.flushedAt = 0;
    this.interval = FLUSH_MS;
  }

  attach(map) {
    this.map = map;
    this.pacing = false;
    this.whole = true;
    this.schedule();
  }

  /** Replace all trucks by GeoJSON features or position records. */
  replace(list) {
    this.byId = new Map(list.map((item) => {
      const truck = item.type === "Feature"
        ? { ...item.properties, lon: item.geometry.coordinates[0], lat: item.geometry.coordinates[1] }
        : item;
      return [truck.vehicle_id, truck];
    }));
    this.whole = true;
    this.schedule();
  }

  /** Take new positions; an older fix never moves a truck back. */
  patch(list) {
    for (const truck of list) {
      const known = this.byId.get(truck.vehicle_id);
      if (known && known.time > truck.time) continue;
      this.byId.set(truck.vehicle_id, known ? { ...known, gps_overdue_s: null, ...truck } : truck);
      this.changed.add(truck.vehicle_id);
      this.removed.delete(truck.vehicle_id);
    }
    if (this.changed.size) this.schedule();
  }

  remove(ids) {
    for (const id of ids) {
      if (!this.byId.delete(id)) continue;
      this.changed.delete(id);
      this.removed.add(id);
    }
    this.schedule();
  }

  /** Ring these trucks, and no others. */
  mark(ids) {
    const next = new Set(ids);
    for (const id of [...this.marked, ...next]) {
      if (this.marked.has(id) !== next.has(id)) this.changed.add(id);
    }
    this.marked = next;
    this.schedule(true);
  }

  /** Ring one truck besides, or none (null). */
  setFocus(id) {
    if (id === this.focus) return;
    for (const one of [this.focus, id]) if (one !== null) this.changed.add(one);
    this.focus = id;
    this.schedule(true);
  }

  /** Trucks from which nothing was heard for long become silent, as seen from the newest fix of all; those that others
   * than GPS know to be at a gate are still there. */
  hush() {
    const newest = Math.max(...[...this.byId.values()].map(({ time }) => Date.parse(time) || 0));
    for (const truck of this.byId.values()) {
      const silent = truck.place ? "here_silent" : "silent";
      if (truck.state !== silent && newest - Date.parse(truck.time) > SILENT_MS) {
        truck.state = silent;
        this.changed.add(truck.vehicle_id);
      }
    }
    if (this.changed.size) this.schedule();
  }

  /** The trucks that `test` holds for. */
  filter(test) {
    return [...this.byId.values()].filter(test);
  }

  /** The truck nearest to [lon, lat]. */
  nearest(lonlat) {
    let best = null;
    for (const truck of this.byId.values()) {
      const gap = distanceM(lonlat, lonlatOf(truck));
      if (!best || gap < best.gap) best = { gap, truck };
    }
    return best?.truck;
  }

  feature(truck) {
    const properties = { vehicle_id: truck.vehicle_id, marked: this.marked.has(truck.vehicle_id) || truck.vehicle_id === this.focus };
    for (const name of DRAWN) properties[name] = truck[name] ?? null;
    return { type: "Feature", id: truck.vehicle_id, properties, geometry: { type: "Point", coordinates: lonlatOf(truck) } };
  }

  schedule(soon = false) {
    if (soon) {
      this.isAsked = true;
      clearTimeout(this.timer);
      this.timer = 0;
    }
    if (this.timer) return;
    const wait = soon ? 0 : Math.max(0, this.flushedAt + this.interval - performance.now());
    this.timer = setTimeout(() => this.flush(), wait);
  }

  /** Learn how long this machine takes until a change is drawn, and leave it time between two. */
  pace() {
    if (this.pacing) return;
    this.pacing = true;
    const began = performance.now();
    this.map.once("idle", () => {
      this.pacing = false;
      const wanted = (performance.now() - began) * FREE_SHARE;
      this.interval = Math.min(MAX_FLUSH_MS, Math.max(FLUSH_MS, wanted));
    });
  }

  flush() {
    this.timer = 0;
    this.flushedAt = performance.now();
    const source = this.map?.getSource("trucks");
    if (!source) return;
    this.onChange?.();
    if (this.isAsked || this.isDrawn() || this.marked.size || this.focus !== null) this.draw(source);
    if (!this.map.loaded()) this.pace();
  }

  /** Bring to the map what changed since it was last done. */
  draw(source) {
    if (this.whole) {
      source.setData({ type: "FeatureCollection", features: [...this.byId.values()].map((truck) => this.feature(truck)) });
    } else if (this.changed.size || this.removed.size) {
      const add = [...this.changed].filter((id) => this.byId.has(id)).map((id) => this.feature(this.byId.get(id)));
      source.updateData({ add, remove: [...this.removed] });
    }
    this.whole = this.isAsked = false;
    this.changed.clear();
    this.removed.clear();
  }
}
