// Bills of an enterprise: choose trips, pay them with one code; the page of that code follows what comes in.

import { api } from "../api.js";
import { on } from "../events.js";
import { formatNumber, t } from "../i18n.js";
import { renew } from "../swap.js";
import { toast } from "../toasts.js";

const form = document.querySelector("[data-bills]");
const button = form?.querySelector("[data-testid=pay-together]");

const chosen = () => [...form.querySelectorAll("input[name=fee]:checked")];

function show() {
  const boxes = chosen();
  const amount = boxes.reduce((sum, box) => sum + Number(box.dataset.due), 0);
  const text = t("{count} trips · {amount} đ", { count: formatNumber(boxes.length), amount: formatNumber(amount) });
  form.querySelector("[data-chosen]").textContent = boxes.length ? text : t("Choose trips to pay");
  button.disabled = boxes.length === 0;
  for (const box of form.querySelectorAll("input[name=fee]")) {
    box.disabled = boxes.length > 0 && box.dataset.office !== boxes[0].dataset.office; // one transfer goes to one account
  }
}

form?.addEventListener("change", show);
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    const made = await api("POST", "/api/v1/fees/remittances", { fee_ids: chosen().map((box) => Number(box.value)) });
    location.assign(`/fees/remittances/${made.remittance_id}`);
  } catch (error) {
    toast(error.message, "danger");
    button.disabled = false;
  }
});
if (form && button) show();

if (document.querySelector("[data-remittance]")) on("fee", renew);
