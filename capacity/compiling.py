"""From a yard document to the arrays of a yard problem."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from capacity.problem import (
    Bools,
    Floats,
    Ints,
    PlanWeights,
    SharedLimit,
    WaitingSpace,
    YardProblem,
    cleared_by,
    whole_trucks,
)
from capacity.problem_document import BySteps, Contract, Gate, Scenarios, Truck, YardDocument, YardSite, Zone
from capacity.scenarios import ArrivalError
from capacity.stays import expected_stays, staying_share
from capacity.vocabulary import ZoneKind
from geo.errors import InvalidInputError
from geo.opening_hours import DAY_S, OpeningHours

MAX_DRIVING_S = 4 * 3600.0
"""Driving without a break, s (QCVN 31:2014)."""


@dataclass(frozen=True)
class Places:
    """A row of the problem: the places of a zone that all may use, or those of one contract."""

    zone: Zone
    yard: YardSite
    contract: Contract | None


@dataclass(frozen=True)
class CompiledProblem:
    """The problem, and the places that its rows stand for."""

    problem: YardProblem
    places: tuple[Places, ...]


def compile_document(document: YardDocument) -> CompiledProblem:
    """The arrays of a document.

    Raises
    ------
    InvalidInputError
        If contracts keep more places than a zone has, or a convoy is larger than every zone that it may use.
    """
    step_s = document.step_s
    yards = {yard.yard_id: yard for yard in document.yards}
    gate_ids = [gate.gate_id for gate in document.gates]
    places = tuple(
        Places(zone, yards[zone.yard_id], contract) for zone in document.zones for contract in (None, *zone.contracts)
    )
    gate = np.array([gate_ids.index(row.yard.gate_id) for row in places], np.int64)
    capacity = np.array([_capacity(document, row) for row in places])
    inside = np.array([row.contract.inside if row.contract else row.zone.inside for row in places])
    crossing_open = np.array([_open_s(document, gate.opening_hours) for gate in document.gates])
    yard_open = np.array([_open_s(document, row.yard.opening_hours) for row in places])
    rate = np.array([gate.crossing_veh_per_h / 3600.0 for gate in document.gates])
    stay_ids = [stay.stay_id for stay in document.stays]
    mean_s = np.array([stay.mean_s for stay in document.stays])
    own_stay = [stay_ids.index(row.zone.stay) if row.zone.stay else 0 for row in places]
    remaining, _ = expected_stays(
        inside_veh=inside,
        dwell_s=mean_s[own_stay],
        release_veh_per_s=rate[gate],
        working_s=crossing_open[gate],
        gate=gate,
    )
    before = np.asarray(np.bincount(gate, inside, minlength=len(gate_ids)), np.float64)
    entrance, intake = _entrances(document, places, yard_open)
    allowed, arrive_s, detour_s = _ways(document, places, gate)
    _check_convoys(document, allowed, capacity)
    open_s = np.array([OpeningHours.parse(gate.opening_hours).daily_open_s for gate in document.gates])
    index = {row.zone.zone_id: j for j, row in reversed(list(enumerate(places)))}
    told = [truck.told for truck in document.trucks]
    convoys = {name: n for n, name in enumerate(sorted({truck.convoy for truck in document.trucks if truck.convoy}))}
    fresh = {truck.convoy for truck in document.trucks if truck.convoy and truck.perishable}
    problem = YardProblem(
        step_s=step_s,
        truck_ids=np.arange(len(document.trucks)),
        perishable=np.array([truck.perishable or truck.convoy in fresh for truck in document.trucks], bool),
        declared_s=np.array([_declared(document, truck) for truck in document.trucks], float),
        allowed=allowed,
        arrive_s=arrive_s,
        detour_s=detour_s,
        previous_yard=np.array([index[place.zone_id] if place else -1 for place in told], np.int64),
        previous_step=np.array(
            [document.seconds(place.place_at) // step_s if place and place.place_at else -1 for place in told], np.int64
        ),
        yard_ids=tuple(_name(row) for row in places),
        capacity_veh=capacity,
        remaining_veh=remaining,
        stay_share=_stay_shares(document, gate, crossing_open, before / np.maximum(rate, 1e-9)),
        stay_class=np.array([stay_ids.index(t.stay) if t.stay else 0 for t in document.trucks], np.int64),
        entrance=entrance,
        intake_veh=intake,
        opens=yard_open > 0.0,
        gate=gate,
        crossing_s=DAY_S / np.maximum(open_s * rate, 1e-9),
        before_veh=before,
        cleared_veh=cleared_by(rate[:, None] * crossing_open),
        weights=PlanWeights(**document.weights.model_dump()),
        convoy=np.array([convoys[t.convoy] if t.convoy else -1 for t in document.trucks], np.int64),
        waiting=_waiting(document, gate_ids),
        shared=_dock_staff(document, places),
    )
    return CompiledProblem(problem, places)


def arrival_error(document: YardDocument, scenarios: Scenarios) -> ArrivalError:
    """How uncertain each truck of a document is."""
    spread = [scenarios.arrival_spread_s if t.arrival_spread_s is None else t.arrival_spread_s for t in document.trucks]
    no_show = [scenarios.no_show if truck.no_show is None else truck.no_show for truck in document.trucks]
    return ArrivalError(np.array(spread, float), np.array(no_show, float))


def _name(row: Places) -> str:
    return row.zone.zone_id if row.contract is None else f"{row.zone.zone_id}/{row.contract.enterprise}"


def _by_steps(values: BySteps, steps: int) -> Floats:
    return np.array(values, float) if isinstance(values, tuple) else np.full(steps, float(values))


def _open_s(document: YardDocument, hours: str) -> Floats:
    return OpeningHours.parse(hours).open_seconds_by_step(document.start, document.step_s, document.steps)


def _capacity(document: YardDocument, row: Places) -> Floats:
    """Places of a row by step; a closure takes those that all may use before those of contracts."""
    zone, starts = row.zone, np.arange(document.steps) * document.step_s
    total = _by_steps(zone.capacity, document.steps)
    for closure in zone.closures:
        since_s, until_s = document.seconds(closure.since), document.seconds(closure.until)
        closed = (starts + document.step_s > since_s) & (starts < until_s)
        total = np.where(closed, np.minimum(total, closure.capacity), total)
    kept = sum(contract.places for contract in zone.contracts)
    if zone.contracts and kept > _by_steps(zone.capacity, document.steps).max():
        raise InvalidInputError(
            "Contracts in the zone {zone} add up to {kept}; its capacity is {capacity}.",
            field="contracts",
            zone=zone.zone_id,
            kept=kept,
            capacity=float(_by_steps(zone.capacity, document.steps).max()),
        )
    if row.contract is None:
        return np.maximum(total - kept, 0.0)
    return row.contract.places * np.minimum(total / max(kept, 1e-9), 1.0)


def _entrances(document: YardDocument, places: tuple[Places, ...], open_s: Floats) -> tuple[Ints, Floats]:
    """Row of the entrance of each place, and what each takes by step."""
    rates = {f"e:{entrance.entrance_id}": entrance.veh_per_h for entrance in document.entrances}
    names: list[str] = []
    intake: list[Floats] = []
    row_of = []
    for j, row in enumerate(places):
        name = f"e:{row.yard.entrance_id}" if row.yard.entrance_id else f"y:{row.yard.yard_id}"
        rate = rates.get(name, row.yard.entrance_veh_per_h)
        if name not in names:
            names.append(name)
            unlimited = np.full(document.steps, np.inf)
            intake.append(unlimited if rate is None else rate / 3600.0 * open_s[j])
        elif rate is not None:  # of yards that share it, it works while any of them is open
            intake[names.index(name)] = np.maximum(intake[names.index(name)], rate / 3600.0 * open_s[j])
        row_of.append(names.index(name))
    return np.array(row_of, np.int64), whole_trucks(np.array(intake))


def _ways(document: YardDocument, places: tuple[Places, ...], gate: Ints) -> tuple[Bools, Floats, Floats]:
    """Which places each truck may use, when it can be there, and how much longer the way is, shapes (N, Y)."""
    N, Y = len(document.trucks), len(places)
    gates = {gate.gate_id: gate for gate in document.gates}
    gate_ids = list(gates)
    waits = [_by_steps(gate.queue_wait_s, document.steps) for gate in document.gates]
    allowed = np.zeros((N, Y), bool)
    arrive = np.full((N, Y), 2.0 * document.steps * document.step_s)
    detour = np.zeros((N, Y))
    of_kind = {kind: np.array([row.zone.kind is kind for row in places]) for kind in ZoneKind}
    free = np.array([row.contract is None for row in places])
    holders = {row.contract.enterprise for row in places if row.contract}
    held = {name: np.array([bool(r.contract and r.contract.enterprise == name) for r in places]) for name in holders}
    for n, truck in enumerate(document.trucks):
        own_s = _arrival(document, truck, truck.gate_id, waits[gate_ids.index(truck.gate_id)])
        may = np.any([of_kind[kind] for kind in truck.kinds], axis=0)
        may &= free | held.get(truck.enterprise or "", np.zeros(Y, bool))
        for gate_id in truck.arrive_at:
            if gate_id != truck.gate_id and not _takes(gates[gate_id], truck):
                continue
            g = gate_ids.index(gate_id)
            there_s = _arrival(document, truck, gate_id, waits[g])
            rows = may & (gate == g)
            allowed[n, rows] = True
            arrive[n, rows] = there_s
            if gate_id != truck.gate_id:
                detour[n, rows] = max(there_s - own_s, 0.0) + document.change_of_gate_s
    return allowed, arrive, detour


def _takes(gate: Gate, truck: Truck) -> bool:
    takes_regime = gate.regimes is None or truck.regime in gate.regimes
    return takes_regime and (gate.goods is None or truck.goods in gate.goods)


def _arrival(document: YardDocument, truck: Truck, gate_id: str, wait_s: Floats) -> float:
    """When a truck can be at a gate's yards, s from the start: its breaks and the queue that is forecast added."""
    at_s = document.seconds(truck.arrive_at[gate_id])
    own_s = document.seconds(truck.arrive_at[truck.gate_id])
    drive_s = truck.drive_s if truck.drive_s is not None else max(own_s, 0.0) if truck.on_road else 0.0
    drive_s += at_s - own_s
    beyond_s = drive_s - truck.driving_left_s
    breaks = 0 if beyond_s <= 0.0 else 1 + int(beyond_s // MAX_DRIVING_S)
    at_s = max(at_s, 0.0) + breaks * truck.break_s
    step = min(int(at_s // document.step_s), document.steps - 1)
    return at_s + float(wait_s[step])


def _stay_shares(document: YardDocument, gate: Ints, open_s: Floats, before_s: Floats) -> Floats:
    """Shares that stay, by class of stay and place, shape (K, Y, T, T); nobody leaves before those that came first."""
    worked = np.concatenate([np.zeros((len(open_s), 1)), np.cumsum(open_s, axis=1)[:, :-1]], axis=1)
    by_gate = [
        [staying_share(worked[g], max(stay.mean_s, before_s[g]), stay.spread) for g in range(len(open_s))]
        for stay in document.stays
    ]
    shares: Floats = np.array(by_gate)[:, gate]
    return shares


def _waiting(document: YardDocument, gate_ids: list[str]) -> WaitingSpace:
    serves = np.array([[g in area.gates for g in gate_ids] for area in document.staging], bool)
    staging = np.array([_by_steps(area.capacity, document.steps) for area in document.staging], float)
    return WaitingSpace(
        home_gate=np.array([gate_ids.index(truck.gate_id) for truck in document.trucks], np.int64),
        on_road=np.array([truck.on_road for truck in document.trucks], bool),
        staging_veh=staging.reshape(len(document.staging), document.steps),
        serves=serves.reshape(len(document.staging), len(gate_ids)),
    )


def _dock_staff(document: YardDocument, places: tuple[Places, ...]) -> SharedLimit | None:
    """The docks that the staff of each yard can serve at a time."""
    staffed = [yard for yard in document.yards if yard.dock_staff is not None]
    if not staffed:
        return None
    uses = [[row.yard.yard_id == yard.yard_id and row.zone.kind is ZoneKind.DOCK for row in places] for yard in staffed]
    limit = [_by_steps(yard.dock_staff, document.steps) for yard in staffed if yard.dock_staff is not None]
    return SharedLimit(np.array(uses, bool), np.array(limit))


def _declared(document: YardDocument, truck: Truck) -> float:
    return 0.0 if truck.declared_at is None else document.seconds(truck.declared_at)


def _check_convoys(document: YardDocument, allowed: Bools, capacity: Floats) -> None:
    sizes = Counter(truck.convoy for truck in document.trucks if truck.convoy)
    for convoy, size in sizes.items():
        members = [n for n, truck in enumerate(document.trucks) if truck.convoy == convoy]
        rooms = capacity.max(axis=1)[allowed[members].all(axis=0)]
        if size > rooms.max(initial=0.0):
            raise InvalidInputError(
                "The convoy {convoy} has {size} trucks, and no zone that all of them may use holds more than {room}.",
                field="convoy",
                convoy=convoy,
                size=size,
                room=int(rooms.max(initial=0.0)),
            )
