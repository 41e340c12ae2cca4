"""The state of the corridor at one moment, put together from what the packages store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting import store
from capacity import store as capacity_store
from capacity.ledger import YardState
from geo.corridor import Corridor
from routing.demand import CorridorState
from routing.gates import GateSetting
from routing.graph import Network

SEEN_WITHIN = timedelta(hours=1)
"""A truck not heard of for longer is no longer known to be where it was; standing trackers report every 15 min."""
LATE_BY = timedelta(hours=3)
"""How late a declared truck may be and still be expected."""
SPEED_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Truck:
    """One truck on its way to a gate, with its trip if it has one; `index` is its row in the state, or -1."""

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
class Snapshot:
    """The state as arrays for the forecast, and who the trucks in it are."""

    state: CorridorState
    coming: tuple[Truck, ...]
    """Trucks driving toward the border, then declared ones not yet on the road."""
    trip_of_row: dict[int, int]
    """Row of the state → trip."""
    yards: tuple[YardState, ...]


def assemble(
    session: Session,
    corridor: Corridor,
    network: Network,
    settings: Sequence[GateSetting],
    now: datetime,
    *,
    horizon: timedelta = timedelta(hours=6),
) -> Snapshot:
    """Read the corridor's state at `now`: trucks seen, trucks inside, trucks declared, speeds, how gates work.

    Trucks without a trip that drive on the corridor count like the others; their gate is unknown.
    """
    gate_index = {gate_id: i for i, gate_id in enumerate(network.gate_ids)}
    yard_index = {yard_id: i for i, yard_id in enumerate(network.yard_ids)}
    yards = capacity_store.yard_states(session, now)
    inside = {row.vehicle_id: row for row in store.stays(session) if row.yard_id in yard_index}
    rows = [
        row
        for row in store.trucks_seen(session, since=now - SEEN_WITHIN, now=now)
        if row.vehicle_id not in inside and row.road_id is not None and row.road_id < len(corridor.roads)
    ]
    standing = [row for row in inside.values() if row.vehicle_id is not None]
    n, m = len(rows), len(standing)
    road_id = _column(rows, "road_id", np.int64, -1)
    exporting = np.array([row.trip_direction == "export" for row in rows], bool)
    gate = np.array([gate_index.get(row.gate_id, -1) for row in rows], np.int64)
    hold_s = np.array([_until(row.hold_until, now) for row in rows], float)
    age_s = np.array([max((now - row.time).total_seconds(), 0.0) for row in rows], float)
    nothing = np.full(m, np.nan)
    state = CorridorState(
        made_at=now,
        road_id=np.concatenate([road_id, np.full(m, -1, np.int64)]),
        offset_m=np.concatenate([_column(rows, "offset_m", np.float64, 0.0), np.zeros(m)]),
        speed_mps=np.concatenate([_column(rows, "speed_mps", np.float64, np.nan), nothing]),
        gate=np.concatenate(
            [
                np.where(exporting, gate, -1),
                np.array([gate_index.get(row.gate_id, -1) for row in standing], np.int64),
            ]
        ),
        perishable=np.array([bool(row.perishable) for row in [*rows, *standing]], bool),
        age_s=np.concatenate([age_s, np.zeros(m)]),
        hold_until_s=np.concatenate([hold_s, nothing]),
        yard=np.concatenate(
            [np.full(n, -1, np.int64), np.array([yard_index[row.yard_id] for row in standing], np.int64)]
        ),
        yard_since_s=np.concatenate(
            [np.zeros(n), np.array([max((now - row.entered_at).total_seconds(), 0.0) for row in standing], float)]
        ),
        yard_inside_veh=_per_yard(yards, network, "inside_veh"),
        yard_capacity_veh=_per_yard(yards, network, "capacity_veh"),
        gate_settings=tuple(settings),
        road_speed_mps=_speeds(session, corridor, now),
        **_declared(declared := _not_seen(session, rows, now, horizon), gate_index, now),
    )
    return Snapshot(
        state=state,
        coming=tuple([*_coming(rows, corridor), *declared]),
        trip_of_row={i: row.trip_id for i, row in enumerate([*rows, *standing]) if row.trip_id is not None},
        yards=tuple(yards),
    )


def _coming(rows: Sequence[Any], corridor: Corridor) -> list[Truck]:
    found = []
    for i, row in enumerate(rows):
        road = corridor.roads[row.road_id]
        if road.direction != "to_border" or row.trip_direction == "import":
            continue
        found.append(
            Truck(
                index=i,
                vehicle_id=row.vehicle_id,
                trip_id=row.trip_id,
                gate_id=row.gate_id,
                perishable=bool(row.perishable),
                goods_class=row.goods_class,
                regime=row.regime,
                declared_at=row.created_at,
                planned_arrival=None,
                organisation_id=row.organisation_id,
                driver_id=row.driver_id,
                road=road.road,
                km=row.km,
            )
        )
    return found


def _not_seen(session: Session, seen: Sequence[Any], now: datetime, horizon: timedelta) -> list[Truck]:
    """Declared trucks that are not among those seen driving toward the border."""
    known = {row.trip_id for row in seen if row.trip_id is not None}
    return [
        Truck(
            index=-1,
            vehicle_id=row.vehicle_id,
            trip_id=row.trip_id,
            gate_id=row.gate_id,
            perishable=row.perishable,
            goods_class=row.goods_class,
            regime=row.regime,
            declared_at=row.created_at,
            planned_arrival=row.planned_arrival,
            organisation_id=row.organisation_id,
            driver_id=row.driver_id,
        )
        for row in store.declared_trips(session, earliest=now - LATE_BY, latest=now + horizon)
        if row.trip_id not in known
    ]


def _declared(trucks: Sequence[Truck], gate_index: dict[str, int], now: datetime) -> dict[str, Any]:
    known = [truck for truck in trucks if truck.gate_id in gate_index and truck.planned_arrival is not None]
    return {
        "declared_s": np.array([_until(truck.planned_arrival, now) for truck in known], float),
        "declared_gate": np.array([gate_index[truck.gate_id or ""] for truck in known], np.int64),
        "declared_perishable": np.array([truck.perishable for truck in known], bool),
    }


def _speeds(session: Session, corridor: Corridor, now: datetime) -> np.ndarray:
    speed = np.full(len(corridor.roads), np.nan)
    for row in store.live_speeds(session, since=now - SPEED_WINDOW, now=now):
        if row.road_id < len(speed):
            speed[row.road_id] = row.speed_mps
    return speed


def _per_yard(yards: Sequence[YardState], network: Network, name: str) -> np.ndarray:
    values = {yard.yard_id: float(getattr(yard, name)) for yard in yards}
    return np.array([values.get(yard_id, np.nan if name == "capacity_veh" else 0.0) for yard_id in network.yard_ids])


def _until(moment: datetime | None, now: datetime) -> float:
    return float("nan") if moment is None else (moment - now).total_seconds()


def _column(rows: Sequence[Any], name: str, dtype: Any, missing: Any) -> np.ndarray:
    values = [getattr(row, name) for row in rows]
    return np.array([missing if value is None else value for value in values], dtype)
