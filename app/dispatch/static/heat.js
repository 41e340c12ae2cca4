// <police-heat>: the space–time maps of all gates with their legend; folded away until somebody wants them.

import { html, nothing } from "lit";
import { t } from "/static/i18n.js";
import { ConsoleElement } from "./element.js";
import { legend } from "./space-time.js";

const KEPT = "ck-heat";
const LARGE = "(min-width: 2560px) and (min-height: 1300px)";

class PoliceHeat extends ConsoleElement {
  static properties = { ...ConsoleElement.properties, isOpen: { state: true } };

  constructor() {
    super();
    this.isOpen = document.body.classList.contains("ck-wall") || (localStorage.getItem(KEPT) ?? (matchMedia(LARGE).matches ? "open" : "")) === "open";
  }

  toggle() {
    this.isOpen = !this.isOpen;
    localStorage.setItem(KEPT, this.isOpen ? "open" : "folded");
  }

  render() {
    if (!this.store || !this.isOpen) return nothing;
    return html`<h2 class="ck-heat-title">${t("Speed by kilometre and time, past day and forecast")}</h2>
      <div class="ck-heat-maps">${this.console.gates.map((gate) => html`<space-time data-testid=${`heat-${gate.site_id}`} .gate=${gate}></space-time>`)}</div>
      ${legend()}`;
  }

  updated(changed) {
    super.updated(changed);
    const button = document.getElementById("police-heat-toggle");
    button?.setAttribute("aria-pressed", String(this.isOpen));
  }
}

customElements.define("police-heat", PoliceHeat);
