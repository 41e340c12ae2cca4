"""A trip's timeline as its enterprise reads it: one entry for each thing that happened, with its time.

Every part that an act touches writes its own line, so that one act stands there several times: who declares makes a
trip, a declaration and a sheet. The stages are those of the one judgement of where the truck is, not what was believed
of it in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from app.trips.schemas import TimelineOut
from app.trips.vocabulary import Stage

STAGE: Final = "stage"
SHEET: Final = "sheet"
SAID_BY: Final[Mapping[str, frozenset[str]]] = {
    "declared": frozenset({"created", "amended", "party", "sheet.opened", "sheet.facts"}),
    "redeclared": frozenset({"amended", "sheet.facts", "sheet.redeclare"}),
    "declaration_amended": frozenset({"amended", "sheet.facts", "sheet.redeclare"}),
    "gate_changed": frozenset({"amended", "sheet.facts", "sheet.moved"}),
    "correction": frozenset({"sheet.correct"}),
    "transshipment": frozenset({"sheet.facts", "sheet.transshipment"}),
}
"""A line → what is written of the same act at the same moment, and is said by that line already."""
STANDING: Final = frozenset({"fee"})
"""Lines of how something stands: one that says what the last one said is nothing that happened."""


def tell(
    lines: Sequence[TimelineOut], stages: Sequence[tuple[Stage, datetime]], *, is_cancelled: bool
) -> list[TimelineOut]:
    """The entries, oldest first.

    Parameters
    ----------
    lines
        The trip's timeline, oldest first.
    stages
        What stages the trip came to and when, oldest first, as the places of its truck are judged now.
    is_cancelled
        Whether the trip was cancelled, which has a line of its own.
    """
    written: dict[datetime, set[str]] = defaultdict(set)
    for line in lines:
        written[line.at].add(_name(line))
    shown: list[TimelineOut] = []
    last: dict[str, object] = {}
    is_declared = False  # who declares what is entered later, as from paper, has made the trip already
    for line in lines:
        is_declared = is_declared or line.kind == "declared"
        if (
            line.kind == STAGE
            or (line.kind == "created" and is_declared)
            or any(_name(line) in SAID_BY.get(other, ()) for other in written[line.at])
        ):
            continue
        if line.kind in STANDING:
            if last.get(line.kind) == line.data:
                continue
            last[line.kind] = line.data
        shown.append(line)
    known = (Stage.PLANNED, Stage.CANCELLED) if is_cancelled else (Stage.PLANNED,)
    shown += [_of_stage(stage, at) for stage, at in _changes(stages) if stage not in known]
    return sorted(shown, key=lambda line: line.at)


def _name(line: TimelineOut) -> str:
    return f"{SHEET}.{line.data.get('act')}" if line.kind == SHEET else line.kind


def _changes(stages: Iterable[tuple[Stage, datetime]]) -> list[tuple[Stage, datetime]]:
    """The first of each run of equal stages."""
    found: list[tuple[Stage, datetime]] = []
    for stage, at in stages:
        if not found or found[-1][0] is not stage:
            found.append((stage, at))
    return found


def _of_stage(stage: Stage, at: datetime) -> TimelineOut:
    return TimelineOut(at=at, kind=STAGE, data={"after": str(stage)}, actor=None)
