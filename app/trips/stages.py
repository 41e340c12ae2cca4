"""How far a trip has come, judged from its truck's positions and the sites it entered and left.

Pure: what was seen goes in, the next stage comes out. Stages go forward only, except between `queued` and
`on_the_road`, because a queue can dissolve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.trips.places import FROM_BORDER, TO_BORDER, GatePlace
from app.trips.vocabulary import Direction, Stage
from geo.motion import CREEPING_MPS, FREE_MPS

RANK: Final[Mapping[str, int]] = {
    Stage.PLANNED: 0,
    Stage.ON_THE_ROAD: 1,
    Stage.QUEUED: 1,
    Stage.IN_THE_YARD: 2,
    Stage.OUT: 3,
}
"""How far each stage is; a trip never goes to a lower rank. A cancelled trip has none."""


@dataclass(frozen=True)
class StageRules:
    """The figures behind the judgement; assumed, to be checked against observed trips.

    `slow_mps` is 10 km/h, below which traffic on a trunk road is a queue rather than a flow; `free_mps` (20 km/h) is
    above what a truck reaches while it creeps from gap to gap.
    """

    slow_mps: float = CREEPING_MPS
    free_mps: float = FREE_MPS
    near_gate_km: float = 3.0
    """Within this, a slow truck queues even where no queue has been measured."""
    queue_margin_km: float = 0.5
    pass_margin_km: float = 0.05
    """How far past the gate's lanes a truck is through; about the error of a position along the road."""
    left_km: float = 10.0
    """Beyond this from the border, a truck that drives away has left the gate area."""
    window: timedelta = timedelta(hours=24)
    """Before the planned arrival, any movement on the corridor belongs to the trip."""
    silent_after: timedelta = timedelta(hours=1)
    """A truck last seen between yard and border and silent for this long is over the border."""


DEFAULT_RULES: Final = StageRules()


@dataclass(frozen=True, slots=True)
class TripState:
    """What the judgement needs of a trip."""

    stage: str
    direction: str
    planned_arrival: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A truck's last position; `direction` is 1 to the border, -1 from it, 0 unknown; `km` `None` off the roads."""

    time: datetime
    road: str | None
    km: float | None
    direction: int
    speed_mps: float | None
    site_id: str | None
    motion: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A site entered or left."""

    time: datetime
    site_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class StageChange:
    """The stage a trip has reached, since when, and what showed it."""

    stage: str
    at: datetime
    reason: str


def next_stage(
    trip: TripState,
    gate: GatePlace,
    seen: Seen | None,
    passages: Sequence[Passage],
    *,
    tail_km: float | None,
    rules: StageRules = DEFAULT_RULES,
) -> StageChange | None:
    """The stage a trip goes to, or `None` if it stays.

    Arguments: `passages`, those of the trip's own time, oldest first; `tail_km`, the measured end of the queue before
    its gate, kilometres from the border by the gate's road, `None` if none was measured.
    """
    if trip.stage not in Stage.open():
        return None
    story = _Story(trip, gate, seen, passages, rules)
    found = story.find_out() or story.find_yard() or story.find_queued(tail_km) or story.find_on_the_road(tail_km)
    if found is None or found.stage == trip.stage or RANK[found.stage] < RANK[trip.stage]:
        return None
    return found


def is_over_the_border(trip: TripState, gate: GatePlace, seen: Seen, now: datetime, rules: StageRules) -> bool:
    """Whether silence ends an outbound trip: out of the yard, last seen in the gate area, and nothing since."""
    return (
        trip.direction == Direction.EXPORT
        and trip.stage == Stage.IN_THE_YARD
        and seen.site_id == gate.gate_id
        and now - seen.time >= rules.silent_after
    )


class _Story:
    """One trip's evidence, and what each stage asks of it."""

    def __init__(
        self, trip: TripState, gate: GatePlace, seen: Seen | None, passages: Sequence[Passage], rules: StageRules
    ) -> None:
        self.trip, self.gate, self.seen, self.rules = trip, gate, seen, rules
        self.at_yard = [passage for passage in passages if passage.site_id in gate.yards]
        self.at_gate = [passage for passage in passages if passage.site_id == gate.gate_id]
        self.distance_km = gate.distance_km(seen.road, seen.km) if seen else None

    @property
    def has_left_yard(self) -> bool:
        return bool(self.at_yard) and self.at_yard[-1].kind == "leave"

    @property
    def is_in_yard(self) -> bool:
        return self.seen is not None and self.seen.site_id in self.gate.yards

    def find_out(self) -> StageChange | None:
        return self._find_export_out() if self.trip.direction == Direction.EXPORT else self._find_import_out()

    def _find_export_out(self) -> StageChange | None:
        seen, gate, rules = self.seen, self.gate, self.rules
        if seen is None or self.is_in_yard:
            return None
        near = self.trip.stage in Stage.at_gate()
        heads_there = seen.direction == TO_BORDER or (seen.direction == 0 and near)
        if seen.road == gate.road and seen.km is not None and seen.km < gate.km - rules.pass_margin_km and heads_there:
            return StageChange(Stage.OUT, seen.time, "passed_gate")
        if self.trip.stage != Stage.IN_THE_YARD or not self.has_left_yard:
            return None
        left_gate = bool(self.at_gate) and self.at_gate[-1].kind == "leave"
        if left_gate and seen.km is None and self.at_gate[-1].time >= self.at_yard[-1].time:
            return StageChange(Stage.OUT, self.at_gate[-1].time, "left_gate_area")
        if self.distance_km is not None and self.distance_km > rules.left_km and seen.direction == FROM_BORDER:
            return StageChange(Stage.OUT, seen.time, "turned_back")
        return None

    def _find_import_out(self) -> StageChange | None:
        was_there = bool(self.at_gate or self.at_yard) or self.trip.stage == Stage.IN_THE_YARD
        if (
            self.seen is not None
            and was_there
            and self.distance_km is not None
            and self.distance_km > self.rules.left_km
            and self.seen.direction == FROM_BORDER
        ):
            return StageChange(Stage.OUT, self.seen.time, "left_gate_area")
        return None

    def find_yard(self) -> StageChange | None:
        entered = [passage for passage in self.at_yard if passage.kind == "enter"]
        if entered:
            return StageChange(Stage.IN_THE_YARD, entered[0].time, "entered_yard")
        if self.seen is not None and self.is_in_yard:
            return StageChange(Stage.IN_THE_YARD, self.seen.time, "seen_in_yard")
        return None

    def find_queued(self, tail_km: float | None) -> StageChange | None:
        seen, rules = self.seen, self.rules
        if (
            seen is None
            or self.trip.direction != Direction.EXPORT
            or self.distance_km is None
            or seen.speed_mps is None
            or seen.speed_mps >= rules.slow_mps
            or seen.direction == FROM_BORDER
            or seen.motion in {"yard", "staging", "off_road"}
        ):
            return None
        in_queue = tail_km is not None and self.distance_km <= tail_km + rules.queue_margin_km
        if in_queue:
            return StageChange(Stage.QUEUED, seen.time, "slow_in_queue")
        if seen.road == self.gate.road and self.distance_km <= rules.near_gate_km:
            return StageChange(Stage.QUEUED, seen.time, "slow_near_gate")
        return None

    def find_on_the_road(self, tail_km: float | None) -> StageChange | None:
        seen, rules = self.seen, self.rules
        if seen is None or self.distance_km is None or seen.speed_mps is None:
            return None
        if self.trip.stage == Stage.QUEUED:
            end_km = max(tail_km or 0.0, rules.near_gate_km) + 2 * rules.queue_margin_km
            is_free = seen.speed_mps >= rules.free_mps and self.distance_km > end_km
            return StageChange(Stage.ON_THE_ROAD, seen.time, "queue_left") if is_free else None
        toward = seen.direction == (TO_BORDER if self.trip.direction == Direction.EXPORT else FROM_BORDER)
        in_window = seen.time >= self.trip.planned_arrival - rules.window
        if seen.speed_mps >= rules.slow_mps and (toward or in_window):
            return StageChange(Stage.ON_THE_ROAD, seen.time, "moving")
        return None
