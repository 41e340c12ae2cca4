// The form of what-ifs: lines that can be added and removed, stretches that fill in kilometres, runs that move.

import { on } from "/static/events.js";

const list = document.getElementById("runs");

function renumber(lines) {
  lines.querySelectorAll("[data-row]").forEach((row, index) => {
    for (const part of row.querySelectorAll("[name], label[for]")) {
      for (const attribute of ["name", "id", "for"]) {
        const value = part.getAttribute(attribute);
        if (value) part.setAttribute(attribute, value.replace(/^((?:variants\.\d+\.)?change\.\w+\.)\d+/, `$1${index}`));
      }
    }
  });
}

function empty(row) {
  for (const field of row.querySelectorAll("input")) field.value = "";
  for (const field of row.querySelectorAll("select")) field.selectedIndex = 0;
  for (const field of row.querySelectorAll(".is-invalid")) field.classList.remove("is-invalid");
  for (const problem of row.querySelectorAll(".invalid-feedback")) problem.remove();
}

function add(lines) {
  const rows = lines.querySelectorAll("[data-row]");
  const row = rows[rows.length - 1].cloneNode(true);
  empty(row);
  rows[rows.length - 1].after(row);
  renumber(lines);
  return row;
}

document.addEventListener("click", (event) => {
  const lines = event.target.closest("[data-lines]");
  if (!lines) return;
  if (event.target.closest("[data-add]")) add(lines).querySelector("input, select").focus();
  const row = event.target.closest("[data-remove]") && event.target.closest("[data-row]");
  if (!row) return;
  if (lines.querySelectorAll("[data-row]").length > 1) row.remove();
  else empty(row);
  renumber(lines);
});

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-stretch]") || !event.target.value) return;
  const [road, from, to] = event.target.value.split("|");
  const lines = event.target.closest("[data-lines]");
  const rows = [...lines.querySelectorAll("[data-row]")];
  const row = rows.find((one) => !one.querySelector('[name$=".km_from"]').value) || add(lines);
  row.querySelector('[name$=".road"]').value = road;
  row.querySelector('[name$=".km_from"]').value = from;
  row.querySelector('[name$=".km_to"]').value = to;
  event.target.value = "";
  row.querySelector('[name$=".to_h"]').focus();
});

// A field with a problem is brought into view; nobody should have to look for it.
document.querySelector(".is-invalid")?.closest("details")?.setAttribute("open", "");
document.querySelector(".is-invalid")?.focus();

const refresh = () => list.dispatchEvent(new CustomEvent("refresh"));
on("scenario", (event) => {
  const bar = list.querySelector(`[data-run="${event.run_id}"] [data-progress]`);
  if (bar && event.status === "running") bar.value = event.progress;
  else refresh();
});
on("resync", refresh);
on("reconnected", refresh);
setInterval(refresh, 20_000);
