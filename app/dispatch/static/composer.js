// The order composer: what, to whom, until when, in which words; a preview of who gets it; then send.

import { html, nothing } from "lit";
import { api, newKey } from "/static/api.js";
import { formatNumber, t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";
import { ConsoleElement } from "./element.js";
import { KINDS, describeSelection } from "./order-kinds.js";
import { renderRecipients } from "./recipients.js";
import { renderWhen, resolveTime, timeOf, usualTime } from "./when.js";
import "/static/measures/effect.js";

const PREVIEW_DELAY_MS = 350;
const LANGUAGES = { vi: "Tiếng Việt", en: "English", zh: "中文" };
const TOOLS = [
  { kind: "stretch", icon: "line", word: () => t("Stretch of road") },
  { kind: "polygon", icon: "polygon", word: () => t("Area") },
  { kind: "list", icon: "pointer", word: () => t("Single trucks") },
];

const REASONS = {
  queue: () => t("Long queue at the gate"), yard_full: () => t("Yard nearly full"), gate_closed: () => t("Gate closed"),
  shorter_wait: () => t("Shorter wait there"), queue_dissolves: () => t("Road ahead is clearing"),
  lane_opened: () => t("One more lane opens"), longer_hours: () => t("The gate stays open longer"), stay_home: () => t("Do not set out yet"),
  accident: () => t("Accident ahead"), road_works: () => t("Road works ahead"),
};

const NO_CRITERIA = { stretch: null, area: null, gate_id: null, site_id: null, goods_classes: null, regimes: null, perishable: null, limit_veh: null, stages: null };
const TYPED_KM = 10; // a stretch that is typed begins as that from the border to here
const NAMED = 3; // so few trucks are named where an order is confirmed
const fresh = () => ({ kind: "hold", selection: {}, parameters: {}, text: {}, edited: {}, advisory_id: null, when: usualTime() });

/** A selection whose stretch begins at its lower kilometre, whichever end was typed first. */
function inOrder(selection) {
  if (!selection.stretch) return selection;
  const [from, to] = [selection.stretch.km_from, selection.stretch.km_to].sort((a, b) => a - b);
  return { ...selection, stretch: { ...selection.stretch, km_from: from, km_to: to } };
}

class PoliceComposer extends ConsoleElement {
  static properties = {
    ...ConsoleElement.properties, draft: { state: true }, preview: { state: true }, problem: { state: true },
    confirming: { state: true }, sending: { state: true }, textLanguage: { state: true }, previewing: { state: true },
  };

  constructor() {
    super();
    this.textLanguage = "vi";
    this.renewKey();
  }

  /** What is sent under a key never changes: a second try of the same order is the same order. */
  renewKey() {
    this.key = newKey();
    this.sealed = null;
  }

  /** Begin an order: from advice `{advisory, measure}`, to a single truck `{vehicle}`, or an empty one. */
  begin({ advisory, measure, vehicle } = {}) {
    const draft = fresh();
    const written = structuredClone(measure?.draft || {});
    const { kind, selection, parameters, text } = written;
    Object.assign(draft, { kind: kind || draft.kind, selection: selection || {}, parameters: parameters || {}, edited: text || {} });
    if (!measure) draft.parameters = this.usual(draft.kind);
    draft.advisory_id = advisory?.advisory_id ?? null;
    if (vehicle) draft.selection = { vehicle_ids: [vehicle] };
    if (measure) draft.when = timeOf(written, this.console.now());
    this.advisory = advisory || null;
    this.draft = draft;
    this.confirming = false;
    this.renewKey();
    this.showOnMap();
    this.schedulePreview();
  }

  /** The place that an order of a kind most often names: shown at once, changed at will. */
  usual(kind) {
    const { staging, gates, yards } = this.console;
    return { hold: { site_id: staging.at(-1)?.[0] }, divert: { gate_id: gates.at(-1)?.site_id }, yard: { yard_id: yards[0]?.[0] } }[kind] || {};
  }

  change(values) {
    this.draft = { ...this.draft, ...values };
    this.confirming = false;
    this.renewKey();
    this.schedulePreview();
  }

  select(values) {
    const selection = { ...this.draft.selection, ...values };
    for (const [name, value] of Object.entries(selection)) {
      if (value == null || value === "" || (Array.isArray(value) && !value.length)) delete selection[name];
    }
    this.change({ selection });
    this.showOnMap();
  }

  setParameter(name, value) {
    const parameters = { ...this.draft.parameters, [name]: value };
    if (value === "" || value == null) delete parameters[name];
    this.change({ parameters });
  }

  /** What the map's tool picked. */
  takeSelection(picked) {
    if (!picked) return;
    if (picked.type === "stretch") {
      const direction = this.draft.selection.stretch?.direction || "to_border";
      this.select({ stretch: { road: picked.road, km_from: picked.km_from, km_to: picked.km_to, direction }, area: null, vehicle_ids: null });
    } else if (picked.type === "polygon") {
      const ring = [...picked.coordinates, picked.coordinates[0]];
      this.select({ area: { type: "Polygon", coordinates: [ring] }, stretch: null, vehicle_ids: null });
    } else if (picked.type === "list") {
      this.select({ vehicle_ids: picked.vehicle_ids, stretch: null, area: null });
    }
  }

  showOnMap() {
    const { stretch, area, vehicle_ids: ids } = this.draft.selection;
    this.console.showSelection(
      stretch ? { type: "stretch", ...stretch }
        : area ? { type: "polygon", coordinates: area.coordinates[0].slice(0, -1) }
          : ids ? { type: "list", vehicle_ids: ids } : null,
    );
  }

  get hasSelection() {
    return Object.keys(this.draft.selection).some((name) => name !== "limit_veh");
  }

  body() {
    const { kind, selection, parameters, edited, advisory_id: advisory, when } = this.draft;
    return {
      kind, selection: inOrder(selection), parameters, text: edited, ...resolveTime(when, this.console.now()),
      ...(advisory ? { advisory_id: advisory } : {}),
    };
  }

  schedulePreview() {
    clearTimeout(this.previewTimer);
    this.previewTimer = setTimeout(() => this.loadPreview(), PREVIEW_DELAY_MS);
  }

  async loadPreview() {
    this.aborter?.abort();
    if (!this.hasSelection) {
      this.preview = null;
      this.problem = "";
      this.console.mark([]);
      return;
    }
    this.aborter = new AbortController();
    const { signal } = this.aborter;
    this.previewing = true;
    try {
      const body = this.body();
      const preview = await api("POST", "/api/v1/orders/preview", body, { signal });
      this.preview = preview;
      this.previewed = body;
      this.problem = "";
      this.draft = { ...this.draft, text: { ...preview.text, ...this.draft.edited } };
      this.console.mark(preview.recipients.map(({ vehicle_id: id }) => id));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.preview = null;
      this.problem = error.message;
      this.console.mark([]);
    } finally {
      if (!signal.aborted) this.previewing = false;
    }
  }

  get count() {
    return this.preview?.recipients.length ?? 0;
  }

  async send() {
    this.sending = true;
    try {
      this.sealed ??= this.body(); // its times count from now
      const order = await api("POST", "/api/v1/orders", this.sealed, { headers: { "Idempotency-Key": this.key } });
      const text = order.status === "proposed" ? t("The order to {count} trucks needs a second person first.", { count: this.count })
        : t("Order sent to {count} trucks.", { count: this.count });
      toast(text, "success");
      this.console.sent(order);
      this.begin();
    } catch (error) {
      this.problem = error.message;
      this.confirming = false;
    } finally {
      this.sending = false;
    }
  }

  render() {
    if (!this.store || !this.draft) return nothing;
    return html`<form class="ck-composer" novalidate data-testid="composer" aria-labelledby="composer-title" @submit=${(event) => {
      event.preventDefault();
      if (this.count && !this.confirming) this.confirming = true;
    }}>
      <h2 id="composer-title">${t("New order")}</h2>
      ${this.advisory ? html`<p class="ck-from-advice"><i class="ti ti-bulb" aria-hidden="true"></i> ${t("From advice {id}", { id: this.advisory.advisory_id })}
        <button type="button" class="btn btn-sm btn-ghost-secondary" @click=${() => this.begin()}>${t("Start again")}</button></p>` : nothing}
      ${this.renderKind()} ${this.renderParameters()} ${this.renderTarget()} ${this.renderList()} ${renderWhen(this.draft.when, this.console.now(), (values) => this.change({ when: { ...this.draft.when, ...values } }))} ${this.renderText()}
      <order-effect .draft=${this.preview && this.count ? this.previewed : null}></order-effect>
      ${this.renderSend()}
    </form>`;
  }

  renderKind() {
    return html`<fieldset class="ck-kinds"><legend>${t("What")}</legend>
      ${Object.entries(KINDS).map(([kind, { icon, label, explanation }]) => html`<label title=${explanation} class=${this.draft.kind === kind ? "active" : ""}>
        <input type="radio" name="kind" value=${kind} data-testid=${`kind-${kind}`} .checked=${this.draft.kind === kind}
          @change=${() => this.change({ kind, parameters: this.usual(kind), edited: {} })}>
        <i class=${`ti ti-${icon}`} aria-hidden="true"></i>${label}</label>`)}
      <p class="ck-muted">${KINDS[this.draft.kind].explanation}</p></fieldset>`;
  }

  renderTarget() {
    const { selection } = this.draft;
    const { tool } = this.console;
    const shown = selection.stretch ? "stretch" : selection.area ? "polygon" : selection.vehicle_ids ? "list" : "";
    return html`<fieldset class="ck-target"><legend>${t("Who")}</legend>
      <div class="ck-tools-row" role="group" aria-label=${t("Pick on the map")}>${TOOLS.map(({ kind, icon, word }) => html`<button type="button"
        class=${`btn ${tool === kind ? "btn-primary" : shown === kind ? "btn-outline-primary" : ""}`} data-testid=${`tool-${kind}`}
        aria-pressed=${tool === kind} @click=${() => this.console.startTool(kind)}><i class=${`ti ti-${icon}`} aria-hidden="true"></i>${word()}</button>`)}
        ${selection.stretch ? nothing : html`<button type="button" class="btn" data-testid="stretch-typed" @click=${() => this.typeStretch()}><i class="ti ti-keyboard" aria-hidden="true"></i>${t("Type kilometres")}</button>`}</div>
      ${selection.stretch ? this.renderStretch(selection.stretch) : nothing}
      ${selection.area ? html`<p>${t("Drawn area with {count} corners", { count: selection.area.coordinates[0].length - 1 })} ${this.clearButton({ area: null })}</p>` : nothing}
      ${selection.vehicle_ids ? html`<p>${t("{count} listed trucks", { count: selection.vehicle_ids.length })} ${this.clearButton({ vehicle_ids: null })}</p>` : nothing}
      <div class="ck-filters">
        ${this.choice("gate_id", t("Bound for gate"), this.console.gates.map((gate) => [gate.site_id, gate.name]))}
        ${this.choice("site_id", t("Now at"), this.console.stops)}
        ${this.choice("goods_classes", t("Goods"), this.console.choices.goodsList, true)}
        ${this.choice("regimes", t("Regime"), this.console.choices.regimeList, true)}
        ${this.choice("perishable", t("Perishable"), [["true", t("only perishable")], ["false", t("not perishable")]], false, (value) => (value === "" ? null : value === "true"))}
        <label class="form-label">${t("At most, nearest first")}<input type="number" class="form-control" min="1" step="1" data-testid="limit"
          .value=${selection.limit_veh ?? ""} @change=${(event) => this.select({ limit_veh: event.target.value ? Number(event.target.value) : null })}></label>
      </div></fieldset>`;
  }

  /** A stretch to be typed over. */
  typeStretch() {
    const stretch = { road: this.console.roads[0], km_from: 0, km_to: TYPED_KM, direction: "to_border" };
    this.select({ stretch, area: null, vehicle_ids: null });
  }

  renderList() {
    if (!this.count) return nothing;
    const choose = (ids) => this.select({ ...NO_CRITERIA, vehicle_ids: ids });
    return renderRecipients(this.preview.recipients, this.console.trucks(), choose, (id) => this.console.showTruck(id));
  }

  clearButton(values) {
    return html`<button type="button" class="btn btn-sm btn-ghost-secondary" @click=${() => this.select(values)}>${t("Clear")}</button>`;
  }

  renderStretch(stretch) {
    const set = (values) => this.select({ stretch: { ...stretch, ...values } }); // as typed: the other end may be still to come
    const km = (name, label) => html`<label class="form-label">${label}<input type="number" class="form-control" step="any" min="0"
      data-testid=${`stretch-${name}`} .value=${String(stretch[name])} @change=${(event) => set({ [name]: Number(event.target.value) })}></label>`;
    return html`<div class="ck-stretch" data-testid="stretch">
      <label class="form-label">${t("Road")}<select class="form-select" @change=${(event) => set({ road: event.target.value })}>
        ${this.console.roads.map((road) => html`<option ?selected=${road === stretch.road}>${road}</option>`)}</select></label>
      ${km("km_from", t("from km"))} ${km("km_to", t("to km"))}
      <label class="form-label">${t("Direction")}<select class="form-select" @change=${(event) => set({ direction: event.target.value })}>
        ${[["to_border", t("toward the border")], ["from_border", t("away from the border")], ["both", t("both directions")]].map(([value, word]) =>
          html`<option value=${value} ?selected=${value === stretch.direction}>${word}</option>`)}</select></label>
      ${this.clearButton({ stretch: null })}</div>`;
  }

  choice(name, label, options, isList = false, read = (value) => (value === "" ? null : isList ? [value] : value)) {
    const present = this.draft.selection[name];
    const value = present == null ? "" : String(isList ? present[0] : present);
    return html`<label class="form-label">${label}<select class="form-select" data-testid=${`filter-${name}`}
      @change=${(event) => this.select({ [name]: read(event.target.value) })}>
      <option value="" ?selected=${value === ""}>${t("any")}</option>
      ${options.map(([key, word]) => html`<option value=${key} ?selected=${value === String(key)}>${word}</option>`)}</select></label>`;
  }

  renderParameters() {
    const { kind, parameters } = this.draft;
    const pick = (name, label, options) => html`<label class="form-label ck-wide">${label}<select class="form-select" required data-testid=${`parameter-${name}`}
      @change=${(event) => this.setParameter(name, event.target.value)}><option value="" ?selected=${!parameters[name]}>${t("choose…")}</option>
      ${options.map(([key, word]) => html`<option value=${key} ?selected=${parameters[name] === key}>${word}</option>`)}</select></label>`;
    const parts = {
      hold: () => pick("site_id", t("Wait at"), this.console.staging),
      divert: () => pick("gate_id", t("To gate"), this.console.gates.map((gate) => [gate.site_id, gate.name])),
      yard: () => pick("yard_id", t("Into yard"), this.console.yards),
      proceed: () => this.renderRelease(parameters.release),
    };
    return html`<fieldset class="ck-filters"><legend>${t("How and why")}</legend>${parts[kind]?.()} ${this.renderReason(parameters.reason)}</fieldset>`;
  }

  renderRelease(release) {
    const set = (values) => {
      const next = { veh: 10, every_s: 600, ...release, ...values };
      this.setParameter("release", next.veh ? next : null);
    };
    if (release?.groups) {
      return html`<p class="ck-wide">${t("By a release plan: {groups} each {minutes} min", { groups: release.groups.join(", "), minutes: release.every_s / 60 })}
        <button type="button" class="btn btn-sm btn-ghost-secondary" @click=${() => set({ groups: undefined })}>${t("Clear")}</button></p>`;
    }
    return html`<label class="form-label">${t("In groups of (empty: all at once)")}<input type="number" class="form-control" min="1" step="1"
        data-testid="parameter-release-veh" .value=${release?.veh ?? ""} @change=${(event) => set({ veh: Number(event.target.value) })}></label>
      <label class="form-label">${t("Every, minutes")}<input type="number" class="form-control" min="1" step="1" data-testid="parameter-release-every" ?disabled=${!release}
        .value=${release ? String(release.every_s / 60) : ""} @change=${(event) => set({ every_s: Number(event.target.value) * 60 })}></label>`;
  }

  renderReason(reason = "") {
    const isOwn = this.ownReason || (reason !== "" && !(reason in REASONS));
    return html`<label class="form-label">${t("Reason")}<select class="form-select" data-testid="parameter-reason" @change=${(event) => {
      this.ownReason = event.target.value === "own";
      this.setParameter("reason", this.ownReason ? "" : event.target.value);
    }}><option value="" ?selected=${!reason && !isOwn}>${t("none")}</option>
      ${Object.entries(REASONS).map(([key, word]) => html`<option value=${key} ?selected=${reason === key}>${word()}</option>`)}
      <option value="own" ?selected=${isOwn}>${t("own words…")}</option></select></label>
      ${isOwn ? html`<label class="form-label ck-wide">${t("Own words")}<input class="form-control" maxlength="300" data-testid="parameter-reason-own" .value=${reason}
        @change=${(event) => this.setParameter("reason", event.target.value)}></label>` : nothing}`;
  }

  renderText() {
    const { text, edited } = this.draft;
    return html`<fieldset class="ck-text"><legend>${t("Words to the driver")}</legend>
      <div class="ck-tools-row" role="tablist">${Object.entries(LANGUAGES).map(([code, name]) => html`<button type="button" role="tab" class=${`btn btn-sm ${this.textLanguage === code ? "active" : ""}`}
        aria-selected=${this.textLanguage === code} data-testid=${`text-tab-${code}`} @click=${() => { this.textLanguage = code; }}>${name}</button>`)}
        ${Object.keys(edited).length ? html`<button type="button" class="btn btn-sm btn-ghost-secondary" @click=${() => this.change({ edited: {} })}>${t("Words of the template")}</button>` : nothing}</div>
      <textarea class="form-control" rows="3" maxlength="500" lang=${this.textLanguage} data-testid=${`text-${this.textLanguage}`} aria-label=${LANGUAGES[this.textLanguage]}
        placeholder=${t("Pick trucks, then the words of the template appear here.")} .value=${text[this.textLanguage] || ""}
        @input=${(event) => {
          const words = { [this.textLanguage]: event.target.value };
          this.change({ text: { ...text, ...words }, edited: { ...edited, ...words } });
        }}></textarea></fieldset>`;
  }

  /** Plates of a few recipients: whoever sends sees to whom. */
  get platesToName() {
    const recipients = this.preview?.recipients ?? [];
    return recipients.length <= NAMED ? recipients.map(({ plate }) => plate) : [];
  }

  renderSend() {
    const words = describeSelection(inOrder(this.draft.selection), this.console);
    if (this.confirming) {
      return html`<div class="ck-send ck-confirm" role="alertdialog" tabindex="-1" aria-labelledby="confirm-text" data-testid="confirm" data-asked-by="send">
        <p id="confirm-text"><b>${t("Send “{kind}” to {count} trucks?", { kind: KINDS[this.draft.kind].label, count: formatNumber(this.count) })}</b><br>${words}${this.platesToName.map((plate) => html` <span class="ck-plate">${plate}</span>`)}
          <br><q data-testid="confirm-words">${this.draft.text[this.textLanguage]}</q></p>
        <button type="button" class="btn btn-danger" data-testid="send-confirm" ?disabled=${this.sending} @click=${() => this.send()}>
          <i class="ti ti-send" aria-hidden="true"></i>${this.sending ? t("Sending…") : t("Send to {count} trucks", { count: formatNumber(this.count) })}</button>
        <button type="button" class="btn" @click=${() => { this.confirming = false; }}>${t("Back")}</button></div>`;
    }
    const without = this.preview?.recipients.filter((one) => !one.has_device && !one.has_driver).length ?? 0;
    const past = this.preview?.recipients.filter((one) => one.is_past).length ?? 0;
    return html`<div class="ck-send">
      <p data-testid="preview" aria-live="polite">${this.problem ? html`<span class="ck-send-problem" data-testid="composer-error"><i class="ti ti-alert-circle" aria-hidden="true"></i> ${this.problem}</span>`
        : !this.hasSelection ? html`<span class="ck-muted">${t("Pick trucks on the map or by a filter.")}</span>`
        : this.preview ? html`<b class="ck-figure" data-testid="preview-count">${formatNumber(this.count)}</b> ${t("trucks get this order")}
          ${without ? html`<br><small class="ck-muted">${t("{count} of them have no device to receive it", { count: without })}</small>` : nothing}
          ${this.preview.needs_second ? html`<br><small data-testid="needs-second"><i class="ti ti-users" aria-hidden="true"></i> ${t("so many that a second person must release it")}${this.preview.groups > 1
            ? ` · ${t("told in {groups} groups of {veh}, {minutes} min apart", { groups: this.preview.groups, veh: this.preview.group_veh, minutes: this.preview.group_every_s / 60 })}` : ""}</small>` : nothing}
          ${past ? html`<br><small class="ck-muted">${t("{count} of them are past that place already", { count: past })}</small>` : nothing}
          <br><small class="ck-muted">${words}</small>` : this.previewing ? t("Counting…") : nothing}</p>
      <button class="btn btn-primary btn-lg" data-testid="send" ?disabled=${!this.count || this.previewing}><i class="ti ti-send" aria-hidden="true"></i>${t("Send…")}</button>
    </div>`;
  }
}

customElements.define("police-composer", PoliceComposer);
