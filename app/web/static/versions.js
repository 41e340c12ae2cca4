// Documents in versions: make a draft, edit its tables, save and check, publish. All through the API.
// The page is made of versions.html; a form says data-api (its address) and data-edit (its ETag).

import { api } from "./api.js";
import { t } from "./i18n.js";
import { toast } from "./toasts.js";

const RELOAD_MS = 600; // long enough to read the toast

/** Do something and say what went wrong. */
export async function attempt(act) {
  try {
    await act();
  } catch (error) {
    toast(error.message, "danger");
  }
}

/** Save and publish of a draft; `read()` gives the body to save, and throws if something cannot be read. */
export function startEditor(form, read) {
  const version = { headers: { "If-Match": `"${form.dataset.edit}"` } };
  const done = (message, kind) => {
    toast(t(message), kind);
    setTimeout(() => location.reload(), RELOAD_MS);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const { problems = [] } = await api("PUT", form.dataset.api, read(), version);
      if (problems.length) done("Saved, but not right yet: see what is wrong.", "warning");
      else done("Saved.", "success");
    });
  });
  form.querySelector("[data-publish]")?.addEventListener("click", (event) => {
    if (!confirm(event.currentTarget.dataset.question)) return;
    attempt(async () => {
      await api("POST", `${form.dataset.api}/publish`, null, version);
      done("Published.", "success");
    });
  });
}

/**
 * A table of text fields. `columns`: `{name, label, long, list}`; `long` fields have lines, `list` is a datalist's id.
 * `add(values)` puts a row in, `read()` gives the rows as `{name: text}`.
 */
export class RowTable {
  constructor(table, columns) {
    this.columns = columns;
    const head = table.createTHead().insertRow();
    for (const { label } of columns) head.append(Object.assign(document.createElement("th"), { textContent: t(label), scope: "col" }));
    head.append(document.createElement("th"));
    this.body = table.createTBody();
  }

  add(values = {}) {
    const row = this.body.insertRow();
    for (const { name, label, long, list } of this.columns) {
      const field = document.createElement(long ? "textarea" : "input");
      Object.assign(field, { className: "form-control", name, value: values[name] ?? "" });
      field.setAttribute("aria-label", t(label));
      if (long) field.rows = 2;
      if (list) field.setAttribute("list", list);
      row.insertCell().append(field);
    }
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: t("Remove") });
    remove.addEventListener("click", () => row.remove());
    row.insertCell().append(remove);
    return row;
  }

  read() {
    return [...this.body.rows].map((row) =>
      Object.fromEntries(this.columns.map(({ name }) => [name, row.querySelector(`[name="${name}"]`).value.trim()])));
  }
}

/** The words between commas and lines. */
export const split = (text) => text.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);

const UNKNOWN = "?";
const RANGE = /^\s*(?:from\s+(\d+))?\s*(?:below\s+(\d+))?\s*$/;

/** A condition as lines "fact: value, value" or "fact: from 1 below 2"; with any, all or not as JSON; null as "?". */
export function writeCondition(condition) {
  if (condition === null) return UNKNOWN;
  const names = Object.keys(condition ?? {});
  if (names.some((name) => ["any", "all", "not"].includes(name))) return JSON.stringify(condition);
  return names.map((name) => {
    const wanted = condition[name];
    const isRange = wanted !== null && typeof wanted === "object" && !Array.isArray(wanted);
    const ends = isRange && ["from", "below"].filter((end) => wanted[end] != null).map((end) => `${end} ${wanted[end]}`);
    return `${name}: ${ends ? ends.join(" ") : [wanted].flat().join(", ")}`;
  }).join("\n");
}

function parse(word, type) {
  if (type === "int" && /^-?\d+$/.test(word)) return Number(word);
  return type !== "str" && ["true", "false"].includes(word) ? word === "true" : word;
}

/** What was written as a condition; `types` says of a fact that it is "int", "bool" or "str". */
export function readCondition(text, types = {}) {
  const unreadable = (part) => new Error(t("This cannot be read as a condition: {text}", { text: part }));
  if (text === UNKNOWN) return null;
  if (text.startsWith("{")) {
    try {
      return JSON.parse(text);
    } catch {
      throw unreadable(text);
    }
  }
  const condition = {};
  for (const line of text.split("\n").filter((part) => part.trim())) {
    const [, name, values] = line.match(/^\s*(\w+)\s*:(.*)$/) || [];
    if (!name || !split(values).length) throw unreadable(line);
    const [range, from, below] = types[name] === "int" ? values.match(RANGE) || [] : [];
    condition[name] = range === undefined
      ? split(values).map((word) => parse(word, types[name]))
      : { ...(from && { from: Number(from) }), ...(below && { below: Number(below) }) };
  }
  return condition;
}

for (const button of document.querySelectorAll("[data-draft]")) {
  button.addEventListener("click", () => attempt(async () => {
    const { draft, api: address, page, id } = button.dataset;
    const made = await api("POST", address, JSON.parse(draft));
    toast(t("A new draft was made."), "success");
    location.assign(`${page}/${made[id]}`);
  }));
}
