// Keeps the driver's page usable without a line, and sends kept fixes when the line is back.

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
  if (event.data === "forget") event.waitUntil(caches.delete(CACHE)); // somebody signed out
});

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
