// Orders by push when the page is closed: one button, and the subscription kept true on each visit.

import { api } from "../api.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";

let button = null;

/** Show the button where the browser can be pushed to; renew a subscription that stands. */
export async function start(element) {
  button = element;
  if (!("PushManager" in window) || !("Notification" in window)) return;
  button.hidden = false;
  button.addEventListener("click", toggle);
  const registration = await navigator.serviceWorker.ready;
  const present = await registration.pushManager.getSubscription();
  if (present) await send(present).catch(() => null); // no line: the next visit tells it
  show(Boolean(present));
}

function show(isOn) {
  button.setAttribute("aria-pressed", String(isOn));
  button.querySelector("span").textContent = isOn ? t("Orders reach this phone when the page is closed") : t("Let orders reach me when this page is closed");
}

async function toggle() {
  button.disabled = true;
  try {
    const registration = await navigator.serviceWorker.ready;
    const present = await registration.pushManager.getSubscription();
    if (present) await turnOff(present);
    else await turnOn(registration);
    show(!present);
  } catch (error) {
    toast(Notification.permission === "denied" ? t("Notifications are blocked in this browser's settings.") : error.message, "danger");
  } finally {
    button.disabled = false;
  }
}

async function turnOn(registration) {
  await Notification.requestPermission();
  const { public_key: key } = await api("GET", "/api/v1/push/key");
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  try {
    await send(made);
  } catch (error) {
    await made.unsubscribe();
    throw error;
  }
}

async function turnOff(present) {
  const { subscription_id: number } = await send(present);
  await api("DELETE", `/api/v1/push/subscriptions/${number}`);
  await present.unsubscribe();
}

function send(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  return api("POST", "/api/v1/push/subscriptions", { endpoint, keys });
}
