"""Kinds of days: how many trucks come when, how the gates work, who is seen. Everything is drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.data.sumo_day import GATES, TruckPlan

DAY_S: Final = 45_000.0
"""A day lasts 12.5 h, from 04:00 local time on; the road is empty at first."""
ORIGINS_KM: Final = ((117.3, 0.86), (84.73, 0.08), (19.342, 0.06))
RESTS_KM: Final = {"staging-huu-lung": 84.73, "staging-chi-lang": 52.64}


@dataclass(frozen=True)
class LaneChange:
    """From `at_s` on, a gate works with so many lanes."""

    gate_id: str
    at_s: float
    lanes: int


@dataclass(frozen=True)
class DayKind:
    """What is drawn: trucks an hour all day and in a rush, the gates' pace, and the share of trucks without GPS.

    `rush_veh` trucks more for Hữu Nghị come about `rush_s` after the start; `slowness` multiplies its service time, and
    `drift` is how many times as long a check takes at the end of the day as at its beginning; `spans` are (begin, end,
    lanes) in which it works with other lanes, of average length, the next not before the last is over; `unseen_share`
    of the undeclared trucks send no position; `surge_veh` undeclared trucks come about `surge_s`, all within an hour;
    `silent` is (begin, end, share): so many receivers report nothing in that time.
    """

    name: str
    base_veh_per_h: float
    rush_veh: int
    rush_s: float = 3.2 * 3600.0
    rush_width_s: float = 1.2 * 3600.0
    slowness: float = 1.0
    drift: float = 1.0
    spans: tuple[tuple[float, float, int], ...] = ()
    undeclared_share: float = 0.3
    unseen_share: float = 0.0
    cameras: bool = False
    surge_veh: int = 0
    surge_s: float = 7.0 * 3600.0
    silent: tuple[float, float, float] | None = None


KINDS: Final = {
    kind.name: kind
    for kind in (
        DayKind("ordinary", 24.0, 130),
        DayKind("peak", 24.0, 230, rush_width_s=1.1 * 3600.0),
        DayKind("closed", 26.0, 70, spans=((5.6 * 3600.0, 9.0 * 3600.0, 2),)),
        DayKind("unseen", 24.0, 180, undeclared_share=0.5, unseen_share=0.6, cameras=True),
        DayKind("slow", 24.0, 70, slowness=1.45),
    )
}
"""The kinds that are judged."""

FURTHER: Final = {
    kind.name: kind
    for kind in (
        DayKind("stops", 24.0, 70, spans=((5.4 * 3600.0, 5.9 * 3600.0, 0), (6.6 * 3600.0, 7.2 * 3600.0, 0))),
        DayKind("moved", 26.0, 70, spans=((5.2 * 3600.0, 6.8 * 3600.0, 2), (7.0 * 3600.0, 9.5 * 3600.0, 5))),
        DayKind("drift", 26.0, 70, slowness=0.85, drift=1.9),
        DayKind("surge", 24.0, 30, surge_veh=110),
        DayKind("silent", 24.0, 130, silent=(5.5 * 3600.0, 6.5 * 3600.0, 0.6)),
        DayKind("late", 22.0, 50, spans=((0.0, 4.5 * 3600.0, 0),)),
        DayKind("night", 7.0, 0),
    )
}
"""Kinds that nobody drew while the mechanisms were made: two stops after each other; two lanes closed, later one more
than usual opened; checks that take longer and longer; a surge that nobody declared; most receivers silent for an hour;
a gate that opens hours late; a night with few trucks."""

ALL: Final = KINDS | FURTHER


@dataclass(frozen=True)
class Day:
    """A drawn day: its trucks, which of them are declared and seen, and how many lanes work when."""

    kind: DayKind
    seed: int
    plans: tuple[TruckPlan, ...]
    declared: tuple[bool, ...]
    has_gps: tuple[bool, ...]
    service_mean_s: dict[str, float]
    lane_changes: tuple[LaneChange, ...]

    def service_s(self, gate_id: str, at_s: float) -> float:
        """How long a check takes on average at a moment."""
        drift = self.kind.drift ** (at_s / DAY_S) if gate_id == "huu-nghi" else 1.0
        return self.service_mean_s[gate_id] * drift


def draw_day(kind: DayKind, seed: int) -> Day:
    """A day of a kind; equal seeds give equal days."""
    rng = np.random.default_rng([seed, *kind.name.encode()])
    scale = float(rng.uniform(0.85, 1.15))
    rows: list[tuple[float, str]] = []
    span_h = DAY_S / 3600.0
    for gate_id, rate in (("huu-nghi", kind.base_veh_per_h * float(rng.uniform(0.9, 1.1))), ("tan-thanh", 9.0)):
        rows += [(float(t), gate_id) for t in rng.uniform(0.0, DAY_S, rng.poisson(rate * span_h))]
    middle_s = kind.rush_s + float(rng.uniform(-1800.0, 1800.0))
    rush = rng.normal(middle_s, kind.rush_width_s, rng.poisson(kind.rush_veh * scale))
    rows += [(float(t), "huu-nghi") for t in rush if 0.0 <= t < DAY_S]
    surge: set[float] = set()
    if kind.surge_veh:
        # They reach the gate about then: most come the whole way.
        middle_s = kind.surge_s - 117_300.0 / 14.5
        surge = set(rng.uniform(middle_s - 1800.0, middle_s + 1800.0, rng.poisson(kind.surge_veh * scale)).tolist())
        rows += [(t, "huu-nghi") for t in surge if t >= 0.0]
    plans = [_plan(i, depart_s, gate_id, rng) for i, (depart_s, gate_id) in enumerate(sorted(rows))]
    declared = rng.random(len(plans)) >= kind.undeclared_share
    declared &= np.array([plan.depart_s not in surge for plan in plans], bool)
    has_gps = declared | (rng.random(len(plans)) >= kind.unseen_share)
    changes: list[LaneChange] = []
    if kind.spans:
        shift_s = float(rng.uniform(-2400.0, 2400.0))
        # From a generator of its own: what else is drawn of a seed stays.
        lengths = np.random.default_rng([seed, 5]).uniform(0.5, 1.5, len(kind.spans))
        full = next(gate.lanes for gate in GATES if gate.gate_id == "huu-nghi")
        for (begin_s, end_s, lanes), length in zip(kind.spans, lengths.tolist(), strict=True):
            from_s = max(begin_s + shift_s, changes[-1].at_s if changes else 0.0)
            until_s = from_s + (end_s - begin_s) * length
            changes += [LaneChange("huu-nghi", from_s, lanes), LaneChange("huu-nghi", until_s, full)]
    slowness = {"huu-nghi": kind.slowness * float(rng.uniform(0.92, 1.08)), "tan-thanh": float(rng.uniform(0.9, 1.1))}
    return Day(
        kind,
        seed,
        tuple(plans),
        tuple(declared.tolist()),
        tuple(has_gps.tolist()),
        {gate.gate_id: gate.service_mean_s * slowness[gate.gate_id] for gate in GATES},
        tuple(changes),
    )


def _plan(number: int, depart_s: float, gate_id: str, rng: np.random.Generator) -> TruckPlan:
    origin_km = float(rng.choice([km for km, _ in ORIGINS_KM], p=[share for _, share in ORIGINS_KM]))
    dwell_s = float(np.clip(rng.lognormal(np.log(6000.0), 0.45), 1500.0, 5.5 * 3600))
    rests = origin_km > 100 and rng.random() < 0.12
    return TruckPlan(
        truck=number,
        gate=gate_id,
        direction="export",
        depart_s=depart_s,
        origin_km=origin_km,
        dwell_s=dwell_s,
        rest_site=str(rng.choice(list(RESTS_KM))) if rests else "",
        rest_s=float(rng.uniform(900, 2700)) if rests else 0.0,
        speed_factor=float(np.clip(rng.normal(0.93, 0.08), 0.68, 1.12)),
    )
