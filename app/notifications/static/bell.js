// The bell in the top bar: the number of unread notifications, kept up to date by events.

import { api } from "../api.js";
import { on } from "../events.js";

const count = document.getElementById("bell-count");
const bell = document.getElementById("bell");
const name = bell?.getAttribute("aria-label");

async function refresh() {
  try {
    const { unread } = await api("GET", "/api/v1/notifications/unread");
    count.hidden = unread === 0;
    count.textContent = unread > 99 ? "99+" : String(unread);
    bell.setAttribute("aria-label", unread ? `${name}: ${count.textContent}` : name);
  } catch {
    // the banner tells of a lost connection; the number is fetched again with the next event
  }
}

if (bell) {
  for (const type of ["notification", "resync", "reconnected"]) on(type, refresh);
  addEventListener("pageshow", refresh);
  refresh();
}
