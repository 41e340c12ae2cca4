// What is announced of gates: pages that show it ask for it again when it changes (htmx listens for the event).

import { on } from "../events.js";

for (const type of ["gate_notice", "reconnected", "resync"]) {
  on(type, () => document.body.dispatchEvent(new Event("gate-notice", { bubbles: true })));
}
