// The charts of the page of figures: how long each stage and step takes, and its mean by hour of the day.

import * as echarts from "echarts";
import { formatDuration, formatNumber, t } from "../i18n.js";

const times = JSON.parse(document.getElementById("times").textContent);
const labels = JSON.parse(document.getElementById("labels").textContent);
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PALETTE = ["--ck-forecast", "--ck-variant", "--ck-state-gate", "--ck-state-staging", "--ck-state-moving", "--ck-state-queued"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow"];
const LINES = 6;

const severalGates = new Set(times.map((one) => one.gate_id)).size > 1;
function label(one, separator = " · ") {
  const more = [];
  if (one.agency) more.push(labels[`agency:${one.agency}`] || one.agency);
  if (severalGates) more.push(labels[`gate:${one.gate_id}`] || one.gate_id);
  return [labels[one.name] || one.name, more.join(" · ")].filter(Boolean).join(separator);
}

// Ticks at times people count in: at most five of them up to the longest value.
const TICKS_S = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
const tick = (longest) => TICKS_S.find((one) => longest / one <= 5) || Math.ceil(longest / 432_000) * 86_400;

const elements = { lengths: document.getElementById("lengths"), hours: document.getElementById("hours") };
const charts = {};

function frame() {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: token("--ck-text") },
    tooltip: {
      trigger: "axis", confine: true, renderMode: "richText", backgroundColor: token("--ck-surface-raised"), borderColor: token("--ck-line"),
      textStyle: { color: token("--ck-text") }, valueFormatter: (value) => formatDuration(value),
    },
    legend: { top: 0, type: "scroll", textStyle: { color: token("--ck-text") } },
  };
}

const valueAxis = (longest) => ({
  type: "value",
  interval: tick(longest),
  max: Math.ceil(longest / tick(longest)) * tick(longest),
  axisLabel: { formatter: (value) => formatDuration(value), color: token("--ck-text-muted"), hideOverlap: true },
  splitLine: { lineStyle: { color: token("--ck-line") } },
});

function drawLengths() {
  const shown = [...times].sort((a, b) => a.median_s - b.median_s);
  elements.lengths.style.height = `${Math.max(220, 70 + shown.length * 44)}px`;
  charts.lengths ||= echarts.init(elements.lengths);
  charts.lengths.resize();
  charts.lengths.setOption({
    ...frame(),
    grid: { left: 8, right: 24, top: 34, bottom: 8, containLabel: true },
    xAxis: valueAxis(Math.max(...shown.map((one) => one.p90_s))),
    yAxis: {
      type: "category", data: shown.map((one) => label(one, "\n")),
      axisLabel: {
        color: token("--ck-text"), width: Math.min(220, elements.lengths.clientWidth * 0.45), overflow: "truncate",
        lineHeight: 15, fontSize: 12,
      },
    },
    series: [
      { name: t("Middle"), type: "bar", data: shown.map((one) => one.median_s), itemStyle: { color: token("--ck-forecast") } },
      {
        name: t("nine of ten within"), type: "bar", data: shown.map((one) => one.p90_s),
        itemStyle: { color: token("--ck-variant"), decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: Math.PI / 4 } },
      },
    ],
    aria: { enabled: true, decal: { show: false } },
  }, true);
}

function drawHours() {
  charts.hours ||= echarts.init(elements.hours);
  const busiest = [...times].sort((a, b) => b.trips - a.trips).slice(0, LINES);
  charts.hours.setOption({
    ...frame(),
    grid: { left: 8, right: 16, top: 40, bottom: 8, containLabel: true },
    xAxis: {
      type: "category", data: Array.from({ length: 24 }, (_, hour) => `${formatNumber(hour)}`), name: t("Hour"), nameGap: 6,
      axisLabel: { color: token("--ck-text-muted") }, nameTextStyle: { color: token("--ck-text-muted") },
    },
    yAxis: valueAxis(Math.max(...busiest.flatMap((one) => one.hour_mean_s))),
    series: busiest.map((one, n) => ({
      name: label(one), type: "line", connectNulls: false, symbol: SYMBOLS[n], symbolSize: 8, data: one.hour_mean_s,
      lineStyle: { type: n % 2 ? "dashed" : "solid" }, itemStyle: { color: token(PALETTE[n]) },
    })),
  }, true);
}

function draw() {
  if (!elements.lengths) return;
  drawLengths();
  drawHours();
}

draw();
document.addEventListener("theme", draw);
addEventListener("resize", () => Object.values(charts).forEach((chart) => chart.resize()));
