"""Queries of what is kept of presence: places, stages, what GPS showed. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, insert, select, text, update
from sqlalchemy.orm import Session

from app.trips.presence_rules import Trust
from app.trips.presence_store import IS_ON_ANOTHER, TRIP_BEGIN
from app.trips.presence_tables import TripPlace, TripSight
from app.trips.tables import IS_OPEN, Trip
from app.trips.vocabulary import Direction, PlaceKind, Stage
from geo.database import one_of, values_of


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """An interval of a trip as it is kept; see `TripPlace`."""

    began_at: datetime
    ended_at: datetime | None
    kind: str
    gate_id: str | None
    site_id: str | None
    source: str | None
    trust: int | None


@dataclass(frozen=True, slots=True)
class SightRow:
    """What a trip's GPS began to show; see `TripSight`."""

    trip_id: int
    kind: str
    place_kind: str
    gate_id: str | None
    site_id: str | None
    time: datetime
    known_at: datetime
    lon: float
    lat: float
    radius_m: float
    road: str | None
    km: float | None
    is_suspect: bool
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class PositionRow:
    """The newest position of an open trip's truck, with what its GPS showed last (`last_kind` …, null: nothing)."""

    trip_id: int
    gate_id: str
    direction: str
    planned_arrival: datetime
    begin: datetime
    time: datetime
    received_at: datetime
    lon: float
    lat: float
    accuracy_m: float | None
    road: str | None
    km: float | None
    heading: int
    speed_mps: float | None
    site_id: str | None
    motion: str
    last_kind: str | None
    last_place_kind: str | None
    last_gate_id: str | None
    last_site_id: str | None
    last_is_suspect: bool | None
    last_is_repeat: bool | None
    last_time: datetime | None


def stage_of_place(place: str, trip: str) -> str:
    """In SQL, the stage that the row `place` of `app.trip_place` means for the row `trip` of `app.trip`.

    As `app.trips.presence.stage_at`: at another gate than its own a trip is still on the way there.
    """
    over = one_of(f"{place}.kind", PlaceKind.over())
    cases = " ".join(f"WHEN '{kind}' THEN '{kind.stage}'" for kind in PlaceKind)
    return (
        f"CASE WHEN {place}.gate_id <> {trip}.gate_id AND NOT {over} THEN '{Stage.ON_THE_ROAD}' "
        f"ELSE CASE {place}.kind {cases} END END"
    )


# What GPS shows


def moved_positions(
    session: Session, since: datetime | None, trip_ids: Collection[int] | None = None
) -> list[PositionRow]:
    """Open trips whose truck reported since and is on them, with its position; all where `since` is `None`.

    Positions older than the trip, and those that a camera's read stands for, are left out.
    """
    rows = session.execute(
        text(
            f"""
            SELECT t.trip_id, t.gate_id, t.direction, t.planned_arrival, b.begin, p.time, p.received_at, ST_X(p.geom),
                   ST_Y(p.geom), p.accuracy_m, g.road, p.km, p.direction, p.speed_mps, p.site_id, p.motion,
                   s.kind, s.place_kind, s.gate_id, s.site_id, s.is_suspect,
                   s.is_repeat, s.time
            FROM app.trip t
            JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
            CROSS JOIN LATERAL (SELECT {TRIP_BEGIN} AS begin) b
            LEFT JOIN geo.road g ON g.road_id = p.road_id
            LEFT JOIN LATERAL (SELECT * FROM app.trip_sight s WHERE s.trip_id = t.trip_id
                               ORDER BY s.time DESC, s.sight_id DESC LIMIT 1) s ON true
            WHERE t.{IS_OPEN} AND t.trip_id IN (SELECT c.trip_id FROM app.current_trip c)
                AND p.device_id > 0 AND p.time >= b.begin
                AND (CAST(:since AS timestamptz) IS NULL OR p.received_at > :since)
                AND (CAST(:trip_ids AS integer[]) IS NULL OR t.trip_id = ANY(:trip_ids))
                AND (s.time IS NULL OR p.time > s.time)
            ORDER BY t.trip_id
            """  # noqa: S608 - constants of this package
        ),
        {"since": since, "trip_ids": None if trip_ids is None else list(trip_ids)},
    )
    return [PositionRow(*row) for row in rows]


def insert_sights(session: Session, rows: Sequence[SightRow]) -> None:
    """Keep what trips' GPS began to show."""
    if rows:
        session.execute(insert(TripSight), [values_of(row) for row in rows])


def prune_sights(session: Session, before: datetime) -> None:
    """Forget what GPS showed before a time, of trips that are over: no late witness concerns them any more."""
    session.execute(
        text(
            "DELETE FROM app.trip_sight s WHERE s.time < :before "  # noqa: S608 - IS_OPEN is a constant of this package
            f"AND NOT EXISTS (SELECT FROM app.trip t WHERE t.trip_id = s.trip_id AND t.{IS_OPEN})"
        ),
        {"before": before},
    )


# What is kept


def load_places(session: Session, trip_ids: Collection[int]) -> dict[int, list[PlaceRow]]:
    """The intervals of trips as they are kept, by trip, oldest first."""
    columns = (
        TripPlace.trip_id,
        TripPlace.began_at,
        TripPlace.ended_at,
        TripPlace.kind,
        TripPlace.gate_id,
        TripPlace.site_id,
        TripPlace.source,
        TripPlace.trust,
    )
    query = select(*columns).where(TripPlace.trip_id.in_(trip_ids)).order_by(TripPlace.trip_id, TripPlace.began_at)
    found: dict[int, list[PlaceRow]] = defaultdict(list)
    for row in session.execute(query):
        found[row.trip_id].append(PlaceRow(*row[1:]))
    return found


@dataclass(frozen=True, slots=True)
class PresentPlace:
    """Where a trip's truck is counted now, since when it is under way, and what its GPS reported last."""

    kind: str
    gate_id: str | None
    site_id: str | None
    began_at: datetime
    source: str | None
    under_way_since: datetime | None
    heard_at: datetime | None
    speed_mps: float | None


def find_present(session: Session, trip_id: int) -> PresentPlace | None:
    """Where a trip's truck is counted now."""
    row = session.execute(
        text(
            """
            SELECT w.kind, w.gate_id, w.site_id, w.began_at, w.source,
                   (SELECT min(e.began_at) FROM app.trip_place e WHERE e.trip_id = w.trip_id AND e.kind <> :planned),
                   p.time, p.speed_mps
            FROM app.trip_place w JOIN app.trip t USING (trip_id)
            LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id AND p.device_id > 0
            WHERE w.trip_id = :trip_id AND w.ended_at IS NULL
            """
        ),
        {"trip_id": trip_id, "planned": PlaceKind.PLANNED},
    ).one_or_none()
    return None if row is None else PresentPlace(*row)


def list_stages(session: Session, trip_id: int) -> list[tuple[Stage, datetime]]:
    """The stages of a trip as the places of its truck are judged now, each with its begin, oldest first.

    Places of the same stage follow each other; last stands the stage of a trip that was ended otherwise.
    """
    rows = session.execute(
        text(
            f"""
            SELECT {stage_of_place("p", "t")}, p.began_at
            FROM app.trip_place p JOIN app.trip t USING (trip_id) WHERE t.trip_id = :trip_id ORDER BY p.began_at
            """  # noqa: S608 - constants of this package
        ),
        {"trip_id": trip_id},
    )
    found = [(Stage(stage), began_at) for stage, began_at in rows]
    now = session.execute(select(Trip.stage, Trip.stage_since).where(Trip.trip_id == trip_id)).one_or_none()
    if now is not None and (not found or found[-1][0] != now.stage):
        found.append((Stage(now.stage), now.stage_since))
    return found


def is_handled(session: Session, trip_id: int) -> bool:
    """Whether an officer has acted on a trip where its truck was."""
    query = select(TripPlace.trip_id).where(TripPlace.trip_id == trip_id, TripPlace.trust == Trust.OFFICER).limit(1)
    return session.scalar(query) is not None


def find_handled(session: Session, trip: Trip) -> Trip | None:
    """Another open trip of the same truck and enterprise on which an officer has acted where the truck was."""
    handled = exists().where(TripPlace.trip_id == Trip.trip_id, TripPlace.trust == Trust.OFFICER)
    query = select(Trip).where(
        Trip.vehicle_id == trip.vehicle_id,
        Trip.organisation_id == trip.organisation_id,
        Trip.trip_id != trip.trip_id,
        Trip.stage.in_(Stage.open()),
        handled,
    )
    return session.scalars(query.order_by(Trip.trip_id).limit(1)).one_or_none()


def may_reopen(session: Session, trip_id: int) -> bool:
    """Whether devices alone saw the end of a trip, and its vehicle is on no other: an officer may show otherwise."""
    query = text(
        f"""
        SELECT FROM app.trip_place w JOIN app.trip t USING (trip_id)
        WHERE w.trip_id = :trip_id AND w.ended_at IS NULL AND w.kind = ANY(:over) AND w.trust < :person
            AND NOT {IS_ON_ANOTHER}
        """
    )
    values = {"trip_id": trip_id, "over": list(PlaceKind.over()), "person": int(Trust.PERSON)}
    return session.execute(query, values).one_or_none() is not None


def replace_places(session: Session, changed: Mapping[int, Sequence[PlaceRow]]) -> None:
    """Put the intervals of trips in place of those before."""
    if not changed:
        return
    session.execute(
        delete(TripPlace).where(TripPlace.trip_id.in_(list(changed))).execution_options(synchronize_session=False)
    )
    session.execute(
        insert(TripPlace), [{"trip_id": trip_id, **values_of(row)} for trip_id, rows in changed.items() for row in rows]
    )


def begin_places(session: Session, trip_ids: Collection[int]) -> None:
    """The places of new trips: nothing is known of their trucks yet, but of those that are entered as over."""
    session.execute(
        text(
            """
            INSERT INTO app.trip_place (trip_id, began_at, ended_at, kind, gate_id)
            SELECT trip_id, created_at, CASE stage WHEN :out THEN stage_since END, :planned, NULL FROM app.trip
            WHERE trip_id = ANY(:trip_ids) AND (stage <> :out OR stage_since > created_at)
            UNION ALL
            SELECT trip_id, stage_since, NULL, CASE direction WHEN :export THEN :abroad ELSE :inland END, gate_id
            FROM app.trip WHERE trip_id = ANY(:trip_ids) AND stage = :out
            """
        ),
        {
            "trip_ids": list(trip_ids),
            "out": Stage.OUT,
            "planned": PlaceKind.PLANNED,
            "export": Direction.EXPORT,
            "abroad": PlaceKind.OVER_THE_BORDER,
            "inland": PlaceKind.INLAND,
        },
    )


def end_places(session: Session, trip_ids: Collection[int], now: datetime) -> None:
    """A trip that is cancelled is counted nowhere from now on."""
    present = (TripPlace.trip_id.in_(trip_ids), TripPlace.ended_at.is_(None))
    session.execute(
        delete(TripPlace).where(*present, TripPlace.began_at >= now).execution_options(synchronize_session=False)
    )
    session.execute(update(TripPlace).where(*present).values(ended_at=now).execution_options(synchronize_session=False))


@dataclass(frozen=True, slots=True)
class StageUpdate:
    """The columns of a trip that follow from where its truck is."""

    trip_id: int
    stage: str
    stage_since: datetime
    arrived_at: datetime | None
    version_step: int


def update_stages(session: Session, changes: Sequence[StageUpdate]) -> None:
    """Set stages of locked trips; `version_step` is 1 where the stage itself changes."""
    if not changes:
        return
    names = ("trip_id", "stage", "stage_since", "arrived_at", "version_step")
    session.execute(
        text(
            """
            UPDATE app.trip t SET stage = v.stage, stage_since = v.stage_since, arrived_at = v.arrived_at,
                version = t.version + v.version_step
            FROM unnest(CAST(:trip_id AS integer[]), CAST(:stage AS text[]), CAST(:stage_since AS timestamptz[]),
                        CAST(:arrived_at AS timestamptz[]), CAST(:version_step AS integer[]))
                 AS v (trip_id, stage, stage_since, arrived_at, version_step)
            WHERE t.trip_id = v.trip_id
            """
        ),
        {name: [getattr(change, name) for change in changes] for name in names},
    )
