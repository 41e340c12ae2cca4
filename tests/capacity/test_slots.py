"""The rules of bookings: states, shares, limits, consequences, turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity import slots
from capacity.keeping import keep_places, kept_veh
from capacity.kinds import kind_needed, may_use, places_of_kind
from capacity.plan import make_plan
from capacity.slots import COUNTING_AGAINST, OPEN, SPECS, HourLoad, SlotAct, SlotRules, SlotState, YardHour
from capacity.vocabulary import ZoneKind
from geo.errors import ConflictError, InvalidInputError
from tests.capacity.test_plan import random_problem
from tests.profiles import examples

NOW = datetime(2026, 3, 2, 3, 20, tzinfo=UTC)
HOUR = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RULES = SlotRules()
SHARES = st.floats(0.0, 1.0)
LOADS = st.builds(HourLoad, st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))


@dataclass(frozen=True)
class Ticket:
    booking_id: int
    starts_at: datetime = HOUR
    is_priority: bool = False
    need: ZoneKind = ZoneKind.STANDARD


TICKETS = st.lists(
    st.builds(
        Ticket,
        st.integers(1, 10_000),
        st.sampled_from([HOUR + n * slots.HOUR for n in range(4)]),
        st.booleans(),
        st.sampled_from(ZoneKind),
    ),
    max_size=40,
    unique_by=lambda ticket: ticket.booking_id,
)


def test_every_state_is_in_the_table_and_reached_from_the_beginning() -> None:
    assert set(SPECS) == set(SlotState)
    reached = {SlotState.HELD, SlotState.STANDBY}
    for _ in SlotState:
        reached |= {after for state in reached for after in SPECS[state].next.values()}
    assert reached == set(SlotState)


def test_only_open_bookings_go_on_and_appeals_alone_bring_back() -> None:
    for state, spec in SPECS.items():
        if spec.is_open:
            assert spec.next
        else:
            assert set(spec.next) <= {SlotAct.EXCUSE}
            assert not any(SPECS[after].is_open for after in spec.next.values())
        assert spec.counts_against is (SlotAct.EXCUSE in spec.next), state


@given(st.lists(st.sampled_from(SlotAct), max_size=12), st.sampled_from([SlotState.HELD, SlotState.STANDBY]))
def test_what_is_over_stays_over_in_any_order_of_acts(acts: list[SlotAct], state: SlotState) -> None:
    is_over = False
    for act in acts:
        if act not in SPECS[state].next:
            with pytest.raises(ConflictError):
                slots.after(state, act)
            continue
        state = slots.after(state, act)
        assert not (is_over and SPECS[state].is_open)
        is_over = is_over or state not in OPEN


@given(LOADS, SHARES, SHARES)
def test_no_place_is_sold_that_is_not_there(load: HourLoad, unreserved: float, kept: float) -> None:
    rules = replace(RULES, unreserved_share=unreserved, priority_share=kept)
    ordinary, priority = (load.free(rules, is_priority=flag) for flag in (False, True))
    assert 0 <= ordinary <= priority
    if priority:
        assert load.taken + priority <= load.bookable(rules) <= load.places
    assert load.bookable(rules) <= load.places * (1.0 - unreserved) + 1e-6, "the reserve for who comes without booking"
    if ordinary:
        assert load.ordinary + ordinary <= load.bookable(rules) - int(load.bookable(rules) * kept)
    assert priority <= load.free_for_moved


@given(TICKETS, st.integers(-3, 30), st.floats(0.0, 100.0))
def test_who_is_called_up_has_room_and_a_free_way(waiting: list[Ticket], room: int, queue_veh: float) -> None:
    now = HOUR + timedelta(minutes=40)
    called = slots.to_call_up(waiting, queue_veh=queue_veh, room=YardHour(HourLoad(max(room, 0))), now=now, rules=RULES)
    assert len(called) <= max(room, 0)
    assert not called or queue_veh <= RULES.call_up_queue_veh
    assert all(ticket.starts_at - RULES.call_up_lead <= now for ticket in called)
    left = [ticket for ticket in waiting if ticket not in called]
    if called and left:
        last = max((each.starts_at, not each.is_priority, each.booking_id) for each in called)
        near = [each for each in left if each.starts_at - RULES.call_up_lead <= now]
        assert all((each.starts_at, not each.is_priority, each.booking_id) > last for each in near)


def hour_with(seated: list[Ticket], places: int, kinds: dict[ZoneKind, int] | None = None) -> YardHour:
    hour = YardHour(HourLoad(places), kinds)
    for each in seated:
        hour = hour.with_truck(each.need, is_priority=each.is_priority)
    return hour


@given(TICKETS, st.integers(-5, 45))
def test_who_has_to_move_is_the_last_in_turn(seated: list[Ticket], places: int) -> None:
    moved = slots.to_move(seated, hour_with(seated, places))
    assert len(moved) == max(len(seated) - max(places, 0), 0)
    assert slots.in_turn(seated)[: len(seated) - len(moved)] + moved == slots.in_turn(seated)


@given(TICKETS, st.dictionaries(st.sampled_from(ZoneKind), st.integers(0, 6)))
def test_who_stays_has_a_place_of_a_kind_and_nobody_goes_for_whom_there_is_one(
    seated: list[Ticket], kinds: dict[ZoneKind, int]
) -> None:
    places = sum(kinds.values())
    moved = slots.to_move(seated, hour_with(seated, places, kinds))
    stays = [each for each in seated if each not in moved]
    assert seats_of(stays, kinds) == len(stays)
    for each in moved:
        assert seats_of([*stays, each], kinds) == len(stays)


def seats_of(trucks: list[Ticket], kinds: dict[ZoneKind, int]) -> int:
    """How many find a place of a kind that they may use: a maximum matching, found by networkx."""
    graph = nx.Graph()
    places = [(kind, n) for kind, count in kinds.items() for n in range(count)]
    graph.add_nodes_from(each.booking_id for each in trucks)
    graph.add_edges_from(
        (each.booking_id, place) for each in trucks for place in places if place[0] in may_use(each.need, kinds)
    )
    top = [each.booking_id for each in trucks]
    return len(nx.bipartite.maximum_matching(graph, top)) // 2


@given(st.lists(st.integers(0, 100 * 24), max_size=12))
def test_a_block_follows_so_many_strikes_within_the_time_and_no_fewer(hours: list[int]) -> None:
    times = [NOW + timedelta(hours=hour) for hour in hours]
    until = slots.blocked_until(times, RULES)
    pairs = [b for a in times for b in times if a is not b and timedelta() <= b - a <= RULES.strikes_within]
    assert until == max((pair + RULES.block for pair in pairs), default=None)
    assert slots.blocked_until(times[:1], RULES) is None


def test_two_strikes_in_thirty_days_block_for_fourteen() -> None:
    first, near, far = NOW, NOW + timedelta(days=30), NOW + timedelta(days=31)
    assert slots.blocked_until([near, first], RULES) == near + timedelta(days=14)
    assert slots.blocked_until([first, far], RULES) is None


def test_who_was_not_called_up_long_ago_has_missed_nothing() -> None:
    until = HOUR + slots.HOUR
    assert not slots.is_missed(until, HOUR, until + timedelta(minutes=59), RULES)
    assert slots.is_missed(until, HOUR, until + timedelta(minutes=60), RULES)
    late_call = until + timedelta(hours=3)
    assert not slots.is_missed(until, late_call, late_call + timedelta(minutes=119), RULES)


@pytest.mark.parametrize(
    "starts_at",
    [NOW - timedelta(minutes=20), NOW, HOUR + timedelta(minutes=30), HOUR + timedelta(days=4)],
)
def test_hours_that_cannot_be_booked_are_refused_by_name(starts_at: datetime) -> None:
    with pytest.raises(InvalidInputError) as refused:
        slots.check_hour(starts_at, NOW, RULES)
    assert refused.value.field == "starts_at"


def test_limits_name_what_they_limit() -> None:
    slots.check_limits(2, 19, RULES)
    for counts, field in (((3, 3), "starts_at"), ((0, 20), "trip_id")):
        with pytest.raises(ConflictError) as refused:
            slots.check_limits(*counts, RULES)
        assert refused.value.field == field


@given(st.floats(0.0, 500.0), st.integers(0, 2000), st.floats(0.0, 48.0), SHARES)
def test_an_hour_has_no_more_places_than_the_yard_turns_over(
    rate: float, places: int, stay_h: float, share: float
) -> None:
    found = slots.places_of_hour(rate, places, stay_h, share)
    assert 0 <= found <= min(rate, places) + 1e-6
    assert found * max(stay_h, 1.0) <= places + 1e-6


def test_a_late_cancellation_begins_at_its_hour_less_the_notice() -> None:
    assert not slots.is_late(HOUR, HOUR - RULES.late, RULES)
    assert slots.is_late(HOUR, HOUR - RULES.late + timedelta(seconds=1), RULES)
    assert {SlotState.NO_SHOW, SlotState.CANCELLED_LATE} == set(COUNTING_AGAINST)


@examples(30)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8), st.integers(0, 2**31))
def test_a_plan_leaves_promised_places_alone(promised: list[tuple[int, int]], seed: int) -> None:
    problem = random_problem(seed, 12, 3, 8)
    yard = np.array([j % 3 for j, _ in promised], np.int64)
    step = np.array([t for _, t in promised], np.int64)
    plan = make_plan(keep_places(problem, yard, step), time_limit_s=60.0, search_s=0.0)
    kept = kept_veh(problem, yard, step)
    most = np.maximum(problem.capacity_veh, problem.remaining_veh + kept)
    assert (plan.occupancy_veh + kept <= most + 1e-6).all()


def test_places_of_a_kind_are_for_those_who_need_it() -> None:
    yard = {ZoneKind.STANDARD: 5, ZoneKind.REEFER: 2, ZoneKind.LIVESTOCK: 1, ZoneKind.DANGEROUS: 1}
    for need in ZoneKind:
        own = may_use(need, yard)
        assert own.isdisjoint({ZoneKind.REEFER, ZoneKind.LIVESTOCK, ZoneKind.DANGEROUS} - {need}), need
    assert may_use(ZoneKind.FORTY_FOOT, yard) >= {ZoneKind.STANDARD}, "the yard sets no longer places apart"
    assert may_use(ZoneKind.FORTY_FOOT, {**yard, ZoneKind.FORTY_FOOT: 0}) == {ZoneKind.FORTY_FOOT}
    known = {"live_animals": False, "chilled": True, "transshipment": True, "forty_foot": True}
    assert kind_needed(**known) is ZoneKind.REEFER, "fruit needs its plug, whatever else"


@given(st.integers(1, 200), st.floats(0.1, 40.0), st.integers(0, 10_000))
def test_few_places_of_a_kind_are_given_out_as_often_as_they_turn_over(places: int, stay_h: float, first: int) -> None:
    hours = 200
    given_out = sum(places_of_kind(places, stay_h, 1.0, first + n) for n in range(hours))
    assert abs(given_out - hours * places / max(stay_h, 1.0)) <= 1.0
