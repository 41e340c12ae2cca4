"""Tables of the schema `routing`: how gates work, forecasts, measured queues, scenario runs."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column

from geo.database import Base

SCHEMA = "routing"


class GateSettingRow(Base):
    """How one direction of a gate works; columns as in `routing.gates.GateSetting`.

    Hours are local (Asia/Ho_Chi_Minh) and as in `routing.records.StoredGateSetting`; `open_from` = `open_to` means
    round the clock.
    """

    __tablename__ = "gate_setting"
    __table_args__ = (
        CheckConstraint("direction IN ('export', 'import')", name="direction"),
        CheckConstraint("lanes BETWEEN 1 AND 64 AND entrance_lanes BETWEEN 1 AND 64", name="lanes"),
        CheckConstraint(
            "service_mean_s > 0 AND service_cv >= 0 AND entrance_service_mean_s >= 0 AND entrance_service_cv >= 0"
            " AND dwell_mean_s >= 0 AND dwell_cv >= 0",
            name="durations",
        ),
        {"schema": SCHEMA},
    )

    gate_id: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    lanes: Mapped[int]
    open_from: Mapped[time]
    open_to: Mapped[time]
    breaks: Mapped[str] = mapped_column(server_default=text("''"))
    holidays: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    service_mean_s: Mapped[float]
    service_cv: Mapped[float]
    entrance_lanes: Mapped[int]
    entrance_service_mean_s: Mapped[float]
    entrance_service_cv: Mapped[float]
    dwell_mean_s: Mapped[float]
    dwell_cv: Mapped[float]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime]
    updated_by: Mapped[int | None]


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
    state_summary: Mapped[dict[str, Any]] = mapped_column(JSONB)


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
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    seed: Mapped[int] = mapped_column(BigInteger)
    code_version: Mapped[str]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
