"""The places of yards over time as the traffic engine takes them: zones with their hours, less what is closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from capacity import zone_store
from capacity.zones import Closure
from routing.yard_places import PlacesFrom, YardPlaces

AFTER_HORIZON: Final = timedelta(days=1)
"""Runs go on until those who came within the horizon are out: a night included."""


def places_ahead(
    session: Session,
    begin: datetime,
    horizon: timedelta,
    *,
    beside: Sequence[Closure] = (),
    closures_hold: bool = True,
) -> YardPlaces:
    """Places of all yards in seconds from `begin` on, for a run of `horizon`; the first of each at 0.

    Arguments as of `zone_store.places_until`.
    """
    found = zone_store.places_until(
        session, begin, begin + horizon + AFTER_HORIZON, beside=beside, closures_hold=closures_hold
    )
    return {
        yard_id: tuple(PlacesFrom((moment - begin).total_seconds(), float(places_veh)) for moment, places_veh in places)
        for yard_id, places in found.items()
    }
