"""Simulated officers on a real database: plans that repeat, sheets that follow the trucks, a restart that goes on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.declarations import checks
from app.declarations.form import problems_of, read
from app.demo.cashiers import open_accounts
from app.demo.day import Passages, draw_plan, find_passages
from app.demo.officers import Officers, hire
from app.demo.papers import write_declaration
from app.demo.plate_cameras import read_of, set_up
from app.demo.playback import Playback
from app.demo.recording import DAY_S, Recording
from app.demo.seed import seed
from app.demo.state import DemoState
from app.fees import tariffs
from app.gates.profile import default_profiles
from app.gates.service import seed_profiles
from app.platform.permissions import Role
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.sheets.service import Sheets
from app.trips.vocabulary import Stage
from capacity.store import seed_yards
from geo.clock import FixedClock
from geo.corridor import Corridor
from ingest.formats import plate_recognizer


@pytest.fixture(scope="module")
def recording() -> Recording:
    """The first trucks of the day, and the moment at which most of them are at their gates."""
    whole = Recording.load()
    about = {**whole.about, "start_s": 12_000, "driver_truck": 0}
    return replace(whole, about=about, trucks=whole.trucks[:70])


@pytest.fixture
def officers(runtime: Runtime, sheets: Sheets, clock: FixedClock, recording: Recording, tmp_path: Path) -> Officers:
    """The officers of an installation, two hours into the feeding."""
    now, corridor = clock.now(), runtime.corridor
    with runtime.sessions.begin() as session:
        seed_yards(session, corridor, now=now)
        seed_profiles(session, corridor, now=now)
        procedures.add_shipped(session, now)
        tariffs.seed_tariffs(session, now=now)
        fleet = seed(session, corridor, now, recording, tmp_path)
        people = hire(session, corridor, fleet, now)
        open_accounts(session, [gate.site_id for gate in corridor.gates()], now)
    state = DemoState.load(tmp_path, now, recording.start_s)
    playback = Playback(recording, state.timeline, state.shifts)
    return Officers(playback, fleet, corridor, runtime.sessions, clock, people, sheets)


def work(officers: Officers) -> None:
    """Let them act until nothing is due."""
    officers.step()
    while officers.is_behind:
        officers.step()


def ask(runtime: Runtime, query: str, **values: Any) -> list[Any]:
    with runtime.sessions() as session:
        return list(session.execute(text(query), values).all())


def test_a_plan_repeats_and_keeps_the_order_of_the_steps() -> None:
    passages = Passages(0.0, 6000.0, 9000.0, 15_000.0)
    for truck in range(200):
        plan = draw_plan(passages, truck=truck, day=3, direction="export", gate_id="huu-nghi", depart_s=0.0)
        again = draw_plan(passages, truck=truck, day=3, direction="export", gate_id="huu-nghi", depart_s=0.0)
        assert plan == again
        steps = plan.steps
        assert steps["health"] < steps["barrier_1"] < passages.entered_s < steps["yard"]
        assert steps["quarantine_plant"] < steps["transshipment"] < steps["customs"] < passages.left_s
        assert plan.decide_s < plan.pay_s < passages.left_s < steps["barrier_2"]
        assert plan.declare_s < 0.0


def test_channels_and_oddities_have_their_shares() -> None:
    passages = Passages(0.0, 6000.0, 9000.0, 15_000.0)
    plans = [
        draw_plan(passages, truck=truck, day=day, direction="export", gate_id="huu-nghi", depart_s=0.0)
        for truck in range(500)
        for day in range(4)
    ]
    channels = Counter(plan.channel for plan in plans)
    assert 0.56 < channels["green"] / len(plans) < 0.64
    assert 0.07 < channels["red"] / len(plans) < 0.13
    assert 0.03 < sum(plan.undeclared_s is not None for plan in plans) / len(plans) < 0.07
    assert 0.03 < sum(plan.returned_at is not None for plan in plans) / len(plans) < 0.09


def test_every_truck_of_the_day_enters_a_yard(corridor: Corridor) -> None:
    recording = Recording.load()
    for truck, passages in zip(recording.trucks, find_passages(recording, corridor), strict=True):
        assert passages is not None, truck
        assert passages.near_s <= passages.entered_s < passages.left_s


def test_every_declaration_can_be_submitted(recording: Recording, clock: FixedClock, corridor: Corridor) -> None:
    arrival = clock.now() + timedelta(hours=5)
    rules = default_profiles(corridor)
    for truck in Recording.load().trucks:
        for correction in (0, 1):
            written = write_declaration(
                truck, plate=truck.plate, gate_id=truck.gate, day=0, planned_arrival=arrival, correction=correction
            )
            form, unreadable = read(written)
            assert not unreadable
            assert not problems_of(checks.check(form, checks.Surroundings(clock.now(), rules))), truck


@pytest.mark.long
def test_a_day_of_officers(officers: Officers, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """One day for all that is asked of it: what a first start does takes longer than looking at it."""
    with monkeypatch.context() as patched:
        patched.setattr("app.demo.officers.ROAD_BUDGET_S", 0.0)
        serve_gates_first(officers, runtime)
    work(officers)
    trips_are_where_their_trucks_are(officers, runtime)
    a_second_look_and_a_restart_change_nothing(officers, runtime)
    a_few_hours_end_trips_and_leave_work_at_every_station(officers, runtime)


def serve_gates_first(officers: Officers, runtime: Runtime) -> None:
    """A truck at its gate gets its papers at once, those on the road when there is time for them."""
    undeclared = "SELECT trip_id FROM app.trip WHERE simulated AND procedure_id IS NULL ORDER BY planned_arrival"
    waiting = [row.trip_id for row in ask(runtime, undeclared)]
    at_gate = waiting[0]
    put = text("UPDATE app.trip SET stage = :stage WHERE trip_id = :trip")
    with runtime.sessions.begin() as session:
        session.execute(put, {"stage": Stage.QUEUED, "trip": at_gate})
    officers.step()
    assert (officers.is_behind, officers.is_behind_at_gates) == (True, False)
    assert [row.trip_id for row in ask(runtime, undeclared)] == [trip for trip in waiting if trip != at_gate]


def trips_are_where_their_trucks_are(officers: Officers, runtime: Runtime) -> None:
    now = runtime.clock.now()
    for row in ask(
        runtime,
        "SELECT trip_id, vehicle_id, planned_arrival, procedure_id FROM app.trip "
        "WHERE stage NOT IN ('out', 'cancelled') AND simulated "
        "AND facts ->> 'vehicle_role' IS DISTINCT FROM 'receiver'",
    ):
        truck = officers.fleet.vehicle_ids.index(row.vehicle_id)
        if truck == officers.playback.recording.driver_truck:
            assert row.procedure_id is None
            continue
        passages, timeline = officers.passages[truck], officers.playback.timeline
        info = officers.playback.recording.trucks[truck]
        day = round((timeline.seconds(row.planned_arrival) - info.planned_arrival_s) / DAY_S)
        assert passages is not None
        steps = dict(ask(runtime, "SELECT step, status FROM app.trip_step WHERE trip_id = :trip", trip=row.trip_id))
        if steps and timeline.moment(day, passages.entered_s) + timedelta(minutes=30) < now:
            assert steps["barrier_1" if info.direction == "export" else "barrier_2"] == "done"
        if steps and timeline.moment(day, passages.entered_s) > now and info.direction == "export":
            assert steps["yard"] != "done"
    assert ask(runtime, "SELECT count(*) FROM app.fee WHERE status = 'open_question'")[0][0] > 0
    late = ask(runtime, "SELECT count(*) FROM app.trip_step WHERE done_at > :now", now=now)
    assert late[0][0] == 0
    assert ask(runtime, "SELECT count(*) FROM app.trip_step WHERE status = 'done'")[0][0] > 30


def a_second_look_and_a_restart_change_nothing(officers: Officers, runtime: Runtime) -> None:
    work(officers)
    query = "SELECT trip_id, version, facts::text FROM app.trip ORDER BY trip_id"
    before = ask(runtime, query)
    again = replace_officers(officers)
    work(again)
    assert ask(runtime, query) == before


def replace_officers(officers: Officers) -> Officers:
    """As a new process has them."""
    return Officers(
        officers.playback,
        officers.fleet,
        officers.corridor,
        officers.sessions,
        officers.clock,
        officers.people,
        officers.sheets,
    )


def a_few_hours_end_trips_and_leave_work_at_every_station(officers: Officers, runtime: Runtime) -> None:
    clock = runtime.clock
    assert isinstance(clock, FixedClock)
    for _ in range(8):
        work(officers)
        clock.advance(1800.0)
    done = {
        step: count
        for step, count in ask(runtime, "SELECT step, count(*) FROM app.trip_step WHERE status = 'done' GROUP BY step")
    }
    for step in ("declaration", "health", "barrier_1", "yard", "quarantine_plant", "customs", "fee", "barrier_2"):
        assert done.get(step, 0) > 5, (step, done)
    assert ask(runtime, "SELECT count(*) FROM app.trip WHERE stage = 'out' AND procedure_id IS NOT NULL")[0][0] > 5
    received = "SELECT count(*) FROM app.trip WHERE facts ->> 'vehicle_role' = 'receiver' AND stage = 'out'"
    assert ask(runtime, received)[0][0] > 0, "trucks that took over goods leave too"
    paid = dict(ask(runtime, "SELECT method, count(*) FROM app.payment GROUP BY method"))
    assert set(paid) == {"cash", "transfer"}
    assert ask(runtime, "SELECT count(*) FROM app.declaration WHERE returned_at IS NOT NULL")[0][0] > 0
    assert ask(runtime, "SELECT count(*) FROM app.undeclared_arrival WHERE submitted_at IS NOT NULL")[0][0] > 0


def test_cameras_are_set_up_once_and_send_what_the_door_reads(
    officers: Officers, runtime: Runtime, tmp_path: Path
) -> None:
    by = officers.people[Role.ADMINISTRATOR, None]
    now = runtime.clock.now()
    with runtime.sessions.begin() as session:
        keys = set_up(session, by, officers.corridor, tmp_path, now)
        assert set_up(session, by, officers.corridor, tmp_path, now) == keys
    assert len(keys) == 4
    assert ask(runtime, "SELECT count(*) FROM app.equipment")[0][0] == 4
    reads = [
        plate_recognizer.decode(json.dumps(read_of("29C12345", "x", now + timedelta(seconds=n))).encode(), "")[0]
        for n in range(300)
    ]
    wrong = [plate_read for plate_read in reads if plate_read.plate != "29C12345"]
    assert 5 < len(wrong) < 40
    assert all(plate_read.confidence < 0.8 for plate_read in wrong)


def test_nobody_can_sign_in_as_a_simulated_person(officers: Officers, runtime: Runtime) -> None:
    names = ask(runtime, "SELECT full_name FROM app.account WHERE username LIKE 'demo.customs.%'")
    assert len(names) == 2
    assert all(name.endswith("(mô phỏng)") for (name,) in names)
