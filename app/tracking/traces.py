"""A vehicle's stored way as a file and as the report of a day, for those who may see it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Scope
from app.registers.scope import held_since
from app.tracking import position_store
from app.tracking.day_report import DayReport, report_day
from app.tracking.position_store import TrackFix
from app.trips.scope import visible_past
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError
from ingest.fixes import FLAG_JUMP, FLAG_SECOND
from ingest.plates import normalise_plate
from ingest.store import find_vehicle
from ingest.tables import FixRow
from ingest.traces.files import TRACE_FORMATS, write_trace

MAX_SPAN = timedelta(days=31)
MAX_POINTS = 300_000


class TraceFile(NamedTuple):
    """A trace as a file."""

    name: str
    media_type: str
    content: bytes
    points: int


def note_reading(action: ActionContext, vehicle_id: int, begin: datetime, end: datetime) -> None:
    """Write down in the audit log that somebody looked where a vehicle was."""
    action.record("traces.read", "vehicle", vehicle_id, after={"from": begin.isoformat(), "to": end.isoformat()})


def export(action: ActionContext, vehicle_id: int, begin: datetime, end: datetime, trace_format: str) -> TraceFile:
    """The believed fixes of a vehicle from `begin` to `end` as a file; written down in the audit log.

    Raises
    ------
    NotFoundError
        If there is no such vehicle, or not for this caller.
    InvalidInputError
        If the span is empty or too long, or there is no such format.
    """
    if trace_format not in TRACE_FORMATS:
        write_trace(pd.DataFrame(), trace_format)  # says which there are
    plate, begin = visible_vehicle(action.session, action.principal, vehicle_id, begin)
    fixes = believed_fixes(action.session, action.principal, vehicle_id, begin, end)
    content = write_trace(_frame(plate, fixes), trace_format)
    span = {"from": begin.isoformat(), "to": end.isoformat(), "format": trace_format, "points": len(fixes)}
    action.record("traces.export", "vehicle", vehicle_id, after=span)
    name = f"{plate.replace('.', '')}-{begin.astimezone(LOCAL_ZONE):%Y%m%d}.{trace_format}"
    return TraceFile(
        name.encode("ascii", "ignore").decode(), TRACE_FORMATS[trace_format].media_type, content, len(fixes)
    )


def day_of(
    session: Session, principal: Principal, corridor: Corridor, vehicle_id: int, day: date
) -> tuple[str, DayReport]:
    """The plate of a vehicle and the report of its day by the calendar of the border.

    Raises
    ------
    NotFoundError
        If there is no such vehicle, or not for this caller.
    """
    midnight = datetime.combine(day, time(), LOCAL_ZONE)
    plate, begin = visible_vehicle(session, principal, vehicle_id, midnight)
    fixes = believed_fixes(session, principal, vehicle_id, begin, max(begin, midnight + timedelta(days=1)))
    return plate, report_day(fixes, corridor)


def visible_vehicle(
    session: Session, principal: Principal | None, vehicle_id: int, begin: datetime
) -> tuple[str, datetime]:
    """The plate of a vehicle whose way the caller may see, and since when: an enterprise since it has held it.

    Without a `principal` the operator of the platform asks.

    Raises
    ------
    NotFoundError
        If there is no such vehicle, or not for this caller.
    """
    plate = position_store.find_plate(session, vehicle_id)
    since: datetime | None = begin
    if principal is not None and principal.require("traces.read") is not Scope.ALL:
        held = held_since(session, principal, vehicle_id)
        since = None if held is None else max(held, begin)
    if plate is None or since is None:
        raise NotFoundError("There is no vehicle {vehicle_id}.", vehicle_id=vehicle_id)
    return plate, since


def get_vehicle_id(session: Session, plate: str) -> int:
    """The vehicle with a plate, however it is written.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    vehicle = find_vehicle(session, normalise_plate(plate))
    if vehicle is None:
        raise NotFoundError("There is no vehicle {vehicle_id}.", vehicle_id=plate[:40])
    return vehicle.vehicle_id


def believed_fixes(
    session: Session, principal: Principal | None, vehicle_id: int, begin: datetime, end: datetime
) -> list[TrackFix]:
    """The fixes that moved a vehicle, by time, and that the caller may see: an enterprise those of trips.

    Without jumps and without those of a second receiver.

    Raises
    ------
    InvalidInputError
        If the span is negative, longer than 31 days, or has too many.
    """
    if not timedelta(0) <= end - begin <= MAX_SPAN:
        raise InvalidInputError("A trace spans up to 31 days, from before to.", field="to")
    visible = visible_past(principal, "traces.read", FixRow.vehicle_id, FixRow.time)
    fixes = position_store.track(session, vehicle_id, begin, end, MAX_POINTS + 1, visible)
    if len(fixes) > MAX_POINTS:
        raise InvalidInputError("More than {most} positions; ask for a shorter span.", field="to", most=MAX_POINTS)
    return [fix for fix in fixes if not fix.flags & (FLAG_JUMP | FLAG_SECOND)]


def _frame(plate: str, fixes: list[TrackFix]) -> pd.DataFrame:
    def numbers(name: str) -> list[float]:
        values = (getattr(fix, name) for fix in fixes)
        return [np.nan if value is None else float(value) for value in values]

    return pd.DataFrame(
        {
            "device": [plate] * len(fixes),
            "time": pd.to_datetime([fix.time for fix in fixes], utc=True),
            "lat": numbers("lat"),
            "lon": numbers("lon"),
            "speed_mps": numbers("speed_mps"),
            "heading_deg": numbers("heading_deg"),
            "accuracy_m": numbers("accuracy_m"),
        }
    )
