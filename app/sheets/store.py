"""Queries on procedures, sheets and work lists. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, text, update
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.procedures.steps import StepStatus
from app.sheets.tables import TripStepRow
from app.trips.service import IS_OPEN, TripEvent
from app.trips.vocabulary import Stage

# Sheets


def steps_of(session: Session, trip_id: int) -> Sequence[Row[Any]]:
    """The steps of a trip with the names of those who did them."""
    return session.execute(
        select(
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
    ).all()


def insert_steps(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """The steps of a new sheet: `trip_id step status since done_at done_by data`."""
    session.execute(insert(TripStepRow), [dict(row) for row in rows])


def update_step(session: Session, trip_id: int, step: str, values: Mapping[str, Any]) -> None:
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


# Work lists

_IS_HERE = """
    (t.arrived_at IS NOT NULL OR t.stage = :in_the_yard OR coalesce(g.gate_id = t.gate_id, false)
     OR (t.stage = :queued AND coalesce(p.km <= :near_km, false)))
"""
_AT_GATE: Final = {"queued": Stage.QUEUED, "in_the_yard": Stage.IN_THE_YARD}
"""What `_IS_HERE` binds, besides `near_km`."""
_WAITS_SINCE = "greatest(s.since, coalesce(t.arrived_at, t.stage_since))"
"""A step waits from when it could be done, but not before its truck is there."""
_IS_MINE = "(CAST(:collector AS text) IS NULL OR coalesce(t.facts ->> 'collector', :collector) = :collector)"
_WHERE_IT_IS = """
    p.time AS position_time, p.km, p.site_id, coalesce(x.arrive_at[2], t.planned_arrival) AS eta,
    x.arrive_at[2] IS NOT NULL AS eta_is_forecast
"""
_PLACES = """
    LEFT JOIN ingest.last_position p ON p.vehicle_id = t.vehicle_id
    LEFT JOIN geo.site g ON g.site_id = p.site_id
    LEFT JOIN app.outlook x ON x.trip_id = t.trip_id
"""
_ENTRIES = """
    SELECT c.*, t.code, t.version, t.direction, t.regime, t.goods, t.goods_class, t.perishable, t.channel, t.stage,
           t.simulated, t.trailer_plate, t.planned_arrival, t.arrived_at, t.facts ->> 'collector' AS collector,
           v.plate, o.name AS organisation
    FROM chosen c JOIN app.trip t USING (trip_id)
    JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
    JOIN app.organisation o ON o.organisation_id = t.organisation_id
"""
"""Names are joined to the few that are shown, not to all that are considered."""


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
) -> Sequence[Row[Any]]:
    """Trips whose step is open or comes later. First the work (`is_work`): what can be done now, the truck being at the
    gate, longest waiting first. Then what comes until a time, those at the gate first, then by arrival."""
    return session.execute(
        text(
            f"""
            WITH considered AS MATERIALIZED (
                SELECT t.trip_id, t.planned_arrival, s.status, s.since, {_WAITS_SINCE} AS waits_since,
                       {_IS_HERE} AS is_here, s.status <> :waiting AND {_IS_HERE} AS is_work, {_WHERE_IT_IS}
                FROM app.trip_step s JOIN app.trip t ON t.trip_id = s.trip_id {_PLACES}
                WHERE s.step = :step AND s.is_live AND s.status = ANY(:to_do)
                  AND t.gate_id = :gate_id AND t.{IS_OPEN} AND {_IS_MINE}
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
        ),
        {
            "step": step,
            "gate_id": gate_id,
            "collector": collector,
            "near_km": near_km,
            "until": until,
            "most_here": most_here,
            "most_next": most_next,
            "waiting": StepStatus.WAITING,
            "to_do": list(StepStatus.to_do()),
            **_AT_GATE,
        },
    ).all()


def trucks_undeclared(session: Session, gate_id: str, *, near_km: float, limit: int) -> Sequence[Row[Any]]:
    """Trucks at the gate whose trip nobody declared, longest there first."""
    return session.execute(
        text(
            f"""
            WITH chosen AS MATERIALIZED (
                SELECT t.trip_id, 'undeclared' AS status, {_WHERE_IT_IS}, coalesce(
                           CAST(t.facts ->> 'undeclared_since' AS timestamptz), t.arrived_at, t.stage_since
                       ) AS since
                FROM app.trip t {_PLACES}
                WHERE t.gate_id = :gate_id AND t.procedure_id IS NULL AND t.{IS_OPEN} AND {_IS_HERE}
                ORDER BY since, t.trip_id LIMIT :limit
            )
            {_ENTRIES} ORDER BY since, t.trip_id
            """  # noqa: S608 - constants of this module
        ),
        {"gate_id": gate_id, "near_km": near_km, "limit": limit, **_AT_GATE},
    ).all()


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
