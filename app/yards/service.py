"""What people do at the yards: report entries and exits, enter counts, set capacities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.trips.presence_keeping import PresenceKeeper
from app.trips.yard_ledger import publish_yards
from app.yards import store
from app.yards.gate_stop import GateStop, find_stop
from app.yards.zone_fill import ZoneFill, fill_zones
from capacity import count_store, difference_store, zone_store
from capacity import store as capacity_store
from capacity.counting import doubt_count
from capacity.ledger import LedgerTruck, Movement, YardState
from capacity.store import Yard
from capacity.vocabulary import ZoneKind
from geo.errors import ForbiddenError, InvalidInputError, UnlikelyError
from ingest.plates import normalise_plate
from ingest.store import find_vehicle


def move_by_hand(
    action: ActionContext,
    yard_id: str,
    *,
    plate: str,
    kind: str,
    time: datetime | None,
    key: str | None,
    body: bytes,
    keeper: PresenceKeeper,
) -> tuple[YardState, GateStop | None]:
    """Enter that a truck came or went, as the yard operator saw it; the yard's state after it, and why to stop it.

    What was seen is entered in any case. If the truck is on a trip, it is thereby where its operator saw it.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    InvalidInputError
        If the plate is none, or the time is in the future or older than a day.
    """
    yard = require_own_yard(action.session, action.actor, yard_id)
    moment = time or action.now
    if moment > action.now or moment < action.now - capacity_store.KEEP_STAYS:
        raise InvalidInputError(
            "An entry or exit is reported within a day; {time} is not in the past 24 hours.",
            field="time",
            time=moment.isoformat(),
        )
    plate_norm = normalise_plate(plate)
    stop = find_stop(yard, store.find_trip_at_yard(action.session, plate_norm))

    def enter() -> int:
        vehicle = find_vehicle(action.session, plate_norm)
        truck = LedgerTruck(vehicle.vehicle_id if vehicle else None, plate_norm)
        report = Movement(truck, kind, moment, "manual", recorded_by=action.actor.account_id)
        trip_ids = keeper.lock_trips_of(action.session, plate_norm)  # trips before yards, as officers' acts lock them
        touched = capacity_store.record_movements(action.session, [(yard_id, report)], now=action.now)
        states = capacity_store.yard_states(action.session, action.now)
        publish_yards(action.session, [state for state in states if state.yard_id in touched], action.now)
        keeper.settle(action.by_platform(), trip_ids)
        after = {"plate": plate_norm, "kind": kind, "time": moment.isoformat(), "stop": stop.code if stop else None}
        action.record(f"yard.{kind}", "yard", yard_id, None, after)
        return 1

    idempotency.once(action, f"yard.move.{yard_id}", key, [body], enter)
    return capacity_store.get_yard_state(action.session, yard_id, action.now), stop


def count_by_hand(
    action: ActionContext,
    yard_id: str,
    *,
    inside_veh: int,
    time: datetime | None,
    is_confirmed: bool,
    key: str | None,
    body: bytes,
) -> YardState:
    """Enter a count of the vehicles inside; the yard's state after it, with what contradicts.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    InvalidInputError, ConflictError
        As `capacity.store.record_count`.
    UnlikelyError
        If the count is more than the yard can hold, or far from what reads tell, and is not confirmed.
    """
    yard = require_own_yard(action.session, action.actor, yard_id)

    def enter() -> int:
        if not is_confirmed:
            known = count_store.find_occupancy(action.session, yard_id, time or action.now)
            doubt = doubt_count(inside_veh, capacity_veh=yard.capacity_veh, known=known)
            if doubt is not None:
                raise UnlikelyError(doubt.message, field="inside", **doubt.values)
        before = capacity_store.get_yard_state(action.session, yard_id, action.now).inside_veh
        count_id = capacity_store.record_count(
            action.session,
            yard_id,
            inside_veh,
            time=time or action.now,
            now=action.now,
            counted_by=action.actor.account_id,
            is_confirmed=is_confirmed,
        )
        publish_yards(action.session, [capacity_store.get_yard_state(action.session, yard_id, action.now)], action.now)
        after = {"inside_veh": inside_veh}
        action.record("yard.count", "yard", yard_id, {"inside_veh": before}, after)
        return count_id

    idempotency.once(action, f"yard.count.{yard_id}", key, [body], enter)
    return capacity_store.get_yard_state(action.session, yard_id, action.now)


def take_back_count(action: ActionContext, yard_id: str, count_id: int) -> YardState:
    """Undo the last count of a yard; its state without it.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    NotFoundError, ConflictError
        As `capacity.count_store.take_back_count`.
    """
    require_own_yard(action.session, action.actor, yard_id)
    before = capacity_store.get_yard_state(action.session, yard_id, action.now)
    count_store.take_back_count(action.session, yard_id, count_id, now=action.now, by=action.actor.account_id)
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    publish_yards(action.session, [state], action.now)
    changed = {"inside_veh": before.inside_veh}, {"inside_veh": state.inside_veh, "count_id": count_id}
    action.record("yard.count_undone", "yard", yard_id, *changed)
    return state


def settle_truck(action: ActionContext, yard_id: str, truck_key: str) -> YardState:
    """The ledger is right about an odd truck: it is settled; the yard's state after it.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    NotFoundError, ConflictError
        If there is no such yard, or nothing is odd about the truck.
    """
    require_own_yard(action.session, action.actor, yard_id)
    flag = difference_store.settle(action.session, yard_id, truck_key)
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    publish_yards(action.session, [state], action.now)
    action.record("yard.settled", "yard", yard_id, {"truck": truck_key, "flag": flag}, {"truck": truck_key})
    return state


def change_capacity(
    action: ActionContext, yard_id: str, capacity_veh: int, opening_hours: str | None = None, *, expected_version: int
) -> Yard:
    """Set how many vehicles a yard holds and, if given, its hours; raises NotFoundError, StaleError."""
    before = capacity_store.get_yard(action.session, yard_id)
    after = capacity_store.set_capacity(
        action.session,
        yard_id,
        capacity_veh,
        version=expected_version,
        now=action.now,
        by=action.actor.account_id,
        opening_hours=opening_hours,
    )
    publish_yards(action.session, [capacity_store.get_yard_state(action.session, yard_id, action.now)], action.now)
    changes = [{"capacity_veh": yard.capacity_veh, "opening_hours": yard.opening_hours} for yard in (before, after)]
    action.record("yard.capacity", "yard", yard_id, *changes)
    return after


def fill_now(session: Session, state: YardState, now: datetime) -> list[ZoneFill]:
    """Each zone of a yard as it fills, of one without zones the whole."""
    return fill_zones(
        zone_store.list_zones(session, state.yard_id),
        zone_store.list_closures(session, now, state.yard_id),
        store.inside_kinds(session, state.yard_id),
        inside_veh=state.inside_veh,
        whole_veh=capacity_store.get_yard(session, state.yard_id).capacity_veh,
        now=now,
    )


def fills_by_yard(session: Session, now: datetime) -> dict[str, list[ZoneFill]]:
    """Each zone as it fills, of the yards that have zones."""
    zoned = {zone.yard_id for zone in zone_store.list_zones(session)}
    states = capacity_store.yard_states(session, now) if zoned else ()
    return {state.yard_id: fill_now(session, state, now) for state in states if state.yard_id in zoned}


def free_kinds(session: Session, now: datetime) -> dict[str, dict[ZoneKind, int]]:
    """Places of each kind that are free now, of yards with zones."""
    found: dict[str, dict[ZoneKind, int]] = {}
    for yard_id, fills in fills_by_yard(session, now).items():
        kinds = found.setdefault(yard_id, {})
        for zone in fills:
            kinds[zone.kind] = kinds.get(zone.kind, 0) + max(0, zone.open_veh - zone.inside_veh)
    return found


def require_own_yard(session: Session, principal: Principal, yard_id: str, act: str = "yards.move") -> Yard:
    """The yard, if the caller may do `act` there; raises NotFoundError, ForbiddenError."""
    yard = capacity_store.get_yard(session, yard_id)
    if principal.require(act) is Scope.OWN_GATE and principal.gate_id != yard.gate_id:
        raise ForbiddenError("The yard {yard_id} belongs to another gate than yours.", yard_id=yard_id)
    return yard
