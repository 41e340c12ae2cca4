"""The vocabulary of yards."""

from __future__ import annotations

from enum import StrEnum


class ZoneKind(StrEnum):
    """What the places of a zone are made for."""

    STANDARD = "standard"
    FORTY_FOOT = "forty_foot"
    REEFER = "reefer"
    LIVESTOCK = "livestock"
    DANGEROUS = "dangerous"
    DOCK = "dock"
    TEMPORARY = "temporary"


class Shift(StrEnum):
    """Who works at a yard."""

    DAY = "day"
    NIGHT = "night"
