// Translations for scripts: the page puts those it needs into <script id="strings">.

const element = document.getElementById("strings");
const strings = element ? JSON.parse(element.textContent) : {};

export const language = document.documentElement.lang || "vi";

/** A value as it is put into a message: fractions and what is marked as a count (`mark_counts`, `app/web/i18n.py`)
 * are written as the language writes numbers; a whole number else names something. */
const written = (value, isCount) =>
  typeof value === "number" && (isCount || !Number.isInteger(value)) ? plainNumber.format(value) : String(value);

/** The translation of `message`, with `{name}` filled from `params`. */
export function t(message, params = {}) {
  const template = strings[message] || message;
  return template.replace(/\{(\w+)(?::(,)|:([^|{}]*)\|([^|{}]*))?\}/g, (whole, name, mark, single, several) => {
    if (!(name in params)) return whole;
    if (several === undefined) return written(params[name], mark !== undefined);
    return String(params[name]) === "1" ? single : several;
  });
}

const TAGS = { vi: "vi-VN", en: "en-GB", zh: "zh-CN" };
const ZONE = "Asia/Ho_Chi_Minh";
const tag = TAGS[language] || language;
const UNSIGNED_ZERO = { signDisplay: "negative" }; // what rounds to zero has no sign, as `format_number` (`app/web/i18n.py`)
const plainNumber = new Intl.NumberFormat(tag, { ...UNSIGNED_ZERO, maximumFractionDigits: 3 });
const clock = new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: ZONE });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "2-digit", timeZone: ZONE });

/** Hour and minute at the border, of anything `new Date` understands. */
export const formatClock = (time) => clock.format(new Date(time));

/** Hour, minute, day and month at the border, as the server writes them (`format_time`): 10:04 02/03. */
export const formatDayClock = (time) => `${formatClock(time)} ${day.format(new Date(time))}`;

const REACH_S = 6 * 3600; // of what is made of a forecast for single trucks (`HORIZON`, `app/forecasting/state_readings.py`)

/**
 * The middle of three quantiles of a wait; of one that the forecast does not see the end of, that it is longer than it
 * reaches (`reachS`); nothing where no wait is known, which has no reach either.
 */
export function formatWait(values, reachS = REACH_S) {
  if (values == null || reachS == null) return "";
  return values[1] == null ? t("more than {hours} h", { hours: reachS / 3600 }) : formatDuration(values[1]);
}

/** The outer of three quantiles in words, "from … to …"; nothing where they read the same, or one is not known. */
export function formatRange(values, format) {
  if (values?.[0] == null || values[2] == null) return "";
  const [from, to] = [format(values[0]), format(values[2])];
  return from === to ? "" : t("{from} to {to}", { from, to });
}

/** A number with the language's separators. */
export const formatNumber = (value, digits = 0) =>
  value == null
    ? "–"
    : new Intl.NumberFormat(tag, { ...UNSIGNED_ZERO, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** Metres as kilometres with one decimal. */
export const formatKm = (metres) => (metres == null ? "–" : `${formatNumber(metres / 1000, 1)} km`);

const DAYS_FROM_H = 48;

/** Seconds as hours and minutes, from two days on as days and hours: as `say_duration` (`app/web/i18n.py`). */
export function formatDuration(seconds) {
  if (seconds == null) return "–";
  const minutes = Math.round(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= DAYS_FROM_H) {
    const whole = Math.round(minutes / 60);
    return t("{days} d {hours} h", { days: Math.floor(whole / 24), hours: whole % 24 });
  }
  return hours
    ? t("{hours} h {minutes} min", { hours, minutes: String(minutes % 60).padStart(2, "0") })
    : t("{minutes} min", { minutes });
}
