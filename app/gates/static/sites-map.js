// Sites on the map: one that is pressed opens its gate's profile, a press elsewhere writes the place into the form in use.

import { Marker } from "maplibre-gl";
import { formatNumber, language, t } from "/static/i18n.js";
import "/static/map/live-map.js";
import { distanceM } from "/static/map/corridor.js";

const ICONS = { temporary_yard: "clock-pause", staging: "square-rotated", yard: "parking", gate: "building-arch" };
const map = document.getElementById("sites-map");
const sites = JSON.parse(document.getElementById("sites").textContent);
const forms = [...document.querySelectorAll("form[data-places]")];
const nameOf = (site) => site.name[language] || site.name.vi;
const coordinates = (form) => [form.elements.lon, form.elements.lat].map(({ value }) => (value === "" ? NaN : Number(value)));
let inUse = forms[0];
let pin = null;

/** Where the form in use would put its site: on the map, and by kilometre. */
function show() {
  const lonlat = coordinates(inUse);
  if (!lonlat.every(Number.isFinite) || !map.map) return;
  if (!pin) {
    pin = new Marker({ draggable: true });
    pin.on("dragend", () => write(pin.getLngLat()));
  }
  pin.setLngLat(lonlat).addTo(map.map);
  const { road, km } = map.corridor.nearest(lonlat);
  inUse.querySelector("[data-snapped]").textContent = t("{road}, km {km}", { road, km: formatNumber(km, 2) });
}

/** Put a place into the form in use. */
function write({ lng, lat }) {
  inUse.elements.lon.value = lng.toFixed(6);
  inUse.elements.lat.value = lat.toFixed(6);
  inUse.elements.lat.dispatchEvent(new Event("input", { bubbles: true }));
}

function mark(site) {
  const element = document.createElement("span");
  element.className = "ga-mark";
  element.title = nameOf(site);
  const icon = document.createElement("i");
  icon.className = `ti ti-${ICONS[site.kind]}`;
  icon.ariaHidden = "true";
  element.append(icon, ...(site.kind === "staging" ? [] : [nameOf(site)])); // the map itself names those
  new Marker({ element, anchor: "left" }).setLngLat(site.lonlat).addTo(map.map);
}

for (const form of forms) {
  form.addEventListener("focusin", () => { inUse = form; });
  form.addEventListener("input", show);
  form.querySelector("[data-middle]").addEventListener("click", () => { inUse = form; write(map.map.getCenter()); });
}

const moving = document.querySelector("form[data-moves]");
document.getElementById("moved")?.addEventListener("change", ({ target }) => {
  const site = sites.find(({ site_id: id }) => id === target.value);
  if (!site || !map.map) return;
  inUse = moving;
  map.map.jumpTo({ center: site.lonlat, zoom: Math.max(map.map.getZoom(), 14) });
  write({ lng: site.lonlat[0], lat: site.lonlat[1] });
});
moving?.addEventListener("input", () => {
  const site = sites.find(({ site_id: id }) => id === document.getElementById("moved").value);
  const lonlat = coordinates(moving);
  if (!site) return;
  moving.action = `/admin/gates/map/${encodeURIComponent(site.site_id)}`;
  const away = lonlat.every(Number.isFinite) ? distanceM(site.lonlat, lonlat) : 0;
  moving.dataset.confirm = t("Move {name} there, {distance} m away?", { name: nameOf(site), distance: formatNumber(away) });
});

map.addEventListener("site-open", ({ detail }) => location.assign(`/admin/gates/${encodeURIComponent(detail.site.gate_id)}`));
await map.ready;
for (const site of sites) {
  const known = map.corridor.site(site.site_id);
  const isMarked = ["gate", "yard"].includes(site.kind) && known && distanceM(known.lonlat, site.lonlat) < 1;
  if (!isMarked) mark(site);
}
if (inUse) map.map.getCanvas().style.cursor = "crosshair";
map.map.on("click", ({ lngLat }) => {
  if (inUse) write(lngLat);
});
show();
document.body.dataset.ready = "true";
