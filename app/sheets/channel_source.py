"""Who gives the channel of a trip beside customs' officers: what their system says, if it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.orm import Session

from app.trips.service import Trip


@dataclass(frozen=True)
class ChannelWord:
    """What customs' system says of a trip: whether it answers, and the channel that it gave, if it did."""

    is_up: bool
    channel: str | None


ChannelSource: TypeAlias = Callable[[Session, Trip], ChannelWord | None]
"""What customs' system says of a trip; `None` where it is not asked."""


def nobody(_session: Session, _trip: Trip) -> ChannelWord | None:
    """No system is asked: officers give the channel."""
    return None
