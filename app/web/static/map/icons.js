// Draws the shapes of the legend as images for the map, and as SVG for the page.

import { svg } from "lit";

const BOX = 24;
const PIXEL_RATIO = 2;

function draw(path, colour, casing) {
  const size = (BOX + 6) * PIXEL_RATIO;
  const canvas = document.createElement("canvas");
  canvas.width = size;
  canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.scale(PIXEL_RATIO, PIXEL_RATIO);
  pen.translate(3, 3);
  const shape = new Path2D(path);
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = casing;
  pen.stroke(shape);
  pen.fillStyle = colour;
  pen.fill(shape, "evenodd");
  return pen.getImageData(0, 0, size, size);
}

/** Put (or replace) the images `truck-<state>` and `site-<kind>` of a legend into a map. */
export function addImages(map, legend) {
  const images = [
    ...legend.trucks.map(({ state, path, colour }) => [`truck-${state}`, path, colour]),
    ...legend.sites.map(({ kind, path }) => [`site-${kind}`, path, legend.ink.soft]),
  ];
  for (const [name, path, colour] of images) {
    if (map.hasImage(name)) map.removeImage(name);
    map.addImage(name, draw(path, colour, legend.ink.casing), { pixelRatio: PIXEL_RATIO });
  }
}

/** The same shape in a legend or card. */
export const shapeOf = ({ path, colour }) =>
  svg`<svg class="ck-map-shape" viewBox="-1 -1 26 26" aria-hidden="true"><path d=${path} fill=${colour} fill-rule="evenodd"></path></svg>`;
