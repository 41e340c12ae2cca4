// Procedures: the steps of a draft, each a card; from when on declaring is mandatory.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";
import { asBefore, attempt, readCondition, startEditor, ticked } from "../versions.js";

const given = (value) => (Object.keys(value).length ? value : undefined);

/** A card as a step: name and body; what was not touched stays as it was written. */
function readStep(card, steps) {
  const step = card.querySelector("[name=step]").value;
  const before = steps[card.dataset.step] ?? {};
  const owners = ticked(card, "owner");
  const body = {
    ...before, owner: asBefore(before.owner, owners.length === 1 ? owners[0] : owners),
    after: asBefore(before.after, given(ticked(card, "after"))), checks: asBefore(before.checks, given(ticked(card, "checks"))),
    when: asBefore(before.when, given(readCondition(card, "when"))),
    at_once: asBefore(before.at_once, given(readCondition(card, "at_once"))),
    organisations: asBefore(before.organisations, given(ticked(card, "organisations").map(Number))),
  };
  return [step, Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))];
}

function startProcedure(form) {
  const definition = JSON.parse(document.getElementById("definition").textContent);
  const cards = document.getElementById("steps");
  const chosen = () => [...cards.querySelectorAll("[name=step]")].map(({ value }) => value);

  /** Only steps of this procedure can come before another, and none before itself. */
  function offerSteps() {
    const present = chosen();
    for (const card of cards.children) {
      const own = card.querySelector("[name=step]").value;
      for (const field of card.querySelectorAll("[data-ticks=after] input")) {
        const isOffered = present.includes(field.value) && field.value !== own;
        field.closest("label").hidden = !isOffered;
        if (!isOffered) field.checked = false;
      }
    }
  }

  cards.addEventListener("change", ({ target }) => target.name === "step" && offerSteps());
  cards.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-remove-step]")) return;
    target.closest("[data-step]").remove();
    offerSteps();
  });
  document.getElementById("add")?.addEventListener("click", () => {
    const card = document.getElementById("new-step").content.firstElementChild.cloneNode(true);
    const select = card.querySelector("[name=step]");
    const free = [...select.options].find(({ value }) => !chosen().includes(value));
    if (free) select.value = free.value;
    cards.append(card);
    offerSteps();
    select.focus();
  });
  offerSteps();
  startEditor(form, () => {
    const steps = [...cards.children].map((card) => readStep(card, definition.steps ?? {}));
    const twice = steps.map(([name]) => name).find((name, at, all) => all.indexOf(name) !== at);
    if (twice) throw new Error(t("The step {step} is there twice.", { step: cards.querySelector(`option[value="${twice}"]`).textContent }));
    return { definition: { ...definition, exit: form.elements.exit.value, steps: Object.fromEntries(steps) } };
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
