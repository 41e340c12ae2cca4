"""A clock that runs hours ahead: what it wrote of a truck hides nothing that is seen later, whoever the witness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.platform.actions import ActionContext
from app.trips.presence import judge
from app.trips.presence_rules import Source, Trust, Witness, by_present, contradiction, no_later
from app.trips.vocabulary import StepPlace
from tests.app.bordering import border, listener, sheets  # noqa: F401 - fixtures
from tests.app.presence_cases import (
    BAO_NGUYEN,
    EXPORT,
    RULES,
    TAN_THANH,
    act,
    camera,
    moment,
    road_fix,
    yard,
)
from tests.app.test_presence_counted import PLATE, Watch, add_read, advance, do, drive, watch  # noqa: F401 - a fixture

AHEAD_MINUTES = 5 * 60
WITNESSES = {
    "an officer's act": lambda at: act(at, StepPlace.BARRIER),
    "a movement by hand": lambda at: yard(at, source=Source.HAND),
    "a camera of a yard": lambda at: yard(at, source=Source.CAMERA),
    "a plate read at a barrier": camera,
    "a position": lambda at: road_fix(at, 20),
}


@pytest.mark.parametrize("made", WITNESSES.values(), ids=WITNESSES)
def test_what_is_seen_later_counts_whatever_wrote_before_it(made: Callable[[float], Witness]) -> None:
    """Each kind under a clock five hours ahead, then an officer at another gate a quarter of an hour later."""
    wrong, now = made(600 + AHEAD_MINUTES), moment(615)
    right = act(615, StepPlace.YARD, frame=replace(EXPORT, gate_id=TAN_THANH), yard_id="bao-nguyen")
    for as_of in (now, now + timedelta(hours=12)):
        known = by_present([wrong], now, RULES)[wrong]
        found = judge(EXPORT, [known, right], as_of, RULES)
        assert (found.place, found.contradictions) == (BAO_NGUYEN, ())
    assert known.moment < now
    assert known.is_misdated


def test_several_of_after_the_present_keep_their_order() -> None:
    seen = [act(900, StepPlace.YARD), act(901, StepPlace.BARRIER), act(600, StepPlace.ENTRANCE)]
    found = by_present(seen, moment(700), RULES)
    assert list(found) == seen[:2]
    first, second = found.values()
    assert moment(700) - timedelta(seconds=1) < first.moment < second.moment < moment(700)
    assert by_present([*found.values(), seen[2]], moment(700), RULES) == {}


def test_a_misdated_witness_was_where_it_was_at_any_time_before() -> None:
    here = act(700, StepPlace.BARRIER)
    late = no_later(act(1000, StepPlace.BARRIER), moment(700), RULES)
    there = camera(701, TAN_THANH)
    assert contradiction(here, there, RULES) is not None
    assert contradiction(late, there, RULES) is None, "it may have been hours before"
    assert contradiction(camera(699, TAN_THANH), late, RULES) is not None, "no sooner than it was known"


def test_clocks_that_differ_by_seconds_are_no_wrong_clocks() -> None:
    ((_, known),) = by_present([camera(600.5)], moment(600), RULES).items()
    assert not known.is_misdated
    assert known.trust is Trust.DEVICE


def test_an_act_under_a_clock_ahead_does_not_hide_the_yard_nor_the_next_act(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    do(watch, trip_id, "health")
    advance(watch, hours=5)
    do(watch, trip_id, "barrier_1")
    advance(watch, hours=-5, minutes=10)
    operator = watch.border.officer("yard_operator")
    for kind, place in (("enter", "yard"), ("leave", "gate_area"), ("enter", "yard")):
        advance(watch, minutes=20)
        moved = operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": PLATE, "kind": kind})
        assert moved.status_code == 201, moved.text
        assert watch.told(trip_id)[-1][0] == place
    advance(watch, hours=6)
    assert watch.told(trip_id)[-1] == ("yard", "xuan-cuong", "hand"), "not even once its time has come"
    (kept,) = watch.border.rows("SELECT * FROM app.misdated_witness WHERE trip_id = :id", id=trip_id)
    assert kept.ref.startswith("trip_event:")


def test_a_movement_under_a_clock_ahead_does_not_hide_the_officer(watch: Watch) -> None:
    trip_id = watch.border.enter(PLATE)
    do(watch, trip_id, "health")
    do(watch, trip_id, "barrier_1")
    operator = watch.border.officer("yard_operator")
    advance(watch, hours=5)
    for kind in ("enter", "leave"):
        advance(watch, minutes=10)
        operator.post("/api/v1/yards/xuan-cuong/movements", json={"plate": PLATE, "kind": kind})
    advance(watch, hours=-5)
    advance(watch, minutes=5)
    do(watch, trip_id, "yard")
    assert watch.told(trip_id)[-1] == ("yard", "xuan-cuong", "act")
    advance(watch, hours=6)
    assert watch.told(trip_id)[-1] == ("yard", "xuan-cuong", "act")


def test_what_comes_in_before_an_act_of_an_earlier_time_has_no_wrong_clock(watch: Watch) -> None:
    """A read that its camera sends late, or an act entered late: what was seen since happened all the same."""
    trip_id = watch.border.enter(PLATE)
    began = watch.border.runtime.clock.now()
    advance(watch, minutes=40)
    drive(watch, 20.0)
    advance(watch, minutes=10)
    drive(watch, 12.0)
    with watch.border.runtime.sessions() as session:
        watch.border.sheets.note_arrival(ActionContext(session, None, began + timedelta(minutes=5)), trip_id)
        session.commit()
    watch.border.call(watch.border.sheets.note_arrival, trip_id, began + timedelta(minutes=4))
    assert watch.told(trip_id)[-1] == ("on_the_road", None, "gps"), "judged as of now, not of then"
    watch.tick()
    assert watch.border.rows("SELECT * FROM app.misdated_witness") == []
    assert watch.trip(trip_id).arrived_at == began + timedelta(minutes=4)
