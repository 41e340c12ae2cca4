"""The time in the gate area as a tariff counts it: from the arrival on, standing still while the gate could not work.

The rule is the tariff's (`StorageClock`), with its versions: an outage freezes the clock only if the tariff in force
names what is out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.fees.tariff import Load, StorageClock, Tariff
from app.notices import service as notices
from app.trips.service import Trip

HOUR_S = 3600.0


def counted_h(
    clock: StorageClock, since: datetime, until: datetime, frozen: Iterable[tuple[datetime, datetime]]
) -> int:
    """The hours begun of a stay that count.

    Arguments: `frozen`, the intervals in which the clock stands; they may overlap and reach beyond the stay.
    """
    running_s, at = 0.0, since
    for begin, end in sorted((max(begin, since), min(end, until)) for begin, end in frozen):
        if begin < end:
            running_s += max((begin - at).total_seconds(), 0.0)
            at = max(at, end)
    running_s += max((until - at).total_seconds(), 0.0)
    chargeable_s = running_s - clock.free_h * HOUR_S
    return 0 if chargeable_s <= 0 else int(-(-chargeable_s // HOUR_S))


def with_storage(session: Session, tariff: Tariff, trip_id: int, load: Load, now: datetime) -> Load:
    """The load with its `storage_h` up to now, if the tariff counts stays; 0 before the truck has arrived."""
    clock, trip = tariff.storage, session.get(Trip, trip_id)
    if clock is None or trip is None:
        return load
    hours, since = 0, trip.arrived_at
    if since is not None and since < now:
        frozen = [
            (outage.starts_at, outage.end or now)
            for outage in notices.outages(session, trip.gate_id, since, now)
            if outage.system in clock.frozen_by
        ]
        hours = counted_h(clock, since, now, frozen)
    return replace(load, facts={**load.facts, "storage_h": hours})
