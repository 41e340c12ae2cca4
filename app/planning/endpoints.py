"""What-if scenarios, run beside their base; and how gates work, which both start from."""

from __future__ import annotations

import uuid
from datetime import time
from typing import Annotated, Literal, Self

from fastapi import Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.gates import service as gates
from app.gates.schemas import GateSettingOut
from app.planning import service
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.json import JsonObject
from app.platform.labels import N_
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.web.routers import ApiRouter
from routing import store as routing_store
from routing.gates import Direction
from routing.scenario import Scenario, library
from routing.tables import ScenarioRunRow

router = ApiRouter(prefix="/api/v1", tags=["planning"])

Reader = Annotated[Principal, Depends(allow("scenarios.read"))]
Planner = Annotated[Principal, Depends(allow("scenarios.run"))]
RunStatus = Literal["queued", "running", "done", "failed", "cancelled"]

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


class RunColumns(BaseModel):
    """What is told of a run as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    run_id: uuid.UUID
    status: RunStatus
    progress: float
    seed: int
    code_version: str
    created_by: int
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    error: str | None


class RunOut(RunColumns):
    """A scenario run. `result` comes with the run itself, not with lists."""

    name: str
    runs: int
    scenario: dict[str, JsonValue] | None = None
    result: dict[str, JsonValue] | None = None

    @classmethod
    def of(cls, row: ScenarioRunRow, *, is_whole: bool = False) -> Self:
        """A run; with its inputs and result if it is to be `is_whole`."""
        scenario = row.inputs["scenario"]
        return cls.model_validate(
            {
                **dict(RunColumns.model_validate(row)),
                "name": scenario["name"],
                "runs": row.inputs["runs"],
                "scenario": scenario if is_whole else None,
                "result": row.result if is_whole else None,
            }
        )


class RunList(BaseModel):
    """The newest runs."""

    items: list[RunOut]


class GateSettingIn(BaseModel):
    """What to change; what is left out stays. The defaults here are never used."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"lanes": 3, "open_to": "20:00"}]})

    lanes: int = Field(1, title=N_("Lanes"), ge=1, le=64)
    open_from: time = Field(time(0), title=N_("Opens"))
    open_to: time = Field(time(0), title=N_("Closes"))
    service_mean_s: float = Field(1.0, title=N_("Service time, mean"), gt=0, le=86_400)
    service_cv: float = Field(0.0, title=N_("Service time, variation"), ge=0, le=5)
    entrance_lanes: int = Field(1, title=N_("Lanes at the entrance"), ge=1, le=64)
    entrance_service_mean_s: float = Field(0.0, title=N_("Check at the entrance, mean"), ge=0, le=86_400)
    entrance_service_cv: float = Field(0.0, title=N_("Check at the entrance, variation"), ge=0, le=5)
    dwell_mean_s: float = Field(0.0, title=N_("Stay in the yard, mean"), ge=0, le=30 * 86_400)
    dwell_cv: float = Field(0.0, title=N_("Stay in the yard, variation"), ge=0, le=5)


# Scenarios


@router.get("/scenarios", responses=problems())
def list_runs(session: SessionDep, _principal: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> RunList:
    """The newest runs of all planners."""
    return RunList(items=[RunOut.of(row) for row in routing_store.scenario_runs(session, limit=limit)])


@router.post("/scenarios", status_code=202, responses=problems())
def queue_run(
    body: ScenarioIn,
    response: Response,
    session: SessionDep,
    corridor: CorridorDep,
    clock: ClockDep,
    principal: Planner,
) -> RunOut:
    """Queue a scenario; its progress comes as `scenario` events and under the address in `Location`."""
    run_id = service.queue_scenario(
        session, principal, corridor, body.scenario, runs=body.runs, seed=body.seed, now=clock.now()
    )
    response.headers["Location"] = f"/api/v1/scenarios/{run_id}"
    return RunOut.of(routing_store.get_scenario_run(session, run_id))


@router.get("/scenarios/library", responses=problems())
def list_library(_principal: Reader) -> JsonObject:
    """The scenarios that come with the platform, each with its sources."""
    return {"items": [scenario.to_record() for scenario in library().values()]}


@router.get("/scenarios/{run_id}", responses=problems(404))
def read_run(run_id: uuid.UUID, session: SessionDep, _principal: Reader) -> RunOut:
    """A run: its inputs, how far it is, and once it is done base and variant side by side."""
    return RunOut.of(routing_store.get_scenario_run(session, run_id), is_whole=True)


@router.post("/scenarios/{run_id}/cancel", responses=problems(404, 409))
def cancel_run(run_id: uuid.UUID, session: SessionDep, clock: ClockDep, _principal: Planner) -> RunOut:
    """Cancel a run that waits or works."""
    return RunOut.of(service.cancel_scenario(session, run_id, clock.now()))


# Gates


@router.get("/gates/{gate_id}/settings", responses=problems(404))
def read_gate(
    gate_id: str,
    response: Response,
    session: SessionDep,
    clock: ClockDep,
    _principal: Annotated[Principal, Depends(allow("settings.read"))],
    direction: Direction = "export",
) -> GateSettingOut:
    """How one direction of a gate works."""
    return with_etag(response, gates.get_setting(session, gate_id, direction, clock.now()))


@router.patch("/gates/{gate_id}/settings", responses=problems(404, 412, 428))
def change_gate(
    gate_id: str,
    body: GateSettingIn,
    response: Response,
    action: Annotated[ActionContext, Depends(acting("settings.write"))],
    expected_version: ExpectedVersion,
    direction: Direction = "export",
) -> GateSettingOut:
    """Change how one direction of a gate works; send the ETag as If-Match.

    It is published as a version of the gate's profile, in force at once.
    """
    changes = body.model_dump(exclude_unset=True)
    stored = gates.change_direction(action, gate_id, direction, changes, expected_version=expected_version)
    return with_etag(response, stored)
