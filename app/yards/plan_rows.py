"""What the plan decides between: the zones of yards that have any, and whole yards. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.forecasting.state import ComingTruck
from app.gates.profile import GateProfile
from app.yards.zone_fill import ZoneFill
from capacity.kinds import may_stand_on, may_use, preference
from capacity.ledger import YardState
from capacity.problem import Bools, Floats, Ints, YardProblem
from capacity.vocabulary import ZoneKind
from capacity.zones import ZoneAhead

OTHER_KIND_S = 5.0
"""What a place of another kind than a truck needs costs, s of detour and step of preference: enough to leave a place to
who needs it, too little to send anybody elsewhere (assumed)."""


@dataclass(frozen=True)
class PlanRow:
    """A row of the problem: a zone of a yard with zones, a whole yard else; how many are inside it now."""

    yard: YardState
    zone: ZoneAhead | None
    inside_veh: float

    @property
    def key(self) -> str:
        """What the problem calls it."""
        return self.yard.yard_id if self.zone is None else self.zone.key

    @property
    def zone_id(self) -> str | None:
        """Its zone."""
        return None if self.zone is None else self.zone.zone_id

    @property
    def kind(self) -> ZoneKind | None:
        """The kind of its places; a yard without zones has places that are good for all."""
        return None if self.zone is None else self.zone.kind


class Promised(NamedTuple):
    """A place that is promised: in a yard, from a time (s from now) on, for a truck that needs a kind of place."""

    yard_id: str
    free_s: float
    need: ZoneKind


@dataclass(frozen=True)
class PlanRows:
    """All rows, those of a yard one after the other, in the order of the yards."""

    yards: tuple[YardState, ...]
    rows: tuple[PlanRow, ...]

    @classmethod
    def of(
        cls,
        yards: Sequence[YardState],
        zones: Mapping[str, Sequence[ZoneAhead]],
        fills: Mapping[str, Sequence[ZoneFill]],
    ) -> PlanRows:
        """The rows of some yards, by their zones and by how many are counted in each zone now."""
        found = []
        for yard in yards:
            inside = {fill.zone_id: float(fill.inside_veh) for fill in fills.get(yard.yard_id, ())}
            own = [PlanRow(yard, zone, inside.pop(zone.zone_id, 0.0)) for zone in zones.get(yard.yard_id, ())]
            found += own or [PlanRow(yard, None, float(yard.inside_veh))]
        return cls(tuple(yards), tuple(found))

    @property
    def site(self) -> Ints:
        """[Y] the index of each row's yard."""
        index = {yard.yard_id: n for n, yard in enumerate(self.yards)}
        return np.array([index[row.yard.yard_id] for row in self.rows], np.int64)

    def of_yard(self, yard_id: str) -> list[int]:
        """The indices of a yard's rows."""
        return [j for j, row in enumerate(self.rows) if row.yard.yard_id == yard_id]

    def find(self, yard_id: str | None, zone_id: str | None) -> int:
        """The row that a truck was told; −1 if there is none."""
        told = (yard_id, zone_id)
        return next((j for j, row in enumerate(self.rows) if (row.yard.yard_id, row.zone_id) == told), -1)

    def open_to(self, trucks: Sequence[ComingTruck], profiles: Mapping[str, GateProfile]) -> Bools:
        """[N, Y] where each truck may be sent by gate, regime and goods."""
        by_yard = [[_takes(yard, truck, profiles) for yard in self.yards] for truck in trucks]
        return np.array(by_yard, bool).reshape(len(trucks), len(self.yards))[:, self.site]

    def suited(self, trucks: Sequence[ComingTruck], open_to: Bools) -> Bools:
        """[N, Y] of the rows that are open to each truck, those with a kind of place on which it may stand."""
        site, suited = self.site, open_to.copy()
        kinds = [frozenset(row.kind for row in self.rows if row.yard is yard and row.kind) for yard in self.yards]
        for i, truck in enumerate(trucks):
            sites = np.unique(site[open_to[i]]).tolist()
            stands = dict(zip(sites, may_stand_on(truck.need, [kinds[n] for n in sites]), strict=True))
            for j in np.flatnonzero(open_to[i]):
                kind = self.rows[j].kind
                suited[i, j] = kind is None or kind in stands[int(site[j])]
        return suited

    def liked_s(self, trucks: Sequence[ComingTruck]) -> Floats:
        """[N, Y] what a place of another kind than the needed one costs each truck, s of detour."""
        of = {
            need: [0.0 if row.kind is None else OTHER_KIND_S * preference(need, row.kind) for row in self.rows]
            for need in ZoneKind
        }
        return np.array([of[truck.need] for truck in trucks], float).reshape(len(trucks), len(self.rows))

    def seat(self, promised: Sequence[Promised], problem: YardProblem) -> tuple[Ints, Ints]:
        """The row and the step of each promised place: of the kinds that a truck may stand on, the one that it likes
        best and that has a place left then."""
        room = problem.room_veh().copy()
        share = problem.stays()[0]
        rows, steps = np.zeros(len(promised), np.int64), np.zeros(len(promised), np.int64)
        for n in sorted(range(len(promised)), key=lambda each: promised[each].free_s):
            t = int(promised[n].free_s // problem.step_s)
            rows[n], steps[n] = self._best(promised[n], room[:, min(t, problem.steps - 1)]), t
            if t < problem.steps:
                room[rows[n], t:] -= share[rows[n], t, t:]
        return rows, steps

    def _best(self, place: Promised, room_veh: Floats) -> int:
        """The row of a promised place, by what is left of each."""
        own = self.of_yard(place.yard_id)
        may = may_use(place.need, {row.kind for row in (self.rows[j] for j in own) if row.kind is not None})

        def rank(j: int) -> tuple[bool, bool, int]:
            kind = self.rows[j].kind
            if kind is None:
                return False, False, 0
            return kind not in may, bool(room_veh[j] < 1.0), preference(place.need, kind)

        return min(own, key=rank)


def _takes(yard: YardState, truck: ComingTruck, profiles: Mapping[str, GateProfile]) -> bool:
    """Whether trucks like this go to a yard: those without a trip to temporary ones, others where a gate takes them."""
    if truck.trip_id is None:
        return yard.kind == "temporary_yard"
    if yard.kind != "yard":
        return False
    if yard.gate_id == truck.gate_id:
        return True
    other = profiles.get(yard.gate_id)
    return other is not None and other.takes(truck.regime, truck.goods_class, hazards=truck.hazards)
