// The result that the page carries, and time in it: hours since the start, shown as local clock.

import { language, t } from "/static/i18n.js";
import { clockOf, hoursOf } from "/static/maps/fan-option.js";

const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "null");

export const result = read("result");
const sites = read("names") || {};

/** The name of a gate or yard. */
export const names = (id) => sites[id]?.[language] || id;

/** Hours from the start to a sample. */
export const hoursBetween = (index) => (index * result.step_s) / 3600;

/** Local clock so many hours after the start; from the second day on with the day. */
export function clockAt(hours) {
  return clockOf(hoursOf(result.start) + hours, (day) => t("+{day} d", { day }));
}
