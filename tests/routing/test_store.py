"""The store of `routing` on a real PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from geo.corridor import Corridor
from geo.errors import ConflictError, NotFoundError
from routing import store
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.graph import build_network
from routing.measure import measure_queues

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


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
    with Session(clean_database) as session, Session(clean_database) as two:
        a = store.claim_scenario_run(session, now=NOW)
        b = store.claim_scenario_run(two, now=NOW)
        assert a is not None
        assert b is not None
        assert a.run_id != b.run_id
        session.rollback()
        two.rollback()
