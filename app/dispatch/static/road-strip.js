// The last kilometres before each gate as a straight strip: every truck at its kilometre, the queue now, how far it
// may reach. It shows what the map shows, from the same values; a press moves the map there.

import { html, nothing, svg } from "lit";
import { formatNumber, t } from "/static/i18n.js";
import { ConsoleElement } from "./element.js";

const REACH_KM = 20;
const STEP_KM = 5;
const DRAW_MS = 2000;
const LANE_PX = 40;
const LEFT_PX = 172; // names of the gates
const RIGHT_PX = 16;
const NARROW_PX = 600;
export const AWAY = -1; // direction of travel from the border; 0 is not known

/** Kilometres the strip spans: 20, or as far as the longest tail reaches, in whole fives. */
export function spanKm(tails) {
  const ends = Object.values(tails).flatMap(({ now_km: now, p90_km: p90 }) => [now ?? 0, p90 ?? 0]);
  return Math.max(REACH_KM, Math.ceil(Math.max(0, ...ends) / STEP_KM) * STEP_KM);
}

/**
 * Trucks on the way to a gate as `[km, state]`, none beyond `endKm`: those on its road, and beyond its end those bound
 * for it on the road it forks from, in the kilometres of the gate's road.
 */
export function onTheWay(trucks, gate, corridor, endKm) {
  const axis = corridor.axes.get(gate.road);
  const fork = corridor.forkOf(gate.road);
  const found = [];
  for (const { road, km, direction, state, gate: bound } of trucks) {
    if (km == null || direction === AWAY) continue;
    if (road === gate.road) found.push([km, state]);
    else if (fork && road === fork.road && km >= fork.km && bound === gate.site_id) found.push([axis.kmMax + km - fork.km, state]);
  }
  return found.filter(([km]) => km <= endKm);
}

class RoadStrip extends ConsoleElement {
  firstUpdated() {
    this.sizes = new ResizeObserver(() => this.requestUpdate());
    this.sizes.observe(this);
    document.addEventListener("trucks-change", this.drawSoon);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.sizes?.disconnect();
    document.removeEventListener("trucks-change", this.drawSoon);
    clearTimeout(this.timer);
  }

  drawSoon = () => {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.requestUpdate();
    }, DRAW_MS);
  };

  render() {
    if (!this.store || !this.console?.corridor || !this.clientWidth) return nothing;
    const { gates, corridor, map } = this.console;
    const isNarrow = this.clientWidth < NARROW_PX;
    const left = isNarrow ? 8 : LEFT_PX;
    const km = spanKm(map.tails);
    const width = this.clientWidth - left - RIGHT_PX;
    const x = (value) => left + (Math.min(Math.max(value, 0), km) / km) * width;
    const height = gates.length * LANE_PX + 18;
    const posts = Array.from({ length: km / STEP_KM + 1 }, (_, i) => i * STEP_KM);
    return html`<svg data-testid="road-strip" width=${this.clientWidth} height=${height} role="img" aria-label=${this.inWords(gates)}>
      ${posts.map((post) => svg`<g class="ck-road-post"><line x1=${x(post)} x2=${x(post)} y1="4" y2=${height - 16}></line>
        <text x=${x(post)} y=${height - 4} text-anchor=${post === km ? "end" : post ? "middle" : "start"}>${post ? `km ${post}` : t("border")}</text></g>`)}
      ${gates.map((gate, i) => this.renderLane(gate, i * LANE_PX, x, isNarrow, corridor))}
    </svg>`;
  }

  renderLane(gate, top, x, isNarrow, corridor) {
    const { map } = this.console;
    const tail = map.tails[gate.site_id] || {};
    const values = this.store.valuesOf(gate.site_id);
    const middle = top + 22;
    const bar = (from, to, attributes) => (to == null || to <= from ? nothing
      : svg`<rect class=${attributes.name} x=${x(from)} y=${attributes.y} width=${Math.max(2, x(to) - x(from))} height=${attributes.height}></rect>`);
    const isForecast = map.past === "forecast"; // where trucks will be is not known
    const trucks = isForecast ? [] : onTheWay(map.trucks.byId.values(), gate, corridor, spanKm(map.tails));
    const waiting = values ? t("{count} waiting", { count: formatNumber(values.queue[1]) }) : "";
    const end = values?.queue[1] && tail.now_km > gate.km ? ` · km ${formatNumber(tail.now_km, 1)}` : "";
    return svg`<g class="ck-road-lane" data-testid=${`road-strip-${gate.site_id}`} @click=${(event) => this.go(event, gate, x)}>
      <rect class="ck-road-press" x="0" y=${top} width=${this.clientWidth} height=${LANE_PX}></rect>
      ${isNarrow ? nothing : svg`<text class="ck-road-name" x="12" y=${middle + 4}>${gate.name}</text>`}
      <line class="ck-road-line" x1=${x(gate.km)} x2=${x(Infinity)} y1=${middle} y2=${middle}></line>
      ${bar(gate.km, tail.p90_km, { name: "ck-road-p90", y: middle + 7, height: 5 })}
      ${bar(gate.km, tail.p50_km, { name: "ck-road-p50", y: middle + 7, height: 5 })}
      ${bar(gate.km, tail.p10_km, { name: "ck-road-p10", y: middle + 7, height: 5 })}
      ${bar(gate.km, tail.now_km, { name: "ck-road-queue", y: middle - 4, height: 8 })}
      ${trucks.map(([km, state]) => svg`<line class=${`ck-road-truck ck-road-at-${state}`} x1=${x(km)} x2=${x(km)} y1=${middle - (state === "queued" ? 9 : 7)} y2=${middle - 1}></line>`)}
      <path class="ck-road-gate" d=${`M${x(gate.km)} ${middle - 9}v18`}></path>
      <text class="ck-road-figure" x=${x(Math.max(gate.km, tail.now_km ?? 0)) + 8} y=${middle - 10}>${isNarrow ? `${gate.name}: ` : ""}${waiting}${end}</text>
    </g>`;
  }

  go(event, gate, x) {
    const { corridor, map } = this.console;
    const box = this.querySelector("svg").getBoundingClientRect();
    const [from, to] = [x(0), x(Infinity)];
    const share = Math.min(1, Math.max(0, (event.clientX - box.left - from) / (to - from)));
    const line = corridor.queueLine(gate.road, gate.km, Math.max(gate.km + 0.1, share * spanKm(map.tails)));
    map.map.easeTo({ center: line.at(-1), zoom: Math.max(map.map.getZoom(), 12.5), duration: 600 });
  }

  inWords(gates) {
    return gates.map((gate) => {
      const values = this.store.valuesOf(gate.site_id);
      const tail = this.console.map.tails[gate.site_id];
      return `${gate.name}: ${values ? t("{count} waiting", { count: formatNumber(values.queue[1]) }) : "–"}${values?.queue[1] && tail?.now_km ? `, km ${formatNumber(tail.now_km, 1)}` : ""}`;
    }).join("; ");
  }
}

customElements.define("road-strip", RoadStrip);
