"""The ledger of a yard: from reports of entering and leaving, and from counts, to what is inside now.

Pure: records in, records out. Two things make up what is inside: the trucks the ledger knows by
name (*stays* without an end), and a number of *unidentified* vehicles that only a person's count
revealed. The number is negative where a count found fewer than the list holds. So

    inside = identified + unidentified

and after a count it is exactly the counted number plus what entered and minus what left since,
whatever order the reports come in: a report from before the count moves a truck between the two
parts and leaves their sum alone.

Nothing is clipped in silence. What cannot be true (a truck leaving that never entered, more inside
than the yard holds, fewer than none, a count that differs) is told as a contradiction with its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

SAME_MOVE = timedelta(minutes=30)
"""Two reports of one kind about one truck this close together are one movement seen twice (assumed).

A phone's GPS and a person at the barrier report the same entry minutes apart."""
_INSTANT = timedelta(microseconds=1)


ACT = "act"
"""Source of what an officer's act shows: the truck is inside now. It says nothing of when the truck came."""


class Flag(StrEnum):
    """What is odd about a stay."""

    LEFT_NEVER_ENTERED = "left_never_entered"
    ENTERED_TWICE = "entered_twice"
    LEFT_UNSEEN = "left_unseen"
    IDENTIFIED_LEAVING = "identified_leaving"


CONTRADICTORY = (Flag.LEFT_NEVER_ENTERED, Flag.ENTERED_TWICE, Flag.LEFT_UNSEEN)
"""Flags that contradict; a truck first identified when it left is explained by the count before."""


@dataclass(frozen=True)
class LedgerTruck:
    """Whom a report is about: a known vehicle, or a plate no vehicle is known for."""

    vehicle_id: int | None = None
    plate_norm: str | None = None

    @property
    def key(self) -> str:
        """The truck's name in the ledger."""
        if self.vehicle_id is None and self.plate_norm is None:
            raise ValueError("a truck needs a vehicle or a plate")
        return f"v{self.vehicle_id}" if self.vehicle_id is not None else f"p{self.plate_norm}"


@dataclass(frozen=True)
class Movement:
    """One report: `kind` is `enter` or `leave`, `source` is `gps`, `camera`, `manual` or `act` (see `ACT`)."""

    truck: LedgerTruck
    kind: str
    time: datetime
    source: str
    source_ref: str | None = None
    recorded_by: int | None = None


@dataclass(frozen=True)
class Stay:
    """The last stay of a truck in a yard; open while `left_at` is empty."""

    truck: LedgerTruck
    entered_at: datetime | None
    entered_source: str | None
    left_at: datetime | None = None
    left_source: str | None = None
    flag: Flag | None = None

    @property
    def is_open(self) -> bool:
        """Whether the truck is inside as far as the ledger knows."""
        return self.left_at is None


@dataclass(frozen=True)
class YardBalance:
    """What a yard's ledger keeps beside the stays.

    `unidentified_veh` as in the module's formula; the rest is the last count: when, how many were
    counted, and how many the ledger expected then.
    """

    unidentified_veh: int = 0
    counted_at: datetime | None = None
    counted_veh: int | None = None
    expected_veh: int | None = None

    def was_counted_after(self, time: datetime) -> bool:
        """Whether the last count already knew what happened at `time`."""
        return self.counted_at is not None and time <= self.counted_at

    def moved(self, delta_veh: int, time: datetime) -> YardBalance:
        """The balance after `delta_veh` trucks were found to have come or gone at `time`."""
        if not self.was_counted_after(time):
            return self
        return replace(self, unidentified_veh=self.unidentified_veh - delta_veh)


@dataclass(frozen=True)
class Contradiction:
    """Something in the ledger that cannot be true: `code`, and the numbers it is about."""

    code: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class YardState:
    """A yard now: places, what is inside, what is promised, what is free, and what contradicts.

    `free_veh` = capacity − inside, never below zero; where inside exceeds capacity the contradiction
    `over_capacity` says by how many. `reserved_veh` are trucks on their way with a place in the plan.
    """

    yard_id: str
    gate_id: str
    kind: str
    capacity_veh: int
    inside_veh: int
    reserved_veh: int
    free_veh: int
    identified_veh: int
    unidentified_veh: int
    as_of: datetime
    version: int = 1
    contradictions: Sequence[Contradiction] = field(default=())


def no_later_than(now: datetime, stay: Stay) -> Stay:
    """A stay whose times are not after the present: a clock that was wrong wrote those, and what comes now is later."""
    times = (stay.entered_at, stay.left_at)
    if all(time is None or time <= now for time in times):
        return stay
    entered_at, left_at = (time if time is None or time <= now else now - _INSTANT for time in times)
    return replace(stay, entered_at=entered_at, left_at=left_at)


def counted_no_later_than(now: datetime, balance: YardBalance) -> YardBalance:
    """A balance whose count is not after the present, likewise."""
    is_over = balance.counted_at is None or balance.counted_at <= now
    return balance if is_over else replace(balance, counted_at=now - _INSTANT)


def apply_movement(stay: Stay | None, balance: YardBalance, movement: Movement) -> tuple[Stay, YardBalance]:
    """The stay and the balance after one report about one truck.

    Arguments: `stay`, the truck's last stay in this yard, if any; `balance` of the yard; `movement`.
    Reports may come late and in any order; the same movement reported twice counts once.
    """
    if movement.kind == "enter":
        return _enter(stay, balance, movement)
    if movement.kind == "leave":
        return _leave(stay, balance, movement)
    raise ValueError(f"a movement is enter or leave, not {movement.kind!r}")


def _enter(stay: Stay | None, balance: YardBalance, movement: Movement) -> tuple[Stay, YardBalance]:
    time = movement.time
    fresh = Stay(movement.truck, time, movement.source)
    if stay is None or (stay.left_at is not None and time > stay.left_at):
        return fresh, balance.moved(+1, time)
    if stay.left_at is not None:
        if stay.entered_at is not None:
            return stay, balance  # a late report of a stay that is over
        if stay.flag is Flag.IDENTIFIED_LEAVING and not balance.was_counted_after(time):
            # It came after the count, so it was not one of the unidentified after all.
            balance = replace(balance, unidentified_veh=balance.unidentified_veh + 1)
        if stay.flag is Flag.LEFT_NEVER_ENTERED and not balance.was_counted_after(stay.left_at):
            balance = balance.moved(+1, time)  # it was among those counted, and its leave is entered only now
        return replace(stay, entered_at=time, entered_source=movement.source, flag=None), balance
    assert stay.entered_at is not None
    is_same_visit = ACT in {movement.source, stay.entered_source}
    if is_same_visit or abs(time - stay.entered_at) <= SAME_MOVE:
        if time < stay.entered_at and not balance.was_counted_after(stay.entered_at):
            balance = balance.moved(+1, time)
        return replace(stay, entered_at=min(time, stay.entered_at)), balance
    return replace(stay, entered_at=max(time, stay.entered_at), flag=Flag.ENTERED_TWICE), balance


def _leave(stay: Stay | None, balance: YardBalance, movement: Movement) -> tuple[Stay, YardBalance]:
    time = movement.time
    if stay is not None and stay.left_at is None:
        assert stay.entered_at is not None
        if time < stay.entered_at:
            return stay, balance  # a late report of an earlier stay
        return replace(stay, left_at=time, left_source=movement.source), balance.moved(-1, time)
    if stay is not None and stay.left_at is not None:
        inferred = stay.flag is Flag.LEFT_UNSEEN and (stay.entered_at is None or time >= stay.entered_at)
        if inferred and time <= stay.left_at:
            # Seen now what was only concluded; between the two moments it was not inside.
            balance = balance.moved(-1, time) if not balance.was_counted_after(stay.left_at) else balance
            return replace(stay, left_at=time, left_source=movement.source, flag=None), balance
        if time <= stay.left_at + SAME_MOVE:
            return stay, balance
    flag: Flag | None = Flag.LEFT_NEVER_ENTERED
    if balance.was_counted_after(time):
        flag = None  # the count that followed has settled it
    elif balance.unidentified_veh > 0:
        flag = Flag.IDENTIFIED_LEAVING
        balance = replace(balance, unidentified_veh=balance.unidentified_veh - 1)
    return Stay(movement.truck, None, None, time, movement.source, flag), balance


def leave_unseen(stay: Stay, balance: YardBalance, time: datetime) -> tuple[Stay, YardBalance]:
    """Close a stay because the truck was seen elsewhere at `time`: it left without being seen."""
    if stay.left_at is not None or (stay.entered_at is not None and stay.entered_at >= time):
        return stay, balance
    return replace(stay, left_at=time, left_source=None, flag=Flag.LEFT_UNSEEN), balance.moved(-1, time)


def apply_count(balance: YardBalance, *, raw_then_veh: int, counted_veh: int, counted_at: datetime) -> YardBalance:
    """The balance after a person counted `counted_veh` vehicles inside.

    Arguments: `raw_then_veh`, what the ledger makes of that moment (see `identified + unidentified`).
    """
    return YardBalance(
        unidentified_veh=balance.unidentified_veh + counted_veh - raw_then_veh,
        counted_at=counted_at,
        counted_veh=counted_veh,
        expected_veh=raw_then_veh,
    )


def summarise(
    *,
    yard_id: str,
    gate_id: str,
    kind: str,
    capacity_veh: int,
    identified_veh: int,
    balance: YardBalance,
    flagged: Mapping[Flag, Sequence[str]],
    reserved_veh: int,
    as_of: datetime,
    version: int = 1,
    is_closed: bool = False,
) -> YardState:
    """The state of a yard and everything in its ledger that contradicts.

    Arguments: `identified_veh`, stays without an end; `flagged`, for each flag the names (plates, or
    ledger names) of the trucks whose stays carry it; `is_closed`, whether a closure
    holds: trucks that stood there before stay, and contradict nothing.
    """
    raw_veh = identified_veh + balance.unidentified_veh
    contradictions = [
        Contradiction(flag.value, {"trucks_veh": len(flagged[flag]), "plates": list(flagged[flag])[:5]})
        for flag in CONTRADICTORY
        if flagged.get(flag)
    ]
    if balance.counted_veh is not None and balance.expected_veh is not None and balance.counted_at is not None:
        difference = balance.counted_veh - balance.expected_veh
        if difference:
            contradictions.append(
                Contradiction(
                    "count_differs",
                    {
                        "counted_veh": balance.counted_veh,
                        "expected_veh": balance.expected_veh,
                        "difference_veh": difference,
                        "counted_at": balance.counted_at.isoformat(),
                    },
                )
            )
    if raw_veh < 0:
        contradictions.append(Contradiction("below_zero", {"inside_veh": raw_veh}))
    inside_veh = max(raw_veh, 0)
    if inside_veh > capacity_veh and not is_closed:
        contradictions.append(
            Contradiction(
                "over_capacity",
                {"inside_veh": inside_veh, "capacity_veh": capacity_veh, "over_veh": inside_veh - capacity_veh},
            )
        )
    return YardState(
        yard_id=yard_id,
        gate_id=gate_id,
        kind=kind,
        capacity_veh=capacity_veh,
        inside_veh=inside_veh,
        reserved_veh=reserved_veh,
        free_veh=max(capacity_veh - inside_veh, 0),
        identified_veh=identified_veh,
        unidentified_veh=balance.unidentified_veh,
        as_of=as_of,
        version=version,
        contradictions=tuple(contradictions),
    )
