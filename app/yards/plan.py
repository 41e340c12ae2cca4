"""From the state and the forecast to a yard plan, and from the plan to what drivers are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from app.bookings.service import KeptPlace
from app.forecasting.state import ComingTruck, CorridorNow
from app.gates.profile import GateProfile
from app.platform import outbox
from app.platform.json import JsonObject
from app.trips.places import Places, StagingArea
from capacity import store as capacity_store
from capacity.keeping import keep_places, kept_veh
from capacity.ledger import YardState
from capacity.plan import YardPlan, make_plan
from capacity.problem import PlanWeights, WaitingSpace, YardProblem, cleared_by, whole_trucks
from capacity.stays import expected_stays
from capacity.store import Assignment
from capacity.windows import free_places
from geo.opening_hours import DAY_S, OpeningHours
from routing.forecast import Forecast
from routing.gates import GateSetting, Server

STEP_S = 1800.0
STEPS = 48
"""A day: whoever comes in the night has a place in the morning, and is told so."""
DRIVE_MPS = 11.0
"""A loaded truck's pace on QL1A over longer stretches, 40 km/h (assumed), where the forecast gives no time."""
CHANGE_OF_GATE_S = 3600.0
"""What going to another gate than the declared one costs beside the way: papers are amended (assumed)."""
WORTH_TELLING = timedelta(minutes=15)
"""A place that moves by less than this is not told again."""
PLAN_TIME_LIMIT_S = 15.0
"""The minute has this long for its plan; on a free machine it needs a second."""
STAGING_WAIT_S = 1800.0
"""Who waits longer than this is shown a staging area to wait at."""


@dataclass(frozen=True)
class PlannedPlace:
    """The place that a plan gives to a trip; without a yard there is none within the horizon.

    `reason` holds `code` and the numbers that the interface's sentence needs.
    """

    trip_id: int
    vehicle_id: int
    yard_id: str | None
    arrive_at: datetime
    place_free_at: datetime
    wait_s: int
    reason: JsonObject


@dataclass(frozen=True)
class PlanInput:
    """The problem, and the trucks its rows stand for.

    `booked` are trucks with a booked place, which the problem leaves out; `kept_veh` (Y, T) the trucks expected in the
    places that are kept for bookings, for which the problem has fewer.
    """

    problem: YardProblem
    trucks: tuple[ComingTruck, ...]
    yards: tuple[YardState, ...]
    booked: tuple[tuple[ComingTruck, PlannedPlace], ...]
    kept_veh: np.ndarray


def build_problem(
    corridor: CorridorNow,
    forecast: Forecast,
    places: Places,
    profiles: Mapping[str, GateProfile],
    previous: Mapping[int, Assignment],
    weights: PlanWeights | None = None,
    places_veh: Mapping[str, Sequence[int]] | None = None,
    kept: Sequence[KeptPlace] = (),
    opens: Mapping[str, Sequence[bool]] | None = None,
) -> PlanInput:
    """The yard problem of the next day; `places_veh`, of each yard by step, where they are not as now all day.

    `kept` are booked places: their trucks get them in their hour, whatever else comes, and the problem is what is left.
    `opens`: whether each yard takes trucks in a step; left out: always.

    Declared trucks go to the yards of their gate (of any that takes their goods under their regime, if the road still
    leads there); trucks without a trip to the temporary yards, where they are declared with help. The median forecast
    says when each could be there; waiting before the entrance is then the plan's own doing.
    """
    now, yards = corridor.state.made_at, corridor.yards
    end_s = STEP_S * STEPS
    arrivals = [(truck, _arrivals(truck, yards, forecast, places, now)) for truck in corridor.coming]
    booked, promised = split_booked(arrivals, kept, [yard.yard_id for yard in yards], now)
    has_place = {place.trip_id for _, place in booked}
    arrivals = [
        (truck, reach_s)
        for truck, reach_s in arrivals
        if np.nanmin([*reach_s, np.inf]) < end_s and truck.trip_id not in has_place
    ]
    trucks = tuple(truck for truck, _ in arrivals)
    N, Y = len(trucks), len(yards)
    arrive_s = np.array([reach_s for _, reach_s in arrivals], float).reshape(N, Y)
    allowed = np.array([[_allowed(truck, yard, profiles) for yard in yards] for truck in trucks], bool).reshape(N, Y)
    own = np.array([[yard.gate_id == truck.gate_id for yard in yards] for truck in trucks], bool).reshape(N, Y)
    own_s = np.where(own, arrive_s, np.inf).min(axis=1, initial=np.inf)[:, None]
    reachable = np.isfinite(own_s) & np.isfinite(arrive_s)
    extra_s = np.subtract(arrive_s, own_s, out=np.zeros((N, Y)), where=reachable)
    extra_s = np.maximum(extra_s, 0.0) + CHANGE_OF_GATE_S
    exports = {setting.gate_id: setting for setting in corridor.state.gate_settings if setting.direction == "export"}
    hours = {gate_id: profile.exports.opening_hours for gate_id, profile in profiles.items()}
    server = [exports.get(yard.gate_id) for yard in yards]
    gate_ids = sorted({yard.gate_id for yard in yards})
    inside = np.array([float(yard.inside_veh) for yard in yards])
    remaining, share = expected_stays(
        inside_veh=inside,
        dwell_s=np.array([setting.dwell.mean_s if setting else 5400.0 for setting in server]),
        release_veh_per_s=np.array([_rate(setting.crossing) if setting else 0.01 for setting in server]),
        working_s=np.array([open_seconds(hours.get(yard.gate_id), now) for yard in yards]),
        gate=np.array([gate_ids.index(yard.gate_id) for yard in yards], np.int64),
    )
    ways_in = [(yard.gate_id, yard.kind) for yard in yards]  # yards of a gate and kind share the entrance of the first
    unlimited = np.full(STEPS, np.inf)
    intake = [np.full(STEPS, STEP_S * _rate(setting.entrance)) if setting else unlimited for setting in server]
    index = {yard.yard_id: j for j, yard in enumerate(yards)}
    told = [previous.get(truck.trip_id) if truck.trip_id is not None else None for truck in trucks]
    problem = YardProblem(
        step_s=STEP_S,
        truck_ids=np.array([truck.vehicle_id for truck in trucks], np.int64),
        perishable=np.array([truck.perishable for truck in trucks], bool),
        declared_s=np.array([_since(truck.declared_at, now) for truck in trucks], float),
        allowed=allowed & np.isfinite(arrive_s),
        arrive_s=np.where(np.isfinite(arrive_s), arrive_s, 2 * end_s),
        detour_s=np.where(own | ~reachable, 0.0, extra_s),
        previous_step=np.array([_step_of(assignment, now) for assignment in told], np.int64),
        previous_yard=np.array(
            [index.get(assignment.yard_id or "", -1) if assignment else -1 for assignment in told], np.int64
        ),
        yard_ids=tuple(index),
        capacity_veh=np.array([_places(yard, places_veh or {}) for yard in yards], float).reshape(Y, STEPS),
        opens=np.array([(opens or {}).get(yard.yard_id, [True] * STEPS) for yard in yards], bool).reshape(Y, STEPS),
        remaining_veh=remaining,
        stay_share=share,
        entrance=np.array([ways_in.index((yard.gate_id, yard.kind)) for yard in yards], np.int64),
        intake_veh=whole_trucks(np.array(intake).reshape(Y, STEPS)),
        gate=np.array([gate_ids.index(yard.gate_id) for yard in yards], np.int64),
        crossing_s=np.array([_seconds_per_truck(profiles.get(gate_id)) for gate_id in gate_ids]),
        weights=weights or PlanWeights(),
        waiting=_waiting_space(trucks, places, gate_ids),
        before_veh=np.array([sum(y.inside_veh for y in yards if y.gate_id == gate_id) for gate_id in gate_ids], float),
        cleared_veh=cleared_by(
            np.array(
                [open_seconds(hours.get(gate_id), now) * _rate_of(exports.get(gate_id)) for gate_id in gate_ids]
            ).reshape(len(gate_ids), STEPS)
        ),
    )
    yard_of = np.array([index[yard_id] for yard_id, _ in promised], np.int64)
    step_of = np.array([free_s // STEP_S for _, free_s in promised], np.int64)
    kept_problem = keep_places(problem, yard_of, step_of)
    return PlanInput(kept_problem, trucks, yards, tuple(booked), kept_veh(problem, yard_of, step_of))


def split_booked(
    arrivals: Sequence[tuple[ComingTruck, Sequence[float]]],
    kept: Sequence[KeptPlace],
    yard_ids: Sequence[str],
    now: datetime,
) -> tuple[list[tuple[ComingTruck, PlannedPlace]], list[tuple[str, float]]]:
    """Trucks with their booked places, and the yard and time (s from now) of every place to keep.

    A truck that comes before its hour waits for it; one that comes later goes in when it comes. One that is not on the
    road yet is expected for its hour. A truck that the road no longer leads there has no booked place.
    """
    reach_of = {truck.trip_id: (truck, reach_s) for truck, reach_s in arrivals if truck.trip_id is not None}
    booked: list[tuple[ComingTruck, PlannedPlace]] = []
    promised: list[tuple[str, float]] = []
    for place in kept:
        if place.yard_id not in yard_ids:
            continue
        starts_s = max((place.starts_at - now).total_seconds(), 0.0)
        if place.trip_id not in reach_of:
            promised.append((place.yard_id, starts_s))
            continue
        truck, reach_s = reach_of[place.trip_id]
        arrive_s = float(reach_s[yard_ids.index(place.yard_id)]) if truck.index >= 0 else starts_s
        if not np.isfinite(arrive_s):
            continue
        free_s = max(starts_s, arrive_s)
        wait_s = round(free_s - arrive_s)
        planned = PlannedPlace(
            trip_id=place.trip_id,
            vehicle_id=truck.vehicle_id,
            yard_id=place.yard_id,
            arrive_at=now + timedelta(seconds=arrive_s),
            place_free_at=now + timedelta(seconds=free_s),
            wait_s=wait_s,
            reason={"code": "booked", "wait_s": wait_s, "until": place.starts_at.isoformat()},
        )
        booked.append((truck, planned))
        promised.append((place.yard_id, free_s))
    return booked, promised


def plan_yards(
    session: Session,
    given: PlanInput,
    previous: Mapping[int, Assignment],
    places: Places,
    tails_km: Mapping[str, float],
    now: datetime,
) -> YardPlan:
    """Make the plan, keep it, and tell those whose place changed."""
    plan = make_plan(given.problem, time_limit_s=PLAN_TIME_LIMIT_S)
    found = [
        _assignment(given, plan, i, truck.trip_id, places, tails_km, now)
        for i, truck in enumerate(given.trucks)
        if truck.trip_id is not None
    ]
    found += [place for _, place in given.booked]
    occupancy_veh = plan.occupancy_veh + given.kept_veh
    free = free_places(given.problem, plan.yard, plan.step)
    summary = {
        "trucks": len(given.trucks) + len(given.booked),
        "placed": int((plan.yard >= 0).sum()) + len(given.booked),
        "waiting": int((plan.wait_s > STEP_S).sum()),
        "yards": {
            yard_id: {
                "occupancy_veh": np.round(occupancy_veh[j], 1).tolist(),
                "free_veh": free.veh[j].tolist(),
                "has_room": free.has_room[j].tolist(),
            }
            for j, yard_id in enumerate(given.problem.yard_ids)
        },
        "step_s": STEP_S,
    }
    capacity_store.save_plan(
        session,
        made_at=now,
        status=plan.status,
        objective=plan.objective,
        gap=plan.gap,
        duration_s=plan.duration_s,
        summary=summary,
        assignments=[vars(place) for place in found],
    )
    truck_of = {truck.trip_id: truck for truck in (*given.trucks, *(truck for truck, _ in given.booked))}
    for place in found:
        if _is_news(place, previous.get(place.trip_id)):
            _publish_assignment(session, truck_of[place.trip_id], place, now)
    return plan


def open_seconds(hours: OpeningHours | None, now: datetime) -> np.ndarray:
    """Seconds of each step from `now` on in which a gate is open, shape (STEPS,); of an unknown one, all of them."""
    if hours is None:
        return np.full(STEPS, STEP_S)
    return hours.open_seconds_by_step(now, STEP_S, STEPS)


def _arrivals(
    truck: ComingTruck, yards: Sequence[YardState], forecast: Forecast, places: Places, now: datetime
) -> list[float]:
    """When a truck can be at each yard, s from now; infinite where no road leads there any more."""
    if truck.index < 0:
        assert truck.planned_arrival is not None
        planned_s = max((truck.planned_arrival - now).total_seconds(), 0.0)
        return [planned_s] * len(yards)
    free_s = float(forecast.truck_free_s[1, truck.index])
    own = places.gates.get(truck.gate_id or "")
    own_km = own.distance_km(truck.road, truck.km) if own else None
    found = []
    for yard in yards:
        gate = places.gates.get(yard.gate_id)
        way_km = gate.distance_km(truck.road, truck.km) if gate else None
        if gate is None or way_km is None or _has_left(truck, gate.gate_id, places):
            found.append(np.inf)
        elif np.isfinite(free_s) and own_km is not None:
            found.append(max(free_s + (way_km - own_km) * 1000.0 / DRIVE_MPS, 0.0))
        else:
            found.append(way_km * 1000.0 / DRIVE_MPS)
    return found


def _has_left(truck: ComingTruck, gate_id: str, places: Places) -> bool:
    """Whether the truck is on the stretch that leads to another gate only."""
    return any(
        other_id != gate_id and other.is_on_branch(truck.road, truck.km) for other_id, other in places.gates.items()
    )


def _allowed(truck: ComingTruck, yard: YardState, profiles: Mapping[str, GateProfile]) -> bool:
    if truck.trip_id is None:
        return yard.kind == "temporary_yard"
    if yard.kind != "yard":
        return False
    if yard.gate_id == truck.gate_id:
        return True
    other = profiles.get(yard.gate_id)
    return other is not None and other.takes(truck.regime, truck.goods_class)


def _assignment(
    given: PlanInput, plan: YardPlan, i: int, trip_id: int, places: Places, tails_km: Mapping[str, float], now: datetime
) -> PlannedPlace:
    truck, j = given.trucks[i], int(plan.yard[i])
    arrive_at = now + timedelta(seconds=float(plan.arrive_s[i]))
    place_free_at = now + timedelta(seconds=float(plan.place_s[i]))
    yard_id = given.problem.yard_ids[j] if j >= 0 else None
    numbers = dict(plan.reasons[i].values)
    if "until_s" in numbers:
        numbers["until"] = (now + timedelta(seconds=float(numbers.pop("until_s")))).isoformat()
    reason: JsonObject = {
        "code": plan.reasons[i].code,
        **numbers,
        "wait_s": round(float(plan.wait_s[i])),
    }
    if plan.wait_s[i] >= STAGING_WAIT_S or j < 0:
        gate_id = given.yards[j].gate_id if j >= 0 else truck.gate_id
        planned = list(places.staging)[plan.staging[i]] if plan.staging[i] >= 0 else None
        reason["staging_id"] = staging_before(truck, gate_id, places, tails_km, planned)
    return PlannedPlace(
        trip_id=trip_id,
        vehicle_id=truck.vehicle_id,
        yard_id=yard_id,
        arrive_at=arrive_at,
        place_free_at=place_free_at,
        wait_s=round(float(plan.wait_s[i])),
        reason=reason,
    )


def staging_before(
    truck: ComingTruck,
    gate_id: str | None,
    places: Places,
    tails_km: Mapping[str, float],
    planned: str | None = None,
) -> str | None:
    """The staging area to wait at: of those ahead of the truck and before the queue, the planned one, else the last."""
    gate = places.gates.get(gate_id or "")
    if gate is None:
        return None
    here_km = gate.distance_km(truck.road, truck.km)
    best: tuple[float, str] | None = None
    for area in places.staging.values():
        area_km = gate.distance_km(area.road, area.km)
        if area_km is None or area_km < tails_km.get(gate.gate_id, 0.0) + 1.0:
            continue
        if here_km is not None and area_km >= here_km:
            continue
        if area.site_id == planned:
            return planned
        if best is None or area_km < best[0]:
            best = (area_km, area.site_id)
    return best[1] if best else None


def _is_news(place: PlannedPlace, told: Assignment | None) -> bool:
    if told is None or told.yard_id != place.yard_id:
        return True
    return abs(told.place_free_at - place.place_free_at) >= WORTH_TELLING


def _publish_assignment(session: Session, truck: ComingTruck, place: PlannedPlace, now: datetime) -> None:
    audience = outbox.Audience(
        organisations=(truck.organisation_id,) if truck.organisation_id is not None else (),
        accounts=(truck.driver_id,) if truck.driver_id is not None else (),
        vehicles=(truck.vehicle_id,),
    )
    data = {
        "trip_id": place.trip_id,
        "yard_id": place.yard_id,
        "place_free_at": place.place_free_at.isoformat(),
        "wait_s": place.wait_s,
        "reason": place.reason["code"],
    }
    outbox.publish_event(session, "assignment", audience, data, at=now)


def _seconds_per_truck(profile: GateProfile | None) -> float:
    """Seconds a truck the crossing takes on average over the day, the hours in which it is closed included."""
    if profile is None:
        return 0.0
    crossing = profile.exports.compile("", "export").crossing
    return DAY_S / max(profile.exports.opening_hours.daily_open_s * _rate(crossing), 1e-9)


def _rate(server: Server) -> float:
    rate = server.rate_veh_per_h() / 3600.0
    return rate if np.isfinite(rate) else 1e6


def _rate_of(setting: GateSetting | None) -> float:
    return 1e6 if setting is None else _rate(setting.crossing)


def _waiting_space(trucks: Sequence[ComingTruck], places: Places, gate_ids: Sequence[str]) -> WaitingSpace:
    """Where trucks wait: the staging areas, each before the gates that the road leads to from it."""
    areas = list(places.staging.values())
    serves = [[gate_id in places.gates and _leads_to(places, gate_id, area) for gate_id in gate_ids] for area in areas]
    return WaitingSpace(
        home_gate=np.array([gate_ids.index(t.gate_id) if t.gate_id in gate_ids else -1 for t in trucks], np.int64),
        on_road=np.array([truck.index >= 0 for truck in trucks], bool),
        staging_veh=np.repeat([[float(area.capacity_veh)] for area in areas], STEPS, axis=1).reshape(len(areas), STEPS),
        serves=np.array(serves, bool).reshape(len(areas), len(gate_ids)),
    )


def _leads_to(places: Places, gate_id: str, area: StagingArea) -> bool:
    return places.gates[gate_id].distance_km(area.road, area.km) is not None


def _places(yard: YardState, places_veh: Mapping[str, Sequence[int]]) -> Sequence[int]:
    return places_veh.get(yard.yard_id) or [yard.capacity_veh] * STEPS


def _step_of(told: Assignment | None, now: datetime) -> int:
    return -1 if told is None else int((told.place_free_at - now).total_seconds() // STEP_S)


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (moment - now).total_seconds()
