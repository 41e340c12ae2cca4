"""What shows that a truck used what its declaration says it will use: who saw it, when and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy.orm import Session

from app.platform.labels import N_, Vocabulary
from app.trips.tables import Trip


class EvidenceKind(Vocabulary):
    """Kinds of evidence; a position of the truck's own device is none, since its owner sends it."""

    MOVEMENT = "movement", N_("Entry into the yard")
    WEIGHING = "weighing", N_("Weighing")
    ACT = "act", N_("Act of an officer")


@dataclass(frozen=True)
class Evidence:
    """Something that yard or gate know of a trip: its kind, when it was, and at which yard, scale or step.

    `goods_kg` is what the whole of the goods weighs where a scale found otherwise than was declared.
    """

    kind: EvidenceKind
    at: datetime
    place: str
    goods_kg: int | None = None


Witness: TypeAlias = Callable[[Session, Trip], Sequence[Evidence]]
"""What a feature knows of a trip, given to the sheets by `app.bootstrap`."""
