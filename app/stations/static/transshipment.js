// Transshipments: the registration form that balances as one types, and the acts of customs, yard and enterprise.

import { api, newKey } from "../api.js";
import { on } from "../events.js";
import { formatNumber, t } from "../i18n.js";
import { released } from "../swap.js";
import { toast } from "../toasts.js";

const CHANGED = "ck-transshipment-changed";

// Acts on one transshipment

const found = document.querySelector("[data-transshipment]");
const DONE = { approve: "Approved", refuse: "Refused", withdraw: "Withdrawn", "carry-out": "Carried out" };
let acting = false;

function bodyOf(act) {
  if (act === "refuse") return { reason: document.getElementById("reason").value.trim() || " " };
  if (act !== "carry-out") return null;
  const rows = [...found.querySelectorAll("[data-move]")];
  if (!rows.every((row) => row.querySelector("[name=moved]").checked)) {
    throw new Error(t("Tick every line that was moved exactly so."));
  }
  return { moves: rows.map((row) => JSON.parse(row.dataset.move)) };
}

async function act(button) {
  const what = button.dataset.do;
  acting = true;
  button.disabled = true;
  try {
    const headers = { "If-Match": `"${found.dataset.version}"`, "Idempotency-Key": newKey() };
    await api("POST", `/api/v1/transshipments/${found.dataset.transshipment}/${what}`, bodyOf(what), { headers });
    toast(t(DONE[what]), "success");
    setTimeout(() => location.reload(), 700);
  } catch (error) {
    toast(error.message, "danger");
    if (error.status === 412) {
      sessionStorage.setItem(CHANGED, found.dataset.transshipment);
      location.reload();
    }
    button.disabled = false;
    acting = false;
  }
}

if (found) {
  found.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button && !acting) act(button);
  });
  if (sessionStorage.getItem(CHANGED) === found.dataset.transshipment) {
    const notice = found.querySelector("[data-changed]");
    notice.textContent = t("Somebody else has changed this. What you see now is its new state; look at it again.");
    notice.hidden = false;
  }
  sessionStorage.removeItem(CHANGED);
  on("sheet", async ({ trip_id, step }) => {
    await released();
    const isTyping = found.querySelector("#reason")?.value || found.querySelector(":checked");
    if (step === "transshipment" && trip_id === Number(found.dataset.trip) && !acting && !isTyping) location.reload();
  });
} else if (!document.querySelector("[data-register]")) {
  on("sheet", ({ step }) => step === "transshipment" && location.reload());
}

// Registering

const form = document.querySelector("[data-register]");

function add(line) {
  const row = form.querySelector("[data-row-template]").content.cloneNode(true);
  const { packages, weight } = left(line);
  row.querySelector("[name=packages]").value = Math.max(packages, 0);
  row.querySelector("[name=weight_kg]").value = weight > 0 ? weight : "";
  line.querySelector("[data-rows]").append(row);
  say(line);
}

function left(line) {
  let packages = Number(line.dataset.packages);
  let grams = Math.round(Number(line.dataset.weight) * 1000);
  for (const row of line.querySelectorAll("[data-row]")) {
    packages -= Number(row.querySelector("[name=packages]").value);
    grams -= Math.round(Number(row.querySelector("[name=weight_kg]").value) * 1000);
  }
  return { packages, weight: grams / 1000 };
}

function say(line) {
  const { packages, weight } = left(line);
  const output = line.querySelector("[data-left]");
  output.textContent = t("{packages} packages, {weight} kg stay", { packages: formatNumber(packages), weight: formatNumber(weight) });
  output.classList.toggle("st-dialog-error", packages < 0 || weight < 0);
}

function moves() {
  return [...form.querySelectorAll("[data-row]")].map((row) => {
    const value = (name) => row.querySelector(`[name=${name}]`)?.value.trim() ?? "";
    return {
      line: Number(row.closest("[data-line]").dataset.line),
      from_plate: value("from_plate"),
      to_plate: value("to_plate"),
      packages: Number(value("packages")),
      weight_kg: value("weight_kg"),
    };
  });
}

if (form) {
  const key = newKey();
  let changes = 0;
  for (const line of form.querySelectorAll("[data-line]")) say(line);
  form.addEventListener("input", (event) => {
    changes += 1;
    const line = event.target.closest("[data-line]");
    if (line) say(line);
  });
  form.addEventListener("click", (event) => {
    const line = event.target.closest("[data-line]");
    if (event.target.closest("[data-add]")) add(line);
    if (event.target.closest("[data-remove]")) {
      changes += 1;
      event.target.closest("[data-row]").remove();
      say(line);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = form.querySelector("[role=alert]");
    const body = { trip_id: Number(form.dataset.trip), moves: moves(), note: form.elements.note.value };
    if (!body.moves.length) {
      error.textContent = t("Name at least one line of goods to move and the vehicle it goes to.");
      return;
    }
    event.submitter.disabled = true;
    try {
      const made = await api("POST", "/api/v1/transshipments", body, { headers: { "Idempotency-Key": `${key}-${changes}` } });
      toast(t("Registered; customs decide next."), "success");
      location.assign(`/transshipments/${made.transshipment_id}`);
    } catch (problem) {
      error.textContent = problem.message;
      event.submitter.disabled = false;
    }
  });
}
