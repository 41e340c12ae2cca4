"""Versions of the procedures: list, read, draft, save, publish; from when on declaring is mandatory."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import Moment, PlainText, StorableJson
from app.platform.json import JsonObject
from app.platform.labels import DocumentStatus
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, with_etag
from app.procedures import service
from app.procedures.store import EVERY_GATE
from app.procedures.tables import ProcedureRow
from app.trips.declaration import check_gate
from app.trips.vocabulary import Direction, Regime
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1/procedures", tags=["procedures"])

ReaderDep = Annotated[Principal, Depends(allow("procedures.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("procedures.write"))]
ProcedureId = Annotated[int, Path(ge=1, le=2**31 - 1)]
DEFINITION: dict[str, JsonValue] = {
    "exit": "barrier_2",
    "steps": {
        "declaration": {"owner": "enterprise"},
        "barrier_1": {"owner": "border_guard", "after": ["declaration"]},
        "quarantine_plant": {
            "owner": "plant_quarantine",
            "after": ["barrier_1"],
            "when": {"goods_class": ["fresh_fruit", "flowers"]},
        },
        "customs": {"owner": "customs", "after": ["quarantine_plant"], "at_once": {"channel": "green"}},
        "barrier_2": {"owner": "border_guard", "after": ["customs"]},
    },
}


class DefinitionIn(BaseModel):
    """Steps with owner, prerequisites and conditions; wrong ones can be saved, not published."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"definition": DEFINITION}]})

    definition: Annotated[dict[str, JsonValue], StorableJson]


class DraftIn(BaseModel):
    """A new draft; without a definition, a copy of the one in force. The gate `*` is every gate without its own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"gate_id": "huu-nghi", "direction": "export", "regime": "export"}]},
    )

    gate_id: PlainText = Field(max_length=60)
    direction: Direction
    regime: Regime
    definition: Annotated[dict[str, JsonValue] | None, StorableJson] = None


class MandatoryFrom(BaseModel):
    """From this moment on nobody handles an undeclared vehicle."""

    model_config = ConfigDict(extra="forbid")

    mandatory_from: Moment


class MandatoryFromOut(MandatoryFrom):
    """The moment with its version; 0 while nobody has set it."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    version: int


class ProblemOut(BaseModel):
    """Something wrong with a draft."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    step: str | None
    detail: str


class ProcedureOut(BaseModel):
    """A version; `edit` is its ETag, `problems` what keeps a draft from being published."""

    model_config = ConfigDict(from_attributes=True)

    procedure_id: int
    gate_id: str
    direction: Direction
    regime: Regime
    version: int
    edit: int
    status: DocumentStatus
    definition: JsonObject
    valid_from: datetime | None
    created_at: datetime
    published_at: datetime | None
    problems: list[ProblemOut]


class ProcedurePage(BaseModel):
    """All versions, by gate, direction and regime, newest first."""

    items: list[ProcedureOut]


@router.get("", responses=problems())
def list_procedures(_principal: ReaderDep, session: SessionDep, clock: ClockDep) -> ProcedurePage:
    """All versions of all procedures."""
    return ProcedurePage.model_validate({"items": service.list_versions(session, clock.now())})


@router.get("/mandatory-declaration", responses=problems())
def get_mandatory(response: Response, _principal: ReaderDep, session: SessionDep) -> MandatoryFromOut:
    """From when on nobody handles an undeclared vehicle."""
    return with_etag(response, MandatoryFromOut.model_validate(service.get_mandatory_from(session)))


@router.put("/mandatory-declaration", responses=problems(412, 428))
def set_mandatory(
    body: MandatoryFrom, response: Response, action: WriterAction, expected_version: ExpectedVersion
) -> MandatoryFromOut:
    """Set from when on nobody handles an undeclared vehicle."""
    found = service.set_mandatory_from(action, body.mandatory_from, expected_version)
    return with_etag(response, MandatoryFromOut.model_validate(found))


@router.get("/{procedure_id}", responses=problems(404))
def get_procedure(
    procedure_id: ProcedureId, response: Response, _principal: ReaderDep, session: SessionDep
) -> ProcedureOut:
    """One version."""
    return _answer(response, service.get_version(session, procedure_id))


@router.post("", status_code=201, responses=problems(409))
def create_draft(body: DraftIn, response: Response, action: WriterAction, corridor: CorridorDep) -> ProcedureOut:
    """Begin a new version."""
    gate_id = check_gate(body.gate_id, [EVERY_GATE, *(gate.site_id for gate in corridor.gates())])
    row = service.create_draft(action, (gate_id, body.direction, body.regime), body.definition)
    response.headers["Location"] = f"/api/v1/procedures/{row.procedure_id}"
    return _answer(response, row)


@router.put("/{procedure_id}", responses=problems(404, 409, 412, 428))
def save_draft(
    procedure_id: ProcedureId,
    body: DefinitionIn,
    response: Response,
    action: WriterAction,
    expected_version: ExpectedVersion,
) -> ProcedureOut:
    """Change a draft; the answer says what is wrong with it."""
    row = service.save_draft(action, procedure_id, expected_version, body.definition)
    return _answer(response, row)


@router.post("/{procedure_id}/publish", responses=problems(404, 409, 412, 428))
def publish(
    procedure_id: ProcedureId, response: Response, action: WriterAction, expected_version: ExpectedVersion
) -> ProcedureOut:
    """Put a draft in force for trips declared from now on."""
    row = service.publish(action, procedure_id, expected_version)
    return _answer(response, row)


def _answer(response: Response, row: ProcedureRow) -> ProcedureOut:
    return with_etag(response, ProcedureOut.model_validate(service.describe(row)))
