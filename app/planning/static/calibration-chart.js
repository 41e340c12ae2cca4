// The queue of the time that was held out: recorded as a line, simulated as a fan.

import "/static/charts/fan-chart.js";
import { LitElement, html } from "lit";
import { t } from "/static/i18n.js";

const fits = JSON.parse(document.getElementById("fits")?.textContent || "[]");

/** `<calibration-chart gate="huu-nghi">` */
class CalibrationChart extends LitElement {
  static properties = { gate: {} };

  createRenderRoot() {
    return this;
  }

  render() {
    const { start, step_s, recorded, simulated } = fits.find((fit) => fit.gate_id === this.gate).chart;
    const fans = [
      { look: "base", name: t("Simulated"), values: simulated },
      { look: "variant", name: t("Recorded"), values: [recorded, recorded, recorded] },
    ];
    return html`<fan-chart .fan=${{ quantiles: [0.1, 0.5, 0.9], step_s, start, fans, scale: 1, digits: 0 }} .heading=${t("Queue, trucks")}></fan-chart>`;
  }
}

customElements.define("calibration-chart", CalibrationChart);
