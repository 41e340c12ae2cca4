"""Counts by hand: which of them are asked about before they count, and in whose shift they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from capacity.reconciling import Occupancy
from capacity.vocabulary import Shift
from geo.clock import LOCAL_ZONE

OVERFLOW_SHARE: Final = 0.2
"""How many more trucks than places can be squeezed into a yard, of its places (assumed)."""
FAR_SPREADS: Final = 4.0
"""A count so many standard deviations from the estimate is far from it."""
FAR_SHARE: Final = 0.1
"""A count nearer to the estimate than this share of the places is never far."""
DAY_SHIFT_H: Final = range(6, 18)
"""Local hours of the day shift (assumed)."""


@dataclass(frozen=True)
class CountDoubt:
    """Why a count is asked about: a message with its numbers."""

    message: str
    values: Mapping[str, Any]


def doubt_count(counted_veh: int, *, capacity_veh: int, known: Occupancy | None) -> CountDoubt | None:
    """Why a count is asked about before it counts; `None` if it may well be right.

    Arguments: `known`, what reads tell of who is inside; `None` if too little is known to hold against a count.
    """
    limit_veh = int(capacity_veh * (1.0 + OVERFLOW_SHARE))
    if counted_veh > limit_veh:
        return CountDoubt(
            "{counted} counted: the yard has {capacity} places and holds {limit} at most. If it is right, confirm it.",
            {"counted": counted_veh, "capacity": capacity_veh, "limit": limit_veh},
        )
    if known is None:
        return None
    far_veh = max(FAR_SPREADS * known.spread_veh, FAR_SHARE * capacity_veh)
    if abs(counted_veh - known.inside_veh) <= far_veh:
        return None
    return CountDoubt(
        "{counted} counted: {expected} were expected, between {low} and {high}. If that is right, confirm it.",
        {
            "counted": counted_veh,
            "expected": round(known.inside_veh),
            "low": known.low_veh,
            "high": known.high_veh,
        },
    )


def shift_at(moment: datetime) -> Shift:
    """The shift that works at a moment."""
    return Shift.DAY if moment.astimezone(LOCAL_ZONE).hour in DAY_SHIFT_H else Shift.NIGHT
