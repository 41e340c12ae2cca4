// Many trucks seen from afar: one disc for each stretch of road, with how many trucks are on it. Below BIN_ZOOM discs
// stand for trucks, if there are more than a few; closer each truck is drawn itself.

export const BIN_ZOOM = 11;
const FEW = 60; // so many can be drawn one by one at any zoom
const MOVED_PX = 0.5; // less is not seen
const QUEUE_SHARE = 0.3; // from here on a stretch is told by those who wait on it
const SIZES_KM = [[8, 20], [9.3, 10], [10.2, 5], [Infinity, 2]]; // below a zoom, a bin this long
const KM_A_DEGREE = 111.2; // of latitude, mean sphere

const sizeAt = (zoom) => SIZES_KM.find(([below]) => zoom < below)[1];

function keyOf(truck, sizeKm) {
  if (truck.road && truck.km != null) return `${truck.road} ${Math.floor(truck.km / sizeKm)}`;
  const cell = sizeKm / KM_A_DEGREE;
  return `${Math.floor(truck.lon / cell)} ${Math.floor(truck.lat / cell)}`;
}

/**
 * Trucks by stretch: GeoJSON points `{count, queued, state}` at the middle of the trucks of each bin; `state` is
 * "queued" where many wait, else what most of them do.
 */
export function binTrucks(trucks, zoom) {
  const sizeKm = sizeAt(zoom);
  const bins = new Map();
  for (const truck of trucks) {
    const key = keyOf(truck, sizeKm);
    const bin = bins.get(key) || { count: 0, lon: 0, lat: 0, states: new Map() };
    bin.count += 1;
    bin.lon += truck.lon;
    bin.lat += truck.lat;
    bin.states.set(truck.state, (bin.states.get(truck.state) || 0) + 1);
    bins.set(key, bin);
  }
  return [...bins.values()].map(({ count, lon, lat, states }) => {
    const queued = states.get("queued") || 0;
    const [most] = [...states].sort((a, b) => b[1] - a[1])[0];
    const state = queued >= count * QUEUE_SHARE ? "queued" : most;
    return {
      type: "Feature", properties: { count, queued, state },
      geometry: { type: "Point", coordinates: [lon / count, lat / count] },
    };
  });
}

/** Radius of a disc in px, as the style draws it: layer "truck-bin". */
export const radiusPx = (count) => 8 + (18 * (Math.min(Math.sqrt(count), 20) - 1)) / 19;

/** Discs that would cover each other become one, the smaller part of the larger; `project` gives px of [lon, lat]. */
export function mergeNear(bins, project) {
  const kept = [];
  for (const bin of [...bins].sort((a, b) => b.properties.count - a.properties.count)) {
    const at = project(bin.geometry.coordinates);
    const near = kept.find((other) => Math.hypot(other.at.x - at.x, other.at.y - at.y)
      < radiusPx(other.properties.count) + radiusPx(bin.properties.count));
    if (!near) {
      kept.push({ ...bin, at, properties: { ...bin.properties } });
      continue;
    }
    near.properties.count += bin.properties.count;
    near.properties.queued += bin.properties.queued;
    if (near.properties.queued >= near.properties.count * QUEUE_SHARE) near.properties.state = "queued";
  }
  return kept.map(({ type, properties, geometry }) => ({ type, properties, geometry }));
}

/** Whether discs look like those of before: as many, with the same counts and states, none moved by what can be seen. */
export function looksAlike(bins, before, project) {
  return bins.length === before.length && bins.every(({ properties, geometry }, i) => {
    const { properties: old, geometry: stood } = before[i];
    if (properties.count !== old.count || properties.state !== old.state) return false;
    const [at, was] = [project(geometry.coordinates), project(stood.coordinates)];
    return Math.hypot(at.x - was.x, at.y - was.y) < MOVED_PX;
  });
}

/** Shows bins or trucks on a map, whichever fits its zoom and their number. */
export class BinLayer {
  /**
   * `isPicking()` says whether a tool has the map: then a press is the tool's; `onSwitch()` is called when trucks are
   * drawn one by one from now on.
   */
  constructor(isPicking, onSwitch) {
    this.isPicking = isPicking;
    this.onSwitch = onSwitch;
    this.trucks = [];
    this.shown = [];
    this.isBinned = false;
  }

  /** Whether discs stand for trucks. */
  get hidesTrucks() {
    return this.isBinned && this.map.getZoom() < BIN_ZOOM;
  }

  attach(map) {
    this.map = map;
    this.isBinned = false;
    this.shown = null;
    this.draw();
    if (this.watched === map) return;
    this.watched = map;
    let hidden = true;
    map.on("zoom", () => {
      if (hidden && !this.hidesTrucks) this.onSwitch();
      hidden = this.hidesTrucks;
    });
    map.on("zoomend", () => this.draw());
    map.on("click", "truck-bin", ({ lngLat }) => {
      if (!this.isPicking()) map.easeTo({ center: lngLat, zoom: Math.max(BIN_ZOOM + 0.5, map.getZoom() + 2), duration: 600 });
    });
    map.on("mouseenter", "truck-bin", () => { if (!this.isPicking()) map.getCanvas().style.cursor = "zoom-in"; });
    map.on("mouseleave", "truck-bin", () => { map.getCanvas().style.cursor = ""; });
  }

  show(trucks) {
    this.trucks = trucks;
    this.draw();
  }

  draw() {
    const source = this.map?.getSource("bins");
    if (!source) return;
    const isBinned = this.trucks.length > FEW;
    if (isBinned !== this.isBinned) {
      this.isBinned = isBinned;
      this.map.setLayerZoomRange("truck", isBinned ? BIN_ZOOM : 0, 24);
    }
    const project = (lonlat) => this.map.project(lonlat);
    const features = this.hidesTrucks ? mergeNear(binTrucks(this.trucks, this.map.getZoom()), project) : [];
    if (this.shown && looksAlike(features, this.shown, project)) return;
    this.shown = features;
    source.setData({ type: "FeatureCollection", features });
  }
}
