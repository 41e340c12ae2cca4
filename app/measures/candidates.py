"""The acts that are possible at a gate now, and why others are not. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from app.dispatch.advice_inputs import Message
from app.dispatch.advice_measures import HALF_HOUR_S, draft_order, stretch_toward_border, taken
from app.dispatch.order_drafts import MAX_DURATION
from app.dispatch.policy import AdvicePolicy
from app.dispatch.records import DraftRecord, ParametersRecord, SelectionRecord
from app.dispatch.vocabulary import MeasureKind, OrderKind
from app.forecasting.state import ComingTruck, CorridorNow
from app.gates.profile import GateProfile
from app.measures.metering import find_held
from app.trips.places import GatePlace, Places, StagingArea
from routing.acts import Act, Banned, Diverted, Held, Laboratory, Released, Worked

SHARES: Final = (0.25, 0.5, 1.0)
"""Of the trucks that an act can reach, so many are tried."""
HOLDS_H: Final = (1.0, 2.0, 4.0)
LONGER_H: Final = (1.0, 2.0)
BANS_H: Final = (2.0, 4.0)
PACES: Final = (0.5, 1.0, 2.0)
"""Held trucks are let go so many times as fast as the gate works."""
MIN_OF_CLASS: Final = 5
"""Fewer trucks of a class of goods are not diverted by their class."""
MAX_LISTED: Final = 5000


@dataclass(frozen=True)
class Candidate:
    """An act that is possible, what it says, and the order that the composer opens for it."""

    kind: MeasureKind
    message: Message
    act: Act
    draft: DraftRecord


@dataclass(frozen=True)
class Impossible:
    """An act that is not possible now, and why."""

    kind: MeasureKind
    message: Message


@dataclass(frozen=True)
class Situation:
    """A gate with what stands around it.

    Arguments: `tail_km`, how far its queue is expected to reach; `standing`, staging area → trucks in it or ordered to
    it; `built_lanes`, how many lanes the gate has; `closes_at`, when it closes next, `opens_at`, when it opens (`None`:
    it is open).
    """

    gate_id: str
    corridor: CorridorNow
    laboratory: Laboratory
    places: Places
    policy: AdvicePolicy
    profiles: Mapping[str, GateProfile]
    now: datetime
    tail_km: float
    standing: Mapping[str, int]
    built_lanes: int
    opens_at: datetime | None = None
    closes_at: datetime | None = None

    @property
    def place(self) -> GatePlace:
        """Where the gate lies."""
        return self.places.gates[self.gate_id]

    @property
    def bound(self) -> list[ComingTruck]:
        """Trucks on the way to the gate, the nearest first."""
        own = [truck for truck in self.corridor.coming if truck.index >= 0 and truck.gate_id == self.gate_id]
        return sorted((truck for truck in own if truck.km is not None), key=lambda truck: truck.km or 0.0)

    def in_hours(self, hours: float) -> datetime:
        """So many hours from now, to the minute."""
        return (self.now + timedelta(hours=hours)).replace(second=0, microsecond=0)

    def seconds(self, moment: datetime) -> float:
        """Seconds from the state's moment to another."""
        return (moment - self.corridor.state.made_at).total_seconds()


Found = Iterable[Candidate | Impossible]


def find_candidates(situation: Situation) -> tuple[list[Candidate], list[Impossible]]:
    """Everything that can be tried at a gate now, and what cannot be done with the reason."""
    finders = (_holds, _diverts, _releases, _lanes, _hours, _reversals, _bans)
    found = [candidate for find in finders for candidate in find(situation)]
    return [candidate for candidate in found if isinstance(candidate, Candidate)], [
        candidate for candidate in found if isinstance(candidate, Impossible)
    ]


def _rows(trucks: Sequence[ComingTruck]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([truck.index for truck in trucks], np.int64)


def _amounts(most: int) -> list[int]:
    return sorted({math.ceil(share * most) for share in SHARES})


def _holds(situation: Situation) -> Found:
    """Hold at the two areas nearest to the gate that lie beyond its queue."""
    place, possible = situation.place, 0
    areas = [(place.distance_km(area.road, area.km), area) for area in situation.places.staging.values()]
    beyond = [(km, area) for km, area in areas if km is not None and km > situation.tail_km]
    if not beyond:
        yield Impossible(MeasureKind.HOLD, Message("no_area_beyond", {"km": round(situation.tail_km, 1)}))
    for _, area in sorted(beyond, key=lambda at: at[0]):
        if possible == 2:
            return
        able = [
            truck
            for truck in situation.bound
            if truck.road == area.road
            and (truck.km or 0.0) > area.km
            and truck.site_id is None
            and situation.laboratory.can_hold(truck.index, area.site_id)
        ]
        room = area.capacity_veh - situation.standing.get(area.site_id, 0)
        values = {"site_id": area.site_id, "capacity": area.capacity_veh}
        if room < 1:
            yield Impossible(MeasureKind.HOLD, Message("area_is_full", values))
        elif not able:
            yield Impossible(MeasureKind.HOLD, Message("nobody_before", values))
        else:
            possible += 1
            yield from _holds_at(situation, area, able, room)


def _holds_at(situation: Situation, area: StagingArea, able: Sequence[ComingTruck], room: int) -> Found:
    _, last_km = situation.places.km_spans[area.road]
    for perishable in (False, None):
        chosen = [truck for truck in able if perishable is None or truck.perishable == perishable]
        if not chosen or (perishable is None and all(not truck.perishable for truck in able)):
            continue
        for veh in _amounts(min(len(chosen), room, situation.policy.hold_veh)):
            for until in _hold_ends(situation):
                rows = _rows(chosen[:veh])
                selection: SelectionRecord = {
                    "stretch": stretch_toward_border(area.road, area.km, last_km),
                    "gate_id": situation.gate_id,
                    "limit_veh": veh,
                }
                if perishable is not None:
                    selection["perishable"] = perishable
                code = "hold_all" if perishable is None else "hold_other"
                values = {"veh": veh, "site_id": area.site_id, "until": until.isoformat()}
                yield Candidate(
                    MeasureKind.HOLD,
                    Message(code, values),
                    (Held(rows, area.site_id, np.full(rows.size, situation.seconds(until))),),
                    draft_order(OrderKind.HOLD, selection, {"site_id": area.site_id, "reason": "queue"}, until),
                )


def _hold_ends(situation: Situation) -> list[datetime]:
    """When a hold may end: after some hours, or when the gate opens."""
    ends = [situation.in_hours(hours) for hours in HOLDS_H]
    opens_at = situation.opens_at
    if opens_at is not None and opens_at - situation.now < MAX_DURATION:
        ends.append(opens_at)
    return ends


def _diverts(situation: Situation) -> Found:
    """Send some of those that are before the fork to another gate that takes what they carry."""
    place = situation.place
    for other_id in sorted(situation.places.gates.keys() - {situation.gate_id}):
        if other_id not in situation.corridor.gate_ids:
            continue
        other = situation.places.gates[other_id]
        fork_km = place.fork_km if other.road in place.feeders else None
        before = [
            truck
            for truck in situation.bound
            if fork_km is not None
            and truck.road == place.road
            and (truck.km or 0.0) > fork_km
            and situation.laboratory.can_divert(truck.index, other_id)
        ]
        if not before or fork_km is None:
            yield Impossible(MeasureKind.DIVERT, Message("nobody_before_fork", {"gate_id": other_id}))
            continue
        profile = situation.profiles.get(other_id)
        able = [
            truck
            for truck in before
            if profile is None or profile.takes(truck.regime, truck.goods_class, situation.now, hazards=truck.hazards)
        ]
        if not able:
            yield Impossible(MeasureKind.DIVERT, Message("gate_takes_none", {"gate_id": other_id}))
            continue
        yield from _diverts_to(situation, other_id, profile, able, fork_km)


def _diverts_to(
    situation: Situation, other_id: str, profile: GateProfile | None, able: Sequence[ComingTruck], fork_km: float
) -> Found:
    until = situation.in_hours(2.0)
    _, last_km = situation.places.km_spans[situation.place.road]

    def candidate(code: str, trucks: Sequence[ComingTruck], criteria: SelectionRecord, **values: object) -> Candidate:
        selection: SelectionRecord = {
            "stretch": stretch_toward_border(situation.place.road, fork_km, last_km),
            "gate_id": situation.gate_id,
            "limit_veh": len(trucks),
            **taken(profile, situation.now),
            **criteria,
        }
        parameters: ParametersRecord = {"gate_id": other_id, "reason": "shorter_wait"}
        return Candidate(
            MeasureKind.DIVERT,
            Message(code, {"veh": len(trucks), "gate_id": other_id, **values}),
            (Diverted(_rows(trucks), other_id),),
            draft_order(OrderKind.DIVERT, selection, parameters, until),
        )

    for code, perishable in (("divert_other", False), ("divert_perishable", True), ("divert_all", None)):
        chosen = [truck for truck in able if perishable is None or truck.perishable == perishable]
        if not chosen or (perishable is None and len({truck.perishable for truck in able}) < 2):
            continue
        for veh in _amounts(len(chosen)):
            yield candidate(code, chosen[:veh], {} if perishable is None else {"perishable": perishable})
    classes = {truck.goods_class for truck in able if truck.goods_class}
    for goods in sorted(classes) if len(classes) > 1 else ():
        of_class = [truck for truck in able if truck.goods_class == goods]
        if len(of_class) >= MIN_OF_CLASS:
            yield candidate("divert_class", of_class, {"goods_classes": [goods]}, goods=goods)


def _releases(situation: Situation) -> Found:
    """Let those that are held at an area go, in groups of half an hour."""
    held = find_held(situation.gate_id, situation.corridor, situation.places)
    if not held:
        yield Impossible(MeasureKind.RELEASE, Message("nobody_held", {}))
    pace = situation.corridor.state.pace.get(situation.gate_id)
    pace_veh_per_h = pace.mean_veh_per_h if pace is not None else 2.0 * situation.policy.release_per_half_hour_veh
    for site_id, trucks in ((area.site_id, area.trucks) for area in held):
        groups = {max(1, round(share * pace_veh_per_h / 2.0)) for share in PACES} | {len(trucks)}
        for veh in sorted(size for size in groups if size <= len(trucks)):
            at_s = HALF_HOUR_S * (np.arange(len(trucks)) // veh).astype(float)
            until = situation.now + timedelta(seconds=float(at_s[-1]) + 2 * HALF_HOUR_S)
            selection: SelectionRecord = {"site_id": site_id, "gate_id": situation.gate_id}
            parameters: ParametersRecord = {"reason": "queue_dissolves"}
            if veh < len(trucks):
                parameters["release"] = {"veh": veh, "every_s": HALF_HOUR_S}
            values = {"veh": len(trucks), "site_id": site_id, "group": veh}
            yield Candidate(
                MeasureKind.RELEASE,
                Message("release_all" if veh == len(trucks) else "release_slowly", values),
                (Released(_rows(trucks), at_s),),
                draft_order(OrderKind.PROCEED, selection, parameters, until),
            )


def lanes_at_work(situation: Situation) -> tuple[int, int]:
    """How many lanes work, by the profile and the gate's pace, and how many there are."""
    profile = situation.profiles.get(situation.gate_id)
    lanes = 1 if profile is None else profile.exports.lanes
    pace = situation.corridor.state.pace.get(situation.gate_id)
    share = 1.0 if pace is None else pace.mean_veh_per_h / max(pace.usual_veh_per_h, 1e-9)
    return min(lanes, max(1, round(lanes * share))), max(lanes, situation.built_lanes)


def _lanes(situation: Situation) -> Found:
    at_work, built = lanes_at_work(situation)
    if at_work >= built:
        yield Impossible(MeasureKind.LANE, Message("all_lanes_work", {"gate_id": situation.gate_id, "lanes": built}))
        return
    values = {"gate_id": situation.gate_id, "lanes": at_work + 1, "of": built}
    worked = Worked(situation.gate_id, faster=(at_work + 1) / at_work, max_veh_per_h=_full_veh_per_h(situation, built))
    yield Candidate(MeasureKind.LANE, Message("open_lane", values), (worked,), _notice(situation, "lane_opened", 2.0))


def _full_veh_per_h(situation: Situation, lanes: int) -> float:
    """What the gate lets through with so many lanes: its usual pace in proportion."""
    pace = situation.corridor.state.pace.get(situation.gate_id)
    profile = situation.profiles.get(situation.gate_id)
    return np.inf if pace is None or profile is None else pace.usual_veh_per_h * lanes / profile.exports.lanes


def _hours(situation: Situation) -> Found:
    closes_at = situation.closes_at
    end = situation.now + timedelta(seconds=situation.laboratory.horizon_s)
    if closes_at is None or closes_at > end or situation.opens_at is not None:
        yield Impossible(MeasureKind.HOURS, Message("closes_later", {"gate_id": situation.gate_id}))
        return
    for hours in LONGER_H:
        until = closes_at + timedelta(hours=hours)
        values = {"gate_id": situation.gate_id, "until": until.isoformat()}
        ahead_h = (until - situation.now).total_seconds() / 3600.0
        yield Candidate(
            MeasureKind.HOURS,
            Message("open_longer", values),
            (Worked(situation.gate_id, longer_s=hours * 3600.0),),
            _notice(situation, "longer_hours", ahead_h),
        )


def _reversals(situation: Situation) -> Found:
    profile = situation.profiles.get(situation.gate_id)
    imports = 0 if profile is None else profile.imports.lanes
    if imports < 2:
        yield Impossible(MeasureKind.REVERSE, Message("no_import_lane", {"gate_id": situation.gate_id}))
        return
    at_work, built = lanes_at_work(situation)
    worked = Worked(
        situation.gate_id,
        faster=(at_work + 1) / at_work,
        max_veh_per_h=_full_veh_per_h(situation, built + 1),
        imports_slower=imports / (imports - 1),
    )
    values = {"gate_id": situation.gate_id, "left": imports - 1}
    yield Candidate(
        MeasureKind.REVERSE, Message("reverse_lane", values), (worked,), _notice(situation, "lane_opened", 2.0)
    )


def _bans(situation: Situation) -> Found:
    """No intake: who has not set out yet stays where he is."""
    waiting = [
        truck
        for truck in situation.corridor.coming
        if truck.index < 0 and truck.gate_id == situation.gate_id and truck.trip_id is not None
    ]
    for hours in BANS_H:
        until = situation.in_hours(hours)
        for code, goods in (("ban_other", "other"), ("ban_all", None)):
            told = [truck.vehicle_id for truck in waiting if goods is None or not truck.perishable]
            if not told:
                continue
            selection: SelectionRecord = {"vehicle_ids": told[:MAX_LISTED]}
            values = {"gate_id": situation.gate_id, "until": until.isoformat(), "veh": len(told)}
            yield Candidate(
                MeasureKind.BAN,
                Message(code, values),
                (Banned(situation.gate_id, situation.seconds(until), "other" if goods else None),),
                draft_order(OrderKind.NOTICE, selection, {"reason": "stay_home"}, until),
            )
    if not waiting:
        yield Impossible(MeasureKind.BAN, Message("nobody_to_come", {"gate_id": situation.gate_id}))


def _notice(situation: Situation, reason: str, hours: float) -> DraftRecord:
    """What drivers on the way are told of what the gate does."""
    selection: SelectionRecord = {"gate_id": situation.gate_id}
    return draft_order(OrderKind.NOTICE, selection, {"reason": reason}, situation.in_hours(hours))
