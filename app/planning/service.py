"""What-if scenarios: queued, cancelled."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.forecasting.places_ahead import places_ahead
from app.forecasting.state import assemble
from app.forecasting.state_readings import HORIZON
from app.forecasting.stay_learning import settings_now
from app.planning.scenarios import PLANNERS
from app.platform.outbox import publish_event
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing import store as routing_store
from routing.gates import day_seconds
from routing.graph import build_network
from routing.scenario import Scenario, parse_scenario, study_inputs
from routing.scenario_additions import extend
from routing.scenario_inputs import check_names
from routing.scenario_now import read_state, state_record
from routing.scenario_records import RunInputs, StateRecord
from routing.study import StudyInputs
from routing.tables import ScenarioRunRow
from routing.yard_places import YardPlaces

MAX_QUEUED = 10
"""Scenario runs one planner may have waiting."""


def queue_scenario(
    session: Session,
    principal: Principal,
    corridor: Corridor,
    scenario: Scenario,
    *,
    runs: int,
    seed: int | None,
    now: datetime,
) -> uuid.UUID:
    """Put a scenario in the queue; the id of its run.

    One that begins now takes the corridor's state at this moment with it: the one the live forecast starts from.

    Raises
    ------
    InvalidInputError
        If it names what the corridor does not have, or the planner has too many waiting.
    """
    network = build_network(extend(corridor, scenario.additions))
    check_names(scenario, network.gate_ids, network.yard_ids, tuple(network.staging_link))
    waiting = [
        row
        for row in routing_store.scenario_runs(session, created_by=principal.account_id)
        if row.status in ("queued", "running")
    ]
    if len(waiting) >= MAX_QUEUED:
        raise InvalidInputError(
            "You have {waiting} runs waiting; let them end or cancel some.", field="scenario", waiting=len(waiting)
        )
    state: StateRecord | None = None
    if scenario.world.begins == "now":
        settings = settings_now(session, now)
        horizon = max(HORIZON, timedelta(hours=scenario.horizon_h))
        state = state_record(assemble(session, corridor, network, settings, now, horizon=horizon).state)
        scenario = scenario.model_copy(update={"start": f"{now.astimezone(LOCAL_ZONE):%H:%M}"})
    inputs: RunInputs = {"runs": runs, "scenario": scenario.to_record()}
    if state is not None:
        inputs["state"] = state
    row = routing_store.add_scenario_run(
        session,
        inputs,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        created_by=principal.account_id,
        now=now,
    )
    publish_event(
        session, "scenario", PLANNERS, {"run_id": str(row.run_id), "status": "queued", "progress": 0.0}, at=now
    )
    return row.run_id


def inputs_of(session: Session, corridor: Corridor, row: ScenarioRunRow, now: datetime) -> StudyInputs:
    """What the runs of a stored scenario depend on: its own inputs, and how gates and yards are now."""
    settings = settings_now(session, now)
    scenario = parse_scenario(row.inputs["scenario"])
    return study_inputs(
        corridor,
        scenario,
        seed=row.seed,
        settings=settings,
        yard_places=places_of(session, scenario, now),
        state=read_state(row.inputs["state"], settings) if "state" in row.inputs else None,
    )


def places_of(session: Session, scenario: Scenario, now: datetime) -> YardPlaces:
    """The places that yards are set to have today, from when a scenario starts, with the hours of their zones.

    What is closed now is not part of a day that is described; one that begins now has its own places in its state.
    """
    midnight = now.astimezone(LOCAL_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight + timedelta(seconds=day_seconds(scenario.start))
    return places_ahead(session, start, timedelta(hours=scenario.horizon_h), closures_hold=False)


def cancel_scenario(session: Session, run_id: uuid.UUID, now: datetime) -> ScenarioRunRow:
    """Cancel a run that waits or works; raises NotFoundError, ConflictError."""
    row = routing_store.cancel_scenario_run(session, run_id, now=now)
    data = {"run_id": str(run_id), "status": row.status, "progress": row.progress}
    publish_event(session, "scenario", PLANNERS, data, at=now)
    return row
