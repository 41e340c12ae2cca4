// The trucks that an order goes to: seen one by one, taken out, put in by plate.

import { html } from "lit";
import { formatNumber, t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";

const bare = (plate) => plate.toUpperCase().replace(/[^\p{L}\p{N}]/gu, "");

/**
 * The list of a preview's recipients. Once it is edited, the order goes to exactly these: `choose` takes their ids.
 * `trucks` are those on the map, `show` opens one there.
 */
export function renderRecipients(recipients, trucks, choose, show) {
  const ids = recipients.map(({ vehicle_id: id }) => id);
  const add = (event) => {
    event.preventDefault();
    const field = event.target.closest(".ck-add-truck").querySelector("input");
    const wanted = bare(field.value);
    const found = wanted ? [...trucks].filter(({ plate }) => bare(plate).includes(wanted)) : [];
    if (found.length !== 1) {
      toast(found.length ? t("{count} trucks have such a plate: type more of it.", { count: found.length }) : t("No truck on the map has the plate {plate}.", { plate: field.value }), "warning");
      return;
    }
    field.value = "";
    choose([...new Set([...ids, found[0].vehicle_id])]);
  };
  return html`<details class="ck-recipients-edit" data-testid="recipients"><summary>${t("The trucks one by one")}</summary>
    <ul class="ck-recipients">${recipients.map((truck) => html`<li data-testid="recipient">
      <button type="button" class="ck-plate" @click=${() => show(truck.vehicle_id)}>${truck.plate}</button>
      <span>${truck.km == null ? "–" : `${truck.road} km ${formatNumber(truck.km, 1)}`}</span>
      <button type="button" class="btn btn-sm btn-icon btn-ghost-secondary" aria-label=${t("Leave out {plate}", { plate: truck.plate })} title=${t("Leave out {plate}", { plate: truck.plate })}
        data-testid="recipient-remove" ?disabled=${recipients.length === 1} @click=${() => choose(ids.filter((id) => id !== truck.vehicle_id))}><i class="ti ti-x" aria-hidden="true"></i></button></li>`)}</ul>
    <div class="ck-add-truck"><label class="form-label">${t("Add a truck by its plate")}<input class="form-control" data-testid="recipient-plate"
      @keydown=${(event) => event.key === "Enter" && add(event)}></label>
      <button type="button" class="btn" data-testid="recipient-add" @click=${add}><i class="ti ti-plus" aria-hidden="true"></i>${t("Add")}</button></div>
  </details>`;
}
