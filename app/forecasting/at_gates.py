"""Trucks at a gate, counted there with GPS or without."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.forecasting.store import TruckAtGate, TruckSeen
from app.trips.places import GatePlace, Places
from app.trips.vocabulary import PlaceKind
from geo.corridor import Corridor

NEAR_KM = 3.0
"""A truck that others saw before the gate stands where its GPS is if that is within this of the gate; assumed."""
BEFORE_BARRIER_KM = 0.02


def put_at_gates(
    seen: Sequence[TruckSeen], at_gates: Sequence[TruckAtGate], corridor: Corridor, now: datetime
) -> list[TruckSeen]:
    """The trucks seen on the roads, and those known to be at a gate, each once.

    A truck is where its GPS is if that agrees with where it is counted. Otherwise it stands at the gate: before the
    entrance, so that it counts as the queue's first, or behind it. So a phone that is off, or rides in another truck,
    takes nobody out of a queue.
    """
    places = Places.of(corridor)
    known = {truck.trip_id: truck for truck in at_gates}
    found: dict[int, TruckSeen] = {}
    for truck in seen:
        there = known.get(truck.trip_id) if truck.trip_id is not None else None
        if there is None or _agrees(truck, there, places, corridor):
            found[truck.vehicle_id] = truck
    for there in at_gates:
        gate = places.gates.get(there.gate_id)
        if gate is not None and there.vehicle_id not in found:
            found[there.vehicle_id] = _standing(there, gate, corridor, now)
    return sorted(found.values(), key=lambda truck: truck.vehicle_id)


def _agrees(truck: TruckSeen, there: TruckAtGate, places: Places, corridor: Corridor) -> bool:
    gate = places.gates.get(there.gate_id)
    if gate is None or truck.road_id is None:
        return True
    road = corridor.roads[truck.road_id].road
    way_km = gate.distance_km(road, truck.km)
    if there.kind == PlaceKind.GATE_AREA:
        return road == gate.road and truck.km is not None and truck.km <= gate.inland_km
    return there.by_gps or (way_km is not None and way_km <= gate.inland_km + NEAR_KM)


def _standing(truck: TruckAtGate, gate: GatePlace, corridor: Corridor, now: datetime) -> TruckSeen:
    is_before = truck.kind == PlaceKind.QUEUED
    km = gate.inland_km + BEFORE_BARRIER_KM if is_before else gate.km
    (road_id,), (offset_m,) = corridor.place_at(gate.road, [km], "to_border")
    return TruckSeen(
        vehicle_id=truck.vehicle_id,
        time=now,
        road_id=int(road_id),
        offset_m=float(offset_m),
        speed_mps=0.0,
        km=km,
        trip_id=truck.trip_id,
        gate_id=truck.gate_id,
        perishable=truck.perishable,
        goods_class=truck.goods_class,
        regime=truck.regime,
        trip_direction="export",
        created_at=truck.created_at,
        organisation_id=truck.organisation_id,
        driver_id=truck.driver_id,
        hold_until=None,
        by_gps=False,
        facts=truck.facts,
    )
