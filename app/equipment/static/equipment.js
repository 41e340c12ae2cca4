// Devices (set up, new key, out of use) and plate reads to decide on, through the API.

import { api } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released } from "../swap.js";
import { toast, toastLater } from "../toasts.js";

const form = document.getElementById("device-form");
const made = document.getElementById("made");
const reads = document.getElementById("reads");

function showKey(device) {
  made.querySelector("[data-name]").textContent = device.name;
  made.querySelector("[data-key]").textContent = device.key;
  made.querySelector("[data-url]").textContent = device.url || "–";
  made.hidden = false;
  made.scrollIntoView({ block: "nearest" });
}

async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "danger");
    return null;
  }
}

/** Only the fields of the chosen kind and make are there to be filled in. */
function showFields() {
  const make = form.elements.make.value;
  for (const field of form.querySelectorAll("[data-for]")) {
    const isShown = make === field.dataset.for || make.startsWith(`${field.dataset.for} `);
    field.hidden = !isShown;
    field.querySelector("[name]").disabled = !isShown;
  }
}

/** What was filled in of the set-up, numbers in the units that the platform counts in. */
function readConfig() {
  const fields = [...form.querySelectorAll('[name^="config."]')].filter((field) => !field.disabled && field.value.trim());
  return Object.fromEntries(fields.map((field) => [
    field.name.slice("config.".length),
    field.type === "number" ? Number(field.value) * Number(field.dataset.factor ?? 1) : field.value.trim(),
  ]));
}

if (form) {
  form.elements.make.addEventListener("change", showFields);
  form.addEventListener("reset", () => setTimeout(showFields));
  showFields();
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const values = Object.fromEntries(new FormData(form));
  const [kind, vendor] = values.make.split(" ");
  const device = await attempt(() =>
    api("POST", "/api/v1/equipment", {
      kind,
      vendor,
      name: values.name,
      site_id: values.site_id || null,
      station: values.station || null,
      config: readConfig(),
    }),
  );
  if (device) {
    showKey(device);
    form.reset();
  }
});

made?.querySelector("[data-copy]").addEventListener("click", async () => {
  await navigator.clipboard?.writeText(made.querySelector("[data-key]").textContent);
  toast(t("Copied."), "success");
});

for (const button of document.querySelectorAll("[data-renew]")) {
  button.addEventListener("click", async () => {
    if (!confirm(button.dataset.question)) return;
    const device = await attempt(() => api("POST", `/api/v1/equipment/${button.dataset.renew}/key`));
    if (device) showKey(device);
  });
}

for (const button of document.querySelectorAll("[data-use]")) {
  button.addEventListener("click", async () => {
    const { use, version, disabled } = button.dataset;
    const headers = { "If-Match": `"${version}"` };
    const saved = await attempt(() => api("PATCH", `/api/v1/equipment/${use}`, { disabled: disabled === "true" }, { headers }));
    if (!saved) return;
    toastLater(t("Saved."), "success");
    location.reload();
  });
}

async function decide(card, decision) {
  const saved = await attempt(() => api("POST", `/api/v1/plate-reads/${card.dataset.read}/decision`, decision));
  if (!saved) return;
  toast(t("Saved."), "success");
  card.remove();
}

reads?.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-trip]");
  if (button) decide(button.closest("[data-read]"), { trip_id: Number(button.dataset.trip) });
});

reads?.addEventListener("submit", (event) => {
  event.preventDefault();
  const plate = event.target.elements.plate.value.trim();
  if (!plate) return toast(t("Enter a plate first."), "warning");
  decide(event.target.closest("[data-read]"), { plate });
});

if (reads) {
  on("plate", (read) => {
    if (read.status !== reads.dataset.status) return;
    const typing = [...reads.querySelectorAll("input")].some((field) => field.value);
    if (typing) toast(t("New plate reads have come."), "info");
    else released().then(() => location.reload());
  });
}
