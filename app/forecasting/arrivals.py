"""How many trucks come in an hour, relative to an average one: learned from years of hours, shrunk to what is assumed.

The rate of an hour is a product of factors: of the hour of the day, the weekday, the hour of the week, the season and
the kind of day (around Tết and the holidays of both countries). Each factor has a gamma prior, whose mean is what is
assumed and which counts like so many trucks; counts are Poisson. The factors are the posterior mode, found one kind
after the other (the method of marginal totals with credibility: R. Bailey, "Insurance rates with minimum bias", 1963;
A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6). So without a history every factor is what is assumed,
and what was never seen keeps it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

import numpy as np

from app.forecasting.arrival_store import HourCount
from app.gates.holidays import Country, Occasion, holidays_on, lunar_new_year
from geo.clock import LOCAL_ZONE
from routing.arrays import FloatArray, IntArray

HALF_LIFE_DAYS: Final = 120.0
"""An ordinary day counts half after so long; days around holidays come once a year and do not age."""
ROUNDS: Final = 40
TOLERANCE: Final = 1e-4
LUNAR_PHASES: Final = ((-21, -8), (-7, -2), (-1, 3), (4, 8), (9, 15))
"""First and last day of each phase around the first day of the lunar year."""


class DayKind(StrEnum):
    """Days that are alike for who comes. A day has one kind: the lunar year goes before other holidays."""

    ORDINARY = "ordinary"
    WEEKS_BEFORE_TET = "weeks_before_tet"
    WEEK_BEFORE_TET = "week_before_tet"
    TET = "tet"
    AFTER_TET = "after_tet"
    BACK_FROM_TET = "back_from_tet"
    CHINA_NATIONAL_WEEK = "china_national_week"
    HOLIDAY_OF_BOTH = "holiday_of_both"
    HOLIDAY_OF_VIET_NAM = "holiday_of_viet_nam"
    HOLIDAY_OF_CHINA = "holiday_of_china"


ASSUMED: Final[dict[DayKind, float]] = {
    DayKind.ORDINARY: 1.0,
    # 1,911 trucks were cleared in both directions on 31 January 2026, some 1,450 on a day of July 2025 (bulletins)
    DayKind.WEEKS_BEFORE_TET: 1.3,
    DayKind.WEEK_BEFORE_TET: 0.8,
    DayKind.TET: 0.15,
    DayKind.AFTER_TET: 0.5,
    DayKind.BACK_FROM_TET: 0.9,
    DayKind.CHINA_NATIONAL_WEEK: 0.7,
    DayKind.HOLIDAY_OF_BOTH: 0.6,
    DayKind.HOLIDAY_OF_VIET_NAM: 0.75,
    DayKind.HOLIDAY_OF_CHINA: 0.8,
}
"""Arrivals on such days relative to ordinary ones. All but the first two are assumptions, until they are learned."""

_PHASES: Final = (
    DayKind.WEEKS_BEFORE_TET,
    DayKind.WEEK_BEFORE_TET,
    DayKind.TET,
    DayKind.AFTER_TET,
    DayKind.BACK_FROM_TET,
)
_KINDS: Final = tuple(DayKind)


@cache
def day_kind(day: date) -> DayKind:
    """What kind of day it is for who comes to the border."""
    since = (day - lunar_new_year(day.year)).days
    for kind, (first, last) in zip(_PHASES, LUNAR_PHASES, strict=True):
        if first <= since <= last:
            return kind
    found = {holiday.country: holiday.occasion for holiday in holidays_on(day)}
    if found.get(Country.CHINA) == Occasion.NATIONAL_DAY:
        return DayKind.CHINA_NATIONAL_WEEK
    if len(found) == len(Country):
        return DayKind.HOLIDAY_OF_BOTH
    if found:
        return DayKind.HOLIDAY_OF_CHINA if Country.CHINA in found else DayKind.HOLIDAY_OF_VIET_NAM
    return DayKind.ORDINARY


@dataclass(frozen=True)
class _Factor:
    """A kind of factor: how many there are, and how many trucks what is assumed of one counts like."""

    name: str
    size: int
    strength_veh: float


FACTORS: Final = (
    _Factor("hour", 24, 30.0),
    _Factor("weekday", 7, 60.0),
    _Factor("hour_of_week", 168, 30.0),
    _Factor("season", 12, 300.0),
    _Factor("day_kind", len(_KINDS), 60.0),
)


@dataclass(frozen=True)
class ArrivalModel:
    """The factors, in the order of `FACTORS`; each kind's mean over the history, or what is assumed, is 1."""

    factors: tuple[FloatArray, ...]
    trucks: int
    """How many it was learned from."""
    kind_trucks: FloatArray
    """[kind] how many trucks each kind of day was learned from, had each come as on an ordinary day."""

    def relative_rate(self, moment: datetime) -> float:
        """Arrivals in the hour of an aware moment, relative to an average hour."""
        index = _indices([moment.astimezone(LOCAL_ZONE)])[:, 0]
        return float(np.prod([factor[i] for factor, i in zip(self.factors, index, strict=True)]))

    def of_kind(self, kind: DayKind) -> float:
        """Arrivals on a kind of day relative to an ordinary one."""
        return float(self.factors[-1][_KINDS.index(kind)] / self.factors[-1][_KINDS.index(DayKind.ORDINARY)])


def _indices(local: Sequence[datetime]) -> IntArray:
    """[factor kind, n] which factor of each kind counts at local moments."""
    return np.array(
        [
            [at.hour for at in local],
            [at.weekday() for at in local],
            [at.weekday() * 24 + at.hour for at in local],
            [at.month - 1 for at in local],
            [_KINDS.index(day_kind(at.date())) for at in local],
        ],
        np.int64,
    ).reshape(len(FACTORS), len(local))


def _assumed() -> list[FloatArray]:
    found = [np.ones(factor.size) for factor in FACTORS]
    found[-1] = np.array([ASSUMED[kind] for kind in _KINDS])
    return found


@lru_cache(maxsize=4)
def learn_arrivals(history: tuple[HourCount, ...]) -> ArrivalModel:
    """The model of what was counted, hour by hour.

    Args:
        history: Whole hours and the trucks that came in each, hours without a truck included; in any order.
    """
    prior = _assumed()
    if not history:
        return ArrivalModel(tuple(prior), 0, np.zeros(len(_KINDS)))
    local = [row.hour.astimezone(LOCAL_ZONE) for row in history]
    count = np.array([row.trucks for row in history], float)
    index = _indices(local)
    age_days = (max(local) - np.array(local, object)) / timedelta(days=1)
    ordinary = index[-1] == _KINDS.index(DayKind.ORDINARY)
    weight = np.where(ordinary, 0.5 ** (age_days.astype(float) / HALF_LIFE_DAYS), 1.0)
    factors = [values.copy() for values in prior]
    expected: FloatArray = np.zeros(len(_KINDS))
    for _ in range(ROUNDS):
        before = np.concatenate(factors)
        level = _level(count, factors, index, weight)
        for k, factor in enumerate(FACTORS):
            rate = level * np.prod([own[i] for own, i in zip(factors, index, strict=True)], axis=0)
            others = rate / factors[k][index[k]]
            seen = np.bincount(index[k], weight * count, factor.size)
            expected = np.asarray(np.bincount(index[k], weight * others, factor.size), float)
            factors[k] = (factor.strength_veh * prior[k] + seen) / (factor.strength_veh + expected)
            if k < len(FACTORS) - 1:  # the level holds the mean; kinds of days keep theirs relative to ordinary ones
                factors[k] /= np.average(factors[k], weights=np.bincount(index[k], weight, factor.size))
        factors[-1] /= factors[-1][_KINDS.index(DayKind.ORDINARY)]
        if np.abs(np.concatenate(factors) - before).max() < TOLERANCE:
            break
    return ArrivalModel(tuple(factors), int(count.sum()), expected)


def _level(count: FloatArray, factors: Sequence[FloatArray], index: IntArray, weight: FloatArray) -> float:
    """Trucks in an average hour of an ordinary day."""
    rate = np.prod([own[i] for own, i in zip(factors, index, strict=True)], axis=0)
    return float(max((weight * count).sum(), 1e-9) / (weight * rate).sum())
