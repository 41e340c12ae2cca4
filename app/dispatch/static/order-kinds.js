// Kinds of orders, and selections in words.

import { formatNumber, t } from "/static/i18n.js";
import { names } from "/static/vocabulary.js";

/** Kind → `{label, explanation, icon}`, in the order they are offered; the page carries them. */
export const KINDS = names("OrderKind");

/** A selection (as the API takes it) in a few words. */
export function describeSelection(selection, console_) {
  const parts = [];
  const { stretch } = selection;
  if (stretch) {
    parts.push(`${stretch.road} km ${formatNumber(stretch.km_from, 1)}–${formatNumber(stretch.km_to, 1)}`);
    if (stretch.direction === "to_border") parts.push(t("toward the border"));
    if (stretch.direction === "from_border") parts.push(t("away from the border"));
  }
  if (selection.area) parts.push(t("drawn area"));
  if (selection.gate_id) parts.push(t("for {gate}", { gate: console_.nameOfSite(selection.gate_id) }));
  if (selection.site_id) parts.push(t("at {site}", { site: console_.nameOfSite(selection.site_id) }));
  if (selection.vehicle_ids) parts.push(t("{count} listed trucks", { count: selection.vehicle_ids.length }));
  if (selection.perishable === true) parts.push(t("perishable"));
  if (selection.perishable === false) parts.push(t("not perishable"));
  for (const goods of selection.goods_classes || []) parts.push(console_.choices.goods[goods] || goods);
  for (const regime of selection.regimes || []) parts.push(console_.choices.regimes[regime] || regime);
  if (selection.limit_veh) parts.push(t("at most {count}", { count: selection.limit_veh }));
  return parts.join(", ");
}
