"""Finding a trip by what a person types, a scanner reads or a camera sees."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from sqlalchemy.orm import Session

from app.platform.permissions import Principal
from app.sheets import store as sheets_store
from app.stations import store
from app.trips.declaration import CODE_ALPHABET
from app.trips.scope import visible_trips
from geo.errors import InvalidInputError
from ingest.plates import display_plate, lookalike_key, squeeze

MIN_CHARACTERS: Final = 4
MAX_FOUND: Final = 20
MAX_COMPARED: Final = 400
MAX_TEXT_LENGTH: Final = 300
_SIGNS = f"([{CODE_ALPHABET}]{{4}})"
_CODE = re.compile(rf"(?<![0-9A-Z]){_SIGNS}-?{_SIGNS}-?{_SIGNS}(?![0-9A-Z])")
_ORDER: Final = {"code": 0, "plate": 1, "lookalike": 2, "part": 3}


def find_code(text: str) -> str | None:
    """The trip code in what was scanned: alone, or at the end of the address that a QR code holds."""
    match = _CODE.search(unicodedata.normalize("NFKC", text[:MAX_TEXT_LENGTH]).upper())
    return "-".join(match.groups()) if match else None


def search(session: Session, principal: Principal, written: str) -> list[dict[str, Any]]:
    """The open trips at the caller's gate that `written` may mean, the likeliest first, at most 20.

    `written` is a trip code, an address that ends in one, or a plate of the truck or trailer: whole, its beginning or
    its end, with signs taken for each other (0/D/O/Q, 8/B, 1/I, 5/S, 2/Z, 6/G). Each has `trip_id code plate
    trailer_plate match matched organisation goods stage direction km site open_steps`; `match` is `code`, `plate`,
    `lookalike` or `part`, `matched` the plate or code that fits.

    Raises
    ------
    InvalidInputError
        If fewer than four signs are left to look for.
    """
    visible = visible_trips(principal, "inspections.read")
    code = find_code(written)
    if code is not None:
        found = [_describe(row, "code", code) for row in store.find_trips(session, visible, code=code)]
        if found:
            return _with_steps(session, found)
    signs = "".join(one for one in squeeze(written) if one.isalnum())
    if len(signs) < MIN_CHARACTERS:
        raise InvalidInputError(
            "Write at least {fewest} signs of a plate, or a trip code.", field="text", fewest=MIN_CHARACTERS
        )
    key = lookalike_key(signs)
    trip_ids = store.trips_by_lookalike(session, key, principal.gate_id, limit=MAX_COMPARED)
    found = [_match(row, signs, key) for row in store.find_trips(session, visible, trip_ids=trip_ids)]
    found.sort(key=lambda one: (_ORDER[one["match"]], one["km"] is None, abs(one["km"] or 0.0), one["plate"]))
    return _with_steps(session, found[:MAX_FOUND])


def _match(row: Any, signs: str, key: str) -> dict[str, Any]:
    own = [row.plate_norm, *([row.Trip.trailer_plate] if row.Trip.trailer_plate else [])]
    for match, fits in (
        ("plate", lambda plate: plate == signs),
        ("lookalike", lambda plate: lookalike_key(plate) == key),
        ("part", lambda plate: lookalike_key(plate).startswith(key) or lookalike_key(plate).endswith(key)),
    ):
        for plate in own:
            if fits(plate):
                return _describe(row, match, display_plate(plate))
    return _describe(row, "part", row.plate)


def _describe(row: Any, match: str, matched: str) -> dict[str, Any]:
    trip = row.Trip
    return {
        "trip_id": trip.trip_id,
        "code": trip.code,
        "plate": row.plate,
        "trailer_plate": display_plate(trip.trailer_plate) if trip.trailer_plate else None,
        "match": match,
        "matched": matched,
        "organisation": row.organisation,
        "goods": trip.goods,
        "stage": trip.stage,
        "direction": trip.direction,
        "km": row.km,
        "site": row.site_id,
        "is_declared": trip.procedure_id is not None,
    }


def _with_steps(session: Session, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    steps = sheets_store.open_steps(session, [one["trip_id"] for one in found])
    return [{**one, "open_steps": steps.get(one["trip_id"], [])} for one in found]
