"""What a stay is of."""

from __future__ import annotations

from app.platform.labels import Vocabulary


class StayKind(Vocabulary):
    """What a truck or a sheet stayed in."""

    STAGE = "stage"
    STEP = "step"
