"""Whether a truck did what it was ordered, judged from the positions that follow. Pure.

A verdict is final but for a hold, which can be broken until its end. Where positions say nothing, the verdict is
`unknown`, never a guess: silence is no disobedience. A truck that anybody saw in the yard it was sent to is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.dispatch.records import EvidenceRecord
from app.dispatch.vocabulary import Compliance, OrderKind
from app.trips.places import GatePlace, Places
from geo.motion import MOVING_MPS, STANDING_MPS


@dataclass(frozen=True)
class ComplianceRules:
    """The figures behind the judgement; assumed, to be checked against what officers see."""

    standing_mps: float = STANDING_MPS
    moving_mps: float = MOVING_MPS
    pass_km: float = 0.5
    """How far past a staging area a truck has driven by; a staging area and its exit take some hundred metres."""
    near_km: float = 1.0
    """How near a staging area a standing truck waits there, on a full area's shoulder too."""
    moved_km: float = 0.5
    stop_within: timedelta = timedelta(minutes=10)
    proceed_within: timedelta = timedelta(minutes=15)
    fresh: timedelta = timedelta(minutes=30)
    """A position this old at the end of a hold still counts: trackers report standing trucks each 15 minutes."""


DEFAULT_RULES: Final = ComplianceRules()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a truck was told: the order's kind and place, when it began for this truck, when it ends.

    `base` is the later of the beginning and the driver's confirmation: deadlines run from there.
    """

    kind: str
    starts_at: datetime
    base: datetime
    valid_to: datetime
    site_id: str | None = None
    gate_id: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the truck was when the order began for it (or when first heard of since)."""

    road: str | None = None
    km: float | None = None

    @classmethod
    def read(cls, stored: EvidenceRecord) -> Evidence:
        """From its stored form."""
        return cls(stored.get("road"), stored.get("km"))

    def stored(self) -> EvidenceRecord:
        """Its stored form."""
        return {} if self.road is None else {"road": self.road, "km": self.km}


@dataclass(frozen=True, slots=True)
class Sighting:
    """The truck's last position, and when it entered the yard it was sent to, if it did, whoever saw it there."""

    time: datetime | None
    road: str | None = None
    km: float | None = None
    speed_mps: float | None = None
    site_id: str | None = None
    entered_at: datetime | None = None


def way_km(places: Places, road: str | None, km: float | None) -> float | None:
    """Kilometres by road to the border by the nearest gate; `None` off the corridor."""
    ways = [way for gate in places.gates.values() if (way := gate.distance_km(road, km)) is not None]
    return min(ways, default=None)


def is_past(places: Places, site_id: str, road: str | None, km: float | None, margin_km: float) -> bool:
    """Whether a place lies beyond a staging area on the way to the border."""
    area = places.staging[site_id]
    here_km, area_km = way_km(places, road, km), way_km(places, area.road, area.km)
    return here_km is not None and area_km is not None and here_km < area_km - margin_km


def judge_one(
    demand: Demand,
    evidence: Evidence,
    seen: Sighting,
    present: str,
    *,
    places: Places,
    now: datetime,
    rules: ComplianceRules = DEFAULT_RULES,
) -> tuple[str, Evidence]:
    """The verdict on one truck now, and what to remember.

    Arguments: `present`, the verdict so far (`pending`, or `complied` for a hold). At `demand.valid_to` and after, no
    verdict stays pending.
    """
    if seen.time is None or seen.time < demand.starts_at:
        seen = Sighting(None, entered_at=seen.entered_at)
    elif evidence.road is None and seen.road is not None:
        evidence = Evidence(seen.road, seen.km)
    case = _Case(demand, evidence, seen, present, places, now, rules)
    return {
        OrderKind.HOLD: case.hold,
        OrderKind.PROCEED: case.proceed,
        OrderKind.DIVERT: case.divert,
        OrderKind.YARD: case.yard,
        OrderKind.STOP: case.stop,
    }[OrderKind.get(demand.kind)](), evidence


@dataclass(frozen=True, slots=True)
class _Case:
    demand: Demand
    evidence: Evidence
    seen: Sighting
    present: str
    places: Places
    now: datetime
    rules: ComplianceRules

    @property
    def at_end(self) -> bool:
        return self.now >= self.demand.valid_to

    @property
    def _is_fresh(self) -> bool:
        """Whether its last position still counts at the end; without one its silence is no disobedience."""
        return self.seen.time is not None and self.seen.time >= self.demand.valid_to - self.rules.fresh

    def hold(self) -> str:
        seen, rules, site_id = self.seen, self.rules, self.demand.site_id or ""
        if is_past(self.places, site_id, self.evidence.road, self.evidence.km, rules.pass_km):
            return Compliance.UNKNOWN  # it was already beyond when the order came, and cannot wait there
        if is_past(self.places, site_id, seen.road, seen.km, rules.pass_km):
            return Compliance.NOT_COMPLIED
        if self.at_end:
            return Compliance.COMPLIED if self._is_fresh or self.present == Compliance.COMPLIED else Compliance.UNKNOWN
        return Compliance.COMPLIED if self._stands_at(site_id) else self.present

    def _stands_at(self, site_id: str) -> bool:
        seen, area = self.seen, self.places.staging[site_id]
        if seen.speed_mps is None or seen.speed_mps >= self.rules.standing_mps:
            return False
        is_near = seen.road == area.road and seen.km is not None and abs(seen.km - area.km) <= self.rules.near_km
        return seen.site_id == site_id or is_near

    def proceed(self) -> str:
        before_km = way_km(self.places, self.evidence.road, self.evidence.km)
        here_km = way_km(self.places, self.seen.road, self.seen.km)
        if before_km is not None and here_km is not None and abs(here_km - before_km) >= self.rules.moved_km:
            return Compliance.COMPLIED
        return self._late(self.rules.proceed_within, failed=before_km is not None and here_km is not None)

    def stop(self) -> str:
        speed_mps, time = self.seen.speed_mps, self.seen.time
        if time is None or speed_mps is None:
            return Compliance.UNKNOWN if self.at_end else Compliance.PENDING
        if time >= self.demand.starts_at and speed_mps < self.rules.standing_mps:
            return Compliance.COMPLIED
        return self._late(self.rules.stop_within, failed=speed_mps >= self.rules.moving_mps)

    def divert(self) -> str:
        seen, gate = self.seen, self.places.gates[self.demand.gate_id or ""]
        if gate.is_on_branch(seen.road, seen.km):
            return Compliance.COMPLIED
        on_other = self._on_other_branch(gate, seen.road, seen.km)
        was_on_other = self._on_other_branch(gate, self.evidence.road, self.evidence.km)
        if on_other and ((self.at_end and self._is_fresh) or not was_on_other):
            return Compliance.NOT_COMPLIED
        return Compliance.UNKNOWN if self.at_end else Compliance.PENDING

    def _on_other_branch(self, gate: GatePlace, road: str | None, km: float | None) -> bool:
        return any(
            other.is_on_branch(road, km) for other in self.places.gates.values() if other.gate_id != gate.gate_id
        )

    def yard(self) -> str:
        if self.seen.entered_at is not None or (self.seen.time and self.seen.site_id == self.demand.site_id):
            return Compliance.COMPLIED
        if not self.at_end:
            return Compliance.PENDING
        return Compliance.NOT_COMPLIED if self._is_fresh else Compliance.UNKNOWN

    def _late(self, within: timedelta, *, failed: bool) -> str:
        """Not complied if a position after the deadline shows it; unknown at the end without one."""
        deadline = self.demand.base + within
        if failed and self.seen.time is not None and self.seen.time >= min(deadline, self.demand.valid_to):
            return Compliance.NOT_COMPLIED
        return Compliance.UNKNOWN if self.at_end else Compliance.PENDING
