"""A scenario run as one HTML file to keep, print or mail: Folium map, figures, charts, sources.

Everything the file needs is in it, Leaflet and ECharts included; only the tiles of its optional base map come from the
network.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import folium
from babel.numbers import format_decimal
from branca.element import Element, Figure

from geo.corridor import Corridor, Site
from geo.errors import UnavailableError
from maps import comparison, variants
from maps.comparison import WORLDS, Record
from maps.queue_line import queue_line
from maps.report_charts import chart_scripts, echarts_version, fan_chart

LEAFLET_DIR: Final = Path(__file__).resolve().parents[1] / "node_modules" / "leaflet"
STYLE_FILE: Final = Path(__file__).with_name("report.css")
TILES: Final = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
TILES_ATTRIBUTION: Final = (
    '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a> contributors, ODbL'
)
COLOURS: Final = {"base": "#0b5cad", "variant": "#b45309"}
LINES: Final[Mapping[str, Mapping[str, str | float]]] = {
    "base": {"weight": 10, "opacity": 0.75},
    "variant": {"weight": 5, "dashArray": "3 9"},
}
WORLD_NAMES: Final = {"base": "Base", "variant": "Variant"}
VERDICTS: Final = {"better": "better", "worse": "worse", "unclear": "may be chance", "same": "no difference"}
DIRECTIONS: Final = {"more": ("▲", "more"), "less": ("▼", "less"), "same": ("=", "equal")}
SITE_STYLES: Final = {"gate": ("#0e7490", 10), "yard": ("#1d4ed8", 8), "staging": ("#7c3aed", 7)}
SITE_LEGENDS: Final = {"gate": "Border gate", "yard": "Yard", "staging": "Staging area"}
SIMULATED: Final = "Simulated: what a model answers to assumed changes, not a measurement"
MAP_HINT: Final = "Layers can be switched on and off at the top right of the map; a click on a place shows its numbers."
SETTINGS_NOTE: Final = (
    "What the scenario does not say comes from the gates' and yards' settings; unless edited, these are assumed."
)
SERIES: Final = (
    ("queue_veh", "Queue, trucks", 1.0, 0),
    ("wait_s", "Wait, hours", 3600.0, 1),
    ("tail_km", "Tail of the queue, kilometre from the border", 1.0, 1),
)

Translate = Callable[[str], str]


def scenario_report(
    corridor: Corridor, record: Record, *, locale: str, translate: Translate, variant: int | None = None
) -> str:
    """A run's report as one self-contained HTML document.

    Totals of all variants; map and curves of one: `variant`, counted from 0, or of the best.

    Arguments: `record`, what the simulation wrote (see `maps.comparison`), with `scenario`, `seed`, `runs` and
    `code_version`; `locale`, "vi", "en" or "zh"; `translate` gives a gettext id in that language.

    Raises
    ------
    UnavailableError
        If the files of Leaflet or ECharts are not installed.
    """
    number = variants.ranking(record)[0] if variant is None else variant
    return _Report(corridor, variants.as_of(record, number), record, number, locale, translate).render()


@dataclass(frozen=True)
class _Feature:
    """Something on the map with the rows of its pop-up; coordinates as GeoJSON has them, longitude first."""

    rows: Mapping[str, str]
    kind: Literal["Point", "LineString"]
    coordinates: Sequence[float] | Sequence[tuple[float, float]]


class _Verbatim(Element):
    """Text as it is: Folium's own elements would read it as a template."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, **_kwargs: Any) -> str:
        return self.text


@dataclass(frozen=True)
class _Report:
    corridor: Corridor
    record: Record
    """As of the variant that is drawn."""
    study: Record
    """With all variants."""
    drawn: int
    """Which variant is drawn, from 0."""
    locale: str
    translate: Translate

    def render(self) -> str:
        chart = self._map()
        figure = chart.get_root()
        assert isinstance(figure, Figure)
        for name, text in self._head().items():
            figure.header.add_child(_Verbatim(text), name=name)
        # The map puts itself into the page when it is drawn: between what is added before and after.
        figure.html.add_child(_Verbatim(self._opening()), name="opening")
        chart.render()  # type: ignore[no-untyped-call]
        figure.html.add_child(_Verbatim(self._closing()), name="closing")
        document: str = figure.render()
        return document.replace("<html>", f'<html lang="{escape(self.locale)}">', 1)

    # What is written around the map

    def _head(self) -> dict[str, str]:
        style = STYLE_FILE.read_text(encoding="utf-8")
        worlds = "".join(f".{world}{{--world:{colour}}}" for world, colour in COLOURS.items())
        return {
            "title": f"<title>{self._title()} – Cửa Khẩu Số</title>",
            "leaflet_css": f"<style>{leaflet_css()}</style>",
            "report_css": f"<style>{style}{worlds}</style>",
            "leaflet_js": f"<script>{leaflet_js()}</script>",
        }

    def _opening(self) -> str:
        scenario = self.record["scenario"]
        described = self.text(str(scenario.get("description", "")).strip())
        concluded = escape(variants.say_conclusion(self.study, self.locale, self.translate, self.number), quote=False)
        return (
            f'<main><header><p class="brand">Cửa Khẩu Số · {self.text("Scenario report")}</p><h1>{self._title()}</h1>'
            f'<p class="label">{self.text(SIMULATED)}</p>'
            f"{f'<p>{described}</p>' if described else ''}</header>"
            f"<h2>{self.text('Key figures')}</h2><p><strong>{concluded}</strong></p>{self._all_figures()}"
            f"<h2>{self.text('The queue at its longest')}</h2>"
            f"{self._legend()}"
        )

    def _closing(self) -> str:
        return (
            f"<h2>{self.text('Over time')}</h2><p>{self._key()}</p>{''.join(self._charts())}"
            f"{self._chart_scripts()}"
            f"<h2>{self.text('Inputs')}</h2>{self._inputs()}"
            f"<h2>{self.text('Sources and licences')}</h2>{self._sources()}</main>"
        )

    @property
    def _titles(self) -> list[str]:
        return [escape(title) for title in variants.titles_of(self.study, self.locale, self.translate)]

    def _all_figures(self) -> str:
        order = variants.ranking(self.study)
        if len(order) == 1:
            return self._figures(self.study)
        return "".join(f"<h3>{self._titles[i]}</h3>{self._figures(variants.as_of(self.study, i))}" for i in order)

    def _figures(self, record: Record) -> str:
        rows = []
        for figure in comparison.key_figures(record):
            sign, word = DIRECTIONS[figure.direction]
            interval = ""
            if figure.interval95 is not None:
                low, high = (self._signed(end, figure.digits) for end in figure.interval95)
                interval = f"{low} … {high}"
            label = self.text(figure.label).replace("{place}", self._name(figure.place_id))
            difference = f"{self._signed(figure.difference, figure.digits)} {sign} {self.text(word)}"
            rows.append(
                f"<tr><th scope='row'>{label}, {self.text(figure.unit)}</th>"
                f"<td>{self.number(figure.base, figure.digits)}</td>"
                f"<td>{self.number(figure.variant, figure.digits)}</td>"
                f"<td>{difference}</td><td>{interval}</td>"
                f"<td class='{figure.verdict}'>{self.text(VERDICTS[figure.verdict])}</td></tr>"
            )
        heads = ("", "Base", "Variant", "Difference", "95 % interval", "Judgement")
        head = "".join(f"<th scope='col'>{self.text(name) if name else ''}</th>" for name in heads)
        return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"

    def _legend(self) -> str:
        sites = "".join(
            f'<span class="key"><i class="dot" style="background:{SITE_STYLES[kind][0]}"></i>{self.text(name)}</span>'
            for kind, name in SITE_LEGENDS.items()
        )
        return f"<p>{self._key()}{sites}</p><p class='note'>{self.text(MAP_HINT)}</p>"

    def _key(self) -> str:
        return "".join(
            f'<span class="key {world}"><svg viewBox="0 0 40 10" aria-hidden="true"><path class="median {world}" '
            f'd="M0 5L40 5"/></svg>{self._world_name(world)}</span>'
            for world in WORLDS
        )

    def _world_name(self, world: str) -> str:
        """What a world is called, the variant by its own title where there are several."""
        return (
            self._titles[self.drawn] if world == "variant" and len(self._titles) > 1 else self.text(WORLD_NAMES[world])
        )

    def _charts(self) -> Iterator[str]:
        names = {world: self._world_name(world) for world in WORLDS}

        def chart(title: str, worlds: Mapping[str, Any], scale: float = 1.0, digits: int = 0) -> str:
            drawn = fan_chart(
                worlds,
                title=title,
                names=names,
                quantiles=self.record["quantiles"],
                start=self.record["start"],
                step_s=self.record["step_s"],
                scale=scale,
                digits=digits,
            )
            return f"<figure><figcaption>{title}</figcaption>{drawn}</figure>"

        for gate_id, series in self.record["gates"].items():
            yield f"<h3>{self._name(gate_id)}</h3><div class='charts'>"
            for name, label, scale, digits in SERIES:
                yield chart(self.text(label), series[name], scale, digits)
            yield "</div>"
        yield f"<h3>{self.text('Yards')}</h3><div class='charts'>"
        for yard_id, series in self.record["yards"].items():
            yield chart(f"{self._name(yard_id)}: {self.text('trucks inside')}", series["occupancy_veh"])
        yield "</div>"

    def _chart_scripts(self) -> str:
        day_mark = self.translate(comparison.DAY_MARK)
        return chart_scripts(locale=self.locale, day_mark=day_mark, colours=COLOURS)

    def _inputs(self) -> str:
        scenario = self.record["scenario"]
        facts = {
            "Start, local time": self.record["start"],
            "Hours looked at": f"{scenario.get('horizon_h', 12):g}",
            "Runs of each world": self.record["runs"],
            "Seed of the random numbers": self.record["seed"],
            "Version of the model": self.record["code_version"],
        }
        listed = "".join(f"<dt>{self.text(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
        changes = variants.changes_of(self.study)
        heads = self._titles if len(changes) > 1 else [self.text("Variant: what is changed")]
        parts = [(self.text("Base"), scenario.get("world", {})), *zip(heads, changes, strict=True)]
        details = "".join(f"<h3>{head}</h3><ul>{self._listed(part)}</ul>" for head, part in parts)
        return f"<dl>{listed}</dl>{details}"

    def _listed(self, values: Mapping[str, Any]) -> str:
        rows = [
            f"<li>{' › '.join(self._word(part) for part in path)}: <b>{self._word(str(value))}</b></li>"
            for path, value in comparison.describe_inputs(values)
        ]
        return "".join(rows) or "<li>–</li>"

    def _word(self, part: str) -> str:
        return self.text(comparison.INPUT_NAMES[part]) if part in comparison.INPUT_NAMES else self._name(part)

    def _sources(self) -> str:
        notes = [self.text(str(source)) for source in self.record["scenario"].get("sources", ())]
        notes += [
            self.text(SETTINGS_NOTE),
            f"{escape(self.corridor.attribution)} {escape(self.corridor.license)}",
            f"{self.text('Base map')}: {TILES_ATTRIBUTION}",
            f"Folium {version('folium')} (MIT), Leaflet {leaflet_version()} "
            f"(BSD-2-Clause, © Volodymyr Agafonkin, © CloudMade), ECharts {echarts_version()} (Apache-2.0)",
        ]
        return f"<ul>{''.join(f'<li>{note}</li>' for note in notes)}</ul>"

    # The map

    def _map(self) -> folium.Map:
        chart = folium.Map(tiles=None, width="100%", height=520, position="relative", control_scale=True)
        chart.default_js, chart.default_css = [], []
        title = f"OpenStreetMap ({self.text('needs the network')})"
        folium.TileLayer(tiles=TILES, attr=TILES_ATTRIBUTION, name=title, overlay=True, opacity=0.65).add_to(chart)
        self._add_roads(chart)
        queued = [point for world in WORLDS for point in self._add_queues(chart, world)]
        self._add_sites(chart)
        folium.LayerControl(collapsed=False).add_to(chart)
        shown = queued + [(site.lat, site.lon) for site in (*self.corridor.gates(), *self.corridor.yards())]
        chart.fit_bounds([[f(c) for c in zip(*shown, strict=True)] for f in (min, max)], padding=(30, 30))
        return chart

    def _add_roads(self, chart: folium.Map) -> None:
        features = [
            {"type": "Feature", "id": road.edge_id, "properties": {}, "geometry": road.geometry.__geo_interface__}
            for road in self.corridor.roads
            if road.direction == "to_border"
        ]
        folium.GeoJson(
            {"type": "FeatureCollection", "features": features},
            name=self.text("Roads of the corridor"),
            style_function=lambda _: {"color": "#55636f", "weight": 3},
        ).add_to(chart)

    def _add_queues(self, chart: folium.Map, world: str) -> list[tuple[float, float]]:
        """A layer with each gate's queue at its longest; its points (lat, lon)."""
        features: list[_Feature] = []
        points: list[tuple[float, float]] = []
        for gate_id, series in self.record["gates"].items():
            tail = comparison.peak(comparison.median(series["tail_km"][world], self.record["quantiles"]))
            if tail is None or gate_id not in self.corridor.sites:
                continue
            line = queue_line(self.corridor, gate_id, tail[1])
            if len(line) > 1:
                features.append(_Feature(self._queue_numbers(world, gate_id, *tail), "LineString", line))
                points += [(lat, lon) for lon, lat in line]
        layer = folium.FeatureGroup(name=f"{self._world_name(world)}: {self.text('queue at its longest')}")
        if features:
            style = {"color": COLOURS[world], **LINES[world]}
            self._add_features(layer, features, lambda _: style)
        layer.add_to(chart)
        return points

    def _queue_numbers(self, world: str, gate_id: str, index: int, tail_km: float) -> dict[str, str]:
        series = self.record["gates"][gate_id]
        low, high = (series["tail_km"][world][row][index] or 0.0 for row in (0, -1))
        return {
            self.text("Gate"): self._name(gate_id),
            self.text("World"): self._world_name(world),
            self.text("Tail, km"): f"{self.number(tail_km, 1)} ({self.number(low, 1)}–{self.number(high, 1)})",
            self.text("Time"): self._clock(index),
            self.text("Longest queue, trucks"): self._most(series["queue_veh"], world),
        }

    def _add_sites(self, chart: folium.Map) -> None:
        for kind, (colour, radius) in SITE_STYLES.items():
            features = [
                _Feature(self._site_numbers(site), "Point", [site.lon, site.lat])
                for site in self.corridor.sites_of(kind)
            ]
            if not features:
                continue
            layer = folium.FeatureGroup(name=self.text(SITE_LEGENDS[kind]))
            marker = folium.CircleMarker(radius=radius, color="#ffffff", weight=2, fill_color=colour, fill_opacity=1)
            self._add_features(layer, features, None, marker)
            layer.add_to(chart)

    def _site_numbers(self, site: Site) -> dict[str, str]:
        numbers = {
            self.text("Place"): self._name(site.site_id),
            self.text("Kilometre"): f"{escape(site.road)} km {self.number(site.km, 1)}",
        }
        if site.capacity_veh is not None:
            numbers[self.text("Places for trucks")] = self.number(site.capacity_veh, 0)
        inside = self.record["yards"].get(site.site_id)
        queues = self.record["gates"].get(site.site_id) if site.kind == "gate" else None
        for label, worlds in (
            ("most trucks inside", inside["occupancy_veh"] if inside else {}),
            ("longest queue, trucks", queues["queue_veh"] if queues else {}),
        ):
            for world in worlds:
                numbers[f"{self._world_name(world)}: {self.text(label)}"] = self._most(worlds, world)
        return numbers

    def _add_features(
        self, layer: folium.FeatureGroup, features: Sequence[_Feature], style: Any, marker: Any = None
    ) -> None:
        # A pop-up shows the same rows for all features of a layer.
        rows = list(dict.fromkeys(name for feature in features for name in feature.rows))
        # Without an id of its own Folium tells features apart by a property, and ours are named in any language.
        records = [
            {
                "type": "Feature",
                "properties": {name: feature.rows.get(name, "–") for name in rows},
                "geometry": {"type": feature.kind, "coordinates": feature.coordinates},
                "id": f"{number}",
            }
            for number, feature in enumerate(features)
        ]
        folium.GeoJson(
            {"type": "FeatureCollection", "features": records},
            style_function=style,
            marker=marker,
            popup=folium.GeoJsonPopup(fields=rows, localize=False),
            tooltip=folium.GeoJsonTooltip(fields=rows[:1], labels=False),
        ).add_to(layer)

    # Words and numbers

    def text(self, message: str) -> str:
        """A text in the reader's language, safe in HTML."""
        return escape(self.translate(message) if message else "", quote=False)

    def number(self, value: float, digits: int) -> str:
        """A number with the language's separators."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(value, pattern, locale=self.locale))

    def _clock(self, index: int) -> str:
        return comparison.local_clock(self.record, index, self.text(comparison.DAY_MARK))

    def _most(self, worlds: Mapping[str, Any], world: str) -> str:
        """The greatest value of the median curve, in whole trucks."""
        found = comparison.peak(comparison.median(worlds[world], self.record["quantiles"]))
        return self.number(found[1] if found else 0.0, 0)

    def _signed(self, value: float, digits: int) -> str:
        rounded = round(value, digits) + 0.0
        sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
        return sign + self.number(abs(rounded), digits)

    def _name(self, place_id: str | None) -> str:
        site = self.corridor.sites.get(place_id or "")
        return escape(site.name.get(self.locale, site.site_id) if site else place_id or "")

    def _title(self) -> str:
        scenario = self.record["scenario"]
        return escape(str(scenario.get("title", {}).get(self.locale) or scenario["name"]))


def _read(name: str) -> bytes:
    try:
        return (LEAFLET_DIR / name).read_bytes()
    except FileNotFoundError:
        raise UnavailableError(
            "Leaflet is not installed ({path} is missing); run npm ci in the project's folder.", path=name
        ) from None


@cache
def leaflet_js() -> str:
    """Leaflet's script without the pointer to its source map."""
    script = _read("dist/leaflet.js").decode()
    return re.sub(r"//# sourceMappingURL=.*", "", script).replace("</script", "<\\/script")


@cache
def leaflet_css() -> str:
    """Leaflet's style sheet with its pictures in it."""

    def inline(match: re.Match[str]) -> str:
        picture = base64.b64encode(_read(f"dist/{match[1]}")).decode()
        return f"url(data:image/png;base64,{picture})"

    return re.sub(r"url\((images/[\w.-]+)\)", inline, _read("dist/leaflet.css").decode())


@cache
def leaflet_version() -> str:
    """The version that is inlined."""
    found = re.search(rb'"version":\s*"([^"]+)"', _read("package.json"))
    return found[1].decode() if found else ""
