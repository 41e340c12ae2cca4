// A table that does not fit its box is shown row by row instead, each cell below the heading of its column.
// Tables that label their cells themselves (data-label), have cells over several rows, or a layout of their own at this width are left as they are; words of Chinese may be cut there.

const watched = new WeakSet();
const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));

const isOurs = (table) => table?.tHead && (table.dataset.stacks || !table.querySelector("[data-label], [rowspan]"));

/** Whether a sheet of styles lays out its rows: two ways of showing them would cut both. */
const isLaidOut = (table) => [...table.tBodies].some((body) => body.rows[0] && getComputedStyle(body.rows[0]).display !== "table-row");

const isBlank = (cell) => !cell.childElementCount && !cell.textContent.trim();

function label(table) {
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells].map((cell) => cell.textContent.trim());
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      for (const cell of row.cells) if (cell.colSpan === 1) cell.dataset.label = isBlank(cell) ? "" : headings[cell.cellIndex] ?? "";
    }
  }
  table.dataset.stacks = "true";
}

function fit(wrap) {
  const table = wrap.querySelector(":scope > table");
  if (!wrap.clientWidth || !table) return;
  table.classList.remove("ck-stacked", "ck-tight");
  if (table.scrollWidth <= wrap.clientWidth + 1) return;
  table.classList.add("ck-tight");
  if (!isOurs(table) || isLaidOut(table)) return;
  label(table);
  table.classList.add("ck-stacked");
}

function look() {
  for (const wrap of document.querySelectorAll(".ck-table-wrap")) {
    fit(wrap);
    if (watched.has(wrap)) continue;
    watched.add(wrap);
    sizes.observe(wrap);
  }
}

look();
document.addEventListener("htmx:after:swap", look);
document.fonts?.ready.then(look); // the words are as wide as they stay
