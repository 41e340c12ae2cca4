// Trucks that stand here and have no trip at this gate: sent on, taken over, or led to the temporary yard.

import { api, newKey } from "../api.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";

/** Their acts in the pane `detail`; `begin` says whether no other act is under way, `end` that this one is over. */
export function startStrangers(detail, { query, show, openTrip, begin, end }) {
  // A truck that came to the wrong gate: sent on, or taken over.
  detail.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-elsewhere-act]");
    const block = button?.closest("[data-elsewhere]");
    if (!block || !begin()) return;
    const { elsewhere: trip, plate } = block.dataset;
    const what = button.dataset.elsewhereAct;
    try {
      await api("POST", `/api/v1/stations/elsewhere/${trip}/${what}`, { plate });
      toast(what === "send-on" ? t("The driver was told: {plate}", { plate }) : t("Taken over: {plate}", { plate }), "success");
      if (what === "take-over") await openTrip(Number(trip));
      else button.disabled = true;
    } catch (error) {
      toast(error.message, "danger");
    } finally {
      end();
    }
  });

  // A truck that no trip is found for: led to the temporary yard.
  detail.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-aside]");
    if (!form) return;
    event.preventDefault();
    if (!begin()) return;
    const { plate } = form.dataset;
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    const headers = { "Idempotency-Key": (form.dataset.key ??= newKey()) };
    try {
      await api("POST", "/api/v1/stations/temporary-yard", { plate, note: form.elements.note.value.trim() }, { headers });
      toast(t("Led to the temporary yard: {plate}", { plate }), "success");
      await show(`/station/find?${query}&text=${encodeURIComponent(plate)}`);
    } catch (error) {
      toast(error.message, "danger");
      button.removeAttribute("aria-disabled");
    } finally {
      end();
    }
  });
}
