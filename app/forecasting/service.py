"""A gate now, for every page that shows it: the queue measured last, the newest forecast, the yards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.forecasting.skill import Fallback, list_fallbacks
from app.forecasting.state_demand import seen_share
from app.forecasting.state_pace import noticed_share
from app.forecasting.state_store import GatePassage, count_seen, gate_passages
from app.forecasting.stay_store import yard_stays as yard_stays
from capacity import store as capacity_store
from capacity.ledger import YardState
from routing import store as routing_store
from routing.demand import beside_each_seen
from routing.store import GateForecast, QueueObservation, YardForecast

MEASURED_WITHIN: Final = timedelta(minutes=10)
"""A queue measured longer ago is not shown as the present one."""
OLD_AFTER: Final = timedelta(minutes=5)
"""A forecast made longer ago is said to be old: one is made each minute."""
FORECAST_WITHIN: Final = timedelta(minutes=30)
"""A forecast made longer ago says nothing of the present; nor does what was made of it for a truck, or its plan."""


@dataclass(frozen=True)
class GateNow:
    """What is known of a gate; parts that are not there (yet) are `None`.

    `fallbacks` are the parts of the forecast where the model has lost its skill and something else is shown.
    """

    gate_id: str
    queue: QueueObservation | None
    forecast: GateForecast | None
    yards: tuple[YardState, ...]
    fallbacks: tuple[Fallback, ...]

    @property
    def inside_veh(self) -> int:
        """Trucks in the gate's yards."""
        return sum(max(0, yard.inside_veh) for yard in self._own_yards)

    @property
    def free_veh(self) -> int:
        """Free places in the gate's yards; those kept for trucks that come undeclared are not for everybody."""
        return sum(yard.free_veh for yard in self._own_yards)

    @property
    def _own_yards(self) -> list[YardState]:
        return [yard for yard in self.yards if yard.kind == "yard"]

    def current_forecast(self, now: datetime) -> GateForecast | None:
        """The newest forecast if it is not too old to say anything of the present."""
        return self.forecast if self.forecast is not None and is_current(self.forecast.made_at, now) else None


def gate_now(session: Session, gate_id: str, now: datetime) -> GateNow:
    """The queue as the minute loop measured it from the corridor's state, and what it made of it."""
    yards = tuple(capacity_store.yard_states(session, now, gate_id=gate_id))
    return GateNow(
        gate_id,
        find_queue(session, gate_id, now),
        routing_store.latest_forecast(session, gate_id),
        yards,
        list_fallbacks(session, [gate_id, *(yard.yard_id for yard in yards)]),
    )


def is_current(made_at: datetime, now: datetime) -> bool:
    """Whether a forecast, or what was made of it, is new enough to say something of the present."""
    return now - made_at <= FORECAST_WITHIN


def find_yard_forecast(session: Session, yard_id: str, now: datetime) -> YardForecast | None:
    """The newest forecast of a yard's occupancy, if it is new enough to say something of the present."""
    found = routing_store.latest_yard_forecast(session, yard_id)
    return found if found is not None and is_current(found.made_at, now) else None


def find_queue(session: Session, gate_id: str, now: datetime) -> QueueObservation | None:
    """The queue of a gate as measured last, if that is not long ago."""
    until = now + timedelta(seconds=1)
    measured = routing_store.queue_observations(session, gate_id, now - MEASURED_WITHIN, until)
    return measured[-1] if measured else None


@dataclass(frozen=True)
class RecordedPassages:
    """Exports that went in by gates' entrances between two moments, in order of time."""

    passages: tuple[GatePassage, ...]
    noticed_share: dict[str, float]
    """gate_id → share of the trucks whose passage was noticed."""


def recorded_passages(session: Session, *, since: datetime, until: datetime) -> RecordedPassages:
    """The passages that the corridor's state learns from, of any time: each truck once at a gate."""
    passages = gate_passages(session, since=since, now=until, with_stands=False)
    counted = seen_share(count_seen(session, since=since, now=until))
    gps_share = 1.0 / (1.0 + beside_each_seen(counted))
    gates = {passage.gate_id for passage in passages}
    return RecordedPassages(
        tuple(passages),
        {
            gate_id: noticed_share([each for each in passages if each.gate_id == gate_id], gps_share)
            for gate_id in sorted(gates)
        },
    )
