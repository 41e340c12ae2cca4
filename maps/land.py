"""How the land around the corridor is drawn: quiet, so that trucks, queues and yards stand out.

Layers are those of Protomaps' base map (https://docs.protomaps.com/basemaps/layers): water, boundaries, roads, places,
pois. Names are in the reader's language where the tiles have them, else as they are there.
"""

from __future__ import annotations

from typing import Final

from maps.expressions import Json, zoomed
from maps.symbols import CASING, GROUND, INK_SOFT, Shades, Theme

WATER: Final = Shades("#cfe1ee", "#12293a")
WATER_INK: Final = Shades("#3f6b8c", "#6f9dbd")
LAND_ROAD: Final = Shades("#c6cfd8", "#2b3a48")
LAND_RAIL: Final = Shades("#a7b3be", "#3d4d5c")
BORDER: Final = Shades("#7a5c86", "#a78bb5")
RELIEF_MAX_ZOOM: Final = 11
"""Pixels of the relief are 2.3 km: closer they are blots."""

RELIEF: Final[Json] = {
    "type": "image",
    "url": "/static/map/hillshade.png",
    "coordinates": [
        [105.62255859375, 22.674847351188518],
        [107.666015625, 22.674847351188518],
        [107.666015625, 20.735565905218632],
        [105.62255859375, 20.735565905218632],
    ],
}

_NAME_KEYS: Final = {"vi": ("name:vi", "name"), "en": ("name:en", "name"), "zh": ("name:zh-Hans", "name:zh", "name")}


def relief(theme: Theme) -> Json:
    """The shaded relief of the packaged land, for the source `relief`; light slopes on the dark map."""
    inverted = {"raster-brightness-min": 1, "raster-brightness-max": 0} if theme == "dark" else {}
    opacity = 0.16 if theme == "dark" else 0.38
    return {
        "id": "relief",
        "type": "raster",
        "source": "relief",
        "maxzoom": RELIEF_MAX_ZOOM,
        "paint": inverted
        | {
            "raster-opacity": ["interpolate", ["linear"], ["zoom"], 9, opacity, RELIEF_MAX_ZOOM, 0],
            "raster-fade-duration": 0,
        },
    }


def surfaces(theme: Theme) -> list[Json]:
    """Water, other roads, railways and the border, for the source `base`."""
    water: Json = {"source": "base", "source-layer": "water"}
    roads: Json = {"type": "line", "source": "base", "source-layer": "roads"}
    kind = ["get", "kind"]
    rail = ["==", kind, "rail"]
    large = ["any", ["==", kind, "highway"], ["==", ["get", "kind_detail"], "trunk"]]
    return [
        water
        | {
            "id": "land-water",
            "type": "fill",
            "filter": ["==", ["geometry-type"], "Polygon"],
            "paint": {"fill-color": WATER.of(theme)},
        },
        water
        | {
            "id": "land-river",
            "type": "line",
            "filter": ["all", ["==", ["geometry-type"], "LineString"], ["!=", kind, "stream"]],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {"line-color": WATER.of(theme), "line-width": zoomed((6, 0.8), (10, 2.2), (14, 5.0))},
        },
        roads
        | {
            "id": "land-road-small",
            "minzoom": 9,
            "filter": ["all", ["!", rail], ["!", large], ["in", kind, ["literal", ["major_road", "minor_road"]]]],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {"line-color": LAND_ROAD.of(theme), "line-width": zoomed((9, 0.6), (14, 2.5), (17, 8.0))},
        },
        roads
        | {
            "id": "land-road",
            "filter": ["all", ["!", rail], large],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {"line-color": LAND_ROAD.of(theme), "line-width": zoomed((6, 0.8), (10, 2.0), (14, 5.0))},
        },
        roads
        | {
            "id": "land-rail",
            "filter": rail,
            "paint": {"line-color": LAND_RAIL.of(theme), "line-width": zoomed((6, 0.6), (14, 2.0))},
        },
        roads
        | {  # sleepers, so that a railway is told from a road without colour
            "id": "land-rail-sleepers",
            "minzoom": 9,
            "filter": rail,
            "paint": {
                "line-color": LAND_RAIL.of(theme),
                "line-width": zoomed((9, 3.0), (14, 6.0)),
                "line-dasharray": [0.25, 2.5],
            },
        },
        {
            "id": "land-border",
            "type": "line",
            "source": "base",
            "source-layer": "boundaries",
            "filter": ["==", kind, "country"],
            "layout": {"line-join": "round"},
            "paint": {
                "line-color": BORDER.of(theme),
                "line-width": zoomed((6, 1.2), (12, 2.6)),
                "line-dasharray": [5, 2, 1, 2],
            },
        },
    ]


def labels(theme: Theme, locale: str, fonts: list[str]) -> list[Json]:
    """Names of towns, rivers and the border, numbers of roads, for the source `base`, in `locale` (vi, en, zh)."""
    name = ["coalesce", *(["get", key] for key in _NAME_KEYS.get(locale, _NAME_KEYS["vi"]))]
    halo = {"text-halo-color": GROUND.of(theme), "text-halo-width": 1.4}
    soft = {"text-color": INK_SOFT.of(theme)} | halo
    base: Json = {"type": "symbol", "source": "base"}
    along = {"text-font": fonts, "text-size": 11, "symbol-placement": "line", "symbol-spacing": 420}
    detail = ["get", "kind_detail"]
    is_city = ["==", detail, "city"]
    return [
        base
        | {
            "id": "land-river-name",
            "source-layer": "water",
            "minzoom": 8,
            "filter": ["==", ["geometry-type"], "LineString"],
            "layout": along | {"text-field": name, "text-max-angle": 35},
            "paint": {"text-color": WATER_INK.of(theme)} | halo,
        },
        base
        | {
            "id": "land-border-name",
            "source-layer": "boundaries",
            "minzoom": 8,
            "layout": along | {"text-field": name, "text-offset": [0, -0.9], "symbol-spacing": 600},
            "paint": {"text-color": BORDER.of(theme)} | halo,
        },
        base
        | {
            "id": "land-road-number",
            "source-layer": "roads",
            "minzoom": 8,
            "filter": ["all", ["has", "ref"], ["!=", ["get", "ref"], "QL1A"]],
            "layout": along | {"text-field": ["get", "ref"], "text-rotation-alignment": "viewport"},
            "paint": {"text-color": INK_SOFT.of(theme), "text-halo-color": CASING.of(theme), "text-halo-width": 2},
        },
        base
        | {
            "id": "land-town",
            "source-layer": "places",
            "filter": ["in", detail, ["literal", ["city", "town", "village"]]],
            "layout": {
                "text-field": name,
                "text-font": fonts,
                "text-size": zoomed((6, ["case", is_city, 11, 9]), (12, ["case", is_city, 16, 12])),
                "text-max-width": 8,
                "text-padding": 6,
                "symbol-sort-key": ["-", 0, ["to-number", ["get", "population_rank"], 0]],
            },
            "paint": soft,
        },
        base
        | {
            "id": "land-airport",
            "source-layer": "pois",
            "minzoom": 9,
            "filter": ["==", ["get", "kind"], "aerodrome"],
            "layout": {"text-field": ["concat", "✈ ", name], "text-font": fonts, "text-size": 11},
            "paint": soft,
        },
    ]
