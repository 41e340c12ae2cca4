"""The measures that an advice proposes: hold, divert, release. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from app.dispatch.advice_inputs import MEDIAN, Case, GateOutlook, Measure, Message, Outlook
from app.dispatch.records import DraftRecord, ParametersRecord, SelectionRecord, StretchRecord
from app.dispatch.vocabulary import OrderKind
from app.gates.profile import GateProfile
from app.gates.vocabulary import GoodsClass
from app.trips.places import TO_BORDER, StagingArea
from app.trips.vocabulary import Regime

HALF_HOUR_S: Final = 1800


def find_measures(case: Case, excess_veh: int, until: datetime, reason: str) -> list[Measure]:
    made = (_divert(case, excess_veh, until), _hold(case, excess_veh, until, reason), release(case, until))
    return [measure for measure in made if measure is not None]


def _hold(case: Case, excess_veh: int, until: datetime, reason: str) -> Measure | None:
    """Hold at the staging area nearest to the gate beyond the queue's tail that trucks still have before them."""
    tail_km = float(np.nan_to_num(case.gate.tail_km[MEDIAN]).max())
    for area in sorted(
        case.places.staging.values(), key=lambda truck: case.place.distance_km(truck.road, truck.km) or 0.0
    ):
        area_km = case.place.distance_km(area.road, area.km)
        if area_km is None or area_km <= tail_km:
            continue
        standing = sum(truck.site_id == area.site_id for truck in case.outlook.trucks)
        veh = min(excess_veh, area.capacity_veh - standing, _before(case, area), case.policy.hold_veh)
        if veh < 1:
            continue
        _, last_km = case.places.km_spans[area.road]
        values = {"veh": veh, "site_id": area.site_id, "until": until.isoformat()}
        selection: SelectionRecord = {
            "stretch": stretch_toward_border(area.road, area.km, last_km),
            "gate_id": case.gate.gate_id,
            "limit_veh": veh,
        }
        draft = draft_order(OrderKind.HOLD, selection, {"site_id": area.site_id, "reason": reason}, until)
        return Measure("hold", Message("hold_at", values), draft)
    return None


def _before(case: Case, area: StagingArea) -> int:
    return sum(
        truck.gate_id == case.gate.gate_id
        and truck.direction == TO_BORDER
        and truck.road == area.road
        and truck.km is not None
        and truck.km > area.km
        and truck.site_id is None
        for truck in case.outlook.trucks
    )


def _divert(case: Case, excess_veh: int, until: datetime) -> Measure | None:
    """Send what does not spoil to the gate whose wait is shorter by the margin, while it is before the fork."""
    junctions = case.place.feeders
    start = case.outlook.index(case.now)
    own_wait_s = _longest_wait_s(case.outlook, case.gate, start)
    for other in sorted(case.outlook.gates.values(), key=lambda gate: gate.gate_id):
        if other.gate_id == case.gate.gate_id or other.gate_id not in case.places.gates or other.opens_at is not None:
            continue
        other_place = case.places.gates[other.gate_id]
        fork_km = case.place.fork_km if other_place.road in junctions else None
        wait_s = _longest_wait_s(case.outlook, other, start)
        if fork_km is None or own_wait_s - wait_s < case.policy.divert_margin_s:
            continue
        road, nearest_km = case.place.road, fork_km
        _, last_km = case.places.km_spans[road]
        able = sum(
            truck.gate_id == case.gate.gate_id
            and not truck.perishable
            and truck.direction == TO_BORDER
            and truck.road == road
            and (other.profile is None or other.profile.takes(truck.regime, truck.goods_class, hazards=truck.hazards))
            and truck.km is not None
            and truck.km > nearest_km
            for truck in case.outlook.trucks
        )
        veh = min(excess_veh, able)
        if veh < 1:
            continue
        values = {"veh": veh, "gate_id": other.gate_id, "shorter_s": round(own_wait_s - wait_s)}
        selection: SelectionRecord = {
            "stretch": stretch_toward_border(road, nearest_km, last_km),
            "gate_id": case.gate.gate_id,
            "perishable": False,
            "limit_veh": veh,
            **taken(other.profile, case.now),
        }
        draft = draft_order(OrderKind.DIVERT, selection, {"gate_id": other.gate_id, "reason": "shorter_wait"}, until)
        return Measure("divert", Message("divert_to", values), draft)
    return None


def taken(profile: GateProfile | None, now: datetime) -> SelectionRecord:
    """The criteria of a selection that only trucks meet which a gate takes now; none where it takes all.

    Criteria of a selection hold together, so goods that a ban keeps out under some regimes only are left out whole.
    """
    if profile is None:
        return {}
    bans = [ban for ban in profile.bans if ban.is_in_force(now)]
    no_goods = {name for ban in bans for name in ban.goods}
    no_regimes = {name for ban in bans if not ban.goods for name in ban.regimes or Regime}
    regimes = [name for name in profile.regimes if name not in no_regimes]
    goods = [name for name in profile.goods if name not in no_goods]
    found: SelectionRecord = {}
    if len(regimes) < len(Regime):
        found["regimes"] = regimes
    if len(goods) < len(GoodsClass):
        found["goods_classes"] = goods
    return found


def _longest_wait_s(outlook: Outlook, gate: GateOutlook, start: int) -> float:
    """The longest median wait from a sample on; a wait beyond the forecast counts as the forecast's length."""
    horizon_s = outlook.step_s * gate.wait_s.shape[1]
    wait_s = np.minimum(np.nan_to_num(gate.wait_s[MEDIAN, start:], posinf=horizon_s), horizon_s)
    return float(wait_s.max(initial=0.0))


def release(case: Case, until: datetime) -> Measure | None:
    """Let trucks that are held go in groups no faster than the gate clears them."""
    fullest: tuple[int, str] | None = None
    for area in case.places.staging.values():
        held = sum(
            truck.site_id == area.site_id and truck.gate_id == case.gate.gate_id for truck in case.outlook.trucks
        )
        if held and (fullest is None or held > fullest[0]):
            fullest = (held, area.site_id)
    if fullest is None:
        return None
    held, site_id = fullest
    group_veh = max(1, min(case.policy.release_per_half_hour_veh, int(case.gate.service_veh_per_h / 2)))
    groups = math.ceil(held / group_veh)
    end = max(until, case.now + timedelta(seconds=HALF_HOUR_S * (groups + 1)))
    values = {"veh": held, "site_id": site_id, "group": group_veh}
    parameters: ParametersRecord = {
        "reason": "queue_dissolves",
        "release": {"veh": group_veh, "every_s": HALF_HOUR_S},
    }
    selection: SelectionRecord = {"site_id": site_id, "gate_id": case.gate.gate_id}
    return Measure(
        "release", Message("release_slowly", values), draft_order(OrderKind.PROCEED, selection, parameters, end)
    )


def stretch_toward_border(road: str, km_from: float, km_to: float) -> StretchRecord:
    return {"road": road, "km_from": round(km_from, 3), "km_to": round(km_to, 3), "direction": "to_border"}


def draft_order(kind: str, selection: SelectionRecord, parameters: ParametersRecord, valid_to: datetime) -> DraftRecord:
    return {"kind": kind, "selection": selection, "parameters": parameters, "valid_to": valid_to.isoformat()}
