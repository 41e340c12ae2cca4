// Shipments: one table and one map of the same trips.

import "/static/map/live-map.js";
import { api } from "../api.js";
import { on } from "../events.js";
import { formatClock, formatDayClock, formatDuration, formatNumber, formatRange, formatWait, language, t } from "../i18n.js";
import { released } from "../swap.js";
import { group, names } from "../vocabulary.js";

const GATHER_MS = 400; // a forecast brings many events at once
const REST_MS = 3000; // of many trucks something happens every second
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const sites = read("sites");
const map = document.getElementById("map");
const STAGES = names("Stage"); // in the order of a trip
const REASONS = names("ReturnReason");
const headings = [...document.querySelectorAll(".en-table th")].map((cell) => cell.textContent);
let items = read("outlooks");
let filter = null;
let returned = new Map(); // trip → why its declaration was returned
let dues = new Map(); // trip → what of its fee is still to be paid

const name = (id) => sites[id]?.[language] || sites[id]?.vi || id;

function show() {
  const counts = Object.fromEntries(Object.keys(STAGES).map((stage) => [stage, 0]));
  for (const item of items) counts[item.stage] += 1;
  document.getElementById("stages").replaceChildren(...Object.keys(STAGES).map((stage) => chip(stage, counts[stage])));
  const shown = items.filter((item) => !filter || item.stage === filter).sort(byUrgency);
  document.getElementById("rows").replaceChildren(...shown.map(row));
  document.getElementById("empty").hidden = shown.length > 0;
  document.getElementById("count").textContent = t("{count} shipments", { count: formatNumber(items.length) });
}

/** What is stuck first, then what comes, what is planned, what is over; within each the earlier first. */
const URGENCY = group("Stage", "by_urgency");
const byUrgency = (a, b) =>
  returned.has(b.trip_id) - returned.has(a.trip_id) ||
  URGENCY.indexOf(a.stage) - URGENCY.indexOf(b.stage) ||
  (a.arrive_at?.[1] || a.planned_arrival).localeCompare(b.arrive_at?.[1] || b.planned_arrival);

function chip(stage, count) {
  const { label, icon } = STAGES[stage];
  const button = element("button", { type: "button", "aria-pressed": String(filter === stage) });
  button.append(element("i", { class: `ti ti-${icon}`, "aria-hidden": "true" }), element("span", {}, label), element("b", {}, formatNumber(count)));
  button.addEventListener("click", () => {
    filter = filter === stage ? null : stage;
    show();
  });
  const li = element("li");
  li.append(button);
  return li;
}

function row(item) {
  const tr = element("tr", { "data-trip": item.trip_id });
  const link = element("a", { href: `/enterprise/trips/${item.trip_id}`, class: "ck-plate" }, item.plate);
  const known = item.forecast_at !== null;
  const place = item.position
    ? [`${item.position.road || ""} km ${formatNumber(item.position.km, 1)}`, `${t("at {time}", { time: formatClock(item.position.time) })}`]
    : [t("no position yet"), ""];
  if (item.position && item.position.km == null) place[0] = item.position.site ? name(item.position.site) : "–";
  const arrive = item.arrive_at?.[1] ? formatClock(item.arrive_at[1]) : known ? t("beyond the next 6 hours") : "–";
  const yard = item.yard?.yard_id ? [name(item.yard.yard_id), item.yard.text, item.yard.is_of_another_gate ? t("at another gate, a suggestion") : item.yard.zone_id ? t("zone {zone}", { zone: item.yard.zone_id }) : ""] : [item.yard?.reason || "–", ""];
  const { label, icon } = STAGES[item.stage];
  const cells = [
    [link, item.code],
    [item.goods, item.perishable ? t("Perishable") : ""],
    [name(item.gate_id), item.direction === "import" ? t("Import") : t("Export")],
    [iconText(icon, label), t("since {time}", { time: formatDayClock(item.stage_since) }), returnNote(item), payLink(item)],
    place,
    [arrive, formatRange(item.arrive_at, formatClock), late(item)],
    [formatWait(item.wait_s) || "–", formatRange(item.wait_s, formatDuration)],
    yard,
  ];
  cells.forEach((parts, i) => {
    const td = element("td", { "data-label": headings[i] });
    const [main, ...more] = parts;
    td.append(main);
    for (const one of more) if (one) td.append(one instanceof Node ? one : element("small", {}, one));
    tr.append(td);
  });
  tr.addEventListener("click", (event) => {
    if (event.target.closest("a")) return;
    map.showTruck(item.vehicle_id);
    map.mark([item.vehicle_id]);
  });
  return tr;
}

/** How much later than planned the truck is expected, if by more than half an hour. */
function late(item) {
  if (!item.arrive_at?.[1] || !group("Stage", "before_yard").includes(item.stage)) return "";
  const seconds = (new Date(item.arrive_at[1]) - new Date(item.planned_arrival)) / 1000;
  return seconds > 1800 ? element("small", { class: "en-late" }, t("late by {time}", { time: formatDuration(seconds) })) : "";
}

/** Why a sheet came back, and the way to mend it. */
function returnNote(item) {
  const why = returned.get(item.trip_id);
  if (why === undefined) return "";
  const reasons = [...(why?.reasons ?? []).map((code) => REASONS[code]?.label ?? code), why?.text].filter(Boolean).join("; ");
  const note = element("span", { class: "en-returned", "data-testid": "returned" });
  note.append(
    iconText("arrow-back-up", `${t("Returned")}${reasons ? `: ${reasons}` : ""}`),
    element("a", { href: `/declarations/${item.trip_id}/edit`, class: "btn btn-sm btn-primary mt-1 ck-act" }, t("Declare again")),
  );
  return note;
}

function payLink(item) {
  const due = dues.get(item.trip_id);
  if (!due) return "";
  const text = t("Pay {amount} đ", { amount: formatNumber(due.outstanding_vnd) });
  return element("a", { href: `/fees/${due.fee_id}`, class: "btn btn-sm btn-primary mt-1", "data-testid": "pay-fee" }, text);
}

function iconText(icon, text) {
  const span = element("span");
  span.append(element("i", { class: `ti ti-${icon}`, "aria-hidden": "true" }), ` ${text}`);
  return span;
}

function element(tag, attributes = {}, text = "") {
  const one = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text) one.textContent = text;
  return one;
}

async function refresh() {
  items = (await api("GET", "/api/v1/outlooks")).items;
  await released();
  show();
  await loadReturned();
  await loadDues();
  await showGates();
}

/** What was returned and not declared again, as many as a page has. */
async function loadReturned() {
  const found = (await api("GET", "/api/v1/declarations?status=returned&limit=200")).items;
  returned = new Map(found.map(({ trip_id: trip, return_reasons: why }) => [trip, why]));
  show();
}

/** What is to be paid: the newest open bills, as many as a page has. */
async function loadDues() {
  const bills = (await api("GET", "/api/v1/fees/bills?state=open&limit=200")).items;
  dues = new Map(bills.filter((bill) => bill.outstanding_vnd > 0).map((bill) => [bill.trip_id, bill]));
  show();
}

/** Yards and queues on the map; both are open to everyone. */
async function showGates() {
  await map.ready;
  const yards = (await api("GET", "/api/v1/yards")).items;
  map.setYards(Object.fromEntries(yards.map((yard) => [yard.yard_id, { inside: yard.inside, capacity: yard.capacity }])));
  const gates = map.corridor.gates.map(({ site_id: id }) => id);
  const forecasts = await Promise.all(gates.map((gate) => api("GET", `/api/v1/forecasts/latest?gate=${gate}`).catch(() => null)));
  map.setQueues(Object.fromEntries(gates.map((gate, i) => [gate, forecasts[i]?.now?.queue_veh ?? null]))); // null: not measured of late
}

let waiting = 0;
let restUntil = 0;
const refreshSoon = () => {
  clearTimeout(waiting);
  const wait = Math.max(GATHER_MS, restUntil - performance.now());
  waiting = setTimeout(() => refresh().catch(() => {}).finally(() => { restUntil = performance.now() + REST_MS; }), wait);
};

show();
loadReturned().catch(() => {});
loadDues().catch(() => {});
showGates().catch(() => {});
for (const type of ["trip", "sheet", "fee", "forecast", "yard", "reconnected", "resync"]) on(type, refreshSoon);
setInterval(refreshSoon, 30_000);
