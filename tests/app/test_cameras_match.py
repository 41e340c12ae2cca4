"""The probability that a read is of a trip: what raises it, what lowers it, what no formula may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.equipment import reads
from app.equipment.reads import TripHere, TripSpan, expectation, match_read, under_way
from app.equipment.scales import compare, declared_goods_kg
from app.equipment.seals import seal_state
from ingest.formats.plate_read import Candidate

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


def read(*readings: tuple[str, float]) -> list[Candidate]:
    return [Candidate(plate, confidence) for plate, confidence in readings]


def here(plate: str, trip_id: int = 1, expected="now", distance_m=None, age_s=None, trailer=None) -> TripHere:
    return TripHere(trip_id, (plate, trailer) if trailer else (plate,), expected, distance_m, age_s)


def probability(readings, *trips: TripHere, trip_id: int = 1) -> float:
    return {candidate.trip_id: candidate.probability for candidate in match_read(readings, trips).trips}.get(
        trip_id, 0.0
    )


def test_an_exact_read_of_an_expected_truck_is_its_trip():
    match = match_read(read(("29C12345", 0.9)), [here("29C12345"), here("29C99999", 2)])
    assert match.verdict == "matched"
    assert match.best is not None
    assert match.best.trip_id == 1
    assert match.best.probability > 0.999


def test_one_confused_sign_needs_gps_to_be_sure():
    misread = read(("29C1234S", 0.9))
    assert match_read(misread, [here("29C12345", expected="coming")]).verdict == "doubtful"
    assert match_read(misread, [here("29C12345", distance_m=150.0, age_s=20.0)]).verdict == "matched"
    assert match_read(misread, [here("29C12345", distance_m=40_000.0, age_s=60.0)]).verdict == "unknown"


def test_a_sign_that_cameras_do_not_confuse_is_another_truck():
    assert match_read(read(("29C12347", 0.95)), [here("29C12345")]).verdict == "unknown"


def test_the_second_reading_counts():
    assert match_read(read(("29C1Z3A5", 0.5), ("29C12345", 0.45)), [here("29C12345")]).verdict == "matched"


def test_a_lost_sign_is_doubtful_at_best_without_gps():
    lost = read(("29C1234", 0.9))
    assert match_read(lost, [here("29C12345")]).verdict != "matched"
    assert probability(lost, here("29C12345", distance_m=50.0, age_s=5.0)) > probability(lost, here("29C12345"))


def test_two_trucks_that_fit_alike_are_left_to_a_person():
    match = match_read(read(("29C1234B", 0.8)), [here("29C12348"), here("29C12348", 2)])
    assert match.verdict == "doubtful"
    assert match.trips[0].probability == pytest.approx(match.trips[1].probability)
    clear = match_read(read(("29C1234G", 0.9)), [here("29C12346"), here("29C12340", 2)])
    assert clear.best is not None
    assert clear.best.trip_id == 1


def test_the_trailer_is_the_trip_too():
    assert match_read(read(("29R01234", 0.92)), [here("29C12345", trailer="29R01234")]).verdict == "matched"


def test_nobody_expected_is_nobody():
    assert match_read(read(("29C12345", 0.99)), []).verdict == "unknown"


PLATE = st.from_regex(r"[1-9][0-9][A-HK-NPR-VX-Z][0-9]{5}", fullmatch=True)
CONFIDENCE = st.floats(0.0, 1.0)
TRIPS = st.lists(
    st.tuples(
        PLATE,
        st.sampled_from(["now", "coming", "elsewhere"]),
        st.none() | st.floats(0, 1e6),
        st.none() | st.floats(0, 1e5),
    ),
    max_size=6,
).map(lambda rows: [TripHere(i, (row[0],), row[1], row[2], row[3]) for i, row in enumerate(rows)])


@given(plate=PLATE, confidence=CONFIDENCE, trips=TRIPS)
def test_probabilities_are_such(plate, confidence, trips):
    match = match_read(read((plate, confidence)), trips)
    chances = [candidate.probability for candidate in match.trips]
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert sum(chances) < 1.0
    assert chances == sorted(chances, reverse=True)


@given(plate=PLATE, confidence=CONFIDENCE, distance_m=st.floats(0, 300), age_s=st.floats(0, 100))
def test_gps_close_by_never_makes_a_trip_less_likely(plate, confidence, distance_m, age_s):
    readings = read((plate, confidence))
    near = probability(readings, here(plate, distance_m=distance_m, age_s=age_s))
    far = probability(readings, here(plate, distance_m=5e5, age_s=age_s))
    assert far < probability(readings, here(plate)) <= near


@given(plate=PLATE, other=PLATE, confidence=CONFIDENCE)
def test_a_read_is_likelier_of_the_plate_it_shows_than_of_any_other(plate, other, confidence):
    readings = read((plate, max(confidence, 0.3)))
    assert reads.likelihood(readings, [plate]) >= reads.likelihood(readings, [other])


@given(plate=PLATE, position=st.integers(0, 7))
def test_a_plate_with_one_wrong_sign_is_found_by_its_ends(plate, position):
    wrong = plate[:position] + "X" + plate[position + 1 :]
    heads, tails = reads.search_keys(read((wrong, 0.5)))
    own_heads, own_tails = reads.search_keys(read((plate, 1.0)))
    assert heads == own_heads or tails == own_tails


def test_one_passage():
    assert reads.is_same_passage("29C12345", "29C12345", timedelta(seconds=60))
    assert reads.is_same_passage("29C12345", "29C12345", timedelta(seconds=-60))
    assert not reads.is_same_passage("29C12345", "29C1Z34S", timedelta(seconds=5))
    assert not reads.is_same_passage("29C", "29C", timedelta(seconds=5)), "many trucks begin so"
    assert reads.is_same_passage("29C", "29C", timedelta(seconds=-2))
    assert reads.is_same_passage("12H1234", "12H1234", timedelta(seconds=89))
    assert not reads.is_same_passage("29C12345", "29C1234", timedelta(seconds=5))
    assert not reads.is_same_passage("29C12345", "29C12345", timedelta(seconds=120))
    assert not reads.is_same_passage("29C12345", "29C12399", timedelta(seconds=5))


def test_where_a_trip_is_expected():
    def expect(gate, stage, hours):
        return expectation(
            reads.Place(gate), gate_id="huu-nghi", stage=stage, planned_arrival=NOW + timedelta(hours=hours), now=NOW
        )

    assert expect("huu-nghi", "queued", 30) == "now"
    assert expect("huu-nghi", "planned", 3) == "coming"
    assert expect("huu-nghi", "planned", 72) == "elsewhere"
    assert expect("tan-thanh", "queued", 0) == "elsewhere"
    assert expect(None, "on_the_road", 30) == "now"
    assert expect(None, "planned", 72) == "elsewhere"


def test_weights_beside_the_declaration():
    assert compare(38_120, 15_900, 22_000).verdict == "within"
    assert compare(40_000, 15_900, 22_000).verdict == "over"
    assert compare(30_000, 15_900, 22_000) == compare(30_000, 15_900, 22_000, share=0.02, least_kg=200)
    assert compare(30_000, 15_900, 22_000).difference_kg == -7_900
    assert compare(30_000, None, 22_000).verdict == "not_comparable"
    assert compare(18_150, 16_000, 2_000).verdict == "within"  # small loads: 200 kg, not 2 %
    assert declared_goods_kg({"lines": [{"gross_weight_kg": 12_000.5}, {"gross_weight_kg": 9_999.5}]}) == 22_000
    assert declared_goods_kg({"lines": [{"gross_weight_kg": 12_000}, {}]}) is None
    assert declared_goods_kg(None) is None


def test_a_seal_that_was_tampered_with_stays_so():
    assert seal_state(["closed"]) == "closed"
    assert seal_state(["closed", "opened", "closed"]) == "closed"
    assert seal_state(["closed", "tampered", "closed"]) == "tampered"
    assert seal_state([]) == "unknown"


MINUTES = st.integers(-300, 300)
SPANS = st.lists(st.tuples(st.integers(1, 3), MINUTES, st.none() | st.integers(1, 200)), min_size=1, max_size=6).map(
    lambda rows: [
        TripSpan(
            number,
            vehicle_id,
            NOW + timedelta(minutes=began),
            None if lasted is None else NOW + timedelta(minutes=began + lasted),
        )
        for number, (vehicle_id, began, lasted) in enumerate(rows)
    ]
)


@given(spans=SPANS, data=st.data())
def test_a_read_is_of_one_trip_of_a_vehicle_whatever_their_order(spans, data):
    found = under_way(spans, NOW)
    assert found == under_way(data.draw(st.permutations(spans)), NOW)
    by_id = {span.trip_id: span for span in spans}
    chosen = [by_id[trip_id] for trip_id in found]
    assert sorted(span.vehicle_id for span in chosen) == sorted({span.vehicle_id for span in spans})
    for span in chosen:
        reason = found[span.trip_id]
        is_older = span.began_at - reads.CLOCK_TOLERANCE > NOW
        assert (reason == "older_than_trip") == is_older
        assert (reason is None) == (not is_older and span.ended_at is None)
        others = [other for other in spans if other.vehicle_id == span.vehicle_id]
        if is_older:
            assert all(span.began_at - reads.CLOCK_TOLERANCE > NOW for span in others), "none was under way or over"


def test_between_two_trips_of_a_truck():
    before = TripSpan(1, 7, NOW - timedelta(hours=5), NOW - timedelta(minutes=5))
    after = TripSpan(2, 7, NOW - timedelta(minutes=1), None)
    ahead = TripSpan(3, 7, NOW + timedelta(hours=3), None)
    assert under_way([before, after], NOW) == {2: None}
    assert under_way([before, after], NOW - timedelta(minutes=20)) == {1: "trip_over"}
    assert under_way([before, ahead], NOW) == {1: "trip_over"}
    assert under_way([ahead], NOW) == {3: "older_than_trip"}
