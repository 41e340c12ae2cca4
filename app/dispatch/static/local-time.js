// Date inputs show the border's time (UTC+7, no summer time), wherever the browser stands.

const OFFSET_MS = 7 * 3600e3;

/** ms → the value of a datetime-local input. */
export const toLocal = (time) => new Date(Math.round(time / 60e3) * 60e3 + OFFSET_MS).toISOString().slice(0, 16);

/** The value of a datetime-local input → ms. */
export const fromLocal = (text) => Date.parse(`${text}Z`) - OFFSET_MS;

/** The midnight before a moment, in ms. */
export const localMidnight = (time) => Math.floor((time + OFFSET_MS) / (24 * 3600e3)) * 24 * 3600e3 - OFFSET_MS;
