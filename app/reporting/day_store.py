"""Queries behind the day in figures. Where a truck was and when is read by `list_trips` alone. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.procedures.steps import VehicleRole
from app.reporting.tables import DayFigureRow
from app.reporting.visits import GateChange, Spell, TripRecord
from app.trips.service import IS_OPEN, stage_of_place
from app.trips.vocabulary import PlaceKind, Stage
from geo.database import values_of

_STAGE = stage_of_place("p", "t")


@dataclass(frozen=True)
class NewFigure:
    """The figures of a gate and a class of goods for a day, with the columns of `DayFigureRow`."""

    day: date
    gate_id: str
    goods_class: str
    standing_before: int
    arrivals: int
    went_in: int
    went_out: int
    turned_back: int
    sent_on: int
    standing: int
    outside: int
    simulated: bool
    made_at: datetime


def list_trips(session: Session, since: datetime, until: datetime) -> list[TripRecord]:
    """Every trip that may have stood at a gate in [since, until), with all that is known of its way.

    A vehicle that a transshipment emptied crossed nothing: it is told as one that turned back. So is one that came and
    drove away until its trip expired; it left when it was at the gate last.
    """
    rows = session.execute(
        text(
            f"""
            SELECT t.trip_id, t.gate_id, t.direction, t.goods_class, t.simulated, t.arrived_at, t.stage, t.stage_since,
                   coalesce(t.facts ->> 'vehicle_role' = ANY(:empty), false)
                       OR EXISTS (SELECT FROM app.trip_place p WHERE p.trip_id = t.trip_id
                                  AND p.kind = :turned_back AND p.ended_at IS NULL) AS turned_back
            FROM app.trip t
            WHERE t.created_at <= :until AND (
                (t.stage IN (:out, :cancelled) AND t.stage_since >= :since)
                OR ((t.{IS_OPEN} OR (t.stage = :expired AND t.stage_since >= :since))
                    AND (t.arrived_at IS NOT NULL OR EXISTS (
                        SELECT FROM app.trip_place p WHERE p.trip_id = t.trip_id AND p.kind = ANY(:at_gate)))))
            ORDER BY t.trip_id
            """  # noqa: S608 - IS_OPEN is a constant of app.trips
        ),
        {
            "since": since,
            "until": until,
            "out": Stage.OUT,
            "cancelled": Stage.CANCELLED,
            "expired": Stage.EXPIRED,
            "turned_back": PlaceKind.TURNED_BACK,
            "empty": list(VehicleRole.empty()),
            "at_gate": list(PlaceKind.at_gate()),
        },
    ).all()
    trip_ids = [row.trip_id for row in rows]
    spells, changes = _spells(session, trip_ids), _changes(session, trip_ids)
    return [
        TripRecord(
            trip_id=row.trip_id,
            gate_id=row.gate_id,
            direction=row.direction,
            goods_class=row.goods_class,
            simulated=row.simulated,
            seen_at=row.arrived_at,
            left_at=_left_at(row.stage, row.stage_since, spells.get(row.trip_id, ())),
            turned_back=row.turned_back,
            cancelled=row.stage in {Stage.CANCELLED, Stage.EXPIRED},
            spells=tuple(spells.get(row.trip_id, ())),
            changes=tuple(changes.get(row.trip_id, ())),
        )
        for row in rows
    ]


def _left_at(stage: str, stage_since: datetime, spells: Collection[Spell]) -> datetime | None:
    if stage in Stage.open():
        return None
    at_gate = [spell.ended_at for spell in spells if spell.stage in Stage.at_gate() and spell.ended_at is not None]
    return max(at_gate, default=stage_since) if stage == Stage.EXPIRED else stage_since


def _spells(session: Session, trip_ids: Collection[int]) -> dict[int, list[Spell]]:
    rows = session.execute(
        text(
            f"""
            SELECT p.trip_id, {_STAGE} AS stage, p.began_at, p.ended_at
            FROM app.trip_place p JOIN app.trip t USING (trip_id)
            WHERE p.trip_id = ANY(:trip_ids) ORDER BY p.began_at
            """  # noqa: S608 - a constant of app.trips
        ),
        {"trip_ids": list(trip_ids)},
    )
    found: dict[int, list[Spell]] = defaultdict(list)
    for row in rows:
        found[row.trip_id].append(Spell(row.stage, row.began_at, row.ended_at))
    return found


def _changes(session: Session, trip_ids: Collection[int]) -> dict[int, list[GateChange]]:
    rows = session.execute(
        text(
            "SELECT trip_id, at, data ->> 'before' AS before, data ->> 'after' AS after FROM app.trip_event "
            "WHERE trip_id = ANY(:trip_ids) AND kind = 'gate_changed' ORDER BY at"
        ),
        {"trip_ids": list(trip_ids)},
    )
    found: dict[int, list[GateChange]] = defaultdict(list)
    for row in rows:
        found[row.trip_id].append(GateChange(row.at, row.before, row.after))
    return found


def replace_day(session: Session, day: date, rows: Sequence[NewFigure]) -> None:
    """Put the figures of a day in place of those before."""
    session.execute(delete(DayFigureRow).where(DayFigureRow.day == day))
    if rows:
        session.execute(insert(DayFigureRow), [values_of(row) for row in rows])


def list_figures(session: Session, first: date, last: date, gate_ids: Collection[str]) -> Sequence[DayFigureRow]:
    """Kept figures of some gates from a day to a day."""
    query = select(DayFigureRow).where(
        DayFigureRow.day >= first, DayFigureRow.day <= last, DayFigureRow.gate_id.in_(gate_ids)
    )
    return session.scalars(query.execution_options(populate_existing=True)).all()


def newest_day(session: Session) -> tuple[date, datetime] | None:
    """The newest day with figures, and when they were made first."""
    query = select(DayFigureRow.day, func.min(DayFigureRow.made_at)).group_by(DayFigureRow.day)
    row = session.execute(query.order_by(DayFigureRow.day.desc()).limit(1)).one_or_none()
    return None if row is None else (row[0], row[1])
