"""What-if scenarios, run beside their base; and how gates work, which both start from."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import allow
from app.accounts.sessions import client_address
from app.gates import service as gates
from app.planning import service
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.http import IfMatch, etag, problems, read_if_match
from app.platform.permissions import Principal
from routing import store as routing_store
from routing.scenario import Scenario, library
from routing.tables import ScenarioRunRow

router = APIRouter(prefix="/api/v1", tags=["planning"])

Reader = Annotated[Principal, Depends(allow("scenarios.read"))]
Planner = Annotated[Principal, Depends(allow("scenarios.run"))]
Direction = Literal["export", "import"]

SCENARIO_EXAMPLE: dict[str, JsonValue] = {
    "runs": 100,
    "scenario": {
        "name": "one-lane-less",
        "world": {"gates": {"huu-nghi": {"exports_veh_per_day": 500}, "tan-thanh": {"exports_veh_per_day": 200}}},
        "change": {"gates": {"huu-nghi": {"lanes": 3}}},
    },
}


class ScenarioIn(BaseModel):
    """A scenario to run: a world, a change to it; how many runs; the seed, if it matters."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [SCENARIO_EXAMPLE]})

    scenario: Scenario
    runs: int = Field(default=200, ge=1, le=2000)
    seed: int | None = Field(default=None, ge=0, lt=2**63)


class RunOut(BaseModel):
    """A scenario run. `result` comes with the run itself, not with lists."""

    run_id: uuid.UUID
    name: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float
    runs: int
    seed: int
    code_version: str
    created_by: int
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    error: str | None
    scenario: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


class RunList(BaseModel):
    """The newest runs."""

    items: list[RunOut]


class GateSettingOut(BaseModel):
    """How one direction of a gate works; hours are local (Asia/Ho_Chi_Minh), equal hours mean round the clock."""

    gate_id: str
    direction: Direction
    lanes: int
    open_from: time
    open_to: time
    service_mean_s: float
    service_cv: float
    entrance_lanes: int
    entrance_service_mean_s: float
    entrance_service_cv: float
    dwell_mean_s: float
    dwell_cv: float
    version: int
    updated_at: datetime
    updated_by: int | None


class GateSettingIn(BaseModel):
    """What to change; what is left out stays. The defaults here are never used."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"lanes": 3, "open_to": "20:00"}]})

    lanes: int = Field(1, ge=1, le=64)
    open_from: time = time(0)
    open_to: time = time(0)
    service_mean_s: float = Field(1.0, gt=0, le=86_400)
    service_cv: float = Field(0.0, ge=0, le=5)
    entrance_lanes: int = Field(1, ge=1, le=64)
    entrance_service_mean_s: float = Field(0.0, ge=0, le=86_400)
    entrance_service_cv: float = Field(0.0, ge=0, le=5)
    dwell_mean_s: float = Field(0.0, ge=0, le=30 * 86_400)
    dwell_cv: float = Field(0.0, ge=0, le=5)


# Scenarios


@router.get("/scenarios", response_model=RunList, responses=problems())
def list_runs(session: SessionDep, _principal: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Any:
    """The newest runs of all planners."""
    return {"items": [describe(row) for row in routing_store.scenario_runs(session, limit=limit)]}


@router.post("/scenarios", status_code=202, response_model=RunOut, responses=problems())
def queue_run(
    body: ScenarioIn,
    response: Response,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: Planner,
) -> Any:
    """Queue a scenario; its progress comes as `scenario` events and under the address in `Location`."""
    run_id = service.queue_scenario(
        session, principal, corridor, body.scenario, runs=body.runs, seed=body.seed, now=clock.now()
    )
    response.headers["Location"] = f"/api/v1/scenarios/{run_id}"
    return describe(routing_store.get_scenario_run(session, run_id))


@router.get("/scenarios/library", responses=problems())
def list_library(_principal: Reader) -> dict[str, Any]:
    """The scenarios that come with the platform, each with its sources."""
    return {"items": [scenario.to_record() for scenario in library().values()]}


@router.get("/scenarios/{run_id}", response_model=RunOut, responses=problems(404))
def read_run(run_id: uuid.UUID, session: SessionDep, _principal: Reader) -> Any:
    """A run: its inputs, how far it is, and once it is done base and variant side by side."""
    row = routing_store.get_scenario_run(session, run_id)
    return describe(row) | {"scenario": row.inputs.get("scenario"), "result": row.result}


@router.post("/scenarios/{run_id}/cancel", response_model=RunOut, responses=problems(404, 409))
def cancel_run(run_id: uuid.UUID, session: SessionDep, clock: ClockDep, _principal: Planner) -> Any:
    """Cancel a run that waits or works."""
    return describe(service.cancel_scenario(session, run_id, clock.now()))


def describe(row: ScenarioRunRow) -> dict[str, Any]:
    """A run without its inputs and result."""
    columns = (
        "run_id",
        "status",
        "progress",
        "seed",
        "code_version",
        "created_by",
        "created_at",
        "started_at",
        "finished_at",
        "error",
    )
    inputs = {"name": row.inputs.get("scenario", {}).get("name", ""), "runs": row.inputs.get("runs", 0)}
    return {name: getattr(row, name) for name in columns} | inputs


# Gates


@router.get("/gates/{gate_id}/settings", response_model=GateSettingOut, responses=problems(404))
def read_gate(
    gate_id: str,
    response: Response,
    session: SessionDep,
    clock: ClockDep,
    _principal: Annotated[Principal, Depends(allow("settings.read"))],
    direction: Direction = "export",
) -> Any:
    """How one direction of a gate works."""
    return _answer(response, gates.get_setting(session, gate_id, direction, clock.now()))


@router.patch("/gates/{gate_id}/settings", response_model=GateSettingOut, responses=problems(404, 412, 428))
def change_gate(
    gate_id: str,
    body: GateSettingIn,
    request: Request,
    response: Response,
    session: SessionDep,
    clock: ClockDep,
    principal: Annotated[Principal, Depends(allow("settings.write"))],
    direction: Direction = "export",
    if_match: IfMatch = None,
) -> Any:
    """Change how one direction of a gate works; send the ETag as If-Match.

    It is published as a version of the gate's profile, in force at once.
    """
    version, changes = read_if_match(if_match), body.model_dump(exclude_unset=True)
    address = client_address(request)
    stored = gates.change_direction(
        session, principal, gate_id, direction, changes, version=version, now=clock.now(), address=address
    )
    return _answer(response, stored)


def _answer(response: Response, stored: gates.DirectionSetting) -> Any:
    response.headers["ETag"] = etag(stored.version)
    return vars(stored)
