"""The corridor now: its one assembly from what the packages store.

Forecast, yard plan, advice and the planner's base run start from it; the queue that pages show is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.forecasting import store
from app.forecasting.store import DeclaredTrip, TruckInside, TruckSeen
from capacity import store as capacity_store
from capacity.ledger import YardState
from geo.corridor import Corridor
from routing.arrays import FloatArray, IntArray
from routing.demand import CorridorState
from routing.gates import GateSetting
from routing.graph import Network
from routing.measure import QueueNow, measure_queues

SEEN_WITHIN = timedelta(hours=1)
"""A truck not heard of for longer is no longer known to be where it was; standing trackers report every 15 min."""
LATE_BY = timedelta(hours=3)
"""How late a declared truck may be and still be expected."""
SPEED_WINDOW = timedelta(minutes=10)
HORIZON = timedelta(hours=6)
"""Declared trucks planned to arrive within this belong to the state."""


@dataclass(frozen=True)
class ComingTruck:
    """A truck on its way to a gate, with its trip if it has one; `index` is its row in the state, or -1."""

    index: int
    vehicle_id: int
    trip_id: int | None
    gate_id: str | None
    perishable: bool
    goods_class: str | None
    regime: str | None
    declared_at: datetime | None
    planned_arrival: datetime | None
    organisation_id: int | None
    driver_id: int | None
    road: str | None = None
    km: float | None = None


@dataclass(frozen=True)
class CorridorNow:
    """The corridor at one moment: the state as arrays, who the trucks in it are, and the queue they stand in."""

    state: CorridorState
    coming: tuple[ComingTruck, ...]
    """Trucks driving toward the border, then declared ones not yet on the road."""
    trip_of_row: Mapping[int, int]
    """Row of the state → trip."""
    yards: tuple[YardState, ...]
    gate_ids: tuple[str, ...]
    queue: QueueNow
    """Measured from `state`; arrays by index into `gate_ids`."""

    @property
    def tails_km(self) -> dict[str, float]:
        """Kilometre from the border of the end of each gate's queue, where there is one."""
        veh, km = self.queue.queue_veh, self.queue.tail_km
        return {gate_id: float(km[g]) for g, gate_id in enumerate(self.gate_ids) if veh[g] > 0}

    @property
    def queues_veh(self) -> dict[str, float]:
        """Trucks in each gate's queue."""
        return {gate_id: float(self.queue.queue_veh[g]) for g, gate_id in enumerate(self.gate_ids)}


def assemble(
    session: Session,
    corridor: Corridor,
    network: Network,
    settings: Sequence[GateSetting],
    now: datetime,
    *,
    horizon: timedelta = HORIZON,
) -> CorridorNow:
    """Read the corridor at `now`: trucks seen, trucks inside, trucks declared, speeds, how gates work.

    Trucks without a trip that drive on the corridor count like the others; their gate is unknown.
    """
    gate_index = {gate_id: i for i, gate_id in enumerate(network.gate_ids)}
    yard_index = {yard_id: i for i, yard_id in enumerate(network.yard_ids)}
    yards = tuple(capacity_store.yard_states(session, now))
    stays = {truck.vehicle_id: truck for truck in store.trucks_inside(session) if truck.yard_id in yard_index}
    inside = [truck for truck in stays.values() if truck.vehicle_id is not None]
    seen = [
        truck
        for truck in store.trucks_seen(session, since=now - SEEN_WITHIN, now=now)
        if truck.vehicle_id not in stays and truck.road_id is not None and truck.road_id < len(corridor.roads)
    ]
    known = {truck.trip_id for truck in seen if truck.trip_id is not None}
    planned = store.declared_trips(session, earliest=now - LATE_BY, latest=now + horizon)
    declared = [trip for trip in planned if trip.trip_id not in known]
    expected = [trip for trip in declared if trip.gate_id in gate_index]
    everybody: list[TruckSeen | TruckInside] = [*seen, *inside]
    n, m = len(seen), len(inside)
    nobody = np.full(m, np.nan)
    state = CorridorState(
        made_at=now,
        road_id=np.concatenate([_ints(truck.road_id for truck in seen), np.full(m, -1, np.int64)]),
        offset_m=np.concatenate([_floats((truck.offset_m for truck in seen), 0.0), np.zeros(m)]),
        speed_mps=np.concatenate([_floats(truck.speed_mps for truck in seen), nobody]),
        gate=np.concatenate(
            [
                _ints(
                    gate_index.get(truck.gate_id or "") if truck.trip_direction == "export" else None for truck in seen
                ),
                _ints(gate_index.get(truck.gate_id or "") for truck in inside),
            ]
        ),
        perishable=np.array([truck.perishable for truck in everybody], bool),
        age_s=np.concatenate([_floats(max((now - truck.time).total_seconds(), 0.0) for truck in seen), np.zeros(m)]),
        hold_until_s=np.concatenate([_floats(_until_s(truck.hold_until, now) for truck in seen), nobody]),
        yard=np.concatenate([np.full(n, -1, np.int64), _ints(yard_index[truck.yard_id] for truck in inside)]),
        yard_since_s=np.concatenate(
            [np.zeros(n), _floats(max((now - truck.entered_at).total_seconds(), 0.0) for truck in inside)]
        ),
        yard_inside_veh=_per_yard(yards, network, lambda yard: yard.inside_veh, missing=0.0),
        yard_capacity_veh=_per_yard(yards, network, lambda yard: yard.capacity_veh, missing=np.nan),
        declared_s=_floats(_until_s(trip.planned_arrival, now) for trip in expected),
        declared_gate=_ints(gate_index[trip.gate_id] for trip in expected),
        declared_perishable=np.array([trip.perishable for trip in expected], bool),
        gate_settings=tuple(settings),
        road_speed_mps=_speeds(session, corridor, now),
    )
    return CorridorNow(
        state=state,
        coming=(*_on_the_road(seen, corridor), *map(_not_on_the_road, declared)),
        trip_of_row={i: truck.trip_id for i, truck in enumerate(everybody) if truck.trip_id is not None},
        yards=yards,
        gate_ids=network.gate_ids,
        queue=measure_queues(network, state),
    )


def _on_the_road(seen: Sequence[TruckSeen], corridor: Corridor) -> list[ComingTruck]:
    """Those of the trucks seen that drive toward the border."""
    found = []
    for i, truck in enumerate(seen):
        assert truck.road_id is not None
        road = corridor.roads[truck.road_id]
        if road.direction != "to_border" or truck.trip_direction == "import":
            continue
        found.append(
            ComingTruck(
                index=i,
                vehicle_id=truck.vehicle_id,
                trip_id=truck.trip_id,
                gate_id=truck.gate_id,
                perishable=truck.perishable,
                goods_class=truck.goods_class,
                regime=truck.regime,
                declared_at=truck.created_at,
                planned_arrival=None,
                organisation_id=truck.organisation_id,
                driver_id=truck.driver_id,
                road=road.road,
                km=truck.km,
            )
        )
    return found


def _not_on_the_road(trip: DeclaredTrip) -> ComingTruck:
    return ComingTruck(
        index=-1,
        vehicle_id=trip.vehicle_id,
        trip_id=trip.trip_id,
        gate_id=trip.gate_id,
        perishable=trip.perishable,
        goods_class=trip.goods_class,
        regime=trip.regime,
        declared_at=trip.created_at,
        planned_arrival=trip.planned_arrival,
        organisation_id=trip.organisation_id,
        driver_id=trip.driver_id,
    )


def _speeds(session: Session, corridor: Corridor, now: datetime) -> FloatArray:
    speed_mps = np.full(len(corridor.roads), np.nan)
    for road_id, median_mps in store.live_speeds(session, since=now - SPEED_WINDOW, now=now).items():
        if road_id < len(speed_mps):
            speed_mps[road_id] = median_mps
    return speed_mps


def _per_yard(
    yards: Sequence[YardState], network: Network, value: Callable[[YardState], float], *, missing: float
) -> FloatArray:
    values = {yard.yard_id: float(value(yard)) for yard in yards}
    return np.array([values.get(yard_id, missing) for yard_id in network.yard_ids])


def _until_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else (moment - now).total_seconds()


def _ints(values: Iterable[int | None]) -> IntArray:
    """As an array, -1 where there is none."""
    return np.array([-1 if value is None else value for value in values], np.int64)


def _floats(values: Iterable[float | None], missing: float = float("nan")) -> FloatArray:
    found: NDArray[np.float64] = np.array([missing if value is None else value for value in values], np.float64)
    return found
