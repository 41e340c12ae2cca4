// Keeps the driver's page usable without a line, sends kept fixes when the line is back, and shows what is pushed.

import { send } from "/static/driver/outbox.js";

const CACHE = "cuakhau-1";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) =>
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  ),
);

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/vendor/")) event.respondWith(cacheFirst(event.request));
  else if (url.pathname.startsWith("/static/") || url.pathname === "/driver") event.respondWith(networkFirst(event.request));
});

addEventListener("sync", (event) => {
  if (event.tag === "send-fixes") event.waitUntil(send());
});

addEventListener("message", (event) => {
  if (event.data === "forget") event.waitUntil(Promise.all([caches.delete(CACHE), unsubscribe()])); // somebody signed out
});

addEventListener("push", (event) => {
  const { tag, title, text, language } = event.data.json();
  const shown = registration.showNotification(title, {
    body: text, lang: language, tag, renotify: true, requireInteraction: true,
    icon: "/static/driver/icon-192.png", vibrate: [400, 200, 400, 200, 800],
  });
  // Fetching the orders is what tells the police that they arrived; without a line it is told later.
  event.waitUntil(Promise.all([shown, fetch("/api/v1/orders?current=true").catch(() => null)]));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openDriver());
});

/** Whoever signed out gets no more orders on this phone. */
async function unsubscribe() {
  await (await registration.pushManager?.getSubscription())?.unsubscribe();
}

async function openDriver() {
  const windows = await clients.matchAll({ type: "window" });
  const open = windows.find(({ url }) => new URL(url).pathname === "/driver");
  await (open ? open.focus() : clients.openWindow("/driver"));
}

async function cacheFirst(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) cache.put(request, response.clone());
  return response;
}

async function networkFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
