"""The timeline of a trip, and who may follow what happens on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.trips import store


@dataclass(frozen=True)
class TimelineEntry:
    """A line of a trip's timeline, for `ActionContext.record`."""

    trip_id: int
    kind: str
    data: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None
    """When it happened; `None`: at the time of the act."""

    def write(self, action: ActionContext) -> None:
        """Write the line in the transaction of `action`, under its actor."""
        line = {"trip_id": self.trip_id, "kind": self.kind, "data": dict(self.data)}
        store.insert_events(action.session, [{**line, "at": self.at or action.now, "actor_id": action.actor_id}])


class TripParties(Protocol):
    """Whose a trip is: the columns of `Trip` that say so."""

    @property
    def organisation_id(self) -> int: ...
    @property
    def driver_id(self) -> int | None: ...
    @property
    def vehicle_id(self) -> int: ...


def audience_of(trip: TripParties, roles: Sequence[str], *, gates: Sequence[str] = ()) -> Audience:
    """Who an event of a trip is for: its enterprise, its driver, its truck, and `roles`, those at `gates` if given."""
    return Audience(
        roles=tuple(roles),
        organisations=(trip.organisation_id,),
        accounts=(trip.driver_id,) if trip.driver_id is not None else (),
        vehicles=(trip.vehicle_id,),
        gates=tuple(gates),
    )
