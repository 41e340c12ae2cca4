// The page of a yard's places: forms go to the API; what is set is fetched again after each.

import { ApiError, api, csrfToken, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, swap } from "../swap.js";
import { toast } from "../toasts.js";

const frame = document.querySelector(".ck-yard-places");
const shown = document.getElementById("places-now");
const base = `/api/v1/yards/${frame.dataset.yard}`;

async function refresh() {
  const response = await fetch(`/yard/${frame.dataset.yard}/places/now`, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const html = await response.text();
  await released();
  await swap(shown, html);
}

/** What a form says, as the API takes it: times are those of the border, what is empty is left out. */
function written(form) {
  const body = {};
  for (const [name, value] of new FormData(form)) {
    const { type } = form.elements[name];
    if (value === "") continue;
    body[name] = type === "number" ? Number(value) : type === "datetime-local" ? `${value}:00+07:00` : value.trim();
  }
  return body;
}

async function act(control, work, done) {
  control.disabled = true;
  try {
    await work();
    if (done) toast(done, "success");
    await refresh();
    return true;
  } catch (error) {
    toast(error.message, "danger");
    return false;
  } finally {
    control.disabled = false;
  }
}

const send = (method, path, body) => api(method, `${base}/${path}`, body, { headers: { "Idempotency-Key": newKey() } });

const FORMS = {
  zone: ({ zone_id: zone, ...body }) => send("PUT", `zones/${encodeURIComponent(zone)}`, body),
  closure: (body) => send("POST", "closures", body),
  price: (body) => send("POST", "prices", body),
};

/** What a closure would change, before it is made. */
async function tryOut(form, button) {
  const place = form.querySelector("[data-trial]");
  button.disabled = true;
  place.textContent = t("It is being tried…");
  try {
    const response = await fetch(`/yard/${frame.dataset.yard}/places/try`, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": csrfToken },
      body: JSON.stringify(written(form)),
    });
    if (!response.ok) throw new ApiError(response.status, await response.json());
    await swap(place, await response.text());
  } catch (error) {
    place.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("[data-form]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button.btn-primary");
    if (button.value === "try") return tryOut(form, button);
    if (await act(button, () => FORMS[form.dataset.form](written(form)), t("Saved."))) form.reset();
  });
}

shown.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-undo]");
  if (button) act(button, () => send("POST", button.dataset.undo), t("Taken back"));
});

on("yard", ({ yard_id: yard }) => yard === frame.dataset.yard && refresh());
