"""Every character of every name on the map is in the typefaces that its labels are drawn with."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pmtiles.reader import MmapSource, all_tiles

from geo.corridor import Corridor
from maps.layers import FONT
from tests.maps.mvt import read_layers
from tests.programs import require

PROJECT_DIR = Path(__file__).parents[2]
LAND = PROJECT_DIR / "maps/data/land.pmtiles"
SHEETS = {
    "Be Vietnam Pro": "@fontsource/be-vietnam-pro/400.css",
    "Noto Sans SC Variable": "@fontsource-variable/noto-sans-sc/index.css",
}


@pytest.fixture(scope="module")
def drawn() -> frozenset[str]:
    """The characters that the shipped files of the typefaces are for, as their sheets say (`unicode-range`)."""
    require("browser")
    assert set(SHEETS) <= set(FONT)
    found: set[str] = set()
    for sheet in SHEETS.values():
        rules = (PROJECT_DIR / "node_modules" / sheet).read_text()
        for first, last in re.findall(r"U\+([0-9a-f]+)(?:-([0-9a-f]+))?", rules, re.IGNORECASE):
            found |= {chr(code) for code in range(int(first, 16), int(last or first, 16) + 1)}
    return frozenset(found)


def names_of_the_land() -> Iterator[str]:
    with LAND.open("rb") as file:
        for _, data in all_tiles(MmapSource(file)):
            for features in read_layers(gzip.decompress(data)).values():
                for feature in features:
                    texts = feature["properties"].items()
                    yield from (str(text) for key, text in texts if key.startswith("name") or key == "ref")


def names_of_the_corridor(corridor: Corridor) -> Iterator[str]:
    for site in corridor.sites.values():
        yield from site.name.values()
    for road in corridor.roads:
        yield from (road.name, road.road)


def test_no_name_has_a_character_that_no_face_has(corridor: Corridor, drawn: frozenset[str]) -> None:
    names = {*names_of_the_land(), *names_of_the_corridor(corridor)}
    assert len(names) > 200
    assert any("凭祥" in name for name in names)
    missing = {name: "".join(sorted(set(name) - drawn - {"\n"})) for name in names if set(name) - drawn - {"\n"}}
    assert missing == {}
    assert "𣴓" not in drawn, "the name that was replaced needs it no longer: take it out of DRAWN_AS"
