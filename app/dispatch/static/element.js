// What the parts of the control room share: they are drawn into the page and follow the store.

import { LitElement } from "lit";
import { language } from "/static/i18n.js";

export class ConsoleElement extends LitElement {
  static properties = { store: { attribute: false }, console: { attribute: false } };

  createRenderRoot() {
    return this;
  }

  updated(changed) {
    if (changed.has("store") && this.store) {
      this.unsubscribe?.();
      this.unsubscribe = this.store.subscribe(() => this.requestUpdate());
    }
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.unsubscribe?.();
  }
}

/** The text in the reader's language of `{vi, en, zh}`. */
export const inLanguage = (texts) => (typeof texts === "string" ? texts : texts?.[language] || texts?.vi || "");
