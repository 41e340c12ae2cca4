"""The place of every waiting truck in the queue of its gate, and why it moved. Pure.

One line a gate, made each minute from the one state of the corridor (`app.forecasting.waiting`), which the queue that
all pages show is measured from too; so the places of a line add up to that queue.

- *Order* is that of the road: who stands nearer to the entrance comes first. Positions are some metres off, so a truck
  has overtaken another only when it stands `OVERTAKEN_M` nearer. A truck whose GPS is silent, but which others saw join
  the line, is put in by when it came: behind those that waited before it. Those held on the way come last, by when
  they may go.
- *Trucks ahead* count those that nobody sees, by the share of trucks that send positions.
- *Why it moved* compares two minutes and says only what is recorded: who was seen going in, who left, whom the
  priority of its goods let pass, which lanes were closed. The sum of the changes is the change of the number (held by
  `tests/app/test_queue_places.py`); what nothing recorded explains is called counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Final, TypeAlias, TypedDict

import numpy as np

from app.forecasting.waiting import Waiting, WaitingTruck
from app.gates.profile import DeclaredLanes
from app.trip_eta.vocabulary import MoveKind
from routing.arrays import BoolArray, IntArray

OVERTAKEN_M: Final = 30.0
"""Two lanes side by side and the error of a phone's GPS between buildings."""
KEPT: Final = timedelta(hours=1)
"""How long it is told why a place moved."""
TOGETHER: Final = timedelta(minutes=15)
"""Moves of a kind within this are told as one."""
BEFORE_JOINING: Final = timedelta(minutes=10)
"""A truck that joined a line was judged to have gone in no longer than this before: GPS places it late."""

Change: TypeAlias = tuple[MoveKind, IntArray, IntArray]
"""[truck of the line] how many trucks of a kind moved its place, and by how much they changed its number."""


class MoveRecord(TypedDict):
    """Moves of a kind: `count` trucks or events, by which the number changed by `change`, the last of them `at`."""

    kind: str
    count: int
    change: int
    began_at: str
    at: str


@dataclass(frozen=True)
class QueuePlace:
    """A truck's place in the queue of its gate at `made_at`: a row of `app.queue_place`.

    `number` is 1 for the first; `ahead` trucks stand before it. `enter_at` are the quantiles 0.1, 0.5, 0.9 of the
    moment when it is through the entrance, `None` beyond the forecast's horizon. `is_first`: it has priority.
    """

    vehicle_id: int
    trip_id: int | None
    gate_id: str
    made_at: datetime
    number: int
    joined_at: datetime
    by_gps: bool
    held_until: datetime | None
    perishable: bool
    is_first: bool
    enter_at: list[datetime | None] | None
    moves: list[MoveRecord]

    @property
    def ahead(self) -> int:
        """Trucks before it."""
        return self.number - 1


@dataclass(frozen=True)
class Facts:
    """What is recorded beside the line: trips whose priority goes first, when each trip is through the entrance
    (quantiles), and how lanes changed since the places before."""

    first: Collection[int] = ()
    enter_at: Mapping[int, list[datetime | None]] = field(default_factory=dict)
    lanes: Sequence[DeclaredLanes] = ()


def follow(previous: Sequence[QueuePlace], waiting: Waiting, facts: Facts, now: datetime) -> list[QueuePlace]:
    """The places at `now`, each with what moved it since `previous`."""
    before = {place.vehicle_id: place for place in previous}
    gates = sorted({truck.gate_id for truck in waiting.trucks})
    return [
        place
        for gate_id in gates
        for place in _follow_gate(
            gate_id,
            before,
            line_up([truck for truck in waiting.trucks if truck.gate_id == gate_id], before),
            waiting,
            facts,
            now,
        )
    ]


def line_up(trucks: Sequence[WaitingTruck], before: Mapping[int, QueuePlace]) -> list[WaitingTruck]:
    """The trucks that wait for a gate, the first first; `before` are their places a minute ago, by vehicle."""
    placed = _by_the_road([truck for truck in trucks if truck.held_until is None and truck.way_m is not None], before)
    joined = [_since(truck) for truck in placed]
    by_word = [truck for truck in trucks if truck.held_until is None and truck.way_m is None]
    for truck in sorted(by_word, key=lambda each: (_since(each), each.vehicle_id), reverse=True):
        earlier = sum(since <= _since(truck) for since in joined)
        placed.insert(earlier, truck)  # from the last on: each goes before those that came after it
    held = [truck for truck in trucks if truck.held_until is not None]
    return [*placed, *sorted(held, key=lambda each: (each.held_until, each.way_m or 0.0, each.vehicle_id))]


def _by_the_road(trucks: Sequence[WaitingTruck], before: Mapping[int, QueuePlace]) -> list[WaitingTruck]:
    """Nearest first; who stood behind stays behind unless it stands `OVERTAKEN_M` nearer."""

    def number(truck: WaitingTruck) -> float:
        place = before.get(truck.vehicle_id)
        is_same_line = place is not None and place.gate_id == truck.gate_id and place.held_until is None
        return place.number if place is not None and is_same_line else float("inf")

    keys: dict[int, float] = {}
    farthest_m = -np.inf
    for truck in sorted(trucks, key=lambda each: (number(each), _way(each), each.vehicle_id)):
        way_m = _way(truck)
        is_kept = number(truck) < np.inf
        if is_kept and 0.0 < farthest_m - way_m <= OVERTAKEN_M:
            way_m = farthest_m
        elif is_kept and way_m > farthest_m:
            farthest_m = way_m
        keys[truck.vehicle_id] = way_m
    return sorted(trucks, key=lambda each: (keys[each.vehicle_id], number(each), _way(each), each.vehicle_id))


def _way(truck: WaitingTruck) -> float:
    assert truck.way_m is not None
    return truck.way_m


def _since(truck: WaitingTruck) -> float:
    return float("-inf") if truck.since is None else truck.since.timestamp()


def _follow_gate(
    gate_id: str,
    before: Mapping[int, QueuePlace],
    line: Sequence[WaitingTruck],
    waiting: Waiting,
    facts: Facts,
    now: datetime,
) -> list[QueuePlace]:
    previous = sorted((place for place in before.values() if place.gate_id == gate_id), key=_order)
    numbers = _numbers(line)
    changes = _changes(previous, line, waiting, facts)
    lanes = [_lanes_kind(change) for change in facts.lanes if change.gate_id == gate_id]
    places = []
    for i, truck in enumerate(line):
        old = before.get(truck.vehicle_id)
        moves: list[MoveRecord] = []
        if old is not None and old.gate_id == gate_id:
            told = [(kind, int(count[i]), int(change[i])) for kind, count, change in changes if count[i]]
            left_over = numbers[i] - old.number - sum(change for _, _, change in told)
            told += [(MoveKind.RECOUNTED, 1, left_over)] if left_over else []
            moves = tell(old.moves, [*told, *((kind, 1, 0) for kind in lanes)], now)
        places.append(
            QueuePlace(
                vehicle_id=truck.vehicle_id,
                trip_id=truck.trip_id,
                gate_id=gate_id,
                made_at=now,
                number=numbers[i],
                joined_at=old.joined_at if old is not None and old.gate_id == gate_id else now,
                by_gps=truck.way_m is not None,
                held_until=truck.held_until,
                perishable=truck.perishable,
                is_first=truck.trip_id in facts.first,
                enter_at=None if truck.trip_id is None else facts.enter_at.get(truck.trip_id),
                moves=moves,
            )
        )
    return places


def _order(place: QueuePlace) -> tuple[int, int]:
    return (place.number, place.vehicle_id)


def _numbers(line: Sequence[WaitingTruck]) -> list[int]:
    """The number of each truck of a line: the trucks before it and itself. Each stands for one at least, so that
    numbers rise."""
    ahead = np.concatenate(([0.0], np.cumsum([truck.worth_veh for truck in line])))
    return [1 + floor(veh + 0.5) for veh in ahead[:-1]]


def _changes(
    previous: Sequence[QueuePlace], line: Sequence[WaitingTruck], waiting: Waiting, facts: Facts
) -> list[Change]:
    """How many trucks moved the place of each truck of the line that stood in it before, and by how much."""
    rank = {place.vehicle_id: i for i, place in enumerate(previous)}
    was = np.array([rank.get(truck.vehicle_id, -1) for truck in line], np.int64)
    stays = {truck.vehicle_id for truck in line}
    seen = waiting.seen | {truck.vehicle_id for truck in waiting.trucks}
    gone = [None if place.vehicle_id in stays else _gone_kind(place, waiting.went_in, seen) for place in previous]
    none = np.zeros(len(line), np.int64)
    found: list[Change] = []
    for kind in (MoveKind.WENT_IN, MoveKind.LEFT, MoveKind.UNSEEN):
        count, _ = _beside(np.array([each == kind for each in gone], bool), was)
        found.append((kind, count, -count))
    came, fell_back = _overtaken(was)
    found.append((MoveKind.FELL_BACK, fell_back, -fell_back))
    for kind, flags in (
        (MoveKind.LET_PERISHABLE, [truck.perishable for truck in line]),
        (MoveKind.LET_PRIORITY, [_is_first(truck, facts) for truck in line]),
        (MoveKind.CAME_AHEAD, [not truck.perishable and not _is_first(truck, facts) for truck in line]),
    ):
        count = came(np.array(flags, bool))
        found.append((kind, count, count))
    for kind, passes in (
        (MoveKind.LET_PERISHABLE, [place.perishable for place in previous]),
        (MoveKind.LET_PRIORITY, [place.is_first and not place.perishable for place in previous]),
        (MoveKind.TAKEN_BEFORE, [not place.is_first and not place.perishable for place in previous]),
    ):
        went_in = [
            flag and each == MoveKind.WENT_IN and place.held_until is None
            for flag, each, place in zip(passes, gone, previous, strict=True)
        ]
        _, behind = _beside(np.array(went_in, bool), was)
        found.append((kind, behind, none))
    return found


def _is_first(truck: WaitingTruck, facts: Facts) -> bool:
    return truck.trip_id in facts.first and not truck.perishable


def _gone_kind(place: QueuePlace, went_in: Mapping[int, datetime], seen: Collection[int]) -> MoveKind:
    """What is recorded of a truck that waits there no more."""
    went_in_at = went_in.get(place.vehicle_id)
    if went_in_at is not None and went_in_at >= place.joined_at - BEFORE_JOINING:
        return MoveKind.WENT_IN
    return MoveKind.LEFT if place.vehicle_id in seen else MoveKind.UNSEEN


def _beside(flags: BoolArray, was: IntArray) -> tuple[IntArray, IntArray]:
    """Of the flagged among those of before: how many stood ahead of each truck of the line, and how many behind.

    `was`: its rank before, -1 if it was not there, which has none.
    """
    ahead = np.concatenate(([0], np.cumsum(flags)))
    at = np.maximum(was, 0)
    is_known = was >= 0
    own = flags[at] if flags.size else np.zeros(was.size, np.int64)
    return np.where(is_known, ahead[at], 0), np.where(is_known, ahead[-1] - ahead[at] - own, 0)


def _overtaken(was: IntArray) -> tuple[Callable[[BoolArray], IntArray], IntArray]:
    """How many trucks with a flag are ahead of each now that were not before; how many that were fell behind.

    `was` [truck of the line]: its rank before, -1 if it was not there.
    """
    is_known = was >= 0
    stayed = np.flatnonzero(is_known)
    order = was[stayed]
    fell_back = np.zeros(was.size, np.int64)
    overtook = np.zeros((0, 0), bool)
    if stayed.size and (np.diff(order) < 0).any():
        overtook = np.tril(order[None, :] > order[:, None])
        fell_back[stayed] = np.triu(order[None, :] < order[:, None]).sum(axis=1)

    def came(flags: BoolArray) -> IntArray:
        new = np.concatenate(([0], np.cumsum(flags & ~is_known)))[:-1]
        count = np.where(is_known, new, 0)
        if overtook.size:
            count[stayed] += overtook[:, flags[stayed]].sum(axis=1)
        return count

    return came, fell_back


def _lanes_kind(change: DeclaredLanes) -> MoveKind:
    return MoveKind.LANES_CLOSED if change.factor < 1.0 else MoveKind.LANES_OPENED


def tell(before: Sequence[MoveRecord], moved: Sequence[tuple[MoveKind, int, int]], now: datetime) -> list[MoveRecord]:
    """What moved a place within `KEPT`, the newest last: kind, count and change of what moved it now is added.

    Moves of a kind that follow each other within `TOGETHER` of the first are one.
    """
    kept = [move for move in before if now - datetime.fromisoformat(move["at"]) <= KEPT]
    for kind, count, change in moved:
        same = next((move for move in kept if move["kind"] == kind and _is_together(move, now)), None)
        if same is not None:
            kept.remove(same)
        kept.append(
            {
                "kind": kind,
                "count": count + (same["count"] if same else 0),
                "change": change + (same["change"] if same else 0),
                "began_at": same["began_at"] if same else now.isoformat(),
                "at": now.isoformat(),
            }
        )
    return kept


def _is_together(move: MoveRecord, now: datetime) -> bool:
    return now - datetime.fromisoformat(move["began_at"]) <= TOGETHER
