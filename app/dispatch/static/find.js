// <police-find>: finds a truck by plate, trip, driver or telephone: on the map at once, then among the open trips.

import { html, nothing } from "lit";
import { api } from "/static/api.js";
import { t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";
import { group, names } from "/static/vocabulary.js";
import { ConsoleElement } from "./element.js";

const ASK_MS = 250;
const MIN_SIGNS = 3;
const MAX_ON_MAP = 6;
const MAX_TRIPS = 10;
const STAGES = names("Stage");
const OPEN = group("Stage", "open").map((stage) => `&stage=${stage}`).join("");

/** A plate as it is compared: letters and digits alone. */
const bare = (text) => text.toUpperCase().replace(/[^\p{L}\p{N}]/gu, "");

class PoliceFind extends ConsoleElement {
  static properties = {
    ...ConsoleElement.properties, found: { state: true }, chosen: { state: true }, isOpen: { state: true }, problem: { state: true }, isTooShort: { state: true },
  };

  constructor() {
    super();
    this.found = null; // null: nothing was asked
    this.chosen = -1;
    this.problem = "";
    this.isTooShort = false;
  }

  get field() {
    return this.querySelector("input");
  }

  focusField() {
    this.field?.focus();
    this.field?.select();
  }

  typed() {
    this.isOpen = true;
    clearTimeout(this.timer);
    const text = this.field.value.trim();
    this.chosen = -1;
    if (text.length < MIN_SIGNS) {
      this.asked = "";
      this.found = null;
      this.problem = "";
      this.isTooShort = text.length > 0;
      return;
    }
    this.isTooShort = false;
    this.found = this.onMap(text);
    this.timer = setTimeout(() => this.ask(text), ASK_MS);
  }

  /** Trucks on the map whose plate has these signs. */
  onMap(text) {
    const signs = bare(text);
    if (signs.length < MIN_SIGNS) return [];
    const trucks = [...this.console.map.trucks.byId.values()].filter(({ plate }) => bare(plate).includes(signs));
    return trucks.slice(0, MAX_ON_MAP).map((truck) => ({ ...truck, gate_id: truck.gate }));
  }

  async ask(text) {
    this.asked = text;
    try {
      const { items } = await api("GET", `/api/v1/trips?limit=${MAX_TRIPS}&q=${encodeURIComponent(text)}${OPEN}`);
      if (this.asked !== text) return;
      const trips = new Set(items.map((trip) => trip.vehicle_id));
      this.found = [...items, ...this.onMap(text).filter(({ vehicle_id: id }) => !trips.has(id))];
      this.problem = "";
      this.chosen = this.found.length ? 0 : -1;
    } catch (error) {
      if (this.asked === text) this.problem = error.message;
    }
  }

  press(event) {
    const count = this.found?.length ?? 0;
    if (event.key === "Escape") {
      this.isOpen = false;
      this.field.blur();
    } else if (event.key === "Enter" && count) this.choose(this.found[Math.max(0, this.chosen)]);
    else if (event.key === "ArrowDown" && count) this.chosen = (this.chosen + 1) % count;
    else if (event.key === "ArrowUp" && count) this.chosen = (this.chosen - 1 + count) % count;
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(found) {
    this.isOpen = false;
    this.field.blur();
    if (this.console.map.trucks.byId.has(found.vehicle_id)) this.console.showTruck(found.vehicle_id);
    else toast(t("{plate} reports no position now. Trip {code}: {stage}.", { plate: found.plate, code: found.code, stage: STAGES[found.stage].label }), "info");
  }

  render() {
    if (!this.store) return nothing;
    const isShown = this.isOpen && (this.found !== null || this.problem);
    const isShort = this.isOpen && this.isTooShort;
    return html`<label class="ck-find-field"><i class="ti ti-search" aria-hidden="true"></i>
        <span class="visually-hidden">${t("Find plate, trip, driver, telephone")}</span>
        <input class="form-control" type="search" role="combobox" aria-autocomplete="list" aria-expanded=${String(Boolean(isShown))} aria-controls="police-found"
          aria-activedescendant=${this.chosen >= 0 ? `police-found-${this.chosen}` : nothing} autocomplete="off" spellcheck="false" maxlength="100"
          placeholder=${t("Find plate, trip, driver, telephone")} data-testid="find" @input=${this.typed} @keydown=${this.press}
          @focus=${() => { this.isOpen = true; }} @blur=${() => { this.isOpen = false; }}><kbd aria-hidden="true">/</kbd></label>
      <ul id="police-found" role="listbox" aria-label=${t("Found")} ?hidden=${!isShown}>
        ${(this.found ?? []).map((found, i) => this.renderFound(found, i))}</ul>
      <p class="ck-find-none" role="status">${isShort ? t("Write at least {count} characters.", { count: MIN_SIGNS }) : !isShown ? "" : this.problem || (this.found?.length ? "" : t("Nothing found."))}</p>`;
  }

  renderFound(found, i) {
    const parts = [found.code, found.driver, found.gate_id && this.console.nameOfSite(found.gate_id), STAGES[found.stage]?.label];
    // pressed before the field loses the focus, which would close the list
    return html`<li id=${`police-found-${i}`} role="option" aria-selected=${String(i === this.chosen)} data-testid="found"
      @mousedown=${(event) => { event.preventDefault(); this.choose(found); }}>
      <span class="ck-plate">${found.plate}</span><span>${parts.filter(Boolean).join(" · ")}</span></li>`;
  }
}

customElements.define("police-find", PoliceFind);
