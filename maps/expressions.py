"""Expressions of the MapLibre style specification (v8) that several parts of the style use."""

from __future__ import annotations

from typing import Any

Json = dict[str, object]


def zoomed(*stops: tuple[float, Any]) -> list[Any]:
    """A value that changes evenly between zooms: (zoom, value), …"""
    return ["interpolate", ["linear"], ["zoom"], *(part for stop in stops for part in stop)]
