"""A recorded trace of a device taken in through the one intake, as if the device had sent it late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.platform.actions import ActionContext
from app.registers.scope import own_devices
from geo.errors import InvalidInputError, NotFoundError
from ingest import store
from ingest.formats.report import ReportColumns
from ingest.intake import FixIntake
from ingest.traces.files import read_trace
from ingest.traces.trace import Fault, Trace

MAX_FILE_BYTES = 20 * 2**20
MAX_FAULTS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a recorded trace: points read, taken, refused by reason, and what could not be read."""

    read: int
    accepted: int
    refused: dict[str, int]
    faults: list[Fault]
    """The first of them."""
    fault_count: int


async def take_in(action: ActionContext, intake: FixIntake, number: int, name: str, content: bytes) -> TakenIn:
    """Take in the trace `content` of the caller's device `number`; `name` is the file's.

    Raises
    ------
    NotFoundError
        If there is no such device in use, or not for this caller.
    InvalidInputError
        If the file is too large, of no known kind, or not of its kind as a whole.
    UnavailableError
        If it could not be kept now.
    """
    bound = store.find_binding(action.session, own_devices(action.actor, "devices.enrol"), number)
    if bound is None:
        raise NotFoundError("There is no device {value}.", value=number)
    if len(content) > MAX_FILE_BYTES:
        limit_mb = MAX_FILE_BYTES // 2**20
        raise InvalidInputError("The file is larger than {limit_mb} MB.", field="file", limit_mb=limit_mb)
    with intake.messages.share() as share:
        share.take(len(content))
        trace = await intake.files.apart(read_trace, name, content)
        result = await intake.receive_known(_columns(trace, str(number)), {str(number): bound}, door="trace")
    refused = {str(reason): count for reason, count in result.counts.items()}
    facts = {"file": name[:80], "read": len(trace.points), "accepted": result.accepted, "faults": len(trace.faults)}
    action.record("traces.take_in", "device", number, after=facts)
    shown = trace.faults[:MAX_FAULTS_SHOWN]
    return TakenIn(len(trace.points), result.accepted, refused, shown, len(trace.faults))


def _columns(trace: Trace, device: str) -> ReportColumns:
    points = trace.points
    count = len(points)
    time_us = points["time"].dt.tz_convert(None).to_numpy("datetime64[us]").astype(np.int64)
    lat, lon, speed_mps, heading_deg, accuracy_m = (
        points[name].to_numpy(np.float64) for name in ("lat", "lon", "speed_mps", "heading_deg", "accuracy_m")
    )
    return ReportColumns(
        names=[device],
        name=np.zeros(count, np.intp),
        time_us=time_us,
        lat=lat,
        lon=lon,
        speed_mps=speed_mps,
        heading_deg=heading_deg,
        accuracy_m=accuracy_m,
        line=np.arange(1, count + 1),
        mock=np.zeros(count, np.bool_),
    )
