"""Rows of what was seen, as the witnesses that the judgement takes; positions as what they show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from app.trips.place_store import PositionRow, SightRow
from app.trips.presence_places import Geography, heads_to_border, is_past
from app.trips.presence_rules import Place, Source, Spot, TripFrame, Trust, Witness, WitnessKind, no_later
from app.trips.presence_store import TripSeen, WitnessRow
from app.trips.presence_witnesses import (
    Fix,
    Sight,
    act_witness,
    arrival_witness,
    fix_witness,
    gate_event_witness,
    registration_witness,
    road_read_witness,
    station_witness,
    turned_back_witness,
    yard_witness,
)
from app.trips.vocabulary import Direction, PlaceKind, StepPlace
from geo.motion import CREEPING_MPS, FREE_MPS

MIN_RADIUS_M: Final = 20.0


@dataclass(frozen=True)
class StepPlaces:
    """Where officers stand who do the steps of procedures: given by whoever knows the steps.

    `exits` are the steps at which a trip of a direction leaves by the last barrier.
    """

    places: Mapping[str, StepPlace]
    exits: Mapping[Direction, Collection[str]]

    def place(self, step: str | None) -> StepPlace:
        """Where a step is done, or a device stands that serves it; one that serves none stands before the barrier."""
        return self.places.get(step or "", StepPlace.ENTRANCE)

    def is_exit(self, direction: Direction, step: str | None) -> bool:
        """Whether a step lets trucks of a direction out."""
        return step in self.exits[direction]


def frame_of(trip: TripSeen) -> TripFrame:
    """A trip as the judgement takes it."""
    return TripFrame(Direction.get(trip.direction), trip.gate_id, trip.begin, trip.planned_arrival)


def witness_of(frame: TripFrame, row: WitnessRow, steps: StepPlaces, geography: Geography) -> Witness | None:
    """What a row says of where the truck was; `None` if nothing."""
    witness = _witness_of(frame, row, steps, geography)
    if witness is None or row.no_later_than is None:
        return witness
    return no_later(witness, row.no_later_than, geography.rules)


def _witness_of(frame: TripFrame, row: WitnessRow, steps: StepPlaces, geography: Geography) -> Witness | None:
    match row.source:
        case "act":
            return _act(frame, row, steps, geography)
        case "read":
            return _read(frame, row, steps, geography)
        case "weighing" | "scan":
            source = Source.SCALE if row.source == "weighing" else Source.SCANNER
            return _at_station(frame, row, source, steps, geography)
        case "movement":
            return _movement(row, Source.HAND if row.by_person else Source.CAMERA, geography)
        case "event":
            return _event(row, geography)
        case _:
            return _shown(row)


def _act(frame: TripFrame, row: WitnessRow, steps: StepPlaces, geography: Geography) -> Witness | None:
    gate_id = row.gate_id or frame.gate_id
    at_gate = replace(frame, gate_id=gate_id)
    sight = _sight(row, geography.spot(gate_id))
    if row.what == "undeclared" and row.by_person:
        site = geography.place(row.site_id)
        return registration_witness(sight, site or geography.temporary_yard(gate_id))
    if row.what == "turned_back":
        return turned_back_witness(sight, gate_id)
    if row.what in {"arrival", "undeclared"}:
        return arrival_witness(sight, gate_id, by_officer=row.by_person)
    is_exit = row.is_sure or steps.is_exit(frame.direction, row.step)
    place = steps.places.get(row.step or "", StepPlace.NOWHERE)
    is_confirmed = row.what == "confirm"
    if is_exit and place is StepPlace.NOWHERE and is_confirmed:
        place = StepPlace.BARRIER
    yard_id = row.site_id or geography.sole_yard(gate_id)
    return act_witness(at_gate, sight, place, is_exit=is_exit, is_confirmed=is_confirmed, yard_id=yard_id)


def _read(frame: TripFrame, row: WitnessRow, steps: StepPlaces, geography: Geography) -> Witness | None:
    if row.gate_id is not None:
        return _at_station(frame, row, Source.CAMERA, steps, geography)
    spot = geography.spot(row.site_id)
    return road_read_witness(
        _sight(row, spot),
        is_away=False,
        probability=row.probability or 0.9,
        is_sure=row.is_sure,
        by_person=row.by_person,
    )


def _at_station(
    frame: TripFrame, row: WitnessRow, source: Source, steps: StepPlaces, geography: Geography
) -> Witness | None:
    gate_id = row.gate_id
    if gate_id is None:
        return None
    site = geography.place(row.site_id)
    spot = geography.spot(row.site_id) if site is not None else geography.spot(gate_id)
    witness = station_witness(
        source,
        _sight(row, spot),
        gate_id,
        steps.place(row.step),
        is_exit=steps.is_exit(frame.direction, row.step),
        probability=row.probability or 0.9,
        is_sure=row.is_sure,
        by_person=row.by_person,
    )
    # A camera of the temporary yard may serve no step; a truck that it sees is no nearer than before the barrier.
    is_parked = site is not None and site.kind is PlaceKind.TEMPORARY_YARD
    return replace(witness, place=Place(PlaceKind.QUEUED, gate_id)) if is_parked else witness


def _movement(row: WitnessRow, source: Source, geography: Geography) -> Witness | None:
    yard = geography.place(row.site_id)
    if yard is None or yard.site_id is None:
        return None
    return yard_witness(source, _sight(row, geography.spot(row.site_id)), yard, is_entry=row.what == "enter")


def _event(row: WitnessRow, geography: Geography) -> Witness | None:
    site, sight, is_entry = geography.place(row.site_id), _sight(row, geography.spot(row.site_id)), row.what == "enter"
    if site is None or site.gate_id is None:
        return None
    if site.site_id is None:
        return gate_event_witness(sight, site.gate_id, is_entry=is_entry)
    return yard_witness(Source.GPS, sight, site, is_entry=is_entry)


def _shown(row: WitnessRow) -> Witness | None:
    if row.lon is None or row.lat is None:
        return None
    spot = Spot(row.lon, row.lat, row.radius_m or MIN_RADIUS_M, row.road, row.km)
    place = Place(PlaceKind.get(row.at_kind or PlaceKind.UNKNOWN), row.gate_id, row.site_id)
    trust = Trust.GPS if row.is_sure else Trust.DOUBTFUL
    kind = WitnessKind(row.what or WitnessKind.AT)
    return Witness(Source.GPS, kind, place, row.time, row.known_at, trust, 0.9, spot, row.ref)


def _sight(row: WitnessRow, spot: Spot | None) -> Sight:
    return Sight(row.time, row.known_at, row.ref, spot)


# Positions


def new_sight(row: PositionRow, geography: Geography, tail_km: float | None) -> SightRow | None:
    """What a position begins to show, or shows again at a site; `None` if it says what is kept already.

    Arguments: `tail_km`, the measured end of the queue before the trip's gate, kilometres from the border.
    """
    gate = geography.places.gates.get(row.gate_id)
    if gate is None:
        return None
    frame = TripFrame(Direction.get(row.direction), row.gate_id, row.begin, row.planned_arrival)
    radius_m = max(row.accuracy_m or 0.0, MIN_RADIUS_M)
    speed_mps = row.speed_mps
    fix = Fix(
        sight=Sight(row.time, row.received_at, "", Spot(row.lon, row.lat, radius_m, row.road, row.km)),
        site=geography.place(row.site_id),
        distance_km=gate.distance_km(row.road, row.km),
        is_on_gate_road=row.road == gate.road,
        toward=heads_to_border(row.heading),
        is_creeping=speed_mps is not None and speed_mps < CREEPING_MPS,
        is_free=speed_mps is not None and speed_mps >= FREE_MPS,
        is_moving=None if speed_mps is None else speed_mps >= CREEPING_MPS,
        is_staging=row.motion == "staging" or geography.is_staging(row.site_id),
        is_past_gate=is_past(gate, row.road, row.km),
    )
    shown = fix_witness(frame, fix, tail_km=tail_km, rules=geography.rules)
    place = shown.place
    meaning = (shown.kind.value, place.kind.value, place.gate_id, place.site_id, shown.trust is Trust.DOUBTFUL)
    kept = (row.last_kind, row.last_place_kind, row.last_gate_id, row.last_site_id, row.last_is_suspect)
    is_repeat = meaning == kept
    if is_repeat and not _is_first_repeat(row, place, geography):
        return None
    kind, place_kind, gate_id, site_id, is_suspect = meaning
    return SightRow(
        trip_id=row.trip_id,
        kind=kind,
        place_kind=place_kind,
        gate_id=gate_id,
        site_id=site_id,
        time=row.time,
        known_at=row.received_at,
        lon=row.lon,
        lat=row.lat,
        radius_m=radius_m,
        road=row.road,
        km=row.km,
        is_suspect=is_suspect,
        is_repeat=is_repeat,
    )


def _is_first_repeat(row: PositionRow, place: Place, geography: Geography) -> bool:
    """Whether GPS says for the second time that the truck is at a site; more often it need not be kept."""
    if place.gate_id is None or row.last_is_repeat is not False or row.last_time is None:
        return False
    return row.time - row.last_time >= geography.rules.approach_lead
