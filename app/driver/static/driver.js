// The driver's page: what the server tells is shown, what the driver answers is sent.

import { api } from "../api.js";
import { on } from "../events.js";
import { formatClock, formatDuration, formatNumber, formatRange, formatWait, language, t } from "../i18n.js";
import { stepNow, tailOf, valuesAt } from "../forecasting/forecast.js";
import { renew } from "../swap.js";
import { Orders } from "./orders.js";
import * as push from "./push.js";
import { Recalls } from "./recalls.js";
import { drawRoad } from "./road.js";
import * as sharing from "./sharing.js";

const root = document.getElementById("driver");
const places = JSON.parse(document.getElementById("places").textContent);
const $ = (id) => document.getElementById(id);
let outlook = JSON.parse(document.getElementById("outlook").textContent);
const isReading = "reading" in root.dataset; // somebody looks at what a driver sees, and answers nothing
const QUEUE_KEPT = "ck-queue";
const POLL_MS = 30_000; // beside the events: a phone's line drops them silently
let queue = keptQueue();

const name = (site) => places[site]?.name[language] || places[site]?.name.vi || site;
const middle = (values, format, missing) => (values && values[1] != null ? format(values[1]) : missing);

function show() {
  if (!outlook) return;
  const steps = [...document.querySelectorAll(".dr-steps li")];
  const at = steps.findIndex((step) => step.dataset.stage === outlook.stage);
  steps.forEach((step, i) => {
    step.className = i < at ? "done" : i === at ? "now" : "";
    if (i === at) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  $("stage").textContent = steps[at]?.innerText || "";
  $("stage").dataset.stage = outlook.stage;
  $("gate").textContent = name(outlook.gate_id);

  const known = outlook.forecast_at !== null;
  $("arrive").textContent = middle(outlook.arrive_at, formatClock, known ? t("beyond the next 6 hours") : t("not known yet"));
  $("arrive").classList.toggle("dr-words", !outlook.arrive_at?.[1]);
  $("arrive-range").textContent = formatRange(outlook.arrive_at, formatClock);
  $("wait").textContent = formatWait(outlook.wait_s) || t("not known yet");
  $("wait-range").textContent = formatRange(outlook.wait_s, formatDuration);
  drawRoad($("road"), { outlook, queue, places, name });
  const heard = outlook.position ? t("last position {time}", { time: formatClock(outlook.position.time) }) : t("no position yet");
  $("as-of").textContent = known ? `${heard} · ${t("as of {time}", { time: formatClock(outlook.forecast_at) })}` : heard;
  showYard();
}

function showYard() {
  const box = $("yard");
  box.replaceChildren();
  const line = (text, cls = "") => {
    const p = document.createElement("p");
    p.textContent = text;
    p.className = cls;
    box.append(p);
  };
  const yard = outlook.yard;
  if (!yard) return line(t("No yard assigned yet."), "ck-muted");
  if (!yard.yard_id) return line(yard.reason, "ck-figure");
  const isOther = yard.is_of_another_gate; // its own gate's yard in large type, never that of another
  if (isOther) line(yard.reason, "dr-note");
  line(name(yard.yard_id), isOther ? "" : "ck-figure");
  line(yard.text);
  if (yard.reason && !isOther) line(yard.reason, "ck-muted");
}

async function refresh() {
  try {
    const mine = (await api("GET", isReading ? `/api/v1/outlooks?trip_id=${root.dataset.trip || 0}` : "/api/v1/outlooks")).items;
    const current = mine.find((item) => item.trip_id === outlook?.trip_id) || mine[0] || null;
    if (current?.trip_id !== outlook?.trip_id) return renew(); // another trip: another page
    outlook = current;
    if (outlook) {
      const forecast = await api("GET", `/api/v1/forecasts/latest?gate=${encodeURIComponent(outlook.gate_id)}`).catch(() => null);
      const measured = forecast?.now; // null: not of late
      if (measured) {
        const { queue_veh: count, tail_km: km, time: at } = measured;
        queue = { now: tailOf(count, km), later: laterTail(forecast), count, at, isOld: false };
        localStorage.setItem(QUEUE_KEPT, JSON.stringify({ ...queue, gate: outlook.gate_id }));
      } else forget();
    }
    show();
  } catch {
    forget(); // the banner tells that the line is down; what was shown stays
    show();
  }
}

/** What was known of the queue is old from now on; null: it is not known. */
function forget() {
  if (queue) queue.isOld = true;
  else queue = null;
}

/** The last queue that was known of this trip's gate, from before the page was opened; undefined until it is asked for. */
function keptQueue() {
  const kept = JSON.parse(localStorage.getItem(QUEUE_KEPT) ?? "null");
  return kept && kept.gate === outlook?.gate_id ? { ...kept, isOld: true } : undefined;
}

/** Without a line what was known grows old: it stays, and says of when it is. */
document.addEventListener("connection", ({ detail }) => {
  if (detail !== "lost") return;
  forget();
  show();
});

/** The median tail when this truck is expected there. */
function laterTail(forecast) {
  const arrive = outlook.arrive_at?.[1];
  if (!arrive) return null;
  const step = stepNow(forecast, Date.parse(arrive));
  return step === null ? null : valuesAt(forecast, step).tail_km[1];
}

const ERRORS = {
  unsupported: "This browser cannot share positions.",
  insecure: "Sharing needs a secure connection (https).",
  denied: "Location permission was denied. Allow it in the browser's settings.",
  "no-fix": "No position from GPS yet. Is there a view of the sky?",
  offline: "No connection: turn sharing on again when there is one.",
  enrol: "This phone could not be registered.",
};

function showSharing(state) {
  const line = $("sharing-state");
  $("share").checked = state.on;
  line.className = `dr-sharing-state ${state.error ? "bad" : state.on ? "on" : ""}`;
  const parts = [state.error ? t(ERRORS[state.error]) : state.on ? t("Sharing is on") : t("Sharing is off")];
  if (state.unsent) parts.push(t("{count} positions not sent yet", { count: formatNumber(state.unsent) }));
  else if (state.on && state.lastSent) parts.push(t("last sent {time}", { time: formatClock(state.lastSent) }));
  line.textContent = parts.join(" · ");
  line.dataset.unsent = state.unsent;
}

document.body.dataset.account = root.dataset.account;
document.body.dataset.plate = root.dataset.plate;
show();
if (root.dataset.trip || !isReading) refresh();
for (const type of ["trip", "forecast", "yard", "booking", "reconnected", "resync"]) on(type, refresh);
on("booking", () => document.getElementById("booking")?.dispatchEvent(new Event("renew")));
setInterval(refresh, POLL_MS);
if (!isReading) serveDriver();

/** What only the driver of the trip has: orders to answer, the own position, the page without a line. */
function serveDriver() {
  const orders = new Orders($("orders"), $("refusal"));
  const recalls = new Recalls($("recall"));
  const refreshOrders = () => Promise.all([orders.refresh(), recalls.refresh()]);
  refreshOrders();
  for (const type of ["order", "reconnected", "resync"]) on(type, refreshOrders);
  setInterval(refreshOrders, POLL_MS);
  share();
  keepWithoutLine();
}

function share() {
  if (!root.dataset.plate) return;
  sharing.start(showSharing);
  $("share").addEventListener("change", (event) => (event.target.checked ? sharing.turnOn() : sharing.turnOff()));
}

function keepWithoutLine() {
  offerInstalling();
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker
    .register("/static/service-worker.js", { scope: "/", type: "module" })
    .then(() => push.start($("push")))
    .catch((error) => console.warn("no service worker", error));
  // What was loaded before the worker was there is given to it, so that the page opens without a line from now on.
  navigator.serviceWorker.ready.then(({ active }) => {
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const brought = document.querySelector("style[data-sheet]"); // within the page, which without a line is another
    const sheets = brought ? [location.origin + brought.dataset.sheet] : [];
    active.postMessage({ keep: [location.origin + location.pathname, ...sheets, ...loaded] });
  });
}
document.querySelector('form[action="/signout"]')?.addEventListener("submit", () => {
  navigator.serviceWorker?.controller?.postMessage("forget");
});

function offerInstalling() {
  let prompt = null;
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    prompt = event;
    $("install").hidden = false;
  });
  $("install").addEventListener("click", async () => {
    await prompt?.prompt();
    $("install").hidden = true;
  });
}
