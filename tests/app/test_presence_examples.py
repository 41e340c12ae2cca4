"""Where a truck is, in stories from the gates: phones that are off, swapped plates, late acts, silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.procedures.steps import Step
from app.trips.gps_silence import gps_silence
from app.trips.places import Places
from app.trips.presence import SheetState, Signal, place_at, stage_of
from app.trips.presence_rules import PLANNED, ROAD, UNKNOWN, Place, Roads, Source, Spot, Trust, WitnessKind
from app.trips.presence_witnesses import Fix, act_witness, fix_witness, registration_witness, station_witness
from app.trips.vocabulary import PlaceKind, Stage, StepPlace
from geo.corridor import Corridor
from tests.app.presence_cases import (
    BAO_NGUYEN,
    BEGIN,
    DONG_DANG,
    EXPORT,
    GATE_AREA,
    GATE_SPOTS,
    HOME,
    HUU_NGHI,
    IMPORT,
    QUEUED,
    TAN_THANH,
    TEMPORARY,
    XUAN_CUONG,
    act,
    camera,
    exit_act,
    gate_event,
    home_fix,
    judged,
    moment,
    road_camera,
    road_fix,
    sight,
    yard,
)

HERE = SheetState(HUU_NGHI)
OVER = Place(PlaceKind.OVER_THE_BORDER, HUU_NGHI)
INLAND = Place(PlaceKind.INLAND, HUU_NGHI)
BACK = Place(PlaceKind.TURNED_BACK, HUU_NGHI)


def test_a_truck_without_gps_is_counted_from_the_entrance_to_the_exit() -> None:
    way = [
        act(600, StepPlace.ENTRANCE),
        act(630, StepPlace.BARRIER),
        act(640, StepPlace.YARD),
        act(700, StepPlace.GATE_AREA),
        exit_act(760),
    ]
    found = judged(*way)
    assert [(each.place, each.began_at) for each in found.intervals] == [
        (PLANNED, BEGIN),
        (QUEUED, moment(600)),
        (GATE_AREA, moment(630)),
        (XUAN_CUONG, moment(640)),
        (OVER, moment(760)),
    ]
    in_yard = judged(*way, minutes=720)
    assert (in_yard.place, in_yard.since, in_yard.signal) == (XUAN_CUONG, moment(640), Signal.NEVER)
    assert [witness.ref for witness in in_yard.evidence] == [way[2].ref, way[3].ref]
    assert stage_of(in_yard, HERE) is Stage.IN_THE_YARD
    assert place_at(found.intervals, moment(650)) == XUAN_CUONG


def test_a_phone_that_falls_silent_at_barrier_1_does_not_make_the_truck_absent() -> None:
    found = judged(road_fix(500, 20), act(600, StepPlace.BARRIER), minutes=1100)
    assert (found.place, found.signal, found.heard_at) == (GATE_AREA, Signal.SILENT, moment(500))
    assert judged(road_fix(500, 20), act(510, StepPlace.BARRIER), minutes=515).signal is Signal.LIVE


def test_the_same_plate_at_two_gates_is_asked_about_and_the_earlier_stands() -> None:
    """A lot swap: the truck is in the yard at Hữu Nghị, its plate is read at Tân Thanh four minutes later."""
    here, there = camera(600, is_exit=True), camera(604, TAN_THANH)
    found = judged(there, here)
    assert found.place == GATE_AREA
    assert [(pair.first, pair.second) for pair in found.contradictions] == [(here, there)]
    assert found.contradictions[0].gap_s == 240.0
    assert found.contradictions[0].distance_m == pytest.approx(15_000, abs=1_500)
    assert found.disbelieved == (there,)
    assert found.confidence < judged(here).confidence


def test_of_two_plates_the_one_an_officer_stood_before_is_believed() -> None:
    read, confirmed = camera(600, TAN_THANH), act(604, StepPlace.BARRIER)
    found = judged(read, confirmed)
    assert (found.place, found.disbelieved) == (GATE_AREA, (read,))
    assert place_at(found.intervals, moment(602)) == PLANNED


def test_a_truck_that_had_the_time_has_changed_gates() -> None:
    found = judged(camera(600), camera(640, TAN_THANH))
    assert (found.contradictions, found.place) == ((), Place(PlaceKind.QUEUED, TAN_THANH))
    assert stage_of(found, HERE) is Stage.ON_THE_ROAD
    assert stage_of(found, SheetState(TAN_THANH)) is Stage.QUEUED


def test_a_camera_elsewhere_does_not_take_away_whom_an_officer_let_in() -> None:
    found = judged(act(600, StepPlace.BARRIER), camera(700, TAN_THANH))
    assert (found.place, found.unconfirmed) == (GATE_AREA, Place(PlaceKind.QUEUED, TAN_THANH))
    assert not found.confirmed


def test_a_phone_left_at_home_contradicts_the_checkpoint_and_moves_nothing() -> None:
    found = judged(act(600, StepPlace.BARRIER), home_fix(610))
    assert (found.place, len(found.contradictions)) == (GATE_AREA, 1)
    assert found.disbelieved[0].source is Source.GPS


def test_gps_alone_fills_no_yard_until_somebody_agrees() -> None:
    claim = yard(600)
    alone = judged(claim)
    assert (alone.place, alone.unconfirmed) == (PLANNED, XUAN_CUONG)
    assert stage_of(alone, HERE) is Stage.PLANNED
    again = judged(claim, replace(yard(660), ref="again"))
    assert again.place == PLANNED
    approached = judged(gate_event(590), claim)
    assert (approached.place, approached.since, approached.confirmed) == (XUAN_CUONG, moment(600), True)
    assert judged(road_fix(580, 4.5), claim).place == XUAN_CUONG
    assert judged(road_fix(580, 30), claim).place == ROAD
    assert judged(gate_event(600), claim).place == QUEUED
    assert judged(claim, act(620, StepPlace.YARD)).place == XUAN_CUONG
    assert judged(claim, yard(620, source=Source.CAMERA)).place == XUAN_CUONG


def test_an_act_entered_after_an_outage_counts_from_when_it_happened() -> None:
    paper = act(600, StepPlace.BARRIER, late=500.0)
    found = judged(act(700, StepPlace.YARD), paper)
    assert place_at(found.intervals, moment(650)) == GATE_AREA
    assert found.place == XUAN_CUONG


def test_a_late_position_corrects_the_past_and_no_act() -> None:
    late = replace(road_fix(560, 8), known_at=moment(1000))
    before = judged(road_fix(500, 30), act(600, StepPlace.BARRIER))
    after = judged(road_fix(500, 30), act(600, StepPlace.BARRIER), late)
    assert before.intervals == after.intervals
    queue = replace(gate_event(560), known_at=moment(1000))
    corrected = judged(road_fix(500, 30), act(600, StepPlace.BARRIER), queue)
    assert place_at(corrected.intervals, moment(570)) == QUEUED
    assert (corrected.place, corrected.since) == (GATE_AREA, moment(600))


def test_a_read_older_than_the_trip_moves_nothing_but_its_officers_act_does() -> None:
    assert judged(replace(camera(-30), known_at=moment(10))).place == PLANNED
    early = judged(act(-30, StepPlace.BARRIER))
    assert (early.place, early.since, early.intervals[0].began_at) == (GATE_AREA, moment(-30), moment(-30))


def test_a_clock_that_runs_ahead_is_read_as_the_time_of_receipt() -> None:
    ahead = replace(camera(900), known_at=moment(600))
    assert judged(ahead, minutes=650).since == moment(600)


def test_turning_back_needs_two_signs_once_an_officer_has_acted() -> None:
    let_in, away = act(600, StepPlace.BARRIER), road_fix(700, 20, toward=False)
    assert judged(let_in, away).place == GATE_AREA
    assert judged(let_in, away).unconfirmed == BACK
    left = judged(let_in, gate_event(660, is_entry=False), away)
    assert (left.place, left.since, len(left.evidence)) == (BACK, moment(700), 2)
    assert stage_of(left, HERE) is Stage.OUT
    read = road_camera(690, DONG_DANG, is_away=True)
    assert judged(let_in, read).place == GATE_AREA
    assert judged(let_in, read, replace(read, ref="again")).place == GATE_AREA
    assert judged(let_in, read, away).place == BACK
    came_back = judged(let_in, gate_event(660, is_entry=False), gate_event(670), away)
    assert came_back.place == GATE_AREA


def test_an_act_after_an_end_that_only_gps_saw_shows_that_it_was_none() -> None:
    gone = [act(600, StepPlace.BARRIER), gate_event(660, is_entry=False), road_fix(700, 20, toward=False)]
    found = judged(*gone, camera(800), act(900, StepPlace.GATE_AREA))
    assert found.place == GATE_AREA
    assert place_at(found.intervals, moment(850)) == GATE_AREA
    assert judged(*gone, gate_event(800)).place == BACK


def test_after_the_exit_nothing_brings_a_truck_back_into_the_trip() -> None:
    found = judged(exit_act(600), camera(800), act(900, StepPlace.GATE_AREA), road_fix(1000, 20))
    assert (found.place, found.since) == (OVER, moment(600))


def test_gps_beyond_the_border_ends_no_trip_that_an_officer_handles() -> None:
    seen = sight(700, GATE_SPOTS[HUU_NGHI], "fix:700")
    beyond = fix_witness(EXPORT, Fix(seen, distance_km=0.1, is_on_gate_road=True, toward=True, is_past_gate=True))
    assert judged(gate_event(600), beyond).place == OVER
    handled = judged(act(600, StepPlace.BARRIER), beyond)
    assert (handled.place, handled.unconfirmed) == (GATE_AREA, OVER)
    assert judged(beyond).place == PLANNED


def test_silence_beyond_the_yard_ends_only_what_no_officer_handles() -> None:
    way = [gate_event(600), yard(610), yard(700, is_entry=False), gate_event(705)]
    assert judged(*way, minutes=760).place == GATE_AREA
    silent = judged(*way, minutes=770)
    assert (silent.place, silent.since) == (OVER, moment(705))
    assert judged(*way[:2], minutes=1200).place == XUAN_CUONG
    assert judged(*way, act(605, StepPlace.BARRIER), minutes=1200).place == GATE_AREA


def test_a_truck_on_the_road_not_seen_for_a_day_is_unknown_and_one_in_the_queue_is_not() -> None:
    day = 24 * 60
    lost = judged(road_fix(100, 50), minutes=day + 200)
    assert (lost.place, lost.since) == (UNKNOWN, moment(day + 100))
    assert stage_of(lost, HERE) is Stage.ON_THE_ROAD
    assert judged(road_fix(100, 50), home_fix(700), minutes=day + 200).place == ROAD
    assert judged(gate_event(100), minutes=3 * day).place == QUEUED


def test_imports_run_from_barrier_2_through_the_yard_to_barrier_1() -> None:
    way = [
        camera(590),
        act(600, StepPlace.BARRIER, frame=IMPORT),
        act(605, StepPlace.ENTRANCE, frame=IMPORT),
        act(640, StepPlace.YARD, frame=IMPORT),
        exit_act(760, IMPORT),
    ]
    found = judged(*way, frame=IMPORT)
    assert [each.place for each in found.intervals] == [PLANNED, QUEUED, GATE_AREA, XUAN_CUONG, INLAND]
    without = judged(*way[:-1], road_camera(800, DONG_DANG, is_away=True), frame=IMPORT)
    assert (without.place, without.unconfirmed) == (XUAN_CUONG, INLAND)
    seen_inland = road_fix(700, 12, toward=False, frame=IMPORT)
    assert judged(gate_event(600), yard(640), seen_inland, frame=IMPORT).place == INLAND
    assert judged(seen_inland, frame=IMPORT).place == ROAD


def test_a_truck_that_came_undeclared_is_at_the_gate_and_not_let_in() -> None:
    registered = registration_witness(sight(600, None, "arrival:1"), TEMPORARY)
    found = judged(camera(590), registered, gate_event(620))
    assert (found.place, stage_of(found, HERE)) == (TEMPORARY, Stage.QUEUED)
    assert judged(registered, road_fix(700, 30, toward=False)).place == TEMPORARY
    assert judged(registered, act(700, StepPlace.BARRIER)).place == GATE_AREA
    assert judged(yard(600, TEMPORARY, source=Source.HAND, is_entry=False)).place == QUEUED


@pytest.mark.parametrize(
    ("where", "is_exit", "is_confirmed", "place"),
    [
        (StepPlace.NOWHERE, False, True, None),
        (StepPlace.ENTRANCE, False, True, QUEUED),
        (StepPlace.BARRIER, False, True, GATE_AREA),
        (StepPlace.BARRIER, False, False, QUEUED),
        (StepPlace.BARRIER, True, False, GATE_AREA),
        (StepPlace.BARRIER, True, True, OVER),
        (StepPlace.YARD, False, True, XUAN_CUONG),
        (StepPlace.GATE_AREA, False, False, GATE_AREA),
    ],
)
def test_what_an_act_shows(where: StepPlace, is_exit: bool, is_confirmed: bool, place: Place | None) -> None:
    made = act_witness(EXPORT, sight(1), where, is_exit=is_exit, is_confirmed=is_confirmed, yard_id="xuan-cuong")
    assert (made.place if made else None) == place


def test_an_act_at_a_gate_with_several_yards_shows_the_gate_area() -> None:
    assert act(1, StepPlace.YARD, yard_id=None).place == GATE_AREA


def test_every_step_says_where_it_is_done() -> None:
    assert {step.value for step in Step if step.spec.place is StepPlace.NOWHERE} == {"declaration", "fee"}
    assert all((step.spec.place is StepPlace.BARRIER) == step.spec.is_barrier for step in Step)
    assert [step.value for step in Step if step.spec.place is StepPlace.YARD] == ["yard"]


@pytest.mark.parametrize(
    ("where", "is_exit", "place"),
    [
        (StepPlace.ENTRANCE, False, QUEUED),
        (StepPlace.BARRIER, False, QUEUED),
        (StepPlace.BARRIER, True, GATE_AREA),
        (StepPlace.GATE_AREA, False, GATE_AREA),
    ],
)
def test_what_a_device_at_a_station_shows(where: StepPlace, is_exit: bool, place: Place) -> None:
    made = station_witness(Source.SCALE, sight(1), HUU_NGHI, where, is_exit=is_exit, probability=0.9, is_sure=True)
    assert (made.place, made.trust) == (place, Trust.DEVICE)
    read = station_witness(
        Source.CAMERA, sight(1), HUU_NGHI, where, is_exit=is_exit, probability=1.0, is_sure=True, by_person=True
    )
    assert read.trust is Trust.PERSON


FIX = Fix(sight(600, HOME, "fix"), is_on_gate_road=True, toward=True)
NEVER_MIND = (WitnessKind.AT, UNKNOWN)


@pytest.mark.parametrize(
    ("fix", "tail_km", "meaning"),
    [
        (replace(FIX, distance_km=60, is_moving=False, is_creeping=True), None, NEVER_MIND),
        (replace(FIX, distance_km=60, is_moving=True, is_free=True), None, (WitnessKind.FREE, ROAD)),
        (replace(FIX, distance_km=3.5, is_moving=True), None, (WitnessKind.AT, ROAD)),
        (replace(FIX, distance_km=6.3, is_creeping=True), 6.0, (WitnessKind.AT, QUEUED)),
        (replace(FIX, distance_km=7.0, is_creeping=True), 6.0, NEVER_MIND),
        (replace(FIX, distance_km=2.0, is_creeping=True), None, (WitnessKind.AT, QUEUED)),
        (replace(FIX, distance_km=2.0, is_creeping=True, is_on_gate_road=False), None, NEVER_MIND),
        (replace(FIX, distance_km=3.5, is_creeping=True), None, NEVER_MIND),
        (replace(FIX, distance_km=6.0, is_creeping=True, toward=False), 6.0, NEVER_MIND),
        (replace(FIX, distance_km=16.1, is_staging=True, is_creeping=True), 20.0, (WitnessKind.AT, ROAD)),
        (replace(FIX, distance_km=8.0, is_moving=True, is_free=True), 2.0, (WitnessKind.FREE, ROAD)),
        (replace(FIX, distance_km=2.0, is_moving=True, is_free=True), 1.5, (WitnessKind.AT, ROAD)),
        (replace(FIX, distance_km=15.0, is_moving=True, is_free=True, toward=False), None, (WitnessKind.AWAY, ROAD)),
        (replace(FIX, distance_km=0.1, is_past_gate=True), None, (WitnessKind.AT, OVER)),
        (replace(FIX, distance_km=0.1, is_past_gate=True, toward=False), None, NEVER_MIND),
        (replace(FIX, distance_km=0.5, site=XUAN_CUONG, is_past_gate=True), None, (WitnessKind.AT, XUAN_CUONG)),
        (replace(FIX, distance_km=0.5, site=QUEUED), None, (WitnessKind.AT, QUEUED)),
        (FIX, None, (WitnessKind.OFF, UNKNOWN)),
    ],
)
def test_what_a_position_shows(fix: Fix, tail_km: float | None, meaning: tuple[WitnessKind, Place]) -> None:
    made = fix_witness(EXPORT, fix, tail_km=tail_km)
    assert (made.kind, made.place, made.trust) == (*meaning, Trust.GPS)
    assert fix_witness(EXPORT, replace(fix, is_suspect=True), tail_km=tail_km).trust is Trust.DOUBTFUL


def test_driving_inland_long_before_the_planned_arrival_is_no_part_of_the_trip() -> None:
    far_off = replace(EXPORT, planned_arrival=moment(600) + timedelta(hours=30))
    away = replace(FIX, distance_km=60, is_moving=True, is_free=True, toward=False)
    assert fix_witness(far_off, away).place == UNKNOWN
    assert fix_witness(EXPORT, away).place == ROAD
    assert fix_witness(far_off, replace(away, toward=True)).place == ROAD


def test_a_queue_dissolves_only_when_the_truck_drives_freely() -> None:
    creeping = replace(road_fix(600, 2.5), kind=WitnessKind.AT, place=QUEUED)
    assert judged(creeping, road_fix(620, 3.2)).place == QUEUED
    assert judged(creeping, road_fix(620, 12.0)).place == ROAD
    assert judged(act(600, StepPlace.ENTRANCE), road_fix(620, 12.0)).place == QUEUED


def test_off_the_corridor_after_yard_and_gate_is_over_the_border() -> None:
    way = [gate_event(600), yard(610), yard(700, is_entry=False)]
    off = fix_witness(EXPORT, Fix(sight(720, Spot(106.71, 21.985), "fix:720"), is_moving=True))
    assert judged(*way, off, minutes=730).place == GATE_AREA
    assert judged(*way, gate_event(710, is_entry=False), off, minutes=730).place == OVER
    handled = judged(act(605, StepPlace.BARRIER), *way, gate_event(710, is_entry=False), off, minutes=730)
    assert (handled.place, handled.unconfirmed) == (GATE_AREA, OVER)


def test_the_sheet_can_end_what_presence_does_not() -> None:
    found = judged(act(600, StepPlace.BARRIER))
    assert stage_of(found, replace(HERE, is_cancelled=True)) is Stage.CANCELLED
    assert stage_of(found, replace(HERE, is_finished=True)) is Stage.OUT


def test_witnesses_of_several_kinds_make_a_place_surer() -> None:
    by_camera = judged(yard(600, source=Source.CAMERA))
    by_both = judged(yard(600, source=Source.CAMERA), yard(605, source=Source.HAND))
    assert by_camera.confidence == pytest.approx(0.9)
    assert by_both.confidence == pytest.approx(0.9 * 0.97 / (0.9 * 0.97 + 0.1 * 0.03))
    assert judged().confidence == 0.5


@pytest.mark.parametrize(
    ("was_moving", "after_s", "overdue_s"),
    [
        (True, 150, None),
        (True, 151, 1.0),
        (False, 1020, None),
        (False, 1021, 1.0),
        (None, 900, None),
        (None, 1080, 60.0),
    ],
)
def test_silence_is_counted_from_the_limits_of_the_law(
    was_moving: bool | None, after_s: float, overdue_s: float | None
) -> None:
    """30 s moving, 15 min standing, 2 min for the relay; unknown motion is read as standing."""
    found = judged(road_fix(600, 20), minutes=600 + after_s / 60)
    silence = gps_silence(found, required_since=BEGIN, was_moving=was_moving)
    assert (silence.overdue_s if silence else None) == overdue_s


def test_silence_is_a_fact_where_a_position_is_due_and_nowhere_else() -> None:
    on_the_way, inside = judged(road_camera(600), minutes=700), judged(act(600, StepPlace.BARRIER), minutes=700)
    never = gps_silence(on_the_way, required_since=moment(600))
    assert never is not None
    assert (never.heard_at, never.due_at, never.overdue_s) == (None, moment(617), 83 * 60)
    assert gps_silence(inside, required_since=moment(600)) is None
    assert gps_silence(on_the_way, required_since=moment(600), has_duty=False) is None
    assert judged(road_camera(600), minutes=700).place == ROAD


def test_distances_are_those_of_the_shipped_roads() -> None:
    corridor = Corridor.default()
    gate = Places.of(corridor).gates[HUU_NGHI]
    roads = Roads({(other, gate.road): kms for other, kms in gate.feeders.items()})
    sites = [corridor.sites[name] for name in (HUU_NGHI, TAN_THANH)]
    here, there = (Spot(site.lon, site.lat, 0.0, site.road, site.km) for site in sites)
    assert roads.distance_m(here, there) == pytest.approx(1000 * (4.0452 - 0.55 + 13.13801 - 0.6), abs=1)
    assert roads.distance_m(here, there) == roads.distance_m(there, here)
    assert Roads().distance_m(here, there) == pytest.approx(4_840, rel=0.02)
    assert roads.distance_m(here, BAO_SPOT) == pytest.approx(roads.distance_m(here, there), abs=300)


BAO_SPOT = Spot(106.67572, 22.00819, 0.0, "QL4A", 0.88)


def test_a_yard_of_another_gate_needs_its_own_approach() -> None:
    claim = yard(700, BAO_NGUYEN)
    assert judged(gate_event(600), claim).place == QUEUED
    assert (
        judged(gate_event(600), gate_event(650, is_entry=False), gate_event(690, TAN_THANH), claim).place == BAO_NGUYEN
    )


def test_an_officer_at_the_entrance_outranks_devices_that_saw_the_truck_inside() -> None:
    entrance = act(620, StepPlace.ENTRANCE)
    assert judged(camera(600, is_exit=True), entrance).place == QUEUED
    assert judged(yard(600, source=Source.HAND), entrance).place == XUAN_CUONG
    assert judged(act(590, StepPlace.BARRIER), yard(600, source=Source.CAMERA), entrance).place == XUAN_CUONG
