"""The ledger: inside is what came minus what left, counts settle, and nothing is clipped in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.ledger import (
    Flag,
    LedgerTruck,
    Movement,
    Stay,
    YardBalance,
    apply_count,
    apply_movement,
    counted_no_later_than,
    leave_unseen,
    no_later_than,
    summarise,
)

START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def move(truck: int, kind: str, minutes: float, source: str = "gps") -> Movement:
    return Movement(LedgerTruck(truck), kind, at(minutes), source)


class Yard:
    """The smallest thing that keeps a ledger in memory."""

    def __init__(self, capacity_veh: int = 100) -> None:
        self.capacity_veh = capacity_veh
        self.stays: dict[str, Stay] = {}
        self.balance = YardBalance()

    def apply(self, movement: Movement) -> None:
        key = movement.truck.key
        self.stays[key], self.balance = apply_movement(self.stays.get(key), self.balance, movement)

    def count(self, counted_veh: int, minutes: float) -> None:
        then = at(minutes)
        since = sum(s.entered_at is not None and s.entered_at > then for s in self.stays.values())
        since -= sum(
            s.left_at is not None and s.left_at > then and s.flag is not Flag.LEFT_NEVER_ENTERED
            for s in self.stays.values()
        )
        self.balance = apply_count(
            self.balance, raw_then_veh=self.raw_veh - since, counted_veh=counted_veh, counted_at=then
        )

    @property
    def raw_veh(self) -> int:
        return sum(stay.is_open for stay in self.stays.values()) + self.balance.unidentified_veh

    def state(self, *, is_closed=False):
        flagged = {flag: [k for k, s in self.stays.items() if s.flag is flag] for flag in Flag}
        return summarise(
            yard_id="xuan-cuong",
            gate_id="huu-nghi",
            kind="yard",
            capacity_veh=self.capacity_veh,
            identified_veh=sum(stay.is_open for stay in self.stays.values()),
            balance=self.balance,
            flagged=flagged,
            reserved_veh=0,
            as_of=at(10_000),
            is_closed=is_closed,
        )

    def codes(self) -> dict[str, dict]:
        return {c.code: dict(c.values) for c in self.state().contradictions}


def test_entering_and_leaving() -> None:
    yard = Yard()
    for movement in (move(1, "enter", 0), move(2, "enter", 5), move(1, "leave", 90)):
        yard.apply(movement)
    state = yard.state()
    assert (state.inside_veh, state.free_veh, state.contradictions) == (1, 99, ())


def test_the_same_entry_seen_by_two_sources_counts_once() -> None:
    yard = Yard()
    yard.apply(move(1, "enter", 2, "manual"))
    yard.apply(move(1, "enter", 0, "gps"))
    yard.apply(move(1, "leave", 60, "gps"))
    yard.apply(move(1, "leave", 63, "manual"))
    assert yard.state().inside_veh == 0
    assert yard.codes() == {}


def test_a_leave_never_entered_is_told_and_counts_nobody() -> None:
    yard = Yard()
    yard.apply(move(7, "leave", 10))
    assert yard.state().inside_veh == 0
    assert yard.codes() == {"left_never_entered": {"trucks_veh": 1, "plates": ["v7"]}}


def test_a_late_entry_explains_the_leave() -> None:
    yard = Yard()
    yard.apply(move(7, "leave", 50))
    yard.apply(move(7, "enter", 10))
    assert yard.state().inside_veh == 0
    assert yard.codes() == {}


def test_entering_twice_without_leaving_is_told() -> None:
    yard = Yard()
    yard.apply(move(1, "enter", 0))
    yard.apply(move(1, "enter", 300))
    assert yard.state().inside_veh == 1
    assert "entered_twice" in yard.codes()


def test_more_inside_than_places_is_told_and_free_is_not_negative() -> None:
    yard = Yard(capacity_veh=2)
    for truck in range(5):
        yard.apply(move(truck, "enter", truck))
    assert (yard.state().inside_veh, yard.state().free_veh) == (5, 0)
    assert yard.codes() == {"over_capacity": {"inside_veh": 5, "capacity_veh": 2, "over_veh": 3}}
    assert yard.state(is_closed=True).contradictions == (), "who stood there before it closed"


def test_a_count_that_differs_is_told_and_followed() -> None:
    yard = Yard()
    yard.apply(move(1, "enter", 0))
    yard.count(12, 10)
    assert yard.state().inside_veh == 12
    assert yard.codes()["count_differs"]["difference_veh"] == 11
    yard.apply(move(9, "leave", 20))  # one of the eleven nobody had seen come
    assert yard.state().inside_veh == 11
    assert "left_never_entered" not in yard.codes()


def test_fewer_than_none_is_told() -> None:
    yard = Yard()
    for truck in range(3):
        yard.apply(move(truck, "enter", truck))
    yard.count(1, 10)
    for truck in range(3):
        yard.apply(move(truck, "leave", 60 + truck))
    assert yard.state().inside_veh == 0
    assert yard.codes()["below_zero"] == {"inside_veh": -2}


def test_a_truck_seen_elsewhere_left_unseen() -> None:
    yard = Yard()
    yard.apply(move(1, "enter", 0))
    yard.stays["v1"], yard.balance = leave_unseen(yard.stays["v1"], yard.balance, at(100))
    assert yard.state().inside_veh == 0
    assert "left_unseen" in yard.codes()
    yard.apply(move(1, "leave", 80))
    assert yard.codes() == {}
    assert yard.state().inside_veh == 0


def test_a_report_needs_a_truck_and_a_kind() -> None:
    with pytest.raises(ValueError, match="enter or leave"):
        apply_movement(None, YardBalance(), move(1, "arrive", 0))
    with pytest.raises(ValueError, match="plate"):
        _ = LedgerTruck().key


@st.composite
def histories(draw: st.DrawFn) -> list[list[Movement]]:
    """For each truck one stay, the leave possibly still to come."""
    trucks = []
    for truck in range(draw(st.integers(1, 8))):
        entered = draw(st.integers(0, 500))
        moves = [move(truck, "enter", entered)]
        if draw(st.booleans()):
            moves.append(move(truck, "leave", entered + draw(st.integers(1, 400))))
        trucks.append(moves)
    return trucks


def interleave(histories: list[list[Movement]], order: list[int]) -> list[Movement]:
    """Deliver in any order that keeps each truck's own order."""
    waiting, delivered = [list(h) for h in histories], []
    for choice in order:
        filled = [h for h in waiting if h]
        if not filled:
            break
        delivered.append(filled[choice % len(filled)].pop(0))
    return delivered + [m for h in waiting for m in h]


@given(histories(), st.lists(st.integers(0, 100), max_size=16), st.data())
def test_inside_is_entered_minus_left_whatever_the_order(trucks, order, data) -> None:
    yard = Yard()
    for movement in interleave(trucks, order):
        for _ in range(data.draw(st.integers(1, 2))):
            yard.apply(movement)
    assert yard.raw_veh == sum(len(moves) == 1 for moves in trucks)
    assert yard.codes() == {}


@given(histories(), st.lists(st.integers(0, 100), max_size=16), st.integers(0, 900), st.integers(0, 40), st.data())
def test_after_a_count_inside_is_counted_plus_what_moved_since(trucks, order, minute, counted_veh, data) -> None:
    yard = Yard()
    delivered = interleave(trucks, order)
    position = data.draw(st.integers(0, len(delivered)))
    for movement in delivered[:position]:
        yard.apply(movement)
    yard.count(counted_veh, minute)
    for movement in delivered[position:]:
        yard.apply(movement)
    since = sum((1 if m.kind == "enter" else -1) for moves in trucks for m in moves if m.time > at(minute))
    assert yard.raw_veh == counted_veh + since
    state = yard.state()
    assert state.inside_veh == max(yard.raw_veh, 0)
    assert ("below_zero" in yard.codes()) == (yard.raw_veh < 0)
    assert state.free_veh == max(100 - state.inside_veh, 0)


def test_what_a_wrong_clock_wrote_hides_nothing_that_is_reported_since() -> None:
    ahead, now = 26 * 60.0, 10.0
    inside = Stay(LedgerTruck(1), at(ahead), "manual")
    gone = Stay(LedgerTruck(2), at(ahead - 5), "manual", at(ahead), "manual")
    counted = YardBalance(3, at(ahead), 5, 5)
    assert apply_movement(inside, YardBalance(), move(1, "leave", now))[0] is inside, "as by its times alone"
    left, balance = apply_movement(no_later_than(at(now), inside), YardBalance(), move(1, "leave", now, "manual"))
    assert (left.left_at, balance.unidentified_veh) == (at(now), 0)
    back, balance = apply_movement(no_later_than(at(now), gone), YardBalance(), move(2, "enter", now, "manual"))
    assert (back.is_open, back.entered_at, balance.unidentified_veh) == (True, at(now), 0)
    _, balance = apply_movement(None, counted_no_later_than(at(now), counted), move(3, "enter", now))
    assert balance.unidentified_veh == 3, "it came after the count"
    late, _ = apply_movement(no_later_than(at(now), inside), YardBalance(), move(1, "leave", now - 5))
    assert late.is_open, "a report of before that is late, as ever"
    for sound in (Stay(LedgerTruck(1), at(now), "gps"), Stay(LedgerTruck(1), None, None, at(0), "gps")):
        assert no_later_than(at(now), sound) is sound
    assert counted_no_later_than(at(now), YardBalance(1, at(now))) == YardBalance(1, at(now))
