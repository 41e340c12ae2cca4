// The support desk is up to date: somebody else registered or declared a truck. Nobody's typing is lost.

import { on } from "../events.js";
import { released } from "../swap.js";

const isTyping = () => document.activeElement?.matches("input, textarea") || document.getElementById("plate").value !== "";
let waiting = 0;
for (const type of ["sheet", "trip", "resync"]) {
  on(type, () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      await released();
      if (!isTyping()) location.reload();
    }, 1500);
  });
}
