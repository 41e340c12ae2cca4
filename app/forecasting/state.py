"""The corridor now: its one assembly from what the packages store.

Forecast, yard plan, advice and the planner's base run start from it; the queue that pages show is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.forecasting.arrivals import learn_arrivals
from app.forecasting.at_gates import put_at_gates
from app.forecasting.channels import channel_factors, check_factors
from app.forecasting.demand_events import BANNED_SHOW_UP, Load, kept_out
from app.forecasting.served_places import learn_places, served_places
from app.forecasting.state_demand import (
    coming_hours,
    gate_share,
    import_arrivals,
    keeping,
    keeping_arrays,
    recent_arrivals,
    seen_share,
)
from app.forecasting.state_line import Lines, find_lines
from app.forecasting.state_pace import SILENT_S, gate_paces, import_paces, served_at_a_time
from app.forecasting.state_readings import HORIZON, Readings, read
from app.forecasting.stays import with_stays
from app.forecasting.store import DeclaredTrip, TruckInside, TruckSeen
from app.forecasting.waiting import Waiting, find_waiting
from app.gates.served_place import ServedPlace
from app.trips.place_need import hazards_of, need_of
from capacity.ledger import YardState
from capacity.vocabulary import ZoneKind
from geo.corridor import Corridor
from routing.arrays import FloatArray, IntArray
from routing.demand import CorridorState, beside_each_seen
from routing.gates import GateSetting
from routing.graph import Network
from routing.measure import QueueNow, measure_queues
from routing.pace import GatePace


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
    site_id: str | None = None
    """The geofence around it."""
    need: ZoneKind = ZoneKind.STANDARD
    """The kind of place in a yard that it needs."""
    hazards: frozenset[str] = frozenset()
    """Classes of the dangerous goods that it carries."""


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
    learned: Mapping[str, ServedPlace] = field(default_factory=dict)
    """Gate → where it serves trucks, as those that passed lately show."""
    waiting: Waiting = field(default_factory=Waiting)
    """Who waits for which gate, and what is known of those that wait no more."""

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
    """The corridor at `now`, from what the platform's stores hold."""
    return compose(read(session, now, horizon=horizon), corridor, network, settings, now)


def compose(
    readings: Readings, corridor: Corridor, network: Network, settings: Sequence[GateSetting], now: datetime
) -> CorridorNow:
    """The corridor at `now` from what was read: trucks seen, at gates, inside, declared, speeds, how gates work. Pure.

    Trucks without a trip that drive on the corridor count like the others; their gate is unknown.
    """
    settings = with_stays(settings, readings.stays)
    gate_index = {gate_id: i for i, gate_id in enumerate(network.gate_ids)}
    yard_index = {yard_id: i for i, yard_id in enumerate(network.yard_ids)}
    yards = readings.yards
    stays = {truck.vehicle_id: truck for truck in readings.inside if truck.yard_id in yard_index}
    inside = [truck for truck in stays.values() if truck.vehicle_id is not None]
    seen = [
        truck
        for truck in readings.seen
        if truck.vehicle_id not in stays and truck.road_id is not None and truck.road_id < len(corridor.roads)
    ]
    at_gates = [truck for truck in readings.at_gates if truck.vehicle_id not in stays]
    learned = learn_places(readings.passages, now)
    places = served_places(settings, learned, readings.served)
    at_work = served_at_a_time(settings)
    put = put_at_gates(seen, at_gates, corridor, now)
    lines = find_lines(put, corridor, network, at_work, places)
    seen = list(lines.seen)
    known = {truck.trip_id for truck in seen if truck.trip_id is not None}
    declared = [trip for trip in readings.declared if trip.trip_id not in known]
    expected = [trip for trip in declared if trip.gate_id in gate_index]
    everybody: list[TruckSeen | TruckInside] = [*seen, *inside]
    n, m = len(seen), len(inside)
    nobody = np.full(m, np.nan)
    undeclared = [truck for truck in seen if truck.trip_id is None]
    share = gate_share(readings.passages, network)
    seen_by_gps = seen_share(readings.counted)
    lateness_s, lateness_sd_s, show_up = keeping_arrays(
        [trip.organisation_id for trip in expected], keeping(readings.punctuality)
    )
    on_trips: list[TruckSeen | DeclaredTrip] = [*(truck for truck in seen if truck.trip_id is not None), *declared]
    loads = [Load(truck.goods_class, truck.regime) for truck in on_trips]
    banned = kept_out(readings.bans, expected)
    coming_up = coming_hours(
        learn_arrivals(readings.history),
        network,
        now,
        horizon_h=HORIZON.total_seconds() / 3600.0,
        events=readings.events,
        bans=readings.bans,
        loads=loads,
    )
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
        is_declared=np.array([truck.trip_id is not None for truck in everybody], bool),
        age_s=np.concatenate([_floats(max((now - truck.time).total_seconds(), 0.0) for truck in seen), np.zeros(m)]),
        check_factor=check_factors(
            channel_factors(readings.passages, places),
            [*(truck.gate_id for truck in seen), *(truck.gate_id for truck in inside)],
            [*(truck.channel for truck in seen), *([None] * m)],
        ),
        hold_until_s=np.concatenate([_floats(_until_s(truck.hold_until, now) for truck in seen), nobody]),
        yard=np.concatenate([np.full(n, -1, np.int64), _ints(yard_index[truck.yard_id] for truck in inside)]),
        yard_since_s=np.concatenate(
            [np.zeros(n), _floats(max((now - truck.entered_at).total_seconds(), 0.0) for truck in inside)]
        ),
        yard_inside_veh=_per_yard(yards, network, lambda yard: yard.inside_veh, missing=0.0),
        yard_capacity_veh=_per_yard(yards, network, lambda yard: yard.capacity_veh, missing=np.nan),
        yard_changes={
            yard_id: tuple(each for each in places if each.from_s > 0.0)
            for yard_id, places in readings.yard_places.items()
            if yard_id in yard_index
        },
        declared_s=_floats(_until_s(trip.planned_arrival, now) for trip in expected),
        declared_gate=_ints(gate_index[trip.gate_id] for trip in expected),
        declared_perishable=np.array([trip.perishable for trip in expected], bool),
        declared_lateness_s=lateness_s,
        declared_lateness_sd_s=lateness_sd_s,
        declared_show_up=np.where(banned, np.minimum(show_up, BANNED_SHOW_UP), show_up),
        recent_hourly_veh=recent_arrivals(
            _ints(truck.road_id for truck in undeclared),
            _floats((truck.offset_m for truck in undeclared), 0.0),
            share,
            seen_by_gps,
            network,
        ),
        import_pace=import_paces(readings.imports, settings, now),
        import_hourly_veh=import_arrivals(readings.imports, network, now),
        arrival_factor=coming_up.factor,
        undeclared_hourly_veh=coming_up.expected_veh,
        gate_settings=tuple(settings),
        road_speed_mps=_speeds(readings.road_speed_mps, corridor),
        seen_share=seen_by_gps,
        gate_share=share,
        served_km=np.array([places[gate_id].km if gate_id in places else np.nan for gate_id in network.gate_ids]),
    )
    queue = measure_queues(network, state)
    state = replace(state, **_pace(readings, state, network, queue, lines, places))
    return CorridorNow(
        state=state,
        coming=(*_on_the_road(seen, corridor), *map(_not_on_the_road, declared)),
        trip_of_row={i: truck.trip_id for i, truck in enumerate(everybody) if truck.trip_id is not None},
        yards=yards,
        gate_ids=network.gate_ids,
        queue=queue,
        learned=learned,
        waiting=find_waiting(readings, put, lines, state, queue, network),
    )


class _Pace(TypedDict):
    pace: Mapping[str, GatePace]
    served_veh: Mapping[str, float]
    busy_lane_s: Mapping[str, float]


def _pace(
    readings: Readings,
    state: CorridorState,
    network: Network,
    queue: QueueNow,
    lines: Lines,
    places: Mapping[str, ServedPlace],
) -> _Pace:
    """The filtered pace of each gate, and what it stands on."""
    waiting: dict[str, list[datetime]] = {}
    silent: dict[str, list[datetime]] = {}
    for i, truck in enumerate(lines.seen):
        since = readings.drove_freely.get(truck.vehicle_id)
        gate_id = lines.in_line.get(truck.vehicle_id)
        if gate_id is None and queue.member[i] >= 0:
            gate_id = network.gate_ids[queue.member[i]]
        if gate_id is not None and since is not None:
            waiting.setdefault(gate_id, []).append(since)
            if (state.made_at - truck.time).total_seconds() > SILENT_S:
                silent.setdefault(gate_id, []).append(truck.time)
    settings = state.gate_settings
    pace = gate_paces(
        [passage for passage in readings.passages if passage.vehicle_id not in lines.in_line],
        readings.exits,
        waiting,
        settings,
        state.made_at,
        gps_share=1.0 / (1.0 + beside_each_seen(state.seen_share)),
        with_lines=set(lines.in_line.values()),
        places=places,
        declared=readings.lanes,
        silent=silent,
    )
    lanes = {setting.gate_id: setting.entrance.lanes for setting in settings if setting.direction == "export"}
    return {
        "pace": pace,
        "served_veh": {gate_id: each.served_veh for gate_id, each in pace.items()},
        "busy_lane_s": {gate_id: each.busy_s * lanes[gate_id] for gate_id, each in pace.items()},
    }


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
                site_id=truck.site_id,
                need=need_of(truck.goods_class, truck.facts or {}),
                hazards=hazards_of(truck.facts or {}),
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
        need=need_of(trip.goods_class, trip.facts or {}),
        hazards=hazards_of(trip.facts or {}),
    )


def _speeds(known: Mapping[int, float], corridor: Corridor) -> FloatArray:
    speed_mps = np.full(len(corridor.roads), np.nan)
    for road_id, median_mps in known.items():
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
