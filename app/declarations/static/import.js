// How far the work on a file is: the page asks for it again when a batch is done (htmx listens for the event).

import { on } from "../events.js";

for (const type of ["import", "reconnected", "resync"]) {
  on(type, (data) => {
    const progress = document.getElementById("progress");
    if (!progress || (data?.import_id && data.import_id !== Number(progress.dataset.import))) return;
    document.body.dispatchEvent(new Event("import-progress", { bubbles: true }));
  });
}
