// Keeps the board of a station up to date: fetched again when a yard or forecast changes, at most every 3 s.

import { on } from "../events.js";
import { released, swap } from "../swap.js";

let waiting = 0;

async function refresh() {
  waiting = 0;
  const response = await fetch("/station/board", { headers: { Accept: "text/html" } });
  if (!response.ok || response.redirected) return;
  const html = await response.text();
  await released();
  await swap(document.getElementById("board"), html);
}

const soon = () => {
  waiting ||= setTimeout(refresh, 3000);
};

for (const type of ["yard", "forecast", "resync", "reconnected"]) on(type, soon);
