// Reading a forecast: quantiles over time.

import { formatDuration, formatNumber, t } from "/static/i18n.js";

const OLD_MS = 5 * 60_000; // one is made each minute

/** Whether a forecast is too old to trust. */
export const isOld = (forecast, now) => now - Date.parse(forecast.made_at) > OLD_MS;

/** The series of one quantile (0.1, 0.5, 0.9) of `queue_veh`, `wait_s` or `tail_km`. */
export function series(forecast, name, quantile) {
  const row = forecast?.quantiles?.findIndex((q) => Math.abs(q - quantile) < 1e-6 || Math.abs(q / 100 - quantile) < 1e-6);
  return row >= 0 ? forecast[name]?.[row] || [] : [];
}

export const timesOf = (forecast) => {
  const start = Date.parse(forecast.made_at);
  return series(forecast, "queue_veh", 0.5).map((_, i) => start + i * forecast.step_s * 1000);
};

/** Where a forecast stands at a moment, or null outside of it. */
export function stepAt(forecast, moment) {
  const step = Math.round((moment - Date.parse(forecast.made_at)) / (forecast.step_s * 1000));
  return step >= 0 && step < series(forecast, "queue_veh", 0.5).length ? step : null;
}

/** Where a forecast stands now: its first or last step before its begin and after its end, as the server has it. */
export function stepNow(forecast, now) {
  const steps = series(forecast, "queue_veh", 0.5).length;
  const step = Math.round((now - Date.parse(forecast.made_at)) / (forecast.step_s * 1000));
  return steps ? Math.max(0, Math.min(step, steps - 1)) : null;
}

/**
 * Values at a step: `{queue, wait_s, tail_km}`, each `[p10, p50, p90]`, the `severity`, null below a notice, and
 * `reach_s`, what a wait of null is longer than.
 */
export function valuesAt(forecast, step) {
  const of = (name) => [0.1, 0.5, 0.9].map((q) => series(forecast, name, q)[step] ?? null);
  return { queue: of("queue_veh"), wait_s: of("wait_s"), tail_km: of("tail_km"), severity: forecast.severity[step], reach_s: forecast.horizon_s };
}

/** How many trucks a yard's forecast (null: none) expects inside at a moment, by its median; null outside of it. */
export function expectedInside(forecast, moment) {
  const median = forecast?.occupancy_veh[forecast.quantiles.indexOf(0.5)];
  const value = median?.[Math.round((moment - Date.parse(forecast.made_at)) / (forecast.step_s * 1000))];
  return value == null ? null : Math.round(value);
}

/** How the median queue changes within the next hour: `{change, direction}` with up, down or flat. */
export function trend(forecast) {
  const median = series(forecast, "queue_veh", 0.5);
  if (!median.length) return null;
  const step = Math.min(median.length - 1, Math.round(3600 / forecast.step_s));
  const change = Math.round(median[step] - median[0]);
  const limit = Math.max(5, 0.05 * median[0]);
  return { change, direction: change > limit ? "up" : change < -limit ? "down" : "flat" };
}

/** The step at which the median tail is farthest from the gate. */
export function worstStep(forecast) {
  const median = series(forecast, "tail_km", 0.5);
  let worst = 0;
  median.forEach((km, i) => { if (km != null && (median[worst] == null || km > median[worst])) worst = i; });
  return worst;
}

/** The median wait in words; a truck that would not get through within the forecast waits longer than it reaches. */
export function waitText(values) {
  if (!values) return "–";
  return values.wait_s[1] === null ? t("over {hours} h", { hours: formatNumber(values.reach_s / 3600) }) : formatDuration(values.wait_s[1]);
}
