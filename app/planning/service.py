"""What-if scenarios: queued, cancelled."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.forecasting.state import HORIZON, assemble
from app.gates.service import gate_settings
from app.planning.scenarios import PLANNERS
from app.platform.outbox import publish_event
from app.platform.permissions import Principal
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.errors import InvalidInputError
from routing import store as routing_store
from routing.graph import build_network
from routing.scenario import Scenario
from routing.scenario_inputs import check_names
from routing.scenario_now import state_record
from routing.tables import ScenarioRunRow

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
    network = build_network(corridor)
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
    inputs: dict[str, Any] = {"runs": runs}
    if scenario.world.begins == "now":
        settings = gate_settings(session, now)
        horizon = max(HORIZON, timedelta(hours=scenario.horizon_h))
        inputs["state"] = state_record(assemble(session, corridor, network, settings, now, horizon=horizon).state)
        scenario = scenario.model_copy(update={"start": f"{now.astimezone(LOCAL_ZONE):%H:%M}"})
    row = routing_store.add_scenario_run(
        session,
        inputs | {"scenario": scenario.to_record()},
        seed=secrets.randbelow(2**31) if seed is None else seed,
        created_by=principal.account_id,
        now=now,
    )
    publish_event(
        session, "scenario", PLANNERS, {"run_id": str(row.run_id), "status": "queued", "progress": 0.0}, at=now
    )
    return row.run_id


def cancel_scenario(session: Session, run_id: uuid.UUID, now: datetime) -> ScenarioRunRow:
    """Cancel a run that waits or works; raises NotFoundError, ConflictError."""
    row = routing_store.cancel_scenario_run(session, run_id, now=now)
    data = {"run_id": str(run_id), "status": row.status, "progress": row.progress}
    publish_event(session, "scenario", PLANNERS, data, at=now)
    return row
