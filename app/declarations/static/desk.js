// The support desk is up to date: somebody else registered or declared a truck. Nobody's typing is lost.

import { on } from "../events.js";
import { released, renew, swap } from "../swap.js";

const isTyping = () => document.activeElement?.matches("input, textarea") ||
  [...document.querySelectorAll("#ringing input")].some((field) => field.value !== field.defaultValue) || document.getElementById("plate").value !== "";
const ringing = document.getElementById("ringing");
let waiting = 0;

async function showRinging() {
  const response = await fetch("/support/ringing", { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const html = await response.text();
  await released();
  await swap(ringing, html); // what was typed into a card that is still there stays
}

for (const type of ["undeclared", "resync", "reconnected"]) on(type, showRinging);

for (const type of ["undeclared", "sheet", "trip", "resync"]) {
  on(type, () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      await released();
      if (!isTyping()) renew();
    }, 1500);
  });
}
