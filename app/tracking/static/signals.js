// What devices told: parts of pages that show it ask for it again when it changes (htmx listens for the event).

import { on } from "../events.js";

for (const type of ["device", "reconnected", "resync"]) {
  on(type, () => document.body.dispatchEvent(new Event("device-event", { bubbles: true })));
}
