"""From the state and the forecast to a yard plan, and from the plan to what drivers are told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from app.bookings.service import KeptPlace
from app.forecasting.state import ComingTruck, CorridorNow
from app.gates.profile import GateProfile
from app.platform import outbox
from app.platform.json import JsonObject
from app.trips.places import Places, StagingArea
from app.yards.booked_places import PlannedPlace, split_booked
from app.yards.plan_rows import PlanRow, PlanRows
from app.yards.zone_fill import ZoneFill
from capacity import store as capacity_store
from capacity.keeping import keep_places, kept_veh
from capacity.ledger import YardState
from capacity.plan import YardPlan
from capacity.problem import PlanWeights, WaitingSpace, YardProblem, cleared_by, whole_trucks
from capacity.records import YardOccupancy
from capacity.scenarios import ArrivalError, hedge
from capacity.stays import expected_stays
from capacity.store import Assignment
from capacity.windows import FreePlaces, free_places
from capacity.zones import ZoneAhead
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
CENTRAL_SD = 2.563
"""The central 80 % of a normal distribution in standard deviations."""
WORTH_TELLING = timedelta(minutes=15)
"""A place that moves by less than this is not told again."""
PLAN_TIME_LIMIT_S = 15.0
"""The minute has this long for its plan; on a free machine it needs a second."""
REPLAN_BUDGET_S = 1.0
"""Plans that hold places back for what is not certain are tried as long as they are ready by then."""
DRAWN_DAYS = 8
"""Days out of the forecast's uncertainty on which plans are played."""
DAYS_KEPT_S = 3600.0
"""So long the days are drawn from the same random numbers, that plans do not change by chance from minute to minute."""
STAGING_WAIT_S = 1800.0
"""Who waits longer than this is shown a staging area to wait at."""


@dataclass(frozen=True)
class PlanInput:
    """The problem, the trucks its rows stand for, and the zones that its yards stand for.

    `booked` are trucks with a booked place, which the problem leaves out; `kept_veh` (Y, T) the trucks expected in the
    places that are kept for bookings, for which the problem has fewer; `has_no_kind` (N,), trucks that could go to a
    yard, of which none has a place of the kind that they need; `error`, how uncertain their arrivals are.
    """

    problem: YardProblem
    trucks: tuple[ComingTruck, ...]
    rows: PlanRows
    booked: tuple[tuple[ComingTruck, PlannedPlace], ...]
    kept_veh: np.ndarray
    has_no_kind: np.ndarray
    error: ArrivalError


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
    zones: Mapping[str, Sequence[ZoneAhead]] | None = None,
    fills: Mapping[str, Sequence[ZoneFill]] | None = None,
) -> PlanInput:
    """The yard problem of the next day; `places_veh`, of each yard by step, where they are not as now all day; `zones`
    of yards that have any, and how each fills now.

    `kept` are booked places: their trucks get them in their hour, whatever else comes, and the problem is what is left.
    `opens`: whether each yard takes trucks in a step; left out: always.

    Declared trucks go to the yards of their gate (of any that takes their goods under their regime, if the road still
    leads there); trucks without a trip to the temporary yards, where they are declared with help. The median forecast
    says when each could be there; waiting before the entrance is then the plan's own doing, at the pace at which the
    forecast has the gate let in. Who stands in the line of a gate, or is being served, goes before all that come later,
    in the order of the line.
    """
    now, yards = corridor.state.made_at, corridor.yards
    end_s = STEP_S * STEPS
    arrivals = [(truck, _arrivals(truck, yards, forecast, places, now)) for truck in corridor.coming]
    booked, promised = split_booked(arrivals, kept, [yard.yard_id for yard in yards], now)
    has_place = {place.trip_id for _, place in booked}
    found = PlanRows.of(yards, zones or {}, fills or {})
    rows, site = found.rows, found.site
    arrivals = [
        (truck, [reach_s[n] for n in site])
        for truck, reach_s in arrivals
        if np.nanmin([*reach_s, np.inf]) < end_s and truck.trip_id not in has_place
    ]
    trucks = tuple(truck for truck, _ in arrivals)
    N, Y = len(trucks), len(rows)
    gate_of = [row.yard.gate_id for row in rows]
    arrive_s = np.array([reach_s for _, reach_s in arrivals], float).reshape(N, Y)
    open_to = found.open_to(trucks, profiles) & np.isfinite(arrive_s)
    suited = found.suited(trucks, open_to)
    own = np.array([[gate_id == truck.gate_id for gate_id in gate_of] for truck in trucks], bool).reshape(N, Y)
    own_s = np.where(own, arrive_s, np.inf).min(axis=1, initial=np.inf)[:, None]
    reachable = np.isfinite(own_s) & np.isfinite(arrive_s)
    extra_s = np.subtract(arrive_s, own_s, out=np.zeros((N, Y)), where=reachable)
    extra_s = np.maximum(extra_s, 0.0) + CHANGE_OF_GATE_S
    exports = {setting.gate_id: setting for setting in corridor.state.gate_settings if setting.direction == "export"}
    hours = {gate_id: profile.exports.opening_hours for gate_id, profile in profiles.items()}
    lined_up = {each.vehicle_id for each in corridor.waiting.trucks if each.held_until is None}
    served = corridor.waiting.went_in.keys() - corridor.waiting.seen
    is_served = np.array([truck.vehicle_id in served for truck in trucks], bool)
    in_line = is_served | np.array([truck.vehicle_id in lined_up for truck in trucks], bool)
    turn_s = np.where(is_served, -1.0, own_s[:, 0])
    declared_s = np.array([_since(truck.declared_at, now) for truck in trucks], float)
    server = [exports.get(gate_id) for gate_id in gate_of]
    gate_ids = sorted({yard.gate_id for yard in yards})
    gate = np.array([gate_ids.index(gate_id) for gate_id in gate_of], np.int64)
    remaining, share = expected_stays(
        inside_veh=np.array([row.inside_veh for row in rows]),
        dwell_s=np.array([setting.dwell.mean_s if setting else 5400.0 for setting in server]),
        release_veh_per_s=np.array([_rate(setting.crossing) if setting else 0.01 for setting in server]),
        working_s=np.array([open_seconds(hours.get(gate_id), now) for gate_id in gate_of]).reshape(Y, STEPS),
        gate=gate,
    )
    ways_in = [(row.yard.gate_id, row.yard.kind) for row in rows]  # yards of a gate and kind share the first's entrance
    unlimited = np.full(STEPS, np.inf)
    intake = [STEP_S * _intake(setting, corridor) if setting else unlimited for setting in server]
    told = [previous.get(truck.trip_id) if truck.trip_id is not None else None for truck in trucks]
    problem = YardProblem(
        step_s=STEP_S,
        truck_ids=np.array([truck.vehicle_id for truck in trucks], np.int64),
        perishable=np.array([truck.perishable for truck in trucks], bool),
        declared_s=np.where(in_line & np.isfinite(turn_s), turn_s, declared_s),
        allowed=suited,
        arrive_s=np.where(np.isfinite(arrive_s), arrive_s, 2 * end_s),
        detour_s=np.where(own | ~reachable, 0.0, extra_s) + found.liked_s(trucks),
        previous_step=np.array([_step_of(assignment, now) for assignment in told], np.int64),
        previous_yard=np.array([found.find(place.yard_id, place.zone_id) if place else -1 for place in told], np.int64),
        yard_ids=tuple(row.key for row in rows),
        capacity_veh=np.array([_places(row, places_veh or {}) for row in rows], float).reshape(Y, STEPS),
        opens=np.array([(opens or {}).get(row.yard.yard_id, [True] * STEPS) for row in rows], bool).reshape(Y, STEPS),
        remaining_veh=remaining,
        stay_share=share,
        entrance=np.array([ways_in.index(way) for way in ways_in], np.int64),
        intake_veh=whole_trucks(np.array(intake).reshape(Y, STEPS)),
        gate=gate,
        crossing_s=np.array([_seconds_per_truck(profiles.get(gate_id)) for gate_id in gate_ids]),
        weights=weights or PlanWeights(),
        waiting=_waiting_space(trucks, places, gate_ids),
        before_veh=np.array([sum(y.inside_veh for y in yards if y.gate_id == gate_id) for gate_id in gate_ids], float),
        cleared_veh=cleared_by(
            np.array(
                [open_seconds(hours.get(gate_id), now) * _rate_of(exports.get(gate_id)) for gate_id in gate_ids]
            ).reshape(len(gate_ids), STEPS)
        ),
        site=site,
        in_line=in_line,
    )
    row_of, step_of = found.seat(promised, problem)
    standing = tuple((truck, place.standing(rows[j])) for (truck, place), j in zip(booked, row_of, strict=False))
    kept_problem = keep_places(problem, row_of, step_of)
    error = arrival_error(trucks, corridor, forecast)
    has_no_kind = open_to.any(axis=1) & ~suited.any(axis=1)
    return PlanInput(kept_problem, trucks, found, standing, kept_veh(problem, row_of, step_of), has_no_kind, error)


def arrival_error(trucks: Sequence[ComingTruck], corridor: CorridorNow, forecast: Forecast) -> ArrivalError:
    """How uncertain the arrival of each truck is: on the road by the spread of the forecast's ensemble, at home by how
    its enterprise keeps its plans."""
    state = corridor.state
    declared = [truck for truck in corridor.coming if truck.index < 0 and truck.gate_id in corridor.gate_ids]
    at_home = {truck.trip_id: n for n, truck in enumerate(declared)}
    spread_s, no_show = np.zeros(len(trucks)), np.zeros(len(trucks))
    for i, truck in enumerate(trucks):
        if truck.index >= 0:
            low_s, _, high_s = forecast.truck_free_s[:, truck.index]
            spread_s[i] = (high_s - low_s) / CENTRAL_SD if np.isfinite([low_s, high_s]).all() else 0.0
        elif (row := at_home.get(truck.trip_id)) is not None:
            spread_s[i] = _of(state.declared_lateness_sd_s, row)
            no_show[i] = 1.0 - _of(state.declared_show_up, row, 1.0)
    return ArrivalError(spread_s, no_show)


def _of(values: np.ndarray | None, row: int, default: float = 0.0) -> float:
    return default if values is None else float(values[row])


def plan_yards(
    session: Session,
    given: PlanInput,
    previous: Mapping[int, Assignment],
    places: Places,
    tails_km: Mapping[str, float],
    now: datetime,
) -> YardPlan:
    """Make the plan, keep it, and tell those whose place changed."""
    began = time.perf_counter()
    seed = int(now.timestamp() // DAYS_KEPT_S)
    hedged = hedge(
        given.problem,
        given.error,
        count=DRAWN_DAYS,
        seed=seed,
        time_limit_s=PLAN_TIME_LIMIT_S,
        budget_s=REPLAN_BUDGET_S,
    )
    plan = replace(hedged.plan, duration_s=time.perf_counter() - began)
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
            yard.yard_id: _in_sum(given.rows.of_yard(yard.yard_id), occupancy_veh, free) for yard in given.rows.yards
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


def _in_sum(own: Sequence[int], occupancy_veh: np.ndarray, free: FreePlaces) -> YardOccupancy:
    veh, has_room = free.together(own)
    return {
        "occupancy_veh": np.round(occupancy_veh[list(own)].sum(axis=0), 1).tolist(),
        "free_veh": veh,
        "has_room": has_room,
    }


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


def _assignment(
    given: PlanInput, plan: YardPlan, i: int, trip_id: int, places: Places, tails_km: Mapping[str, float], now: datetime
) -> PlannedPlace:
    truck, j = given.trucks[i], int(plan.yard[i])
    arrive_at = now + timedelta(seconds=float(plan.arrive_s[i]))
    place_free_at = now + timedelta(seconds=float(plan.place_s[i]))
    row = given.rows.rows[j] if j >= 0 else None
    numbers = dict(plan.reasons[i].values)
    if "other_yard" in numbers:
        other = given.problem.yard_ids.index(str(numbers["other_yard"]))
        numbers["other_yard"] = given.rows.rows[other].yard.yard_id
    if "until_s" in numbers:
        numbers["until"] = (now + timedelta(seconds=float(numbers.pop("until_s")))).isoformat()
    reason: JsonObject = {
        "code": plan.reasons[i].code,
        **numbers,
        "wait_s": round(float(plan.wait_s[i])),
    }
    if given.has_no_kind[i]:
        reason |= {"code": "no_kind", "need": truck.need}
    if plan.wait_s[i] >= STAGING_WAIT_S or j < 0:
        gate_id = row.yard.gate_id if row is not None else truck.gate_id
        planned = list(places.staging)[plan.staging[i]] if plan.staging[i] >= 0 else None
        reason["staging_id"] = staging_before(truck, gate_id, places, tails_km, planned)
    return PlannedPlace(
        trip_id=trip_id,
        vehicle_id=truck.vehicle_id,
        yard_id=None if row is None else row.yard.yard_id,
        arrive_at=arrive_at,
        place_free_at=place_free_at,
        wait_s=round(float(plan.wait_s[i])),
        reason=reason,
        zone_id=None if row is None else row.zone_id,
        place_kind=None if row is None else row.kind,
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
    if told is None or (told.yard_id, told.zone_id) != (place.yard_id, place.zone_id):
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
        "zone_id": place.zone_id,
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


def _intake(setting: GateSetting, corridor: CorridorNow) -> np.ndarray:
    """Trucks a second that the entrance of a gate lets in, by step: at its pace as the forecast has it, else as its
    profile says."""
    pace = corridor.state.pace.get(setting.gate_id)
    if pace is None:
        return np.full(STEPS, _rate(setting.entrance))
    return pace.expected_veh_per_h((np.arange(STEPS, dtype=float) + 0.5) * STEP_S) / 3600.0


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


def _places(row: PlanRow, places_veh: Mapping[str, Sequence[int]]) -> Sequence[int]:
    if row.zone is not None:
        return row.zone.places_veh
    return places_veh.get(row.yard.yard_id) or [row.yard.capacity_veh] * STEPS


def _step_of(told: Assignment | None, now: datetime) -> int:
    return -1 if told is None else int((told.place_free_at - now).total_seconds() // STEP_S)


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (moment - now).total_seconds()
