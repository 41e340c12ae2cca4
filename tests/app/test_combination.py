"""Whether what was seen belongs together as declared: the rule alone, in whatever order things become known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checkpoints.case import normal_values
from app.checkpoints.combination import (
    AROUND,
    TOGETHER,
    Claims,
    Explanation,
    PlatePassage,
    Sighting,
    compare,
    joined,
)
from app.checkpoints.turns import MAX_NAMED, WaitingTruck, jump_warning, passed_by
from app.checkpoints.vocabulary import Part, SeenBy
from app.gates.priority import PriorityFacts, classes_of
from app.gates.vocabulary import PriorityClass
from app.registers.container_number import check_digit, normalise_container_number
from geo.errors import InvalidInputError

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
OWN = {
    Part.TRACTOR: frozenset({"29C12345"}),
    Part.TRAILER: frozenset({"29R01234"}),
    Part.SEAL: frozenset({"VN1", "VN2"}),
}
VALUES = {
    Part.TRACTOR: ("29C12345", "12C08156"),
    Part.TRAILER: ("29R01234", "12R05678"),
    Part.CONTAINER: ("CSQU3054383", "MSKU0000006"),
    Part.SEAL: ("VN1", "VN2", "XX9"),
    Part.DRIVER: ("C1234567", "C7654321"),
    Part.CUSTOMS_NUMBER: ("305123456780", "305000000000"),
}

parts = st.sampled_from(list(Part))
moments = st.integers(0, 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))


@st.composite
def sightings(draw):
    part = draw(parts)
    return Sighting(part, draw(st.sampled_from(VALUES[part])), draw(moments), draw(st.sampled_from(list(SeenBy))))


@st.composite
def claims(draw):
    pairs = st.tuples(parts, st.integers(0, 2), st.integers(1, 4))
    found = {}
    for part, place, trip in draw(st.lists(pairs, max_size=8)):
        values = VALUES[part]
        found.setdefault((part, values[place % len(values)]), set()).add(trip)
    return Claims(found)


@given(st.lists(sightings(), max_size=12), claims(), st.randoms(use_true_random=False))
def test_the_answer_is_one_of_the_set_of_sights(seen, claimed, random):
    first = compare(1, OWN, seen, claims=claimed)
    told_again = [*seen, *seen]
    random.shuffle(told_again)
    assert compare(1, OWN, told_again, claims=claimed) == first


@given(st.lists(sightings(), max_size=12), claims())
def test_what_is_declared_is_never_found_and_what_another_declared_always_is(seen, claimed):
    found = {each.key for each in compare(1, OWN, seen, claims=claimed)}
    for each in seen:
        own = OWN.get(each.part, frozenset())
        if each.value in own:
            assert (each.part, each.value) not in found
        elif claimed.owner(each.part, each.value, 1) is not None:
            assert (each.part, each.value) in found


@given(st.lists(sightings(), max_size=12), claims())
def test_an_explanation_takes_away_its_own_finding_and_no_other(seen, claimed):
    found = compare(1, OWN, seen, claims=claimed)
    for each in found:
        explained = Explanation(each.sighting.part, each.sighting.value, NOW)
        left = compare(1, OWN, seen, [explained], claimed)
        assert {finding.key for finding in left} == {finding.key for finding in found} - {each.key}


@given(st.lists(sightings(), max_size=8), sightings(), claims())
def test_another_sight_takes_no_finding_away(seen, more, claimed):
    before = {each.key for each in compare(1, OWN, seen, claims=claimed)}
    assert before <= {each.key for each in compare(1, OWN, [*seen, more], claims=claimed)}


def test_an_earlier_declaration_explains_what_was_seen_while_it_was_in_force():
    before = Explanation(Part.TRAILER, "12R05678", NOW, NOW + timedelta(minutes=10))
    early = Sighting(Part.TRAILER, "12R05678", NOW + timedelta(minutes=5), SeenBy.CAMERA)
    late = Sighting(Part.TRAILER, "12R05678", NOW + timedelta(minutes=15), SeenBy.CAMERA)
    assert compare(1, OWN, [early], [before]) == []
    assert [each.sighting for each in compare(1, OWN, [early, late], [before])] == [late]


def test_a_trailer_is_declared_or_not_there_and_other_parts_may_be_left_out():
    bare = {Part.TRACTOR: frozenset({"29C12345"}), Part.TRAILER: frozenset()}
    seen = [Sighting(part, VALUES[part][0], NOW, SeenBy.OFFICER) for part in (Part.TRAILER, Part.CONTAINER, Part.SEAL)]
    assert [each.sighting.part for each in compare(1, bare, seen)] == [Part.TRAILER]


# Plates that pass as one

PLATES = {1: ("29C12345", "29R01234"), 2: ("12C08156", "12R05678"), 3: ("98H99628", "36R12345")}


def passage(plate, seconds, track=None, station="tan-thanh/barrier_1"):
    trip_id = next((number for number, own in PLATES.items() if plate in own), None)
    return PlatePassage(plate, NOW + timedelta(seconds=seconds), station, trip_id, track)


def pairs(*passages):
    return {(each.tractor.plate, each.trailer.plate) for each in joined(passages, PLATES)}


def test_a_tractor_with_the_trailer_of_another_is_seen():
    assert pairs(passage("29C12345", 0), passage("12R05678", 6)) == {("29C12345", "12R05678")}


def test_two_trucks_close_behind_each_other_are_two_trucks():
    assert not pairs(passage("29C12345", 0), passage("29R01234", 5), passage("12C08156", 9), passage("12R05678", 14))
    assert not pairs(passage("29C12345", 0), passage("12C08156", 9), passage("12R05678", 14))
    assert not pairs(passage("29C12345", 0), passage("29R01234", 5), passage("12R05678", 14))


@given(st.integers(1, int(TOGETHER.total_seconds())))
def test_a_trailer_is_towed_by_one_tractor_the_nearest_ahead(gap_s):
    ahead, trailer, behind = passage("29C12345", 0), passage("12R05678", gap_s), passage("98H99628", gap_s + 1)
    assert pairs(ahead, trailer, behind) == {("29C12345", "12R05678")}
    assert pairs(trailer, behind) == {("98H99628", "12R05678")}
    between = passage("98H99628", gap_s - 0.5)
    assert pairs(ahead, trailer, between) == {("98H99628", "12R05678")}
    its_own = passage("36R12345", gap_s + 2)
    assert pairs(ahead, trailer, between, its_own) == {("29C12345", "12R05678")}


def test_the_cameras_own_track_joins_a_trailer_that_nobody_declared():
    assert pairs(passage("29C12345", 0, "7"), passage("51R99999", 40, "7")) == {("29C12345", "51R99999")}
    assert not pairs(passage("29C12345", 0, "7"), passage("51R99999", 5, "8"))


def test_a_misread_plate_is_no_other_truck():
    misread = PlatePassage("12C08l56", NOW, "tan-thanh/barrier_1", 2, "7")
    assert not pairs(misread, passage("12R05678", 2, "7"))
    like_its_own = PlatePassage("29R0I234", NOW, "tan-thanh/barrier_1", 1, "7")
    assert not pairs(passage("29C12345", 0, "7"), like_its_own)


def test_other_stations_and_other_times_join_nothing():
    assert not pairs(passage("29C12345", 0), passage("12R05678", 6, station="tan-thanh/barrier_2"))
    assert not pairs(passage("29C12345", 0), passage("12R05678", TOGETHER.total_seconds() + 1))


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 3000)), max_size=6), st.integers(0, 10))
def test_trucks_whose_plates_all_pass_are_never_joined(passes, length_s):
    seen = [
        each
        for trip_id, second in passes
        for each in (passage(PLATES[trip_id][0], second), passage(PLATES[trip_id][1], second + length_s))
    ]
    assert timedelta(seconds=length_s) <= AROUND
    assert joined(seen, PLATES) == []


# Container numbers, priority, turns


def test_a_container_number_has_its_check_digit():
    assert normalise_container_number("csqu 305438-3") == "CSQU3054383"
    assert check_digit("CSQU305438") == 3


@given(st.integers(4, 10), st.integers(1, 9))
def test_a_changed_digit_is_no_container_number(place, by):
    number = "CSQU3054383"
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    if int(wrong[10]) == check_digit(wrong[:10]):
        return  # a remainder of 10 is written as 0: the standard itself cannot tell those apart
    with pytest.raises(InvalidInputError, match=str(check_digit(wrong[:10]))):
        normalise_container_number(wrong)


@given(st.builds(PriorityFacts, perishable=st.booleans(), is_authorised=st.booleans(), is_sealed=st.booleans()))
def test_priority_follows_from_the_declaration_alone(facts):
    why = classes_of(facts)
    assert (PriorityClass.PERISHABLE in why) == facts.perishable
    assert (PriorityClass.OPERATOR in why) == facts.is_authorised
    assert PriorityClass.SEALED_TRANSIT not in why
    assert PriorityClass.BY_HAND not in why
    assert why == tuple(each for each in PriorityClass if each in why)


def test_live_animals_and_transit_under_seal_go_first():
    assert classes_of(PriorityFacts(goods=("live_animals",)))[0] is PriorityClass.LIVE
    assert classes_of(PriorityFacts(regime="transit", is_sealed=True)) == (PriorityClass.SEALED_TRANSIT,)
    assert classes_of(PriorityFacts(regime="transit")) == ()


def test_who_was_passed():
    waiting = [WaitingTruck(2, "a", True), WaitingTruck(3, "b", False), WaitingTruck(4, "c", True)]
    assert [each.trip_id for each in passed_by(1, waiting, {3, 4})] == [2, 3, 4]
    assert [each.trip_id for each in passed_by(1, waiting, {1, 3, 4})] == [4]
    assert passed_by(1, waiting, {1}) == []


def test_a_jump_past_many_names_some_and_claims_no_more_than_is_known() -> None:
    passed = [WaitingTruck(number, f"29C-{number}", True) for number in range(MAX_NAMED + 1)]
    few, many = (jump_warning(trucks, has_more=False) for trucks in (passed[:MAX_NAMED], passed))
    assert few.values == {"count": MAX_NAMED, "plates": "29C-0, 29C-1, 29C-2, 29C-3, 29C-4, 29C-5"}
    assert many.values == {"count": MAX_NAMED + 1, "plates": few.values["plates"]}
    assert "among them" in many.message
    assert "among them" not in few.message
    assert "at least" in jump_warning(passed, has_more=True).message


@given(st.sets(st.integers(1, 6)), st.lists(st.booleans(), min_size=5, max_size=5))
def test_nobody_is_passed_by_the_truck_whose_turn_it_is(first, longer):
    waiting = [WaitingTruck(number + 2, str(number), declared) for number, declared in enumerate(longer)]
    turn = sorted(
        [(1 not in first, 0, 1), *((w.trip_id not in first, -1 if w.waits_longer else 1, w.trip_id) for w in waiting)]
    )
    before_it = {trip_id for _, _, trip_id in turn[: next(i for i, each in enumerate(turn) if each[2] == 1)]}
    assert {each.trip_id for each in passed_by(1, waiting, first)} == before_it


def test_seals_are_told_apart_however_they_are_separated() -> None:
    for written in ("VN1, CN-2", "vn1;CN2", "VN1/CN2", "VN1 + CN2", "VN1、CN2", "VN1\n CN2 ,"):
        assert normal_values(Part.SEAL, written) == ("VN1", "CN2")
    assert normal_values(Part.SEAL, " , ") == ()
