// ECharts in its smaller build, as a module: lines, bars, scatter. Heat maps need "echarts-full", which is a third larger.

import "echarts-common";

export const { init } = globalThis.echarts;
