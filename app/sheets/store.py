"""Queries on procedures, sheets and work lists. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import and_, delete, insert, or_, select, text, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.checkpoints.turns import TURN_COLUMNS, WaitingTruck
from app.platform.json import JsonObject
from app.procedures.service import EVERY_GATE
from app.procedures.steps import StepStatus
from app.sheets.tables import TripStepRow
from app.trips.scope import STATION_SIGHT_KM
from app.trips.service import IS_OPEN, Trip, TripEvent
from app.trips.vocabulary import PlaceKind, Stage
from geo.database import one_of, records

# Sheets


@dataclass(frozen=True)
class NamedStep:
    """A step of a trip, with who did it: `done_by` is the account, `full_name` its name."""

    step: str
    status: str
    since: datetime
    done_at: datetime | None
    done_by: int | None
    data: JsonObject
    full_name: str | None


def steps_of(session: Session, trip_id: int) -> list[NamedStep]:
    """The steps of a trip with the names of those who did them."""
    rows = session.execute(
        select(  # in the order of the fields of NamedStep
            TripStepRow.step,
            TripStepRow.status,
            TripStepRow.since,
            TripStepRow.done_at,
            TripStepRow.done_by,
            TripStepRow.data,
            Account.full_name,
        )
        .outerjoin(Account, Account.account_id == TripStepRow.done_by)
        .where(TripStepRow.trip_id == trip_id)
    )
    return [NamedStep(*row) for row in rows]


def insert_steps(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """The steps of a new sheet: `trip_id step status since done_at done_by data`."""
    session.execute(insert(TripStepRow), [dict(row) for row in rows])


def update_step(session: Session, trip_id: int, step: str, values: Mapping[str, object]) -> None:
    """Change a step of a locked trip."""
    session.execute(
        update(TripStepRow)
        .where(TripStepRow.trip_id == trip_id, TripStepRow.step == step)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def last_line(session: Session, trip_id: int, kind: str) -> TripEvent | None:
    """The newest line of a kind on a trip's timeline."""
    query = select(TripEvent).where(TripEvent.trip_id == trip_id, TripEvent.kind == kind)
    return session.scalars(query.order_by(TripEvent.event_id.desc()).limit(1)).one_or_none()


# Trials of procedures


class TriedTrip(NamedTuple):
    """A declared trip that a draft of a procedure is tried on."""

    trip_id: int
    code: str
    procedure_id: int
    facts: JsonObject


def trips_to_try(
    session: Session, key: tuple[str, str, str], own_gates: Collection[str], since: datetime, limit: int
) -> list[TriedTrip]:
    """Declared trips of a gate, direction and regime that are open or came to their stage `since`, newest first.

    The gate `*` is every gate but `own_gates`.
    """
    gate_id, direction, regime = key
    at_gate = Trip.gate_id.not_in(own_gates) if gate_id == EVERY_GATE else Trip.gate_id == gate_id
    query = (
        select(Trip.trip_id, Trip.code, Trip.procedure_id, Trip.facts)
        .where(at_gate, Trip.direction == direction, Trip.regime == regime, Trip.procedure_id.is_not(None))
        .where(or_(Trip.stage.in_(Stage.open()), and_(Trip.stage == Stage.OUT, Trip.stage_since >= since)))
        .order_by(Trip.trip_id.desc())
        .limit(limit)
    )
    rows = session.execute(query)
    return [TriedTrip(trip, code, number, facts) for trip, code, number, facts in rows if number is not None]


def statuses_of(session: Session, trip_ids: Sequence[int]) -> list[tuple[int, str, str, datetime]]:
    """Trip, step, status and since when, of all steps of trips."""
    columns = (TripStepRow.trip_id, TripStepRow.step, TripStepRow.status, TripStepRow.since)
    rows = session.execute(select(*columns).where(TripStepRow.trip_id.in_(trip_ids)))
    return [(trip_id, step, status, since) for trip_id, step, status, since in rows]


# Work lists


class ListedTruck(NamedTuple):
    """A trip on a work list: its columns, the status of the step that it is listed for, and where its truck is.

    Of a station's list `is_work` says that its step can be done now and its truck is at the gate, `waits_for` which
    steps could be done now; `None` where that was not asked. Lists are long: see `geo.database.records`.
    """

    trip_id: int
    status: str
    since: datetime
    position_time: datetime | None
    km: float | None
    site_id: str | None
    eta: datetime
    eta_is_forecast: bool
    is_here: bool
    is_work: bool
    code: str
    version: int
    direction: str
    regime: str
    goods: str
    goods_class: str
    perishable: bool
    channel: str | None
    stage: str
    simulated: bool
    trailer_plate: str | None
    planned_arrival: datetime
    arrived_at: datetime | None
    collector: str | None
    plate: str
    organisation: str
    waits_for: Sequence[str] | None
    goods_classes: Sequence[str]
    is_perishable: bool
    is_authorised: bool
    is_sealed: bool
    is_by_hand: bool
    has_finding: bool


NEAR_KM: Final = 2.0
"""A truck that queues within this of the border is at the gate; assumed."""
_IS_HERE = """
    (w.trip_id IS NOT NULL
     AND (w.kind <> :queued OR coalesce(w.source, '') <> :gps OR t.arrived_at IS NOT NULL
          OR coalesce(p.site_id = t.gate_id OR p.km <= :near_km, false)))
"""
"""Whether a truck is at its gate, by where it is counted; of one that GPS alone shows in the queue, if it is near."""
_AT_GATE: Final = {"queued": PlaceKind.QUEUED, "gps": "gps"}
"""What `_IS_HERE` binds, besides `near_km`."""
_WAITS_SINCE = "greatest(s.since, coalesce(t.arrived_at, t.stage_since))"
"""A step waits from when it could be done, but not before its truck is there."""
_OPEN_TRIPS = f"""
    open_trip AS MATERIALIZED (
        SELECT trip_id, vehicle_id, gate_id, planned_arrival, arrived_at, stage, stage_since,
               facts ->> 'collector' AS collector
        FROM app.trip WHERE gate_id = :gate_id AND {IS_OPEN}
    )
"""  # noqa: S608 - a constant of app.trips
"""The open trips of a gate, as many as stand and come, found first: joined to the steps as the planner likes, each step
of a live trip was looked up among all trips there ever were, and the more there were the longer that took."""
_IS_MINE = "(CAST(:collector AS text) IS NULL OR coalesce(t.collector, :collector) = :collector)"
_WHERE_IT_IS = """
    p.time AS position_time, p.km, p.site_id, coalesce(x.arrive_at[2], t.planned_arrival) AS eta,
    x.arrive_at[2] IS NOT NULL AS eta_is_forecast
"""
_PLACES = f"""
    LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
        AND (p.km <= {STATION_SIGHT_KM} OR {one_of("t.stage", Stage.at_gate())})
    LEFT JOIN app.trip_place w ON w.trip_id = t.trip_id AND w.ended_at IS NULL AND w.gate_id = :gate_id
        AND {one_of("w.kind", PlaceKind.at_gate())}
    LEFT JOIN app.outlook x ON x.trip_id = t.trip_id
"""
_ENTRIES = f"""
    SELECT c.trip_id, c.status, c.since, c.position_time, c.km, c.site_id, c.eta, c.eta_is_forecast, c.is_here,
           c.is_work, t.code, t.version, t.direction, t.regime, t.goods, t.goods_class, t.perishable, t.channel,
           t.stage, t.simulated, t.trailer_plate, t.planned_arrival, t.arrived_at,
           t.facts ->> 'collector' AS collector, v.plate, o.name AS organisation,
           CASE WHEN c.status = :waiting THEN ARRAY(
               SELECT s.step FROM app.trip_step s WHERE s.trip_id = c.trip_id AND s.status = ANY(:open_statuses)
           ) END AS waits_for, {TURN_COLUMNS}
    FROM chosen c JOIN app.trip t USING (trip_id)
    JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
    JOIN app.organisation o ON o.organisation_id = t.organisation_id
"""  # noqa: S608 - constants of this module
"""The columns of `ListedTruck`. They are joined to the few that are shown, not to all that are considered."""
_OF_STATION: Final = text(
    f"""
    WITH {_OPEN_TRIPS}, considered AS MATERIALIZED (
        SELECT t.trip_id, t.planned_arrival, s.status, s.since, {_WAITS_SINCE} AS waits_since,
               {_IS_HERE} AS is_here, s.status <> :waiting AND {_IS_HERE} AS is_work, {_WHERE_IT_IS}
        FROM app.trip_step s JOIN open_trip t ON t.trip_id = s.trip_id {_PLACES}
        WHERE s.step = :step AND s.is_live AND s.status = ANY(:to_do) AND {_IS_MINE}
    ), chosen AS (
        (SELECT trip_id, status, waits_since AS since, position_time, km, site_id, eta, eta_is_forecast,
                is_here, is_work, row_number() OVER (ORDER BY waits_since, trip_id) AS place
         FROM considered WHERE is_work ORDER BY place LIMIT :most_here)
        UNION ALL
        (SELECT trip_id, status, since, position_time, km, site_id, eta, eta_is_forecast,
                is_here, is_work, row_number() OVER (ORDER BY is_here DESC, eta, trip_id) AS place
         FROM considered WHERE NOT is_work AND planned_arrival <= :until ORDER BY place LIMIT :most_next)
    )
    {_ENTRIES} ORDER BY is_work DESC, place
    """  # noqa: S608 - constants of this module
)
_UNDECLARED: Final = text(
    f"""
    WITH chosen AS MATERIALIZED (
        SELECT t.trip_id, 'undeclared' AS status, {_WHERE_IT_IS}, true AS is_here, false AS is_work, coalesce(
                   CAST(t.facts ->> 'undeclared_since' AS timestamptz), t.arrived_at, t.stage_since
               ) AS since
        FROM app.trip t {_PLACES}
        WHERE t.gate_id = :gate_id AND t.procedure_id IS NULL AND t.{IS_OPEN} AND {_IS_HERE}
        ORDER BY since, t.trip_id LIMIT :limit
    )
    {_ENTRIES} ORDER BY since, t.trip_id
    """  # noqa: S608 - constants of this module
)
_HAS_UNDECLARED: Final = text(
    f"SELECT 1 FROM app.trip WHERE gate_id = :gate_id AND procedure_id IS NULL AND {IS_OPEN} LIMIT 1"  # noqa: S608
)
_STATUSES: Final = {"waiting": StepStatus.WAITING.value, "open_statuses": list(StepStatus.open())}


def trucks_of_station(
    session: Session,
    gate_id: str,
    step: str,
    *,
    collector: str | None,
    near_km: float,
    until: datetime,
    most_here: int,
    most_next: int,
) -> list[ListedTruck]:
    """Trips whose step is open or comes later. First the work (`is_work`): what can be done now, the truck being at the
    gate, longest waiting first. Then what comes until a time, those at the gate first, then by arrival."""
    bound = {
        "step": step,
        "gate_id": gate_id,
        "collector": collector,
        "near_km": near_km,
        "until": until,
        "most_here": most_here,
        "most_next": most_next,
        "to_do": list(StepStatus.to_do()),
        **_STATUSES,
        **_AT_GATE,
    }
    return records(ListedTruck, session.execute(_OF_STATION, bound))


def waiting_at(
    session: Session, trip_id: int, gate_id: str, step: str, *, near_km: float, limit: int
) -> list[WaitingTruck]:
    """The other trips at the gate whose step can be done, while a trip's own can be; longest waiting first."""
    rows = session.execute(
        text(
            f"""
            WITH {_OPEN_TRIPS}, waiting AS MATERIALIZED (
                SELECT t.trip_id, v.plate, {_WAITS_SINCE} AS waits_since
                FROM app.trip_step s JOIN open_trip t ON t.trip_id = s.trip_id
                JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id {_PLACES}
                WHERE s.step = :step AND s.is_live AND s.status = ANY(:open_statuses) AND {_IS_HERE}
            )
            SELECT w.trip_id, w.plate, w.waits_since < own.waits_since AS waits_longer FROM waiting w, waiting own
            WHERE own.trip_id = :trip_id AND w.trip_id <> own.trip_id
            ORDER BY w.waits_since, w.trip_id LIMIT :limit
            """  # noqa: S608 - constants of this module
        ),
        {
            "step": step,
            "trip_id": trip_id,
            "gate_id": gate_id,
            "near_km": near_km,
            "limit": limit,
            "open_statuses": list(StepStatus.open()),
            **_AT_GATE,
        },
    )
    return [WaitingTruck(*row) for row in rows]


def trucks_undeclared(session: Session, gate_id: str, *, near_km: float, limit: int) -> list[ListedTruck]:
    """Trucks at the gate whose trip nobody declared, longest there first."""
    if session.execute(_HAS_UNDECLARED, {"gate_id": gate_id}).first() is None:
        return []  # as almost always; planning the whole query alone takes longer than this
    bound = {"gate_id": gate_id, "near_km": near_km, "limit": limit, **_STATUSES, **_AT_GATE}
    return records(ListedTruck, session.execute(_UNDECLARED, bound))


def open_steps(session: Session, trip_ids: Sequence[int]) -> dict[int, list[str]]:
    """For each trip, the steps that somebody could do now."""
    rows = session.execute(
        text(
            "SELECT trip_id, array_agg(step) AS steps FROM app.trip_step "
            "WHERE trip_id = ANY(:trip_ids) AND status = ANY(:open_statuses) GROUP BY trip_id"
        ),
        {"trip_ids": list(trip_ids), "open_statuses": list(StepStatus.open())},
    )
    return {row.trip_id: list(row.steps) for row in rows}


def replace_steps(session: Session, trip_id: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Give a locked trip the steps of another procedure instead of its own; `rows` as of `insert_steps`."""
    session.execute(delete(TripStepRow).where(TripStepRow.trip_id == trip_id))
    insert_steps(session, rows)
