// What every page does: menu, theme switch, htmx with CSRF, connection banner, sign-out notice.

import { csrfToken, isProven } from "./api.js";
import { connectionStatus } from "./events.js";
import { formatDuration, t } from "./i18n.js";
import "./main-menu.js";
import "./tables.js";
import { toast } from "./toasts.js";

const THEMES = ["auto", "light", "dark"];

function showTheme() {
  const choice = document.documentElement.dataset.themeChoice || "auto";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    if (button === document.documentElement) continue;
    const chosen = button.dataset.themeChoice === choice;
    button.classList.toggle("active", chosen);
    button.setAttribute("aria-pressed", String(chosen));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-theme-choice]");
  if (!button || !THEMES.includes(button.dataset.themeChoice)) return;
  dispatchEvent(new CustomEvent("theme-choice", { detail: button.dataset.themeChoice }));
  showTheme();
});
showTheme();

// A time that is typed in seconds is told in hours and minutes too (form.html).
document.addEventListener("input", ({ target }) => {
  const told = target.closest(".ck-field")?.querySelector("[data-duration]");
  if (told) told.textContent = Number(target.value) >= 60 ? formatDuration(Number(target.value)) : "";
});

// Who reads the pages of others' work (base.html, theme.css) has nothing to press there, and nothing to fill in.
function onlyShow() {
  const forms = 'main form:not([method="get"], [method="dialog"], [role="search"])';
  for (const form of document.querySelectorAll(`.ck-reading ${forms}`)) {
    for (const field of form.elements) if (field.type !== "hidden") field.disabled = true;
  }
}
document.addEventListener("htmx:after:swap", onlyShow);
onlyShow();

// A form or button with data-confirm asks first, before what scripts do when it is sent.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (!question || confirm(question)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (request.method !== "GET") request.headers["X-CSRF-Token"] = csrfToken;
});

document.addEventListener("htmx:before:swap", (event) => {
  event.detail.ctx.title = null; // a part that comes from another page does not name this one
});

document.addEventListener("htmx:response:error", async (event) => {
  const { ctx } = event.detail;
  let problem = {};
  try {
    problem = JSON.parse(ctx.text);
  } catch {
    // not a problem detail; the general message stands
  }
  if (await isProven(ctx.response.status, problem)) {
    if (ctx.request.method === "GET") return; // what a page fetches by itself comes again by itself
    if (ctx.sourceElement.matches("form")) ctx.sourceElement.requestSubmit();
    else ctx.sourceElement.click();
    return;
  }
  if (ctx.response.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  else toast(problem.detail || t("The request failed ({status}).", { status: ctx.response.status }), "danger");
});

document.addEventListener("htmx:error", () => toast(t("No connection to the server."), "danger"));

let bannerDelay = 0;
function showConnection(status) {
  const banner = document.getElementById("connection-banner");
  clearTimeout(bannerDelay);
  if (status === "lost") {
    bannerDelay = setTimeout(() => { banner.hidden = false; }, 1500); // a blink is not worth a banner
  } else {
    banner.hidden = true;
  }
}
document.addEventListener("connection", ({ detail }) => showConnection(detail));
showConnection(connectionStatus()); // it may have been lost before this was here

document.addEventListener("signed-out", async () => {
  const { signInAgain } = await import("./prove.js");
  if (document.getElementById("prove") && (await signInAgain())) return;
  location.assign(`/signin?next=${encodeURIComponent(location.pathname)}`);
});

// A table that is larger than its place is moved by the keyboard too: its frame can be reached, as long as there is more.
const frames = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
function watchFrames(within) {
  for (const frame of within.querySelectorAll(":is(.ck-table-wrap, .rg-scroll):not([tabindex])")) frames.observe(frame);
}
watchFrames(document);
document.addEventListener("htmx:after:swap", () => watchFrames(document));
