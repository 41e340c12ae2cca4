// The road ahead as a strip: the border at the top, the truck below, the queue where it stands.

import { formatNumber, t } from "../i18n.js";

const WIDTH = 340;
const HEIGHT = 300;
const TOP = 26;
const BOTTOM = HEIGHT - 18;
const X = 96;
const NS = "http://www.w3.org/2000/svg";

/** Draw into `box`: outlook of the trip, queue {now, later: km from the border, count}, places by id, name(site) → text. */
export function drawRoad(box, { outlook, queue, places, name }) {
  const inbound = outlook.direction === "import";
  const mine = outlook.to_gate_km;
  const sites = Object.entries(places)
    .filter(([, site]) => site.kind === "staging")
    .map(([id, site]) => ({ id, km: site.to_gate_km[outlook.gate_id] ?? null }));
  const far = Math.max(10, (mine ?? 0) * 1.12, (queue?.now || 0) * 1.2, (queue?.later || 0) * 1.2);
  const y = (km) => TOP + (BOTTOM - TOP) * Math.min(1, km / far);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}` });

  svg.append(make("line", { class: "line behind", x1: X, x2: X, y1: TOP, y2: BOTTOM }));
  if (mine !== null) svg.append(make("line", { class: "line", x1: X, x2: X, y1: TOP, y2: y(mine) }));
  if (queue?.now > 0 && !inbound) {
    svg.append(make("line", { class: "queue", x1: X, x2: X, y1: TOP, y2: y(queue.now) }));
    svg.append(label(X + 16, y(queue.now) + 4, t("Queue now") + ` · km ${formatNumber(queue.now, 1)}`));
  }
  if (queue?.later > 0 && !inbound) {
    const end = y(queue.later);
    svg.append(make("line", { class: "queue-later", x1: X - 14, x2: X - 14, y1: TOP, y2: end }));
    if (Math.abs(end - y(queue.now || 0)) > 16) svg.append(label(X + 16, end + 4, `${t("Queue when you arrive")} · km ${formatNumber(queue.later, 1)}`, "soft"));
  }
  for (const site of sites) {
    if (site.km === null || site.km > far) continue;
    svg.append(make("rect", { class: "site", x: X - 6, y: y(site.km) - 6, width: 12, height: 12, transform: `rotate(45 ${X} ${y(site.km)})` }));
    svg.append(label(X - 22, y(site.km) + 4, name(site.id), "soft", "end"));
  }
  svg.append(make("rect", { class: "site", x: X - 16, y: TOP - 12, width: 32, height: 12 }));
  svg.append(label(X + 26, TOP, name(outlook.gate_id)));
  if (mine !== null) {
    const at = y(mine);
    svg.append(make("path", { class: "truck", d: inbound ? `M${X} ${at + 14}l-11-22h22z` : `M${X} ${at - 14}l11 22h-22z` }));
    svg.append(label(X + 26, at + 18, `${t("You")} · ${t("{km} km to go", { km: formatNumber(mine, 1) })}`));
  }
  box.replaceChildren(svg);
  const words = [queue?.now > 0 ? t("Queue: {count} trucks, to km {km}", { count: formatNumber(queue.count), km: formatNumber(queue.now, 1) }) : t("No queue now")];
  if (mine !== null) words.push(t("{km} km to go", { km: formatNumber(mine, 1) }));
  box.setAttribute("aria-label", words.join(". "));
}

function make(tag, attributes) {
  const element = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function label(x, y, text, cls = "", anchor = "start") {
  const element = make("text", { x, y, class: cls, "text-anchor": anchor });
  element.textContent = text;
  return element;
}
