// The style of the map for the reader's language and the present theme; addresses in it are given this page's origin.

import { api } from "/static/api.js";
import { language } from "/static/i18n.js";

const CHINESE = "Noto Sans SC Variable";

/** The files of a family for the map, which fetches the one that has a character before it draws it. */
function facesOf(family) {
  const sheets = [...document.styleSheets].filter(({ href }) => href);
  return sheets.flatMap(({ cssRules, href }) => [...cssRules]
    .filter((rule) => rule instanceof CSSFontFaceRule && rule.style.getPropertyValue("font-family").replace(/["']/g, "") === family)
    .map(({ style }) => ({
      url: new URL(/url\(["']?([^"')]+)/.exec(style.getPropertyValue("src"))[1], href).href,
      "unicode-range": style.getPropertyValue("unicode-range").split(",").map((range) => range.trim()),
    })));
}

export async function loadStyle() {
  const theme = document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light";
  const style = await api("GET", `/api/v1/corridor/style?theme=${theme}&locale=${language}`);
  for (const source of Object.values(style.sources)) {
    source.tiles = source.tiles?.map((url) => (url.startsWith("/") ? location.origin + url : url));
    if (!source.tiles) delete source.tiles;
    if (source.url?.startsWith("/")) source.url = location.origin + source.url;
  }
  const faces = facesOf(CHINESE);
  if (faces.length) style["font-faces"] = { [CHINESE]: faces };
  return style;
}
