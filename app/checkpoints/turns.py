"""Whose turn it is: priority as declared or given by hand, and who was handled before others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from sqlalchemy.orm import Session

from app.checkpoints import store, turn_store
from app.checkpoints.service import check_reason, log_overrides
from app.checkpoints.turn_store import TURN_COLUMNS as TURN_COLUMNS
from app.checkpoints.vocabulary import WarningKind
from app.checkpoints.warnings import StepWarning
from app.gates.priority import Priority, PriorityFacts
from app.gates.profile import GateProfile
from app.gates.service import profiles_without_bans
from app.platform.actions import ActionContext
from app.platform.labels import N_
from app.procedures.steps import Step
from app.trips.scope import visible_trips
from app.trips.service import Trip, lock_trip
from geo.errors import NotFoundError

NO_PRIORITY: Final = Priority()
MAX_NAMED: Final = 6
"""How many of the trucks that were passed by are named."""
MAX_WAITING: Final = 200
"""How many of the trucks at a station are compared, longest waiting first; a jump past more is "at least" so many."""


TurnKey: TypeAlias = tuple[object, ...]


class TurnFacts(Protocol):
    """The columns that priority is computed from, as `TURN_COLUMNS` selects them."""

    @property
    def regime(self) -> str:
        """The trip's."""

    @property
    def channel(self) -> str | None:
        """Customs'."""

    @property
    def goods_classes(self) -> Sequence[str]:
        """The classes of all that is carried."""

    @property
    def is_perishable(self) -> bool:
        """Of goods that spoil."""

    @property
    def is_authorised(self) -> bool:
        """Of an authorised operator."""

    @property
    def is_sealed(self) -> bool:
        """Transit under seal."""

    @property
    def is_by_hand(self) -> bool:
        """Given by a person."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a work list shows of a trip: whether a finding stands, and its priority."""

    has_finding: bool = False
    priority: Priority = NO_PRIORITY


def marks(session: Session, trip_ids: Collection[int], now: datetime) -> dict[int, Mark]:
    """The mark of each of some trips."""
    if not trip_ids:
        return {}
    rows = turn_store.turn_records(session, trip_ids)
    gates, known = profiles_without_bans(session, now), dict[TurnKey, Priority]()
    return {row.trip_id: Mark(row.has_finding, priority_by(row, row.gate_id, gates, known)) for row in rows}


def priority_by(
    row: TurnFacts, gate_id: str, gates: Mapping[str, GateProfile], known: dict[TurnKey, Priority]
) -> Priority:
    """The priority of a trip by its columns; `known` are those of a list so far, for most of its trips are alike."""
    key = (
        gate_id,
        row.regime,
        row.channel,
        row.is_perishable,
        row.is_authorised,
        row.is_sealed,
        row.is_by_hand,
        *row.goods_classes,
    )
    found = known.get(key)
    if found is None:
        facts = PriorityFacts(
            goods=row.goods_classes,
            perishable=row.is_perishable,
            regime=row.regime,
            channel=row.channel,
            is_authorised=row.is_authorised,
            is_sealed=row.is_sealed,
            by_hand=row.is_by_hand,
        )
        profile = gates.get(gate_id)
        found = known[key] = Priority.of(facts, None if profile is None else profile.priority)
    return found


def priority_of(session: Session, trip_id: int, now: datetime) -> Priority:
    """The priority of a trip at its gate."""
    return marks(session, [trip_id], now).get(trip_id, Mark()).priority


@dataclass(frozen=True, slots=True)
class WaitingTruck:
    """Another truck at a station whose step can be done, and whether it has waited longer than the one in question."""

    trip_id: int
    plate: str
    waits_longer: bool


def passed_by(trip_id: int, waiting: Sequence[WaitingTruck], first: Collection[int]) -> list[WaitingTruck]:
    """Those whose turn comes before a trip's: trips of `first` go first, among equals the longer wait counts."""
    is_first = trip_id in first
    return [
        each
        for each in waiting
        if (each.trip_id in first and not is_first) or (each.waits_longer and (each.trip_id in first) >= is_first)
    ]


def log_jump(action: ActionContext, trip: Trip, step: str, waiting: Sequence[WaitingTruck]) -> None:
    """Keep which trucks at the station a truck was handled before though their turn comes first.

    Arguments: `waiting`, the others there, longest waiting first, at most `MAX_WAITING`.
    """
    if not waiting:
        return
    found = marks(action.session, [trip.trip_id, *(each.trip_id for each in waiting)], action.now)
    first = [trip_id for trip_id, mark in found.items() if mark.priority.first]
    passed = passed_by(trip.trip_id, waiting, first)
    if not passed:
        return
    jump = jump_warning(passed, has_more=len(waiting) == MAX_WAITING)
    log_overrides(action, trip, step, [jump], "")


def jump_warning(passed: Sequence[WaitingTruck], *, has_more: bool) -> StepWarning:
    """What is kept of a jump past some trucks; `has_more` where others may have been passed by that are not known."""
    message = N_("Handled before {count} whose turn came first: {plates}.")
    if has_more:
        message = N_("Handled before at least {count} whose turn came first, among them {plates}.")
    elif len(passed) > MAX_NAMED:
        message = N_("Handled before {count} whose turn came first, among them {plates}.")
    plates = ", ".join(each.plate for each in passed[:MAX_NAMED])
    return StepWarning(WarningKind.JUMP, "", message, {"count": len(passed), "plates": plates})


def set_priority(action: ActionContext, trip_id: int, *, is_given: bool, reason: str) -> None:
    """Give a trip priority by hand, or take it back: an override with its reason. Said twice, it counts once.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such trip at the caller's gate, or no reason is given.
    """
    wanted = check_reason(reason)
    trip = lock_trip(action.session, visible_trips(action.actor, "priority.give"), trip_id)
    if trip is None:
        raise NotFoundError("There is no trip {trip_id} that you may see.", trip_id=trip_id)
    if is_given:
        given = {"given_at": action.now, "given_by": action.actor.account_id}
        is_new = store.put_priority(action.session, {"trip_id": trip_id, "reason": wanted, **given})
        message = N_("Priority was given by hand.")
    else:
        is_new = store.take_priority(action.session, trip_id)
        message = N_("Priority that was given by hand was taken back.")
    if is_new:
        kind = WarningKind.PRIORITY_BY_HAND
        log_overrides(action, trip, Step.DECLARATION, [StepWarning(kind, str(is_given), message)], wanted)
