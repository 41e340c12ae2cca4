"""The minute: state → measured queue → forecast → yard plan → advice, each step on its own feet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.dispatch import advisories
from app.equipment.pictures import Pictures
from app.forecasting.state import Snapshot, assemble
from app.gates.service import gate_settings, profiles
from app.notifications import service as notifications
from app.platform import idempotency, outbox
from app.platform.runtime import Runtime
from app.platform.steps import gauge, log, run_step
from app.trip_eta.store import replace_outlooks
from app.trips.places import Places
from app.yards import plan as yards_plan
from capacity import store as capacity_store
from capacity.plan import YardPlan
from routing import store as routing_store
from routing.forecast import Forecast, forecast
from routing.gates import GateSetting
from routing.graph import Network, build_network
from routing.measure import QueueNow, measure_queues

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

    def run(self) -> dict[str, bool]:
        """One minute; which steps worked. A step that needs what a failed one should have made is left out."""
        runtime, now = self.runtime, self.runtime.clock.now()
        done: dict[str, bool] = {}

        def step(name: str, work: Any, *needs: Any) -> Any:
            if any(need is None for need in needs):
                done[name] = False
                return None
            result = run_step(runtime, name, lambda session: work(session, *needs, now))
            done[name] = result is not None
            return result

        started = time.perf_counter()
        settings = step("settings", self._settings)
        snapshot = step("state", self._assemble, settings)
        step("queue", self._measure, snapshot)
        predicted = step("forecast", self._forecast, snapshot)
        forecast_id = step("save_forecast", self._save_forecast, snapshot, predicted)
        plan = step("yard_plan", self._plan, snapshot, predicted)
        step("advice", partial(self._advise, forecast_id), predicted)
        step("tidy", self._tidy)
        self._report(snapshot, predicted, plan, time.perf_counter() - started)
        failed = [name for name, worked in done.items() if not worked]
        log.info("minute", took_s=round(time.perf_counter() - started, 2), failed=failed)
        return done

    def _settings(self, session: Session, now: datetime) -> tuple[GateSetting, ...]:
        return gate_settings(session, now)

    def _assemble(self, session: Session, settings: tuple[GateSetting, ...], now: datetime) -> Snapshot:
        return assemble(session, self.runtime.corridor, self.network, settings, now)

    def _measure(self, session: Session, snapshot: Snapshot, now: datetime) -> QueueNow:
        queue = measure_queues(self.network, snapshot.state)
        routing_store.save_queue_observations(session, now, self.network.gate_ids, queue)
        self.tails_km.update(
            {
                gate_id: float(queue.tail_km[g])
                for g, gate_id in enumerate(self.network.gate_ids)
                if queue.queue_veh[g] > 0
            }
        )
        for g, gate_id in enumerate(self.network.gate_ids):
            if queue.queue_veh[g] == 0:
                self.tails_km.pop(gate_id, None)
        return queue

    def _forecast(self, _session: Session, snapshot: Snapshot, now: datetime) -> Forecast:
        seed = int(now.timestamp())
        return forecast(self.network, snapshot.state, runs=self.runtime.settings.forecast_runs, seed=seed)

    def _save_forecast(self, session: Session, snapshot: Snapshot, predicted: Forecast, now: datetime) -> int:
        forecast_id = routing_store.save_forecast(session, predicted)
        for gate_id in predicted.gate_ids:
            data = {"gate_id": gate_id, "made_at": predicted.made_at.isoformat(), "forecast_id": forecast_id}
            outbox.emit(session, "forecast", yards_plan.EVERYBODY, data, at=now)
        replace_outlooks(session, outlook_rows(snapshot, predicted), made_at=predicted.made_at)
        return forecast_id

    def _plan(
        self,
        session: Session,
        snapshot: Snapshot,
        predicted: Forecast,
        now: datetime,
    ) -> YardPlan:
        previous = capacity_store.assignments(session)
        given = yards_plan.build_problem(snapshot, predicted, self.places, profiles(session, now), previous)
        plan = yards_plan.plan_yards(session, given, previous, self.places, self.tails_km, now)
        yards_plan.emit_yards(session, capacity_store.yard_states(session, now), now)
        return plan

    def _advise(self, forecast_id: int | None, session: Session, predicted: Forecast, now: datetime) -> int:
        return advisories.refresh(session, predicted, now, places=self.places, forecast_id=forecast_id)

    def _tidy(self, session: Session, now: datetime) -> bool:
        capacity_store.prune(session, now)
        capacity_store.prune_plans(session, now)
        routing_store.prune_forecasts(session, now - KEEP_FORECASTS)
        idempotency.forget(session, now)
        Pictures.of(self.runtime.settings.data_dir).drop_old(now)
        notifications.prune(session, now)
        return True

    def _report(
        self, snapshot: Snapshot | None, predicted: Forecast | None, plan: YardPlan | None, took_s: float
    ) -> None:
        values = {"control_minute_duration_s": took_s}
        if snapshot is not None:
            values["trucks_on_road"] = float((snapshot.state.road_id >= 0).sum())
            values["trucks_declared"] = float(snapshot.state.declared_s.size)
        if predicted is not None:
            values["forecast_made_at_s"] = predicted.made_at.timestamp()
            values["forecast_duration_s"] = predicted.duration_s
        if plan is not None:
            values["yard_plan_duration_s"] = plan.duration_s
            values["yard_plan_unplaced_trucks"] = float((plan.yard < 0).sum())
        gauge(self.runtime, values)


def outlook_rows(snapshot: Snapshot, predicted: Forecast) -> list[dict[str, Any]]:
    """For each trip seen on the road: when it reaches its gate's entrance, when it is through, how long it waits."""
    found = []
    made_at = predicted.made_at

    def moments(seconds: np.ndarray) -> list[datetime | None]:
        return [made_at + timedelta(seconds=float(s)) if np.isfinite(s) else None for s in seconds]

    for row, trip_id in snapshot.trip_of_row.items():
        free_s, enter_s = predicted.truck_free_s[:, row], predicted.truck_entrance_s[:, row]
        if not np.isfinite(free_s).any():
            continue
        wait_s = np.where(np.isfinite(enter_s) & np.isfinite(free_s), np.maximum(enter_s - free_s, 0.0), np.nan)
        found.append(
            {
                "trip_id": trip_id,
                "made_at": made_at,
                "arrive_at": moments(free_s),
                "enter_at": moments(enter_s),
                "wait_s": [None if np.isnan(w) else round(float(w), 1) for w in wait_s],
            }
        )
    return found
