// Sharing this phone's position: watch, keep, send.

import { api } from "../api.js";
import { distanceM } from "../map/corridor.js";
import * as outbox from "./outbox.js";

const DEVICE_KEY = "cuakhau-device";
const WANTED_KEY = "cuakhau-sharing";
const MIN_INTERVAL_MS = 10_000; // the law asks for a position every 30 s at most; ten keeps the queue tail sharp
const MIN_DISTANCE_M = 30;
const STANDING_INTERVAL_MS = 60_000;

let watch = null;
let wakeLock = null;
let timer = 0;
let last = null;
let onChange = () => {};
const state = { on: false, unsent: 0, lastFix: null, lastSent: null, error: null };

/** Call `listener(state)` at every change: on, unsent, lastFix (ms), lastSent (ms), error (code or null). */
export function start(listener) {
  onChange = listener;
  addEventListener("online", flush);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && state.on && stayAwake());
  refresh();
  timer = setInterval(flush, 15_000);
  if (localStorage.getItem(WANTED_KEY) === "1") turnOn();
}

/** Start sharing; enrols this phone at the first time. */
export async function turnOn() {
  if (!("geolocation" in navigator)) return change({ error: "unsupported" });
  if (!window.isSecureContext) return change({ error: "insecure" });
  try {
    await deviceId();
  } catch (error) {
    return change({ error: error.status === 0 ? "offline" : "enrol" });
  }
  localStorage.setItem(WANTED_KEY, "1");
  watch ??= navigator.geolocation.watchPosition(taken, refused, { enableHighAccuracy: true, maximumAge: 5_000 });
  stayAwake();
  return change({ on: true, error: null });
}

/** Stop sharing; what is unsent is still sent. */
export function turnOff() {
  localStorage.removeItem(WANTED_KEY);
  if (watch !== null) navigator.geolocation.clearWatch(watch);
  watch = null;
  wakeLock?.release();
  change({ on: false });
  flush();
}

async function deviceId() {
  const account = document.body.dataset.account;
  const stored = JSON.parse(localStorage.getItem(DEVICE_KEY) || "null");
  if (stored?.account === account) return stored.device;
  const answer = await api("POST", "/api/v1/devices", { plate: document.body.dataset.plate, kind: "phone" });
  localStorage.setItem(DEVICE_KEY, JSON.stringify({ account, device: answer.device_id }));
  return answer.device_id;
}

async function taken(position) {
  const { latitude, longitude, speed, heading, accuracy } = position.coords;
  const now = position.timestamp;
  if (last && !due(last, latitude, longitude, now)) return;
  last = { latitude, longitude, time: now };
  const fix = { device: await deviceId(), time: new Date(now).toISOString(), lat: latitude, lon: longitude };
  if (speed !== null && speed >= 0) fix.speed_mps = speed;
  if (heading !== null && Number.isFinite(heading)) fix.heading_deg = heading;
  if (accuracy !== null) fix.accuracy_m = accuracy;
  await outbox.keep(fix);
  change({ lastFix: now, error: null });
  flush();
}

function due(before, latitude, longitude, now) {
  const waited = now - before.time;
  if (waited < MIN_INTERVAL_MS) return false;
  const metres = distanceM([before.longitude, before.latitude], [longitude, latitude]);
  return metres >= MIN_DISTANCE_M || waited >= STANDING_INTERVAL_MS;
}

function refused(error) {
  change({ error: error.code === error.PERMISSION_DENIED ? "denied" : "no-fix" });
  if (error.code === error.PERMISSION_DENIED) turnOff();
}

async function flush() {
  try {
    if ((await outbox.send()) > 0) change({ lastSent: Date.now() });
  } catch (error) {
    if (error instanceof outbox.UnknownDevice) {
      localStorage.removeItem(DEVICE_KEY);
      if (state.on) change({ error: "enrol" });
    }
    const registration = await navigator.serviceWorker?.getRegistration();
    registration?.sync?.register("send-fixes").catch(() => {});
  }
  refresh();
}

async function refresh() {
  change({ unsent: await outbox.count() });
}

async function stayAwake() {
  try {
    wakeLock = await navigator.wakeLock?.request("screen");
  } catch {
    wakeLock = null; // low battery: the phone decides
  }
}

function change(part) {
  Object.assign(state, part);
  onChange({ ...state });
}
