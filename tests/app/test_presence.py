"""Where a truck is: what no set of witnesses can bring about, whatever it is and however it became known."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise
from math import acos, cos, radians, sin
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.trips import gps_silence, presence, presence_rules, presence_story, presence_witnesses, vocabulary
from app.trips.presence import Presence, SheetState, history, judge, place_at, stage_of
from app.trips.presence_rules import EARTH_RADIUS_M, Spot, Trust, Witness, WitnessKind
from app.trips.vocabulary import Direction, PlaceKind, Stage, StepPlace
from tests.app.presence_cases import (
    ACTS,
    BEGIN,
    BYTES,
    DEVICES,
    EXPORT,
    FRAMES,
    GPS,
    HUU_NGHI,
    MAX_MINUTES,
    RULES,
    Drawn,
    act,
    exit_act,
    later,
    moment,
    trusted,
)
from tests.drawing import cases

many = cases(10_000, BYTES)
UNTIL = moment(MAX_MINUTES)


def told(found: Presence) -> tuple[Any, ...]:
    """What a judgement says, without when its witnesses became known."""
    refs = [tuple(witness.ref for witness in some) for some in (found.evidence, found.disbelieved)]
    pairs = tuple((pair.first.ref, pair.second.ref) for pair in found.contradictions)
    return (found.place, found.since, found.signal, found.heard_at, found.confidence, found.unconfirmed, refs, pairs)


@many
def test_the_order_in_which_witnesses_become_known_does_not_count(raw: bytes) -> None:
    read = Drawn(raw)
    frame, random = FRAMES[read.direction()], Random(read.number(1 << 16))
    witnesses = read.anything()
    expected = judge(frame, witnesses, UNTIL, RULES)
    shuffled = [later(witness, timedelta(minutes=random.randrange(5000))) for witness in witnesses]
    random.shuffle(shuffled)
    found = judge(frame, shuffled, UNTIL, RULES)
    assert told(found) == told(expected)
    assert found.intervals == expected.intervals


@many
def test_telling_twice_changes_nothing(raw: bytes) -> None:
    read = Drawn(raw)
    direction, again = read.direction(), [read.number(9) for _ in range(read.number(6))]
    witnesses = read.anything()
    repeats = [later(witnesses[n], timedelta(hours=1)) for n in again if n < len(witnesses)]
    once = judge(FRAMES[direction], witnesses, UNTIL, RULES)
    assert judge(FRAMES[direction], [*repeats, *witnesses], UNTIL, RULES) == once


@many
def test_a_truck_is_at_one_place_at_any_moment(raw: bytes) -> None:
    read = Drawn(raw)
    direction, until, asked, witnesses = read.direction(), read.minutes(), read.minutes(), read.anything()
    found = judge(FRAMES[direction], witnesses, moment(until), RULES)
    intervals = found.intervals
    assert history(FRAMES[direction], witnesses, moment(until), RULES) == intervals
    assert all(each.began_at < each.ended_at for each in intervals)
    assert all(a.ended_at == b.began_at and a.place != b.place for a, b in pairwise(intervals))
    if intervals:
        assert (intervals[0].began_at, intervals[-1].ended_at) == (BEGIN, moment(until))
    assert until == 0 or intervals
    at_once = [each for each in intervals if each.began_at <= moment(asked) < each.ended_at]
    assert len(at_once) == (1 if asked < until else 0)
    assert place_at(intervals, moment(asked)) == (at_once[0].place if at_once else None)
    if found.since < found.as_of:
        assert (intervals[-1].place, intervals[-1].began_at) == (found.place, found.since)


@many
def test_pairs_contradict_if_and_only_if_no_truck_makes_the_way(raw: bytes) -> None:
    witnesses = Drawn(raw).anything()
    counted = [witness for witness in witnesses if witness.trust is not Trust.DOUBTFUL]
    impossible = set()
    for a, b in combinations(counted, 2):
        if a.spot is None or b.spot is None:
            continue
        gap_s = abs((a.time - b.time).total_seconds())
        spare_m = 30.0 * (gap_s + 120.0) - max(_way_m(a.spot, b.spot) - a.spot.radius_m - b.spot.radius_m, 0.0)
        if abs(spare_m) <= 1.0:
            return  # neither way by rounding alone
        if spare_m < 0:
            impossible.add(frozenset((a.ref, b.ref)))
    found = judge(EXPORT, witnesses, UNTIL, RULES)
    assert {frozenset((pair.first.ref, pair.second.ref)) for pair in found.contradictions} == impossible
    aside = {witness.ref for witness in found.disbelieved}
    believed = {witness.ref for witness in counted} - aside
    assert not any(pair <= believed for pair in impossible)
    assert all(any(ref in pair and pair & believed for pair in impossible) for ref in aside)


def _way_m(a: Spot, b: Spot) -> float:
    """Metres between two points: along QL1A and QL4A, which meet at km 4.0452 and 13.13801, if both are on them."""
    lat_a, lat_b, lon = radians(a.lat), radians(b.lat), radians(b.lon - a.lon)
    cosine = min(sin(lat_a) * sin(lat_b) + cos(lat_a) * cos(lat_b) * cos(lon), 1.0)
    line_m = EARTH_RADIUS_M * acos(cosine)
    if a.km is None or b.km is None:
        return line_m
    if a.road == b.road:
        return max(line_m, 1000.0 * abs(a.km - b.km))
    junction = {"QL1A": 4.0452, "QL4A": 13.13801}
    return max(line_m, 1000.0 * sum(abs(float(spot.km or 0.0) - junction[str(spot.road)]) for spot in (a, b)))


@many
def test_more_trust_never_makes_a_witness_less_believed(raw: bytes) -> None:
    read = Drawn(raw)
    chosen, more = read.number(9), read.number(len(Trust))
    witnesses = read.witnesses((*DEVICES, *ACTS), min_size=1)
    chosen %= len(witnesses)
    higher = [trust for trust in Trust if trust >= witnesses[chosen].trust]
    trust = higher[more % len(higher)]
    before = judge(EXPORT, witnesses, UNTIL, RULES)
    if witnesses[chosen] in before.disbelieved:
        return
    raised = [trusted(each, trust) if n == chosen else each for n, each in enumerate(witnesses)]
    after = judge(EXPORT, raised, UNTIL, RULES)
    assert witnesses[chosen].ref not in {witness.ref for witness in after.disbelieved}


@many
def test_devices_never_undo_an_act(raw: bytes) -> None:
    read = Drawn(raw)
    acts, devices = read.witnesses(ACTS, min_size=1, max_size=4), read.witnesses(DEVICES, max_size=7)
    found = judge(EXPORT, [*acts, *(_named(devices))], UNTIL, RULES)
    assert not {witness.ref for witness in acts} & {witness.ref for witness in found.disbelieved}
    by_acts = judge(EXPORT, acts, UNTIL, RULES)
    for each in acts:
        just_then, expected = place_at(found.intervals, each.time), place_at(by_acts.intervals, each.time)
        if just_then is None or expected is None or [other.time for other in acts].count(each.time) > 1:
            continue  # the last moment that is judged, or several acts of one
        if expected.is_over:
            assert just_then == expected
        elif each.place.kind is PlaceKind.GATE_AREA:
            assert (just_then.is_inside, just_then.gate_id) == (True, HUU_NGHI)
        elif each.place.kind is PlaceKind.QUEUED:
            assert just_then.kind in (*PlaceKind.before_barrier(), *PlaceKind.inside())
            assert just_then.gate_id == HUU_NGHI
        else:
            assert just_then == each.place


def _named(devices: list[Witness]) -> list[Witness]:
    return [replace(witness, ref=f"device:{witness.ref}") for witness in devices]


@many
def test_no_phone_takes_a_truck_out_that_an_officer_let_in(raw: bytes) -> None:
    read = Drawn(raw)
    entered, asked, is_off = read.number(601), 601 + read.number(MAX_MINUTES - 600), read.number(2) == 1
    phone = read.witnesses(GPS)
    seen = [] if is_off else [witness for witness in phone if witness.kind is not WitnessKind.LEFT]
    found = judge(EXPORT, [act(entered, StepPlace.BARRIER), *seen], UNTIL, RULES)
    between = place_at(found.intervals, moment(asked - 0.5))
    assert between is not None
    assert (between.is_inside, between.gate_id) == (True, HUU_NGHI)
    assert stage_of(found, SheetState(HUU_NGHI)) is Stage.IN_THE_YARD
    if is_off:
        assert (found.signal, found.confirmed) == (presence.Signal.NEVER, True)


@many
def test_a_truck_is_counted_from_its_first_barrier_to_its_exit(raw: bytes) -> None:
    read = Drawn(raw)
    direction, is_off = read.direction(), read.number(2) == 1
    times = [0, 0, 0, 0]
    for n in range(4):  # in order, none twice
        times[n] = (times[n - 1] + 1 if n else 0) + read.number(MAX_MINUTES // 4)
    phone = read.witnesses(GPS)
    frame = FRAMES[direction]
    way = [
        act(times[0], StepPlace.BARRIER, frame=frame),
        act(times[1], StepPlace.YARD, frame=frame),
        act(times[2], StepPlace.GATE_AREA, frame=frame),
        exit_act(times[3], frame),
    ]
    heard = [] if is_off else [witness for witness in phone if witness.kind is not WitnessKind.LEFT]
    found = judge(frame, [*heard, *way], UNTIL, RULES)
    over = PlaceKind.OVER_THE_BORDER if direction is Direction.EXPORT else PlaceKind.INLAND
    for each in found.intervals:
        if each.began_at >= moment(times[0]) and each.ended_at <= moment(times[3]):
            assert each.place.is_inside
        if each.began_at >= moment(times[3]):
            assert each.place.kind is over
    assert found.place.kind is over
    assert found.since == moment(times[3])
    assert stage_of(found, SheetState(HUU_NGHI)) is Stage.OUT


@many
def test_a_late_position_changes_nothing_before_its_time(raw: bytes) -> None:
    read = Drawn(raw)
    (late,) = read.witnesses(GPS, min_size=1, max_size=1)
    acts, phone = read.witnesses(ACTS, min_size=1, max_size=3), read.witnesses(GPS, max_size=6)
    before = history(EXPORT, [*acts, *_named(phone)], UNTIL, RULES)
    after = history(EXPORT, [later(late, timedelta(hours=9)), *acts, *_named(phone)], UNTIL, RULES)
    for each in [*before, *after]:
        for asked in (each.began_at, each.began_at + timedelta(seconds=1)):
            if asked < late.time:
                assert place_at(before, asked) == place_at(after, asked)


@many
def test_what_is_older_than_the_trip_moves_nothing(raw: bytes) -> None:
    read = Drawn(raw)
    direction, witnesses, older = read.direction(), read.anything(), read.witnesses(DEVICES, max_size=5)
    shift = timedelta(minutes=MAX_MINUTES, seconds=1)
    before = [replace(each, time=each.time - shift, known_at=each.known_at, ref=f"old:{each.ref}") for each in older]
    frame = FRAMES[direction]
    assert judge(frame, [*before, *witnesses], UNTIL, RULES) == judge(frame, witnesses, UNTIL, RULES)


@many
def test_what_is_doubtful_moves_nothing(raw: bytes) -> None:
    read = Drawn(raw)
    direction, witnesses, doubtful = read.direction(), read.anything(), read.witnesses(DEVICES, max_size=5)
    frame, unsure = FRAMES[direction], [trusted(each, Trust.DOUBTFUL) for each in _named(doubtful)]
    expected, found = judge(frame, witnesses, UNTIL, RULES), judge(frame, [*unsure, *witnesses], UNTIL, RULES)
    assert (found.intervals, found.contradictions, found.evidence, found.unconfirmed) == (
        expected.intervals,
        expected.contradictions,
        expected.evidence,
        expected.unconfirmed,
    )


@many
def test_a_place_stands_on_believed_witnesses(raw: bytes) -> None:
    read = Drawn(raw)
    direction, witnesses = read.direction(), read.anything()
    found = judge(FRAMES[direction], witnesses, UNTIL, RULES)
    assert 0.0 < found.confidence < 1.0
    assert set(found.evidence) <= set(witnesses) - set(found.disbelieved)
    assert bool(found.evidence) == (found.place.kind is not PlaceKind.PLANNED)
    assert found.unconfirmed is None or found.unconfirmed != found.place


@many
def test_gps_alone_fills_no_yard_that_it_did_not_approach(raw: bytes) -> None:
    """The first thing that GPS shows is no yard, and yards alone however often are none."""
    read = Drawn(raw)
    direction, phone = read.direction(), read.witnesses(GPS, min_size=1)
    frame = FRAMES[direction]
    first, *_ = sorted(phone, key=lambda each: (each.moment, each.identity))
    alone = judge(frame, [first], UNTIL, RULES)
    assert not any(each.place.is_inside for each in alone.intervals if first.kind is WitnessKind.AT)
    in_yards = [each for each in phone if each.place.kind is PlaceKind.YARD and each.kind is WitnessKind.AT]
    assert not any(each.place.is_inside for each in history(frame, in_yards, UNTIL, RULES))


@pytest.mark.parametrize(
    "module",
    [presence, presence_rules, presence_story, presence_witnesses, gps_silence, vocabulary],
    ids=lambda module: module.__name__,
)
def test_the_core_needs_nothing_but_the_standard_library_and_the_vocabulary(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    known = {"app.trips.presence", "app.trips.presence_rules", "app.trips.presence_story", "app.trips.vocabulary"}
    known |= {"app.platform.labels", "app.platform.permissions", "app.gates.vocabulary"}
    assert {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} <= known
