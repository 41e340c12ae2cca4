"""What people are told of the skill of forecasts, and where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from app.control.minute import Minute
from app.forecasting import skill_store
from app.forecasting.skill_store import ScoreSums, SeriesLead, Standing
from app.forecasting.skill_vocabulary import Quantity, Source
from app.platform.runtime import Runtime
from app.trips.codes import new_code
from app.trips.service import Trip
from routing.calibration import N_BINS, Track

from .skilling import GATE, YARD
from .test_control import put_trucks
from .test_forecasts import ready

__all__ = ["ready"]


def add_scores(runtime: Runtime, place_id: str = GATE, quantity: Quantity = Quantity.QUEUE) -> None:
    """A day of forecasts two hours ahead: 8 off (too high), “it stays as it is” 15, 79 of 100 inside the band."""
    hour = runtime.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=20)
    sums = ScoreSums(
        quantity=quantity,
        place_id=place_id,
        lead_s=7200,
        source=Source.PUBLISHED,
        hour=hour,
        n=50,
        error=200.0,
        abs_error=400.0,
        pinball_low=60.0,
        pinball_middle=200.0,
        pinball_high=40.0,
        below_n=4,
        above_n=5,
    )
    with runtime.sessions() as session:
        for hours in (0, 1):
            at = hour + timedelta(hours=hours)
            more = 2 * hours  # of 100: 8 + 2 below, 10 + 1 above
            own = replace(sums, hour=at, below_n=4 + more, above_n=5 + hours)
            skill_store.add_scores(
                session,
                [own, replace(own, source=Source.MODEL), replace(own, source=Source.PERSISTENCE, abs_error=750.0)],
            )
        session.commit()


def lose(runtime: Runtime, place_id: str = GATE, quantity: Quantity = Quantity.QUEUE) -> None:
    """The model has lost its skill one and two hours ahead."""
    tracks = {
        Source.MODEL: Track(np.zeros(N_BINS), mean_error=30.0, evidence_h=20.0, time_h=1.0),
        Source.PERSISTENCE: Track(np.zeros(N_BINS), mean_error=16.0, evidence_h=20.0, time_h=1.0),
    }
    standing = Standing(tracks, Source.PERSISTENCE, runtime.clock.now())
    with runtime.sessions() as session:
        leads = {SeriesLead(quantity, place_id, lead): standing for lead in (3600, 7200)}
        skill_store.save_standings(session, leads)
        session.commit()


def test_scores_by_horizon_and_hour_of_the_day(ready: Runtime, sign_in) -> None:
    add_scores(ready)
    found = sign_in("driver").get(f"/api/v1/forecasts/skill?gate={GATE}").json()
    (horizon,) = found["horizons"]
    assert (horizon["quantity"], horizon["lead_s"], horizon["hour"], horizon["is_lost"]) == (
        "queue_veh",
        7200,
        None,
        False,
    )
    score = horizon["scores"]["published"]
    assert score["n"] == 100
    assert score["mae"] == pytest.approx(8.0)
    assert score["bias"] == pytest.approx(4.0)
    assert score["pinball"] == pytest.approx(2.0)
    assert score["crps"] == pytest.approx(4.0)
    assert (score["below"], score["coverage80"], score["above"]) == pytest.approx((0.10, 0.79, 0.11))
    assert horizon["gain"] == pytest.approx(1 - 8 / 15, abs=1e-3)
    hours = [hour["hour"] for hour in found["hours"]]
    local = (ready.clock.now() - timedelta(hours=20) + timedelta(hours=7)).hour
    assert hours == sorted({local, (local + 1) % 24})
    assert found["fallbacks"] == []


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            "In the last 7 days the forecast of the queue for 2 h ahead was on average 8 trucks off; "
            "“it stays as it is”: 15 trucks; 79 of 100 were inside the band.",
        ),
        (
            "vi",
            "Trong 7 ngày qua, dự báo hàng chờ trước 2 giờ lệch trung bình 8 xe; "
            "“giữ nguyên như hiện tại”: 15 xe; 79 trên 100 lần nằm trong khoảng dự báo.",
        ),
        ("zh", "过去7天，提前2小时的排队预测平均相差8辆；“保持现状”：15辆；100次中有79次落在区间内。"),
    ],
)
def test_the_sentence_in_each_language_for_everybody(ready: Runtime, client, language: str, sentence: str) -> None:
    add_scores(ready)
    page = client.get("/forecast", headers={"accept-language": language})
    assert page.status_code == 200
    assert sentence in page.text


def test_old_scores_are_not_recent_ones(ready: Runtime, sign_in) -> None:
    add_scores(ready)
    ready.clock.advance(86_400 * 8)
    planner = sign_in("planner")
    assert planner.get(f"/api/v1/forecasts/skill?gate={GATE}").json()["horizons"] == []
    assert len(planner.get(f"/api/v1/forecasts/skill?gate={GATE}&days=30").json()["horizons"]) == 1


@pytest.mark.parametrize("asked", ["gate=nowhere", f"gate={GATE}&days=0", f"gate={GATE}&days=100", ""])
def test_what_cannot_be_asked(ready: Runtime, sign_in, asked: str) -> None:
    answer = sign_in("planner").get(f"/api/v1/forecasts/skill?{asked}")
    assert answer.status_code == (404 if "nowhere" in asked else 422)


def test_lost_skill_is_said_wherever_the_forecast_is_shown(ready: Runtime, sign_in, client) -> None:
    put_trucks(ready, list(np.linspace(2, 40, 60)), speed_mps=1.0)
    lose(ready)
    lose(ready, YARD, Quantity.YARD)
    Minute.of(ready).run()
    police = sign_in("traffic_police", locale="en")
    latest = police.get(f"/api/v1/forecasts/latest?gate={GATE}").json()
    queue = next(fallback for fallback in latest["fallbacks"] if fallback["quantity"] == "queue_veh")
    assert queue["leads_s"] == [3600, 7200]
    assert queue["source"] == "persistence"
    assert queue["message"].startswith(
        "Queue, 1 h, 2 h ahead: of late the model was 30 trucks off, “it stays as it is”"
    )
    now_veh = latest["now"]["queue_veh"]
    assert latest["queue_veh"][1][round(7200 / latest["step_s"])] == pytest.approx(now_veh, abs=0.01)
    yards = {forecast["yard_id"]: forecast for forecast in police.get("/api/v1/forecasts/yards").json()["items"]}
    assert yards[YARD]["fallbacks"][0]["source"] == "persistence"
    assert yards["bao-nguyen"]["fallbacks"] == []
    assert sign_in("traffic_police").get("/forecast/skill").text.count('data-testid="skill-lost"') == 2
    for role, path in (("border_guard", "/station/gates"), ("yard_operator", "/yard")):
        page = sign_in(role, gate_id=GATE).get(path)
        assert 'data-testid="skill-lost"' in page.text, path
    assert "“giữ nguyên như hiện tại” chỉ lệch 16 xe" in client.get("/forecast", headers={"accept-language": "vi"}).text


def test_a_driver_and_the_public_are_told_that_the_wait_is_not_the_models(ready: Runtime, sign_in, client) -> None:
    vehicles = put_trucks(ready, [12.0])
    Minute.of(ready).run()
    with ready.sessions() as session:
        trip = session.scalars(select(Trip).where(Trip.vehicle_id == vehicles[0])).one()
        trip.code = code = new_code()
        session.commit()
    driver = sign_in("driver", vehicle_id=vehicles[0])
    assert "skill-lost" not in driver.get("/driver").text
    lose(ready, quantity=Quantity.WAIT)
    lose(ready, quantity=Quantity.QUEUE)
    for page in (driver.get("/driver"), client.get(f"/t/{code}")):
        assert page.text.count('data-testid="skill-lost"') == 1
        assert "Thời gian chờ, báo trước 1 giờ, 2 giờ" in page.text


def test_the_skill_page_before_and_after_the_first_scores(ready: Runtime, sign_in) -> None:
    planner = sign_in("planner")
    assert "skill-empty" in planner.get("/forecast/skill").text
    add_scores(ready)
    page = planner.get(f"/forecast/skill?gate={GATE}&days=7").text
    assert "skill-empty" not in page
    assert 'data-testid="skill-queue_veh"' in page
    assert "<skill-chart" in page
    assert sign_in("enterprise").get("/forecast/skill").status_code == 403
