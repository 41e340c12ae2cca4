"""The style is valid, complete, and says with a shape what it says with a colour."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from geo.errors import InvalidInputError
from maps import layers, symbols
from maps.base_map import BaseMap

THEME_CSS = Path(__file__).parents[2] / "app/web/static/theme.css"
SATELLITE = "https://sky.example/{z}/{y}/{x}"
STATES = {"moving", "slow", "stopped", "queued", "yard", "staging", "gate", "off_road", "silent", "here_silent"}


def tokens(theme: str) -> dict[str, str]:
    """The `--ck-…` colours of one theme in theme.css."""
    css = THEME_CSS.read_text(encoding="utf-8")
    light, dark = re.split(r'\n\[data-bs-theme="dark"\] \{\n  color-scheme', css, maxsplit=1)
    part = light if theme == "light" else dark
    return dict(re.findall(r"--ck-([\w-]+): (#[0-9a-f]{6});", part))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "base_map_url", ["", "https://tile.example/{z}/{x}/{y}.png", "https://tile.example/vietnam.json"]
)
def test_style_is_consistent(theme: str, base_map_url: str) -> None:
    base_map = BaseMap.of(base_map_url)
    style = layers.style(theme, base_map, locale="en", satellite_url=SATELLITE, attribution="somebody")
    assert style["version"] == 8
    ids = [layer["id"] for layer in style["layers"]]
    assert len(ids) == len(set(ids))
    for layer in style["layers"]:
        if layer["type"] == "background":
            continue
        source = style["sources"][layer["source"]]
        assert ("source-layer" in layer) == (source["type"] == "vector"), layer["id"]
    assert style["sources"]["roads"]["attribution"] == "somebody"
    assert style["sources"]["base"] == base_map.source
    assert ("relief" in style["sources"]) == (not base_map_url)
    assert style["sources"]["satellite"]["tiles"] == [SATELLITE]
    assert "satellite" not in layers.style(theme, base_map)["sources"]
    assert set(style["sources"]) == {layer["source"] for layer in style["layers"] if "source" in layer}
    assert "glyphs" not in style  # labels are drawn from local fonts; nothing is asked of an outside server
    assert json.loads(json.dumps(style)) == style


def test_every_image_of_the_style_is_in_the_legend() -> None:
    found = layers.legend("dark")
    assert {truck["state"] for truck in found["trucks"]} == STATES
    assert {site["kind"] for site in found["sites"]} == {"barrier", "camera", "staging", "temporary_yard"}
    for entry in (*found["trucks"], *found["roads"], *found["overlays"]):
        assert set(entry["name"]) == {"vi", "en", "zh"}
        assert all(entry["name"].values())


def test_states_differ_in_shape_and_roads_in_width() -> None:
    paths = [state.path for state in symbols.TRUCK_STATES]
    assert len(set(paths)) == len(paths)
    widths = [flow.width for flow in symbols.FLOWS]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_the_tokens_of_the_pages(theme: symbols.Theme) -> None:
    known = tokens(theme)
    for state in symbols.TRUCK_STATES:
        assert state.shades.of(theme) == known[f"state-{state.state.replace('_', '-')}"], state.state
    for flow in (*symbols.FLOWS, symbols.NO_FLOW):
        assert flow.shades.of(theme) == known[f"road-{flow.flow}"], flow.flow


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_meaning_stands_out_from_the_ground(theme: symbols.Theme) -> None:
    """Graphics need a contrast of 3:1 to what lies beside them (WCAG 2.2, 1.4.11); silent ones may step back."""
    ground = luminance(symbols.GROUND.of(theme))
    for state in symbols.TRUCK_STATES:
        if state.state == "silent":
            continue
        own = luminance(state.shades.of(theme))
        bright, dark = max(own, ground), min(own, ground)
        assert (bright + 0.05) / (dark + 0.05) >= 3.0, state.state


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_unknown_theme_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="sepia"):
        layers.style("sepia", BaseMap.of())


def test_flow_classes_cover_every_speed() -> None:
    shares: list[Any] = [flow.share_from for flow in symbols.FLOWS]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.0


READ = ("text", "text-muted", "ok", "severity-notice", "severity-warning", "severity-alarm", "state-")
"""Tokens in which words are written, or what their names begin with."""
MIN_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of any size."""


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_in_which_words_are_written_can_be_read_on_every_surface(theme: str) -> None:
    found = tokens(theme)
    surfaces = ("surface", "surface-raised", "surface-sunken")
    words = [name for name in found if name.startswith(READ) and not name.endswith("-soft")]
    pairs = [(name, surface) for name in words for surface in surfaces]
    pairs += [(name, f"{name}-soft") for name in words if f"{name}-soft" in found]
    assert len(pairs) > 40
    faint = {}
    for name, surface in pairs:
        low, high = sorted((luminance(found[name]), luminance(found[surface])))
        if (contrast := (high + 0.05) / (low + 0.05)) < MIN_CONTRAST:
            faint[name, surface] = round(contrast, 2)
    assert not faint
