"""Advice: what is about to go wrong at a gate, how probable it is, why, and what would help. Pure.

Arrays are those of the forecast: quantiles by time, shape (3, T), one sample every `step_s` from `made_at`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.dispatch.policy import AdvicePolicy
from app.dispatch.vocabulary import OrderKind, Severity
from app.gates.profile import GateProfile
from app.trips.goods import GoodsClass
from app.trips.places import TO_BORDER, GatePlace, Places, StagingArea
from app.trips.vocabulary import Regime

Floats = npt.NDArray[np.float64]
MEDIAN: Final = 1
HALF_HOUR_S: Final = 1800


@dataclass(frozen=True)
class GateOutlook:
    """One gate's forecast, and how it works.

    Arguments: `queue_veh`, `wait_s`, `tail_km`, shape (3, T); `service_veh_per_h`, what its open lanes clear;
    `opens_at`, when it opens next (`None`: it is open); `closes_at`, when it closes next (`None`: it never does);
    `profile`, what it takes (`None`: everything).
    """

    gate_id: str
    queue_veh: Floats
    wait_s: Floats
    tail_km: Floats
    lanes: int
    service_veh_per_h: float
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    profile: GateProfile | None = None


@dataclass(frozen=True)
class YardOutlook:
    """One yard's forecast occupancy, shape (3, T), and its places."""

    yard_id: str
    gate_id: str
    capacity_veh: int
    occupancy_veh: Floats


@dataclass(frozen=True)
class Truck:
    """A truck on its way to a gate; `km` on `road` counts from the border, `direction` 1 to it."""

    gate_id: str
    perishable: bool
    road: str | None
    km: float | None
    direction: int = TO_BORDER
    site_id: str | None = None
    regime: str | None = None
    goods_class: str | None = None


@dataclass(frozen=True)
class Outlook:
    """What the advice is made from: the forecast of all gates and yards, and the trucks on the way."""

    made_at: datetime
    step_s: float
    quantiles: tuple[float, ...]
    gates: Mapping[str, GateOutlook]
    yards: Mapping[str, YardOutlook] = field(default_factory=dict)
    trucks: Sequence[Truck] = ()

    def at(self, index: int) -> datetime:
        """The moment of a sample."""
        return self.made_at + timedelta(seconds=self.step_s * index)

    def index(self, moment: datetime) -> int:
        """The sample at or after a moment."""
        return max(0, math.ceil((moment - self.made_at).total_seconds() / self.step_s))


@dataclass(frozen=True)
class Message:
    """A text to be put in the reader's language: a code of `wording.MESSAGES` and what fills it."""

    code: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """What would help, and the order that the composer opens for it (as `POST /api/v1/orders` takes it)."""

    kind: str
    message: Message
    draft: Mapping[str, Any]


@dataclass(frozen=True)
class Advice:
    """One risk at one gate; `by` is when it comes true with `probability`, `until` when it is expected to be over."""

    gate_id: str
    kind: str
    severity: str
    by: datetime
    until: datetime
    probability: float
    message: Message
    causes: tuple[Message, ...]
    measures: tuple[Measure, ...]


def exceedance(quantiles: Sequence[float], values: Floats, threshold: float) -> Floats:
    """The probability that a quantity reaches `threshold`, from its quantiles, shape (T,).

    The distribution is taken as linear between the quantiles and goes on beyond them for as far as the outer one lies
    from the median (never below 0): a triangle's foot, which over- rather than understates the tails.
    Arguments: `values`, shape (Q, T), ascending along Q and not negative.
    """
    levels = np.concatenate([[0.0], np.asarray(quantiles, float), [1.0]])
    known = np.minimum(np.nan_to_num(np.maximum.accumulate(np.asarray(values, float), axis=0)), 1e30)
    middle = known[len(quantiles) // 2]
    low = np.maximum(known[0] - (middle - known[0]), 0.0)
    high = known[-1] + (known[-1] - middle)
    points = np.vstack([low, known, high])
    below = np.zeros(points.shape[1])
    for lower, upper, start, end in zip(points, points[1:], levels, levels[1:], strict=False):
        width = upper - lower
        share = np.divide(threshold - lower, width, out=np.zeros_like(width), where=width > 0.0)
        inside = np.where(width > 0.0, np.clip(share, 0.0, 1.0), (threshold > upper).astype(float))
        below = np.maximum(below, np.where(threshold > lower, start + (end - start) * inside, below))
    return 1.0 - below


def advise(
    outlook: Outlook,
    policy: AdvicePolicy,
    places: Places,
    now: datetime,
    standing: Collection[tuple[str, str]] = (),
) -> list[Advice]:
    """All advice that the forecast gives now.

    Arguments: `standing`, gate and kind of the advice that stands: it needs less probability to stay than to come.
    """
    found: list[Advice] = []
    for gate_id, gate in outlook.gates.items():
        if gate_id not in places.gates:
            continue
        for kind, find in (("queue", _find_queue), ("closing", _find_closing), ("release", _find_release)):
            needed = policy.keep if (gate_id, kind) in standing else policy.likely
            advice = find(_Case(outlook, gate, places, policy, now, needed))
            if advice is not None:
                found.append(advice)
    for yard in outlook.yards.values():
        if yard.gate_id in outlook.gates and yard.gate_id in places.gates and yard.capacity_veh > 0:
            kind = f"yard:{yard.yard_id}"
            needed = policy.keep if (yard.gate_id, kind) in standing else policy.likely
            advice = _find_yard(_Case(outlook, outlook.gates[yard.gate_id], places, policy, now, needed), yard)
            if advice is not None:
                found.append(advice)
    return found


@dataclass(frozen=True)
class _Case:
    outlook: Outlook
    gate: GateOutlook
    places: Places
    policy: AdvicePolicy
    now: datetime
    needed: float

    @property
    def place(self) -> GatePlace:
        return self.places.gates[self.gate.gate_id]

    def first(self, chance: Floats) -> int | None:
        """The sample at which a risk is sure, else the one at which it is most probable if that is enough."""
        chance = chance[self.outlook.index(self.now) :] if len(chance) else chance
        offset = self.outlook.index(self.now)
        if not len(chance) or float(chance.max()) < self.needed:
            return None
        sure = np.flatnonzero(chance >= self.policy.sure)
        return offset + int(sure[0] if len(sure) else chance.argmax())

    def until(self, chance: Floats, index: int) -> datetime:
        """The first sample after `index` at which the risk is improbable again, else the forecast's end."""
        gone = np.flatnonzero(chance[index:] < self.policy.keep)
        return self.outlook.at(index + int(gone[0]) if len(gone) else len(chance) - 1)


def _find_queue(case: _Case) -> Advice | None:
    policy, gate, outlook = case.policy, case.gate, case.outlook
    levels = (policy.queue_notice_km, policy.queue_warning_km, policy.queue_alarm_km)
    for severity, level_km in zip(reversed(Severity), reversed(levels), strict=True):
        chance = exceedance(outlook.quantiles, gate.tail_km, level_km)
        index = case.first(chance)
        if index is None:
            continue
        until, by = case.until(chance, index), outlook.at(index)
        code = "queue_stands" if by <= case.now + timedelta(seconds=outlook.step_s) else "queue_will_reach"
        values = {"gate_id": gate.gate_id, "km": level_km, "by": by.isoformat(), "until": until.isoformat()}
        peak = index + int(np.nan_to_num(gate.queue_veh[MEDIAN, index:]).argmax())
        excess_veh = _excess(gate, peak, level_km=min(level_km, policy.queue_notice_km), inland_km=case.place.inland_km)
        return Advice(
            gate.gate_id,
            "queue",
            severity,
            by,
            until,
            float(chance[index]),
            Message(code, values),
            tuple(_causes(case, index)),
            tuple(_measures(case, excess_veh, until, "queue")),
        )
    return None


def _find_yard(case: _Case, yard: YardOutlook) -> Advice | None:
    policy, outlook = case.policy, case.outlook
    for severity, share in (
        (Severity.ALARM, policy.yard_alarm_share),
        (Severity.WARNING, policy.yard_warning_share),
    ):
        chance = exceedance(outlook.quantiles, yard.occupancy_veh, share * yard.capacity_veh)
        index = case.first(chance)
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
            tuple(_measures(case, excess_veh, until, "yard_full")),
        )
    return None


def _find_closing(case: _Case) -> Advice | None:
    gate, outlook, limit_veh = case.gate, case.outlook, case.policy.left_at_closing_veh
    if gate.closes_at is None or gate.closes_at <= case.now:
        return None
    index = outlook.index(gate.closes_at)
    if index >= gate.queue_veh.shape[1]:
        return None
    chance = float(exceedance(outlook.quantiles, gate.queue_veh[:, [index]], limit_veh)[0])
    if chance < case.needed:
        return None
    left_veh = math.ceil(float(np.nan_to_num(gate.queue_veh[MEDIAN, index])))
    until = outlook.at(gate.queue_veh.shape[1] - 1)
    values = {"gate_id": gate.gate_id, "closes_at": gate.closes_at.isoformat(), "veh": max(left_veh, limit_veh)}
    return Advice(
        gate.gate_id,
        "closing",
        Severity.WARNING,
        gate.closes_at,
        until,
        chance,
        Message("left_at_closing", values),
        tuple(_causes(case, index)),
        tuple(_measures(case, left_veh, until, "gate_closed")),
    )


def _find_release(case: _Case) -> Advice | None:
    """Trucks are held although the queue ahead stays short: they can go."""
    outlook, gate, policy = case.outlook, case.gate, case.policy
    if gate.opens_at is not None and gate.opens_at > case.now:
        return None
    start = outlook.index(case.now)
    end = outlook.index(case.now + timedelta(seconds=4 * HALF_HOUR_S)) + 1
    risk = exceedance(outlook.quantiles, gate.tail_km, policy.queue_notice_km)[start:end]
    measure = _release(case, case.now)
    if measure is None or not len(risk) or 1.0 - float(risk.max()) < case.needed:
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


def _causes(case: _Case, index: int) -> list[Message]:
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
            "lanes": gate.lanes,
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


def _measures(case: _Case, excess_veh: int, until: datetime, reason: str) -> list[Measure]:
    made = (_divert(case, excess_veh, until), _hold(case, excess_veh, until, reason), _release(case, until))
    return [measure for measure in made if measure is not None]


def _hold(case: _Case, excess_veh: int, until: datetime, reason: str) -> Measure | None:
    """Hold at the staging area nearest to the gate beyond the queue's tail that trucks still have before them."""
    tail_km = float(np.nan_to_num(case.gate.tail_km[MEDIAN]).max())
    for area in sorted(case.places.staging.values(), key=lambda one: case.place.distance_km(one.road, one.km) or 0.0):
        area_km = case.place.distance_km(area.road, area.km)
        if area_km is None or area_km <= tail_km:
            continue
        standing = sum(truck.site_id == area.site_id for truck in case.outlook.trucks)
        veh = min(excess_veh, area.capacity_veh - standing, _before(case, area), case.policy.hold_veh)
        if veh < 1:
            continue
        _, last_km = case.places.km_spans[area.road]
        values = {"veh": veh, "site_id": area.site_id, "until": until.isoformat()}
        selection = {
            "stretch": _stretch(area.road, area.km, last_km),
            "gate_id": case.gate.gate_id,
            "limit_veh": veh,
        }
        draft = _draft(OrderKind.HOLD, selection, {"site_id": area.site_id, "reason": reason}, until)
        return Measure("hold", Message("hold_at", values), draft)
    return None


def _before(case: _Case, area: StagingArea) -> int:
    return sum(
        truck.gate_id == case.gate.gate_id
        and truck.direction == TO_BORDER
        and truck.road == area.road
        and truck.km is not None
        and truck.km > area.km
        and truck.site_id is None
        for truck in case.outlook.trucks
    )


def _divert(case: _Case, excess_veh: int, until: datetime) -> Measure | None:
    """Send what does not spoil to the gate whose wait is shorter by the margin, while it is before the fork."""
    junctions = case.place.feeders
    start = case.outlook.index(case.now)
    own_wait_s = _longest_wait_s(case.outlook, case.gate, start)
    for other in sorted(case.outlook.gates.values(), key=lambda one: one.gate_id):
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
            and (other.profile is None or other.profile.takes(truck.regime, truck.goods_class))
            and truck.km is not None
            and truck.km > nearest_km
            for truck in case.outlook.trucks
        )
        veh = min(excess_veh, able)
        if veh < 1:
            continue
        values = {"veh": veh, "gate_id": other.gate_id, "shorter_s": round(own_wait_s - wait_s)}
        selection = {
            "stretch": _stretch(road, nearest_km, last_km),
            "gate_id": case.gate.gate_id,
            "perishable": False,
            "limit_veh": veh,
            **_taken(other.profile),
        }
        draft = _draft(OrderKind.DIVERT, selection, {"gate_id": other.gate_id, "reason": "shorter_wait"}, until)
        return Measure("divert", Message("divert_to", values), draft)
    return None


def _taken(profile: GateProfile | None) -> dict[str, Any]:
    """The criteria of a selection that only trucks meet which a gate takes; none where it takes all."""
    if profile is None:
        return {}
    found = {"regimes": list(profile.regimes), "goods_classes": list(profile.goods)}
    known = {"regimes": len(Regime), "goods_classes": len(GoodsClass)}
    return {name: values for name, values in found.items() if len(values) < known[name]}


def _longest_wait_s(outlook: Outlook, gate: GateOutlook, start: int) -> float:
    """The longest median wait from a sample on; a wait beyond the forecast counts as the forecast's length."""
    horizon_s = outlook.step_s * gate.wait_s.shape[1]
    wait_s = np.minimum(np.nan_to_num(gate.wait_s[MEDIAN, start:], posinf=horizon_s), horizon_s)
    return float(wait_s.max(initial=0.0))


def _release(case: _Case, until: datetime) -> Measure | None:
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
    parameters = {"reason": "queue_dissolves", "release": {"veh": group_veh, "every_s": HALF_HOUR_S}}
    selection = {"site_id": site_id, "gate_id": case.gate.gate_id}
    return Measure("release", Message("release_slowly", values), _draft(OrderKind.PROCEED, selection, parameters, end))


def _stretch(road: str, km_from: float, km_to: float) -> dict[str, Any]:
    return {"road": road, "km_from": round(km_from, 3), "km_to": round(km_to, 3), "direction": "to_border"}


def _draft(
    kind: str, selection: Mapping[str, Any], parameters: Mapping[str, Any], valid_to: datetime
) -> dict[str, Any]:
    return {
        "kind": kind,
        "selection": dict(selection),
        "parameters": dict(parameters),
        "valid_to": valid_to.isoformat(),
    }
