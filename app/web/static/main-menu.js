// The main menu keeps to its line: items that have no room wait behind "More"; the one of this page never does.

const menu = document.querySelector(".ck-menu");

function fit(items, more) {
  for (const item of items) more.before(item);
  more.hidden = true;
  menu.classList.remove("ck-menu-tight");
  if (menu.scrollWidth <= menu.clientWidth) return;
  more.hidden = false;
  const list = more.querySelector(".dropdown-menu");
  for (const item of items.filter((each) => !each.hasAttribute("aria-current")).reverse()) {
    if (menu.scrollWidth <= menu.clientWidth) break;
    list.prepend(item);
  }
  menu.classList.toggle("ck-menu-tight", menu.scrollWidth > menu.clientWidth);
}

if (menu) {
  const items = [...menu.querySelectorAll(":scope > .ck-menu-item")];
  const more = menu.querySelector(".ck-menu-more");
  menu.classList.add("ck-menu-fitted");
  new ResizeObserver(() => fit(items, more)).observe(menu);
  document.fonts.ready.then(() => fit(items, more)); // names are as wide as their letters
}
