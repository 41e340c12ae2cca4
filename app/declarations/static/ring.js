// A plate that nobody declared rings on every page of the support desk: count, message, title and sound.

import { api } from "../api.js";
import { on } from "../events.js";
import { toast } from "../toasts.js";

const TONES_HZ = [880, 660, 880];
const TONE_S = 0.18;
const SOUND_KEY = "ck-ring-sound";

const link = document.getElementById("ring");
const count = document.getElementById("ring-count");
const sound = document.getElementById("ring-sound");
const name = link?.getAttribute("aria-label");
const title = document.title;
let known = null; // the sightings told of already; null until the first answer
let audio = null;

function isLoud() {
  return localStorage.getItem(SOUND_KEY) !== "off";
}

function showSound() {
  sound.setAttribute("aria-pressed", String(isLoud()));
  sound.querySelector(".ti").className = `ti ti-${isLoud() ? "volume" : "volume-off"}`;
}

/** Three short tones. A browser that was not touched yet stays silent; the count and the message are there. */
function play() {
  if (!isLoud()) return;
  audio ??= new AudioContext();
  const start = audio.currentTime;
  TONES_HZ.forEach((frequency, number) => {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.value = 0.2;
    tone.connect(volume).connect(audio.destination);
    tone.start(start + number * TONE_S);
    tone.stop(start + (number + 0.9) * TONE_S);
  });
}

async function refresh() {
  let items;
  try {
    ({ items } = await api("GET", "/api/v1/undeclared-plates"));
  } catch {
    return; // the banner tells of a lost connection; the next event asks again
  }
  const fresh = known ? items.filter((one) => !known.has(one.sighting_id)) : [];
  known = new Set(items.map((one) => one.sighting_id));
  count.hidden = items.length === 0;
  count.textContent = items.length > 99 ? "99+" : String(items.length);
  link.setAttribute("aria-label", items.length ? `${name}: ${count.textContent}` : name);
  link.classList.toggle("de-rings", items.length > 0);
  document.title = items.length ? `(${count.textContent}) ${title}` : title;
  if (!fresh.length) return;
  play();
  for (const one of fresh) toast(link.dataset.told.replace("{plate}", one.plate), "warning");
}

if (link) {
  showSound();
  sound.addEventListener("click", () => {
    localStorage.setItem(SOUND_KEY, isLoud() ? "off" : "on");
    showSound();
    play();
  });
  on("undeclared", ({ arrival_id, by_role }) => {
    if (!arrival_id || by_role === "support") return;
    play();
    toast(link.dataset.led, "warning");
  });
  for (const type of ["undeclared", "sheet", "trip", "resync", "reconnected"]) on(type, refresh);
  addEventListener("pageshow", refresh);
  refresh();
}
