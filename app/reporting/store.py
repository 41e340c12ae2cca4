"""Queries on stays, their daily sums, and bulletins. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.procedures.steps import Step, StepStatus, VehicleRole
from app.reporting.tables import BulletinFigures, BulletinRow, StayRow, StepDayRow
from app.reporting.vocabulary import StayKind
from app.trips.service import IS_OPEN, stage_of_place
from app.trips.vocabulary import PlaceKind, Stage
from geo.database import one_of, values_of

_STAGE = stage_of_place("p", "t")
_IS_AT_GATE = one_of("w.kind", PlaceKind.at_gate())
"""Written as in the index of such rows."""


@dataclass(frozen=True)
class StaySum:
    """Stays of one kind that ended in one local hour and are of one class of length, summed."""

    gate_id: str
    kind: str
    name: str
    agency: str
    hour: int
    bucket: int
    trips: int
    total_s: float
    longest_s: float


@dataclass
class DaySum:
    """The stays of one local day by gate, step, agency and hour, with the columns of `StepDayRow`."""

    day: date
    gate_id: str
    kind: str
    name: str
    agency: str
    hour: int
    trips: list[int] = field(default_factory=list)
    total_s: float = 0.0
    longest_s: float = 0.0


@dataclass(frozen=True)
class Wait:
    """A trip that waits now, at which step or in which stage (`kind`), and since when."""

    trip_id: int
    code: str
    plate: str
    gate_id: str
    kind: str
    name: str
    status: str
    since: datetime
    perishable: bool
    simulated: bool
    collector: str | None

    @property
    def agency(self) -> str:
        """Whom the trip waits for; empty in a stage."""
        return Step.get(self.name).agency(self.collector) if self.kind == StayKind.STEP else ""


@dataclass(frozen=True)
class Crossings:
    """How many trips of one sort ended."""

    gate_id: str
    direction: str
    goods_class: str
    simulated: bool
    turned_back: bool
    home_empty: bool
    trips: int


@dataclass(frozen=True)
class Standing:
    """How many trucks of one sort stood at a gate."""

    gate_id: str
    direction: str
    is_inside: bool
    simulated: bool
    trips: int


@dataclass(frozen=True)
class NewBulletin:
    """A bulletin to keep."""

    day: date
    gate_id: str
    made_at: datetime
    figures: BulletinFigures


def sum_stays(
    session: Session, since: datetime, until: datetime, *, bounds_s: Sequence[float], gate_id: str | None = None
) -> list[StaySum]:
    """Stays that ended in [since, until), summed: those in steps, and those in stages, from where trucks were.

    `bucket` is the number of `bounds_s` that a stay is at least as long as; `hour` the local hour of its end. Of a trip
    that was cancelled the last stay is none.
    """
    rows = session.execute(
        text(
            f"""
            WITH placed AS (
                SELECT p.trip_id, p.began_at, p.ended_at, {_STAGE} AS name
                FROM app.trip_place p JOIN app.trip t USING (trip_id)
                WHERE (CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id) AND p.trip_id IN (
                    SELECT e.trip_id FROM app.trip_place e WHERE e.ended_at >= :since AND e.ended_at < :until)
            ), begun AS (
                SELECT *, lag(name) OVER trip IS DISTINCT FROM name AS is_new FROM placed
                WINDOW trip AS (PARTITION BY trip_id ORDER BY began_at)
            ), numbered AS (
                SELECT *, count(*) FILTER (WHERE is_new) OVER (PARTITION BY trip_id ORDER BY began_at) AS n FROM begun
            ), stayed AS (
                SELECT trip_id, name, min(began_at) AS began_at, max(ended_at) AS ended_at FROM numbered
                GROUP BY trip_id, n, name HAVING bool_and(ended_at IS NOT NULL)
            ), stays AS (
                SELECT t.gate_id, CAST(:stage AS text) AS kind, s.name, '' AS agency, s.began_at, s.ended_at
                FROM stayed s JOIN app.trip t USING (trip_id)
                WHERE s.name <> :planned AND NOT (t.stage = :cancelled AND s.ended_at = t.stage_since)
                UNION ALL
                SELECT gate_id, kind, name, coalesce(agency, 'platform'), began_at, ended_at FROM app.stay
                WHERE kind = :step AND outcome = :done AND (CAST(:gate_id AS text) IS NULL OR gate_id = :gate_id)
                    AND ended_at >= :since AND ended_at < :until
            )
            SELECT gate_id, kind, name, agency,
                   CAST(extract(hour FROM ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh') AS int) AS hour,
                   width_bucket(extract(epoch FROM ended_at - began_at)::float8, CAST(:bounds_s AS float8[])) AS bucket,
                   CAST(count(*) AS int) AS trips,
                   CAST(sum(extract(epoch FROM ended_at - began_at)) AS float8) AS total_s,
                   CAST(max(extract(epoch FROM ended_at - began_at)) AS float8) AS longest_s
            FROM stays WHERE ended_at >= :since AND ended_at < :until
            GROUP BY 1, 2, 3, 4, 5, 6
            """  # noqa: S608 - a constant of this module
        ),
        {
            "since": since,
            "until": until,
            "bounds_s": list(bounds_s),
            "gate_id": gate_id,
            "stage": StayKind.STAGE,
            "step": StayKind.STEP,
            "done": StepStatus.DONE,
            "planned": Stage.PLANNED,
            "cancelled": Stage.CANCELLED,
        },
    )
    return [StaySum(*row) for row in rows]


def replace_day(session: Session, day: date, rows: Sequence[DaySum]) -> None:
    """Put the sums of a day in place of those before."""
    session.execute(delete(StepDayRow).where(StepDayRow.day == day))
    if rows:
        session.execute(insert(StepDayRow), [values_of(row) for row in rows])


def list_days(session: Session, first: date, last: date, *, gate_id: str | None) -> Sequence[StepDayRow]:
    """The sums of the days from `first` to `last`."""
    query = select(StepDayRow).where(StepDayRow.day >= first, StepDayRow.day <= last)
    if gate_id is not None:
        query = query.where(StepDayRow.gate_id == gate_id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def first_stay(session: Session, since: datetime) -> datetime | None:
    """When the oldest stay since a time ended."""
    query = text(
        "SELECT least((SELECT min(ended_at) FROM app.stay WHERE ended_at >= :since), "
        "(SELECT min(ended_at) FROM app.trip_place WHERE ended_at >= :since))"
    )
    found: datetime | None = session.execute(query, {"since": since}).scalar_one()
    return found


def forget_stays(session: Session, before: datetime) -> None:
    """Throw away stays that ended before a time."""
    session.execute(delete(StayRow).where(StayRow.ended_at < before))


def longest_waits(session: Session, *, gate_id: str | None, limit: int) -> list[Wait]:
    """Who waits longest now: open steps at the gate, and trucks that queue or stand without a sheet, oldest first."""
    rows = session.execute(
        text(
            f"""
            SELECT w.trip_id, w.code, v.plate, w.gate_id, w.kind, w.name, w.status, w.since, w.perishable, w.simulated,
                   w.collector FROM (
                (SELECT t.trip_id, t.code, t.vehicle_id, t.gate_id, t.stage, t.perishable, t.simulated,
                        :step AS kind, s.step AS name, s.status,
                        greatest(s.since, coalesce(t.arrived_at, t.stage_since)) AS since,
                        t.facts ->> 'collector' AS collector
                 FROM app.trip_step s JOIN app.trip t USING (trip_id) JOIN app.trip_place w USING (trip_id)
                 WHERE s.is_live AND s.status = ANY(:open_statuses) AND s.step <> :declaration
                     AND w.ended_at IS NULL AND {_IS_AT_GATE} AND w.gate_id = t.gate_id
                     AND (CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id)
                 ORDER BY since LIMIT :limit)
                UNION ALL
                (SELECT t.trip_id, t.code, t.vehicle_id, t.gate_id, t.stage, t.perishable, t.simulated,
                        :stage, t.stage, :ready, t.stage_since, NULL
                 FROM app.trip t JOIN app.trip_place w USING (trip_id)
                 WHERE w.ended_at IS NULL AND {_IS_AT_GATE} AND w.gate_id = t.gate_id AND t.{IS_OPEN}
                     AND NOT EXISTS (SELECT FROM app.trip_step s WHERE s.trip_id = t.trip_id AND s.is_live)
                     AND (CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id)
                 ORDER BY t.stage_since LIMIT :limit)
            ) w JOIN ingest.vehicle v USING (vehicle_id)
            ORDER BY w.since, w.trip_id LIMIT :limit
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {
            "gate_id": gate_id,
            "limit": limit,
            "open_statuses": list(StepStatus.open()),
            "declaration": Step.DECLARATION,
            "ready": StepStatus.READY,
            "stage": StayKind.STAGE,
            "step": StayKind.STEP,
        },
    )
    return [Wait(*row) for row in rows]


# Bulletins


def crossings(session: Session, since: datetime, until: datetime) -> list[Crossings]:
    """Trips whose truck was over the border, inland or turned back from a moment in [since, until) on.

    `home_empty` are those of vehicles that a transshipment emptied.
    """
    rows = session.execute(
        text(
            """
            SELECT t.gate_id, t.direction, t.goods_class, t.simulated, p.kind = :turned_back AS turned_back,
                   coalesce(t.facts ->> 'vehicle_role' = ANY(:empty), false) AS home_empty,
                   CAST(count(*) AS int) AS trips
            FROM app.trip_place p JOIN app.trip t USING (trip_id)
            WHERE p.kind = ANY(:over) AND p.began_at >= :since AND p.began_at < :until AND p.ended_at IS NULL
                AND t.stage = :out
            GROUP BY 1, 2, 3, 4, 5, 6
            """
        ),
        {
            "since": since,
            "until": until,
            "over": list(PlaceKind.over()),
            "turned_back": PlaceKind.TURNED_BACK,
            "out": Stage.OUT,
            "empty": list(VehicleRole.empty()),
        },
    )
    return [Crossings(*row) for row in rows]


def standing_at(session: Session, moment: datetime) -> list[Standing]:
    """Trucks that stood at the gates at a moment, before the barrier or between the barriers."""
    rows = session.execute(
        text(
            f"""
            SELECT w.gate_id, t.direction, w.kind = ANY(:inside) AS is_inside, t.simulated,
                   CAST(count(*) AS int) AS trips
            FROM app.trip_place w JOIN app.trip t USING (trip_id)
            WHERE {_IS_AT_GATE} AND w.began_at <= :moment AND (w.ended_at > :moment OR w.ended_at IS NULL)
            GROUP BY 1, 2, 3, 4
            """  # noqa: S608 - a constant of this module
        ),
        {"moment": moment, "inside": list(PlaceKind.inside())},
    )
    return [Standing(*row) for row in rows]


def save_bulletins(session: Session, rows: Sequence[NewBulletin]) -> None:
    """Keep bulletins in place of those before."""
    if not rows:
        return
    query = insert(BulletinRow)
    query = query.on_conflict_do_update(
        index_elements=["day", "gate_id"],
        set_={"made_at": query.excluded.made_at, "figures": query.excluded.figures},
    )
    session.execute(query, [values_of(row) for row in rows])


def newest_bulletin(session: Session) -> tuple[date, datetime] | None:
    """The newest day with bulletins, and when they were made last."""
    query = select(BulletinRow.day, func.min(BulletinRow.made_at)).group_by(BulletinRow.day)
    row = session.execute(query.order_by(BulletinRow.day.desc()).limit(1)).one_or_none()
    return None if row is None else (row[0], row[1])


def list_bulletins(session: Session, first: date, last: date, gate_ids: Collection[str]) -> Sequence[BulletinRow]:
    """Bulletins of some gates from a day to a day, oldest first."""
    query = select(BulletinRow).where(
        BulletinRow.day >= first, BulletinRow.day <= last, BulletinRow.gate_id.in_(gate_ids)
    )
    return session.scalars(
        query.order_by(BulletinRow.day, BulletinRow.gate_id).execution_options(populate_existing=True)
    ).all()
