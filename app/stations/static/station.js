// A station: work list, search, the sheet of one trip with confirm and return; live by events, without reloading.

import { Aim } from "../aim.js";
import { api, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, swap } from "../swap.js";
import { toast } from "../toasts.js";
import { openCamera } from "./camera.js";
import { listenForScanner } from "./scanner.js";
import { startStrangers } from "./strangers.js";

const REFRESH_MS = 700;
const AGAIN_MS = 3_000; // a sheet that did not come is asked for again after this
const ANSWER_MS = 20_000; // what takes longer does not come
const ACTS = "button[data-act], button[data-channel]";
const SETTLED_MS = 5_000; // so long the sheet just acted on stays, before the next truck's takes its place
const page = document.querySelector("[data-station]");
const station = page.dataset.station;
const work = document.getElementById("work");
const detail = document.getElementById("detail");
const scan = document.getElementById("scan");
const field = document.getElementById("scan-text");
const query = page.dataset.here; // which station of which gate
const waiting = { work: 0, sheet: 0 };
let acting = false;
let saidLast = null;
let opening = 0; // requests of the officer's own for the detail pane that are on their way
let actedAt = -Infinity;
let asked = 0; // the newest request for the detail pane wins
let isChosen = Boolean(detail.querySelector("article[data-trip]")); // the officer opened this sheet; no other truck's takes its place
const aim = new Aim(detail, ACTS);

const sheet = () => detail.querySelector("article[data-trip]");
const openTripId = () => Number(sheet()?.dataset.trip || 0);

async function fragment(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(ANSWER_MS) });
  if (response.redirected) location.reload();
  if (response.status === 404) return "";
  return response.ok ? response.text() : null;
}

/**
 * Show what an address gives: true, false if it does not come or something newer was asked for, null if there is no such
 * sheet at this gate. `own`: the officer asked for it and looks. `adapt` changes the new content, at once with the swap, so
 * that nothing moves afterwards; `wanted` says last whether it may still be shown.
 */
async function show(url, id, { own = true, adapt = () => {}, wanted = () => true } = {}) {
  const mine = ++asked;
  opening += own;
  const html = await fragment(url).catch(() => null);
  opening -= own;
  if (html === null && own && mine === asked) toast(t("No connection to the server."), "danger");
  await released();
  if (html === null || mine !== asked || !wanted()) return false;
  if (html === "") return null;
  const template = document.createElement("template");
  template.innerHTML = html;
  adapt(template.content.querySelector("article[data-trip]"));
  if (!own) aim.remember({ isOther: id !== openTripId() });
  if (id !== openTripId()) detail.replaceChildren(); // nothing typed for one truck is left for another
  await swap(detail, template.innerHTML);
  page.classList.add("st-has-sheet");
  return true;
}

/** Open a sheet: because the officer wants it, or because its truck was read and nobody is at work with another. */
async function openTrip(id, { push = true, own = true } = {}) {
  const shown = await show(`/station/sheet/${id}?${query}`, id, { own, wanted: () => own || !isBusy() });
  if (shown === null && own) close(); // over, or at another gate
  if (!shown) return false;
  isChosen = own;
  if (push) history.pushState({ trip: id }, "", `/station?${query}&trip=${id}`);
  detail.scrollTop = 0;
  mark();
  return true;
}

function close() {
  asked += 1;
  isChosen = false;
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

/** Fetch the open sheet again; says so if it was changed by somebody else, until the officer acts on it. */
async function refreshSheet({ byOthers = false } = {}) {
  waiting.sheet = 0;
  const before = sheet();
  if (!before || detail.querySelector("dialog[open]")) return;
  const { state, trip: id, version } = { ...before.dataset };
  const isToldAlready = !before.querySelector("[data-changed]").hidden;
  let isNew = false;
  const adapt = (after) => {
    isNew = after.dataset.state !== state || after.dataset.version !== version;
    const notice = after.querySelector("[data-changed]");
    notice.querySelector("span").textContent = t(
      "Somebody else has changed this sheet. What you see now is its new state; look at it again.",
    );
    notice.hidden = !(byOthers && (isNew || isToldAlready));
  };
  const turn = asked + 1;
  const shown = await show(`/station/sheet/${id}?${query}`, Number(id), { own: !byOthers, adapt });
  if (shown === null) close(); // it has left the gate
  if (shown === false && turn === asked) waiting.sheet ||= setTimeout(refreshSheet, AGAIN_MS, { byOthers });
  if (shown && byOthers && isNew) detail.scrollTop = 0;
}

const workSoon = () => (waiting.work ||= setTimeout(refreshWork, REFRESH_MS));
const sheetSoon = () => (waiting.sheet ||= setTimeout(refreshSheet, REFRESH_MS, { byOthers: true }));

// Acts

function setBusy(article, isBusyNow) {
  article.classList.toggle("st-busy", isBusyNow);
  article.setAttribute("aria-busy", String(isBusyNow));
  for (const button of article.querySelectorAll(ACTS)) button.setAttribute("aria-disabled", String(isBusyNow));
}

/** One tap, one effect: the key is the same when it is sent again over a bad line. No tap goes without an effect or a word. */
async function act(method, url, body, done) {
  const article = sheet();
  if (!article) return false;
  if (acting) {
    toast(t("What you tapped before is still being sent; tap again when it is done."), "info");
    return false;
  }
  acting = true;
  setBusy(article, true);
  const headers = { "If-Match": `"${article.dataset.version}"`, "Idempotency-Key": newKey() };
  try {
    await api(method, url, body, { headers });
    saidLast?.remove(); // what was said of the act before is past, and undone may contradict it
    saidLast = toast(done, "success");
    actedAt = performance.now();
    isChosen = false;
    await refreshSheet();
    return true;
  } catch (error) {
    toast(error.message, "danger");
    const asksReason = error.status === 422 && error.problem?.field === "reason";
    if (asksReason || [404, 409, 412].includes(error.status)) {
      detail.querySelector("dialog[open]")?.close();
      await refreshSheet({ byOthers: true });
    }
    return false;
  } finally {
    acting = false;
    const after = sheet();
    if (after) setBusy(after, false);
    refreshWork();
  }
}

const stepUrl = (article, what, step = article.dataset.step) => `/api/v1/trips/${article.dataset.trip}/steps/${step}/${what}`;

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

/** The reason written in a field, or null: then the field asks for it. */
function askedReason(input) {
  const reason = input.value.trim();
  input.hidden = false;
  if (reason.length >= 3) return reason;
  input.focus();
  toast(t("Give a reason first."), "warning");
  return null;
}

/** Confirm against a warning, with the reason written in the dialog. */
async function sendOverride(form) {
  const article = sheet();
  const reason = form.elements.reason.value.trim();
  if (reason.length < 3) {
    form.querySelector("[role=alert]").textContent = t("Give a reason first.");
    return;
  }
  form.closest("dialog").close();
  const { plate } = article.dataset;
  await act("POST", stepUrl(article, "confirm"), { reason }, t("Confirmed: {plate}", { plate }));
}

/** Enter what stands here; it is compared at once. */
async function sendObservation(form) {
  const article = sheet();
  const entered = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));
  const { plate, trip, step } = article.dataset;
  await act("POST", `/api/v1/trips/${trip}/observations`, { step, ...entered }, t("Compared: {plate}", { plate }));
}

function askCorrection(form) {
  const { kind, note, reason } = form.elements;
  if (kind.value === "record" && !note.value.trim()) return note.focus();
  const body = {
    kind: kind.value,
    new: kind.value === "record" ? { note: note.value.trim() } : {},
    reason: reason.value.trim(),
  };
  const article = sheet();
  act("POST", stepUrl(article, "corrections", form.dataset.step), body, t("Asked: {plate}", { plate: article.dataset.plate }));
}

const CHANNELS = { green: "Green", yellow: "Yellow", red: "Red" };

detail.addEventListener("click", (event) => {
  const article = sheet();
  const button = event.target.closest(ACTS);
  if (!button || !article) return;
  const { plate, trip } = article.dataset;
  if (button.dataset.act === "print") {
    for (const part of article.querySelectorAll("details.st-part:not(:has(form))")) part.open = true;
    print();
  } else if (button.dataset.channel) {
    const channel = button.dataset.channel;
    const lowers = article.dataset.channelNow === "red" && channel !== "red";
    const reason = lowers || "channelByHand" in article.dataset ? askedReason(article.querySelector("[data-channel-reason]")) : "";
    if (reason === null) return;
    act("PUT", `/api/v1/trips/${trip}/channel`, { channel, reason }, t("Channel set: {channel}", { channel: t(CHANNELS[channel]) }));
  } else if (button.dataset.act === "confirm" && Number(article.dataset.warnings)) {
    detail.querySelector("[data-override-dialog]").showModal();
  } else if (button.dataset.act.startsWith("finding-")) {
    const finding = button.closest("[data-finding]");
    const reason = askedReason(finding.querySelector(".st-hand-reason"));
    if (reason === null) return;
    const verdict = button.dataset.act.slice("finding-".length);
    const url = `/api/v1/trips/${trip}/findings/${finding.dataset.finding}/decide`;
    act("POST", url, { verdict, reason }, t("Decided: {plate}", { plate }));
  } else if (button.dataset.act.startsWith("priority-")) {
    const reason = askedReason(button.parentElement.querySelector(".st-hand-reason"));
    if (reason === null) return;
    const body = { is_given: button.dataset.act === "priority-give", reason };
    act("PUT", `/api/v1/trips/${trip}/priority`, body, t("Decided: {plate}", { plate }));
  } else if (button.dataset.act === "observe") {
    return; // its form is sent
  } else if (button.dataset.act === "confirm") {
    act("POST", stepUrl(article, "confirm"), {}, t("Confirmed: {plate}", { plate }));
  } else if (button.dataset.act === "paper") {
    const [at, by, reason] = ["paper-at", "paper-by", "paper-reason"].map((id) => document.getElementById(id).value.trim());
    if (!at || !by || !reason) return toast(t("Give the true time, who did it, and why it is entered later."), "warning");
    act("POST", stepUrl(article, "confirm"), { paper: { at: `${at}:00+07:00`, by, reason } }, t("Confirmed: {plate}", { plate }));
  } else if (button.dataset.act === "undo") {
    act("POST", stepUrl(article, "undo"), null, t("Undone: {plate}", { plate }));
  } else if (button.dataset.act === "temporary-yard") {
    act("POST", `/api/v1/trips/${trip}/temporary-yard`, null, t("Led to the temporary yard: {plate}", { plate }));
  } else if (button.dataset.act.startsWith("correction-")) {
    const tools = button.closest("[data-correction]");
    const approved = button.dataset.act === "correction-approve";
    const reason = tools.querySelector(".st-hand-reason");
    if (!approved && !reason.value.trim()) return reason.focus();
    const where = `/api/v1/corrections/${tools.dataset.correction}/decision`;
    act("POST", where, { approved, reason: reason.value.trim() }, t("Decided: {plate}", { plate }));
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
  if (event.target.matches("[data-observe]")) {
    event.preventDefault();
    sendObservation(event.target);
    return;
  }
  if (event.target.matches("[data-override-form]") && event.submitter?.value === "confirm") {
    event.preventDefault();
    sendOverride(event.target);
    return;
  }
  if (event.target.matches("[data-turn-back-form]")) {
    event.preventDefault();
    const { trip, plate } = sheet().dataset;
    const reason = event.target.elements.reason.value.trim();
    act("POST", `/api/v1/trips/${trip}/turn-back`, { reason }, t("Turned back: {plate}", { plate }));
    return;
  }
  if (event.target.matches("[data-correction-form]")) {
    event.preventDefault();
    askCorrection(event.target);
    return;
  }
  if (!event.target.matches("[data-return-form]") || event.submitter?.value !== "return") return;
  event.preventDefault();
  sendReturn(event.target);
});

startStrangers(detail, {
  query,
  show,
  openTrip,
  begin: () => !acting && (acting = true),
  end: () => {
    acting = false;
    refreshWork();
  },
});

// Choosing and finding

page.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = event.target.closest("a[data-trip]");
  const stranger = event.target.closest('a[data-look-for]:not([href="/support"])');
  const back = event.target.closest("a.st-back");
  if (row) {
    event.preventDefault();
    openTrip(Number(row.dataset.trip));
  } else if (stranger) {
    event.preventDefault();
    find(stranger.dataset.lookFor);
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

on("sheet", ({ trip_id, version, step, is_open_again }) => {
  workSoon();
  if (is_open_again && step === station && !acting) {
    toast(t("What you had confirmed was changed; the step is open again."), "warning");
  }
  const article = sheet();
  if (!acting && article && trip_id === openTripId() && version !== Number(article.dataset.version)) sheetSoon();
});
on("fee", ({ trip_id }) => trip_id === openTripId() && !acting && sheetSoon());
on("equipment", () => !acting && sheet()?.dataset.step.startsWith("barrier_") && !detail.querySelector(".st-hand-reason")?.value && sheetSoon());
on("finding", ({ trip_id }) => {
  workSoon();
  if (trip_id === openTripId() && !acting && !detail.querySelector(".st-hand-reason:focus, [data-observe] input:focus")) sheetSoon();
});
on("trip", workSoon);
on("plate", ({ station: where, trip_id, status, is_late }) => {
  workSoon();
  if (where === station && trip_id && status === "matched" && !is_late) offer(trip_id); // a late read is not who stands here
});

/** Whether the officer is at work with a truck: searches, acts, has chosen the sheet, or could act on it. */
function isBusy() {
  const isSearching = field.value && (document.activeElement === field || detail.querySelector(".st-found"));
  const isAtWork = sheet() && (isChosen || sheet().querySelector(".st-acts"));
  return Boolean(acting || opening || isSearching || detail.querySelector("dialog[open]") || isAtWork);
}

/** A truck was just read here: open its sheet, unless the officer is at work with another. */
async function offer(id) {
  if (id === openTripId()) return;
  const settled = actedAt + SETTLED_MS - performance.now();
  if (!isBusy() && settled > 0) setTimeout(offer, settled, id);
  else if (isBusy() || !(await openTrip(id, { own: false }))) announce(id);
}

/** Say that a truck was read, where its sheet does not open by itself. */
function announce(id) {
  const row = work.querySelector(`a[data-trip="${id}"] .ck-plate`);
  if (row) toast(t("{plate} was just read at {station}", { plate: row.textContent, station: document.title.split(" · ")[0] }), "info");
}

// The last seconds in which the own confirmation can be undone, counted down; then the button goes.
setInterval(() => {
  const button = detail.querySelector("button[data-left-s]");
  if (!button) return;
  button.endsAt ??= performance.now() + Number(button.dataset.leftS) * 1000;
  const left = Math.ceil((button.endsAt - performance.now()) / 1000);
  if (left <= 0) button.remove();
  else button.querySelector("[data-countdown]").textContent = left;
}, 250);

for (const type of ["resync", "reconnected"]) {
  on(type, () => {
    workSoon();
    sheetSoon();
  });
}
setInterval(() => document.visibilityState === "visible" && workSoon(), 30_000); // who is here follows GPS, which has no event here
