"""A draft of a procedure tried on today's trips: what it would have asked of them. Nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from app.procedures import service as procedures
from app.procedures.procedure import Facts, Procedure, Sheet, StepRecord
from app.procedures.steps import Step, StepStatus
from app.procedures.vehicle_roles import procedure_of
from app.sheets import store
from app.sheets.store import TriedTrip
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError

MAX_TRIPS: Final = 2000
"""The newest of the day that are tried."""
MAX_NAMED: Final = 12


class TriedSheet(NamedTuple):
    """A trip's sheet as it stands, and as the draft would have it."""

    code: str
    present: Sheet
    drafted: Sheet


@dataclass(frozen=True)
class StepTrial:
    """Of the tried trips, how many need a step and at how many it can be done now: as it is, and under the draft."""

    step: str
    needed: int
    needed_drafted: int
    to_do: int
    to_do_drafted: int

    @property
    def differs(self) -> bool:
        """Whether the draft changes anything here."""
        return (self.needed, self.to_do) != (self.needed_drafted, self.to_do_drafted)


@dataclass(frozen=True)
class ChangedTrip:
    """A trip of which the draft asks other steps."""

    code: str
    more: Sequence[str]
    fewer: Sequence[str]


@dataclass(frozen=True)
class Trial:
    """What a draft would change: `trips` were tried, at `changed` other steps are needed, of which some are named."""

    trips: int
    changed: int
    steps: Sequence[StepTrial]
    named: Sequence[ChangedTrip]


def try_draft(session: Session, procedure_id: int, now: datetime) -> Trial:
    """Try a version on the trips of its gates, direction and regime that are open or ended today.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no such version, or it is not right yet.
    """
    version = procedures.describe(procedures.get_version(session, procedure_id))
    if version.problems:
        raise ConflictError("This draft is not right yet, so that no trip can be tried on it.")
    midnight = datetime.combine(now.astimezone(LOCAL_ZONE).date(), time(), LOCAL_ZONE)
    own_gates = procedures.gates_with_own(session, version.key)
    trips = store.trips_to_try(session, version.key, own_gates, midnight, MAX_TRIPS)
    return compare(_sheets(session, trips, Procedure.from_definition(version.definition)))


def compare(sheets: Iterable[TriedSheet]) -> Trial:
    """What differs between sheets and what a draft would have of them. Pure."""
    present, drafted = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    named: list[ChangedTrip] = []
    trips = changed = 0
    for code, sheet, other in sheets:
        trips += 1
        for counted, each in ((present, sheet), (drafted, other)):
            counted.update((name, False) for name in each.needed)
            counted.update((name, True) for name, status in each.state().items() if _is_to_do(each, status))
        if sheet.needed != other.needed:
            changed += 1
            if len(named) < MAX_NAMED:
                more, fewer = other.needed - sheet.needed, sheet.needed - other.needed
                named.append(ChangedTrip(code, Step.in_order(more), Step.in_order(fewer)))
    names = Step.in_order({name for name, _ in (*present, *drafted)})
    steps = [
        StepTrial(name, present[name, False], drafted[name, False], present[name, True], drafted[name, True])
        for name in names
    ]
    return Trial(trips, changed, steps, named)


def _is_to_do(sheet: Sheet, status: StepStatus) -> bool:
    return status in StepStatus.open() and not sheet.is_finished


def _sheets(session: Session, trips: Sequence[TriedTrip], draft: Procedure) -> Iterable[TriedSheet]:
    records = _records(session, [trip.trip_id for trip in trips])
    known = {number: procedures.get_procedure(session, number) for number in {trip.procedure_id for trip in trips}}
    for trip in trips:
        facts = Facts.from_record(trip.facts)
        sheets = [
            Sheet(procedure_of(each, facts.vehicle_role), facts, records.get(trip.trip_id, {}))
            for each in (known[trip.procedure_id], draft)
        ]
        yield TriedSheet(trip.code, sheets[0], sheets[1].release())


def _records(session: Session, trip_ids: Sequence[int]) -> Mapping[int, Mapping[str, StepRecord]]:
    found: dict[int, dict[str, StepRecord]] = {}
    for trip_id, step, status, since in store.statuses_of(session, trip_ids):
        found.setdefault(trip_id, {})[step] = StepRecord(status, since)
    return found
