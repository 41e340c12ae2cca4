// The style of the map for the reader's language and the present theme; addresses in it are given this page's origin.

import { api } from "/static/api.js";
import { language } from "/static/i18n.js";

export async function loadStyle() {
  const theme = document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light";
  const style = await api("GET", `/api/v1/corridor/style?theme=${theme}&locale=${language}`);
  for (const source of Object.values(style.sources)) {
    source.tiles = source.tiles?.map((url) => (url.startsWith("/") ? location.origin + url : url));
    if (!source.tiles) delete source.tiles;
    if (source.url?.startsWith("/")) source.url = location.origin + source.url;
  }
  return style;
}
