"""What the live map looks like: its legend and its MapLibre style, from the tables of `maps.symbols`.

Pages and the style read the same tables, so that a legend can never disagree with its map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from geo.errors import InvalidInputError
from maps import land
from maps.base_map import BaseMap
from maps.expressions import Json, zoomed
from maps.symbols import (
    CASING,
    FENCE,
    FLOWS,
    GROUND,
    INK,
    INK_SOFT,
    NO_FLOW,
    OVERLAYS,
    SELECTION,
    SITE_SHAPES,
    TAIL_FORECAST,
    TAIL_NOW,
    TRUCK_STATES,
    Theme,
)

CHINESE: Final = ("Noto Sans SC", "PingFang SC", "Microsoft YaHei", "Noto Sans SC Variable")
FONT: Final = ["Be Vietnam Pro", *CHINESE]
FONT_BOLD: Final = ["Be Vietnam Pro SemiBold", "Be Vietnam Pro", *CHINESE]
"""The weight is read from the first name, the faces from all: the style names no glyph server."""

TILE_MAX_ZOOM: Final = 14
"""Beyond it tiles are overzoomed: one unit of a tile is 0.6 m there."""


def legend(theme: Theme) -> Json:
    """The legend of the live map in `theme`: trucks, roads and overlays with names in vi, en and zh."""
    return {
        "trucks": [
            {
                "state": s.state,
                "name": s.name,
                "colour": s.shades.of(theme),
                "path": s.path,
                "rotates": s.rotates,
                "on_road": s.on_road,
            }
            for s in sorted(TRUCK_STATES, key=lambda s: -s.rank)
        ],
        "roads": [
            {"flow": f.flow, "name": f.name, "colour": f.shades.of(theme), "width": f.width, "share_from": f.share_from}
            for f in (*FLOWS, NO_FLOW)
        ],
        "overlays": [{"overlay": key, "name": name, "colour": shades.of(theme)} for key, name, shades in OVERLAYS],
        "sites": [{"kind": kind, "path": path} for kind, path in SITE_SHAPES.items()],
        "ink": {"casing": CASING.of(theme), "soft": INK_SOFT.of(theme)},
    }


def style(
    theme: str,
    base_map: BaseMap,
    *,
    locale: str = "vi",
    satellite_url: str = "",
    attribution: str = "",
    version: str = "",
) -> Json:
    """The MapLibre style of the live map (style specification v8).

    Arguments: `theme`, light or dark; `base_map`, drawn below everything; `locale` of the labels; `satellite_url`, a
    raster tile template that a page may show instead, or empty; `attribution` and `version` of the corridor's data.
    Live data (trucks, queue tails, selection) are empty GeoJSON sources that pages fill; the legend rides along as
    `metadata["cuakhau:legend"]`. Tile addresses are absolute paths: a page puts its own origin before them.

    Raises
    ------
    InvalidInputError
        If there is no such theme.
    """
    if theme not in get_args(Theme):
        raise InvalidInputError("There is no theme {value}; use light or dark.", field="theme", value=theme)
    shade: Theme = "dark" if theme == "dark" else "light"
    sources: dict[str, Json] = {
        layer: _vector(layer, attribution, version, minzoom=minzoom)
        for layer, minzoom in (("roads", 0), ("sites", 0), ("geofences", 9), ("posts", 7))
    }
    sources["roads"]["promoteId"] = {"roads": "edge_id"}
    sources |= {key: _geojson() for key in ("tail", "selection", "bins")}
    # Points need no simplifying, and icons reach over the edges of tiles anyway: no truck is laid out twice.
    sources["trucks"] = _geojson() | {"promoteId": "vehicle_id", "buffer": 0, "tolerance": 0}
    below, layers = _ground(base_map, satellite_url, shade, locale)
    sources |= below
    layers += [*_fences(shade), *_roads(shade), *_tail(shade, locale), *_selection(shade)]
    layers += [*_posts(shade), *_sites(shade, locale), *_bins(shade), *_trucks(shade)]
    return {
        "version": 8,
        "name": f"Cửa Khẩu Số {shade}",
        "metadata": {"cuakhau:legend": legend(shade), "cuakhau:theme": shade},
        "sources": sources,
        "layers": layers,
    }


def _ground(base_map: BaseMap, satellite_url: str, theme: Theme, locale: str) -> tuple[dict[str, Json], list[Json]]:
    """Sources and layers of what lies below the corridor."""
    sources: dict[str, Json] = {"base": dict(base_map.source)}
    layers: list[Json] = [{"id": "ground", "type": "background", "paint": {"background-color": GROUND.of(theme)}}]
    names: list[Json] = []
    if base_map.kind == "raster":
        dim = {"raster-opacity": 0.55, "raster-saturation": -0.6} | (
            {"raster-brightness-max": 0.35} if theme == "dark" else {}
        )
        layers.append({"id": "base", "type": "raster", "source": "base", "paint": dim})
    else:
        if base_map.is_packaged:
            sources["relief"] = dict(land.RELIEF)
            layers.append(land.relief(theme))
        layers += land.surfaces(theme)
        names = land.labels(theme, locale, FONT)
    if satellite_url:
        sources["satellite"] = {"type": "raster", "tiles": [satellite_url], "tileSize": 256}
        hidden: Json = {"layout": {"visibility": "none"}}
        layers.append({"id": "satellite", "type": "raster", "source": "satellite"} | hidden)
    return sources, [*layers, *names]


def _vector(layer: str, attribution: str, version: str, *, minzoom: int) -> Json:
    tiles = [f"/tiles/{layer}/{{z}}/{{x}}/{{y}}" + (f"?of={version}" if version else "")]
    found: Json = {"type": "vector", "tiles": tiles, "minzoom": minzoom, "maxzoom": TILE_MAX_ZOOM}
    return found | ({"attribution": attribution} if layer == "roads" and attribution else {})


def _geojson() -> Json:
    return {"type": "geojson", "data": {"type": "FeatureCollection", "features": []}}


def _by_flow(values: Mapping[str, object], otherwise: object) -> list[Any]:
    state = ["coalesce", ["feature-state", "flow"], NO_FLOW.flow]
    return ["match", state, *(part for pair in values.items() for part in pair), otherwise]


LANE_OFFSET: Final = zoomed((8, 1.2), (12, 3.5), (16, 8.0))
"""Both directions share one surveyed line; each is drawn to the right of it, as traffic keeps right."""


def _roads(theme: Theme) -> list[Json]:
    base: Json = {"type": "line", "source": "roads", "source-layer": "roads"}
    shape = {"line-cap": "butt", "line-join": "round"}
    widths = {f.flow: f.width for f in FLOWS}
    colours = {f.flow: f.shades.of(theme) for f in FLOWS}
    wide = [_by_flow({k: w * scale for k, w in widths.items()}, NO_FLOW.width * scale) for scale in (0.8, 1.1, 2.2)]
    return [
        base
        | {
            "id": "road-casing",
            "layout": shape,
            "paint": {
                "line-color": CASING.of(theme),
                "line-offset": LANE_OFFSET,
                "line-width": zoomed((8, 6.0), (12, 9.0), (16, 18.0)),
            },
        },
        base
        | {
            "id": "road",
            "layout": shape,
            "paint": {
                "line-color": _by_flow(colours, NO_FLOW.shades.of(theme)),
                "line-offset": LANE_OFFSET,
                "line-width": zoomed((8, wide[0]), (12, wide[1]), (16, wide[2])),
            },
        },
        base
        | {  # a queue is barred as well as red
            "id": "road-queue-bars",
            "layout": shape,
            "paint": {
                "line-color": CASING.of(theme),
                "line-offset": LANE_OFFSET,
                "line-dasharray": [0.35, 1.4],
                "line-width": zoomed((8, 3.5), (12, 6.0), (16, 13.0)),
                "line-opacity": _by_flow({"queue": 0.75}, 0.0),
            },
        },
    ]


def _fences(theme: Theme) -> list[Json]:
    base: Json = {"source": "geofences", "source-layer": "geofences"}
    return [
        base | {"id": "fence", "type": "fill", "paint": {"fill-color": FENCE.of(theme), "fill-opacity": 0.12}},
        base
        | {
            "id": "fence-edge",
            "type": "line",
            "paint": {"line-color": FENCE.of(theme), "line-width": 1.2, "line-dasharray": [3, 2]},
        },
    ]


APART_ZOOM: Final = 11.0
"""Below it trucks are discs (`static/map/bins.js`), under which a tail and its label would be lost."""


def _tail(theme: Theme, locale: str) -> list[Json]:
    """Queue tails: `what` is now, p10, p50 or p90; lines lie outside the road, points carry the label."""
    line: Json = {"type": "line", "source": "tail", "layout": {"line-cap": "butt", "line-join": "round"}}
    offset = zoomed((8, 7.0), (12, 12.0), (16, 24.0))
    is_line = ["==", ["geometry-type"], "LineString"]
    now = ["==", ["get", "what"], "now"]
    colour = ["case", now, TAIL_NOW.of(theme), TAIL_FORECAST.of(theme)]
    _ = locale  # labels come ready from the page, in its language
    return [
        line
        | {
            "id": "tail-band",
            "filter": ["all", is_line, ["in", ["get", "what"], ["literal", ["p10", "p50", "p90"]]]],
            "paint": {
                "line-color": TAIL_FORECAST.of(theme),
                "line-offset": offset,
                "line-opacity": ["match", ["get", "what"], "p90", 0.35, "p50", 0.7, 0.9],
                "line-width": ["match", ["get", "what"], "p90", 5, "p50", 5, 5],
            },
        },
        line
        | {
            "id": "tail-now",
            "filter": ["all", is_line, now],
            "paint": {
                "line-color": TAIL_NOW.of(theme),
                "line-width": 3,
                "line-dasharray": [1.2, 0.6],
                "line-offset": zoomed((8, -5.0), (12, -9.0), (16, -18.0)),
            },
        },
        {
            "id": "tail-mark",
            "type": "circle",
            "source": "tail",
            "filter": ["==", ["geometry-type"], "Point"],
            "paint": {
                "circle-radius": 5,
                "circle-color": colour,
                "circle-stroke-width": 2,
                "circle-stroke-color": CASING.of(theme),
            },
        },
        {
            "id": "tail-label",
            "type": "symbol",
            "source": "tail",
            "minzoom": APART_ZOOM,
            "filter": ["==", ["geometry-type"], "Point"],
            "layout": {
                "text-field": ["get", "label"],
                "text-font": FONT_BOLD,
                "text-size": 13,
                "text-variable-anchor": ["right", "left", "bottom", "top"],
                "text-radial-offset": 0.9,
                "text-justify": "auto",
                "text-allow-overlap": False,
            },
            "paint": {"text-color": colour, "text-halo-color": CASING.of(theme), "text-halo-width": 2},
        },
    ]


def _selection(theme: Theme) -> list[Json]:
    colour = SELECTION.of(theme)
    return [
        {
            "id": "selection-area",
            "type": "fill",
            "source": "selection",
            "filter": ["==", ["geometry-type"], "Polygon"],
            "paint": {"fill-color": colour, "fill-opacity": 0.18},
        },
        {
            "id": "selection-line",
            "type": "line",
            "source": "selection",
            "filter": ["!=", ["geometry-type"], "Point"],
            "paint": {
                "line-color": colour,
                "line-width": ["case", ["==", ["get", "what"], "stretch"], 16, 2.5],
                "line-opacity": ["case", ["==", ["get", "what"], "stretch"], 0.45, 1],
            },
        },
        {
            "id": "selection-point",
            "type": "circle",
            "source": "selection",
            "filter": ["==", ["geometry-type"], "Point"],
            "paint": {
                "circle-radius": 6,
                "circle-color": CASING.of(theme),
                "circle-stroke-color": colour,
                "circle-stroke-width": 3,
            },
        },
    ]


def _posts(theme: Theme) -> list[Json]:
    return [
        {
            "id": "post",
            "type": "symbol",
            "source": "posts",
            "source-layer": "posts",
            "layout": {
                "text-field": ["concat", "km ", ["get", "km"]],
                "text-font": FONT,
                "text-size": zoomed((8, 10), (14, 12)),
                "text-anchor": "left",
                "text-offset": [1.6, 0],
                "symbol-sort-key": ["-", 0, ["get", "step"]],
            },
            "paint": {"text-color": INK_SOFT.of(theme), "text-halo-color": GROUND.of(theme), "text-halo-width": 1.5},
        },
    ]


def _sites(theme: Theme, locale: str) -> list[Json]:
    name = ["coalesce", ["get", f"name_{locale}"], ["get", "name_vi"]]
    base: Json = {"type": "symbol", "source": "sites", "source-layer": "sites"}
    paint = {"text-color": INK.of(theme), "text-halo-color": GROUND.of(theme), "text-halo-width": 1.8}
    text = {
        "text-field": name,
        "text-font": FONT,
        "text-anchor": "right",
        "text-offset": ["step", ["zoom"], ["literal", [-1.9, 0]], 11, ["literal", [-1.2, 0]]],
        "text-max-width": 14,
        "text-optional": True,
    }
    icon = {"icon-image": ["concat", "site-", ["get", "kind"]], "icon-allow-overlap": True}
    return [
        base
        | {
            "id": "site-staging",
            "filter": ["==", ["get", "kind"], "staging"],
            "paint": paint,
            "layout": text | icon | {"icon-size": 0.6, "text-size": 12},
        },
        base
        | {
            "id": "site-small",
            "minzoom": 11.5,
            "paint": paint,
            "filter": ["in", ["get", "kind"], ["literal", ["camera", "barrier", "temporary_yard"]]],
            "layout": text | icon | {"icon-size": 0.5, "text-size": 11},
        },
    ]


def _bins(theme: Theme) -> list[Json]:
    """Stretches of road with their number of trucks: `count`, and `state` by which they are told."""
    count = ["sqrt", ["get", "count"]]
    colours = [part for s in TRUCK_STATES for part in (s.state, s.shades.of(theme))]
    return [
        {
            "id": "truck-bin",
            "type": "circle",
            "source": "bins",
            "paint": {
                "circle-radius": ["interpolate", ["linear"], count, 1, 8, 20, 26],
                "circle-color": CASING.of(theme),
                "circle-stroke-color": ["match", ["get", "state"], *colours, INK_SOFT.of(theme)],
                "circle-stroke-width": ["case", ["==", ["get", "state"], "queued"], 5, 2.5],
            },
        },
        {
            "id": "truck-bin-count",
            "type": "symbol",
            "source": "bins",
            "layout": {
                "text-field": ["to-string", ["get", "count"]],
                "text-font": FONT_BOLD,
                "text-size": 12,
                "text-allow-overlap": True,
                "text-ignore-placement": True,
            },
            "paint": {"text-color": INK.of(theme)},
        },
    ]


def _trucks(theme: Theme) -> list[Json]:
    upright = [s.state for s in TRUCK_STATES if not s.rotates]
    state_rank = ["match", ["get", "state"], *(part for s in TRUCK_STATES for part in (s.state, s.rank)), 0]
    ring = {"circle-color": "rgba(0,0,0,0)", "circle-stroke-color": SELECTION.of(theme)}
    return [
        {
            "id": "truck-ring",
            "type": "circle",
            "source": "trucks",
            "filter": ["==", ["get", "marked"], True],
            "paint": ring
            | {"circle-radius": zoomed((8, 4), (14, 14)), "circle-stroke-width": zoomed((8, 1.2), (14, 2.5))},
        },
        {
            "id": "truck",
            "type": "symbol",
            "source": "trucks",
            "layout": {
                "icon-image": ["concat", "truck-", ["get", "state"]],
                "icon-size": zoomed((7, 0.25), (10, 0.4), (12, 0.55), (14, 0.8), (17, 1.1)),
                "icon-rotate": [
                    "case",
                    ["in", ["get", "state"], ["literal", upright]],
                    0,
                    ["coalesce", ["get", "heading_deg"], 0],
                ],
                "icon-rotation-alignment": "map",
                "icon-allow-overlap": True,
                "icon-ignore-placement": True,
                "icon-offset": [
                    "case",
                    ["in", ["get", "state"], ["literal", upright]],
                    ["literal", [0, 0]],
                    ["literal", [5, 0]],
                ],
                "symbol-sort-key": state_rank,
            },
            "paint": {"icon-opacity": 1.0},
        },
        {
            "id": "truck-plate",
            "type": "symbol",
            "source": "trucks",
            "minzoom": 15,
            "layout": {
                "text-field": ["get", "plate"],
                "text-font": FONT,
                "text-size": 11,
                "text-anchor": "top",
                "text-offset": [0, 1.0],
                # The same plates stay whatever moves: the worse first, then by number; closer, all of them.
                "symbol-sort-key": ["-", ["%", ["get", "vehicle_id"], 1000], ["*", 1000, state_rank]],
                "text-allow-overlap": ["step", ["zoom"], False, 16.5, True],
            },
            "paint": {"text-color": INK.of(theme), "text-halo-color": GROUND.of(theme), "text-halo-width": 1.5},
        },
    ]
