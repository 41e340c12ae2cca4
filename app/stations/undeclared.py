"""A truck at a station that no open trip is found for: led to the temporary yard, or there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from app.declarations import desk
from app.declarations.desk import Waiting
from app.platform.permissions import Principal
from app.stations.schemas import Elsewhere, Found, MatchKind
from ingest import plates

SURE: Final[frozenset[MatchKind]] = frozenset({"code", "plate"})
"""Matches by which a trip is what was looked for."""


@dataclass(frozen=True)
class Stranger:
    """A truck by its whole plate that no open trip is found for; `waits` if it stands in a temporary yard already."""

    plate: str
    waits: Waiting | None


def find_stranger(
    session: Session, principal: Principal, written: str, found: Sequence[Found], elsewhere: Sequence[Elsewhere]
) -> Stranger | None:
    """The truck that was looked for and not found; `None` if it was, or what was written is no truck's whole plate."""
    norm = plates.find_plate(written)
    if norm is None or plates.vehicle_kind(norm) != "truck" or principal.gate_id is None:
        return None
    if any(trip.match in SURE for trip in found) or any(plates.find_plate(trip.plate) == norm for trip in elsewhere):
        return None
    waits = desk.find_waiting(session, norm)
    return Stranger(plates.display_plate(norm), waits)


def is_trailer(written: str) -> bool:
    """Whether a trailer's whole plate was written: it is found with its truck, and led aside under the truck's."""
    norm = plates.find_plate(written)
    return norm is not None and plates.vehicle_kind(norm) == "trailer"
