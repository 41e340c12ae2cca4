// The corridor in the browser: roads, sites, and places by kilometre both ways.

const EARTH_M = 6371008.8; // mean radius, IUGG
const RADIANS = Math.PI / 180;

/** Metres between two [lon, lat], on the sphere. */
export function distanceM([lonA, latA], [lonB, latB]) {
  const half = (x) => Math.sin((x * RADIANS) / 2) ** 2;
  const h = half(latB - latA) + Math.cos(latA * RADIANS) * Math.cos(latB * RADIANS) * half(lonB - lonA);
  return 2 * EARTH_M * Math.asin(Math.sqrt(h));
}

/** One road's line from the border inland; each vertex carries its kilometre. */
class Axis {
  constructor(pieces) {
    this.vertices = [];
    for (const { properties, geometry } of [...pieces].sort((a, b) => a.properties.km_to - b.properties.km_to)) {
      const line = [...geometry.coordinates].reverse(); // a piece toward the border, turned to run inland
      const lengths = line.map((point, i) => (i ? distanceM(line[i - 1], point) : 0));
      const total = lengths.reduce((sum, length) => sum + length, 0);
      let along = 0;
      line.forEach((lonlat, i) => {
        along += lengths[i];
        const km = properties.km_to + (properties.km_from - properties.km_to) * (along / total);
        const last = this.vertices.at(-1);
        if (!last || km - last.km > 1e-6) this.vertices.push({ km, lonlat, node: null });
      });
      this.vertices.at(-1).node = properties.from_node;
    }
    this.kmMin = this.vertices[0].km;
    this.kmMax = this.vertices.at(-1).km;
    this.endNode = this.vertices.at(-1).node;
  }

  /** [lon, lat] at a kilometre; beyond the ends, the end. */
  at(km) {
    const { vertices } = this;
    if (km <= this.kmMin) return vertices[0].lonlat;
    if (km >= this.kmMax) return vertices.at(-1).lonlat;
    const next = vertices.findIndex((vertex) => vertex.km >= km);
    const [a, b] = [vertices[next - 1], vertices[next]];
    const share = (km - a.km) / (b.km - a.km);
    return [0, 1].map((i) => a.lonlat[i] + (b.lonlat[i] - a.lonlat[i]) * share);
  }

  /** Coordinates from one kilometre to another, in that order. */
  between(kmA, kmB) {
    const [low, high] = [Math.max(Math.min(kmA, kmB), this.kmMin), Math.min(Math.max(kmA, kmB), this.kmMax)];
    const inner = this.vertices.filter(({ km }) => km > low && km < high).map(({ lonlat }) => lonlat);
    const line = [this.at(low), ...inner, this.at(high)];
    return kmA <= kmB ? line : line.reverse();
  }

  /** The nearest place of the road to [lon, lat]: `{km, lonlat, distance_m}`. */
  nearest([lon, lat]) {
    const scale = Math.cos(lat * RADIANS); // locally flat: good to a metre over the few kilometres that matter
    let best = null;
    for (let i = 1; i < this.vertices.length; i += 1) {
      const [a, b] = [this.vertices[i - 1], this.vertices[i]];
      const [dx, dy] = [(b.lonlat[0] - a.lonlat[0]) * scale, b.lonlat[1] - a.lonlat[1]];
      const [px, py] = [(lon - a.lonlat[0]) * scale, lat - a.lonlat[1]];
      const share = Math.min(1, Math.max(0, (px * dx + py * dy) / (dx * dx + dy * dy || 1)));
      const gap = (px - share * dx) ** 2 + (py - share * dy) ** 2;
      if (!best || gap < best.gap) best = { gap, i, share };
    }
    const [a, b] = [this.vertices[best.i - 1], this.vertices[best.i]];
    const lonlat = [0, 1].map((i) => a.lonlat[i] + (b.lonlat[i] - a.lonlat[i]) * best.share);
    return { km: a.km + (b.km - a.km) * best.share, lonlat, distance_m: distanceM([lon, lat], lonlat) };
  }
}

/** Roads and sites of `GET /api/v1/corridor`. */
export class Corridor {
  constructor(collection) {
    const of = (what) => collection.features.filter(({ properties }) => properties.feature === what);
    this.roads = of("road");
    this.sites = of("site").map(({ properties, geometry }) => ({ ...properties, lonlat: geometry.coordinates }));
    this.freeSpeedMps = new Map(this.roads.map(({ properties }) => [properties.edge_id, properties.free_speed_mps]));
    this.axes = new Map();
    for (const road of new Set(this.roads.map(({ properties }) => properties.road))) {
      const pieces = this.roads.filter(({ properties: p }) => p.road === road && p.direction === "to_border");
      if (pieces.length) this.axes.set(road, new Axis(pieces));
    }
    const all = this.roads.flatMap(({ geometry }) => geometry.coordinates);
    const [lons, lats] = [0, 1].map((i) => all.map((point) => point[i]));
    this.bounds = [[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]];
  }

  site(siteId) {
    return this.sites.find((site) => site.site_id === siteId);
  }

  get gates() {
    return this.sites.filter(({ kind }) => kind === "gate");
  }

  /** The road nearest to [lon, lat]: `{road, km, lonlat, distance_m}`. */
  nearest(lonlat) {
    let best = null;
    for (const [road, axis] of this.axes) {
      const found = axis.nearest(lonlat);
      if (!best || found.distance_m < best.distance_m) best = { road, ...found };
    }
    return best;
  }

  /** The piece of a road at a kilometre in a direction (1 or "to_border", else away from it), or null. */
  edgeAt(road, km, direction) {
    const wanted = direction === 1 || direction === "to_border" ? "to_border" : "from_border";
    const piece = this.roads.find(({ properties: p }) => p.road === road && p.direction === wanted
      && km >= Math.min(p.km_from, p.km_to) && km <= Math.max(p.km_from, p.km_to));
    return piece?.properties.edge_id ?? null;
  }

  between(road, kmA, kmB) {
    return this.axes.get(road).between(kmA, kmB);
  }

  /**
   * The line of a queue from kilometre `kmFrom` to `kmTo` of the gate's road. A queue longer than its road goes on
   * along the road it forks from.
   */
  queueLine(road, kmFrom, kmTo) {
    const axis = this.axes.get(road);
    const line = axis.between(kmFrom, Math.min(kmTo, axis.kmMax));
    if (kmTo <= axis.kmMax) return line;
    const fork = this.forkOf(road);
    if (!fork) return line;
    return line.concat(this.axes.get(fork.road).between(fork.km, fork.km + kmTo - axis.kmMax).slice(1));
  }

  /** Where a road leaves another: `{road, km}` of the other, or null. */
  forkOf(road) {
    const { endNode } = this.axes.get(road);
    for (const [name, { vertices }] of this.axes) {
      const vertex = name === road ? null : vertices.find(({ node }) => node === endNode);
      if (vertex) return { road: name, km: vertex.km };
    }
    return null;
  }
}

let loading = null;

/** The corridor, asked for once a page. */
export function loadCorridor() {
  loading ??= fetch("/api/v1/corridor", { credentials: "same-origin" })
    .then((answer) => {
      if (!answer.ok) throw new Error(`corridor: ${answer.status}`);
      return answer.json();
    })
    .then((collection) => new Corridor(collection))
    .catch((error) => {
      loading = null;
      throw error;
    });
  return loading;
}
