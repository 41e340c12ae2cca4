"""Where a truck is, and how far its trip has come: one judgement from all witnesses. Pure.

Everything that counts trucks asks here: the stage, the yards' ledger, the map, the forecast, statistics, bulletin and
work lists. What a witness is and how far it is trusted stands in `app.trips.presence_rules`. The rules of judging, each
with its reason:

- **Time, not arrival.** Witnesses are put in the order in which things happened, never in that in which they became
  known: the judgement is a function of the set. A phone that sends late, or an act entered after an outage, corrects
  the past. It cannot undo an act, because acts are witnesses like it and trusted more.
- **What cannot be, is decided by trust.** Of two witnesses that contradict each other the one trusted less is set
  aside, of equal ones the later: where the truck was is established, and the later has to be explained. The pair is
  shown, since it may be a swapped plate.
- **Officers outrank devices.** What an officer confirmed no phone moves, nor does one camera. Once an officer has
  acted on the trip, only the act at its last barrier ends it there: whatever was cleared is what leaves. A truck has
  turned back if an officer says so, or two signs do: it was seen leaving, and then driving far away. What one of them
  says alone is kept as `unconfirmed`.
- **Silence is not absence.** A truck confirmed at barrier 1 whose phone is off is in the gate area and is counted
  there. `signal` says that nothing is heard. Only two things follow from silence: a truck on the road not seen for a
  day is `unknown`, and one that no officer ever saw (there GPS is all there is) and that was last seen between yard and
  border is over it after an hour.
- **GPS alone fills no yard.** It puts a truck into a gate area or yard only after it was seen on the approach. Until
  camera, checkpoint or approach agree, the truck stays where it was, the yard `unconfirmed`.
- **A device before a barrier** shows a truck before it. Going through is shown by an act, or by what is seen behind.
- **A sight of the whole keeps the part.** Customs inspect in the gate area: the truck stays in its yard. A sight on the
  approach does not take a truck out of the gate area again, unless an officer stood before it there and only devices
  had shown it inside.
- **Before the trip nothing counts** but acts: a read older than the trip moves nothing.
- **The end ends it** for every witness of no higher trust. Export ends over the border, import inland, by the act at
  the last barrier; an officer's act after an end that only GPS or a camera saw shows that it was none.

Invariants, held by `tests/app/test_presence.py`: a truck is at one place at any moment; intervals tile the time from
the trip's begin; more trust never makes a witness less believed; telling twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import exp, log
from typing import Final

from app.trips.presence_rules import (
    DEFAULT_RULES,
    Contradiction,
    Place,
    PresenceRules,
    Source,
    TripFrame,
    Trust,
    Witness,
    contradiction,
    without_repeats,
)
from app.trips.presence_story import Begin, Interval, Story
from app.trips.vocabulary import Stage


class Signal(StrEnum):
    """Whether the truck's GPS is heard."""

    LIVE = "live"
    SILENT = "silent"
    NEVER = "never"


@dataclass(frozen=True)
class Presence:
    """Where a truck is at `as_of`, and on what that stands.

    `place` is where it is counted, since `since`; `unconfirmed` where one device alone says that it is. `heard_at` is
    its last position. `confidence` is the chance that the place is right. `evidence` holds the witnesses that the place
    stands on, `disbelieved` those set aside, `contradictions` every pair that cannot both be true. `is_handled` says
    whether an officer has acted. `begins` are the places in order, each with what showed it first; `intervals` tile the
    time from the trip's begin to `as_of`.
    """

    place: Place
    since: datetime
    as_of: datetime
    signal: Signal
    heard_at: datetime | None
    confidence: float
    evidence: tuple[Witness, ...]
    disbelieved: tuple[Witness, ...]
    contradictions: tuple[Contradiction, ...]
    unconfirmed: Place | None
    is_handled: bool
    begins: tuple[Begin, ...]
    intervals: tuple[Interval, ...]

    @property
    def confirmed(self) -> bool:
        """Whether no device claims otherwise than is counted."""
        return self.unconfirmed is None


def judge(
    frame: TripFrame, witnesses: Iterable[Witness], as_of: datetime, rules: PresenceRules = DEFAULT_RULES
) -> Presence:
    """Where the truck of a trip is at a moment, from what happened until then, in whatever order it became known."""
    counted = _counted(frame, witnesses, as_of)
    believed, disbelieved, contradictions = _believed(counted, rules)
    story = Story(frame, believed, as_of, rules)
    for witness in believed:
        story.take(witness)
    story.finish()
    begins = story.begins()
    heard_at = max((witness.moment for witness in counted if witness.source is Source.GPS), default=None)
    return Presence(
        place=story.here,
        since=begins[-1].moment,
        as_of=as_of,
        signal=_signal(heard_at, as_of, rules),
        heard_at=heard_at,
        confidence=_confidence(story.evidence, contradictions),
        evidence=tuple(story.evidence),
        disbelieved=disbelieved,
        contradictions=contradictions,
        unconfirmed=story.unconfirmed,
        is_handled=story.is_handled,
        begins=begins,
        intervals=story.intervals(),
    )


def history(
    frame: TripFrame, witnesses: Iterable[Witness], until: datetime, rules: PresenceRules = DEFAULT_RULES
) -> tuple[Interval, ...]:
    """Where the truck was, from the trip's begin (or its first act) to `until`: intervals that tile that time."""
    return judge(frame, witnesses, until, rules).intervals


def place_at(intervals: Sequence[Interval], moment: datetime) -> Place | None:
    """The place of a moment, such as 20:00; `None` outside the intervals. Each holds its begin, not its end."""
    return next((each.place for each in intervals if each.began_at <= moment < each.ended_at), None)


# Stages


@dataclass(frozen=True, slots=True)
class SheetState:
    """What the stage needs of a sheet: its gate, and whether the trip was cancelled or its exit confirmed."""

    gate_id: str
    is_cancelled: bool = False
    is_finished: bool = False


def stage_of(presence: Presence, sheet_state: SheetState) -> Stage:
    """How far a trip has come."""
    return stage_at(presence.place, sheet_state)


def stage_at(place: Place, sheet_state: SheetState) -> Stage:
    """How far a trip has come whose truck is at a place; at another gate than its own it is still on the way to it."""
    if sheet_state.is_cancelled:
        return Stage.CANCELLED
    if sheet_state.is_finished:
        return Stage.OUT
    is_elsewhere = place.gate_id not in {None, sheet_state.gate_id} and not place.is_over
    return Stage.ON_THE_ROAD if is_elsewhere else place.kind.stage


# Pieces


def _counted(frame: TripFrame, witnesses: Iterable[Witness], as_of: datetime) -> list[Witness]:
    return [
        witness
        for witness in without_repeats(witnesses)
        if witness.moment <= as_of and (witness.moment >= frame.begin or witness.trust is Trust.OFFICER)
    ]


def _believed(
    counted: Sequence[Witness], rules: PresenceRules
) -> tuple[list[Witness], tuple[Witness, ...], tuple[Contradiction, ...]]:
    """The witnesses to go by, in order of time; those set aside; and all pairs that cannot both be true.

    They are let in by falling trust, each if it can be true beside all those let in before it. So one that is let in is
    let in with more trust too: it then has fewer before it.
    """
    ranked = sorted(
        (witness for witness in counted if witness.trust is not Trust.DOUBTFUL),
        key=lambda witness: (-witness.trust, witness.moment, witness.identity),
    )
    found: list[Contradiction] = []
    believed: list[Witness] = []
    aside: list[Witness] = []
    is_aside = [False] * len(ranked)
    for i, witness in enumerate(ranked):
        for j in range(i):
            pair = contradiction(ranked[j], witness, rules)
            if pair is not None:
                found.append(pair)
                is_aside[i] = is_aside[i] or not is_aside[j]
        (aside if is_aside[i] else believed).append(witness)
    return (
        sorted(believed, key=lambda witness: (witness.moment, witness.identity)),
        tuple(sorted(aside, key=lambda witness: (witness.moment, witness.identity))),
        tuple(sorted(found, key=lambda pair: (pair.second.moment, pair.first.moment, pair.second.identity))),
    )


def _signal(heard_at: datetime | None, as_of: datetime, rules: PresenceRules) -> Signal:
    if heard_at is None:
        return Signal.NEVER
    return Signal.LIVE if as_of - heard_at <= rules.live_within else Signal.SILENT


MAX_CERTAINTY: Final = 0.99
PLANNED_CONFIDENCE: Final = 0.5
"""Without a witness nothing shows that a truck has not set out."""


def _confidence(evidence: Sequence[Witness], contradictions: Sequence[Contradiction]) -> float:
    """The chance that a place is right, between 0 and 1.

    By Bayes with even odds before: independent witnesses multiply the odds p / (1 − p), of one source only the best
    counts; each that contradicts one of them divides.
    """
    if not evidence:
        return PLANNED_CONFIDENCE
    against: dict[Source, float] = {}
    standing = {witness.identity for witness in evidence}
    for pair in contradictions:
        for first, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if first.identity in standing and other.identity not in standing:
                against[other.source] = max(against.get(other.source, 0.0), other.probability)
    backing: dict[Source, float] = {}
    for witness in evidence:
        backing[witness.source] = max(backing.get(witness.source, 0.0), witness.probability)
    odds = sum(map(_log_odds, backing.values())) - sum(map(_log_odds, against.values()))
    return 1.0 / (1.0 + exp(-odds))


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1.0 - MAX_CERTAINTY), MAX_CERTAINTY)
    return log(p / (1.0 - p))
