// The declaration's form: lines of goods come and go without a reload, HS codes are found by words.

import { api } from "../api.js";
import { language, t } from "../i18n.js";

const lines = document.getElementById("lines");
const template = document.getElementById("line-template");
let counter = lines.children.length;

function prepare(line) {
  const remove = line.querySelector(".de-remove");
  remove.hidden = false;
  remove.addEventListener("click", () => {
    if (lines.children.length === 1) return;
    line.remove();
    renumber();
  });
  searchable(line.querySelector("[data-hs]"), line);
}

function renumber() {
  [...lines.children].forEach((line, i) => {
    line.querySelector(".de-line-number").textContent = i + 1;
  });
}

document.getElementById("add-line").addEventListener("click", (event) => {
  event.preventDefault();
  counter += 1;
  const line = template.content.firstElementChild.cloneNode(true);
  line.dataset.line = counter;
  for (const one of line.querySelectorAll("[name], [id], [for]")) {
    for (const name of ["name", "id", "for"]) {
      const value = one.getAttribute(name);
      if (value) one.setAttribute(name, value.replace("lines.0.", `lines.${counter}.`));
    }
  }
  lines.append(line);
  prepare(line);
  renumber();
  line.querySelector("input").focus();
});

/** A combobox after the ARIA pattern: the codes found are listed below the field, chosen by keyboard or finger. */
function searchable(input, line) {
  const list = document.createElement("ul");
  list.className = "de-found";
  list.id = `${input.id}-found`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", t("HS codes"));
  list.hidden = true;
  input.after(list);
  const pattern = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(pattern)) input.setAttribute(name, value);
  let found = [];
  let chosen = -1;
  let waiting = 0;
  let asking = null;

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const take = (code) => {
    input.value = code.shown;
    const description = line.querySelector("[name$='.description']");
    if (!description.value) description.value = code[language] || code.vi;
    const kind = line.querySelector("[name$='.goods_class']");
    if (!kind.value) kind.value = code.goods_class;
    close();
  };
  const mark = (i) => {
    chosen = i;
    [...list.children].forEach((row, j) => row.setAttribute("aria-selected", String(i === j)));
    if (i >= 0) {
      input.setAttribute("aria-activedescendant", list.children[i].id);
      list.children[i].scrollIntoView({ block: "nearest" });
    }
  };
  const show = () => {
    list.replaceChildren(...found.map(row));
    if (!found.length) list.append(Object.assign(document.createElement("li"), { textContent: t("Nothing found. Any code of 4, 6, 8 or 10 digits is accepted.") }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    chosen = -1;
  };
  const row = (found, i) => {
    const li = document.createElement("li");
    li.id = `${list.id}-${i}`;
    li.setAttribute("role", "option");
    const number = document.createElement("b");
    number.textContent = found.shown;
    li.append(number, found[language] || found.vi);
    li.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      take(found);
    });
    return li;
  };
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    const query = input.value.trim();
    if (query.length < 2) return close();
    waiting = setTimeout(async () => {
      asking?.abort();
      asking = new AbortController();
      try {
        found = (await api("GET", `/api/v1/hs-codes?query=${encodeURIComponent(query)}`, undefined, { signal: asking.signal })).items;
        show();
      } catch {
        close(); // the code can be typed all the same
      }
    }, 200);
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (found.length) mark((chosen + (event.key === "ArrowDown" ? 1 : found.length - (chosen < 0 ? 0 : 1))) % found.length);
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      take(found[chosen]);
    } else if (event.key === "Escape") close();
  });
  input.addEventListener("blur", close);
}

/** An entry of the enterprise's file fills the fields that it knows. */
for (const pick of document.querySelectorAll("[data-pick]")) {
  pick.addEventListener("change", () => {
    const fills = JSON.parse(pick.selectedOptions[0].dataset.fills || "{}");
    for (const [name, value] of Object.entries(fills)) {
      const field = document.querySelector(`.de-form [name="${name}"]`);
      if (field) field.value = value;
    }
  });
}

for (const line of lines.children) prepare(line);
document.querySelector(".de-errors")?.focus();
