// New content for a part of a page, in a way that loses no tap, focus, scroll place or opened part.

const TAP_MS = 100; // the click follows the lifted finger within this time
const MAX_PRESS_MS = 10_000; // whoever holds on longer does not tap; the lifting may also have been missed

let pressed = null; // while a finger or mouse button is down: the promise that it is lifted

addEventListener("pointerdown", () => {
  pressed ??= new Promise((resolve) => {
    const lift = () => {
      removeEventListener("pointerup", later, true);
      removeEventListener("pointercancel", later, true);
      clearTimeout(longest);
      pressed = null;
      resolve();
    };
    const later = () => setTimeout(lift, TAP_MS);
    const longest = setTimeout(lift, MAX_PRESS_MS);
    addEventListener("pointerup", later, true);
    addEventListener("pointercancel", later, true);
  });
}, true);

/** Resolves when nobody presses anything: what moves or goes away under a finger makes a tap go astray. */
export const released = () => pressed ?? Promise.resolve();

const OPEN = ".dropdown-menu.show, .modal.show, dialog[open]";
let renewing = false;

/** Load the page again once nobody presses anything and no menu and no window of it stands open. */
export async function renew() {
  if (renewing) return;
  renewing = true;
  await released();
  while (document.querySelector(OPEN)) {
    await new Promise((resolve) => {
      for (const type of ["hidden.bs.dropdown", "hidden.bs.modal", "close"]) {
        addEventListener(type, resolve, { once: true, capture: true });
      }
    });
    await released();
  }
  location.reload();
}

/** Make `element` show the HTML `text`: what stays the same stays in place, with its focus and what it has open. */
export const swap = (element, text) => htmx.swap({ sourceElement: element, target: element, text, swap: "innerMorph" });
