// Keeps the driver's page usable without a line, sends kept fixes when the line is back, and shows what is pushed.

import { send } from "/static/driver/outbox.js";

const CACHE = "cuakhau-2";
const RELEASE = /^\/static\/r-[0-9a-f]+\//;
const KEPT = /^\/(vendor|static\/r-[0-9a-f]+)\//; // what never changes under its address

// Nobody waits for this worker to start: what it does not keep passes it by, and while it starts the driver's page is
// asked for. Where browsers cannot pass it by, every page would be asked for twice.
const CAN_PASS_BY = "addRoutes" in (self.InstallEvent?.prototype ?? {});
const ROUTES = [
  ...["/driver", "/static/*", "/vendor/*"].map((pathname) => [pathname, "fetch-event"]),
  ["/*", "network"],
].map(([pathname, source]) => ({ condition: { urlPattern: { pathname } }, source }));

addEventListener("install", (event) => {
  skipWaiting();
  if (CAN_PASS_BY) event.waitUntil(event.addRoutes(ROUTES));
});
addEventListener("activate", (event) =>
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => CAN_PASS_BY && registration.navigationPreload?.enable())
      .then(() => clients.claim()),
  ),
);

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !isKept(url)) return;
  event.respondWith(KEPT.test(url.pathname) ? cacheFirst(event.request) : networkFirst(event));
});

addEventListener("sync", (event) => {
  if (event.tag === "send-fixes") event.waitUntil(send());
});

addEventListener("message", (event) => {
  if (event.data.keep) event.waitUntil(keepAll(event.data.keep)); // what a page loaded before this worker was there
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

async function keepAll(addresses) {
  const cache = await caches.open(CACHE);
  const missing = [];
  for (const address of addresses) if (isKept(new URL(address)) && !(await cache.match(address))) missing.push(address);
  await Promise.all(missing.map((address) => cache.add(address).catch(() => null)));
}

function isKept({ origin, pathname }) {
  return origin === location.origin && (KEPT.test(pathname) || pathname.startsWith("/static/") || pathname === "/driver");
}

async function cacheFirst(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) {
    cache.put(request, response.clone());
    await dropOthers(cache, new URL(request.url).pathname.match(RELEASE)?.[0]);
  }
  return response;
}

/** With the first file of a release those of the one before go. */
let current = null;
async function dropOthers(cache, release) {
  if (!release || release === current) return;
  current = release;
  for (const request of await cache.keys()) {
    const other = new URL(request.url).pathname.match(RELEASE)?.[0];
    if (other && other !== release) cache.delete(request);
  }
}

async function networkFirst({ request, preloadResponse }) {
  const cache = await caches.open(CACHE);
  try {
    const response = (await preloadResponse) ?? (await fetch(request));
    if (response.ok && !response.redirected) cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
