"""Finding a trip by what a person types, a scanner reads or a camera sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from sqlalchemy import and_
from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.sheets.service import open_steps
from app.stations import store
from app.stations.schemas import Found, MatchKind
from app.stations.store import PlatedTrip
from app.trips.codes import find_code
from app.trips.scope import visible_trips
from app.trips.service import holds
from geo.errors import InvalidInputError
from ingest.plates import display_plate, lookalike_key, squeeze

MIN_CHARACTERS: Final = 4
MAX_FOUND: Final = 20
MAX_COMPARED: Final = 400
_RANKS: Final = {match: rank for rank, match in enumerate(get_args(MatchKind))}


@dataclass(frozen=True)
class _Candidate:
    """A trip that may be meant, and which of its plates or codes fits how well."""

    found: PlatedTrip
    match: MatchKind
    matched: str

    @property
    def rank(self) -> tuple[int, bool, float, str]:
        """Its place among the candidates: the better match first, then the nearer to the border."""
        km = self.found.km
        return (_RANKS[self.match], km is None, abs(km or 0.0), self.found.plate)


def search(session: Session, principal: Principal, written: str) -> list[Found]:
    """The open trips at the caller's gate that `written` may mean, the likeliest first, at most 20.

    `written` is a trip code, an address that ends in one, or a plate of the truck or trailer: whole, its beginning or
    its end, with signs taken for each other (0/D/O/Q, 8/B, 1/I, 5/S, 2/Z, 6/G). Where no plate is like it, it is words
    of goods, enterprise or driver, accents left aside.

    Raises
    ------
    InvalidInputError
        If fewer than four signs are left to look for.
    """
    visible = visible_trips(principal, "inspections.read")
    code = find_code(written)
    if code is not None:
        found = [_Candidate(trip, "code", code) for trip in store.find_trips(session, visible, code=code)]
        if found:
            return _describe(session, found)
    signs = written_plate(written)
    if len(signs) < MIN_CHARACTERS:
        raise InvalidInputError(
            "Write at least {fewest} signs of a plate, or a trip code.", field="text", fewest=MIN_CHARACTERS
        )
    key = lookalike_key(signs)
    trip_ids = store.trips_by_lookalike(session, key, principal.gate_id, limit=MAX_COMPARED)
    found = [_match(trip, signs, key) for trip in store.find_trips(session, visible, trip_ids=trip_ids)]
    if not found:  # no plate is like it: then it may be goods, an enterprise or a driver
        of_words = store.find_trips(session, and_(visible, holds(written)), limit=MAX_FOUND)
        found = [_Candidate(trip, "text", trip.plate) for trip in of_words]
    found.sort(key=lambda candidate: candidate.rank)
    return _describe(session, found[:MAX_FOUND])


def written_plate(written: str) -> str:
    """What of a text can be a plate: its letters and digits."""
    return "".join(character for character in squeeze(written) if character.isalnum())


def _match(found: PlatedTrip, signs: str, key: str) -> _Candidate:
    own = [found.plate_norm, *([found.trip.trailer_plate] if found.trip.trailer_plate else [])]
    ways: tuple[tuple[MatchKind, Callable[[str], bool]], ...] = (
        ("plate", lambda plate: plate == signs),
        ("lookalike", lambda plate: lookalike_key(plate) == key),
        ("part", lambda plate: lookalike_key(plate).startswith(key) or lookalike_key(plate).endswith(key)),
    )
    for match, fits in ways:
        for plate in own:
            if fits(plate):
                return _Candidate(found, match, display_plate(plate))
    return _Candidate(found, "part", found.plate)


def _describe(session: Session, candidates: Sequence[_Candidate]) -> list[Found]:
    steps = open_steps(session, [candidate.found.trip.trip_id for candidate in candidates])
    described = []
    for candidate in candidates:
        found, trip = candidate.found, candidate.found.trip
        described.append(
            Found(
                trip_id=trip.trip_id,
                code=trip.code,
                plate=found.plate,
                trailer_plate=display_plate(trip.trailer_plate) if trip.trailer_plate else None,
                match=candidate.match,
                matched=candidate.matched,
                organisation=found.organisation,
                goods=trip.goods,
                stage=trip.stage,
                direction=trip.direction,
                km=found.km,
                site=found.site_id,
                is_declared=trip.procedure_id is not None,
                open_steps=steps.get(trip.trip_id, []),
            )
        )
    return described
