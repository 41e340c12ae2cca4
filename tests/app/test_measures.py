"""Acts tried against a risk, what an order would bring, and what it brought: on a real platform, minute by minute."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.control.minute import Minute
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.test_control import put_trucks

SignIn = Callable[..., TestClient]


@pytest.fixture
def jammed(runtime: Runtime) -> Runtime:
    """160 trucks that stand before Hữu Nghị, 40 with fruit and 40 with other goods on their way."""
    runtime.settings.forecast_runs = 24
    with runtime.sessions() as session:
        now = runtime.clock.now()
        capacity_store.seed_yards(session, runtime.corridor, now=now)
        seed_profiles(session, runtime.corridor, now=now)
        session.commit()
    put_trucks(runtime, list(np.arange(1.3, 7.7, 0.04)), speed_mps=0.3)
    put_trucks(runtime, list(np.linspace(22, 60, 40)), perishable=True, first=300)
    put_trucks(runtime, list(np.linspace(23, 61, 40)), first=400)
    return runtime


def events(answer: Any) -> dict[str, Any]:
    """The last event of each name of a stream."""
    found: dict[str, Any] = {}
    for block in answer.text.replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found[lines["event"]] = json.loads(lines["data"])
    return found


def hold(runtime: Runtime, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "hold",
        "selection": {"stretch": {"road": "QL1A", "km_from": 17, "km_to": 70}, "gate_id": "huu-nghi", "limit_veh": 40},
        "parameters": {"site_id": "staging-lang-son", "reason": "queue"},
        "valid_to": (runtime.clock.now() + timedelta(hours=2)).isoformat(),
        **changes,
    }


def test_acts_are_tried_ranked_and_become_orders(jammed: Runtime, sign_in: SignIn) -> None:
    done = Minute.of(jammed).run()
    assert done.failed == []
    police = sign_in("traffic_police")
    advisories = {advisory["advisory_id"]: advisory for advisory in police.get("/api/v1/advisories").json()["items"]}
    (found,) = [
        measure
        for measure in police.get("/api/v1/measures").json()["items"]
        if advisories[measure["advisory_id"]]["kind"] == "queue"
        and advisories[measure["advisory_id"]]["gate_id"] == "huu-nghi"
    ]
    kinds = [measure["kind"] for measure in found["items"]]
    assert "divert" in kinds, found
    sure = [measure for measure in found["items"] if measure["is_sure"]]
    assert found["items"][: len(sure)] == sure, "sure savings come first"
    assert [measure["saved_h"]["mean"] for measure in sure] == sorted(
        (o["saved_h"]["mean"] for o in sure), reverse=True
    )
    for measure in found["items"]:
        assert measure["saved_h"]["low"] <= measure["saved_h"]["mean"] <= measure["saved_h"]["high"]
        assert measure["is_sure"] == (measure["saved_h"]["low"] > 0)
        assert measure["text"]
    reasons = {refusal["kind"]: refusal["text"] for refusal in found["impossible"]}
    assert reasons["release"]
    assert not set(kinds) & set(reasons), "what is offered is not refused"
    best = next(measure for measure in found["items"] if measure["kind"] == "divert")
    preview = police.post("/api/v1/orders/preview", json=best["draft"])
    assert preview.status_code == 200, preview.text
    assert len(preview.json()["recipients"]) == best["draft"]["selection"]["limit_veh"]
    before = found["made_at"]
    assert Minute.of(jammed).run().failed == []
    assert police.get("/api/v1/measures").json()["items"][0]["made_at"] == before, "what was tried holds for a while"


def test_the_composer_sees_queue_and_wait_without_and_with_the_order(jammed: Runtime, sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    early = events(police.post("/api/v1/measures/effect", json=hold(jammed)))
    assert early["effect"]["missing"] == "no_forecast"
    assert early["effect"]["text"]
    Minute.of(jammed).run()
    found = events(police.post("/api/v1/measures/effect", json=hold(jammed)))
    assert found["progress"]["share"] == 1.0
    effect = found["effect"]
    assert (effect["missing"], effect["reached"], effect["recipients"]) == (None, 40, 40)
    (gate,) = effect["gates"]
    without, with_order = (np.array(gate["queue_veh"][name]) for name in ("without", "with"))
    assert without.shape == with_order.shape == (3, 73)
    assert with_order[1, 18] < without[1, 18] - 5, "an hour and a half later they are missed in the queue"
    assert effect["room"]["left"] == effect["room"]["capacity"] - 40
    notice = hold(jammed, kind="notice")
    assert events(police.post("/api/v1/measures/effect", json=notice))["effect"]["missing"] == "not_modelled"
    past = hold(jammed, selection={"stretch": {"road": "QL1A", "km_from": 0, "km_to": 8}})
    assert events(police.post("/api/v1/measures/effect", json=past))["effect"]["missing"] == "nobody"
    wrong = police.post("/api/v1/measures/effect", json=hold(jammed, parameters={"site_id": "nowhere"}))
    assert wrong.status_code == 422
    jammed.clock.advance(600)  # type: ignore[attr-defined]
    assert events(police.post("/api/v1/measures/effect", json=hold(jammed)))["effect"]["missing"] == "forecast_old"


def test_what_an_order_brought_is_scored_when_its_hours_have_come(jammed: Runtime, sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    Minute.of(jammed).run()
    order_id = police.post("/api/v1/orders", json=hold(jammed)).json()["order_id"]
    Minute.of(jammed).run()
    (kept,) = police.get("/api/v1/measures/effects", params={"order_id": order_id}).json()["items"]
    assert (kept["realised_h"], kept["scored_at"]) == (None, None)
    assert kept["expected_h"]["mean"] > 5
    with jammed.sessions() as session:
        made_at = jammed.clock.now()
        without = session.execute(text("SELECT without_veh FROM app.order_effect")).scalar_one()
        seconds = np.arange(300, 18_000, 300)
        queue = np.interp(seconds, np.arange(73) * 300, without[1])
        for at_s, veh in zip(seconds, np.maximum(queue - 20, 0.0), strict=True):
            session.execute(
                text(
                    "INSERT INTO routing.queue_observation (gate_id, time, queue_veh, tail_km)"
                    " VALUES ('huu-nghi', :at, :veh, 3)"
                ),
                {"at": made_at + timedelta(seconds=int(at_s)), "veh": float(veh)},
            )
        session.commit()
    jammed.clock.advance(3 * 3600 + 120)  # type: ignore[attr-defined]
    assert Minute.of(jammed).run().failed == []
    page = police.get("/api/v1/measures/effects", params={"order_id": order_id}).json()
    (scored,) = page["items"]
    less_h = np.minimum(queue, 20.0)[seconds <= 3 * 3600].sum() * 300 / 3600
    assert scored["realised_h"]["mean"] == pytest.approx(less_h, rel=0.2)
    assert scored["realised_h"]["low"] <= scored["realised_h"]["mean"] <= scored["realised_h"]["high"]
    assert "ước tính" in scored["text"]
    assert "ước tính" in police.get("/api/v1/measures").json()["record"]


def test_the_release_plan_becomes_an_order_that_lets_groups_of_its_sizes_go(jammed: Runtime, sign_in: SignIn) -> None:
    police = sign_in("traffic_police")
    ask = lambda: police.get("/api/v1/measures/release-plan", params={"gate": "huu-nghi"}).json()  # noqa: E731
    assert ask()["missing"] == "no_forecast"
    Minute.of(jammed).run()
    assert ask()["missing"] == "nobody_held"
    assert police.post("/api/v1/orders", json=hold(jammed)).status_code == 201
    with jammed.sessions() as session:
        session.execute(
            text(
                "UPDATE ingest.last_position p SET site_id = 'staging-lang-son', speed_mps = 0"
                " FROM app.order_recipient r WHERE r.vehicle_id = p.vehicle_id"
            )
        )
        session.commit()
    Minute.of(jammed).run()
    plan = ask()
    assert plan["missing"] is None
    (area,) = plan["areas"]
    assert area["held"] == 40
    assert sum(area["release_veh"]) <= 40
    answer = police.post("/api/v1/orders", json=area["draft"])
    assert answer.status_code == 201, answer.text
    turns = sorted(recipient["release_at"] for recipient in answer.json()["recipients"])
    groups = area["draft"]["parameters"]["release"]["groups"]
    assert len(turns) == 40
    assert [turns.count(at) for at in sorted(set(turns))][: sum(g > 0 for g in groups)] == [g for g in groups if g]
