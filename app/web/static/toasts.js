// Short messages in the corner, read out by screen readers.

const ICONS = { success: "circle-check", warning: "alert-triangle", danger: "alert-octagon", info: "info-circle" };

/** Show `message`; `kind` is success, info, warning or danger. Errors stay until closed; said again, they stand once. */
export function toast(message, kind = "info") {
  const area = document.getElementById("toasts");
  for (const shown of [...area.children]) if (shown.textContent === message) shown.remove();
  const element = document.createElement("div");
  element.className = `toast show ck-toast ck-toast-${kind}`;
  element.setAttribute("role", kind === "danger" ? "alert" : "status");
  const icon = document.createElement("i");
  icon.className = `ti ti-${ICONS[kind] || ICONS.info}`;
  icon.setAttribute("aria-hidden", "true");
  const text = document.createElement("span");
  text.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.setAttribute("aria-label", area.dataset.close);
  close.addEventListener("click", () => element.remove());
  element.append(icon, text, close);
  area.append(element);
  if (kind !== "danger") setTimeout(() => element.remove(), 8000);
  return element;
}

const LATER = "ck-toast-later";

/** Show `message` on the page that comes next: this one once it is loaded again, or another that is gone to. */
export function toastLater(message, kind = "info") {
  sessionStorage.setItem(LATER, JSON.stringify([message, kind]));
}

/** What the page before did, as the server says (`lead_on` in app/web/pages.py); said once. */
function takeTold() {
  const told = document.cookie.split("; ").find((each) => each.startsWith("told="));
  if (!told) return null;
  document.cookie = "told=; path=/; max-age=0";
  return decodeURIComponent(told.slice("told=".length).replace(/^"|"$/g, ""));
}

const told = document.getElementById("toasts") && takeTold();
if (told) toast(told, "success");
const kept = sessionStorage.getItem(LATER);
if (kept && document.getElementById("toasts")) {
  sessionStorage.removeItem(LATER);
  toast(...JSON.parse(kept));
}
