"""What agencies, devices and phones report, as witnesses of where a truck is. Pure.

One function a kind of report; `app.trips.presence` judges what they make. Facts of the road (distance, queue, motion)
are given, so that whoever collects the reports of many trips works them out at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.trips.presence_rules import (
    DEFAULT_RULES,
    ROAD,
    UNKNOWN,
    Place,
    PresenceRules,
    Source,
    Spot,
    TripFrame,
    Trust,
    Witness,
    WitnessKind,
)
from app.trips.vocabulary import Direction, PlaceKind, StepPlace


@dataclass(frozen=True, slots=True)
class Sight:
    """What all witnesses have: when, when known, where on the ground, and the row they stand for."""

    time: datetime
    known_at: datetime
    ref: str
    spot: Spot | None = None


def act_witness(
    frame: TripFrame, sight: Sight, step_place: StepPlace, *, is_exit: bool, is_confirmed: bool, yard_id: str | None
) -> Witness | None:
    """An officer confirmed a step, or sent the sheet back from it (`is_confirmed` false); `None` if done at a desk.

    Not for what the platform confirmed by itself, nor for an act undone at once. `yard_id` is the yard of the officer
    at the yard's step, `None` if the gate has several and nobody said which.
    """
    if step_place is StepPlace.NOWHERE:
        return None
    gate_area = Place(PlaceKind.GATE_AREA, frame.gate_id)
    place = gate_area
    if is_exit and is_confirmed:
        place = frame.exit_place
    elif step_place is StepPlace.ENTRANCE or (step_place is StepPlace.BARRIER and not is_exit and not is_confirmed):
        place = Place(PlaceKind.QUEUED, frame.gate_id)
    elif step_place is StepPlace.YARD and yard_id is not None:
        place = Place(PlaceKind.YARD, frame.gate_id, yard_id)
    return _witness(Source.ACT, WitnessKind.AT, place, sight, Trust.OFFICER, 0.99)


def registration_witness(sight: Sight, temporary_yard: Place) -> Witness:
    """The support desk registered a truck that came undeclared, in the temporary yard, when it came."""
    return _witness(Source.ACT, WitnessKind.AT, temporary_yard, sight, Trust.OFFICER, 0.99)


def arrival_witness(sight: Sight, gate_id: str, *, by_officer: bool) -> Witness:
    """A truck was said to have come to a gate: by an officer who stands there, or by a device that knows its plate."""
    source, trust = (Source.ACT, Trust.OFFICER) if by_officer else (Source.CAMERA, Trust.DEVICE)
    return _witness(source, WitnessKind.AT, Place(PlaceKind.QUEUED, gate_id), sight, trust, 0.9)


def turned_back_witness(sight: Sight, gate_id: str) -> Witness:
    """An officer at a gate saw the truck go away from there without crossing."""
    return _witness(Source.ACT, WitnessKind.AT, Place(PlaceKind.TURNED_BACK, gate_id), sight, Trust.OFFICER, 0.99)


def station_witness(
    source: Source,
    sight: Sight,
    gate_id: str,
    step_place: StepPlace,
    *,
    is_exit: bool,
    probability: float,
    is_sure: bool,
    by_person: bool = False,
) -> Witness:
    """A plate read, a weighing or a scan at a station of a gate.

    A device before a barrier shows a truck that stands before it; only an act or a yard shows that it went through.
    """
    is_before = step_place is StepPlace.ENTRANCE or (step_place is StepPlace.BARRIER and not is_exit)
    place = Place(PlaceKind.QUEUED if is_before else PlaceKind.GATE_AREA, gate_id)
    return _witness(source, WitnessKind.AT, place, sight, _trust(is_sure, by_person), probability)


def road_read_witness(sight: Sight, *, is_away: bool, probability: float, is_sure: bool, by_person: bool) -> Witness:
    """A plate read by a camera along the highway; `is_away` if the truck surely drove from the border."""
    kind = WitnessKind.AWAY if is_away else WitnessKind.AT
    return _witness(Source.CAMERA, kind, ROAD, sight, _trust(is_sure, by_person), probability)


def yard_witness(source: Source, sight: Sight, yard: Place, *, is_entry: bool) -> Witness:
    """A truck came into a yard or left it, as its camera, its operator or GPS says."""
    trust = {Source.HAND: Trust.PERSON, Source.GPS: Trust.GPS}.get(source, Trust.DEVICE)
    kind = WitnessKind.AT if is_entry else WitnessKind.LEFT
    return _witness(source, kind, yard, sight, trust, 0.97 if source is Source.HAND else 0.9)


def gate_event_witness(sight: Sight, gate_id: str, *, is_entry: bool) -> Witness:
    """GPS came into the area of a gate, or left it. Its edge is the barrier, and GPS opens none: it is before it."""
    if is_entry:
        return _witness(Source.GPS, WitnessKind.AT, Place(PlaceKind.QUEUED, gate_id), sight, Trust.GPS, 0.9)
    return _witness(Source.GPS, WitnessKind.LEFT, Place(PlaceKind.GATE_AREA, gate_id), sight, Trust.GPS, 0.9)


@dataclass(frozen=True, slots=True)
class Fix:
    """A truck's position as the road and `geo.motion` see it.

    `site` is the gate (as queued), yard or temporary yard it lies in. `distance_km` is by road to the border through
    the trip's gate, `None` off its roads; `toward` whether it heads for the border, `None` unknown; `is_past_gate`
    whether it is beyond the barrier on the border side. `is_creeping` and `is_free` are false of an unknown speed,
    `is_suspect` is true of a position out of reach of the one before or called simulated by its phone.
    """

    sight: Sight
    site: Place | None = None
    distance_km: float | None = None
    is_on_gate_road: bool = False
    toward: bool | None = None
    is_creeping: bool = False
    is_free: bool = False
    is_moving: bool | None = None
    is_staging: bool = False
    is_past_gate: bool = False
    is_suspect: bool = False


def fix_witness(
    frame: TripFrame, fix: Fix, *, tail_km: float | None = None, rules: PresenceRules = DEFAULT_RULES
) -> Witness:
    """What a position shows; at an unknown place it shows where the device is, and that it lives.

    Arguments: `tail_km`, the measured end of the queue before the trip's gate, kilometres from the border.
    """
    kind, place = _meaning(frame, fix, tail_km, rules)
    trust = Trust.DOUBTFUL if fix.is_suspect else Trust.GPS
    return _witness(Source.GPS, kind, place, fix.sight, trust, 0.9)


def _meaning(frame: TripFrame, fix: Fix, tail_km: float | None, rules: PresenceRules) -> tuple[WitnessKind, Place]:
    km, is_export = fix.distance_km, frame.direction is Direction.EXPORT
    if is_export and fix.is_past_gate and fix.toward is not False and (fix.site is None or not fix.site.is_inside):
        return WitnessKind.AT, frame.exit_place
    if fix.site is not None:
        return WitnessKind.AT, fix.site
    if km is None:
        return WitnessKind.OFF, UNKNOWN
    if fix.is_staging:
        return WitnessKind.AT, ROAD
    if fix.toward is False and km > rules.left_km and not fix.is_creeping:
        is_ours = not is_export or fix.sight.time >= frame.planned_arrival - rules.window
        return (WitnessKind.AWAY, ROAD) if is_ours else (WitnessKind.AWAY, UNKNOWN)
    queue_end_km = max(tail_km or 0.0, rules.near_gate_km)
    if is_export and fix.is_creeping and fix.toward is not False:
        in_queue = tail_km is not None and km <= tail_km + rules.queue_margin_km
        if in_queue or (fix.is_on_gate_road and km <= rules.near_gate_km):
            return WitnessKind.AT, Place(PlaceKind.QUEUED, frame.gate_id)
    if fix.is_free and km > queue_end_km + 2 * rules.queue_margin_km:
        return WitnessKind.FREE, ROAD
    in_window = fix.sight.time >= frame.planned_arrival - rules.window
    moves = fix.is_moving is True and not fix.is_creeping
    return WitnessKind.AT, ROAD if moves and (fix.toward is is_export or in_window) else UNKNOWN


def _witness(
    source: Source, kind: WitnessKind, place: Place, sight: Sight, trust: Trust, probability: float
) -> Witness:
    return Witness(source, kind, place, sight.time, sight.known_at, trust, probability, sight.spot, sight.ref)


def _trust(is_sure: bool, by_person: bool) -> Trust:
    return Trust.PERSON if by_person else Trust.DEVICE if is_sure else Trust.DOUBTFUL
