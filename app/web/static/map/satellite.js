// A button that changes between the drawn map and satellite images, where the installation has them.

import { t } from "/static/i18n.js";

const KEPT = "ck-satellite";

export class SatelliteControl {
  onAdd(map) {
    this.map = map;
    this.element = document.createElement("div");
    this.element.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.testid = "map-satellite";
    button.setAttribute("aria-label", t("Satellite images"));
    button.title = t("Satellite images");
    const icon = document.createElement("i");
    icon.className = "ti ti-satellite";
    icon.setAttribute("aria-hidden", "true");
    button.append(icon);
    button.addEventListener("click", () => {
      localStorage.setItem(KEPT, this.isShown ? "" : "on");
      this.draw();
    });
    this.button = button;
    this.element.append(button);
    this.redraw = () => this.draw();
    map.on("style.load", this.redraw);
    return this.element;
  }

  onRemove() {
    this.map.off("style.load", this.redraw);
    this.element.remove();
  }

  get isShown() {
    return localStorage.getItem(KEPT) === "on";
  }

  draw() {
    this.button.setAttribute("aria-pressed", String(this.isShown));
    this.map.setLayoutProperty("satellite", "visibility", this.isShown ? "visible" : "none");
  }
}
