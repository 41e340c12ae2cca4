"""What people do at the yards and gates: report entries and exits, enter counts, set capacities and hours,
queue scenarios."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from sqlalchemy.orm import Session

from app import idempotency
from app.accounts import audit
from app.accounts.permissions import Principal, Scope
from app.control import yards
from app.control.scenarios import PLANNERS
from app.events import emit
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement, YardState
from capacity.store import Yard
from geo.corridor import Corridor
from geo.errors import ForbiddenError, InvalidInputError, NotFoundError
from ingest.plates import normalise_plate
from ingest.store import find_vehicle
from routing import store as routing_store
from routing.graph import build_network
from routing.scenario import Scenario
from routing.scenario_inputs import check_names
from routing.store import StoredGateSetting
from routing.tables import ScenarioRunRow

MAX_QUEUED = 10
"""Scenario runs one planner may have waiting."""


def move_by_hand(
    session: Session,
    principal: Principal,
    yard_id: str,
    *,
    plate: str,
    kind: str,
    time: datetime | None,
    now: datetime,
    key: str | None,
    body: bytes,
    address: str = "",
) -> YardState:
    """Enter that a truck came or went, as the yard operator saw it; the yard's state after it.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    InvalidInputError
        If the plate is none, or the time is in the future or older than a day.
    """
    _own_yard(session, principal, yard_id)
    moment = time or now
    if moment > now or moment < now - capacity_store.KEEP_STAYS:
        raise InvalidInputError(
            "An entry or exit is reported within a day; {time} is not in the past 24 hours.",
            field="time",
            time=moment.isoformat(),
        )
    plate_norm = normalise_plate(plate)

    def enter() -> int:
        vehicle = find_vehicle(session, plate_norm)
        truck = LedgerTruck(vehicle.vehicle_id if vehicle else None, plate_norm)
        report = Movement(truck, kind, moment, "manual", recorded_by=principal.account_id)
        touched = capacity_store.record_movements(session, [(yard_id, report)])
        states = capacity_store.yard_states(session, now)
        yards.emit_yards(session, [state for state in states if state.yard_id in touched], now)
        after = {"plate": plate_norm, "kind": kind, "time": moment.isoformat()}
        audit.record(session, principal, f"yard.{kind}", "yard", yard_id, None, after, at=now, address=address)
        return 1

    idempotency.once(session, principal, f"yard.move.{yard_id}", key=key, body=body, now=now, make=enter)
    return capacity_store.get_yard_state(session, yard_id, now)


def count_by_hand(
    session: Session,
    principal: Principal,
    yard_id: str,
    *,
    inside_veh: int,
    time: datetime | None,
    now: datetime,
    key: str | None,
    body: bytes,
    address: str = "",
) -> YardState:
    """Enter a count of the vehicles inside; the yard's state after it, with what contradicts.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    InvalidInputError, ConflictError
        As `capacity.store.record_count`.
    """
    _own_yard(session, principal, yard_id)

    def enter() -> int:
        before = capacity_store.get_yard_state(session, yard_id, now).inside_veh
        count_id = capacity_store.record_count(
            session, yard_id, inside_veh, time=time or now, now=now, counted_by=principal.account_id
        )
        yards.emit_yards(session, [capacity_store.get_yard_state(session, yard_id, now)], now)
        after = {"inside_veh": inside_veh}
        audit.record(
            session, principal, "yard.count", "yard", yard_id, {"inside_veh": before}, after, at=now, address=address
        )
        return count_id

    idempotency.once(session, principal, f"yard.count.{yard_id}", key=key, body=body, now=now, make=enter)
    return capacity_store.get_yard_state(session, yard_id, now)


def change_capacity(
    session: Session,
    principal: Principal,
    yard_id: str,
    capacity_veh: int,
    *,
    version: int,
    now: datetime,
    address: str = "",
) -> Yard:
    """Set how many vehicles a yard holds; raises NotFoundError, StaleError."""
    before = capacity_store.get_yard(session, yard_id)
    after = capacity_store.set_capacity(
        session, yard_id, capacity_veh, version=version, now=now, by=principal.account_id
    )
    yards.emit_yards(session, [capacity_store.get_yard_state(session, yard_id, now)], now)
    audit.record(
        session,
        principal,
        "yard.capacity",
        "yard",
        yard_id,
        {"capacity_veh": before.capacity_veh},
        {"capacity_veh": after.capacity_veh},
        at=now,
        address=address,
    )
    return after


def change_gate(
    session: Session,
    principal: Principal,
    gate_id: str,
    direction: str,
    changes: Mapping[str, Any],
    *,
    version: int,
    now: datetime,
    address: str = "",
) -> StoredGateSetting:
    """Set how one direction of a gate works; raises InvalidInputError, NotFoundError, StaleError."""
    before = routing_store.get_gate_setting(session, gate_id, direction)
    after = routing_store.update_gate_setting(
        session, gate_id, direction, changes, version=version, now=now, updated_by=principal.account_id
    )
    audit.record(
        session,
        principal,
        "gate.setting",
        "gate",
        f"{gate_id}/{direction}",
        {name: _plain(getattr(before, name)) for name in changes},
        {name: _plain(getattr(after, name)) for name in changes},
        at=now,
        address=address,
    )
    return after


def queue_scenario(
    session: Session,
    principal: Principal,
    corridor: Corridor,
    scenario: Scenario,
    *,
    runs: int,
    seed: int | None,
    now: datetime,
) -> uuid.UUID:
    """Put a scenario in the queue; the id of its run.

    Raises
    ------
    InvalidInputError
        If it names what the corridor does not have, or the planner has too many waiting.
    """
    network = build_network(corridor)
    check_names(scenario, network.gate_ids, network.yard_ids, tuple(network.staging_link))
    waiting = [
        row
        for row in routing_store.scenario_runs(session, created_by=principal.account_id)
        if row.status in ("queued", "running")
    ]
    if len(waiting) >= MAX_QUEUED:
        raise InvalidInputError(
            "You have {waiting} runs waiting; let them end or cancel some.", field="scenario", waiting=len(waiting)
        )
    row = routing_store.add_scenario_run(
        session,
        {"scenario": scenario.to_record(), "runs": runs},
        seed=secrets.randbelow(2**31) if seed is None else seed,
        created_by=principal.account_id,
        now=now,
    )
    emit(session, "scenario", PLANNERS, {"run_id": str(row.run_id), "status": "queued", "progress": 0.0}, at=now)
    return row.run_id


def cancel_scenario(session: Session, run_id: uuid.UUID, now: datetime) -> ScenarioRunRow:
    """Cancel a run that waits or works; raises NotFoundError, ConflictError."""
    row = routing_store.cancel_scenario_run(session, run_id, now=now)
    data = {"run_id": str(run_id), "status": row.status, "progress": row.progress}
    emit(session, "scenario", PLANNERS, data, at=now)
    return row


def _own_yard(session: Session, principal: Principal, yard_id: str) -> Yard:
    yard = capacity_store.get_yard(session, yard_id)
    if principal.require("yards.move") is Scope.OWN_GATE and principal.gate_id != yard.gate_id:
        raise ForbiddenError("The yard {yard_id} belongs to another gate than yours.", yard_id=yard_id)
    return yard


def describe_yard(state: YardState) -> dict[str, Any]:
    """A yard's state as plain JSON values."""
    return {
        "yard_id": state.yard_id,
        "gate_id": state.gate_id,
        "kind": state.kind,
        "capacity": state.capacity_veh,
        "inside": state.inside_veh,
        "reserved": state.reserved_veh,
        "free": state.free_veh,
        "as_of": state.as_of.isoformat(),
        "version": state.version,
        "contradictions": [{"code": one.code, **one.values} for one in state.contradictions],
    }


def get_gate_id(corridor: Corridor, gate_id: str) -> str:
    """The gate's id if the corridor has it; raises NotFoundError."""
    if gate_id not in {site.site_id for site in corridor.gates()}:
        raise NotFoundError("There is no gate {gate_id}.", field="gate", gate_id=gate_id)
    return gate_id


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | time) else value
