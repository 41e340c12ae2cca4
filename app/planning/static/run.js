// A run's page: how far it is, live; its charts once it is done.

import { api } from "/static/api.js";
import { on } from "/static/events.js";
import { formatNumber } from "/static/i18n.js";
import { renew } from "/static/swap.js";

const progress = document.getElementById("progress");

if (progress) {
  const address = `/api/v1/scenarios/${progress.dataset.run}`;
  const show = ({ status, progress: share }) => {
    if (status !== progress.dataset.status) {
      renew(); // other words, or the result
      return;
    }
    document.getElementById("bar").value = share;
    document.getElementById("percent").textContent = formatNumber(100 * share);
  };
  const ask = () => api("GET", address).then(show).catch(() => {}); // the banner tells of a lost line
  on("scenario", (event) => event.run_id === progress.dataset.run && show(event));
  on("resync", ask);
  on("reconnected", ask);
  setInterval(ask, 5000);
} else if (document.getElementById("result")) {
  await import("./comparison-chart.js");
  await import("./queue-strip.js");
}
