// Advice in words: from the figures of an advisory to a sentence in the reader's language.

import { formatClock, formatNumber, t } from "/static/i18n.js";

export const SEVERITY = {
  alarm: { icon: "alert-octagon", word: () => t("Alarm") },
  warning: { icon: "alert-triangle", word: () => t("Warning") },
  notice: { icon: "info-circle", word: () => t("Notice") },
};

/** Each cause as a sentence. */
export const causes = (advisory) => advisory.cause.map(({ text }) => text).join(" · ");

export const percent = (share) => `${formatNumber(share * 100)} %`;
export const span = (from, to) => `${formatClock(from)}–${formatClock(to)}`;
