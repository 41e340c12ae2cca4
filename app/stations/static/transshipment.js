// Transshipments: the acts of customs, yard and enterprise.

import { api, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, renew } from "../swap.js";
import { toast, toastLater } from "../toasts.js";

const CHANGED = "ck-transshipment-changed";

// Acts on one transshipment

const found = document.querySelector("[data-transshipment]");
const DONE = { approve: "Approved", refuse: "Refused", withdraw: "Withdrawn", begin: "Begun", "carry-out": "Carried out" };
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
    toastLater(t(DONE[what]), "success");
    location.reload();
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
    if (button && acting) toast(t("What you tapped before is still being sent; tap again when it is done."), "info");
    else if (button) act(button);
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
    if (step === "transshipment" && trip_id === Number(found.dataset.trip) && !acting && !isTyping) renew();
  });
} else {
  on("sheet", ({ step }) => step === "transshipment" && renew());
}
