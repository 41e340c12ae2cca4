// Reading a forecast: quantiles over time, and what of it is shown of now.

const NOBODY = 0.5; // fewer trucks than this are written as none
const UNKNOWN = [null, null, null];

/** Whether a forecast, or a queue that was measured, is new enough to be shown as the present one. */
export const isCurrent = (known, now) => known != null && now <= Date.parse(known.current_until);

/** Whether a forecast is so old that this is said. */
export const isOld = (forecast, now) => now > Date.parse(forecast.old_from);

/** Where a queue of so many trucks ends; where nobody waits it has no tail. */
export const tailOf = (veh, km) => (veh != null && veh < NOBODY ? null : km);

/** The queue measured last, `{time, queue_veh, tail_km}`; null: not of late. */
export function queueNow(forecast, now) {
  const measured = forecast?.now;
  return isCurrent(measured, now) ? { ...measured, tail_km: tailOf(measured.queue_veh, measured.tail_km) } : null;
}

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
 * `reach_s`, what a wait of null is longer than; without it the wait is not known.
 */
export function valuesAt(forecast, step) {
  const of = (name) => [0.1, 0.5, 0.9].map((q) => series(forecast, name, q)[step] ?? null);
  const [queue, tails] = [of("queue_veh"), of("tail_km")];
  return {
    queue, wait_s: of("wait_s"), tail_km: tails.map((km, i) => tailOf(queue[i], km)), severity: forecast.severity[step], reach_s: forecast.horizon_s,
  };
}

/**
 * The same of now: queue and tail as measured, the wait as forecast, each only while it is current, as on every page
 * (`app/forecasting/service.py`). Null: nothing is known.
 */
export function valuesNow(forecast, now) {
  const measured = queueNow(forecast, now);
  const step = isCurrent(forecast, now) ? stepNow(forecast, now) : null;
  if (!measured && step === null) return null;
  const ahead = step === null ? { wait_s: UNKNOWN, reach_s: null } : valuesAt(forecast, step);
  return { ...ahead, queue: Array(3).fill(measured?.queue_veh ?? null), tail_km: Array(3).fill(measured?.tail_km ?? null) };
}

/** How many trucks a yard's forecast (null: none) expects inside at a moment, by its median; null outside of it. */
export function expectedInside(forecast, moment) {
  const median = forecast?.occupancy_veh[forecast.quantiles.indexOf(0.5)];
  const value = median?.[Math.round((moment - Date.parse(forecast.made_at)) / (forecast.step_s * 1000))];
  return value == null ? null : Math.round(value);
}

/**
 * How the queue that is shown now changes within the next hour, to what is then forecast: `{change, direction}` with up,
 * down or flat; null where either is not known.
 */
export function trend(forecast, now) {
  const measured = queueNow(forecast, now);
  const step = isCurrent(forecast, now) ? stepAt(forecast, now + 3600_000) : null;
  if (!measured || step === null) return null;
  const change = Math.round(series(forecast, "queue_veh", 0.5)[step]) - Math.round(measured.queue_veh);
  const limit = Math.max(5, 0.05 * measured.queue_veh);
  return { change, direction: change > limit ? "up" : change < -limit ? "down" : "flat" };
}

/** The step at which the median tail is farthest from the gate. */
export function worstStep(forecast) {
  const median = series(forecast, "tail_km", 0.5);
  let worst = 0;
  median.forEach((km, i) => { if (km != null && (median[worst] == null || km > median[worst])) worst = i; });
  return worst;
}
