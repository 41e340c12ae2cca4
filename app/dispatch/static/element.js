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
    this.followQuestion();
  }

  /** A question that takes the place of the button that was pressed takes the keyboard too, and gives it back. */
  followQuestion() {
    const question = this.querySelector("[role=alertdialog]");
    if (question && !this.question) question.focus();
    if (!question && this.question && document.activeElement === document.body) {
      this.querySelector(`[data-testid="${this.question}"]`)?.focus();
    }
    this.question = question?.dataset.askedBy ?? null;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.unsubscribe?.();
  }
}

/** The text in the reader's language of `{vi, en, zh}`. */
export const inLanguage = (texts) => (typeof texts === "string" ? texts : texts?.[language] || texts?.vi || "");
