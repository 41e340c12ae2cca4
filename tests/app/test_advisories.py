"""Advice that stands: made, kept, decided and over, on a real database; and the thresholds behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.dispatch import advisories
from app.platform.runtime import Runtime
from app.trips.places import Places
from tests.app.dispatching import Stage, set_stage

SignIn = Callable[..., TestClient]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ahead:
    """A forecast in which Hữu Nghị's queue grows straight to a kilometre."""

    made_at: datetime
    to_km: float
    step_s: float = 300.0
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    gate_ids: tuple[str, ...] = ("huu-nghi", "tan-thanh")
    yard_ids: tuple[str, ...] = ("xuan-cuong",)
    pace_veh_per_h: Mapping[str, float] = field(default_factory=dict)

    def _lines(self, *ends: float) -> Floats:
        middle = np.stack([np.linspace(1.0, end, 72) for end in ends])
        return np.stack([middle * 0.9, middle, middle * 1.1])

    @property
    def tail_km(self) -> Floats:
        return self._lines(self.to_km, 1.0)

    @property
    def tail_reached_km(self) -> Floats:
        return np.maximum.accumulate(self.tail_km, axis=-1)

    @property
    def queue_veh(self) -> Floats:
        return self._lines(40 * self.to_km, 1.0)

    @property
    def wait_s(self) -> Floats:
        return self._lines(900 * self.to_km, 60.0)

    @property
    def occupancy_veh(self) -> Floats:
        return self._lines(100.0)


@pytest.fixture
def stage(runtime: Runtime, sign_in: SignIn) -> Stage:
    return set_stage(runtime, sign_in)


def refresh(stage: Stage, to_km: float, *, after_min: float = 0) -> int:
    runtime = stage.runtime
    runtime.clock.advance(60 * after_min)  # type: ignore[attr-defined]
    now = runtime.clock.now()
    with runtime.sessions() as session:
        news = advisories.refresh(session, Ahead(now, to_km), now, places=Places.of(runtime.corridor), forecast_id=7)
        session.commit()
    return news


def standing(stage: Stage) -> list[dict[str, Any]]:
    answer = stage.police.get("/api/v1/advisories")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_advice_is_updated_in_place_and_ends_with_hysteresis(stage: Stage) -> None:
    assert refresh(stage, 9.0) == 1
    (first,) = standing(stage)
    assert (first["gate_id"], first["kind"], first["severity"], first["status"]) == (
        "huu-nghi",
        "queue",
        "warning",
        "open",
    )
    assert first["text"].startswith("Hàng chờ Cửa khẩu Hữu Nghị sẽ tới km 6 lúc ")
    refresh(stage, 9.0, after_min=1)
    refresh(stage, 14.0, after_min=1)
    (again,) = standing(stage)
    assert (again["advisory_id"], again["severity"]) == (first["advisory_id"], "alarm")
    assert refresh(stage, 1.0, after_min=1) == 0
    assert len(standing(stage)) == 1
    assert refresh(stage, 1.0, after_min=10) == 1
    assert standing(stage) == []
    (over,) = stage.police.get("/api/v1/advisories", params={"current": False}).json()["items"]
    assert (over["status"], over["over_at"] is not None) == ("over", True)
    with stage.runtime.sessions() as session:
        query = text("SELECT data ->> 'status', audience FROM app.outbox WHERE type = 'advisory' ORDER BY event_id")
        rows = session.execute(query).all()
    assert (rows[0][0], rows[-1][0]) == ("open", "over")
    assert all(row[1]["roles"] == ["traffic_police"] for row in rows)


def test_a_draft_becomes_an_order_and_the_advice_is_taken(stage: Stage) -> None:
    refresh(stage, 9.0)
    (advice,) = standing(stage)
    (hold,) = [measure for measure in advice["measure"] if measure["kind"] == "hold"]
    assert hold["text"].startswith("Giữ 1 xe tại Điểm dừng chờ Lạng Sơn đến ")
    body = {**hold["draft"], "advisory_id": advice["advisory_id"]}
    order = stage.police.post("/api/v1/orders", json=body)
    assert order.status_code == 201, order.text
    assert order.json()["recipients"][0]["vehicle_id"] == stage.vehicle_id
    (advice,) = standing(stage)
    assert (advice["status"], advice["decided_by"]) == ("taken", "traffic_police-3")
    refresh(stage, 9.0, after_min=1)
    assert standing(stage)[0]["status"] == "taken"


def test_what_was_dismissed_comes_back_only_when_it_is_worse(stage: Stage) -> None:
    refresh(stage, 9.0)
    (advice,) = standing(stage)
    where = f"/api/v1/advisories/{advice['advisory_id']}"
    assert stage.police.post(f"{where}/dismiss", json={"reason": " "}).status_code == 422
    for _ in range(2):
        dismissed = stage.police.post(f"{where}/dismiss", json={"reason": "Đã phân luồng"})
        assert (dismissed.status_code, dismissed.json()["status"]) == (200, "dismissed")
    assert stage.police.post(f"{where}/take").status_code == 409
    refresh(stage, 9.0, after_min=1)
    assert [advisory["status"] for advisory in standing(stage)] == ["dismissed"]
    refresh(stage, 14.0, after_min=1)
    (worse,) = standing(stage)
    assert (worse["status"], worse["severity"]) == ("open", "alarm")
    assert worse["advisory_id"] != advice["advisory_id"]
    with stage.runtime.sessions() as session:
        actions = session.execute(
            text("SELECT action FROM app.audit WHERE object_type = 'advisory' ORDER BY audit_id")
        ).scalars()
        assert list(actions) == ["advisories.dismiss"]


def test_only_the_police_decide(stage: Stage, sign_in: SignIn) -> None:
    refresh(stage, 9.0)
    (advice,) = standing(stage)
    where = f"/api/v1/advisories/{advice['advisory_id']}"
    planner = sign_in("planner")
    assert planner.get(where).json()["text"] == advice["text"]
    assert planner.post(f"{where}/take").status_code == 403
    for client in (stage.driver, stage.enterprise):
        assert client.get("/api/v1/advisories").status_code == 403
    assert stage.police.post(f"{where}/take").json()["status"] == "taken"
    assert stage.police.get("/api/v1/advisories/999").status_code == 404


def test_planners_set_the_thresholds(stage: Stage, sign_in: SignIn) -> None:
    planner, where = sign_in("planner"), "/api/v1/settings/policy"
    first = planner.get(where)
    assert (first.json()["version"], first.headers["ETag"]) == (0, '"0"')
    value = {**first.json()["value"], "queue_warning_km": 12, "queue_alarm_km": 20}
    assert planner.put(where, json=value).status_code == 428
    assert stage.police.put(where, json=value, headers={"If-Match": '"0"'}).status_code == 403
    saved = planner.put(where, json=value, headers={"If-Match": '"0"'})
    assert (saved.status_code, saved.json()["version"]) == (200, 1)
    assert planner.put(where, json=value, headers={"If-Match": '"0"'}).status_code == 412
    assert planner.put(where, json=value, headers={"If-Match": '"1"'}).json()["version"] == 2
    wrong = {**value, "queue_warning_km": 1}
    assert planner.put(where, json=wrong, headers={"If-Match": '"2"'}).status_code == 422
    assert stage.driver.get(where).status_code == 403
    refresh(stage, 9.0)
    assert [advisory["severity"] for advisory in standing(stage)] == ["notice"]


def test_a_forecast_without_gate_settings_still_advises(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        seen = advisories.read_outlook(session, Ahead(now + timedelta(0), 9.0), now)
    assert seen.gates["huu-nghi"].closes_at is None
    assert [truck.gate_id for truck in seen.trucks] == ["huu-nghi"]


def test_advice_counts_with_the_pace_that_a_gate_was_seen_to_keep(stage: Stage) -> None:
    now = stage.runtime.clock.now()
    with stage.runtime.sessions() as session:
        believed = advisories.read_outlook(session, Ahead(now, 9.0), now).gates
        seen = advisories.read_outlook(session, Ahead(now, 9.0, pace_veh_per_h={"huu-nghi": 11.5}), now).gates
    assert seen["huu-nghi"].service_veh_per_h == 11.5
    assert seen["tan-thanh"].service_veh_per_h == believed["tan-thanh"].service_veh_per_h


def test_a_changed_advice_says_what_changed_and_does_not_pile_up(stage: Stage) -> None:
    refresh(stage, 9.0)
    (first,) = standing(stage)
    assert first["change"] == ""
    refresh(stage, 16.0, after_min=2)
    (second,) = standing(stage)
    assert second["advisory_id"] == first["advisory_id"]
    assert "Cảnh báo → Báo động" in second["change"]
    refresh(stage, 16.0, after_min=1)
    (third,) = standing(stage)
    assert third["change"] == second["change"], "what was told last stays told"


def tellings(stage: Stage, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    span = {"from": begin.isoformat(), "to": end.isoformat()}
    answer = stage.police.get("/api/v1/advisories/tellings", params=span)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_the_past_has_the_words_of_its_time(stage: Stage) -> None:
    clock = stage.runtime.clock
    began = clock.now()
    said: dict[datetime, str] = {}
    for to_km, after_min in ((9.0, 0), (9.2, 1), (16.0, 2), (16.0, 1), (16.2, 6)):
        refresh(stage, to_km, after_min=after_min)
        (advice,) = standing(stage)
        said[clock.now()] = advice["text"]
    moments = list(said)
    told = tellings(stage, began, clock.now() + timedelta(seconds=1))
    assert [datetime.fromisoformat(each["told_at"]) for each in told] == [moments[0], moments[2], moments[4]]
    assert [each["text"] for each in told] == [said[moments[0]], said[moments[2]], said[moments[4]]]
    assert [each["severity"] for each in told] == ["warning", "alarm", "alarm"]
    later = tellings(stage, moments[3], moments[4])
    assert [each["text"] for each in later] == [said[moments[2]]], "what stood when the time began"
    for begin, end in ((began, began), (began, began + timedelta(hours=26))):
        span = {"from": begin.isoformat(), "to": end.isoformat()}
        assert stage.police.get("/api/v1/advisories/tellings", params=span).status_code == 422
