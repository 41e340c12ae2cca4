// The yard page: entries, exits and counts by one tap; the figures fetched again when something changes.

import { Aim } from "../aim.js";
import { api, newKey } from "../api.js";
import { on } from "../events.js";
import { t } from "../i18n.js";
import { released, swap } from "../swap.js";
import { toast } from "../toasts.js";
import "../charts/fan-chart.js";

const REFRESH_MS = 3000;
const cards = [...document.querySelectorAll("[data-yard]")];
const waiting = new Map();
const aims = new Map(cards.map((card) => [card, new Aim(card.querySelector("[data-board]"), "button")]));

async function refresh(card) {
  clearTimeout(waiting.get(card));
  waiting.delete(card);
  const response = await fetch(`/yard/${card.dataset.yard}/board`, { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const html = await response.text();
  await released();
  aims.get(card).remember();
  await swap(card.querySelector("[data-board]"), html);
}

function soon(card) {
  if (!waiting.has(card)) waiting.set(card, setTimeout(refresh, REFRESH_MS, card));
}

const send = (card, what, body) =>
  api("POST", `/api/v1/yards/${card.dataset.yard}/${what}`, body, { headers: { "Idempotency-Key": newKey() } });

/** A truck that is to be stopped stays on the page, with its reason, until somebody has read it. */
function stop(card, why) {
  const frame = card.querySelector("[data-stop]");
  frame.hidden = !why;
  if (!why) return;
  frame.querySelector("[data-stop-text]").textContent = why.text;
  frame.scrollIntoView({ block: "nearest" });
}

async function act(card, control, work, done) {
  control.disabled = true;
  try {
    const answer = await work();
    if (answer?.stop) stop(card, answer.stop);
    else toast(done, "success");
    await refresh(card);
    return true;
  } catch (error) {
    toast(error.message, "danger");
    return false;
  } finally {
    control.disabled = false;
  }
}

const move = (card, control, plate, kind) =>
  act(
    card,
    control,
    () => send(card, "movements", { plate, kind }),
    t(kind === "enter" ? "{plate} entered" : "{plate} left", { plate }),
  );

for (const card of cards) {
  card.querySelector("[data-move]").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = event.target.elements.plate;
    const plate = field.value.trim().toUpperCase();
    if (!plate) return toast(t("Enter a plate first."), "warning");
    const button = event.submitter ?? event.target.querySelector("button");
    if (await move(card, button, plate, button.value)) field.value = "";
    field.focus();
  });
  card.querySelector("[data-count]").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = event.target.elements.inside;
    const button = event.target.querySelector("button");
    const inside = Number(field.value);
    const count = () =>
      send(card, "counts", { inside }).catch((error) => {
        if (error.problem?.code !== "unlikely" || !confirm(error.message)) throw error;
        return send(card, "counts", { inside, confirmed: true });
      });
    if (await act(card, button, count, t("Count saved"))) field.value = "";
  });
  card.addEventListener("click", (event) => {
    if (event.target.closest("[data-stop-seen]")) return stop(card, null);
    const button = event.target.closest("button[data-plate]");
    if (button) return move(card, button, button.dataset.plate, button.dataset.kind);
    const settled = event.target.closest("button[data-settle]");
    if (settled) return act(card, settled, () => send(card, `differences/${settled.dataset.settle}/settle`), t("Settled"));
    const undo = event.target.closest("button[data-undo]");
    if (undo) act(card, undo, () => send(card, `counts/${undo.dataset.undo}/undo`), t("Count taken back"));
  });
}

on("yard", ({ yard_id }) => cards.filter((card) => card.dataset.yard === yard_id).forEach(soon));
for (const type of ["forecast", "resync", "reconnected"]) on(type, () => cards.forEach(soon));
