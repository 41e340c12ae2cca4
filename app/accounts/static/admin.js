// The form of one account, saved through the API with the version that was shown.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { toast, toastLater } from "../toasts.js";

const form = document.getElementById("account-form");
const { account, version } = form.dataset;

function values() {
  const result = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if (field.name === "password" && !field.value) continue;
    if (field.name === "person" && field.value === field.defaultValue) continue;
    const empty = field.value === "";
    result[field.name] = empty ? null : "number" in field.dataset ? Number(field.value) : field.value;
  }
  return result;
}

async function save(changes) {
  try {
    if (account) {
      await api("PATCH", `/api/v1/accounts/${account}`, changes, { headers: { "If-Match": `"${version}"` } });
      toastLater(t("Saved."), "success");
      location.reload();
    } else {
      const made = await api("POST", "/api/v1/accounts", changes);
      toastLater(t("Account created."), "success");
      location.assign(`/admin/accounts/${made.account_id}`);
    }
  } catch (error) {
    toast(error.message, "danger");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  save(values());
});

document.getElementById("toggle")?.addEventListener("click", (event) => {
  const { disabled, question } = event.currentTarget.dataset;
  if (!question || confirm(question)) save({ disabled: disabled === "true" });
});
