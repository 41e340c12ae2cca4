"""The store of `routing` on a real PostgreSQL."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from geo.corridor import Corridor
from geo.errors import ConflictError, InvalidInputError, NotFoundError, StaleError
from geo.opening_hours import OpeningHours, parse_intervals
from routing import store
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.graph import build_network
from routing.measure import measure_queues
from routing.records import hours_columns
from tests.geo.test_opening_hours import opening_hours

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def test_gates_get_assumed_settings_once(session: Session, corridor: Corridor) -> None:
    store.seed_gate_settings(session, corridor, now=NOW)
    changed = store.update_gate_setting(session, "huu-nghi", "export", {"lanes": 6}, version=1, now=NOW, updated_by=7)
    assert (changed.lanes, changed.version, changed.updated_by) == (6, 2, 7)
    store.seed_gate_settings(session, corridor, now=NOW)
    assert store.get_gate_setting(session, "huu-nghi").lanes == 6
    assert [(s.gate_id, s.direction) for s in store.gate_settings(session)] == [
        ("huu-nghi", "export"),
        ("huu-nghi", "import"),
        ("tan-thanh", "export"),
        ("tan-thanh", "import"),
    ]
    setting = changed.to_setting()
    assert setting.crossing.lanes == 6
    assert str(setting.crossing.hours) == "07:00–19:00"


def test_an_edit_of_an_old_version_is_refused(session: Session, corridor: Corridor) -> None:
    store.seed_gate_settings(session, corridor, now=NOW)
    store.update_gate_setting(session, "huu-nghi", "export", {"open_to": time(21, 0)}, version=1, now=NOW)
    with pytest.raises(StaleError, match="now it is version 2"):
        store.update_gate_setting(session, "huu-nghi", "export", {"lanes": 3}, version=1, now=NOW)


def test_a_gate_with_breaks_and_holidays_is_kept_as_it_is(session: Session, corridor: Corridor) -> None:
    hours = {"opens": "06:30", "closes": "20:00", "breaks": "11:30–13:00", "holidays": {"2026-02-17": ""}}
    gate = corridor.get_site("huu-nghi")
    gate = replace(gate, attributes={**gate.attributes, **hours})
    store.seed_gate_settings(session, replace(corridor, sites={**corridor.sites, "huu-nghi": gate}), now=NOW)
    stored = store.get_gate_setting(session, "huu-nghi")
    assert (stored.open_from, stored.open_to) == (time(6, 30), time(20, 0))
    assert (stored.breaks, stored.holidays) == ("11:30–13:00", {"2026-02-17": ""})
    assert stored.to_setting().crossing.hours == gate.opening_hours
    changes = {"breaks": "", "holidays": {"2026-02-17": "08:00–10:00"}}
    changed = store.update_gate_setting(session, "huu-nghi", "export", changes, version=1, now=NOW)
    assert str(changed.hours) == "06:30–20:00"
    assert changed.hours.open_at(datetime(2026, 2, 17, 2, 0, tzinfo=UTC))
    for bad, match in (({"breaks": "noon"}, "noon is no interval"), ({"holidays": {"Tết": ""}}, "Tết is no date")):
        with pytest.raises(InvalidInputError, match=match):
            store.update_gate_setting(session, "huu-nghi", "export", bad, version=2, now=NOW)


@given(opening_hours())
def test_any_day_is_one_interval_with_breaks(hours: OpeningHours) -> None:
    if not hours.daily_open_s:
        with pytest.raises(InvalidInputError, match="needs an hour"):
            hours_columns(hours)
        return
    columns = hours_columns(hours)
    interval = f"{columns['open_from'].isoformat()}–{columns['open_to'].isoformat()}"
    back = OpeningHours.parse(interval, breaks=columns["breaks"], holidays=columns["holidays"])
    assert back.spans(NOW, NOW + timedelta(days=3)) == replace(
        hours, intervals=parse_intervals(str(hours)), breaks=()
    ).spans(NOW, NOW + timedelta(days=3))


def test_impossible_settings_are_refused_by_name(session: Session, corridor: Corridor) -> None:
    store.seed_gate_settings(session, corridor, now=NOW)
    for changes, match in (({"lanes": 0}, "0 lanes"), ({"colour": 1}, "colour"), ({"service_mean_s": 0.0}, "0.0 s")):
        with pytest.raises(InvalidInputError, match=match):
            store.update_gate_setting(session, "huu-nghi", "export", changes, version=1, now=NOW)
    with pytest.raises(NotFoundError):
        store.update_gate_setting(session, "nowhere", "export", {}, version=1, now=NOW)


def test_forecasts_come_back_as_they_were(session: Session, corridor: Corridor) -> None:
    network = build_network(corridor)
    assert store.latest_forecast(session, "huu-nghi") is None
    first = forecast(network, CorridorState(made_at=NOW), runs=4, seed=1)
    second = forecast(network, CorridorState(made_at=NOW + timedelta(minutes=1)), runs=4, seed=2)
    store.save_forecast(session, first)
    forecast_id = store.save_forecast(session, second)
    latest = store.latest_forecast(session, "huu-nghi")
    assert latest is not None
    assert (latest.forecast_id, latest.made_at, latest.seed, latest.runs) == (forecast_id, second.made_at, 2, 4)
    np.testing.assert_allclose(latest.queue_veh, second.queue_veh[:, 0], atol=0.01)
    np.testing.assert_allclose(latest.wait_s, second.wait_s[:, 0], atol=0.1)
    assert latest.queue_veh.shape == (3, 73)
    yard = store.latest_yard_forecast(session, "xuan-cuong")
    assert yard is not None
    np.testing.assert_allclose(yard.occupancy_veh, second.occupancy_veh[:, 0], atol=0.01)
    both = store.forecasts_between(session, "tan-thanh", NOW, NOW + timedelta(hours=1))
    assert [f.seed for f in both] == [1, 2]
    assert store.prune_forecasts(session, NOW + timedelta(seconds=30)) == 1
    assert len(store.forecasts_between(session, "tan-thanh", NOW, NOW + timedelta(hours=1))) == 1


def test_measured_queues_are_one_row_a_moment(session: Session, corridor: Corridor) -> None:
    network = build_network(corridor)
    queue = measure_queues(network, CorridorState(made_at=NOW))
    for _ in range(2):
        store.save_queue_observations(session, NOW, network.gate_ids, queue)
    found = store.queue_observations(session, "huu-nghi", NOW, NOW + timedelta(seconds=1))
    assert len(found) == 1
    assert (found[0].queue_veh, found[0].speed_mps) == (0.0, None)


def test_a_scenario_runs_its_course(session: Session) -> None:
    first = store.add_scenario_run(session, {"name": "a"}, seed=1, created_by=3, now=NOW)
    store.add_scenario_run(session, {"name": "b"}, seed=2, created_by=4, now=NOW + timedelta(seconds=1))
    assert [r.inputs["name"] for r in store.scenario_runs(session)] == ["b", "a"]
    assert [r.inputs["name"] for r in store.scenario_runs(session, created_by=3)] == ["a"]
    claimed = store.claim_scenario_run(session, now=NOW)
    assert claimed is not None
    assert claimed.run_id == first.run_id
    assert store.report_progress(session, first.run_id, 0.4)
    assert store.get_scenario_run(session, first.run_id).progress == 0.4
    store.finish_scenario_run(session, first.run_id, now=NOW, result={"x": 1})
    done = store.get_scenario_run(session, first.run_id)
    assert (done.status, done.progress, done.result) == ("done", 1.0, {"x": 1})
    with pytest.raises(ConflictError, match="done"):
        store.cancel_scenario_run(session, first.run_id, now=NOW)
    with pytest.raises(NotFoundError):
        store.get_scenario_run(session, uuid.uuid4())


def test_a_cancelled_run_stops_and_stays_cancelled(session: Session) -> None:
    run = store.add_scenario_run(session, {}, seed=1, created_by=3, now=NOW)
    store.claim_scenario_run(session, now=NOW)
    store.cancel_scenario_run(session, run.run_id, now=NOW)
    assert not store.report_progress(session, run.run_id, 0.5)
    store.finish_scenario_run(session, run.run_id, now=NOW, result={})
    assert store.get_scenario_run(session, run.run_id).status == "cancelled"


def test_an_interrupted_run_is_taken_up_again(session: Session) -> None:
    run = store.add_scenario_run(session, {}, seed=1, created_by=3, now=NOW)
    store.claim_scenario_run(session, now=NOW)
    assert store.claim_scenario_run(session, now=NOW) is None
    assert store.requeue_interrupted_runs(session) == 1
    again = store.claim_scenario_run(session, now=NOW)
    assert again is not None
    assert again.run_id == run.run_id


def test_two_workers_never_take_the_same_run(clean_database: Engine) -> None:
    with Session(clean_database) as setup:
        for i in range(2):
            store.add_scenario_run(setup, {}, seed=i, created_by=1, now=NOW + timedelta(seconds=i))
        setup.commit()
    with Session(clean_database) as one, Session(clean_database) as two:
        a = store.claim_scenario_run(one, now=NOW)
        b = store.claim_scenario_run(two, now=NOW)
        assert a is not None
        assert b is not None
        assert a.run_id != b.run_id
        one.rollback()
        two.rollback()
