"""Zones of yards and closures. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from capacity import zones as zones_module
from capacity.tables import ClosureRow, PriceRow, YardRow, ZonePlacesRow, ZoneRow
from capacity.vocabulary import PriceUnit, ZoneKind
from capacity.zones import Closure, PlacesChange, Price, Zone, ZoneAhead, kinds_at, places_at, zones_at
from geo.errors import ConflictError, NotFoundError
from geo.opening_hours import OpeningHours

OfYard = TypeVar("OfYard", Zone, Closure)


def list_zones(session: Session, yard_id: str | None = None) -> list[Zone]:
    """Zones (of a yard) with all that was set of their places."""
    zones = select(ZoneRow).order_by(ZoneRow.yard_id, ZoneRow.zone_id)
    changes = select(ZonePlacesRow).order_by(ZonePlacesRow.since, ZonePlacesRow.change_id)
    if yard_id is not None:
        zones, changes = zones.where(ZoneRow.yard_id == yard_id), changes.where(ZonePlacesRow.yard_id == yard_id)
    of_zone: dict[tuple[str, str], list[PlacesChange]] = defaultdict(list)
    for row in session.scalars(changes):
        of_zone[row.yard_id, row.zone_id].append(_change(row))
    return [
        Zone(row.yard_id, row.zone_id, ZoneKind(row.kind), of_zone[row.yard_id, row.zone_id])
        for row in session.scalars(zones)
    ]


def list_closures(session: Session, now: datetime, yard_id: str | None = None) -> list[Closure]:
    """Closures (of a yard) that hold now or will."""
    rows = _not_over(now)
    if yard_id is not None:
        rows = rows.where(ClosureRow.yard_id == yard_id)
    return [_closure(row) for row in session.scalars(rows)]


def closures_of_gates(session: Session, now: datetime, gate_ids: Collection[str]) -> list[Closure]:
    """Closures of the yards of some gates that are not over, by their beginning."""
    own = select(YardRow.yard_id).where(YardRow.gate_id.in_(gate_ids))
    return [_closure(row) for row in session.scalars(_not_over(now).where(ClosureRow.yard_id.in_(own)))]


def _not_over(now: datetime) -> Select[ClosureRow]:
    rows = select(ClosureRow).where(or_(ClosureRow.until.is_(None), ClosureRow.until > now))
    return rows.order_by(ClosureRow.since, ClosureRow.closure_id)


def set_places(
    session: Session,
    yard_id: str,
    zone_id: str,
    *,
    kind: ZoneKind,
    places_veh: int,
    since: datetime,
    now: datetime,
    by: int | None,
    hours: str = "",
) -> int:
    """Give a zone of a yard, made if it is new, so many places from a time on, in some hours of the day or in all.

    The id of the change.
    """
    statement = pg_insert(ZoneRow).values(yard_id=yard_id, zone_id=zone_id, kind=kind)
    session.execute(statement.on_conflict_do_update(index_elements=["yard_id", "zone_id"], set_={"kind": kind}))
    values = {"yard_id": yard_id, "zone_id": zone_id, "since": since, "places_veh": places_veh, "hours": hours}
    added = insert(ZonePlacesRow).values(**values, entered_at=now, entered_by=by).returning(ZonePlacesRow.change_id)
    return session.execute(added).scalar_one()


def take_places_back(session: Session, yard_id: str, change_id: int, *, now: datetime, by: int | None) -> None:
    """Take a change of a zone's places back: it counts as never made.

    Raises
    ------
    NotFoundError, ConflictError
        If the yard has no such change, or it is taken back already.
    """
    row = session.get(ZonePlacesRow, change_id, populate_existing=True, with_for_update=True)
    if row is None or row.yard_id != yard_id:
        raise NotFoundError("The yard {yard_id} has no change {change_id}.", yard_id=yard_id, change_id=change_id)
    if row.undone_at is not None:
        raise ConflictError("It was taken back at {time}.", time=row.undone_at.isoformat())
    row.undone_at, row.undone_by = now, by
    session.flush()


def list_prices(session: Session, yard_id: str) -> list[Price]:
    """All prices that were set for a yard, by their beginning."""
    rows = select(PriceRow).where(PriceRow.yard_id == yard_id).order_by(PriceRow.since, PriceRow.price_id)
    return [_price(row) for row in session.scalars(rows)]


def add_price(
    session: Session,
    yard_id: str,
    *,
    zone_id: str | None,
    unit: PriceUnit,
    price_vnd: int,
    since: datetime,
    now: datetime,
    by: int | None,
) -> int:
    """Set what a place costs from a time on; the id of the price; raises NotFoundError for an unknown zone."""
    require_zone(session, yard_id, zone_id)
    values = {"yard_id": yard_id, "zone_id": zone_id, "unit": unit, "price_vnd": price_vnd, "since": since}
    added = insert(PriceRow).values(**values, entered_at=now, entered_by=by).returning(PriceRow.price_id)
    return session.execute(added).scalar_one()


def take_price_back(session: Session, yard_id: str, price_id: int, *, now: datetime, by: int | None) -> None:
    """Take a price back: it counts as never set; raises NotFoundError, ConflictError as `take_places_back`."""
    row = session.get(PriceRow, price_id, populate_existing=True, with_for_update=True)
    if row is None or row.yard_id != yard_id:
        raise NotFoundError("The yard {yard_id} has no price {price_id}.", yard_id=yard_id, price_id=price_id)
    if row.undone_at is not None:
        raise ConflictError("It was taken back at {time}.", time=row.undone_at.isoformat())
    row.undone_at, row.undone_by = now, by
    session.flush()


def require_zone(session: Session, yard_id: str, zone_id: str | None) -> None:
    """Raise NotFoundError if a zone is named that the yard does not have."""
    if zone_id is not None and session.get(ZoneRow, (yard_id, zone_id)) is None:
        raise NotFoundError(
            "The yard {yard_id} has no zone {zone_id}.", field="zone_id", yard_id=yard_id, zone_id=zone_id
        )


def get_closure(session: Session, closure_id: int) -> Closure:
    """A closure that is known to be there."""
    return _closure(session.get_one(ClosureRow, closure_id, populate_existing=True))


def add_closure(
    session: Session,
    yard_id: str,
    *,
    zone_id: str | None,
    since: datetime,
    until: datetime | None,
    places_left_veh: int,
    reason: str,
    now: datetime,
    by: int | None,
) -> Closure:
    """Close a yard or a zone of it, wholly or in part.

    Raises
    ------
    NotFoundError
        If the yard has no such zone.
    """
    require_zone(session, yard_id, zone_id)
    row = session.scalars(
        insert(ClosureRow)
        .values(
            yard_id=yard_id,
            zone_id=zone_id,
            since=since,
            until=until,
            places_left_veh=places_left_veh,
            reason=reason,
            entered_at=now,
            entered_by=by,
        )
        .returning(ClosureRow)
    ).one()
    return _closure(row)


def end_closure(session: Session, yard_id: str, closure_id: int, *, now: datetime, by: int | None) -> Closure:
    """End a closure now; one that has not begun never does.

    Raises
    ------
    NotFoundError
        If the yard has no such closure.
    ConflictError
        If it is over.
    """
    row = session.get(ClosureRow, closure_id, populate_existing=True, with_for_update=True)
    if row is None or row.yard_id != yard_id:
        raise NotFoundError("The yard {yard_id} has no closure {closure_id}.", yard_id=yard_id, closure_id=closure_id)
    if row.until is not None and row.until <= now:
        raise ConflictError("The closure ended at {time}.", time=row.until.isoformat())
    ended = update(ClosureRow).where(ClosureRow.closure_id == closure_id)
    session.execute(ended.values(until=max(now, row.since), ended_by=by))
    session.refresh(row)
    return _closure(row)


def places_ahead(
    session: Session,
    now: datetime,
    step_s: float,
    steps: int,
    *,
    open_until: datetime | None = None,
    beside: Sequence[Closure] = (),
) -> dict[str, list[int]]:
    """Places of each yard now and at the start of each step that follows, `steps` values.

    Arguments: `open_until`, when closures that nobody has given an end to are taken to end; `None`: never; `beside`,
    closures that nobody has made, to see what they would do.
    """
    whole = {yard_id: places for yard_id, places in session.execute(select(YardRow.yard_id, YardRow.capacity_veh))}
    listed = [*list_closures(session, now), *beside]
    known = [replace(closure, until=closure.until or open_until) for closure in listed]
    zones, closures = _by_yard(list_zones(session)), _by_yard(known)
    moments = [now + timedelta(seconds=step * step_s) for step in range(steps)]
    return {
        yard_id: [
            places_at(moment, whole_veh=places, zones=zones.get(yard_id, ()), closures=closures.get(yard_id, ()))
            for moment in moments
        ]
        for yard_id, places in whole.items()
    }


def places_until(
    session: Session, begin: datetime, end: datetime, *, beside: Sequence[Closure] = (), closures_hold: bool = True
) -> dict[str, list[tuple[datetime, int]]]:
    """Places of each yard at `begin` and, in order, whenever they change before `end`.

    Arguments: `beside` as of `places_ahead`; `closures_hold`, whether closures that were made count.
    """
    whole = session.execute(select(YardRow.yard_id, YardRow.capacity_veh))
    listed = list_closures(session, begin) if closures_hold else []
    zones, closures = _by_yard(list_zones(session)), _by_yard([*listed, *beside])
    return {
        yard_id: zones_module.places_until(
            begin, end, whole_veh=places, zones=zones.get(yard_id, ()), closures=closures.get(yard_id, ())
        )
        for yard_id, places in whole
    }


def kinds_ahead(
    session: Session, now: datetime, step_s: float, steps: int, *, open_until: datetime | None = None
) -> dict[str, list[dict[ZoneKind, int]]]:
    """Places by kind of each yard that has zones, as `places_ahead`."""
    known = [replace(closure, until=closure.until or open_until) for closure in list_closures(session, now)]
    zones, closures = _by_yard(list_zones(session)), _by_yard(known)
    moments = [now + timedelta(seconds=step * step_s) for step in range(steps)]
    return {
        yard_id: [kinds_at(moment, zones=own, closures=closures.get(yard_id, ())) for moment in moments]
        for yard_id, own in zones.items()
    }


def zones_ahead(
    session: Session, now: datetime, step_s: float, steps: int, *, beside: Sequence[Closure] = ()
) -> dict[str, list[ZoneAhead]]:
    """The zones of each yard that has any, as `places_ahead`; those that have places at some time."""
    zones, closures = _by_yard(list_zones(session)), _by_yard([*list_closures(session, now), *beside])
    moments = [now + timedelta(seconds=step * step_s) for step in range(steps)]
    found: dict[str, list[ZoneAhead]] = {}
    for yard_id, own in zones.items():
        places = [zones_at(moment, zones=own, closures=closures.get(yard_id, ())) for moment in moments]
        known = {zone_id for each in places for zone_id in each}
        found[yard_id] = [
            ZoneAhead(yard_id, zone.zone_id, zone.kind, [each.get(zone.zone_id, 0) for each in places])
            for zone in own
            if zone.zone_id in known
        ]
    return found


def _by_yard(found: Sequence[OfYard]) -> Mapping[str, list[OfYard]]:
    of_yard: dict[str, list[OfYard]] = defaultdict(list)
    for item in found:
        of_yard[item.yard_id].append(item)
    return of_yard


def open_ahead(session: Session, now: datetime, step_s: float, steps: int) -> dict[str, list[bool]]:
    """Whether each yard takes trucks by its hours now and at the start of each step that follows, `steps` values."""
    moments = [now + timedelta(seconds=step * step_s) for step in range(steps)]
    hours = {yard_id: written for yard_id, written in session.execute(select(YardRow.yard_id, YardRow.opening_hours))}
    return {
        yard_id: [open_hours.open_at(moment) for moment in moments]
        for yard_id, open_hours in ((yard_id, hours_of(written)) for yard_id, written in hours.items())
    }


def hours_of(written: str) -> OpeningHours:
    """Hours as the database holds them; nothing written: round the clock."""
    return OpeningHours.parse(written) if written else OpeningHours.always()


def _change(row: ZonePlacesRow) -> PlacesChange:
    return PlacesChange(
        row.since,
        row.places_veh,
        row.entered_at,
        row.entered_by,
        OpeningHours.parse(row.hours) if row.hours else None,
        row.change_id,
        row.undone_at,
        row.undone_by,
    )


def _price(row: PriceRow) -> Price:
    return Price(
        row.price_id,
        row.yard_id,
        row.zone_id,
        PriceUnit(row.unit),
        row.price_vnd,
        row.since,
        row.entered_at,
        row.entered_by,
        row.undone_at,
        row.undone_by,
    )


def _closure(row: ClosureRow) -> Closure:
    return Closure(
        row.closure_id,
        row.yard_id,
        row.zone_id,
        row.since,
        row.until,
        row.places_left_veh,
        row.reason,
        row.entered_at,
        row.entered_by,
    )
