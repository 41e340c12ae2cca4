"""Advice: what is about to go wrong at a gate, how probable it is, why, and what would help. Pure.

Arrays are those of the forecast: quantiles by time, shape (3, T), one sample every `step_s` from `made_at`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from app.dispatch.advice_inputs import MEDIAN, Advice, Case, GateOutlook, Message, Outlook, YardOutlook, exceedance
from app.dispatch.advice_measures import HALF_HOUR_S, find_measures, release
from app.dispatch.policy import AdvicePolicy
from app.dispatch.severity import growths, queue_levels, severity_of
from app.dispatch.vocabulary import Severity
from app.trips.places import Places


def advise(
    outlook: Outlook,
    policy: AdvicePolicy,
    places: Places,
    now: datetime,
    standing: Mapping[tuple[str, str], float] | None = None,
) -> list[Advice]:
    """All advice that the forecast gives now.

    Arguments: `standing`, of the advice that stands, by gate and kind, what it tells of (`place_and_threshold`): that
    needs less probability to stay than to come, and what is worse as much as if nothing stood.
    """
    told, found = standing or {}, list[Advice]()
    for gate_id, gate in outlook.gates.items():
        if gate_id not in places.gates:
            continue
        for kind, find in (("queue", _find_queue), ("closing", _find_closing), ("release", _find_release)):
            advice = find(Case(outlook, gate, places, policy, now, told.get((gate_id, kind))))
            if advice is not None:
                found.append(advice)
    for yard in outlook.yards.values():
        if yard.gate_id in outlook.gates and yard.gate_id in places.gates and yard.capacity_veh > 0:
            kind = f"yard:{yard.yard_id}"
            stands = told.get((yard.gate_id, kind))
            advice = _find_yard(Case(outlook, outlook.gates[yard.gate_id], places, policy, now, stands), yard)
            if advice is not None:
                found.append(advice)
    return found


def _find_queue(case: Case) -> Advice | None:
    policy, gate, outlook = case.policy, case.gate, case.outlook
    levels = (policy.queue_notice_km, policy.queue_warning_km, policy.queue_alarm_km)
    for level_km in reversed(levels):
        chance = exceedance(outlook.quantiles, gate.tail_km, level_km)
        reached = exceedance(outlook.quantiles, gate.tail_reached_km, level_km)
        index = case.first(level_km, chance, reached)
        if index is None:
            continue
        until, by = case.until(chance, index), outlook.at(index)
        code = "queue_stands" if by <= case.now + timedelta(seconds=outlook.step_s) else "queue_will_reach"
        values = {"gate_id": gate.gate_id, "km": level_km, "by": by.isoformat(), "until": until.isoformat()}
        growth_veh_per_h = growths(np.nan_to_num(gate.queue_veh[MEDIAN]), outlook.step_s)[index]
        tail_km = max(level_km, float(gate.tail_km[MEDIAN, index]))
        level = float(queue_levels(tail_km, gate.wait_s[MEDIAN, index], growth_veh_per_h, policy))
        peak = index + int(np.nan_to_num(gate.queue_veh[MEDIAN, index:]).argmax())
        excess_veh = _excess(gate, peak, level_km=min(level_km, policy.queue_notice_km), inland_km=case.place.inland_km)
        return Advice(
            gate.gate_id,
            "queue",
            severity_of(level) or Severity.NOTICE,
            by,
            until,
            float(max(reached[index], chance[index]) if chance[index] >= policy.sure else reached.max()),
            Message(code, values),
            tuple(_causes(case, index)),
            tuple(find_measures(case, excess_veh, until, "queue")),
            level=level,
        )
    return None


def _find_yard(case: Case, yard: YardOutlook) -> Advice | None:
    policy, outlook = case.policy, case.outlook
    for severity, share in (
        (Severity.ALARM, policy.yard_alarm_share),
        (Severity.WARNING, policy.yard_warning_share),
    ):
        chance = exceedance(outlook.quantiles, yard.occupancy_veh, share * yard.capacity_veh)
        index = case.first(share * yard.capacity_veh, chance)
        if index is None:
            continue
        until, by = case.until(chance, index), outlook.at(index)
        values = {"yard_id": yard.yard_id, "share": share, "by": by.isoformat(), "capacity_veh": yard.capacity_veh}
        peak_veh = float(np.nan_to_num(yard.occupancy_veh[MEDIAN, index:]).max())
        excess_veh = math.ceil(max(0.0, peak_veh - policy.yard_warning_share * yard.capacity_veh))
        return Advice(
            yard.gate_id,
            f"yard:{yard.yard_id}",
            severity,
            by,
            until,
            float(chance[index]),
            Message("yard_will_fill", values),
            tuple(_causes(case, index)),
            tuple(find_measures(case, excess_veh, until, "yard_full")),
        )
    return None


def _find_closing(case: Case) -> Advice | None:
    gate, outlook, limit_veh = case.gate, case.outlook, case.policy.left_at_closing_veh
    if gate.closes_at is None or gate.closes_at <= case.now:
        return None
    index = outlook.index(gate.closes_at)
    if index >= gate.queue_veh.shape[1]:
        return None
    chance = float(exceedance(outlook.quantiles, gate.queue_veh[:, [index]], limit_veh)[0])
    if chance < case.needed(limit_veh):
        return None
    left_veh = math.ceil(float(np.nan_to_num(gate.queue_veh[MEDIAN, index])))
    until = outlook.at(gate.queue_veh.shape[1] - 1)
    values = {
        "gate_id": gate.gate_id,
        "closes_at": gate.closes_at.isoformat(),
        "veh": max(left_veh, limit_veh),
        "at_least_veh": limit_veh,
    }
    return Advice(
        gate.gate_id,
        "closing",
        Severity.WARNING,
        gate.closes_at,
        until,
        chance,
        Message("left_at_closing", values),
        tuple(_causes(case, index)),
        tuple(find_measures(case, left_veh, until, "gate_closed")),
    )


def _find_release(case: Case) -> Advice | None:
    """Trucks are held although the queue ahead stays short: they can go.

    They can when a queue is less probable than one that is told of needs to stay, and until it is as probable as one
    needs to come.
    """
    outlook, gate, policy = case.outlook, case.gate, case.policy
    if gate.opens_at is not None and gate.opens_at > case.now:
        return None
    start = outlook.index(case.now)
    end = outlook.index(case.now + timedelta(seconds=4 * HALF_HOUR_S)) + 1
    risk = exceedance(outlook.quantiles, gate.tail_km, policy.queue_notice_km)[start:end]
    measure = release(case, case.now)
    most = policy.keep if case.told is None else policy.likely
    if measure is None or not len(risk) or float(risk.max()) > most:
        return None
    values = {**measure.message.values, "gate_id": gate.gate_id, "km": policy.queue_notice_km}
    return Advice(
        gate.gate_id,
        "release",
        Severity.NOTICE,
        case.now,
        outlook.at(end - 1),
        1.0 - float(risk.max()),
        Message("road_is_clear", values),
        (),
        (measure,),
    )


def _excess(gate: GateOutlook, peak: int, *, level_km: float, inland_km: float) -> int:
    """How many trucks of the median queue at its peak stand beyond the kilometre at which it is told of."""
    queue_veh, tail_km = float(gate.queue_veh[MEDIAN, peak]), float(gate.tail_km[MEDIAN, peak])
    if not (math.isfinite(queue_veh) and math.isfinite(tail_km)) or tail_km <= level_km:
        return 0
    return math.ceil(queue_veh * (tail_km - level_km) / max(tail_km - inland_km, 0.1))


def _causes(case: Case, index: int) -> list[Message]:
    gate, outlook = case.gate, case.outlook
    found: list[Message] = []
    start = min(outlook.index(case.now), index)
    hours = max((index - start) * outlook.step_s / 3600.0, outlook.step_s / 3600.0)
    growth = float(gate.queue_veh[MEDIAN, index] - gate.queue_veh[MEDIAN, start]) / hours
    is_closed = gate.opens_at is not None and gate.opens_at > case.now
    if is_closed and gate.opens_at is not None:
        values = {"gate_id": gate.gate_id, "opens_at": gate.opens_at.isoformat()}
        found.append(Message("gate_is_closed", values))
    elif gate.closes_at is not None and gate.closes_at <= outlook.at(index):
        values = {"gate_id": gate.gate_id, "closes_at": gate.closes_at.isoformat()}
        found.append(Message("gate_closes", values))
    if not is_closed and growth > 0.5:
        values_n = {
            "service": round(gate.service_veh_per_h),
            "arrivals": round(gate.service_veh_per_h + growth),
        }
        found.append(Message("arrivals_exceed_service", values_n))
    for yard in outlook.yards.values():
        if yard.gate_id != gate.gate_id or yard.capacity_veh <= 0:
            continue
        free_veh = yard.capacity_veh - float(np.nan_to_num(yard.occupancy_veh[MEDIAN, index]))
        if free_veh < (1.0 - case.policy.yard_warning_share) * yard.capacity_veh:
            found.append(Message("few_places", {"yard_id": yard.yard_id, "free": max(0, round(free_veh))}))
    return found
