"""How long exports stay in a gate's yards before they may cross: learned from the ledger, shrunk to the profile. Pure.

The estimator is `routing.stays`: the logarithm of a stay is normal with a mean of the gate, of the goods and of the
hours in which the truck came, each shrunk to the level above it, the gate's to its profile. What is meant is the stay
proper; waiting for the crossing is the engine's to add.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from scipy.special import ndtri

from geo.clock import LOCAL_ZONE
from routing.arrays import IntArray
from routing.gates import BLOCK_H, BLOCKS, GateSetting, ServiceTime, StayFactors
from routing.stays import FollowedStays, fit_stays, follow_stays

STRENGTH_TRUCKS: Final = 20.0
"""What is assumed of a gate, of its goods beside each other, and of an hour counts like so many trucks."""
OUTLYING: Final = 2.0
"""Stays farther from their mean than so many standard deviations count less, as the square of the distance."""
MAX_STAYS: Final = 4000
"""Of a gate, the newest."""
MIN_STAY_S: Final = 120.0
"""Who leaves sooner only drove through."""
MIN_FOLLOWED: Final = timedelta(minutes=15)
LEVEL: Final = 0.8
"""The interval in which the mean lies holds so much."""
GROUPS: Final = 2 * BLOCKS


@dataclass(frozen=True)
class YardStay:
    """An export came into a yard of a gate; `left_at` is null while it is inside."""

    gate_id: str
    entered_at: datetime
    left_at: datetime | None
    perishable: bool


@dataclass(frozen=True)
class StayGroup:
    """Mean stays of the trucks that come in between two hours of the day, perishable goods and others."""

    from_h: int
    to_h: int
    perishable_s: float
    perishable_trucks: int
    other_s: float
    other_trucks: int


@dataclass(frozen=True)
class StayEstimate:
    """What is known of stays at a gate: the mean with the interval it lies in, their variation, and by group.

    `factors` and `group_trucks` are [goods × hours of entry], other goods first, `BLOCKS` blocks each; a factor is
    relative to `mean_s`. `trucks` were followed until they left, `unfinished` as long as nothing hid their stay.
    """

    gate_id: str
    mean_s: float
    low_s: float
    high_s: float
    cv: float
    trucks: int
    unfinished: int
    factors: tuple[float, ...]
    group_trucks: tuple[int, ...]

    @property
    def groups(self) -> list[StayGroup]:
        """By hours of entry, the mean stay and from how many trucks it was learned."""
        means = [factor * self.mean_s for factor in self.factors]
        return [
            StayGroup(
                block * BLOCK_H,
                (block + 1) * BLOCK_H,
                means[BLOCKS + block],
                self.group_trucks[BLOCKS + block],
                means[block],
                self.group_trucks[block],
            )
            for block in range(BLOCKS)
        ]

    def setting(self, before: GateSetting) -> GateSetting:
        """A gate's setting with this stay in place of the assumed one."""
        factors = StayFactors(self.factors[:BLOCKS], self.factors[BLOCKS:])
        return replace(before, dwell=ServiceTime(self.mean_s, self.cv), stay_factors=factors)


def with_stays(settings: Iterable[GateSetting], learned: Mapping[str, StayEstimate]) -> tuple[GateSetting, ...]:
    """How gates work, with the stays that were learned: what forecast, yard plan and planner take."""
    return tuple(
        learned[setting.gate_id].setting(setting)
        if setting.direction == "export" and setting.gate_id in learned
        else setting
        for setting in settings
    )


def learn_stays(stays: Sequence[YardStay], settings: Iterable[GateSetting], now: datetime) -> dict[str, StayEstimate]:
    """What is known of the stays of each gate that has an export setting, with or without stays."""
    by_gate: dict[str, list[YardStay]] = defaultdict(list)
    for stay in sorted(stays, key=lambda stay: stay.entered_at):
        by_gate[stay.gate_id].append(stay)
    exports = [setting for setting in settings if setting.direction == "export"]
    possible = [setting for setting in exports if setting.dwell.mean_s > 0.0]
    return {setting.gate_id: _estimate(by_gate[setting.gate_id][-MAX_STAYS:], setting, now) for setting in possible}


def _estimate(stays: Sequence[YardStay], setting: GateSetting, now: datetime) -> StayEstimate:
    followed, group = _follow(stays, setting, now)
    exact = ~followed.went_on
    variance = float(np.log1p(setting.dwell.cv**2))
    fit = fit_stays(
        followed,
        prior_mean_log=float(np.log(setting.dwell.mean_s)) - variance / 2.0,
        prior_sd_log=max(float(np.sqrt(variance)), 0.05),
        strength=STRENGTH_TRUCKS,
        group=group,
        groups=GROUPS,
        kinds=2,
        outlying=OUTLYING,
    )
    mean, effect = fit.mean_log, fit.effect
    share = np.bincount(group[exact], minlength=GROUPS)
    if share.sum():  # the mean is that of the trucks that come
        shift = float(share @ effect / (share.sum() + STRENGTH_TRUCKS))
        mean, effect = mean + shift, effect - shift
    average = float(np.exp(mean + fit.sd_log**2 / 2.0))
    spread = float(ndtri(0.5 + LEVEL / 2.0)) * fit.sd_log / np.sqrt(STRENGTH_TRUCKS + exact.sum())
    return StayEstimate(
        gate_id=setting.gate_id,
        mean_s=average,
        low_s=float(average * np.exp(-spread)),
        high_s=float(average * np.exp(spread)),
        cv=fit.cv,
        trucks=int(exact.sum()),
        unfinished=int((~exact).sum()),
        factors=tuple(np.exp(effect).tolist()),
        group_trucks=tuple(share.tolist()),
    )


def _follow(stays: Sequence[YardStay], setting: GateSetting, now: datetime) -> tuple[FollowedStays, IntArray]:
    """Each stay as long as nothing else held it, and its group of goods and hours; those that tell nothing left out."""
    if not stays:
        return FollowedStays(np.zeros(0), np.zeros(0, bool)), np.zeros(0, np.int64)
    begin = stays[0].entered_at.astimezone(UTC)
    entered_s = np.array([(stay.entered_at - begin).total_seconds() for stay in stays])
    left = [stay.left_at if stay.left_at is not None and stay.left_at <= now else None for stay in stays]
    left_s = np.array([np.nan if at is None else (at - begin).total_seconds() for at in left])
    closed_s, length_s = _closed_s(setting, begin, now), (now - begin).total_seconds()
    followed = follow_stays(entered_s, left_s, setting, length_s=length_s, closed_s=closed_s)
    # Being served at the crossing is no part of the stay.
    served_s = np.where(followed.went_on, 0.0, setting.crossing.service.mean_s)
    followed = FollowedStays(followed.length_s - served_s, followed.went_on)
    tells = followed.length_s >= np.where(followed.went_on, MIN_FOLLOWED.total_seconds(), MIN_STAY_S)
    group = np.array(
        [stay.perishable * BLOCKS + stay.entered_at.astimezone(LOCAL_ZONE).hour // BLOCK_H for stay in stays], np.int64
    )
    return followed.take(tells), group[tells]


def _closed_s(setting: GateSetting, begin: datetime, now: datetime) -> list[tuple[float, float]]:
    """When the crossing was closed, in seconds since `begin`."""
    found, last_s = [], 0.0
    for opens, closes in setting.crossing.hours.spans(begin, now):
        opens_s = (opens - begin).total_seconds()
        if opens_s > last_s:
            found.append((last_s, opens_s))
        last_s = (closes - begin).total_seconds()
    length_s = (now - begin).total_seconds()
    return [*found, (last_s, length_s)] if last_s < length_s else found
