// The fan chart: the one place that turns quantiles over time into an ECharts option. Pure: no page, no imports.
//
// Used by <fan-chart> (app/web/static/charts/fan-chart.js: police, planner, yard) and, written into the file itself, by
// the report that stands alone (maps/report.py).
//
// The data of a chart, `Fan`, is what `GET /api/v1/forecasts/latest` answers with names for what is drawn:
//   quantiles  ascending, such as [0.1, 0.5, 0.9]: the row of 0.5 is the line, the first and the last row the band
//   step_s     seconds from one value to the next
//   start      local time of the first value, "HH:MM"; <fan-chart> takes `made_at` (RFC 3339) instead
//   fans       [{values, name?, look?}], at most one of each look ("base", the default, and "variant");
//              values[q][t] in the unit shown times `scale`; null interrupts line and band
//   scale      what values are divided by, 3600 for seconds shown as hours (1)
//   digits     decimals shown (0)
//   unit       shown after a value ("")
//   now_h      hours after the start at which a dashed line says `words.now` (none)
//   level      a value drawn dashed across, such as a yard's capacity, in the unit shown; where it changes, its
//              steps [[hours after the start, value], …] (none)
//   counted    a value known for the start, drawn as a point, in the unit shown (none)
//
// `looks`: colours {ink, muted, line, surface, level, counted} and fans: {base: {line, band}, variant: {line, band}}.
// `words`: {number(value, digits), range(low, high), day(n), now}: `day(n)` is put after a time n days on ("" for none).

const DASHES = { base: "solid", variant: [7, 5] };
const KEYS = { base: "━", variant: "╍" };
const MAX_LABELS = 8;

/** Looks of axes and tooltip in some colours. */
export function frame({ ink, muted, line, surface }) {
  return {
    animation: false,
    grid: { left: 52, right: 14, top: 10, bottom: 26 },
    textStyle: { fontFamily: "inherit", color: ink },
    tooltip: {
      // Drawn, not HTML: the pages' policy lets no style attribute in.
      trigger: "axis", confine: true, renderMode: "richText", backgroundColor: surface, borderColor: line,
      textStyle: { color: ink, fontSize: 12, rich: { strong: { color: ink, fontSize: 12, fontWeight: "bold" } } },
    },
    axis: {
      axisLabel: { color: muted, fontSize: 11, hideOverlap: true }, axisLine: { lineStyle: { color: line } },
      axisTick: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } },
    },
  };
}

/** Hours of the day of "HH:MM". */
export const hoursOf = (clock) => {
  const [hour, minute] = clock.split(":").map(Number);
  return hour + minute / 60;
};

/** The local time so many hours after midnight of the first day; `day(n)` names the later days. */
export function clockOf(hours, day) {
  const minutes = Math.round(hours * 60);
  const days = Math.floor(minutes / 1440);
  const two = (value) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor((minutes % 1440) / 60))}:${two(minutes % 60)}`;
  return days ? `${clock} ${day(days)}`.trim() : clock;
}

/** A round distance of labels, in hours, for at most eight of them. */
export const labelInterval = (hours) => [1, 2, 3, 6, 12, 24, 48].find((step) => hours / step <= MAX_LABELS) || 48;

/** The hours that are labelled: multiples of a round distance. */
function roundHours(start, end) {
  const step = labelInterval(end - start);
  const first = Math.ceil(start / step - 1e-9);
  return Array.from({ length: Math.floor(end / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

/** As few decimals as a round value needs, so that no two labels of an axis read alike. */
const decimals = (value) => [0, 1, 2].find((digits) => Math.abs(value - Number(value.toFixed(digits))) < 1e-9) ?? 3;

/** What is drawn of each fan: `{name, look, low, median, high}`, in the unit shown. */
export function curves({ quantiles, fans, scale = 1 }) {
  const middle = quantiles.findIndex((q) => Math.abs(q - 0.5) < 1e-6);
  return fans.map(({ values, name = "", look = "base" }) => {
    const [low, median, high] = [0, middle, quantiles.length - 1]
      .map((row) => values[row].map((value) => (value === null ? null : value / scale)));
    return { name, look, low, median, high };
  });
}

/** The index of the highest value; gaps count for nothing. */
export const peakOf = (values) =>
  values.reduce((best, value, i) => (value !== null && (values[best] === null || value > values[best]) ? i : best), 0);

/** The colours of the curves' keys, by look, as rich text of a tooltip. */
const keysOf = (looks) =>
  Object.fromEntries(Object.entries(looks.fans).map(([look, { line }]) => [look, { color: line, fontSize: 12 }]));

/** What holds at a moment, as the lines of a tooltip. */
function tooltipText(drawn, fan, looks, words, i, clock) {
  const text = (value) => (value === null ? "–" : words.number(value, fan.digits || 0));
  const unit = fan.unit ? ` ${fan.unit}` : "";
  const rows = drawn.map(({ name, look, low, median, high }) => {
    const key = drawn.length > 1 ? `{${look}|${KEYS[look]}} ${name} ` : "";
    return `${key}{strong|${text(median[i])}${unit}} (${words.range(text(low[i]), text(high[i]))})`;
  });
  return [clock, ...rows].join("\n");
}

/** The ECharts option of a chart. */
export function fanOption(fan, looks, words) {
  const { axis, grid, tooltip, ...rest } = frame(looks);
  const drawn = curves(fan);
  const start = hoursOf(fan.start);
  const hours = (i) => start + (i * fan.step_s) / 3600;
  const end = hours(drawn[0].median.length - 1);
  const labelled = roundHours(start, end);
  const clock = (hour) => clockOf(hour, words.day);
  const pairs = (values) => values.map((value, i) => [hours(i), value]);
  const plain = { type: "line", symbol: "none", animation: false, silent: true };

  const bands = drawn.flatMap(({ look, low, high }) => {
    const gap = high.map((value, i) => (value === null || low[i] === null ? null : value - low[i]));
    const stack = { ...plain, stack: look, lineStyle: { opacity: 0 } };
    return [{ ...stack, data: pairs(low) }, { ...stack, data: pairs(gap), areaStyle: { color: looks.fans[look].band } }];
  });
  const medians = drawn.map(({ look, median }) => {
    const colour = looks.fans[look].line;
    const lineStyle = { color: colour, width: 2.5, type: DASHES[look] };
    return { ...plain, silent: false, data: pairs(median), itemStyle: { color: colour }, lineStyle };
  });
  const marks = [];
  if (fan.level != null) {
    const lineStyle = { color: looks.level, width: 1.5, type: [6, 5] };
    const steps = Array.isArray(fan.level) ? fan.level : [[0, fan.level]];
    const until = (i) => (i + 1 < steps.length ? start + steps[i + 1][0] : end);
    marks.push({ ...plain, data: steps.flatMap(([h, value], i) => [[start + h, value], [until(i), value]]), lineStyle });
  }
  if (fan.counted != null) {
    const itemStyle = { color: looks.counted, borderColor: looks.surface, borderWidth: 2 };
    marks.push({ ...plain, symbol: "circle", symbolSize: 11, data: [[start, fan.counted]], itemStyle, clip: false });
  }
  if (fan.now_h != null) {
    medians[0].markLine = {
      silent: true, symbol: "none", animation: false, data: [{ xAxis: start + fan.now_h }],
      precision: -1, // rounded, "now" could lie before the first value and would not be drawn
      lineStyle: { color: looks.ink, width: 1, type: "dashed" },
      label: { formatter: words.now, color: looks.ink, fontSize: 11, position: "end", align: "left", distance: [4, -10] },
    };
  }
  return {
    ...rest,
    grid,
    tooltip: {
      ...tooltip,
      textStyle: { ...tooltip.textStyle, rich: { ...tooltip.textStyle.rich, ...keysOf(looks) } },
      formatter: ([{ dataIndex: i }]) => tooltipText(drawn, fan, looks, words, i, clock(hours(i))),
    },
    xAxis: {
      ...axis, type: "value", min: start, max: end, splitLine: { show: false },
      axisTick: { ...axis.axisTick, customValues: labelled },
      axisLabel: { ...axis.axisLabel, customValues: labelled, formatter: clock },
    },
    yAxis: {
      ...axis, type: "value", min: 0, splitNumber: 4, minInterval: fan.digits ? 0 : 1, axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { ...axis.axisLabel, formatter: (value) => words.number(value, decimals(value)) },
    },
    series: [...bands, ...medians, ...marks],
  };
}
