// The desk: tells the platform that somebody is there, and locks the page when nobody is.

import { api, csrfToken } from "./api.js";
import { prove } from "./prove.js";

const LOOK_MS = 5_000;
const MAX_REPORT_MS = 60_000;
const lockAfterMs = 1_000 * Number(document.body.dataset.lockAfterS || 0);

let touchedAt = Date.now();
let reportedAt = touchedAt; // opening the page was an act
let isLocked = false;

const lockedByPlatform = () => prove("session_locked").then(() => { touchedAt = reportedAt = Date.now(); isLocked = false; });

function touch() {
  if (isLocked) return;
  touchedAt = Date.now();
  if (touchedAt - reportedAt < Math.min(MAX_REPORT_MS, lockAfterMs / 5)) return;
  reportedAt = touchedAt;
  fetch("/api/v1/session/activity", { method: "POST", headers: { "X-CSRF-Token": csrfToken } }).catch(() => {});
}

async function look() {
  if (isLocked || Date.now() - touchedAt < lockAfterMs) return;
  const state = await api("GET", "/api/v1/session");
  if (state.is_locked) {
    isLocked = true;
    await lockedByPlatform();
  } else {
    touchedAt = Date.now() - lockAfterMs + 1_000 * state.locks_in_s; // somebody is there, in another window
  }
}

if (lockAfterMs) {
  for (const name of ["pointerdown", "keydown", "wheel", "touchmove"]) addEventListener(name, touch, { passive: true, capture: true });
  setInterval(() => look().catch(() => {}), LOOK_MS);
}

document.getElementById("lock-now")?.addEventListener("click", async () => {
  await api("POST", "/api/v1/session/lock");
  isLocked = true;
  await lockedByPlatform();
});

document.getElementById("failures-seen")?.addEventListener("click", async (event) => {
  const notice = event.currentTarget.closest(".ck-banner");
  await api("POST", "/api/v1/session/failures-seen");
  notice.remove();
});
