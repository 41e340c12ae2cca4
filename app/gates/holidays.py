"""Public holidays of both countries, and whether a gate's profile says how it works then. Pure but for the names' file.

A holiday on either side may stop a crossing, but how a gate works then is agreed each year and set in its profile;
until it is, the regular hours count. Source of the dates: app/gates/data/README.md.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import holidays

from app.gates.profile import GateValues
from app.platform.labels import N_, Vocabulary

FILE: Final = Path(__file__).parent / "data" / "holiday_names.csv"
_SEPARATOR: Final = "; "
"""Between the names of holidays that fall on one day, as the package writes them."""


class Country(Vocabulary):
    """The two sides of the border."""

    VIET_NAM = "VN", N_("Viet Nam")
    CHINA = "CN", N_("China")


class Occasion(StrEnum):
    """Kinds of holidays; what is alike for the traffic has one kind."""

    LUNAR_NEW_YEAR = "lunar_new_year"
    LABOUR_DAY = "labour_day"
    NATIONAL_DAY = "national_day"
    OTHER = "other"


@dataclass(frozen=True)
class PublicHoliday:
    """A day off in a country; `name` by language."""

    day: date
    country: Country
    name: Mapping[str, str]
    occasion: Occasion


@dataclass(frozen=True)
class _Naming:
    country: Country
    contains: str
    occasion: Occasion
    name: Mapping[str, str]


@cache
def _namings() -> tuple[_Naming, ...]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            _Naming(
                Country.get(row["country"]),
                row["contains"],
                Occasion(row["occasion"]),
                MappingProxyType({language: row[f"name_{language}"] for language in ("vi", "en", "zh")}),
            )
            for row in csv.DictReader(lines)
        )


@cache
def _holidays_in(country: Country, year: int) -> Mapping[date, PublicHoliday]:
    found = holidays.country_holidays(country.value, years=year, language="en_US")
    return {day: _named(day, country, found[day]) for day in sorted(found) if day.year == year}


def _named(day: date, country: Country, package_name: str) -> PublicHoliday:
    """The holiday by the names of the file; of two on one day both names, and the occasion of the first."""
    parts = [
        next(
            (naming for naming in _namings() if naming.country == country and naming.contains in part),
            _Naming(country, part, Occasion.OTHER, dict.fromkeys(("vi", "en", "zh"), part)),
        )
        for part in package_name.split(_SEPARATOR)
    ]
    own = list(dict.fromkeys(part.contains for part in parts))
    each = [next(part for part in parts if part.contains == contains) for contains in own]
    names = {language: ", ".join(part.name[language] for part in each) for language in ("vi", "en", "zh")}
    return PublicHoliday(day, country, MappingProxyType(names), each[0].occasion)


def holidays_on(day: date) -> tuple[PublicHoliday, ...]:
    """The holidays of a day, one a country at most, China's first."""
    of_day = (_holidays_in(country, day.year).get(day) for country in (Country.CHINA, Country.VIET_NAM))
    return tuple(holiday for holiday in of_day if holiday is not None)


@cache
def lunar_new_year(year: int) -> date:
    """The first day of the lunar year that begins in a year, as Việt Nam counts it."""
    found = holidays.country_holidays("VN", years=year, language="en_US")
    return next(day for day in sorted(found) if "Lunar New Year" in found[day].split(_SEPARATOR))


def unsettled(gate: GateValues, direction: str, day: date) -> tuple[PublicHoliday, ...]:
    """The holidays of a day for which a gate's profile does not say how the direction works."""
    if day in gate.of(direction).opening_hours.holidays:
        return ()
    return holidays_on(day)


def coming(first: date, last: date) -> list[PublicHoliday]:
    """The holidays from a day to a day, in the order of the days."""
    days = ((first + timedelta(days=number)) for number in range((last - first).days + 1))
    return [holiday for day in days for holiday in holidays_on(day)]
