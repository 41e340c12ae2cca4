// Tariffs: rates, shares and collectors of a draft, each an entry; dates of effect and rounding as fields.

import { asBefore, readCondition, startEditor, ticked } from "../versions.js";

const LANGUAGES = ["vi", "en", "zh"];
const PARTS = ["rates", "factors", "routing"];
const NAMES = { rates: "rate", factors: "factor" };
const NUMBERS = new Set(["amount_vnd", "numerator", "denominator"]);

/** A whole number as such; what is none stays a text, which the check refuses by name. */
const whole = (text) => (/^\d+$/.test(text) ? Number(text) : text);

function readEntry(element, entries) {
  const before = entries[element.dataset.entry] ?? {};
  const entry = { ...before };
  for (const field of element.querySelector(".vs-columns").querySelectorAll("[name]")) {
    const text = field.value.trim();
    if (LANGUAGES.includes(field.name)) entry.label = { ...entry.label, [field.name]: text };
    else entry[field.name] = NUMBERS.has(field.name) ? whole(text) : text;
  }
  const when = readCondition(element, "when");
  return { ...entry, when: "when" in before ? asBefore(before.when, when) : when };
}

/** What programs call entries, of those that have no such name yet made of their labels. */
function nameNew(entries, key) {
  const taken = new Set(entries.map((entry) => entry[key]));
  for (const entry of entries.filter((each) => each[key] === "")) {
    const label = ["en", "vi"].map((code) => entry.label?.[code] ?? "").map(slugOf).find(Boolean) ?? "";
    for (let number = 1; label && (entry[key] === "" || taken.has(entry[key])); number += 1) {
      entry[key] = number === 1 ? label : `${label}_${number}`;
    }
    taken.add(entry[key]);
  }
  return entries;
}

function slugOf(text) {
  const plain = text.toLowerCase().replaceAll("đ", "d").normalize("NFD").replace(/\p{M}/gu, "");
  return (plain.match(/[a-z0-9]+/g) ?? []).join("_").slice(0, 40);
}

const form = document.getElementById("tariff-form");
if (form) {
  const rules = JSON.parse(document.getElementById("rules").textContent);
  form.addEventListener("click", ({ target }) => {
    target.closest("[data-remove-entry]")?.closest("[data-entry]").remove();
    const part = target.closest("[data-add]")?.dataset.add;
    if (!part) return;
    const entry = document.getElementById(`new-${part}`).content.firstElementChild.cloneNode(true);
    document.getElementById(part).append(entry);
    entry.querySelector("[name]:not([type=hidden])").focus();
  });
  startEditor(form, () => {
    const { valid_from: from, valid_to: to, complete, combine_factors: combine, source, rounding_unit_vnd: unit, free_h: free } = form.elements;
    const storage = free.value.trim() === "" ? null : { free_h: whole(free.value.trim()), frozen_by: ticked(form, "frozen_by") };
    const read = (part) =>
      nameNew([...document.getElementById(part).children].map((entry) => readEntry(entry, rules[part] ?? [])), NAMES[part]);
    return {
      rules: {
        ...rules, valid_from: from.value, valid_to: to.value || null, complete: complete.value === "yes",
        combine_factors: combine.value === "yes", source: source.value === source.defaultValue ? rules.source : source.value.trim(), rounding_unit_vnd: whole(unit.value),
        ...("storage" in rules || storage ? { storage: asBefore(rules.storage, storage) } : {}),
        ...Object.fromEntries(PARTS.map((part) => [part, read(part)])),
      },
    };
  });
}
