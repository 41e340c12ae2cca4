"""When each station acts on a trip of the demo day, read off the recording: the truck's passages and drawn delays.

Everything is drawn with the truck and the day as seed, so that a restart draws the same. Shares and delays are
invented; they keep some work before every station at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from app.demo.recording import Recording
from app.procedures.steps import Step
from app.trips.vocabulary import Channel
from geo.corridor import Corridor
from geo.geodesy import METRES_PER_DEGREE

NEAR_M: Final = 2000.0
"""A truck this near its gate's outer barrier has come to the gate."""
CHANNEL_SHARES: Final = {Channel.GREEN: 0.6, Channel.YELLOW: 0.3, Channel.RED: 0.1}
UNDECLARED_SHARE: Final = {"huu-nghi": 0.05, "tan-thanh": 0.25}
"""Exports that arrive without a declaration; more at the smaller gate, so that its desk has work as well."""
QUARANTINES: Final = tuple(step for step in Step if step.spec.is_quarantine)
RETURNED_SHARE: Final = 0.06
TRANSSHIPPED_SHARE: Final = 0.22
TRANSFER_SHARE: Final = 0.5
LATE_DECISION_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Passages:
    """What a truck physically does at its gate, in seconds of its recorded day."""

    start_s: float
    near_s: float
    entered_s: float
    left_s: float

    def later(self, seconds: float) -> Passages:
        """The same, so much later."""
        return Passages(*(getattr(self, name) + seconds for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class JourneyPlan:
    """What happens to the papers of one journey, in seconds of its recorded day.

    `steps` says when each step is confirmed at the earliest; `returned_at` the step that sends the sheet back once;
    `undeclared_s` how long after its arrival the desk registers, opens and declares a truck that came undeclared.
    """

    passages: Passages
    declare_s: float
    steps: Mapping[str, float]
    channel: str
    channel_s: float
    decide_s: float
    pay_s: float
    pays_by_transfer: bool
    reads_s: Mapping[str, float]
    returned_at: str | None = None
    undeclared_s: tuple[float, float, float] | None = None
    transshipment_s: tuple[float, float] | None = None

    def later(self, seconds: float) -> JourneyPlan:
        """The same plan so much later; a truck that was held does everything after that later too."""
        return replace(
            self,
            passages=self.passages.later(seconds),
            steps={step: at + seconds for step, at in self.steps.items()},
            channel_s=self.channel_s + seconds,
            decide_s=self.decide_s + seconds,
            pay_s=self.pay_s + seconds,
            reads_s={station: at + seconds for station, at in self.reads_s.items()},
            transshipment_s=None
            if self.transshipment_s is None
            else (self.transshipment_s[0] + seconds, self.transshipment_s[1] + seconds),
        )


def find_passages(recording: Recording, corridor: Corridor) -> list[Passages | None]:
    """For each truck of the day when it sets out, comes to its gate, enters and leaves the yard, if it does."""
    found: list[Passages | None] = []
    inside = {gate.site_id: _in_yards(recording, corridor, gate.site_id) for gate in corridor.gates()}
    outer = {gate.site_id: max(corridor.barriers(gate.site_id), key=lambda site: site.km) for gate in corridor.gates()}
    for truck in recording.trucks:
        fixes = recording.fixes_of(truck.truck)
        fixes = fixes[np.argsort(recording.t_s[fixes], kind="stable")]
        in_yard = np.flatnonzero(inside[truck.gate][fixes]) if truck.gate in inside else np.array([], dtype=int)
        if not in_yard.size:
            found.append(None)
            continue
        times = recording.t_s[fixes]
        entered, left = float(times[in_yard[0]]), float(times[in_yard[-1]])
        barrier = outer[truck.gate]
        before = fixes[: in_yard[0]]
        away_m = np.hypot(
            (recording.lon[before] - barrier.lon) * METRES_PER_DEGREE * np.cos(np.radians(barrier.lat)),
            (recording.lat[before] - barrier.lat) * METRES_PER_DEGREE,
        )
        near = np.flatnonzero(away_m < NEAR_M)
        near_s = float(times[near[0]]) if near.size else entered - 60.0
        found.append(Passages(float(times[0]), near_s, entered, left))
    return found


def _in_yards(recording: Recording, corridor: Corridor, gate_id: str) -> NDArray[np.bool_]:
    inside = np.zeros(recording.lon.size, dtype=bool)
    for yard in corridor.yards(gate_id):
        if yard.geofence is not None:
            inside |= shapely.contains_xy(yard.geofence, recording.lon, recording.lat)
    return inside


def draw_plan(
    passages: Passages, *, truck: int, day: int, direction: str, gate_id: str, depart_s: float
) -> JourneyPlan:
    """The plan of a journey; always the same for the same truck and day."""
    rng = np.random.default_rng([truck, day % 2**31])
    entered, stay_s = passages.entered_s, passages.left_s - passages.entered_s

    def at(low: float, high: float) -> float:
        """A moment in this part of the stay."""
        return entered + stay_s * float(rng.uniform(low, high))

    steps: dict[str, float] = {step: at(0.18, 0.40) for step in QUARANTINES}
    steps |= {Step.TRANSSHIPMENT: at(0.58, 0.66), Step.CUSTOMS: at(0.69, 0.84)}
    if direction == "export":
        steps[Step.BARRIER_1] = entered - 45.0
        ahead_s = min(float(rng.uniform(300.0, 1500.0)), 0.8 * (steps[Step.BARRIER_1] - passages.near_s))
        steps[Step.HEALTH] = steps[Step.BARRIER_1] - max(30.0, ahead_s)
        steps[Step.YARD] = entered + float(rng.uniform(120.0, 600.0))
        steps[Step.BARRIER_2] = passages.left_s + float(rng.uniform(2.0, 15.0))
        reads: dict[str, float] = {
            Step.BARRIER_1: steps[Step.BARRIER_1] - float(rng.uniform(60.0, 200.0)),
            Step.BARRIER_2: passages.left_s - float(rng.uniform(5.0, 20.0)),
        }
    else:
        steps[Step.BARRIER_2] = passages.start_s + float(rng.uniform(5.0, 20.0))
        steps[Step.HEALTH] = entered + float(rng.uniform(120.0, 600.0))
        steps[Step.YARD] = steps[Step.HEALTH] + float(rng.uniform(60.0, 420.0))
        steps[Step.BARRIER_1] = passages.left_s + float(rng.uniform(30.0, 50.0))
        reads = {
            Step.BARRIER_2: passages.start_s - float(rng.uniform(240.0, 900.0)),
            Step.BARRIER_1: passages.left_s + float(rng.uniform(5.0, 25.0)),
        }
    is_late = rng.random() < LATE_DECISION_SHARE
    decide_s = at(0.55, 0.72) if is_late else at(0.2, 0.5)
    register_s = at(0.42, 0.46)
    plan = JourneyPlan(
        passages=passages,
        declare_s=depart_s - 3600.0 * float(rng.uniform(0.5, 11.0)),
        steps=steps,
        channel=str(rng.choice(list(CHANNEL_SHARES), p=list(CHANNEL_SHARES.values()))),
        channel_s=at(0.08, 0.2),
        decide_s=decide_s,
        pay_s=min(decide_s + stay_s * float(rng.uniform(0.05, 0.25)), entered + 0.88 * stay_s),
        pays_by_transfer=bool(rng.random() < TRANSFER_SHARE),
        reads_s=reads,
    )
    lot = float(rng.random())
    if direction == "export" and lot < UNDECLARED_SHARE.get(gate_id, 0.0):
        waits = np.cumsum(rng.uniform([120.0, 600.0, 900.0], [600.0, 3000.0, 2700.0]))
        return replace(plan, undeclared_s=(float(waits[0]), float(waits[1]), float(waits[2])))
    if lot > 1.0 - RETURNED_SHARE:
        step = str(rng.choice([Step.BARRIER_1, *QUARANTINES, Step.CUSTOMS], p=[0.3, 0.05, 0.15, 0.2, 0.3]))
        return replace(plan, returned_at=step)
    if lot > 1.0 - RETURNED_SHARE - TRANSSHIPPED_SHARE:
        return replace(plan, transshipment_s=(register_s, register_s + stay_s * float(rng.uniform(0.04, 0.1))))
    return plan
