"""What people set of yards: places of zones with effect from a time, closures planned and sudden, prices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from sqlalchemy.orm import Session

from app.accounts.service import account_names
from app.bookings.keeping import move_from_full
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.trips.yard_ledger import publish_yards
from app.yards.service import require_own_yard
from app.yards.zone_schemas import ClosureIn, ClosureOut, PlacesOut, PriceIn, PriceOut, YardPlaces, ZoneIn, ZoneOut
from capacity import store as capacity_store
from capacity import zone_store
from capacity.counting import shift_at
from capacity.vocabulary import Shift
from capacity.zones import Closure, PlacesChange, Price, Zone, prices_at
from geo.errors import InvalidInputError

ACT = "yards.write"
READ = "yard_places.read"
Names = dict[int, str]


class _Who(TypedDict):
    entered_name: str | None
    shift: Shift
    undone_name: str | None


def describe_places(session: Session, yard_id: str, now: datetime) -> YardPlaces:
    """Zones, closures and prices of a yard, with who entered them; raises NotFoundError."""
    yard = capacity_store.get_yard(session, yard_id)
    zones, prices = zone_store.list_zones(session, yard_id), zone_store.list_prices(session, yard_id)
    closures = zone_store.list_closures(session, now, yard_id)
    changes = [change for zone in zones for change in zone.changes]
    entries: list[PlacesChange | Closure | Price] = [*changes, *closures, *prices]
    people = [entry.entered_by for entry in entries]
    people += [change.undone_by for change in changes] + [price.undone_by for price in prices]
    names: Names = account_names(session, people)
    asked = {price.price_id for price in prices_at(now, prices)}
    return YardPlaces(
        yard_id=yard_id,
        opening_hours=yard.opening_hours,
        places_veh=zone_store.places_ahead(session, now, 0.0, 1)[yard_id][0],
        zones=[_zone(zone, names, now) for zone in zones],
        closures=[_closure(closure, names) for closure in closures],
        prices=[_price(price, names, price.price_id in asked) for price in prices],
    )


def set_places(action: ActionContext, yard_id: str, zone_id: str, values: ZoneIn, *, key: str | None = None) -> ZoneOut:
    """Give a zone places from a time on.

    Raises
    ------
    ForbiddenError, NotFoundError
        If the yard is at another gate than the caller's, or there is none.
    InvalidInputError
        If the time is past.
    """
    require_own_yard(action.session, action.actor, yard_id, ACT)
    since = _from_now_on(values.since, action.now)

    def enter() -> int:
        change_id = zone_store.set_places(
            action.session,
            yard_id,
            zone_id,
            kind=values.kind,
            places_veh=values.places_veh,
            since=since,
            now=action.now,
            by=action.actor.account_id,
            hours=values.hours,
        )
        action.record("yard.zone", "yard", yard_id, None, {"zone_id": zone_id, **values.model_dump(mode="json")})
        _publish(action, yard_id)
        return change_id

    idempotency.once(action, f"yard.zone.{yard_id}", key, [zone_id.encode(), values], enter)
    places = describe_places(action.session, yard_id, action.now)
    return next(zone for zone in places.zones if zone.zone_id == zone_id)


def take_places_back(action: ActionContext, yard_id: str, change_id: int) -> YardPlaces:
    """Take a change of a zone's places back; raises as `set_places`, and ConflictError if that was done already."""
    return _take_back(action, yard_id, "yard.zone_undone", "change_id", change_id, zone_store.take_places_back)


def set_price(action: ActionContext, yard_id: str, values: PriceIn, *, key: str | None = None) -> YardPlaces:
    """Set what a place costs from a time on; raises as `set_places`, also for an unknown zone."""
    require_own_yard(action.session, action.actor, yard_id, ACT)
    since = _from_now_on(values.since, action.now)

    def enter() -> int:
        price_id = zone_store.add_price(
            action.session,
            yard_id,
            zone_id=values.zone_id,
            unit=values.unit,
            price_vnd=values.price_vnd,
            since=since,
            now=action.now,
            by=action.actor.account_id,
        )
        after = values.model_dump(mode="json") | {"price_id": price_id}
        action.record("yard.price", "yard", yard_id, None, after)
        return price_id

    idempotency.once(action, f"yard.price.{yard_id}", key, [values], enter)
    return describe_places(action.session, yard_id, action.now)


def take_price_back(action: ActionContext, yard_id: str, price_id: int) -> YardPlaces:
    """Take a price back; raises as `take_places_back`."""
    return _take_back(action, yard_id, "yard.price_undone", "price_id", price_id, zone_store.take_price_back)


def close(action: ActionContext, yard_id: str, values: ClosureIn, *, key: str | None = None) -> ClosureOut:
    """Close a yard or a zone of it. Bookings that it has no place for any more go elsewhere, and are told why.

    Raises
    ------
    ForbiddenError
        If the yard is at another gate than the operator's.
    NotFoundError, InvalidInputError
        If there is no such yard or zone, or the closure is over before it begins.
    """
    yard = require_own_yard(action.session, action.actor, yard_id, ACT)
    since = values.since or action.now
    check_end(values, action.now)

    def enter() -> int:
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
        return closure.closure_id

    closure_id = idempotency.once(action, f"yard.close.{yard_id}", key, [values], enter)
    return _named_closure(action.session, zone_store.get_closure(action.session, closure_id))


def check_end(values: ClosureIn, now: datetime) -> None:
    """Raise InvalidInputError if a closure ends before it begins, or before now."""
    if values.until is not None and values.until <= max(values.since or now, now):
        raise InvalidInputError(
            "The closure ends at {time}, before it begins.", field="until", time=values.until.isoformat()
        )


def end_closure(action: ActionContext, yard_id: str, closure_id: int) -> ClosureOut:
    """End a closure; raises as `close`, and ConflictError if it is over."""
    require_own_yard(action.session, action.actor, yard_id, ACT)
    closure = zone_store.end_closure(action.session, yard_id, closure_id, now=action.now, by=action.actor.account_id)
    action.record("yard.reopen", "yard", yard_id, None, {"closure_id": closure_id})
    _publish(action, yard_id)
    return _named_closure(action.session, closure)


def _take_back(
    action: ActionContext, yard_id: str, act: str, name: str, entry_id: int, take_back: Callable[..., None]
) -> YardPlaces:
    require_own_yard(action.session, action.actor, yard_id, ACT)
    take_back(action.session, yard_id, entry_id, now=action.now, by=action.actor.account_id)
    action.record(act, "yard", yard_id, None, {name: entry_id})
    _publish(action, yard_id)
    return describe_places(action.session, yard_id, action.now)


def _from_now_on(since: datetime | None, now: datetime) -> datetime:
    if since is not None and since < now:
        raise InvalidInputError("Places are set from now on; {time} is past.", field="since", time=since.isoformat())
    return since or now


def _publish(action: ActionContext, yard_id: str) -> None:
    state = capacity_store.get_yard_state(action.session, yard_id, action.now)
    publish_yards(action.session, [state], action.now)


def _named_closure(session: Session, closure: Closure) -> ClosureOut:
    return _closure(closure, account_names(session, [closure.entered_by]))


def _who(entry: PlacesChange | Closure | Price, names: Names) -> _Who:
    undone_by = getattr(entry, "undone_by", None)
    return {
        "entered_name": names.get(entry.entered_by or 0),
        "shift": shift_at(entry.entered_at),
        "undone_name": names.get(undone_by or 0),
    }


def _zone(zone: Zone, names: Names, now: datetime) -> ZoneOut:
    changes = [
        PlacesOut.model_validate({**vars(change), "hours": str(change.hours or ""), **_who(change, names)})
        for change in zone.changes
    ]
    return ZoneOut(
        yard_id=zone.yard_id, zone_id=zone.zone_id, kind=zone.kind, places_veh=zone.places_at(now), changes=changes
    )


def _closure(closure: Closure, names: Names) -> ClosureOut:
    return ClosureOut.model_validate({**vars(closure), "is_planned": closure.is_planned, **_who(closure, names)})


def _price(price: Price, names: Names, in_effect: bool) -> PriceOut:
    return PriceOut.model_validate({**vars(price), "in_effect": in_effect, **_who(price, names)})
