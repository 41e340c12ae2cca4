"""Which acts are possible at a gate, and why others are not; how they are ranked; release plans tried in the engine."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.dispatch.policy import AdvicePolicy
from app.dispatch.risks import StandingRisk
from app.dispatch.vocabulary import AdviceKind, MeasureKind
from app.forecasting.state import ComingTruck, CorridorNow
from app.gates.profile import GateProfile, default_profiles
from app.measures.candidates import Candidate, Situation, find_candidates
from app.measures.effects import realised_hours
from app.measures.metering import MAX_IDLE, find_held, plan_metering
from app.measures.trying import Range, rank_acts
from app.measures.wording import MESSAGES, Wording
from app.trips.places import Places
from geo.corridor import Corridor
from routing.acts import Held, Laboratory, Worked
from routing.demand import CorridorState
from routing.gates import Server, ServiceTime, assumed_settings
from routing.graph import build_network
from routing.measure import measure_queues

CORRIDOR = Corridor.default()
NETWORK = build_network(CORRIDOR)
PLACES = Places.of(CORRIDOR)
PROFILES = default_profiles(CORRIDOR)
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
SETTINGS = tuple(
    replace(setting, entrance=Server(2, ServiceTime(150.0, 0.5))) if setting.direction == "export" else setting
    for setting in assumed_settings(CORRIDOR)
)
STANDING, AHEAD = 120, 40


def corridor_now(*, held: int = 0, goods: str = "general") -> CorridorNow:
    """A queue before Hữu Nghị, trucks on the way, every second one with fruit, and some held at Lạng Sơn."""
    km = np.concatenate([1.2 + 0.03 * np.arange(STANDING), np.linspace(22, 70, AHEAD), np.full(held, 16.15)])
    road_id, offset_m = CORRIDOR.place_at("QL1A", km)
    n = km.size
    at_area = np.arange(n) >= STANDING + AHEAD
    perishable = (np.arange(n) % 2 == 0) & ~at_area
    state = CorridorState(
        made_at=NOW,
        road_id=road_id.astype(np.int64),
        offset_m=offset_m,
        speed_mps=np.where(km < 6.0, 0.8, np.where(at_area, 0.0, 12.0)),
        gate=np.zeros(n, np.int64),
        perishable=perishable,
        age_s=np.full(n, 10.0),
        yard=np.full(n, -1),
        yard_since_s=np.zeros(n),
        hold_until_s=np.where(at_area, 4 * 3600.0, np.nan),
        yard_inside_veh=np.full(len(NETWORK.yard_ids), 40.0),
        yard_capacity_veh=np.full(len(NETWORK.yard_ids), 350.0),
        gate_settings=SETTINGS,
    )
    coming = tuple(
        ComingTruck(
            index=i,
            vehicle_id=1000 + i,
            trip_id=i,
            gate_id="huu-nghi",
            perishable=bool(perishable[i]),
            goods_class="fresh_fruit" if perishable[i] else goods,
            regime="export",
            declared_at=None,
            planned_arrival=None,
            organisation_id=None,
            driver_id=None,
            road="QL1A",
            km=float(km[i]),
            site_id="staging-lang-son" if at_area[i] else None,
        )
        for i in range(n)
    )
    return CorridorNow(state, coming, {}, (), NETWORK.gate_ids, measure_queues(NETWORK, state))


def situation(corridor: CorridorNow, **changes: Any) -> Situation:
    fields: dict[str, Any] = {
        "gate_id": "huu-nghi",
        "corridor": corridor,
        "laboratory": Laboratory(NETWORK, corridor.state, seed=3),
        "places": PLACES,
        "policy": AdvicePolicy(),
        "profiles": PROFILES,
        "now": NOW,
        "tail_km": 6.0,
        "standing": {},
        "built_lanes": 4,
    }
    return Situation(**{**fields, **changes})


def of_kind(found: list[Candidate], kind: MeasureKind) -> list[Candidate]:
    return [candidate for candidate in found if candidate.kind is kind]


def refusals(given: Situation) -> dict[str, str]:
    return {refusal.message.code: str(refusal.kind) for refusal in find_candidates(given)[1]}


def narrow(**values: object) -> dict[str, GateProfile]:
    """Profiles in which Tân Thanh takes less."""
    return {**PROFILES, "tan-thanh": PROFILES["tan-thanh"].model_copy(update=values)}


def test_what_is_possible_is_offered_with_an_order_for_the_same_trucks() -> None:
    found, _ = find_candidates(situation(corridor_now()))
    holds, diverts = of_kind(found, MeasureKind.HOLD), of_kind(found, MeasureKind.DIVERT)
    assert holds
    assert diverts
    for hold in holds:
        (step,) = hold.act
        assert isinstance(step, Held)
        assert step.rows.size == hold.draft["selection"]["limit_veh"] == hold.message.values["veh"] <= AHEAD
        assert hold.draft["parameters"]["site_id"] == step.staging
    wanted = {divert.draft["selection"].get("perishable") for divert in diverts}
    assert wanted == {True, False, None}
    kept = [divert for divert in diverts if divert.draft["selection"].get("perishable") is False]
    assert {int(row) % 2 for candidate in kept for row in candidate.act[0].rows} == {1}, "only what keeps"  # type: ignore[union-attr]


def test_nobody_is_held_where_there_is_no_room_and_only_as_many_as_there_is() -> None:
    corridor = corridor_now()
    few = situation(corridor, standing={"staging-lang-son": 190})
    there = [
        candidate
        for candidate in of_kind(find_candidates(few)[0], MeasureKind.HOLD)
        if candidate.act[0].staging == "staging-lang-son"  # type: ignore[union-attr]
    ]
    assert max(candidate.draft["selection"]["limit_veh"] for candidate in there) == 10
    full = situation(corridor, standing={"staging-lang-son": 200})
    found, impossible = find_candidates(full)
    assert all(candidate.act[0].staging != "staging-lang-son" for candidate in of_kind(found, MeasureKind.HOLD))  # type: ignore[union-attr]
    assert "area_is_full" in {refusal.message.code for refusal in impossible}
    assert "no_area_beyond" in refusals(situation(corridor, tail_km=100.0))


def test_nobody_is_sent_to_a_gate_that_does_not_take_what_he_carries() -> None:
    corridor = corridor_now()
    assert refusals(situation(corridor, profiles=narrow(regimes=("import",))))["gate_takes_none"] == "divert"
    fruit_only = situation(corridor, profiles=narrow(goods=("fresh_fruit",)))
    for candidate in of_kind(find_candidates(fruit_only)[0], MeasureKind.DIVERT):
        assert all(corridor.state.perishable[candidate.act[0].rows])  # type: ignore[index,union-attr]
        assert candidate.draft["selection"]["goods_classes"] == ["fresh_fruit"]


def test_no_lane_no_hours_nobody_held_are_said_in_a_line() -> None:
    given = situation(corridor_now(), closes_at=NOW + timedelta(hours=9))
    reasons = refusals(given)
    assert {"all_lanes_work", "closes_later", "nobody_held", "nobody_to_come"} <= set(reasons)
    vi = Wording(lambda text: text, "vi", PLACES, NOW)
    for refusal in find_candidates(given)[1]:
        assert vi.say({"code": refusal.message.code, "values": dict(refusal.message.values)})
    assert set(reasons) <= set(MESSAGES)
    five = situation(corridor_now(), built_lanes=5, closes_at=NOW + timedelta(hours=3))
    found, _ = find_candidates(five)
    (lane,) = of_kind(found, MeasureKind.LANE)
    assert lane.act == (Worked("huu-nghi", faster=1.25),)
    assert len(of_kind(found, MeasureKind.HOURS)) == 2


def risk(km: float = 3.0) -> StandingRisk:
    return StandingRisk(7, "huu-nghi", AdviceKind.QUEUE, "huu-nghi", km, NOW, NOW + timedelta(hours=3), "warning")


def test_sure_savings_come_first_and_the_rest_is_said_to_be_unsure() -> None:
    given = situation(corridor_now(), built_lanes=5)
    candidates, _ = find_candidates(given)
    began = time.process_time()
    ranking = rank_acts(given.laboratory, "huu-nghi", candidates, [risk()], weight=2.0)
    assert time.process_time() - began < 10, "seconds of work, however busy the machine is"
    sure = [attempt.saved_h.is_sure for attempt in ranking.tried]
    assert sure == sorted(sure, reverse=True)
    means = [attempt.saved_h.mean for attempt in ranking.tried if attempt.saved_h.is_sure]
    assert means == sorted(means, reverse=True)
    lane = next(attempt for attempt in ranking.tried if attempt.candidate.kind is MeasureKind.LANE)
    assert lane.saved_h.is_sure
    assert lane.exceeded[7][1] <= lane.exceeded[7][0]
    for attempt in ranking.tried:
        assert attempt.saved_h.is_sure == (attempt.saved_h.low > 0.0)
        assert attempt.is_of_use


def test_perishable_goods_count_more() -> None:
    given = situation(corridor_now())
    holds = [
        candidate
        for candidate in of_kind(find_candidates(given)[0], MeasureKind.HOLD)
        if candidate.message.code == "hold_other"
    ][-1:]
    plain, weighted = (
        rank_acts(given.laboratory, "huu-nghi", holds, [risk()], weight=weight).tried[0] for weight in (1.0, 3.0)
    )
    assert weighted.perishable_h == plain.perishable_h
    assert weighted.saved_h.mean == pytest.approx(plain.saved_h.mean + 2.0 * plain.perishable_h.mean)
    assert plain.perishable_h.mean > 0.0, "fruit passes those that are held"


def test_a_release_plan_keeps_the_gate_busy_and_the_road_clear() -> None:
    corridor = corridor_now(held=60)
    given = situation(corridor)
    areas = find_held("huu-nghi", corridor, PLACES)
    assert [(area.site_id, len(area.trucks)) for area in areas] == [("staging-lang-son", 60)]
    found = plan_metering(given.laboratory, "huu-nghi", areas, limit_km=6.0, group_veh=60)
    assert 0 < found.plan.release_veh.sum() <= 60
    assert found.idle_share <= MAX_IDLE
    assert found.beyond_h[0] <= found.beyond_h[1]
    assert found.plan.release_veh[0, 0] == 0, "a queue of more than two hours needs nobody yet"


def test_what_an_order_brought_is_read_off_what_was_measured() -> None:
    without = np.array([[8.0] * 13, [10.0] * 13, [14.0] * 13])
    measured = [(300.0 * i, 4.0) for i in range(13)]
    assert realised_hours(without, 300.0, measured, 3600.0) == Range(6.0, 4.0, 10.0)
    assert realised_hours(without, 300.0, measured[:4], 3600.0) is None
    assert realised_hours(without, 300.0, [], 3600.0) is None
