"""What a stay is of."""

from __future__ import annotations

from app.platform.labels import Vocabulary


class StayKind(Vocabulary):
    """What a truck or a sheet stayed in."""

    STAGE = "stage"
    STEP = "step"


class Leaving(Vocabulary):
    """How a truck left a gate: into the country, over the border, back, or on to another gate."""

    IN = "in"
    OUT = "out"
    TURNED_BACK = "turned_back"
    SENT_ON = "sent_on"
