"""The sheet of a trip: read it, confirm a step, return it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import problem, problems, translate
from app.platform.fields import PlainText, StorableJson
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion, etag, with_etag
from app.procedures.steps import Step, StepStatus
from app.sheets.dependencies import SheetsDep
from app.sheets.service import Sheets
from app.trips.endpoints import TripId
from geo.errors import StaleError

router = APIRouter(prefix="/api/v1/trips", tags=["sheets"])

ReaderDep = Annotated[Principal, Depends(allow("sheets.read"))]
ActorAction = Annotated[ActionContext, Depends(acting("steps.act"))]
StepName = Annotated[str, Path(pattern=r"^[a-z_0-9]{1,40}$", examples=["barrier_1"])]


class ConfirmIn(BaseModel):
    """What the officer noted; kept on the step."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"data": {"temperature_c": 36.6}}]})

    data: Annotated[dict[str, str | int | float | bool | None], StorableJson] = Field(
        default_factory=dict, max_length=40
    )


class ReturnIn(BaseModel):
    """Why the sheet goes back: codes of the list of reasons, words of one's own, or both."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reasons": ["plate_differs"], "text": "Rơ-moóc khác"}]}
    )

    to: str = Field(default=Step.DECLARATION.value, pattern=r"^[a-z_0-9]{1,40}$")
    reasons: list[Annotated[PlainText, Field(max_length=60)]] = Field(default_factory=list, max_length=20)
    text: PlainText = Field(default="", max_length=2000)


class StepOut(BaseModel):
    """A step: how it stands, whose it is, since when."""

    step: str
    status: StepStatus
    owners: list[str]
    since: datetime
    done_at: datetime | None
    done_by: str | None
    data: dict[str, Any]


class NodeOut(BaseModel):
    """A step in the drawing: column and row."""

    step: str
    status: StepStatus
    owners: list[str]
    since: datetime
    layer: int
    row: int


class EdgeOut(BaseModel):
    """An arrow of the drawing."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")
    to: str


class GraphOut(BaseModel):
    """The drawing of a sheet."""

    nodes: list[NodeOut]
    edges: list[EdgeOut]
    layers: int


class SheetOut(BaseModel):
    """A trip's sheet; `may` names, for each act, the steps with which the caller can do it now."""

    model_config = ConfigDict(extra="allow")

    trip: dict[str, Any]
    version: int
    is_declared: bool
    is_finished: bool
    steps: list[StepOut]
    graph: GraphOut
    may: dict[Literal["confirm", "return"], list[str]]
    declaration: JsonValue


@router.get("/{trip_id}/sheet", response_model=SheetOut, responses=problems(404))
def get_sheet(trip_id: TripId, response: Response, principal: ReaderDep, session: SessionDep, sheets: SheetsDep) -> Any:
    """The sheet of a trip."""
    return with_etag(response, sheets.get_sheet(session, principal, trip_id))


@router.post("/{trip_id}/steps/{step}/confirm", response_model=SheetOut, responses=problems(404, 409, 412, 428))
def confirm_step(
    trip_id: TripId,
    step: StepName,
    body: ConfirmIn,
    request: Request,
    response: Response,
    action: ActorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Confirm a step. A 412 carries the sheet as it is now in its member `sheet`."""
    act = partial(sheets.confirm_step, action, trip_id, step, expected_version=expected_version, data=body.data)
    repeatable = partial(idempotency.once, action, "steps.confirm", idempotency_key, [trip_id, step, body])
    return _answer_act(request, response, action, sheets, trip_id, repeatable, act)


@router.post("/{trip_id}/steps/{step}/return", response_model=SheetOut, responses=problems(404, 409, 412, 428))
def return_step(
    trip_id: TripId,
    step: StepName,
    body: ReturnIn,
    request: Request,
    response: Response,
    action: ActorAction,
    sheets: SheetsDep,
    expected_version: ExpectedVersion,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Send the sheet back, as a rule to be declared again. A 412 carries the sheet as it is now."""
    act = partial(sheets.return_step, action, trip_id, step, expected_version=expected_version, **body.model_dump())
    repeatable = partial(idempotency.once, action, "steps.return", idempotency_key, [trip_id, step, body])
    return _answer_act(request, response, action, sheets, trip_id, repeatable, act)


@router.post("/{trip_id}/temporary-yard", response_model=SheetOut, responses=problems(404))
def lead_to_temporary_yard(trip_id: TripId, response: Response, action: ActorAction, sheets: SheetsDep) -> Any:
    """The truck of an undeclared trip is at the gate: its time in the temporary yard begins. Sent twice, once."""
    sheets.note_arrival(action, trip_id)
    return with_etag(response, sheets.answer_sheet(action.session, action.actor, trip_id))


def _answer_act(
    request: Request,
    response: Response,
    action: ActionContext,
    sheets: Sheets,
    trip_id: int,
    once: Callable[[Callable[[], int]], int],
    act: Callable[[], object],
) -> Any:
    """Act on a sheet and answer with it; the second of two officers is refused with the sheet as the first left it."""

    def make() -> int:
        act()
        return trip_id

    try:
        once(make)
    except StaleError as error:
        action.session.rollback()
        found = sheets.answer_sheet(action.session, action.actor, trip_id)
        headers = {"ETag": etag(found["version"])}
        return problem(412, translate(request, error), headers=headers, sheet=jsonable_encoder(found))
    return with_etag(response, sheets.answer_sheet(action.session, action.actor, trip_id))
