"""What people do at the yards: report entries and exits, enter counts, set capacities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.platform import audit, idempotency
from app.platform.permissions import Principal, Scope
from app.yards import plan
from capacity import store as capacity_store
from capacity.ledger import LedgerTruck, Movement, YardState
from capacity.store import Yard
from geo.errors import ForbiddenError, InvalidInputError
from ingest.plates import normalise_plate
from ingest.store import find_vehicle


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
        plan.emit_yards(session, [state for state in states if state.yard_id in touched], now)
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
        plan.emit_yards(session, [capacity_store.get_yard_state(session, yard_id, now)], now)
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
    plan.emit_yards(session, [capacity_store.get_yard_state(session, yard_id, now)], now)
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
