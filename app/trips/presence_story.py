"""Where a truck was, told by its believed witnesses one after the other. Pure; a piece of `app.trips.presence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.trips.presence_rules import (
    PLANNED,
    ROAD,
    UNKNOWN,
    Place,
    PresenceRules,
    Source,
    TripFrame,
    Trust,
    Witness,
    WitnessKind,
)
from app.trips.vocabulary import Direction, PlaceKind


@dataclass(frozen=True, slots=True)
class Begin:
    """A truck came to a place; `source` and `trust` are those of what showed it there, `None` where nothing did."""

    moment: datetime
    place: Place
    source: Source | None = None
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A truck was at a place from one moment to another."""

    place: Place
    began_at: datetime
    ended_at: datetime


@dataclass
class Story:
    """A trip's truck as its believed witnesses tell it, taken one by one in order of time."""

    frame: TripFrame
    believed: Sequence[Witness]
    as_of: datetime
    rules: PresenceRules
    here: Place = PLANNED
    evidence: list[Witness] = field(default_factory=list)
    unconfirmed: Place | None = None
    is_handled: bool = field(init=False)
    _begins: list[Begin] = field(default_factory=list)
    _seen: list[Witness] = field(default_factory=list)
    _last: Witness | None = None
    _leaving: Witness | None = None
    """The sign that it left the gate area or a yard of it, since it was last seen there."""
    _is_inside_by_person: bool = False
    """Whether a person showed it between the barriers since it came there."""
    _end_trust: Trust = Trust.DOUBTFUL
    _before_end: Place = PLANNED

    def __post_init__(self) -> None:
        acts = [witness.moment for witness in self.believed if witness.trust is Trust.OFFICER]
        self.is_handled = bool(acts)
        self._begins.append(Begin(min([self.frame.begin, self.as_of, *acts]), PLANNED))

    def take(self, witness: Witness) -> None:
        """Let one witness speak."""
        if self.here.is_over and witness.trust <= self._end_trust:
            if witness.place == self.here:
                self.evidence.append(witness)
            return
        before = self._before_end if self.here.is_over else self.here
        target = self._target(before, witness)
        is_borne_out = target is None or self._may_move(before, target, witness)
        if target is not None and is_borne_out:
            self._settle(before, target, witness)
        self.unconfirmed = self.unconfirmed if target is None else None if is_borne_out else target
        if not self.here.is_inside:
            self._is_inside_by_person = False
        elif witness.trust >= Trust.PERSON and witness.place.is_inside:
            self._is_inside_by_person = True
        self._last = witness
        if is_borne_out:
            self._seen.append(witness)
        self._note_leaving(witness, is_borne_out)

    def finish(self) -> None:
        """What follows from silence until now: between two witnesses nothing shows how long it lasted."""
        last = self._last
        if last is None:
            return
        quiet = self.as_of - last.moment
        if self.here == ROAD and quiet > self.rules.lost_after:
            self._move(UNKNOWN, last.moment + self.rules.lost_after, [last])
        elif (
            not self.is_handled
            and self.frame.direction is Direction.EXPORT
            and self.here == Place(PlaceKind.GATE_AREA, self.frame.gate_id)
            and self._leaving is not None
            and self._leaving.place.kind is PlaceKind.YARD
            and last.source is Source.GPS
            and last.place.gate_id == self.frame.gate_id
            and quiet >= self.rules.gone_after
        ):
            self._move(self.frame.exit_place, last.moment, [self._leaving, last])

    def begins(self) -> tuple[Begin, ...]:
        """Since when the truck was where, in order; of several places of one moment the last, none twice in a row."""
        found: list[Begin] = []
        for begin in self._begins:
            if found and found[-1].moment == begin.moment:
                found.pop()
            if not found or found[-1].place != begin.place:
                found.append(begin)
        return tuple(found)

    def intervals(self) -> tuple[Interval, ...]:
        """The places in order, each until the next begins, the last until now; none is empty."""
        begins = self.begins()
        ends = [begin.moment for begin in begins[1:]] + [self.as_of]
        return tuple(
            Interval(begin.place, begin.moment, end)
            for begin, end in zip(begins, ends, strict=True)
            if begin.moment < end
        )

    def _target(self, here: Place, witness: Witness) -> Place | None:
        """Where a witness puts a truck that was `here`; `None` if it says nothing of it."""
        there, is_export = witness.place, self.frame.direction is Direction.EXPORT
        if witness.kind is WitnessKind.LEFT:
            return self._after_leaving(here, there)
        if witness.kind is WitnessKind.FREE:
            return None if here.is_inside else ROAD
        if witness.kind is WitnessKind.AWAY:
            if here.is_inside:
                return Place(PlaceKind.TURNED_BACK, here.gate_id) if is_export else self.frame.exit_place
            return None if there == UNKNOWN and here == PLANNED else ROAD
        if witness.kind is WitnessKind.OFF:
            has_left = self._leaving is not None and self._leaving.place.kind is PlaceKind.GATE_AREA
            return self.frame.exit_place if is_export and here.is_inside and has_left else None
        return self._at(here, there, witness.trust)

    def _at(self, here: Place, there: Place, trust: Trust) -> Place | None:
        if there == UNKNOWN:
            return None
        if there == ROAD:
            return ROAD if here in {PLANNED, UNKNOWN, ROAD} else None
        if there.is_over or here.gate_id != there.gate_id:
            return there
        is_outside = there.kind is PlaceKind.QUEUED and (trust < Trust.OFFICER or self._is_inside_by_person)
        is_nearer = here.is_inside and (there.kind is PlaceKind.GATE_AREA or is_outside)
        is_parked = here.kind is PlaceKind.TEMPORARY_YARD and there.kind is PlaceKind.QUEUED
        return here if is_nearer or is_parked else there

    @staticmethod
    def _after_leaving(here: Place, there: Place) -> Place | None:
        """Out of a yard is into its gate area; out of the gate area may be either way."""
        if there.kind is PlaceKind.YARD and (here == there or here.gate_id != there.gate_id or not here.is_inside):
            return Place(PlaceKind.GATE_AREA, there.gate_id)
        if there.kind is PlaceKind.TEMPORARY_YARD and not here.is_inside:
            return Place(PlaceKind.QUEUED, there.gate_id)
        return None

    def _settle(self, before: Place, target: Place, witness: Witness) -> None:
        if target != self.here:
            signs = [self._leaving] if target.kind is PlaceKind.TURNED_BACK and self._leaving is not None else []
            self._move(target, witness.moment, [*signs, witness])
            self._end_trust = Trust.DOUBTFUL
        elif witness.kind is not WitnessKind.AT or witness.place.covers(target):
            self.evidence.append(witness)
        if target.is_over:
            self._end_trust, self._before_end = max(self._end_trust, witness.trust), before

    def _may_move(self, before: Place, target: Place, witness: Witness) -> bool:
        """Whether a witness can carry a truck there by itself; devices have to be borne out."""
        if target == before or witness.trust is Trust.OFFICER:
            return True
        is_same_gate = before.gate_id is not None and before.gate_id == target.gate_id
        if target == self.frame.exit_place:
            return is_same_gate and not self.is_handled
        if witness.trust is Trust.PERSON:
            return True
        goes_out = target.is_over or not is_same_gate
        is_held = goes_out if self._is_vouched_for(before) else before.is_inside and (goes_out or not target.is_inside)
        if is_held and not self._has_left(before, witness):
            return witness.trust is Trust.DEVICE and not self.is_handled
        if witness.trust is Trust.DEVICE or (is_same_gate and before.is_inside):
            return True
        is_parked = target.is_inside or target.kind is PlaceKind.TEMPORARY_YARD
        return not is_parked or self._came_by_approach(target, witness)

    def _is_vouched_for(self, before: Place) -> bool:
        """Whether an officer saw it before the barrier of a gate, where it still is."""
        is_before_barrier = before.kind in PlaceKind.before_barrier()
        return is_before_barrier and any(witness.trust is Trust.OFFICER for witness in self.evidence)

    def _has_left(self, before: Place, witness: Witness) -> bool:
        """Whether something else than the witness saw it leave there."""
        sign = self._leaving
        if sign is None:
            return False
        return sign.place.gate_id == before.gate_id or (sign.kind is WitnessKind.AWAY and sign.spot != witness.spot)

    def _note_leaving(self, witness: Witness, is_borne_out: bool) -> None:
        if witness.kind is WitnessKind.LEFT or (witness.kind is WitnessKind.AWAY and witness.trust > Trust.GPS):
            self._leaving = witness
        elif witness.kind is WitnessKind.AT and witness.place.gate_id is not None and is_borne_out:
            # Out of its yard, a truck seen in the area of the gate has still left the yard.
            is_in_area = not witness.place.is_inside
            if not (is_in_area and self._leaving is not None and self._leaving.place.kind is PlaceKind.YARD):
                self._leaving = None

    def _came_by_approach(self, target: Place, witness: Witness) -> bool:
        rules = self.rules
        for earlier in reversed(self._seen):
            lead = witness.moment - earlier.moment
            if lead > rules.approach_within:
                return False
            if lead < rules.approach_lead:
                continue
            if target.gate_id is not None and earlier.place.gate_id == target.gate_id:
                return True
            if earlier.spot is None or witness.spot is None:
                continue
            if rules.roads.distance_m(earlier.spot, witness.spot) <= rules.approach_m:
                return True
        return False

    def _move(self, target: Place, moment: datetime, evidence: list[Witness]) -> None:
        self.here, self.evidence = target, evidence
        shown_by = evidence[-1]
        self._begins.append(Begin(moment, target, shown_by.source, shown_by.trust))
