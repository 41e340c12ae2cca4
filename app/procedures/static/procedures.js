// Procedures: the steps of a draft as a table; from when on declaring is mandatory.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";
import { RowTable, attempt, readCondition, split, startEditor, writeCondition } from "../versions.js";

const COLUMNS = [
  { name: "step", label: "Step", list: "known-steps" }, { name: "owner", label: "Owner" },
  { name: "after", label: "Comes after", long: true }, { name: "when", label: "Only if", long: true },
  { name: "at_once", label: "Confirmed at once if", long: true }, { name: "checks", label: "Checks" },
  { name: "organisations", label: "Organisations" },
];

const asTexts = ([step, body]) => ({
  step, owner: [body.owner ?? []].flat().join(", "), after: (body.after || []).join(", "),
  when: writeCondition(body.when ?? {}), at_once: writeCondition(body.at_once ?? {}), checks: (body.checks || []).join(", "),
  organisations: (body.organisations || []).join(", "),
});

const listOf = (text, read = String) => (text ? split(text).map(read) : undefined);
const READERS = {
  owner: (text) => (split(text).length === 1 ? split(text)[0] : split(text)), after: (text) => listOf(text),
  when: (text) => (text ? readCondition(text) : undefined), at_once: (text) => (text ? readCondition(text) : undefined),
  checks: (text) => listOf(text), organisations: (text) => listOf(text, Number),
};

/** A row as a step; what was not touched stays as it was written, so that it is no change. */
function asStep(row, steps) {
  const before = steps[row.step] ?? {};
  const shown = asTexts([row.step, before]);
  const parts = Object.entries(READERS).map(([name, read]) => [name, row[name] === shown[name] ? before[name] : read(row[name])]);
  return [row.step, Object.fromEntries(parts.filter(([, value]) => value !== undefined))];
}

function startProcedure(form) {
  const definition = JSON.parse(document.getElementById("definition").textContent);
  const table = new RowTable(document.getElementById("steps"), COLUMNS);
  const usual = [...document.getElementById("known-steps").options].map(({ value }) => value);
  const steps = Object.entries(definition.steps || {});
  steps.sort(([step], [other]) => usual.indexOf(step) - usual.indexOf(other));
  for (const step of steps) table.add(asTexts(step));
  form.elements.exit.value = definition.exit || "";
  document.getElementById("add")?.addEventListener("click", () => table.add().querySelector("input").focus());
  startEditor(form, () => {
    const written = Object.fromEntries(table.read().map((row) => asStep(row, definition.steps || {})));
    return { definition: { ...definition, exit: form.elements.exit.value.trim(), steps: written } };
  });
}

const form = document.getElementById("procedure-form");
if (form) startProcedure(form);

document.getElementById("mandatory-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const moment = `${form.elements.mandatory_from.value}:00+07:00`;
  attempt(async () => {
    const headers = { "If-Match": `"${form.dataset.version}"` };
    const saved = await api("PUT", "/api/v1/procedures/mandatory-declaration", { mandatory_from: moment }, { headers });
    form.dataset.version = saved.version;
    toast(t("Saved."), "success");
  });
});
