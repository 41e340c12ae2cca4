// Registering a transshipment: the vehicles that receive, and the share of each of every line, balanced as one types.

import { api, newKey } from "../api.js";
import { formatNumber, t } from "../i18n.js";
import { toastLater } from "../toasts.js";

const MICRO = 1_000_000; // kilograms are counted in whole milligrams, so that no share loses any
const form = document.querySelector("[data-register]");
const receivers = form.querySelector("[data-receivers]");
const lines = [...form.querySelectorAll("[data-line]")];
const key = newKey();
let changes = 0;
let made = 0;

const field = (element, name) => element.querySelector(`[name=${name}]`);
const whole = (text) => Math.max(Number(text) || 0, 0);
const milligrams = (text) => Math.round(whole(text) * MICRO);
const kilograms = (mg) => String(mg / MICRO);
const formatExactly = (value) => formatNumber(value, (String(value).split(".")[1] ?? "").length);
const rowsOf = (line) => [...line.querySelectorAll("[data-row]")];

function addReceiver() {
  const receiver = form.querySelector("[data-receiver-template]").content.firstElementChild.cloneNode(true);
  receiver.dataset.receiver = String(++made);
  receivers.append(receiver);
  for (const line of lines) {
    const row = form.querySelector("[data-row-template]").content.firstElementChild.cloneNode(true);
    row.dataset.row = receiver.dataset.receiver;
    line.querySelector("[data-rows]").append(row);
  }
  name();
}

function removeReceiver(receiver) {
  for (const line of lines) line.querySelector(`[data-row="${receiver.dataset.receiver}"]`).remove();
  receiver.remove();
  name();
}

function name() {
  [...receivers.children].forEach((receiver, index) => {
    const plate = field(receiver, "plate").value.trim().toUpperCase() || t("vehicle {number}", { number: index + 1 });
    for (const line of lines) line.querySelector(`[data-row="${receiver.dataset.receiver}"] [data-to]`).textContent = plate;
  });
  say();
}

function left(line, but = null) {
  let packages = Number(line.dataset.packages);
  let weight = milligrams(line.dataset.weight);
  for (const row of rowsOf(line)) {
    if (row === but) continue;
    packages -= whole(field(row, "packages").value);
    weight -= milligrams(field(row, "weight_kg").value);
  }
  return { packages, weight };
}

function say() {
  let stays = false;
  let moves = false;
  for (const line of lines) {
    const { packages, weight } = left(line);
    const output = line.querySelector("[data-left]");
    const isTooMuch = packages < 0 || weight < 0;
    const shown = { packages: formatNumber(Math.abs(packages)), weight: formatExactly(Math.abs(weight) / MICRO) };
    output.textContent = isTooMuch
      ? t("more than there is: {packages} packages, {weight} kg too much", shown)
      : t("{packages} packages, {weight} kg stay", shown);
    output.classList.toggle("st-dialog-error", isTooMuch);
    stays ||= packages > 0 || weight > 0;
    moves ||= rowsOf(line).some((row) => milligrams(field(row, "weight_kg").value) > 0);
  }
  const outcome = form.querySelector("[data-outcome]");
  outcome.hidden = !moves;
  outcome.textContent = stays ? t("Goods stay on the vehicle; it goes on with them.") : t("The vehicle is emptied and goes home.");
}

/** The weight of some packages of a line, as much as one of them weighs on average; all that is left for all of them. */
function weigh(line, row) {
  const there = left(line, row);
  const packages = whole(field(row, "packages").value);
  if (!packages) return;
  const all = Number(line.dataset.packages);
  const share = Math.round((milligrams(line.dataset.weight) / all / 1000) * packages) * 1000;
  field(row, "weight_kg").value = kilograms(packages === there.packages ? there.weight : Math.min(share, there.weight));
}

function giveRest(line, row) {
  const there = left(line, row);
  field(row, "packages").value = Math.max(there.packages, 0);
  field(row, "weight_kg").value = there.weight > 0 ? kilograms(there.weight) : "";
}

function shareEvenly() {
  for (const line of lines) {
    const rows = rowsOf(line);
    const packages = Number(line.dataset.packages);
    const weight = milligrams(line.dataset.weight);
    rows.forEach((row, index) => {
      const cut = (total, step) => {
        const upto = (n) => (n === rows.length ? total : Math.floor((total * n) / rows.length / step) * step);
        return upto(index + 1) - upto(index);
      };
      const own = cut(packages, 1);
      const mg = packages ? cutWeight(weight, packages, rows.length, index) : cut(weight, 1000);
      field(row, "packages").value = own;
      field(row, "weight_kg").value = own || !packages ? kilograms(mg) : "";
    });
  }
  say();
}

/** The weight of an even share of packages: each as heavy as the others, the last takes what rounding left. */
function cutWeight(weight, packages, count, index) {
  const boxes = (n) => (n === count ? packages : Math.floor((packages * n) / count));
  const upto = (n) => (boxes(n) === packages ? weight : Math.floor((weight / packages / 1000) * boxes(n)) * 1000);
  return upto(index + 1) - upto(index);
}

function plateOf(row) {
  return field(receivers.querySelector(`[data-receiver="${row.dataset.row}"]`), "plate").value.trim();
}

function moves() {
  return lines.flatMap((line) =>
    rowsOf(line)
      .filter((row) => whole(field(row, "packages").value) || milligrams(field(row, "weight_kg").value))
      .map((row) => ({
        line: Number(line.dataset.line),
        from_plate: field(row, "from_plate")?.value ?? "",
        to_plate: plateOf(row),
        packages: whole(field(row, "packages").value),
        weight_kg: field(row, "weight_kg").value.trim() || "0",
      })),
  );
}

function vehicles() {
  return [...receivers.children].map((receiver) => {
    const value = (part) => field(receiver, part).value.trim();
    const known = { plate: value("plate"), container: value("container") };
    for (const part of ["trailer_plate", "driver_name", "driver_phone"]) known[part] = value(part);
    if (value("payload_kg")) known.payload_kg = Number(value("payload_kg"));
    if (value("refrigerated")) known.refrigerated = value("refrigerated") === "true";
    return known;
  });
}

addReceiver();
form.addEventListener("input", (event) => {
  changes += 1;
  const line = event.target.closest("[data-line]");
  if (line && event.target.name === "packages") weigh(line, event.target.closest("[data-row]"));
  if (event.target.name === "plate") name();
  else say();
});
form.addEventListener("click", (event) => {
  const button = event.target.closest("button[type=button]");
  if (!button) return;
  changes += 1;
  const line = button.closest("[data-line]");
  if ("add" in button.dataset) addReceiver();
  if ("even" in button.dataset) shareEvenly();
  if ("remove" in button.dataset) removeReceiver(button.closest("[data-receiver]"));
  if ("rest" in button.dataset) giveRest(line, button.closest("[data-row]"));
  say();
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = form.querySelector("[role=alert]");
  const body = { trip_id: Number(form.dataset.trip), moves: moves(), receivers: vehicles(), note: form.elements.note.value };
  if (!body.moves.length) {
    error.textContent = t("Name at least one line of goods to move and the vehicle it goes to.");
    return;
  }
  event.submitter.disabled = true;
  try {
    const found = await api("POST", "/api/v1/transshipments", body, { headers: { "Idempotency-Key": `${key}-${changes}` } });
    toastLater(t("Registered; customs decide next."), "success");
    location.assign(`/transshipments/${found.transshipment_id}`);
  } catch (problem) {
    error.textContent = problem.message;
    event.submitter.disabled = false;
  }
});
