"""When a truck has its place in a yard: the yard plan and the forecast of its gate's entrance put together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Place(Protocol):
    """A place as the plan gives it: when the truck could be there on a free road, and from when it may have it."""

    @property
    def arrive_at(self) -> datetime: ...
    @property
    def place_free_at(self) -> datetime: ...


@dataclass(frozen=True)
class Turn:
    """When a truck has its place.

    Arguments: `free_at`, from when the plan has one for it; `enter_at`, when it is through the entrance of its gate by
    the median of the forecast, `None` where that is later than the forecast reaches or no entrance lies before it;
    `is_beyond`, that it is later than the forecast reaches; `arrive_at`, when it is there without that entrance.
    """

    free_at: datetime
    arrive_at: datetime
    enter_at: datetime | None
    is_beyond: bool

    @property
    def waits_for_place(self) -> bool:
        """Whether it could be there before it may have its place."""
        return not self.is_beyond and self.free_at > (self.enter_at or self.arrive_at)

    @property
    def wait(self) -> timedelta:
        """How long it waits for its place once it could be there."""
        return self.free_at - (self.enter_at or self.arrive_at) if self.waits_for_place else timedelta(0)

    @property
    def in_place_at(self) -> datetime | None:
        """When it has its place; `None`: later than the forecast reaches."""
        return None if self.is_beyond else max(self.free_at, self.enter_at or self.arrive_at)


def turn_of(place: Place, enter_at: Sequence[datetime | None] | None, *, is_own: bool) -> Turn:
    """The turn of a truck at a place.

    Arguments: `enter_at`, when it is through the entrance of its gate, quantiles 0.1, 0.5, 0.9, each `None` beyond what
    the forecast reaches, all of it where there is no forecast; `is_own`, whether the place is at that gate.
    """
    if not is_own or enter_at is None:
        return Turn(place.place_free_at, place.arrive_at, None, is_beyond=False)
    return Turn(place.place_free_at, place.arrive_at, enter_at[1], is_beyond=enter_at[1] is None)
