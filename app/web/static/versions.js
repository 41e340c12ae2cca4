// Documents in versions: make a draft, edit its tables, save and check, publish. All through the API.
// The page is made of versions.html; a form says data-api (its address) and data-edit (its ETag).

import { api } from "./api.js";
import { t } from "./i18n.js";
import { toast, toastLater } from "./toasts.js";

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
    toastLater(t(message), kind);
    location.reload();
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

/** What is ticked in a piece made by the macro `ticks`. */
export const ticked = (within, name) =>
  [...within.querySelectorAll(`[data-ticks="${name}"] input:checked`)].map(({ value }) => value);

const whole = (field) => (field.value.trim() === "" ? null : Number(field.value));

function readFact(fields) {
  const [from, below] = ["from", "below"].map((name) => fields.querySelector(`[name=${name}]`));
  const wanted = from
    ? { ...(whole(from) !== null && { from: whole(from) }), ...(whole(below) !== null && { below: whole(below) }) }
    : [...fields.querySelectorAll("input:checked")].map(({ value }) => JSON.parse(value));
  if (!Object.keys(wanted).length) throw new Error(t("Nothing is chosen of {fact}.", { fact: fields.dataset.label }));
  return wanted;
}

/** The condition in a piece made by the macro of that name; null where it is not known for what it holds. */
export function readCondition(within, name) {
  const piece = within.querySelector(`[data-condition="${name}"]`);
  const byHand = piece.querySelector("[name=by-hand]");
  if (byHand) {
    try {
      return JSON.parse(byHand.value);
    } catch {
      throw new Error(t("This cannot be read as a condition: {text}", { text: byHand.value }));
    }
  }
  if (piece.querySelector("[name=unknown]")?.checked) return null;
  return Object.fromEntries([...piece.querySelectorAll("[data-fact]")].map((fields) => [fields.dataset.fact, readFact(fields)]));
}

const plain = (value) => {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return [...value].sort();
  if (typeof value !== "object") return [value];
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, plain(value[name])]));
};

/** What stood before if the form says the same, however it was written: what nobody touched is no change. */
export const asBefore = (before, now) => (JSON.stringify(plain(before)) === JSON.stringify(plain(now)) ? before : now);

function offer(piece) {
  const asked = new Set([...piece.querySelectorAll("[data-fact]")].map(({ dataset }) => dataset.fact));
  for (const option of piece.querySelector("[data-add-fact]")?.options ?? []) option.hidden = option.disabled = asked.has(option.value);
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-add-fact]") || !target.value) return;
  const piece = target.closest("[data-condition]");
  const fields = document.querySelector(`[data-fact-template="${target.value}"]`).content.firstElementChild.cloneNode(true);
  piece.querySelector("[data-facts]").append(fields);
  target.value = "";
  offer(piece);
  fields.querySelector("input").focus();
});
document.addEventListener("click", ({ target }) => {
  const remove = target.closest("[data-remove-fact]");
  if (!remove) return;
  const piece = remove.closest("[data-condition]");
  remove.closest("[data-fact]").remove();
  offer(piece);
});
document.querySelectorAll("[data-condition]").forEach(offer);

for (const button of document.querySelectorAll("[data-draft]")) {
  button.addEventListener("click", () => attempt(async () => {
    const { draft, api: address, page, id } = button.dataset;
    const made = await api("POST", address, JSON.parse(draft));
    toastLater(t("A new draft was made."), "success");
    location.assign(`${page}/${made[id]}`);
  }));
}
