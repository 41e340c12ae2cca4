"""Queries on trips. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, and_, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from app.accounts.service import Account, Organisation
from app.trips.tables import IS_OPEN, Trip, TripEvent
from app.trips.vocabulary import Direction, Stage
from ingest.tables import Device, LastPosition, Vehicle

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"


@dataclass(frozen=True)
class TripFilter:
    """What a list of trips is narrowed to; `since` is the planned arrival, `plate` a normal form."""

    stages: tuple[str, ...] = ()
    gate_id: str | None = None
    since: datetime | None = None
    plate: str | None = None


def _described() -> Select[*tuple[Any, ...]]:
    """A trip with the names that people know its parts by, and where its truck is."""
    return (
        select(
            Trip,
            Vehicle.plate,
            Organisation.name.label("organisation"),
            Account.full_name.label("driver"),
            LastPosition.time.label("position_time"),
            LastPosition.speed_mps,
            LastPosition.heading_deg,
            LastPosition.km,
            LastPosition.edge_id,
            LastPosition.site_id,
            func.ST_X(LastPosition.geom).label("lon"),
            func.ST_Y(LastPosition.geom).label("lat"),
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(Account, Account.account_id == Trip.driver_id)
        .outerjoin(LastPosition, and_(LastPosition.vehicle_id == Trip.vehicle_id, Trip.stage.in_(Stage.open())))
    )


def find_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> AnyRow | None:
    """A trip among the visible ones, described."""
    query = _described().where(Trip.trip_id == trip_id, visible).execution_options(populate_existing=True)
    return session.execute(query).one_or_none()


def list_trips(
    session: Session, visible: ColumnElement[bool], wanted: TripFilter, *, before: int | None, limit: int
) -> Sequence[AnyRow]:
    """Visible trips, newest first, `limit` of them below the trip `before`."""
    query = _described().where(visible).order_by(Trip.trip_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Trip.trip_id < before)
    if wanted.stages:
        query = query.where(Trip.stage.in_(wanted.stages))
        if set(wanted.stages) <= set(Stage.open()):
            query = query.where(text(IS_OPEN))  # said again in its own words, so that the partial indexes apply
    if wanted.gate_id is not None:
        query = query.where(Trip.gate_id == wanted.gate_id)
    if wanted.since is not None:
        query = query.where(Trip.planned_arrival >= wanted.since)
    if wanted.plate is not None:
        query = query.where(Vehicle.plate_norm == wanted.plate)
    return session.execute(query).all()


def lock_trip(session: Session, visible: ColumnElement[bool], trip_id: int) -> Trip | None:
    """A visible trip, locked against other edits until the transaction ends."""
    return session.scalars(
        select(Trip).where(Trip.trip_id == trip_id, visible).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def find_open_trip(session: Session, vehicle_id: int) -> Trip | None:
    """The open trip of a vehicle."""
    return session.scalars(select(Trip).where(Trip.vehicle_id == vehicle_id, text(IS_OPEN))).one_or_none()


def find_open_trip_of_driver(session: Session, driver_id: int) -> Trip | None:
    """The newest open trip of a driver."""
    return session.scalars(
        select(Trip).where(Trip.driver_id == driver_id, text(IS_OPEN)).order_by(Trip.trip_id.desc()).limit(1)
    ).one_or_none()


def insert_trip(session: Session, values: Mapping[str, Any]) -> Trip | None:
    """A new trip; `None` if its vehicle is on an open one."""
    query = (
        pg_insert(Trip)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[Trip.vehicle_id], index_where=text(IS_OPEN))
        .returning(Trip)
    )
    return session.scalars(query).one_or_none()


def update_trip(session: Session, trip_id: int, values: Mapping[str, Any]) -> int:
    """Change a locked trip; its new version."""
    query = (
        update(Trip)
        .where(Trip.trip_id == trip_id)
        .values(**values, version=Trip.version + 1)
        .returning(Trip.version)
        .execution_options(synchronize_session="fetch")
    )
    return int(session.execute(query).scalar_one())


def insert_events(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Lines of timelines: `trip_id at kind data actor_id`."""
    if rows:
        session.execute(insert(TripEvent), [dict(row) for row in rows])


def events_of(session: Session, trip_id: int) -> Sequence[AnyRow]:
    """A trip's timeline, oldest first, with the names of those who acted."""
    query = (
        select(TripEvent.at, TripEvent.kind, TripEvent.data, Account.full_name.label("actor"))
        .outerjoin(Account, Account.account_id == TripEvent.actor_id)
        .where(TripEvent.trip_id == trip_id)
        .order_by(TripEvent.event_id)
    )
    return session.execute(query).all()


def devices_of(session: Session, vehicle_id: int) -> Sequence[AnyRow]:
    """What reports for a vehicle: kind, hint of the key, last seen."""
    query = (
        select(Device.kind, Device.key_hint, Device.last_seen_at)
        .where(Device.vehicle_id == vehicle_id, Device.revoked_at.is_(None))
        .order_by(Device.device_id)
    )
    return session.execute(query).all()


def find_driver(session: Session, account_id: int) -> Account | None:
    """A driver's account that is in use."""
    return session.scalars(
        select(Account).where(Account.account_id == account_id, Account.role == "driver", Account.disabled_at.is_(None))
    ).one_or_none()


def find_driver_of_vehicle(session: Session, vehicle_id: int) -> int | None:
    """The account of the driver bound to a vehicle, the newest if several are."""
    return session.scalars(
        select(Account.account_id)
        .where(Account.vehicle_id == vehicle_id, Account.role == "driver", Account.disabled_at.is_(None))
        .order_by(Account.account_id.desc())
        .limit(1)
    ).one_or_none()


def bind_driver(session: Session, account_id: int, vehicle_id: int) -> None:
    """Let an account drive a vehicle."""
    session.execute(update(Account).where(Account.account_id == account_id).values(vehicle_id=vehicle_id))


def claim_vehicle(session: Session, vehicle_id: int, organisation_id: int) -> int:
    """Give a vehicle that nobody has to an organisation; the organisation that has it now."""
    session.execute(
        update(Vehicle)
        .where(Vehicle.vehicle_id == vehicle_id, Vehicle.organisation_id.is_(None))
        .values(organisation_id=organisation_id)
    )
    return int(session.scalars(select(Vehicle.organisation_id).where(Vehicle.vehicle_id == vehicle_id)).one() or 0)


# Stages


def moved_trips(session: Session, since: datetime | None, after_event_id: int) -> Sequence[AnyRow]:
    """Open trips whose truck reported, or passed a site, since; all of them where `since` is `None`.

    `own_from` is the time from which what the truck did belongs to the trip: a day before the planned arrival, but not
    before an hour after the end of its previous trip: that one's last positions came when it was already judged over.
    """
    return session.execute(
        text(
            f"""
            SELECT t.trip_id, t.vehicle_id, t.stage, t.direction, t.gate_id, t.planned_arrival,
                   p.time, r.road, p.km, p.direction AS heading,
                   p.speed_mps, p.site_id, p.motion,
                   greatest(t.planned_arrival - interval '24 hours', (
                       SELECT max(o.stage_since) + interval '1 hour' FROM app.trip o
                       WHERE o.vehicle_id = t.vehicle_id AND o.stage = :out)) AS own_from
            FROM app.trip t
            LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
            LEFT JOIN geo.road r ON r.road_id = p.road_id
            WHERE t.{IS_OPEN} AND (
                CAST(:since AS timestamptz) IS NULL OR p.received_at > :since
                OR t.vehicle_id IN (SELECT e.vehicle_id FROM ingest.site_event e WHERE e.event_id > :after_event_id))
            """  # noqa: S608 - IS_OPEN is a constant of this package
        ),
        {"since": since, "after_event_id": after_event_id, "out": Stage.OUT},
    ).all()


def passages_of(session: Session, vehicle_ids: Sequence[int], since: datetime) -> Sequence[AnyRow]:
    """Gates and yards that vehicles entered and left since, oldest first."""
    return session.execute(
        text(
            """
            SELECT e.vehicle_id, e.site_id, e.kind, e.time
            FROM ingest.site_event e JOIN geo.site s ON s.site_id = e.site_id AND s.kind IN ('gate', 'yard')
            WHERE e.vehicle_id = ANY(:vehicle_ids) AND e.time >= :since
            ORDER BY e.time, e.event_id
            """
        ),
        {"vehicle_ids": list(vehicle_ids), "since": since},
    ).all()


def newest_seen(session: Session) -> tuple[datetime | None, int]:
    """When the newest position came in, and the newest passage: where the next look begins."""
    row = session.execute(
        text(
            "SELECT (SELECT max(received_at) FROM ingest.last_position) AS received_at, "
            "coalesce((SELECT max(event_id) FROM ingest.site_event), 0) AS event_id"
        )
    ).one()
    return row.received_at, int(row.event_id)


def silent_in_yard(session: Session, before: datetime) -> Sequence[AnyRow]:
    """Outbound trips in the yard whose truck was last seen before a time, in the gate area and not in the yard."""
    return session.execute(
        text(
            """
            SELECT t.trip_id, t.stage, t.gate_id, p.time
            FROM app.trip t JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
            WHERE t.stage = :in_the_yard AND t.direction = :export AND p.site_id = t.gate_id AND p.time < :before
            """
        ),
        {"before": before, "in_the_yard": Stage.IN_THE_YARD, "export": Direction.EXPORT},
    ).all()


def apply_stages(session: Session, changes: Sequence[Mapping[str, Any]]) -> Sequence[AnyRow]:
    """Set stages where they still are what the judgement saw: `trip_id old new at`; the trips that changed.

    A truck that enters the yard has arrived at its gate, if no camera saw it arrive before.
    """
    if not changes:
        return ()
    columns = {name: [change[name] for change in changes] for name in ("trip_id", "old", "new", "at")}
    return session.execute(
        text(
            """
            UPDATE app.trip t SET stage = v.new, stage_since = v.at, version = t.version + 1,
                arrived_at = CASE WHEN v.new = :in_the_yard THEN coalesce(t.arrived_at, v.at) ELSE t.arrived_at END
            FROM unnest(CAST(:trip_id AS integer[]), CAST(:old AS text[]), CAST(:new AS text[]),
                        CAST(:at AS timestamptz[])) AS v (trip_id, old, new, at)
            WHERE t.trip_id = v.trip_id AND t.stage = v.old
            RETURNING t.trip_id, t.stage, t.vehicle_id, t.organisation_id, t.driver_id, t.gate_id
            """
        ),
        {**columns, "in_the_yard": Stage.IN_THE_YARD},
    ).all()
