// Colours the road pieces by the speed of the trucks that are on them.

/** Flow class of each road piece that carries trucks, by the map's legend: edge_id → flow. */
export function flowByEdge(trucks, freeSpeedMps, { trucks: states, roads }) {
  const classes = roads.filter(({ flow }) => flow !== "unknown");
  const onRoad = new Set(states.filter((one) => one.on_road).map((one) => one.state));
  const sums = new Map();
  for (const { edge_id: edge, speed_mps: speed, state } of trucks) {
    if (!edge || speed == null || !onRoad.has(state)) continue;
    const sum = sums.get(edge) || { total: 0, count: 0, queued: 0 };
    sum.total += speed;
    sum.count += 1;
    if (state === "queued") sum.queued += 1;
    sums.set(edge, sum);
  }
  const flows = new Map();
  for (const [edge, { total, count, queued }] of sums) {
    const free = freeSpeedMps.get(edge);
    if (!free) continue; // no piece of this corridor: nothing to colour
    const share = total / count / free;
    const found = queued * 2 > count ? classes.length - 1 : classes.findIndex(({ share_from: from }) => share >= from);
    // One or two trucks that stand are no queue: somebody may rest there.
    flows.set(edge, classes[count < 3 ? Math.min(found, classes.length - 2) : found].flow);
  }
  return flows;
}

/** Shows flows on a map as feature state; touches only the pieces that changed. */
export class FlowLayer {
  constructor() {
    this.shown = new Map();
  }

  reset() {
    this.shown.clear();
  }

  show(map, flows) {
    const target = (id) => ({ source: "roads", sourceLayer: "roads", id });
    for (const id of this.shown.keys()) {
      if (!flows.has(id)) map.removeFeatureState(target(id), "flow");
    }
    for (const [id, flow] of flows) {
      if (this.shown.get(id) !== flow) map.setFeatureState(target(id), { flow });
    }
    this.shown = flows;
  }
}
