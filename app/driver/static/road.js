// The road ahead as a strip: the border at the top, the truck below, the queue where it stands.

import { formatClock, formatNumber, t } from "../i18n.js";

const WIDTH = 360;
const HEIGHT = 300;
const TOP = 40;
const BOTTOM = HEIGHT - 20;
const X = 140;
const LINE_HEIGHT = 19;
const NS = "http://www.w3.org/2000/svg";

/**
 * Draw into `box`: outlook of the trip, queue {now, later: km from the border, count, at, isOld}, places by id,
 * name(site) → text. Without a queue, or with an old one, nobody knows whether the road is free: it is grey.
 */
export function drawRoad(box, { outlook, queue, places, name }) {
  const inbound = outlook.direction === "import";
  const mine = outlook.to_gate_km;
  const far = Math.max(10, (mine ?? 0) * 1.12, (queue?.now || 0) * 1.2, (queue?.later || 0) * 1.2);
  const y = (km) => TOP + (BOTTOM - TOP) * Math.min(1, km / far);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}` });
  const notes = []; // on the right: what concerns this truck

  svg.append(stroke("line behind", X, TOP, BOTTOM));
  const isKnown = queue && !queue.isOld;
  const when = queue?.isOld ? t("Queue at {time}", { time: formatClock(queue.at) }) : t("Queue now");
  if (mine !== null) svg.append(stroke(isKnown || inbound ? "line" : "line unknown", X, TOP, y(mine)));
  if (queue?.now > 0 && !inbound) {
    svg.append(stroke(queue.isOld ? "queue old" : "queue", X, TOP, y(queue.now)));
    notes.push({ y: y(queue.now), text: `${when} · km ${formatNumber(queue.now, 1)}` });
  } else if (queue === null && !inbound) notes.push({ y: TOP + 4, text: t("Queue not known now"), cls: "soft" });
  if (isKnown && queue.later > 0 && !inbound) {
    svg.append(stroke("queue-later", X + 13, TOP, y(queue.later)));
    notes.push({ y: y(queue.later), text: `${t("Queue when you arrive")} · km ${formatNumber(queue.later, 1)}`, cls: "soft" });
  }
  for (const [id, site] of Object.entries(places)) {
    const km = site.to_gate_km[outlook.gate_id];
    if (site.kind !== "staging" || km == null || km > far) continue;
    svg.append(make("rect", { class: "site", x: X - 6, y: y(km) - 6, width: 12, height: 12, transform: `rotate(45 ${X} ${y(km)})` }));
    svg.append(...wrapped(X - 20, y(km) + 4, name(id)));
  }
  svg.append(make("rect", { class: "site", x: X - 16, y: TOP - 12, width: 32, height: 12 }));
  svg.append(label(X, TOP - 20, name(outlook.gate_id), "", "middle"));
  if (mine !== null) {
    const at = y(mine);
    svg.append(make("path", { class: "truck", d: inbound ? `M${X} ${at + 14}l-11-22h22z` : `M${X} ${at - 14}l11 22h-22z` }));
    notes.push({ y: at + 4, text: t("You"), cls: "" }, { y: at + 5, text: t("{km} km to go", { km: formatNumber(mine, 1) }), cls: "" });
  }
  svg.append(...apart(notes).map((note) => label(X + 28, note.y + 5, note.text, note.cls)));
  box.replaceChildren(svg);
  const words = !isKnown ? [queue?.now > 0 ? `${when}: km ${formatNumber(queue.now, 1)}` : t("Queue not known now")] : [queue.now > 0 ? t("Queue: {count} trucks, to km {km}", { count: formatNumber(queue.count), km: formatNumber(queue.now, 1) }) : t("No queue now")];
  if (mine !== null) words.push(t("{km} km to go", { km: formatNumber(mine, 1) }));
  box.setAttribute("aria-label", words.join(". "));
}

/** Labels moved so that none covers another, and none leaves the picture. */
function apart(notes) {
  notes.sort((a, b) => a.y - b.y);
  for (let i = 1; i < notes.length; i++) notes[i].y = Math.max(notes[i].y, notes[i - 1].y + LINE_HEIGHT);
  const over = notes.length ? notes.at(-1).y - (BOTTOM + 6) : 0;
  if (over > 0) for (let i = notes.length - 1, limit = BOTTOM + 6; i >= 0 && notes[i].y > limit; i--, limit -= LINE_HEIGHT) notes[i].y = limit;
  return notes;
}

/** A name left of the road, on two lines if it is long. */
function wrapped(x, y, text) {
  const words = text.split(" ");
  if (text.length <= 17 || words.length < 2) return [label(x, y, text, "soft", "end")];
  const half = Math.ceil(words.length / 2);
  return [label(x, y - 8, words.slice(0, half).join(" "), "soft", "end"), label(x, y + 9, words.slice(half).join(" "), "soft", "end")];
}

const stroke = (cls, x, from, to) => make("line", { class: cls, x1: x, x2: x, y1: from, y2: to });

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
