"""A gate now, for every page that shows it: the queue measured last, the newest forecast, the yards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from capacity import store as capacity_store
from capacity.ledger import YardState
from routing import store as routing_store
from routing.store import GateForecast, QueueObservation

MEASURED_WITHIN: Final = timedelta(minutes=10)
"""A queue measured longer ago is not shown as the present one."""


@dataclass(frozen=True)
class GateNow:
    """What is known of a gate; parts that are not there (yet) are `None`."""

    gate_id: str
    queue: QueueObservation | None
    forecast: GateForecast | None
    yards: tuple[YardState, ...]

    @property
    def inside_veh(self) -> int:
        """Trucks in the gate's yards."""
        return sum(max(0, yard.inside_veh) for yard in self.yards if yard.kind == "yard")


def gate_now(session: Session, gate_id: str, now: datetime) -> GateNow:
    """The queue as the minute loop measured it from the corridor's state, and what it made of it."""
    return GateNow(
        gate_id,
        find_queue(session, gate_id, now),
        routing_store.latest_forecast(session, gate_id),
        tuple(capacity_store.yard_states(session, now, gate_id=gate_id)),
    )


def find_queue(session: Session, gate_id: str, now: datetime) -> QueueObservation | None:
    """The queue of a gate as measured last, if that is not long ago."""
    until = now + timedelta(seconds=1)
    measured = routing_store.queue_observations(session, gate_id, now - MEASURED_WITHIN, until)
    return measured[-1] if measured else None
