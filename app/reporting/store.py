"""Queries on stays, their daily sums, and bulletins. Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.procedures.steps import Step, StepStatus
from app.reporting.tables import BulletinFigures, BulletinRow, StayRow, StepDayRow
from app.reporting.vocabulary import StayKind
from app.trips.service import IS_OPEN
from app.trips.vocabulary import Stage


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
    trips: int


@dataclass(frozen=True)
class Standing:
    """How many trucks of one sort stood at a gate."""

    gate_id: str
    direction: str
    stage: str
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
    """Stays that ended in [since, until), summed.

    `bucket` is the number of `bounds_s` that a stay is at least as long as; `hour` the local hour of its end.
    """
    rows = session.execute(
        text(
            """
            SELECT gate_id, kind, name,
                   CASE WHEN kind = :stage THEN '' ELSE coalesce(agency, 'platform') END AS agency,
                   CAST(extract(hour FROM ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh') AS int) AS hour,
                   width_bucket(extract(epoch FROM ended_at - began_at)::float8, CAST(:bounds_s AS float8[])) AS bucket,
                   CAST(count(*) AS int) AS trips,
                   CAST(sum(extract(epoch FROM ended_at - began_at)) AS float8) AS total_s,
                   CAST(max(extract(epoch FROM ended_at - began_at)) AS float8) AS longest_s
            FROM app.stay
            WHERE ended_at >= :since AND ended_at < :until
                AND (CAST(:gate_id AS text) IS NULL OR gate_id = :gate_id)
                AND ((kind = :step AND outcome = :done)
                     OR (kind = :stage AND name <> :planned AND outcome <> :cancelled))
            GROUP BY 1, 2, 3, 4, 5, 6
            """
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
        session.execute(insert(StepDayRow), [asdict(row) for row in rows])


def list_days(session: Session, first: date, last: date, *, gate_id: str | None) -> Sequence[StepDayRow]:
    """The sums of the days from `first` to `last`."""
    query = select(StepDayRow).where(StepDayRow.day >= first, StepDayRow.day <= last)
    if gate_id is not None:
        query = query.where(StepDayRow.gate_id == gate_id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def first_stay(session: Session) -> datetime | None:
    """When the oldest stay that is kept ended."""
    return session.scalar(select(func.min(StayRow.ended_at)))


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
                 FROM app.trip_step s JOIN app.trip t USING (trip_id)
                 WHERE s.is_live AND s.status = ANY(:open_statuses) AND s.step <> :declaration
                     AND t.stage = ANY(:at_gate)
                     AND (CAST(:gate_id AS text) IS NULL OR t.gate_id = :gate_id)
                 ORDER BY since LIMIT :limit)
                UNION ALL
                (SELECT t.trip_id, t.code, t.vehicle_id, t.gate_id, t.stage, t.perishable, t.simulated,
                        :stage, t.stage, :ready, t.stage_since, NULL
                 FROM app.trip t
                 WHERE t.stage = ANY(:at_gate) AND t.{IS_OPEN}
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
            "at_gate": list(Stage.at_gate()),
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
    """Trips that ended in [since, until)."""
    rows = session.execute(
        text(
            """
            SELECT s.gate_id, t.direction, t.goods_class, t.simulated, e.turned_back, CAST(count(*) AS int) AS trips
            FROM app.stay s
            JOIN app.trip t USING (trip_id)
            CROSS JOIN LATERAL (
                SELECT EXISTS (SELECT FROM app.trip_event e
                               WHERE e.trip_id = s.trip_id AND e.kind = 'stage' AND e.data ->> 'after' = :out
                                   AND e.data ->> 'reason' = 'turned_back') AS turned_back
            ) e
            WHERE s.ended_at >= :since AND s.ended_at < :until AND s.kind = :stage AND s.outcome = :out
            GROUP BY 1, 2, 3, 4, 5
            """
        ),
        {"since": since, "until": until, "out": Stage.OUT, "stage": StayKind.STAGE},
    )
    return [Crossings(*row) for row in rows]


def standing_at(session: Session, moment: datetime) -> list[Standing]:
    """Trucks that stood at the gates at a moment; still kept stays only."""
    rows = session.execute(
        text(
            f"""
            SELECT gate_id, direction, stage, simulated, CAST(count(*) AS int) AS trips FROM (
                SELECT s.gate_id, t.direction, s.name AS stage, t.simulated
                FROM app.stay s JOIN app.trip t USING (trip_id)
                WHERE s.ended_at > :moment AND s.began_at <= :moment AND s.kind = :stage
                    AND s.name = ANY(:at_gate)
                UNION ALL
                SELECT t.gate_id, t.direction, t.stage, t.simulated
                FROM app.trip t
                WHERE t.stage = ANY(:at_gate) AND t.{IS_OPEN} AND t.stage_since <= :moment
            ) w GROUP BY 1, 2, 3, 4
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {"moment": moment, "at_gate": list(Stage.at_gate()), "stage": StayKind.STAGE},
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
    session.execute(query, [asdict(row) for row in rows])


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
