// Advice in words: from the figures of an advisory to a sentence in the reader's language.

import { formatClock, formatNumber, t } from "/static/i18n.js";
import { inLanguage } from "./element.js";

export const SEVERITY = {
  alarm: { icon: "alert-octagon", word: () => t("Alarm") },
  warning: { icon: "alert-triangle", word: () => t("Warning") },
  notice: { icon: "info-circle", word: () => t("Notice") },
};

/** "Queue at Hữu Nghị will reach km 6 by 15:30 (80 %)". */
export const headline = (advisory) => inLanguage(advisory.text?.headline ?? advisory.headline ?? advisory.text);

/** Each cause as a sentence. */
export const causes = (advisory) =>
  (advisory.cause || []).map((cause) => inLanguage(cause.text ?? cause)).filter(Boolean);

export const percent = (share) => `${formatNumber(share * 100)} %`;
export const span = (from, to) => `${formatClock(from)}–${formatClock(to)}`;
