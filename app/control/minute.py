"""The minute: the corridor now → forecast → yard plan → advice, each a step that names the steps it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from sqlalchemy.orm import Session

from app.dispatch import advisories
from app.equipment.pictures import Pictures
from app.forecasting.state import CorridorNow, assemble
from app.gates.service import gate_settings, profiles
from app.notifications import service as notifications
from app.platform import idempotency, outbox
from app.platform.runtime import Runtime
from app.platform.steps import Round, StepResult, gauge, log
from app.trip_eta.store import TripEta, replace_etas
from app.trips.places import Places
from app.yards import plan as yards_plan
from capacity import store as capacity_store
from capacity.plan import YardPlan
from routing import store as routing_store
from routing.arrays import FloatArray
from routing.forecast import Forecast, forecast
from routing.gates import GateSetting
from routing.graph import Network, build_network

KEEP_FORECASTS = timedelta(days=14)


@dataclass
class Minute:
    """What the loop keeps from one minute to the next.

    `tails_km`, the measured end of each gate's queue, is read by the fast tick.
    """

    runtime: Runtime
    network: Network
    places: Places
    tails_km: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, runtime: Runtime) -> Minute:
        """Compile the corridor once."""
        return cls(runtime, build_network(runtime.corridor), Places.of(runtime.corridor))

    def run(self) -> Round:
        """One minute; what became of its steps."""
        minute = Round(self.runtime, self.runtime.clock.now())
        settings = minute.run("settings", self._settings)
        corridor = minute.run("state", self._assemble, settings)
        minute.run("queue", self._keep_queue, corridor)
        predicted = minute.run("forecast", self._forecast, corridor)
        saved = minute.run("save_forecast", self._save_forecast, corridor, predicted)
        plan = minute.run("yard_plan", self._plan, corridor, predicted)
        minute.run("advice", partial(self._advise, saved.value_or(None)), predicted)
        minute.run("tidy", self._tidy)
        gauge(self.runtime, measures(minute, corridor, predicted, plan))
        log.info("minute", took_s=round(minute.duration_s, 2), failed=minute.failed)
        return minute

    def _settings(self, session: Session, now: datetime) -> tuple[GateSetting, ...]:
        return gate_settings(session, now)

    def _assemble(self, session: Session, now: datetime, settings: tuple[GateSetting, ...]) -> CorridorNow:
        return assemble(session, self.runtime.corridor, self.network, settings, now)

    def _keep_queue(self, session: Session, now: datetime, corridor: CorridorNow) -> None:
        routing_store.save_queue_observations(session, now, self.network.gate_ids, corridor.queue)
        tails_km = corridor.tails_km
        self.tails_km.update(tails_km)
        for gate_id in self.tails_km.keys() - tails_km.keys():  # the tick reads it at any moment: never empty between
            del self.tails_km[gate_id]

    def _forecast(self, _session: Session, now: datetime, corridor: CorridorNow) -> Forecast:
        seed = int(now.timestamp())
        return forecast(self.network, corridor.state, runs=self.runtime.settings.forecast_runs, seed=seed)

    def _save_forecast(self, session: Session, now: datetime, corridor: CorridorNow, predicted: Forecast) -> int:
        forecast_id = routing_store.save_forecast(session, predicted)
        for gate_id in predicted.gate_ids:
            data = {"gate_id": gate_id, "made_at": predicted.made_at.isoformat(), "forecast_id": forecast_id}
            outbox.publish_event(session, "forecast", yards_plan.EVERYBODY, data, at=now)
        replace_etas(session, etas_of(corridor, predicted), made_at=predicted.made_at)
        return forecast_id

    def _plan(
        self,
        session: Session,
        now: datetime,
        corridor: CorridorNow,
        predicted: Forecast,
    ) -> YardPlan:
        previous = capacity_store.assignments(session)
        given = yards_plan.build_problem(corridor, predicted, self.places, profiles(session, now), previous)
        plan = yards_plan.plan_yards(session, given, previous, self.places, self.tails_km, now)
        yards_plan.emit_yards(session, capacity_store.yard_states(session, now), now)
        return plan

    def _advise(self, forecast_id: int | None, session: Session, now: datetime, predicted: Forecast) -> int:
        return advisories.refresh(session, predicted, now, places=self.places, forecast_id=forecast_id)

    def _tidy(self, session: Session, now: datetime) -> None:
        capacity_store.prune(session, now)
        capacity_store.prune_plans(session, now)
        routing_store.prune_forecasts(session, now - KEEP_FORECASTS)
        idempotency.forget(session, now)
        Pictures.of(self.runtime.settings.data_dir).drop_old(now)
        notifications.prune(session, now)


def measures(
    minute: Round, corridor: StepResult[CorridorNow], predicted: StepResult[Forecast], plan: StepResult[YardPlan]
) -> dict[str, float]:
    """What `/metrics` shows of a minute: of each step that worked, its own values."""
    values = {"control_minute_duration_s": minute.duration_s}
    if corridor.is_done:
        values["trucks_on_road"] = float((corridor.value.state.road_id >= 0).sum())
        values["trucks_declared"] = float(corridor.value.state.declared_s.size)
    if predicted.is_done:
        values["forecast_made_at_s"] = predicted.value.made_at.timestamp()
        values["forecast_duration_s"] = predicted.value.duration_s
    if plan.is_done:
        values["yard_plan_duration_s"] = plan.value.duration_s
        values["yard_plan_unplaced_trucks"] = float((plan.value.yard < 0).sum())
    return values


def etas_of(corridor: CorridorNow, predicted: Forecast) -> list[TripEta]:
    """For each trip seen on the road: when it reaches its gate's entrance, when it is through, how long it waits."""
    made_at = predicted.made_at

    def moments(seconds: FloatArray) -> list[datetime | None]:
        return [made_at + timedelta(seconds=float(s)) if np.isfinite(s) else None for s in seconds]

    found = []
    for row, trip_id in corridor.trip_of_row.items():
        free_s, enter_s = predicted.truck_free_s[:, row], predicted.truck_entrance_s[:, row]
        if not np.isfinite(free_s).any():
            continue
        wait_s = np.where(np.isfinite(enter_s) & np.isfinite(free_s), np.maximum(enter_s - free_s, 0.0), np.nan)
        waits = [None if np.isnan(wait) else round(float(wait), 1) for wait in wait_s]
        found.append(TripEta(trip_id, made_at, moments(free_s), moments(enter_s), waits))
    return found
