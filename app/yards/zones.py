"""What people set of yards' zones: places with effect from a time, closures planned and sudden."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.bookings.keeping import move_from_full
from app.platform.actions import ActionContext
from app.trips.yard_ledger import publish_yards
from app.yards.service import require_own_yard
from app.yards.zone_schemas import ClosureIn, ClosureOut, YardPlaces, ZoneIn, ZoneOut
from capacity import store as capacity_store
from capacity import zone_store
from geo.errors import InvalidInputError


def describe_places(session: Session, yard_id: str, now: datetime) -> YardPlaces:
    """Zones and closures of a yard; raises NotFoundError."""
    capacity_store.get_yard(session, yard_id)
    return YardPlaces(
        zones=[ZoneOut.model_validate(zone) for zone in zone_store.list_zones(session, yard_id)],
        closures=[ClosureOut.model_validate(closure) for closure in zone_store.list_closures(session, now, yard_id)],
    )


def set_places(action: ActionContext, yard_id: str, zone_id: str, values: ZoneIn) -> ZoneOut:
    """Give a zone places from a time on; raises NotFoundError, InvalidInputError for a time that is past."""
    capacity_store.get_yard(action.session, yard_id)
    since = values.since or action.now
    if since < action.now:
        raise InvalidInputError("Places are set from now on; {time} is past.", field="since", time=since.isoformat())
    zone = zone_store.set_places(
        action.session,
        yard_id,
        zone_id,
        kind=values.kind,
        places_veh=values.places_veh,
        since=since,
        now=action.now,
        by=action.actor.account_id,
    )
    action.record("yard.zone", "yard", yard_id, None, {"zone_id": zone_id, **values.model_dump(mode="json")})
    _publish(action, yard_id)
    return ZoneOut.model_validate(zone)


def close(action: ActionContext, yard_id: str, values: ClosureIn) -> ClosureOut:
    """Close a yard or a zone of it. Bookings that it has no place for any more go elsewhere, and are told why.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    NotFoundError, InvalidInputError
        If there is no such yard or zone, or the closure is over before it begins.
    """
    yard = require_own_yard(action.session, action.actor, yard_id)
    since = values.since or action.now
    if values.until is not None and values.until <= max(since, action.now):
        raise InvalidInputError(
            "The closure ends at {time}, before it begins.", field="until", time=values.until.isoformat()
        )
    closure = zone_store.add_closure(
        action.session,
        yard_id,
        zone_id=values.zone_id,
        since=since,
        until=values.until,
        places_left_veh=values.places_left_veh,
        reason=values.reason,
        now=action.now,
        by=action.actor.account_id,
    )
    after = values.model_dump(mode="json") | {"closure_id": closure.closure_id}
    action.record("yard.close", "yard", yard_id, None, after)
    move_from_full(action.by_platform(), [yard.gate_id], values.reason)
    _publish(action, yard_id)
    return ClosureOut.model_validate(closure)


def end_closure(action: ActionContext, yard_id: str, closure_id: int) -> ClosureOut:
    """End a closure; raises as `close`, and ConflictError if it is over."""
    require_own_yard(action.session, action.actor, yard_id)
    closure = zone_store.end_closure(action.session, yard_id, closure_id, now=action.now, by=action.actor.account_id)
    action.record("yard.reopen", "yard", yard_id, None, {"closure_id": closure_id})
    _publish(action, yard_id)
    return ClosureOut.model_validate(closure)


def _publish(action: ActionContext, yard_id: str) -> None:
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    publish_yards(action.session, [state], action.now)
