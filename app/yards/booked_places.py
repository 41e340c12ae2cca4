"""Booked places in the yard plan: which truck has one, and when it is free for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from app.bookings.service import KeptPlace
from app.forecasting.state import ComingTruck
from app.platform.json import JsonObject
from app.yards.plan_rows import PlanRow, Promised
from capacity.vocabulary import ZoneKind


@dataclass(frozen=True)
class PlannedPlace:
    """The place that a plan gives to a trip; without a yard there is none within the horizon.

    `reason` holds `code` and the numbers that the interface's sentence needs.
    """

    trip_id: int
    vehicle_id: int
    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    wait_s: int
    reason: JsonObject
    zone_id: str | None = None
    place_kind: ZoneKind | None = None

    def standing(self, row: PlanRow) -> PlannedPlace:
        """The place in a zone."""
        return replace(self, zone_id=row.zone_id, place_kind=row.kind)


def split_booked(
    arrivals: Sequence[tuple[ComingTruck, Sequence[float]]],
    kept: Sequence[KeptPlace],
    yard_ids: Sequence[str],
    now: datetime,
) -> tuple[list[tuple[ComingTruck, PlannedPlace]], list[Promised]]:
    """Trucks with their booked places, and every place to keep, theirs first and in the same order.

    A truck that comes before its hour waits for it; one that comes later goes in when it comes. One that is not on the
    road yet is expected for its hour. A truck that the road no longer leads there has no booked place.
    """
    reach_of = {truck.trip_id: (truck, reach_s) for truck, reach_s in arrivals if truck.trip_id is not None}
    booked: list[tuple[ComingTruck, PlannedPlace]] = []
    promised: list[Promised] = []
    unseen: list[Promised] = []
    for place in kept:
        if place.yard_id not in yard_ids:
            continue
        starts_s = max((place.starts_at - now).total_seconds(), 0.0)
        if place.trip_id not in reach_of:
            unseen.append(Promised(place.yard_id, starts_s, place.need))
            continue
        truck, reach_s = reach_of[place.trip_id]
        arrive_s = float(reach_s[yard_ids.index(place.yard_id)]) if truck.index >= 0 else starts_s
        if not np.isfinite(arrive_s):
            continue
        free_s = max(starts_s, arrive_s)
        wait_s = round(free_s - arrive_s)
        planned = PlannedPlace(
            trip_id=place.trip_id,
            vehicle_id=truck.vehicle_id,
            yard_id=place.yard_id,
            arrive_at=now + timedelta(seconds=arrive_s),
            place_free_at=now + timedelta(seconds=free_s),
            wait_s=wait_s,
            reason={"code": "booked", "wait_s": wait_s, "until": place.starts_at.isoformat()},
        )
        booked.append((truck, planned))
        promised.append(Promised(place.yard_id, free_s, place.need))
    return booked, promised + unseen
