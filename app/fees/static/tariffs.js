// Tariffs: rates, shares and collectors of a draft as tables, dates of effect and rounding as fields.

import { RowTable, readCondition, startEditor, writeCondition } from "../versions.js";

const LANGUAGES = ["vi", "en", "zh"];
const LABELS = [
  { name: "vi", label: "Label, Vietnamese", long: true }, { name: "en", label: "Label, English", long: true },
  { name: "zh", label: "Label, Chinese", long: true },
];
const WHEN = { name: "when", label: "Only if", long: true };
const TABLES = {
  rates: [{ name: "rate", label: "Rate" }, ...LABELS, { name: "amount_vnd", label: "Amount, đồng" }, WHEN],
  factors: [
    { name: "factor", label: "Share" }, ...LABELS, { name: "numerator", label: "Numerator" },
    { name: "denominator", label: "Denominator" }, WHEN,
  ],
  routing: [{ name: "collector", label: "Collector", list: "collectors" }, WHEN],
};
const NUMBERS = new Set(["amount_vnd", "numerator", "denominator"]);

/** A whole number as such; what is none stays a text, which the check refuses by name. */
const whole = (text) => (/^\d+$/.test(text) ? Number(text) : text);

const asTexts = (entry) => ({ ...entry, ...entry.label, when: writeCondition(entry.when) });

function asEntry(row, types) {
  const entry = {};
  for (const [name, text] of Object.entries(row)) {
    if (name === "when") entry.when = readCondition(text, types);
    else if (!LANGUAGES.includes(name)) entry[name] = NUMBERS.has(name) ? whole(text) : text;
  }
  if ("vi" in row) entry.label = Object.fromEntries(LANGUAGES.map((language) => [language, row[language]]));
  return entry;
}

const form = document.getElementById("tariff-form");
if (form) {
  const rules = JSON.parse(document.getElementById("rules").textContent);
  const types = JSON.parse(document.getElementById("facts").textContent);
  const tables = Object.entries(TABLES).map(([part, columns]) => {
    const table = new RowTable(document.getElementById(part), columns);
    for (const entry of rules[part] || []) table.add(asTexts(entry));
    form.querySelector(`[data-add="${part}"]`)?.addEventListener("click", () => table.add().querySelector("input").focus());
    return [part, table];
  });
  startEditor(form, () => {
    const { valid_from: from, valid_to: to, complete, combine_factors: combine, source, rounding_unit_vnd: unit } = form.elements;
    return {
      rules: {
        ...rules, valid_from: from.value, valid_to: to.value || null, complete: complete.value === "yes",
        combine_factors: combine.value === "yes", source: source.value.trim(), rounding_unit_vnd: whole(unit.value),
        ...Object.fromEntries(tables.map(([part, table]) => [part, table.read().map((row) => asEntry(row, types))])),
      },
    };
  });
}
