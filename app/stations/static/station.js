// A station: work list, search, the sheet of one trip with confirm and return; live by events, without reloading.

import { api, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, swap } from "../swap.js";
import { toast } from "../toasts.js";
import { openCamera } from "./camera.js";
import { listenForScanner } from "./scanner.js";

const REFRESH_MS = 700;
const SETTLED_MS = 5_000; // so long the sheet just acted on stays, before the next truck's takes its place
const page = document.querySelector("[data-station]");
const station = page.dataset.station;
const work = document.getElementById("work");
const detail = document.getElementById("detail");
const scan = document.getElementById("scan");
const field = document.getElementById("scan-text");
const query = `at=${encodeURIComponent(station)}`;
const waiting = { work: 0, sheet: 0 };
let acting = false;
let actedAt = -Infinity;
let asked = 0; // the newest request for the detail pane wins

const sheet = () => detail.querySelector("article[data-trip]");
const openTripId = () => Number(sheet()?.dataset.trip || 0);

async function fragment(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (response.redirected) location.reload();
  if (response.status === 404) return "";
  return response.ok ? response.text() : null;
}

/** Show what an address gives: true, false if it does not come, null if there is no such sheet at this gate. */
async function show(url, id) {
  const mine = ++asked;
  const html = await fragment(url).catch(() => null);
  await released();
  if (html === null || mine !== asked) return false;
  if (html === "") return null;
  if (id !== openTripId()) detail.replaceChildren(); // nothing typed for one truck is left for another
  await swap(detail, html);
  page.classList.add("st-has-sheet");
  return true;
}

async function openTrip(id, { push = true, wanted = true } = {}) {
  const shown = await show(`/station/sheet/${id}?${query}`, id);
  if (shown === null && wanted) close(); // over, or at another gate
  if (!shown) return false;
  if (push) history.pushState({ trip: id }, "", `/station?${query}&trip=${id}`);
  detail.scrollTop = 0;
  mark();
  return true;
}

function close() {
  asked += 1;
  page.classList.remove("st-has-sheet");
  detail.replaceChildren();
  mark();
}

function mark() {
  const id = String(openTripId());
  for (const row of work.querySelectorAll("a[data-trip]")) {
    if (row.dataset.trip === id) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

async function refreshWork() {
  waiting.work = 0;
  const html = await fragment(`/station/work?${query}`).catch(() => null);
  await released();
  if (!html) return;
  await swap(work, html);
  mark();
}

/** Fetch the open sheet again; says so if it was changed by somebody else. */
async function refreshSheet({ byOthers = false } = {}) {
  waiting.sheet = 0;
  const before = sheet();
  if (!before || detail.querySelector("dialog[open]")) return;
  const { state, trip: id, version } = { ...before.dataset };
  const shown = await show(`/station/sheet/${id}?${query}`, Number(id));
  if (shown === null) close(); // it has left the gate
  if (!shown) return;
  const after = sheet();
  if (byOthers && after && (after.dataset.state !== state || after.dataset.version !== version)) {
    const notice = after.querySelector("[data-changed]");
    notice.querySelector("span").textContent = t(
      "Somebody else has changed this sheet. What you see now is its new state; look at it again.",
    );
    notice.hidden = false;
    detail.scrollTop = 0;
  }
}

const workSoon = () => (waiting.work ||= setTimeout(refreshWork, REFRESH_MS));
const sheetSoon = () => (waiting.sheet ||= setTimeout(refreshSheet, REFRESH_MS, { byOthers: true }));

// Acts

/** One tap, one effect: the key is the same when it is sent again over a bad line. */
async function act(method, url, body, done) {
  const article = sheet();
  if (acting || !article) return false;
  acting = true;
  article.classList.add("st-busy");
  const headers = { "If-Match": `"${article.dataset.version}"`, "Idempotency-Key": newKey() };
  try {
    await api(method, url, body, { headers });
    toast(done, "success");
    actedAt = performance.now();
    await refreshSheet();
    return true;
  } catch (error) {
    toast(error.message, "danger");
    if ([404, 409, 412].includes(error.status)) {
      detail.querySelector("dialog[open]")?.close();
      await refreshSheet({ byOthers: true });
    }
    return false;
  } finally {
    acting = false;
    sheet()?.classList.remove("st-busy");
    refreshWork();
  }
}

const stepUrl = (article, what) => `/api/v1/trips/${article.dataset.trip}/steps/${article.dataset.step}/${what}`;

async function sendReturn(form) {
  const article = sheet();
  const reasons = [...form.querySelectorAll("[name=reason]:checked")].map((box) => box.value);
  const text = form.elements.text.value.trim();
  if (!reasons.length && !text) {
    form.querySelector("[role=alert]").textContent = t("Choose a reason or write one.");
    return;
  }
  const dialog = form.closest("dialog");
  dialog.close();
  const plate = article.dataset.plate;
  const sent = await act("POST", stepUrl(article, "return"), { reasons, text }, t("Returned: {plate}", { plate }));
  if (sent) form.reset();
  else if (dialog.isConnected) dialog.showModal();
}

const CHANNELS = { green: "Green", yellow: "Yellow", red: "Red" };

detail.addEventListener("click", (event) => {
  const article = sheet();
  const button = event.target.closest("button[data-act], button[data-channel]");
  if (!button || !article) return;
  const { plate, trip } = article.dataset;
  if (button.dataset.channel) {
    const channel = button.dataset.channel;
    act("PUT", `/api/v1/trips/${trip}/channel`, { channel }, t("Channel set: {channel}", { channel: t(CHANNELS[channel]) }));
  } else if (button.dataset.act === "confirm") {
    act("POST", stepUrl(article, "confirm"), {}, t("Confirmed: {plate}", { plate }));
  } else if (button.dataset.act === "temporary-yard") {
    act("POST", `/api/v1/trips/${trip}/temporary-yard`, null, t("Confirmed: {plate}", { plate }));
  } else if (button.dataset.act.startsWith("barrier-")) {
    const tools = button.closest("[data-barrier]");
    const reason = tools.querySelector(".st-hand-reason");
    const what = button.dataset.act.slice("barrier-".length);
    if (what === "by-hand" && !reason.value.trim()) return reason.focus();
    const body = { trip_id: Number(trip), ...(what === "by-hand" ? { reason: reason.value.trim() } : {}) };
    act("POST", `/api/v1/barriers/${tools.dataset.barrier}/${what}`, body, t("Confirmed: {plate}", { plate }));
  } else {
    detail.querySelector("[data-return-dialog]").showModal();
  }
});

detail.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-return-form]") || event.submitter?.value !== "return") return;
  event.preventDefault();
  sendReturn(event.target);
});

// Choosing and finding

page.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = event.target.closest("a[data-trip]");
  const back = event.target.closest("a.st-back");
  if (row) {
    event.preventDefault();
    openTrip(Number(row.dataset.trip));
  } else if (back) {
    event.preventDefault();
    history.pushState({}, "", `/station?${query}`);
    close();
  }
});

async function find(text) {
  const written = text.trim();
  if (!written) return;
  field.value = written;
  await show(`/station/find?${query}&text=${encodeURIComponent(written)}`);
  const found = [...detail.querySelectorAll(".st-found a[data-trip]")];
  const exact = found.filter((row) => "exact" in row.dataset);
  if (exact.length === 1) {
    if (await openTrip(Number(exact[0].dataset.trip))) field.value = "";
  } else {
    found[0]?.focus();
  }
}

scan.addEventListener("submit", (event) => {
  event.preventDefault();
  find(field.value);
  field.select();
});
listenForScanner(find);
document.getElementById("camera-open").addEventListener("click", () => {
  openCamera(document.getElementById("camera"), page.dataset.jsqr).then((text) => text && find(text));
});
addEventListener("popstate", () => {
  const id = new URL(location.href).searchParams.get("trip");
  if (id) openTrip(Number(id), { push: false });
  else close();
});

// Live

on("sheet", ({ trip_id, version }) => {
  workSoon();
  const article = sheet();
  if (!acting && article && trip_id === openTripId() && version !== Number(article.dataset.version)) sheetSoon();
});
on("fee", ({ trip_id }) => trip_id === openTripId() && !acting && sheetSoon());
on("equipment", () => !acting && sheet()?.dataset.step.startsWith("barrier_") && !detail.querySelector(".st-hand-reason")?.value && sheetSoon());
on("trip", workSoon);
on("plate", ({ station: where, trip_id, status }) => {
  workSoon();
  if (where === station && trip_id && status === "matched") offer(trip_id);
});

/** A truck was just read here: open its sheet, unless the officer is at work with another. */
function offer(id) {
  const settled = actedAt + SETTLED_MS - performance.now();
  const isSearching = field.value && (document.activeElement === field || detail.querySelector(".st-found"));
  const isBusy = acting || isSearching || detail.querySelector("dialog[open]") || sheet()?.querySelector(".st-acts");
  if (!isBusy && settled > 0) setTimeout(offer, settled, id);
  else if (!isBusy) openTrip(id, { wanted: false });
  else if (id !== openTripId()) {
    const row = work.querySelector(`a[data-trip="${id}"] .ck-plate`);
    if (row) toast(t("{plate} was just read at {station}", { plate: row.textContent, station: document.title.split(" · ")[0] }), "info");
  }
}

for (const type of ["resync", "reconnected"]) {
  on(type, () => {
    workSoon();
    sheetSoon();
  });
}
setInterval(() => document.visibilityState === "visible" && workSoon(), 30_000); // who is here follows GPS, which has no event here
