// Taps in the moment in which the page itself changes: whoever aimed at what stood there before does nothing by mistake.

import { t } from "./i18n.js";
import { toast } from "./toasts.js";

const AIM_MS = 300; // from aiming to touching; what changed within it was not seen

const nameOf = (button) => JSON.stringify(button.dataset);
const holds = ({ left, right, top, bottom }, { clientX: x, clientY: y }) => left <= x && x < right && top <= y && y < bottom;

/** The buttons in `element` that `selector` finds: a tap that a change made go astray is stopped, and whoever tapped is told. */
export class Aim {
  #before = []; // the buttons as they stood: name and box
  #isOther = false;
  #until = -Infinity; // so long somebody may still aim at what stood there

  constructor(element, selector) {
    Object.assign(this, { element, selector });
    element.addEventListener("click", (event) => {
      if (!this.#isAstray(event, event.target.closest(selector))) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      toast(t("The page changed under your finger, nothing was done; look at it and tap again."), "warning");
    }, true);
  }

  /** To be called right before the content changes by itself; `isOther`: what comes looks the same but is another truck's. */
  remember({ isOther = false } = {}) {
    if (performance.now() > this.#until) {
      const buttons = [...this.element.querySelectorAll(this.selector)];
      this.#before = buttons.map((button) => ({ name: nameOf(button), box: button.getBoundingClientRect() }));
      this.#isOther = false;
    }
    this.#isOther ||= isOther;
    this.#until = Infinity; // nothing is seen before it is painted
    requestAnimationFrame(() => requestAnimationFrame(() => { this.#until = performance.now() + AIM_MS; }));
  }

  /**
   * Whether a click hit something else than it was aimed at: `button` (null: none) came under the finger, or another went
   * away from it. What appeared where nothing stood was meant, unless it is another truck's.
   */
  #isAstray(event, button) {
    if (event.timeStamp > this.#until || event.detail === 0) return false; // seen, or by keyboard
    const meant = this.#before.find(({ box }) => holds(box, event))?.name ?? null;
    const hit = button ? nameOf(button) : null;
    if (this.#isOther) return meant !== null || hit !== null;
    return meant !== hit && (meant !== null || this.#before.some(({ name }) => name === hit));
  }
}
