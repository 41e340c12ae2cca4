"""A calibration as plain JSON values, and as a scenario that begins from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from geo.clock import LOCAL_ZONE
from routing.arrays import FloatArray, IntArray
from routing.gates import GateSetting
from routing.parameter_fit import STEP_S, Calibration, GateFit
from routing.parameters import Estimate, Quantity
from routing.recordings import Passages, Recording
from routing.scenario_inputs import HOURS, GateWorld, Scenario, World

TITLE: Final = {"vi": "Như đã ghi nhận", "en": "As recorded", "zh": "按实测记录"}


class EstimateRecord(TypedDict):
    """As `Estimate`."""

    quantity: str
    subject: str
    value: float
    low: float
    high: float
    observations: int
    source: str
    assumed: float | None
    is_new: bool


class ErrorRecord(TypedDict):
    """As `Errors`."""

    learned: float
    before: float


class GateFitRecord(TypedDict):
    """As `GateFit`."""

    gate_id: str
    trucks: int
    step_s: float
    recorded_veh: list[float]
    simulated_veh: list[list[float]]
    before_veh: list[float]
    queue_error_veh: ErrorRecord
    wait_error_s: ErrorRecord
    mean_wait_s: float
    band_holds: float


class SpeedFitRecord(TypedDict):
    """As `SpeedFit`."""

    drives: int
    error: ErrorRecord


class CalibrationRecord(TypedDict):
    """What was learned from a recording, and how it does on the part that was held out."""

    since: str
    held_out_from: str
    until: str
    estimates: list[EstimateRecord]
    gates: list[GateFitRecord]
    speeds: SpeedFitRecord | None
    arrivals_veh_per_h: dict[str, list[float]]
    """gate_id → exports an hour, by hour of the local day."""


def calibration_record(found: Calibration, recording: Recording) -> CalibrationRecord:
    """A calibration as plain JSON values."""
    split = recording.part(found.split_s, recording.length_s).start
    return {
        "since": recording.start.isoformat(),
        "held_out_from": split.isoformat(),
        "until": recording.end.isoformat(),
        "estimates": [_estimate(each) for each in found.estimates],
        "gates": [_gate(each) for each in found.gates],
        "speeds": None
        if found.speeds is None
        else {
            "drives": found.speeds.drives,
            "error": {
                "learned": round(found.speeds.error.learned, 4),
                "before": round(found.speeds.error.before, 4),
            },
        },
        "arrivals_veh_per_h": {
            gate_id: hourly_arrivals(own, recording, recording.seen_share.get(gate_id, 1.0))
            for gate_id, own in sorted(recording.passages.items())
        },
    }


def hourly_arrivals(passages: Passages, recording: Recording, seen_share: float = 1.0) -> list[float]:
    """Exports an hour that came to a gate, by hour of the local day; an hour that was not recorded has none."""
    local = recording.start.astimezone(LOCAL_ZONE)
    midnight_s = local.hour * 3600.0 + local.minute * 60.0 + local.second

    def hours_of(at_s: FloatArray) -> IntArray:
        return np.asarray((midnight_s + at_s) // 3600.0, np.int64) % HOURS

    came = passages.arrived_s[(passages.arrived_s >= 0.0) & (passages.arrived_s < recording.length_s)]
    minutes = hours_of(np.arange(0.0, recording.length_s, 60.0))
    recorded_h = np.bincount(minutes, minlength=HOURS) / 60.0
    trucks = np.bincount(hours_of(came), minlength=HOURS) / seen_share
    rates = np.where(recorded_h > 0.0, trucks / np.maximum(recorded_h, 1e-9), 0.0)
    return [round(float(rate), 2) for rate in rates]


def learned_changes(estimates: Sequence[EstimateRecord], gate_id: str) -> dict[str, float]:
    """What of a gate's profile was learned, by the names of its fields."""
    names = {
        Quantity.SERVICE_MEAN_S: "entrance_service_mean_s",
        Quantity.SERVICE_CV: "entrance_service_cv",
        Quantity.DWELL_MEAN_S: "dwell_mean_s",
        Quantity.DWELL_CV: "dwell_cv",
    }
    return {
        names[Quantity(each["quantity"])]: round(each["value"], 3)
        for each in estimates
        if each["subject"] == gate_id and each["quantity"] in names
    }


def calibrated_scenario(
    record: CalibrationRecord, settings: Sequence[GateSetting], sources: Sequence[str] = ()
) -> Scenario:
    """A day as recorded: who came to each gate by hour, and how gates and roads work as learned.

    What was not learned is as the gates are set.
    """
    gates: dict[str, GateWorld] = {}
    for setting in settings:
        rates = record["arrivals_veh_per_h"].get(setting.gate_id)
        if setting.direction == "export" and rates is not None:
            learned = learned_changes(record["estimates"], setting.gate_id)
            gates[setting.gate_id] = GateWorld.model_validate({"exports_veh_per_h": rates, **learned})
    speeds = {
        each["subject"]: round(each["value"], 3)
        for each in record["estimates"]
        if each["quantity"] == Quantity.FREE_SPEED_MPS
    }
    return Scenario(
        name="as-recorded",
        title=TITLE,
        sources=(*sources, f"{record['since'][:10]} – {record['until'][:10]}"),
        horizon_h=24.0,
        world=World(gates=gates, free_speed_mps=speeds),
    )


def _estimate(each: Estimate) -> EstimateRecord:
    return {
        "quantity": str(each.quantity),
        "subject": each.subject,
        "value": round(each.value, 4),
        "low": round(each.low, 4),
        "high": round(each.high, 4),
        "observations": each.observations,
        "source": str(each.source),
        "assumed": None if each.assumed is None else round(each.assumed, 4),
        "is_new": each.is_new,
    }


def _gate(fit: GateFit) -> GateFitRecord:
    return {
        "gate_id": fit.gate_id,
        "trucks": fit.trucks,
        "step_s": STEP_S,
        "recorded_veh": fit.recorded_veh.tolist(),
        "simulated_veh": fit.simulated_veh.tolist(),
        "before_veh": fit.before_veh.tolist(),
        "queue_error_veh": {
            "learned": round(fit.queue_error_veh.learned, 2),
            "before": round(fit.queue_error_veh.before, 2),
        },
        "wait_error_s": {
            "learned": round(fit.wait_error_s.learned, 1),
            "before": round(fit.wait_error_s.before, 1),
        },
        "mean_wait_s": round(fit.mean_wait_s, 1),
        "band_holds": round(fit.band_holds, 3),
    }
