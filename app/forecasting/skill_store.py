"""Queries of the skill of forecasts: forecasts that wait for their hour, tracks, scores. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.forecasting.skill_tables import CheckRow, SkillRow, TrackRow
from app.forecasting.skill_vocabulary import Quantity, Source
from app.gates.served_place import NEAR_KM
from app.trips.vocabulary import Direction, PlaceKind
from geo.database import one_of, values_of
from routing.calibration import N_BINS, Track


@dataclass(frozen=True)
class SeriesLead:
    """A quantity at a gate or yard, so far ahead."""

    quantity: Quantity
    place_id: str
    lead_s: int


@dataclass(frozen=True)
class Check:
    """A forecast that waits for its hour; see `CheckRow`."""

    quantity: str
    place_id: str
    lead_s: int
    key: int
    made_at: datetime
    target_at: datetime | None
    published: str
    sources: list[str]
    centre: list[float]
    low: list[float]
    middle: list[float]
    high: list[float]
    width_below: list[float]
    width_above: list[float]
    raw_low: float
    raw_high: float

    @property
    def series(self) -> SeriesLead:
        """What it is a forecast of."""
        return SeriesLead(Quantity.get(self.quantity), self.place_id, self.lead_s)


@dataclass(frozen=True)
class Standing:
    """How the sources of a series fare at a horizon, and which of them is published since when."""

    tracks: Mapping[Source, Track]
    published: Source = Source.MODEL
    since: datetime | None = None


@dataclass(frozen=True)
class ScoreSums:
    """Sums of scores; the columns of `SkillRow`."""

    quantity: str
    place_id: str
    lead_s: int
    source: str
    hour: datetime
    n: int
    error: float
    abs_error: float
    pinball_low: float
    pinball_middle: float
    pinball_high: float
    below_n: int
    above_n: int


@dataclass(frozen=True)
class SkillSums:
    """Sums of scores over a span; `hour` is that of the day in local time, or -1 for all of them."""

    quantity: str
    place_id: str
    lead_s: int
    source: str
    hour: int
    n: int
    error: float
    abs_error: float
    pinball: float
    below_n: int
    above_n: int


@dataclass(frozen=True)
class Visit:
    """An export truck at a gate: when it joined the queue (`None`: went straight in), when it was let in.

    `is_waiting` says whether it stands before the place now where trucks are served.
    """

    trip_id: int
    gate_id: str
    joined_at: datetime | None
    entered_at: datetime | None
    is_waiting: bool


# Forecasts that wait for their hour


def insert_checks(session: Session, checks: Sequence[Check]) -> None:
    """Keep forecasts until their hour; what is kept already stays."""
    if checks:
        session.execute(insert(CheckRow).on_conflict_do_nothing(), [values_of(check) for check in checks])


def due_checks(session: Session, now: datetime) -> list[Check]:
    """Forecasts of series whose hour has come, oldest first."""
    query = select(CheckRow).where(CheckRow.target_at <= now).order_by(CheckRow.target_at)
    return [_check(row) for row in session.scalars(query)]


def truck_checks(session: Session, trip_ids: Sequence[int]) -> list[Check]:
    """Forecasts for the trucks of some trips that wait, oldest first."""
    query = select(CheckRow).where(CheckRow.target_at.is_(None), CheckRow.key.in_(trip_ids)).order_by(CheckRow.made_at)
    return [_check(row) for row in session.scalars(query)]


def kept_of_trucks(session: Session) -> set[tuple[SeriesLead, int]]:
    """Horizon and trip of the forecasts for single trucks that are kept already."""
    columns = (CheckRow.quantity, CheckRow.place_id, CheckRow.lead_s, CheckRow.key)
    rows = session.execute(select(*columns).where(CheckRow.target_at.is_(None)))
    return {(SeriesLead(Quantity.get(quantity), place_id, lead_s), key) for quantity, place_id, lead_s, key in rows}


def delete_checks(session: Session, checks: Sequence[Check]) -> None:
    """Forget forecasts that are scored, or cannot be."""
    if checks:
        columns = tuple_(CheckRow.quantity, CheckRow.place_id, CheckRow.lead_s, CheckRow.key)
        keys = [(check.quantity, check.place_id, check.lead_s, check.key) for check in checks]
        session.execute(delete(CheckRow).where(columns.in_(keys)))


def _check(row: CheckRow) -> Check:
    return Check(**{name: getattr(row, name) for name in Check.__dataclass_fields__})


# Tracks


def load_standings(
    session: Session, place_ids: Sequence[str] | None = None, *, only_lost: bool = False
) -> dict[SeriesLead, Standing]:
    """How each series (of some gates and yards) fares at each horizon.

    With `only_lost`, those for which something else than the model is published.
    """
    query = select(TrackRow)
    if only_lost:
        key = (TrackRow.quantity, TrackRow.place_id, TrackRow.lead_s)
        lost = select(*key).where(TrackRow.is_published, TrackRow.source != Source.MODEL)
        query = query.where(tuple_(*key).in_(lost))
    if place_ids is not None:
        query = query.where(TrackRow.place_id.in_(place_ids))
    tracks: dict[SeriesLead, dict[Source, Track]] = {}
    published: dict[SeriesLead, tuple[Source, datetime | None]] = {}
    for row in session.scalars(query):
        series = SeriesLead(Quantity.get(row.quantity), row.place_id, row.lead_s)
        histogram = np.array(row.histogram, float)
        if histogram.size != N_BINS:
            continue  # of a version with other bins: it learns again
        tracks.setdefault(series, {})[Source(row.source)] = Track(
            histogram, row.level_below, row.level_above, row.mean_error, row.evidence_h, row.time_h
        )
        if row.is_published:
            published[series] = (Source(row.source), row.published_since)
    return {series: Standing(own, *published.get(series, (Source.MODEL, None))) for series, own in tracks.items()}


def save_standings(session: Session, standings: Mapping[SeriesLead, Standing]) -> None:
    """Put down how series fare."""
    rows = [
        {
            "quantity": series.quantity,
            "place_id": series.place_id,
            "lead_s": series.lead_s,
            "source": source,
            "histogram": track.histogram.tolist(),
            "level_below": track.level_below,
            "level_above": track.level_above,
            "mean_error": track.mean_error,
            "evidence_h": track.evidence_h,
            "time_h": track.time_h,
            "is_published": source == standing.published,
            "published_since": standing.since,
        }
        for series, standing in standings.items()
        for source, track in standing.tracks.items()
    ]
    if not rows:
        return
    statement = insert(TrackRow)
    keys = ("quantity", "place_id", "lead_s", "source")
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


# Scores


def add_scores(session: Session, sums: Iterable[ScoreSums]) -> None:
    """Add scores to those of their hours."""
    rows = [values_of(total) for total in sums]
    if not rows:
        return
    statement = insert(SkillRow)
    keys = ("quantity", "place_id", "lead_s", "source", "hour")
    added = {name: getattr(SkillRow, name) + statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=added), rows)


def skill_sums(
    session: Session,
    since: datetime,
    until: datetime,
    *,
    place_ids: Sequence[str],
    quantities: Sequence[Quantity] = tuple(Quantity),
    hours_in: str | None = None,
) -> list[SkillSums]:
    """Scores at some gates and yards for the hours in [since, until), together or by hour of the day in a time zone."""
    hour = text("-1") if hours_in is None else func.extract("hour", func.timezone(hours_in, SkillRow.hour))
    names = (SkillRow.quantity, SkillRow.place_id, SkillRow.lead_s, SkillRow.source)
    rows = session.execute(
        select(
            *names,
            hour,
            func.sum(SkillRow.n),
            func.sum(SkillRow.error),
            func.sum(SkillRow.abs_error),
            func.sum(SkillRow.pinball_low + SkillRow.pinball_middle + SkillRow.pinball_high),
            func.sum(SkillRow.below_n),
            func.sum(SkillRow.above_n),
        )
        .where(
            SkillRow.hour >= since,
            SkillRow.hour < until,
            SkillRow.place_id.in_(place_ids),
            SkillRow.quantity.in_(quantities),
        )
        .group_by(*names, *(() if hours_in is None else (hour,)))
        .order_by(*names)
    )
    return [
        SkillSums(
            quantity, place_id, lead_s, source, int(at), int(n), error, abs_error, pinball, int(below), int(above)
        )
        for quantity, place_id, lead_s, source, at, n, error, abs_error, pinball, below, above in rows
    ]


def prune(session: Session, *, scores_before: datetime, checks_before: datetime) -> None:
    """Delete scores older than the one moment, and forecasts made before the other that never could be scored."""
    session.execute(delete(SkillRow).where(SkillRow.hour < scores_before))
    session.execute(delete(CheckRow).where(CheckRow.made_at < checks_before))


# What came


def gate_visits(session: Session, since: datetime, served_km: Mapping[str, float] | None = None) -> list[Visit]:
    """Export trucks that were at a gate since a moment, as presence judges them.

    Arguments: `served_km`, gate → kilometre at which it serves trucks, where that is known: a truck is let in when its
    GPS comes there, and waits until then, on whichever side of the barrier; one without GPS when it passes the barrier.
    """
    at_gate = one_of("p.kind", PlaceKind.at_gate())
    rows = session.execute(
        text(
            f"""
            SELECT v.trip_id, v.gate_id, v.joined_at,
                   coalesce(came.time, v.in_yard_at, CASE WHEN NOT coalesce(behind.waits, false) THEN v.entered_at END),
                   v.is_waiting OR (came.time IS NULL AND v.in_yard_at IS NULL AND coalesce(behind.waits, false))
            FROM (
                SELECT p.trip_id, p.gate_id, t.vehicle_id,
                       min(p.began_at) FILTER (WHERE p.kind = ANY(:before)) AS joined_at,
                       min(p.began_at) FILTER (WHERE p.kind = ANY(:inside)) AS entered_at,
                       min(p.began_at) FILTER (WHERE p.kind = :yard AND place.km IS NOT NULL) AS in_yard_at,
                       coalesce(bool_or(p.ended_at IS NULL AND p.kind = ANY(:before)), false) AS is_waiting, place.km
                FROM app.trip_place p JOIN app.trip t USING (trip_id)
                LEFT JOIN unnest(CAST(:gates AS text[]), CAST(:served_km AS float[])) AS place (gate_id, km)
                    ON place.gate_id = p.gate_id
                WHERE {at_gate} AND p.gate_id IS NOT NULL AND t.direction = :export
                    AND (p.ended_at IS NULL OR p.ended_at >= :since)
                GROUP BY p.trip_id, p.gate_id, t.vehicle_id, place.km) v
            LEFT JOIN LATERAL (
                SELECT min(x.time) AS time FROM ingest.fix x
                WHERE x.vehicle_id = v.vehicle_id AND x.direction = 1 AND x.km <= v.km + :near_km
                    AND x.time >= coalesce(v.joined_at, v.entered_at - interval '1 hour')
                    AND x.time < v.entered_at + interval '6 hours') came ON true
            LEFT JOIN LATERAL (
                SELECT bool_or(true) AS waits FROM ingest.fix x
                WHERE x.vehicle_id = v.vehicle_id AND x.direction = 1 AND x.km > v.km + :near_km
                    AND x.time >= v.entered_at AND x.time < v.entered_at + interval '6 hours') behind ON true
            ORDER BY v.trip_id, v.gate_id
            """  # noqa: S608 - names of code
        ),
        {
            "since": since,
            "export": Direction.EXPORT,
            "before": [PlaceKind.QUEUED],
            "inside": list(PlaceKind.inside()),
            "gates": list(served_km or {}),
            "served_km": list((served_km or {}).values()),
            "near_km": NEAR_KM,
            "yard": PlaceKind.YARD,
        },
    )
    return [Visit(*row) for row in rows]
