"""The minute: the corridor now → forecast → yard plan → advice, each a step that names the steps it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from sqlalchemy.orm import Session

from app.attachments import service as attachments
from app.bookings import keeping as bookings
from app.bookings.service import kept_places
from app.control import suspicions
from app.dispatch import advice_outcomes, advisories
from app.equipment.pictures import Pictures
from app.forecasting import arrival_store, pace_learning, skill_scoring, skill_store, stay_learning
from app.forecasting.skill_publish import Published, publish
from app.forecasting.state import CorridorNow, assemble
from app.gates.service import gate_settings, profiles, save_learned_places
from app.integrations import exports, on_sheet, reconciliation
from app.integrations import service as integrations
from app.integrations.text_messages import NAME as TEXT_MESSAGES
from app.measures import order_effects
from app.measures import service as measures_service
from app.notifications import service as notifications
from app.open_data.figures import FigureKeeper
from app.platform import audit_heads, idempotency, outbox
from app.platform.runtime import Runtime
from app.platform.steps import Round, StepResult, gauge, log
from app.privacy import service as privacy
from app.registers import expiry
from app.tracking import commands, driving, signals
from app.tracking import health as device_health
from app.trip_eta.queue import keep_places
from app.trip_eta.store import TripEta, replace_etas
from app.trips import progress
from app.trips.places import Places
from app.trips.yard_ledger import EVERYBODY, publish_yards
from app.yards import closure_trial
from app.yards import plan as yards_plan
from app.yards.service import fills_by_yard, free_kinds
from app.yards.weights import WEIGHTS
from capacity import store as capacity_store
from capacity import zone_store
from capacity.plan import YardPlan
from geo.corridor import Corridor
from routing import store as routing_store
from routing.arrays import FloatArray
from routing.forecast import Forecast, forecast
from routing.gates import GateSetting
from routing.graph import Network, build_network

KEEP_FORECASTS = timedelta(days=14)


@dataclass
class Minute:
    """What the loop keeps from one minute to the next.

    `tails_km`, the measured end of each gate's queue, is read by the fast tick; `looked` says when a table was last
    found to hold nothing whose time is over.
    """

    runtime: Runtime
    corridor: Corridor
    network: Network
    places: Places
    figures: FigureKeeper
    tails_km: dict[str, float] = field(default_factory=dict)
    looked: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, runtime: Runtime) -> Minute:
        """Compile the corridor once."""
        corridor, settings = runtime.corridor, runtime.settings
        figures = FigureKeeper(corridor, settings.demo, settings.public_url)
        return cls(runtime, corridor, build_network(corridor), Places.of(corridor), figures)

    def run(self) -> Round:
        """One minute; what became of its steps."""
        minute = Round(self.runtime, self.runtime.clock.now())
        settings = minute.run("settings", self._settings)
        minute.run("arrivals", arrival_store.count_hours)
        minute.run("stays", self._learn_stays, settings)
        corridor = minute.run("state", self._assemble, settings)
        minute.run("queue", self._keep_queue, corridor)
        minute.run("score", self._score, corridor)
        minute.run("judge_advice", self._judge_advice, corridor)
        predicted = minute.run("forecast", self._forecast, corridor)
        calibrated = minute.run("calibrate", self._calibrate, corridor, predicted)
        published = calibrated
        if predicted.is_done and not calibrated.is_done:  # a forecast as the model made it is better than none
            published = minute.run("uncalibrated", self._as_made, predicted)
        saved = minute.run("save_forecast", self._save_forecast, corridor, published)
        minute.run("bookings", self._keep_bookings, corridor)
        minute.run("queue_places", self._keep_places, corridor)
        plan = minute.run("yard_plan", self._plan, corridor, published)
        minute.run("public_figures", self.figures.keep)
        minute.run("advice", partial(self._advise, saved.value_or(None)), published)
        minute.run("order_effects", self._keep_effects, corridor)
        minute.run("measures", self._try_measures, corridor, published)
        minute.run("expiry", expiry.warn)
        minute.run("driving_hours", driving.warn)
        minute.run("shared_places", device_health.flag_shared_places)
        suspicions_found = minute.run("suspicions", suspicions.count)
        minute.run("exports", exports.take_back_ended)
        minute.run("exports_unsaid", exports.say_unsaid)
        minute.run("late_weighings", on_sheet.tell_late_weighings)
        minute.run("reconciliation", reconciliation.ask)
        minute.run("tidy", self._tidy)
        minute.run("audit_heads", self._write_heads)
        minute.run("retention", self._enforce_retention)
        gauge(self.runtime, measures(minute, corridor, predicted, plan) | suspicions_found.value_or({}))
        log.info("minute", took_s=round(minute.duration_s, 2), failed=minute.failed)
        return minute

    def _settings(self, session: Session, now: datetime) -> tuple[GateSetting, ...]:
        return gate_settings(session, now)

    def _assemble(self, session: Session, now: datetime, settings: tuple[GateSetting, ...]) -> CorridorNow:
        return assemble(session, self.corridor, self.network, settings, now)

    def _learn_stays(self, session: Session, now: datetime, settings: tuple[GateSetting, ...]) -> int:
        return stay_learning.learn(session, settings, now)

    def _keep_queue(self, session: Session, now: datetime, corridor: CorridorNow) -> None:
        routing_store.save_queue_observations(session, now, self.network.gate_ids, corridor.queue)
        save_learned_places(session, corridor.learned)
        pace_learning.learn(session, corridor.state.pace, corridor.state.gate_settings, now)
        tails_km = corridor.tails_km
        self.tails_km.update(tails_km)
        for gate_id in self.tails_km.keys() - tails_km.keys():  # the tick reads it at any moment: never empty between
            del self.tails_km[gate_id]

    def _keep_places(self, session: Session, now: datetime, corridor: CorridorNow) -> int:
        return keep_places(session, corridor.waiting, now)

    def _forecast(self, _session: Session, now: datetime, corridor: CorridorNow) -> Forecast:
        seed = int(now.timestamp())
        return forecast(self.network, corridor.state, runs=self.runtime.settings.forecast_runs, seed=seed)

    def _score(self, session: Session, now: datetime, corridor: CorridorNow) -> int:
        return skill_scoring.score_due(session, now, corridor.yards)

    def _judge_advice(self, session: Session, now: datetime, corridor: CorridorNow) -> int:
        inside_veh = {yard.yard_id: float(yard.inside_veh) for yard in corridor.yards}
        measured = advice_outcomes.Measured(corridor.tails_km, corridor.queues_veh, inside_veh)
        return advice_outcomes.judge(session, measured, now)

    def _calibrate(self, session: Session, _now: datetime, corridor: CorridorNow, predicted: Forecast) -> Published:
        return publish(session, corridor, predicted)

    def _as_made(self, _session: Session, _now: datetime, predicted: Forecast) -> Published:
        return Published.raw(predicted)

    def _save_forecast(self, session: Session, now: datetime, corridor: CorridorNow, published: Published) -> int:
        predicted = published.forecast
        forecast_id = routing_store.save_forecast(session, predicted)
        skill_store.insert_checks(session, published.checks)
        for gate_id in predicted.gate_ids:
            data = {"gate_id": gate_id, "made_at": predicted.made_at.isoformat(), "forecast_id": forecast_id}
            outbox.publish_event(session, "forecast", EVERYBODY, data, at=now)
        replace_etas(session, etas_of(corridor, published), made_at=predicted.made_at)
        return forecast_id

    def _keep_bookings(self, session: Session, now: datetime, corridor: CorridorNow) -> bookings.Kept:
        return bookings.keep_up(session, now, corridor.queues_veh, free_kinds(session, now))

    def _plan(
        self,
        session: Session,
        now: datetime,
        corridor: CorridorNow,
        published: Published,
    ) -> YardPlan:
        predicted = published.forecast
        previous = capacity_store.assignments(session)
        weights = WEIGHTS.get(session).value.to_plan()
        places_veh = zone_store.places_ahead(session, now, yards_plan.STEP_S, yards_plan.STEPS)
        opens = zone_store.open_ahead(session, now, yards_plan.STEP_S, yards_plan.STEPS)
        given = yards_plan.build_problem(
            corridor,
            predicted,
            self.places,
            profiles(session, now),
            previous,
            weights,
            places_veh,
            kept_places(session),
            opens,
            zone_store.zones_ahead(session, now, yards_plan.STEP_S, yards_plan.STEPS),
            fills_by_yard(session, now),
        )
        closure_trial.keep_problem(self.runtime.redis, given.problem, now)
        plan = yards_plan.plan_yards(session, given, previous, self.places, self.tails_km, now)
        publish_yards(session, capacity_store.yard_states(session, now), now)
        return plan

    def _advise(self, forecast_id: int | None, session: Session, now: datetime, published: Published) -> int:
        return advisories.refresh(session, published.forecast, now, places=self.places, forecast_id=forecast_id)

    def _keep_effects(self, session: Session, now: datetime, corridor: CorridorNow) -> int:
        scored = order_effects.score_due(session, now)
        seed = int(now.timestamp())
        return scored + order_effects.keep_new(session, corridor, now, network=self.network, seed=seed)

    def _try_measures(self, session: Session, now: datetime, corridor: CorridorNow, published: Published) -> int:
        return measures_service.try_measures(
            session,
            corridor,
            published.forecast,
            now,
            network=self.network,
            geo=self.corridor,
            places=self.places,
            seed=int(now.timestamp()),
        )

    def _enforce_retention(self, session: Session, now: datetime) -> int:
        deleted = privacy.enforce_retention(session, now, self.runtime.settings.kept_days, looked=self.looked)
        if deleted:
            log.info("retention", **{name.replace(".", "_"): count for name, count in deleted.items()})
        return sum(deleted.values())

    def _write_heads(self, session: Session, now: datetime) -> int:
        return audit_heads.write_due(session, self.runtime.settings, now)

    def _tidy(self, session: Session, now: datetime) -> None:
        capacity_store.prune(session, now)
        capacity_store.prune_plans(session, now)
        routing_store.prune_forecasts(session, now - KEEP_FORECASTS)
        skill_scoring.prune(session, now)
        advice_outcomes.prune(session, now)
        order_effects.prune(session, now)
        idempotency.forget(session, now)
        Pictures.of(self.runtime.settings.data_dir).drop_old(now)
        notifications.prune(session, now)
        keep_texts = timedelta(days=self.runtime.settings.text_messages_keep_days)
        integrations.prune(session, now, keep_out={TEXT_MESSAGES: keep_texts})
        signals.prune(session, now)
        commands.prune(session, now)
        progress.prune(session, now)
        attachments.forget(session, now, privacy.held_trips(session, now))


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


def etas_of(corridor: CorridorNow, published: Published) -> list[TripEta]:
    """For each trip seen on the road: when it reaches its gate's entrance, when it is through, how long it waits."""
    predicted = published.forecast
    made_at = predicted.made_at

    def moments(seconds: FloatArray) -> list[datetime | None]:
        return [made_at + timedelta(seconds=float(s)) if np.isfinite(s) else None for s in seconds]

    found = []
    for row, trip_id in corridor.trip_of_row.items():
        free_s, enter_s = predicted.truck_free_s[:, row], predicted.truck_entrance_s[:, row]
        if not np.isfinite(free_s).any():
            continue
        waits = [None if np.isnan(wait) else round(float(wait), 1) for wait in published.truck_wait_s[:, row]]
        found.append(TripEta(trip_id, made_at, moments(free_s), moments(enter_s), waits))
    return found
