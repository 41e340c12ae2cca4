// Procedures: make a draft, edit its steps as a table, save and check, publish. All through the API.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";

const COLUMNS = [
  ["step", "Step"], ["owner", "Owner"], ["after", "Comes after"], ["when", "Only if"],
  ["at_once", "Confirmed at once if"], ["checks", "Checks"], ["organisations", "Organisations"],
];

const split = (text) => text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
const parse = (word) => (word === "true" ? true : word === "false" ? false : word);

/** A condition as lines "fact: value, value"; one with any, all or not as JSON. */
function writeCondition(condition) {
  if (condition === undefined || condition === null) return "";
  const names = Object.keys(condition);
  if (!names.length || names.some((name) => ["any", "all", "not"].includes(name))) return JSON.stringify(condition);
  return names.map((name) => `${name}: ${[condition[name]].flat().join(", ")}`).join("\n");
}

function readCondition(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (trimmed.startsWith("{")) {
    try {
      return JSON.parse(trimmed);
    } catch {
      throw new Error(t("This cannot be read as a condition: {text}", { text: trimmed }));
    }
  }
  const condition = {};
  for (const line of trimmed.split("\n").filter((one) => one.trim())) {
    const [, name, values] = line.match(/^\s*(\w+)\s*:(.*)$/) || [];
    if (!name || !split(values).length) throw new Error(t("This cannot be read as a condition: {text}", { text: line }));
    condition[name] = split(values).map(parse);
  }
  return condition;
}

function fieldOf(name, value, label) {
  const isLong = name === "when" || name === "at_once" || name === "after";
  const field = document.createElement(isLong ? "textarea" : "input");
  field.className = "form-control";
  field.name = name;
  field.value = value;
  field.setAttribute("aria-label", label);
  if (isLong) field.rows = 2;
  if (name === "step") field.setAttribute("list", "known-steps");
  return field;
}

function addRow(table, name, body) {
  const row = table.tBodies[0].insertRow();
  const values = {
    step: name, owner: [body.owner ?? []].flat().join(", "), after: (body.after || []).join(", "),
    when: writeCondition(body.when), at_once: writeCondition(body.at_once), checks: (body.checks || []).join(", "),
    organisations: (body.organisations || []).join(", "),
  };
  for (const [column, label] of COLUMNS) row.insertCell().append(fieldOf(column, values[column], t(label)));
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "btn btn-sm";
  remove.textContent = t("Remove");
  remove.addEventListener("click", () => row.remove());
  row.insertCell().append(remove);
  return row;
}

function readRow(row) {
  const value = (name) => row.querySelector(`[name="${name}"]`).value;
  const owners = split(value("owner"));
  const body = { owner: owners.length === 1 ? owners[0] : owners, after: split(value("after")) };
  for (const name of ["when", "at_once"]) {
    const condition = readCondition(value(name));
    if (condition !== null) body[name] = condition;
  }
  if (split(value("checks")).length) body.checks = split(value("checks"));
  if (split(value("organisations")).length) body.organisations = split(value("organisations")).map(Number);
  return [value("step").trim(), body];
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    toast(error.message, "danger");
  }
}

function startEditor(form) {
  const definition = JSON.parse(document.getElementById("definition").textContent);
  const table = document.getElementById("steps");
  const head = table.createTHead().insertRow();
  for (const [, label] of COLUMNS) head.append(Object.assign(document.createElement("th"), { textContent: t(label), scope: "col" }));
  head.append(document.createElement("th"));
  table.createTBody();
  const usual = [...document.getElementById("known-steps").options].map((one) => one.value);
  const steps = Object.entries(definition.steps || {});
  steps.sort(([one], [other]) => usual.indexOf(one) - usual.indexOf(other));
  for (const [name, body] of steps) addRow(table, name, body);
  form.elements.exit.value = definition.exit || "";
  const where = `/api/v1/procedures/${form.dataset.procedure}`;
  const version = { headers: { "If-Match": `"${form.dataset.edit}"` } };
  document.getElementById("add")?.addEventListener("click", () => addRow(table, "", {}).querySelector("input").focus());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const steps = Object.fromEntries([...table.tBodies[0].rows].map(readRow));
      const saved = await api("PUT", where, { definition: { ...definition, exit: form.elements.exit.value.trim(), steps } }, version);
      toast(t(saved.problems.length ? "Saved, but not right yet: see what is wrong." : "Saved."), saved.problems.length ? "warning" : "success");
      setTimeout(() => location.reload(), 600);
    });
  });
  document.getElementById("publish")?.addEventListener("click", (event) => {
    if (!confirm(event.currentTarget.dataset.question)) return;
    attempt(async () => {
      await api("POST", `${where}/publish`, null, version);
      toast(t("Published."), "success");
      setTimeout(() => location.reload(), 600);
    });
  });
}

const form = document.getElementById("procedure-form");
if (form) startEditor(form);

for (const button of document.querySelectorAll("[data-draft]")) {
  button.addEventListener("click", () => attempt(async () => {
    const made = await api("POST", "/api/v1/procedures", JSON.parse(button.dataset.draft));
    toast(t("A new draft was made."), "success");
    location.assign(`/admin/procedures/${made.procedure_id}`);
  }));
}

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
