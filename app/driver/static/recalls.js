// Orders that were taken back: each fills the screen and sounds until the driver has read it.

import { api } from "../api.js";
import { formatClock, language, t } from "../i18n.js";
import { toast } from "../toasts.js";
import { sound } from "./alarm.js";

const AGAIN_MS = 15_000; // unread, it sounds again

export class Recalls {
  /** `dialog` fills the screen with the oldest that is not read. */
  constructor(dialog) {
    this.dialog = dialog;
    this.shown = null;
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // read, not closed
  }

  async refresh() {
    let items;
    try {
      items = (await api("GET", "/api/v1/orders/recalls")).items;
    } catch {
      return; // the banner tells that the line is down; what was shown stays
    }
    const next = items.at(-1) ?? null;
    if (next?.order_id === this.shown) return;
    if (next) this.show(next);
    else this.close();
  }

  show(recall) {
    this.shown = recall.order_id;
    const title = element("h2", { id: "recall-title" });
    title.append(element("i", { class: "ti ti-ban", "aria-hidden": "true" }), t("Order taken back"));
    const say = t("The traffic police have taken this order back. Do not follow it any more.");
    const text = recall.order_text[language] || recall.order_text.vi;
    const when = t("taken back at {time}", { time: formatClock(recall.recalled_at) });
    const read = element("button", { type: "button", class: "btn btn-danger read", "data-testid": "recall-read" }, t("I have read it"));
    read.addEventListener("click", () => this.read(read, recall));
    const had = recall.had_confirmed ? ` · ${t("You had confirmed it.")}` : "";
    this.dialog.replaceChildren(title, element("p", { class: "say" }, say), element("blockquote", {}, text), element("p", { class: "ck-muted" }, when + had), read);
    if (!this.dialog.open) this.dialog.showModal();
    const alarm = () => sound(`${t("Order taken back")}. ${say}`);
    alarm();
    clearInterval(this.again);
    this.again = setInterval(alarm, AGAIN_MS);
  }

  close() {
    clearInterval(this.again);
    this.shown = null;
    this.dialog.close();
  }

  async read(button, recall) {
    button.disabled = true;
    try {
      await api("POST", `/api/v1/orders/${recall.order_id}/recall-read`);
      this.close();
    } catch (error) {
      toast(error.message, "danger");
      button.disabled = false;
    }
    await this.refresh();
  }
}

function element(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
