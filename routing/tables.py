"""Tables of the schema `routing`: forecasts, measured queues, scenario runs."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base
from routing.parameter_records import CalibrationRecord
from routing.scenario_records import ResultRecord, RunInputs

SCHEMA = "routing"


class ForecastRow(Base):
    """A forecast of the whole corridor: what it was made from and with."""

    __tablename__ = "forecast"
    __table_args__ = (Index("ix_forecast_made_at", "made_at"), {"schema": SCHEMA})

    forecast_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    made_at: Mapped[datetime]
    seed: Mapped[int] = mapped_column(BigInteger)
    code_version: Mapped[str]
    runs: Mapped[int]
    horizon_s: Mapped[float]
    step_s: Mapped[float]
    duration_ms: Mapped[float]
    quantiles: Mapped[list[float]] = mapped_column(ARRAY(Float))
    state_summary: Mapped[dict[str, object]] = mapped_column(JSONB)


class ForecastGateRow(Base):
    """A gate's share of a forecast: arrays [quantile][time]."""

    __tablename__ = "forecast_gate"
    __table_args__ = ({"schema": SCHEMA},)

    forecast_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("routing.forecast.forecast_id", ondelete="CASCADE"), primary_key=True
    )
    gate_id: Mapped[str] = mapped_column(primary_key=True)
    queue_veh: Mapped[list[list[float]]] = mapped_column(ARRAY(Float, dimensions=2))
    wait_s: Mapped[list[list[float]]] = mapped_column(ARRAY(Float, dimensions=2))
    tail_km: Mapped[list[list[float]]] = mapped_column(ARRAY(Float, dimensions=2))


class ForecastYardRow(Base):
    """A yard's share of a forecast: array [quantile][time]."""

    __tablename__ = "forecast_yard"
    __table_args__ = ({"schema": SCHEMA},)

    forecast_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("routing.forecast.forecast_id", ondelete="CASCADE"), primary_key=True
    )
    yard_id: Mapped[str] = mapped_column(primary_key=True)
    occupancy_veh: Mapped[list[list[float]]] = mapped_column(ARRAY(Float, dimensions=2))


class QueueObservationRow(Base):
    """The queue at a gate as measured from positions at one moment."""

    __tablename__ = "queue_observation"
    __table_args__ = ({"schema": SCHEMA},)

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    time: Mapped[datetime] = mapped_column(primary_key=True)
    queue_veh: Mapped[float]
    tail_km: Mapped[float]
    speed_mps: Mapped[float | None]


class ScenarioRunRow(Base):
    """A planner's study: inputs, state of the work, result."""

    __tablename__ = "scenario_run"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="status"),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        Index("ix_scenario_run_created_by_created_at", "created_by", "created_at"),
        Index("ix_scenario_run_queued", "created_at", postgresql_where=text("status = 'queued'")),
        {"schema": SCHEMA},
    )

    run_id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    created_by: Mapped[int]
    status: Mapped[str] = mapped_column(server_default=text("'queued'"))
    progress: Mapped[float] = mapped_column(server_default=text("0"))
    inputs: Mapped[RunInputs] = mapped_column(JSONB)
    seed: Mapped[int] = mapped_column(BigInteger)
    code_version: Mapped[str]
    result: Mapped[ResultRecord | None] = mapped_column(JSONB)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class CalibrationRow(Base):
    """What was learned of the engine's parameters from a time of recordings."""

    __tablename__ = "calibration"
    __table_args__ = (Index("ix_calibration_made_at", "made_at"), {"schema": SCHEMA})

    calibration_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    made_at: Mapped[datetime]
    made_by: Mapped[int | None]
    code_version: Mapped[str]
    record: Mapped[CalibrationRecord] = mapped_column(JSONB)
