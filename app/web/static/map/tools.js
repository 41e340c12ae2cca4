// Tools to pick trucks on the map: a stretch of road, a drawn area, single trucks.

import { distanceM } from "./corridor.js";

const DRAG_PX = 6;
const CLOSE_PX = 14;

const point = (lonlat) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: lonlat } });

/** What a selection looks like on the map. */
export function selectionFeatures(corridor, selection) {
  if (!selection) return [];
  if (selection.type === "stretch") {
    const { road, km_from: from, km_to: to } = selection;
    const coordinates = corridor.between(road, from, to);
    return [
      { type: "Feature", properties: { what: "stretch" }, geometry: { type: "LineString", coordinates } },
      point(coordinates[0]), point(coordinates.at(-1)),
    ];
  }
  if (selection.type === "polygon") {
    const ring = selection.coordinates;
    if (ring.length < 3) {
      const path = { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: ring } };
      return ring.length > 1 ? [path, ...ring.map(point)] : ring.map(point);
    }
    const geometry = { type: "Polygon", coordinates: [[...ring, ring[0]]] };
    return [{ type: "Feature", properties: {}, geometry }, ...ring.map(point)];
  }
  return [];
}

/** Whether [lon, lat] lies inside a ring (ray casting). */
export function isInside([x, y], ring) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Whether a truck belongs to a selection: what the map can tell before the server says it exactly. */
export function matches(truck, selection) {
  switch (selection?.type) {
    case "stretch":
      return truck.road === selection.road && truck.km != null
        && truck.km >= Math.min(selection.km_from, selection.km_to)
        && truck.km <= Math.max(selection.km_from, selection.km_to);
    case "polygon":
      return selection.coordinates.length > 2 && isInside([truck.lon, truck.lat], selection.coordinates);
    case "gate":
      return truck.gate === selection.gate_id;
    case "list":
      return selection.vehicle_ids.includes(truck.vehicle_id);
    default:
      return false;
  }
}

/** One tool at work; `onChange(selection, isDone)` hears every change, `onEnd()` that the tool was put down. */
export class Tool {
  constructor(kind, map, corridor, { onChange, onEnd, selection = null }) {
    Object.assign(this, { kind, map, corridor, onChange, onEnd });
    this.ring = [];
    this.start = null;
    this.dragging = false;
    this.ids = new Set(kind === "list" && selection?.type === "list" ? selection.vehicle_ids : []);
    this.handlers = { mousedown: this.down, mousemove: this.move, mouseup: this.up, click: this.click, dblclick: this.finish };
    for (const [type, handler] of Object.entries(this.handlers)) map.on(type, handler);
    map.doubleClickZoom.disable();
    map.getCanvas().classList.add("ck-map-picking");
  }

  stop() {
    for (const [type, handler] of Object.entries(this.handlers)) this.map.off(type, handler);
    this.map.doubleClickZoom.enable();
    this.map.dragPan.enable();
    this.map.getCanvas().classList.remove("ck-map-picking");
    this.onEnd?.();
  }

  place = (event) => this.corridor.nearest([event.lngLat.lng, event.lngLat.lat]);

  isNearRoad = (event, found) => {
    const screen = this.map.project(found.lonlat);
    return Math.hypot(screen.x - event.point.x, screen.y - event.point.y) < 40;
  };

  stretch(to, done) {
    const { road, km } = this.start;
    const kmTo = to.road === road ? to.km : this.corridor.axes.get(road).nearest(to.lonlat).km;
    const [low, high] = [Math.min(km, kmTo), Math.max(km, kmTo)].map((value) => Math.round(value * 100) / 100);
    this.onChange({ type: "stretch", road, km_from: low, km_to: high }, done);
  }

  down = (event) => {
    if (this.kind !== "stretch" || this.start || event.originalEvent.button) return;
    const found = this.place(event);
    if (!this.isNearRoad(event, found)) return;
    this.pressed = { found, at: event.point };
    this.map.dragPan.disable();
  };

  move = (event) => {
    if (this.kind === "polygon" && this.ring.length) {
      this.onChange({ type: "polygon", coordinates: [...this.ring, event.lngLat.toArray()] }, false);
      return;
    }
    if (this.kind !== "stretch") return;
    if (this.pressed && Math.hypot(event.point.x - this.pressed.at.x, event.point.y - this.pressed.at.y) > DRAG_PX) {
      this.start = this.pressed.found;
      this.dragging = true;
    }
    if (this.start) this.stretch(this.place(event), false);
  };

  up = (event) => {
    this.pressed = null;
    this.map.dragPan.enable();
    if (!this.dragging) return;
    this.dragging = false;
    this.swallow = true; // the click that follows a drag
    this.stretch(this.place(event), true);
    this.stop();
  };

  click = (event) => {
    if (this.swallow) {
      this.swallow = false;
      return;
    }
    if (this.kind === "stretch") this.clickStretch(event);
    else if (this.kind === "polygon") this.clickPolygon(event);
    else if (this.kind === "list") this.clickTruck(event);
  };

  clickStretch(event) {
    const found = this.place(event);
    if (!this.start) {
      if (!this.isNearRoad(event, found)) return;
      this.start = found;
      this.stretch(found, false);
      return;
    }
    this.stretch(found, true);
    this.stop();
  }

  clickPolygon(event) {
    const first = this.ring[0] && this.map.project(this.ring[0]);
    if (first && this.ring.length > 2 && Math.hypot(first.x - event.point.x, first.y - event.point.y) < CLOSE_PX) {
      this.finish();
      return;
    }
    this.ring.push(event.lngLat.toArray());
    this.onChange({ type: "polygon", coordinates: [...this.ring] }, false);
  }

  clickTruck(event) {
    const box = [[event.point.x - 12, event.point.y - 12], [event.point.x + 12, event.point.y + 12]];
    const hits = this.map.queryRenderedFeatures(box, { layers: ["truck"] });
    const here = event.lngLat.toArray();
    const nearest = hits.sort((a, b) => distanceM(a.geometry.coordinates, here) - distanceM(b.geometry.coordinates, here))[0];
    if (!nearest) return;
    const id = nearest.properties.vehicle_id;
    if (!this.ids.delete(id)) this.ids.add(id);
    this.onChange({ type: "list", vehicle_ids: [...this.ids] }, false);
  }

  /** Take what has been drawn so far. */
  finish = (event) => {
    event?.preventDefault?.();
    if (this.kind === "polygon") {
      const ring = this.ring.filter((corner, i) => !i || distanceM(corner, this.ring[i - 1]) > 1);
      if (ring.length < 3) return;
      this.onChange({ type: "polygon", coordinates: ring }, true);
    } else if (this.kind === "list") {
      this.onChange({ type: "list", vehicle_ids: [...this.ids] }, true);
    }
    if (this.kind !== "stretch") this.stop();
  };
}
