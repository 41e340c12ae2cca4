"""Time in each stage and step: kept as it ends, summed by day, asked for without reading history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.platform.runtime import Runtime
from app.reporting import bulletin, statistics
from app.reporting.statistics import BOUNDS_S, quantile_s
from app.trips.vocabulary import PlaceKind
from tests.app.dispatching import Stage, set_stage
from tests.app.placing import put_place

SignIn = Callable[..., TestClient]
TODAY = date(2026, 3, 2)


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    runtime.settings.session_hours = 24 * 60
    return set_stage(runtime, sign_in)


def run(runtime: Runtime, statement: str, **values: Any) -> None:
    with runtime.sessions() as session:
        session.execute(text(statement), values)
        session.commit()


def move_to(stage: Stage, kind: PlaceKind, after: timedelta) -> None:
    stage.runtime.clock.advance(after.total_seconds())  # type: ignore[attr-defined]
    with stage.runtime.sessions() as session:
        put_place(session, stage.trip_id, kind, stage.runtime.clock.now())
        session.commit()


def add_stay(runtime: Runtime, ended_at: datetime, length: timedelta, **changes: Any) -> None:
    values = {
        "trip_id": 1,
        "gate_id": "huu-nghi",
        "kind": "step",
        "name": "customs",
        "outcome": "done",
        "agency": "customs",
        "began_at": ended_at - length,
        "ended_at": ended_at,
        **changes,
    }
    columns = ", ".join(values)
    run(runtime, f"INSERT INTO app.stay ({columns}) VALUES ({', '.join(f':{name}' for name in values)})", **values)


def times(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/statistics/steps", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_a_stage_is_kept_as_it_ends(stage: Stage) -> None:
    move_to(stage, PlaceKind.ON_THE_ROAD, timedelta(hours=1))
    move_to(stage, PlaceKind.UNKNOWN, timedelta(minutes=50))
    move_to(stage, PlaceKind.QUEUED, timedelta(minutes=70))
    move_to(stage, PlaceKind.GATE_AREA, timedelta(minutes=40))
    move_to(stage, PlaceKind.YARD, timedelta(minutes=5))
    stage.runtime.clock.advance(1)  # type: ignore[attr-defined]
    found = {figure["name"]: figure for figure in times(stage.police)}
    assert set(found) == {"on_the_road", "queued"}
    assert found["queued"]["mean_s"] == 2400
    assert found["on_the_road"]["longest_s"] == 7200, "two places, one stage"
    assert found["queued"]["hour_trips"][13] == 1, "ended 13:40 at the border"


def test_a_stage_that_was_broken_off_by_cancelling_is_none(stage: Stage) -> None:
    move_to(stage, PlaceKind.ON_THE_ROAD, timedelta(hours=1))
    stage.runtime.clock.advance(1800)  # type: ignore[attr-defined]
    tag = stage.enterprise.get(f"/api/v1/trips/{stage.trip_id}").headers["ETag"]
    gone = stage.enterprise.post(f"/api/v1/trips/{stage.trip_id}/cancel", headers={"If-Match": tag})
    assert gone.status_code < 300, gone.text
    stage.runtime.clock.advance(1)  # type: ignore[attr-defined]
    assert times(stage.police) == []


def test_a_step_is_kept_with_its_agency(stage: Stage, sign_in: SignIn) -> None:
    officer = sign_in("customs", gate_id="huu-nghi").account_id  # type: ignore[attr-defined]
    now = stage.runtime.clock.now()
    run(
        stage.runtime,
        "INSERT INTO app.trip_step (trip_id, step, status, since) VALUES (:trip, 'customs', 'waiting', :now), "
        "(:trip, 'fee', 'ready', :now), (:trip, 'yard', 'waiting', :now)",
        trip=stage.trip_id,
        now=now,
    )
    step = (
        "UPDATE app.trip_step SET status = :status, since = :at, done_at = :done_at, done_by = :by WHERE step = :step"
    )
    later = now + timedelta(minutes=10)
    run(stage.runtime, step, step="customs", status="ready", at=later, done_at=None, by=None)
    end = later + timedelta(minutes=25)
    run(stage.runtime, step, step="customs", status="done", at=end, done_at=end, by=officer)
    run(stage.runtime, step, step="yard", status="done", at=end, done_at=end, by=None)
    run(stage.runtime, step, step="fee", status="not_needed", at=end, done_at=None, by=None)
    stage.runtime.clock.advance(3600)  # type: ignore[attr-defined]
    found = {(figure["name"], figure["agency"]): figure["mean_s"] for figure in times(stage.police)}
    assert found == {("customs", "customs"): 1500, ("yard", "platform"): 0}


def test_days_that_are_over_are_summed_and_single_stays_forgotten(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    for days in (1, 3, 40):
        add_stay(stage.runtime, now - timedelta(days=days), timedelta(minutes=30))
    before = times(stage.police, since="2026-01-10")
    assert before == []
    for _ in range(6):
        with stage.runtime.sessions() as session:
            bulletin.sum_up(session, now, ["huu-nghi", "tan-thanh"])
            session.commit()
    (figure,) = times(stage.police, since="2026-01-10")
    assert (figure["trips"], figure["mean_s"], figure["longest_s"]) == (3, 1800, 1800)
    assert figure["hour_trips"][10] == 3
    stage.runtime.clock.advance(30 * 86_400)  # type: ignore[attr-defined]
    with stage.runtime.sessions() as session:
        bulletin.sum_up(session, stage.runtime.clock.now(), ["huu-nghi", "tan-thanh"])
        session.commit()
        assert session.execute(text("SELECT count(*) FROM app.stay")).scalar_one() == 2
    assert times(stage.police, since="2026-01-10", until="2026-02-10")[0]["trips"] == 1


def test_a_late_report_changes_yesterday(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    for minutes in (30, 90):
        add_stay(stage.runtime, now - timedelta(days=1), timedelta(minutes=minutes))
        with stage.runtime.sessions() as session:
            bulletin.sum_up(session, now, ["huu-nghi"])
            session.commit()
        now += bulletin.AGAIN_AFTER
    assert times(stage.police, since="2026-03-01", until="2026-03-01")[0]["trips"] == 2


def test_summing_twice_counts_once(stage: Stage) -> None:
    add_stay(stage.runtime, stage.runtime.clock.now() - timedelta(days=1), timedelta(minutes=5))
    for _ in range(2):
        with stage.runtime.sessions() as session:
            statistics.sum_day(session, TODAY - timedelta(days=1))
            session.commit()
    assert times(stage.police)[0]["trips"] == 1


def test_a_station_sees_its_own_gate_only(stage: Stage, sign_in: SignIn) -> None:
    now = stage.runtime.clock.now() - timedelta(minutes=1)
    add_stay(stage.runtime, now, timedelta(minutes=5))
    add_stay(stage.runtime, now, timedelta(minutes=5), gate_id="tan-thanh")
    station = sign_in("border_guard", gate_id="tan-thanh")
    assert {figure["gate_id"] for figure in times(station)} == {"tan-thanh"}
    assert {figure["gate_id"] for figure in times(stage.police)} == {"huu-nghi", "tan-thanh"}
    assert station.get("/api/v1/statistics/steps?gate=huu-nghi").status_code == 403
    assert stage.enterprise.get("/api/v1/statistics/steps").status_code == 403


def test_too_many_days_are_refused(stage: Stage) -> None:
    assert stage.police.get("/api/v1/statistics/steps?since=2025-01-01").status_code == 422
    assert stage.police.get("/api/v1/statistics/steps?since=2026-03-02&until=2026-03-01").status_code == 422


def test_who_waits_longest_comes_first(stage: Stage) -> None:
    move_to(stage, PlaceKind.GATE_AREA, timedelta(hours=1))
    (wait,) = stage.police.get("/api/v1/statistics/waits").json()["items"]
    assert (wait["kind"], wait["name"], wait["agency"]) == ("stage", "in_the_yard", "")
    now = stage.runtime.clock.now()
    run(
        stage.runtime,
        "INSERT INTO app.trip_step (trip_id, step, status, since) VALUES (:trip, 'customs', 'ready', :late), "
        "(:trip, 'fee', 'ready', :early), (:trip, 'barrier_2', 'waiting', :early)",
        trip=stage.trip_id,
        late=now + timedelta(minutes=5),
        early=now,
    )
    run(stage.runtime, 'UPDATE app.trip SET facts = \'{"collector": "tax"}\'')
    waits = stage.police.get("/api/v1/statistics/waits?gate=huu-nghi").json()["items"]
    assert [(wait["name"], wait["agency"]) for wait in waits] == [("fee", "tax"), ("customs", "customs")]
    assert stage.police.get("/api/v1/statistics/waits?gate=tan-thanh").json()["items"] == []
    page = stage.enterprise.get(f"/enterprise/trips/{stage.trip_id}").text
    assert 'data-testid="steps-now"' in page
    assert "Cơ quan thuế" in page
    assert 'data-testid="steps-now"' in stage.driver.get("/driver").text


def test_the_page_has_table_and_charts(stage: Stage) -> None:
    add_stay(stage.runtime, stage.runtime.clock.now() - timedelta(minutes=1), timedelta(minutes=5))
    page = stage.police.get("/statistics")
    assert page.status_code == 200
    assert 'id="lengths"' in page.text
    assert "Kiểm hóa" in page.text
    assert stage.police.get("/statistics?since=nonsense").status_code == 422


@pytest.mark.parametrize(
    ("lengths", "share", "expected"),
    [([], 0.5, None), ([0.0], 0.5, 0.0), ([40.0] * 4, 0.5, 35.0), ([90.0] * 9 + [9e5], 0.5, 60 + 60 * 5 / 9)],
)
def test_quantiles_are_read_off_the_classes(lengths: list[float], share: float, expected: float | None) -> None:
    import bisect

    classes = [0] * (len(BOUNDS_S) + 1)
    for length in lengths:
        classes[bisect.bisect_right(BOUNDS_S, length)] += 1
    found = quantile_s(classes, share, max(lengths, default=0.0))
    assert found == (None if expected is None else pytest.approx(expected))


def test_asking_does_not_read_history(stage: Stage, session: Session) -> None:
    """Whatever the page asks goes by an index, so that it costs no more when the tables grow."""
    session.execute(text("SET LOCAL enable_seqscan = off"))
    for table, condition in (
        ("stay", "ended_at >= now()"),
        ("trip_place", "ended_at >= now()"),
        ("trip_place", "kind IN ('over_the_border', 'inland', 'turned_back') AND began_at >= now()"),
        ("step_day", "day >= '2026-03-01'"),
        ("trip_step", "is_live AND status IN ('ready', 'returned')"),
        ("webhook_delivery", "status = 'waiting' AND next_try_at <= now()"),
    ):
        plan = session.execute(text(f"EXPLAIN SELECT * FROM app.{table} WHERE {condition}")).scalars().all()
        assert any("Index" in line for line in plan), (table, plan)


def test_the_audit_log_is_exported_with_its_hashes(stage: Stage, sign_in: SignIn) -> None:
    import csv
    import io

    answer = sign_in("auditor").get("/audit/export.csv?action=trips.")
    head, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    line = dict(zip(head, row, strict=True))
    assert (line["action"], line["object_id"], len(line["hash"])) == ("trips.create", str(stage.trip_id), 64)
    assert stage.police.get("/audit/export.csv").status_code == 403
