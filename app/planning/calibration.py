"""The engine's parameters from what the platform has recorded: read, learned, kept, taken into a gate's profile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from app.forecasting.service import recorded_passages, yard_stays
from app.gates import service as gates
from app.planning import recordings_store
from app.platform.actions import ActionContext
from app.platform.labels import N_
from geo.corridor import Corridor
from geo.errors import InvalidInputError, NotFoundError
from routing import parameter_store
from routing.arrays import FloatArray
from routing.parameter_fit import calibrate
from routing.parameter_records import CalibrationRecord, calibrated_scenario, calibration_record, learned_changes
from routing.recordings import Drives, Passages, Recording, Stays
from routing.scenario import Scenario
from routing.tables import CalibrationRow

MAX_LENGTH: Final = timedelta(days=28)
SEED: Final = 1
RECORDED: Final = N_("learned from what the platform recorded: GPS tracks, passages of gates, the yard ledger")
"""Source of a base that begins from a calibration."""


def read_recording(session: Session, *, since: datetime, until: datetime) -> Recording:
    """What was recorded between two moments, at most `MAX_LENGTH` apart.

    Raises
    ------
    InvalidInputError
        If they are not in order, or too far apart.
    """
    if not timedelta(0) < until - since <= MAX_LENGTH:
        raise InvalidInputError(
            "From {since} to {until} is no time that can be learned from; give two moments in order, at most {days} "
            "days apart.",
            field="since",
            since=since.isoformat(timespec="minutes"),
            until=until.isoformat(timespec="minutes"),
            days=MAX_LENGTH.days,
        )

    def seconds(moments: Iterable[datetime | None]) -> FloatArray:
        return np.array([np.nan if at is None else (at - since).total_seconds() for at in moments], float)

    driven = recordings_store.drives(session, since=since, until=until)
    found = recorded_passages(session, since=since, until=until)
    stayed = yard_stays(session, since=since, now=until)
    passages, stays = {}, {}
    for gate_id in sorted({each.gate_id for each in found.passages}):
        own = [each for each in found.passages if each.gate_id == gate_id]
        passages[gate_id] = Passages.of(
            seconds(each.time for each in own), seconds(each.waited_since or each.time for each in own)
        )
    for gate_id in sorted({each.gate_id for each in stayed}):
        at_gate = [each for each in stayed if each.gate_id == gate_id]
        stays[gate_id] = Stays(seconds(each.entered_at for each in at_gate), seconds(each.left_at for each in at_gate))
    return Recording(
        start=since,
        length_s=(until - since).total_seconds(),
        drives=Drives(
            road_id=np.array([each.road_id for each in driven], np.int64),
            begin_s=seconds(each.begin for each in driven),
            length_m=np.array([each.length_m for each in driven], float),
            time_s=np.array([each.time_s for each in driven], float),
            slowest_mps=np.array([np.nan if d.slowest_mps is None else d.slowest_mps for d in driven], float),
        ),
        passages=passages,
        stays=stays,
        seen_share=found.noticed_share,
    )


def make_calibration(
    session: Session, corridor: Corridor, *, since: datetime, until: datetime, made_by: int | None, now: datetime
) -> CalibrationRow:
    """Learn from what was recorded between two moments, and keep it; raises as `read_recording`."""
    recording = read_recording(session, since=since, until=until)
    found = calibrate(recording, corridor, gates.gate_settings(session, now), seed=SEED)
    record = calibration_record(found, recording)
    return parameter_store.save_calibration(session, record, made_by=made_by, now=now)


def find_newest(session: Session) -> CalibrationRow | None:
    """The newest calibration that saw trucks come to a gate, of the last few."""
    return next((row for row in parameter_store.list_calibrations(session) if row.record["arrivals_veh_per_h"]), None)


def scenario_of(session: Session, record: CalibrationRecord, now: datetime) -> Scenario:
    """A day as recorded, to begin a study with.

    Raises
    ------
    NotFoundError
        If no truck was seen to come to any gate.
    """
    if not record["arrivals_veh_per_h"]:
        raise NotFoundError("No truck was seen to go in by a gate from {since} on.", since=record["since"][:10])
    return calibrated_scenario(record, gates.gate_settings(session, now), [RECORDED])


def take_into_profile(action: ActionContext, calibration_id: int, gate_id: str, *, expected_version: int) -> None:
    """Set a gate's profile to what a calibration learned of its exports.

    Raises
    ------
    NotFoundError, StaleError, InvalidInputError
        If there is no such calibration or gate, nothing was learned of it, or the profile was changed since.
    """
    record = parameter_store.get_calibration(action.session, calibration_id).record
    changes = learned_changes(record["estimates"], gate_id)
    if not changes:
        raise NotFoundError("Nothing was learned of gate {value}.", field="gate", value=gate_id)
    gates.change_direction(action, gate_id, "export", dict(changes), expected_version=expected_version)
