// Fee pages: forms go to the API with version and key, the board is fetched again when something changes.

import { api, csrfToken, isProven, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, renew, swap } from "../swap.js";
import { toast, toastLater } from "../toasts.js";

const REFRESH_MS = 2000;
const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const RESULTS = {
  matched: "Fits", unmatched: "Unknown", over: "Too much", under: "Too little", double: "Paid twice", refunded: "Given back",
  repeat: "Known already", outgoing: "Nothing came in", error: "Fault",
};
const board = document.querySelector("[data-board]");
const shown = document.querySelector("[data-fee]");
let waiting = 0;

async function refresh() {
  waiting = 0;
  if (board.contains(document.activeElement) && document.activeElement.matches("input")) return soon();
  const response = await fetch(board.dataset.board, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const html = await response.text();
  await released();
  await swap(board, html);
}

function soon() {
  waiting ||= setTimeout(refresh, REFRESH_MS);
}

/** A whole number as people write it, thousands apart by points, commas or spaces; what may mean another is refused. */
function whole(written) {
  const text = written.trim();
  if (/^\d+$/.test(text) || /^\d{1,3}(?:([.,\s])\d{3})(?:\1\d{3})*$/.test(text)) return Number(text.replace(/\D/g, ""));
  throw new Error(t("“{text}” is no whole number; write it like 850.000.", { text }));
}

function value(field) {
  if (field.dataset.type === "int") return whole(field.value);
  if (field.dataset.type === "bool") return field.value === "true";
  return field.value;
}

// The fields of a form as JSON; "facts.x" goes into facts, and what is left empty there is left out.
function body(form, button) {
  const read = {};
  const fields = [...form.elements].filter((field) => field.name && field.tagName !== "BUTTON");
  if (button?.name) fields.push(button);
  for (const field of fields) {
    const [group, name] = field.name.split(".");
    if ("optional" in field.dataset && field.value.trim() === "") continue;
    if (!name) read[group] = value(field);
    else {
      read[group] ??= {};
      if (field.value.trim() !== "") read[group][name] = value(field);
    }
  }
  return read;
}

async function send(form, button) {
  const headers = {};
  if (form.dataset.version) headers["If-Match"] = `"${form.dataset.version}"`;
  if ("keyed" in form.dataset) headers["Idempotency-Key"] = form.dataset.key ??= newKey();
  const sent = body(form, button);
  await api("POST", form.dataset.send, Object.keys(sent).length ? sent : undefined, { headers });
}

async function sendStatement(form) {
  const file = form.elements.file.files[0];
  const response = await fetch("/api/v1/payments/statements", {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": file.name.toLowerCase().endsWith(".xlsx") ? XLSX : "text/csv", "X-CSRF-Token": csrfToken, Accept: "application/json" },
    body: file,
  });
  const answer = await response.json();
  if (await isProven(response.status, answer)) return sendStatement(form);
  if (!response.ok) throw new Error(answer.detail);
  const list = form.querySelector("[data-results]");
  const line = (text) => Object.assign(document.createElement("li"), { textContent: text });
  const counts = Object.entries(answer.counts).map(([name, number]) => `${t(RESULTS[name] ?? name)} ${number}`);
  list.replaceChildren(line(t("{file}: {counts}", { file: file.name, counts: counts.join(", ") })));
  for (const row of answer.rows.filter((row) => row.result === "error")) {
    list.append(line(t("row {row}: {result}", { row: row.row, result: row.message })));
  }
  form.elements.file.value = "";
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const isStatement = "statement" in form.dataset;
  if (event.defaultPrevented || (!isStatement && !form.dataset.send)) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    await (isStatement ? sendStatement(form) : send(form, button));
    const done = button?.dataset.done ?? form.dataset.done ?? t("Done");
    if ("reload" in form.dataset || form.dataset.leave) {
      toastLater(done, "success");
      return form.dataset.leave ? location.assign(form.dataset.leave) : location.reload();
    }
    toast(done, "success");
    document.activeElement?.blur();
    if (board) await refresh();
  } catch (error) {
    delete form.dataset.key;
    toast(error.message, "danger");
  } finally {
    if (button) button.disabled = false;
  }
});

if (board) for (const type of ["fee", "sheet", "resync", "reconnected"]) on(type, soon);
if (shown) {
  on("fee", (data) => {
    const isBusy = document.activeElement?.matches("input, select");
    if (String(data.fee_id) === shown.dataset.fee && !isBusy) renew();
  });
}
