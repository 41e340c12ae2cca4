// The charts of a report that stands alone. It is written into the file after fan-option.js, as one module with it:
// every [data-fan] holds the data of a chart, #chart-setting the locale, the mark of later days and the looks.

const { locale, day_mark: dayMark, now, looks } = JSON.parse(document.getElementById("chart-setting").textContent);
const number = (value, digits) =>
  new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const words = { number, now, range: (low, high) => `${low}–${high}`, day: (day) => dayMark.replace("{day}", day) };

const charts = [...document.querySelectorAll("[data-fan]")].map((element) => {
  const chart = globalThis.echarts.init(element, null, { renderer: "svg" });
  chart.setOption(fanOption(JSON.parse(element.dataset.fan), looks, words));
  return chart;
});
for (const type of ["resize", "beforeprint", "afterprint"]) {
  addEventListener(type, () => charts.forEach((chart) => chart.resize()));
}
