"""Paces of gates as plain JSON values, as a scenario keeps them that begins now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from routing.pace import GatePace, LaneChange

PaceRecord: TypeAlias = Mapping[str, Mapping[str, float | list[float] | list[list[float]]]]


def pace_record(pace: Mapping[str, GatePace]) -> PaceRecord:
    """Paces by gate as plain JSON values; `read_pace` reads them back."""
    return {
        gate_id: {
            "rate_veh_per_h": each.rate_veh_per_h.tolist(),
            "weight": each.weight.tolist(),
            "is_usual": each.is_usual.tolist(),
            "usual": each.usual.tolist(),
            "phase": each.phase.tolist(),
            "served_veh": each.served_veh,
            "busy_s": each.busy_s,
            "keeps_hours": float(each.keeps_hours),
            "crossing_veh_per_h": each.crossing_veh_per_h,
            "crosses_closed": float(each.crosses_closed),
            "declared": [] if each.declared is None else [each.declared.at_s, each.declared.factor],
        }
        for gate_id, each in pace.items()
    }


def read_pace(record: PaceRecord) -> dict[str, GatePace]:
    """Paces by gate from a record of `pace_record`."""

    def read(each: Mapping[str, float | list[float] | list[list[float]]]) -> GatePace:
        def number(name: str) -> float:
            return float(np.asarray(each[name]))

        usual = np.array(each["usual"], float)
        later = np.array(each.get("declared", []), float).tolist()

        return GatePace(
            rate_veh_per_h=np.array(each["rate_veh_per_h"], float),
            weight=np.array(each["weight"], float),
            is_usual=np.array(each["is_usual"], float),
            usual=usual,
            phase=np.array(each["phase"], float) if "phase" in each else np.full((3, usual.size), 1.0 / 3.0),
            served_veh=number("served_veh"),
            busy_s=number("busy_s"),
            keeps_hours=bool(each["keeps_hours"]),
            crossing_veh_per_h=number("crossing_veh_per_h"),
            crosses_closed=bool(each["crosses_closed"]),
            declared=LaneChange(*later) if later else None,
        )

    return {gate_id: read(each) for gate_id, each in record.items()}
