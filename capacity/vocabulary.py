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


class PriceUnit(StrEnum):
    """What a price of a yard is asked for."""

    ENTRY = "entry"
    HOUR = "hour"
    DAY = "day"


class Shift(StrEnum):
    """Who works at a yard."""

    DAY = "day"
    NIGHT = "night"
