// Queue tails along the road, now and as forecast, as features for the source "tail".

import { formatNumber } from "/static/i18n.js";

const LEAST_KM = 0.05; // shorter than this there is no queue to draw

const line = (coordinates, properties) =>
  ({ type: "Feature", properties, geometry: { type: "LineString", coordinates } });

const kmText = (km) => `km ${formatNumber(km, km < 10 ? 1 : 0)}`;

/**
 * Features of one gate's tails.
 *
 * `gate` is the site; `tail` is `{now_km, p10_km, p50_km, p90_km, when}`: kilometres of the road at which the queue
 * ends (null: not known), and the text of the time the forecast is for.
 */
export function tailFeatures(corridor, gate, tail) {
  const features = [];
  const reach = (km) => km != null && km - gate.km > LEAST_KM;
  const push = (what, km) => {
    const coordinates = corridor.queueLine(gate.road, gate.km, km);
    features.push(line(coordinates, { what, gate: gate.site_id }));
    return coordinates.at(-1);
  };
  const mark = (what, lonlat, label) => features.push({
    type: "Feature", properties: { what, label, gate: gate.site_id }, geometry: { type: "Point", coordinates: lonlat },
  });
  let end = null;
  for (const what of ["p90", "p50", "p10"]) {
    const km = tail[`${what}_km`];
    if (!reach(km)) continue;
    const last = push(what, km);
    if (what === "p50" || (what === "p90" && !reach(tail.p50_km))) end = [last, km];
  }
  if (end) mark("p50", end[0], [tail.when, kmText(end[1])].filter(Boolean).join(" · "));
  if (reach(tail.now_km)) mark("now", push("now", tail.now_km), kmText(tail.now_km));
  return features;
}
