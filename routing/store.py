"""What the schema `routing` holds: forecasts, measured queues, scenario runs.

Nothing here commits: the request or the task is the transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from geo.errors import ConflictError, NotFoundError
from routing.forecast import CODE_VERSION, Forecast
from routing.measure import QueueNow
from routing.records import GateForecast, QueueObservation, YardForecast
from routing.scenario_records import ResultRecord, RunInputs
from routing.tables import (
    ForecastGateRow,
    ForecastRow,
    ForecastYardRow,
    QueueObservationRow,
    ScenarioRunRow,
)

__all__ = ["GateForecast", "QueueObservation", "YardForecast"]
"""Records that callers take from here; the functions are reached through the module."""


def save_forecast(session: Session, forecast: Forecast) -> int:
    """Store a forecast; its id."""
    forecast_id = session.execute(
        insert(ForecastRow)
        .values(
            made_at=forecast.made_at,
            seed=forecast.seed,
            code_version=forecast.code_version,
            runs=forecast.runs,
            horizon_s=forecast.horizon_s,
            step_s=forecast.step_s,
            duration_ms=forecast.duration_s * 1000.0,
            quantiles=list(forecast.quantiles),
            state_summary=dict(forecast.summary),
        )
        .returning(ForecastRow.forecast_id)
    ).scalar_one()
    gates = [
        {
            "forecast_id": forecast_id,
            "gate_id": gate_id,
            "queue_veh": np.round(forecast.queue_veh[:, g], 2).tolist(),
            "wait_s": np.round(forecast.wait_s[:, g], 1).tolist(),
            "tail_km": np.round(forecast.tail_km[:, g], 3).tolist(),
        }
        for g, gate_id in enumerate(forecast.gate_ids)
    ]
    yards = [
        {
            "forecast_id": forecast_id,
            "yard_id": yard_id,
            "occupancy_veh": np.round(forecast.occupancy_veh[:, y], 2).tolist(),
        }
        for y, yard_id in enumerate(forecast.yard_ids)
    ]
    if gates:
        session.execute(insert(ForecastGateRow), gates)
    if yards:
        session.execute(insert(ForecastYardRow), yards)
    return forecast_id


def _gate_forecast(head: ForecastRow, row: ForecastGateRow) -> GateForecast:
    return GateForecast(
        forecast_id=head.forecast_id,
        gate_id=row.gate_id,
        made_at=head.made_at,
        seed=head.seed,
        code_version=head.code_version,
        runs=head.runs,
        horizon_s=head.horizon_s,
        step_s=head.step_s,
        quantiles=tuple(head.quantiles),
        queue_veh=np.array(row.queue_veh),
        wait_s=np.array(row.wait_s),
        tail_km=np.array(row.tail_km),
        duration_ms=head.duration_ms,
        state_summary=head.state_summary,
    )


def latest_forecast(session: Session, gate_id: str) -> GateForecast | None:
    """The newest forecast for a gate, or None if there is none yet."""
    row = session.execute(
        select(ForecastRow, ForecastGateRow)
        .join(ForecastGateRow, ForecastGateRow.forecast_id == ForecastRow.forecast_id)
        .where(ForecastGateRow.gate_id == gate_id)
        .order_by(ForecastRow.made_at.desc(), ForecastRow.forecast_id.desc())
        .limit(1)
    ).first()
    return None if row is None else _gate_forecast(row[0], row[1])


def forecasts_between(session: Session, gate_id: str, since: datetime, until: datetime) -> tuple[GateForecast, ...]:
    """A gate's forecasts made in [since, until), oldest first."""
    rows = session.execute(
        select(ForecastRow, ForecastGateRow)
        .join(ForecastGateRow, ForecastGateRow.forecast_id == ForecastRow.forecast_id)
        .where(ForecastGateRow.gate_id == gate_id, ForecastRow.made_at >= since, ForecastRow.made_at < until)
        .order_by(ForecastRow.made_at)
    )
    return tuple(_gate_forecast(head, row) for head, row in rows)


def latest_yard_forecast(session: Session, yard_id: str) -> YardForecast | None:
    """The newest forecast of a yard's occupancy, or None."""
    found = session.execute(
        select(ForecastRow, ForecastYardRow)
        .join(ForecastYardRow, ForecastYardRow.forecast_id == ForecastRow.forecast_id)
        .where(ForecastYardRow.yard_id == yard_id)
        .order_by(ForecastRow.made_at.desc(), ForecastRow.forecast_id.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    head, row = found
    return YardForecast(
        head.forecast_id, yard_id, head.made_at, head.step_s, tuple(head.quantiles), np.array(row.occupancy_veh)
    )


def prune_forecasts(session: Session, before: datetime) -> int:
    """Delete forecasts made before a moment; how many."""
    gone = session.execute(
        delete(ForecastRow).where(ForecastRow.made_at < before).returning(ForecastRow.forecast_id)
    ).all()
    return len(gone)


def save_queue_observations(session: Session, at: datetime, gate_ids: Sequence[str], queue: QueueNow) -> None:
    """Store the measured queues of a moment; the same moment again replaces them."""
    rows = [
        {
            "gate_id": gate_id,
            "time": at,
            "queue_veh": float(queue.queue_veh[g]),
            "tail_km": float(queue.tail_km[g]),
            "speed_mps": None if np.isnan(queue.speed_mps[g]) else float(queue.speed_mps[g]),
        }
        for g, gate_id in enumerate(gate_ids)
    ]
    if not rows:
        return
    statement = pg_insert(QueueObservationRow).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["gate_id", "time"],
            set_={name: statement.excluded[name] for name in ("queue_veh", "tail_km", "speed_mps")},
        )
    )


def queue_observations(
    session: Session, gate_id: str, since: datetime, until: datetime
) -> tuple[QueueObservation, ...]:
    """A gate's measured queues in [since, until), oldest first."""
    rows = session.scalars(
        select(QueueObservationRow)
        .where(
            QueueObservationRow.gate_id == gate_id,
            QueueObservationRow.time >= since,
            QueueObservationRow.time < until,
        )
        .order_by(QueueObservationRow.time)
    )
    return tuple(QueueObservation(r.gate_id, r.time, r.queue_veh, r.tail_km, r.speed_mps) for r in rows)


def add_scenario_run(
    session: Session, inputs: RunInputs, *, seed: int, created_by: int, now: datetime
) -> ScenarioRunRow:
    """Queue a scenario for running."""
    row = ScenarioRunRow(
        run_id=uuid.uuid4(),
        created_by=created_by,
        status="queued",
        progress=0.0,
        inputs=inputs,
        seed=seed,
        code_version=CODE_VERSION,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def get_scenario_run(session: Session, run_id: uuid.UUID) -> ScenarioRunRow:
    """One run.

    Raises
    ------
    NotFoundError
        If there is no such run.
    """
    row = session.get(ScenarioRunRow, run_id, populate_existing=True)
    if row is None:
        raise NotFoundError("There is no scenario run {run_id}.", run_id=str(run_id))
    return row


def scenario_runs(session: Session, *, created_by: int | None = None, limit: int = 50) -> list[ScenarioRunRow]:
    """The newest runs, of one account or of all."""
    query = select(ScenarioRunRow).order_by(ScenarioRunRow.created_at.desc()).limit(limit)
    if created_by is not None:
        query = query.where(ScenarioRunRow.created_by == created_by)
    return list(session.scalars(query))


def claim_scenario_run(session: Session, *, now: datetime) -> ScenarioRunRow | None:
    """Take the oldest queued run for this worker and mark it running; None if there is none.

    Rows that another worker is just taking are passed over.
    """
    row = session.scalars(
        select(ScenarioRunRow)
        .where(ScenarioRunRow.status == "queued")
        .order_by(ScenarioRunRow.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    row.status, row.started_at = "running", now
    session.flush()
    return row


def report_progress(session: Session, run_id: uuid.UUID, progress: float) -> bool:
    """Note how far a run is (0 to 1); whether it should go on (False: it was cancelled)."""
    still = session.execute(
        update(ScenarioRunRow)
        .where(ScenarioRunRow.run_id == run_id, ScenarioRunRow.status == "running")
        .values(progress=min(max(progress, 0.0), 1.0))
        .returning(ScenarioRunRow.run_id)
    ).first()
    return still is not None


def finish_scenario_run(
    session: Session,
    run_id: uuid.UUID,
    *,
    now: datetime,
    result: ResultRecord | None = None,
    error: str | None = None,
) -> None:
    """Store a run's result, or why it failed. A run cancelled since stays cancelled."""
    values: dict[str, object] = {"finished_at": now}
    if error is None:
        values |= {"status": "done", "progress": 1.0, "result": result}
    else:
        values |= {"status": "failed", "error": error}
    session.execute(
        update(ScenarioRunRow)
        .where(ScenarioRunRow.run_id == run_id, ScenarioRunRow.status == "running")
        .values(**values)
    )


def cancel_scenario_run(session: Session, run_id: uuid.UUID, *, now: datetime) -> ScenarioRunRow:
    """Cancel a queued or running run; a running one stops at its next report of progress.

    Raises
    ------
    NotFoundError
        If there is no such run.
    ConflictError
        If it has ended already.
    """
    row = get_scenario_run(session, run_id)
    changed = session.execute(
        update(ScenarioRunRow)
        .where(ScenarioRunRow.run_id == run_id, ScenarioRunRow.status.in_(("queued", "running")))
        .values(status="cancelled", finished_at=now)
        .returning(ScenarioRunRow.run_id)
    ).first()
    if changed is None:
        raise ConflictError("Scenario run {run_id} is {status} already.", run_id=str(run_id), status=row.status)
    return get_scenario_run(session, run_id)


def requeue_interrupted_runs(session: Session) -> int:
    """Put runs back in the queue that were running when their worker stopped; how many. For the one worker's start."""
    rows = session.execute(
        update(ScenarioRunRow)
        .where(ScenarioRunRow.status == "running")
        .values(status="queued", progress=0.0, started_at=None)
        .returning(ScenarioRunRow.run_id)
    ).all()
    return len(rows)
