// Advice in words: from the figures of an advisory to a sentence in the reader's language.

import { formatClock, formatNumber } from "/static/i18n.js";
import { names } from "/static/vocabulary.js";

/** Severity → `{label, icon}`. */
export const SEVERITY = names("Severity");

/** Each cause as a sentence. */
export const causes = (advisory) => advisory.cause.map(({ text }) => text).join(" · ");

export const percent = (share) => `${formatNumber(share * 100)} %`;
export const span = (from, to) => `${formatClock(from)}–${formatClock(to)}`;
