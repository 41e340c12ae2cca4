"""Calibrations as they are kept. Nothing here commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.errors import NotFoundError
from routing.forecast import CODE_VERSION
from routing.parameter_records import CalibrationRecord
from routing.tables import CalibrationRow


def save_calibration(
    session: Session, record: CalibrationRecord, *, made_by: int | None, now: datetime
) -> CalibrationRow:
    """Keep a calibration."""
    row = CalibrationRow(made_at=now, made_by=made_by, code_version=CODE_VERSION, record=record)
    session.add(row)
    session.flush()
    return row


def list_calibrations(session: Session, *, limit: int = 10) -> list[CalibrationRow]:
    """The newest calibrations, newest first."""
    newest = select(CalibrationRow).order_by(CalibrationRow.made_at.desc(), CalibrationRow.calibration_id.desc())
    return list(session.scalars(newest.limit(limit)))


def get_calibration(session: Session, calibration_id: int) -> CalibrationRow:
    """A calibration; raises NotFoundError."""
    row = session.get(CalibrationRow, calibration_id)
    if row is None:
        raise NotFoundError("There is no calibration {value}.", field="calibration", value=calibration_id)
    return row
